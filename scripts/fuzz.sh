#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds every tests/fuzz/fuzz_*.c with libFuzzer, ASan and UBSan and runs each
# for some seconds from its corpus.  What it finds stays in build/fuzz/NAME.
#   fuzz.sh [SECONDS] [NAME...]
set -eu
seconds=${1:-60}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."
build=build/fuzz
[ -f $build/build.ninja ] ||
    CC=clang meson setup $build -Dfuzz=true -Db_sanitize=address,undefined \
	-Db_lundef=false >/dev/null
ninja -C $build $(ls tests/fuzz/fuzz_*.c | sed 's/\.c$//') >$build/compile.log 2>&1 ||
    { cat $build/compile.log; exit 1; }
passed=0
failed=0
for src in tests/fuzz/fuzz_*.c; do
	name=$(basename "$src" .c)
	[ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
	mkdir -p "$build/run/$name"
	corpus=tests/fuzz/corpus/${name#fuzz_}
	[ -d "$corpus" ] || corpus=
	if "$build/tests/fuzz/$name" -max_total_time="$seconds" -timeout=10 \
	    -rss_limit_mb=2048 -artifact_prefix="$build/run/$name/" \
	    "$build/run/$name" $corpus >"$build/run/$name.log" 2>&1; then
		execs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$build/run/$name.log")
		echo "ok - $name: ${execs:-?} inputs"
		passed=$((passed + 1))
	else
		tail -n 30 "$build/run/$name.log"
		echo "not ok - $name: see $build/run/$name"
		failed=$((failed + 1))
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ]
