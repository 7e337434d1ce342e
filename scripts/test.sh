#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds with sanitizers, runs every test, ends with "N passed, N failed".
#   test.sh BUILDDIR
set -u
build=$1
cd "$(dirname "$0")/.." || exit 2

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
if ! meson compile -C "$build" >"$build/compile.log" 2>&1; then
	cat "$build/compile.log"
	echo "the build failed"
	echo "0 passed, 1 failed"
	exit 1
fi

# one line per test: "N/M suite / name  OK  0.12s"
meson test -C "$build" --no-rebuild --print-errorlogs --num-processes 2 \
    >"$build/test.log" 2>&1
status=$?
grep -E '^ *[0-9]+/[0-9]+ ' "$build/test.log"
count() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$build/test.log" | tail -1; }
ok=$(count Ok); expected=$(count 'Expected Fail'); bad=$(count Fail)
timeout=$(count Timeout); skipped=$(count Skipped); unexpected=$(count 'Unexpected Pass')
failed=$((${bad:-0} + ${timeout:-0} + ${unexpected:-0}))
passed=$((${ok:-0} + ${expected:-0}))

if [ "$passed" = 0 ] && [ "$failed" = 0 ]; then
	cat "$build/test.log"
	failed=1
fi
if [ "$failed" != 0 ]; then
	echo
	sed -n '/^Summary of Failures/,$p' "$build/test.log"
	echo "logs: $build/meson-logs/testlog.txt"
fi
[ "${skipped:-0}" = 0 ] || echo "skipped: $skipped (see $build/meson-logs/testlog.txt)"
[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
