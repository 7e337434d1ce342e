#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# check-freestanding.sh: lib/ and reader/ must run on a board without an
# operating system.  Compiles every file of them for a Cortex-M3, links the
# objects into one, prints the sizes and fails on a symbol that nobody on a
# board provides.
#
# Exit: 0 passed, 1 failed, 77 skipped (no arm-none-eabi-gcc).

set -eu
cd "$(dirname "$0")/.."
cross=${CROSS:-arm-none-eabi-}

if ! command -v "${cross}gcc" >/dev/null 2>&1; then
	echo "SKIP: ${cross}gcc is not installed (Debian: gcc-arm-none-eabi)"
	exit 77
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# assert_host.c is for hosts by its name; everything else counts.
sources=$(find lib reader -name '*.c' ! -name '*_host.c' | LC_ALL=C sort)

failed=0
for src in $sources; do
	obj=$out/$(echo "$src" | tr / _).o
	if ! "${cross}gcc" -mcpu=cortex-m3 -mthumb -ffreestanding -std=gnu11 \
	    -Os -ffunction-sections -Wall -Wextra -Werror \
	    -I. -Ilib/include -c "$src" -o "$obj"; then
		echo "FAIL: $src does not compile freestanding"
		failed=1
	fi
done
[ "$failed" -eq 0 ] || exit 1

"${cross}size" "$out"/*.o | sed "s#$out/##"
"${cross}ld" -r -o "$out/all.o" "$out"/*.o
"${cross}size" "$out/all.o" | awk 'NR == 2 {
	printf "total: %d bytes of code and constants, %d of data, %d of bss\n",
	    $1, $2, $3 }'

# memcpy and its like: the compiler may call them anywhere.  __aeabi_*: its
# run-time library.  cw_assert_failed: the board's own.
undefined=$("${cross}nm" -u "$out/all.o" | awk '{ print $2 }' | grep -v -x \
    -e memcpy -e memset -e memcmp -e memmove -e strlen \
    -e cw_assert_failed -e '__aeabi_[a-z0-9_]*' || true)
if [ -n "$undefined" ]; then
	echo "FAIL: lib/ and reader/ need what no board provides:"
	echo "$undefined" | sed 's/^/	/'
	exit 1
fi

# Static mutable state would be shared by all readers of a process.
mutable=$("${cross}nm" "$out/all.o" | awk '$2 ~ /^[bBdDC]$/ { print $3 }')
if [ -n "$mutable" ]; then
	echo "FAIL: static mutable state in lib/ or reader/:"
	echo "$mutable" | sed 's/^/	/'
	exit 1
fi
echo "PASS: freestanding"
