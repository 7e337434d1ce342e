#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# firmware.sh [BUILDDIR]: the reader's firmware as ELF, BIN and HEX in BUILDDIR
# (build/firmware), with a report of sizes.
#
# Exit: 0 built, 1 not, 77 skipped (no cross compiler).

set -eu
cd "$(dirname "$0")/.."
dir=${1:-build/firmware}
board=boards/stm32f103ze_w5300

if ! command -v arm-none-eabi-gcc >/dev/null 2>&1; then
	echo "SKIP: arm-none-eabi-gcc is not installed (scripts/deps.sh firmware)"
	exit 77
fi

scripts/fetch-source.sh mbedtls build/third_party/mbedtls

# Meson reads the cross file once only: a changed one means a new set-up.
mkdir -p "$dir"
if ! cmp -s $board/cross.ini "$dir/cross.ini"; then
	rm -rf "$dir"/* && cp $board/cross.ini "$dir/cross.ini.new"
	meson setup "$dir" --cross-file $board/cross.ini --buildtype=minsize \
	    -Ddebug=true -Dwerror_all=true >"$dir/setup.log" 2>&1 || {
		cat "$dir/setup.log"
		exit 1
	}
	mv "$dir/cross.ini.new" "$dir/cross.ini"
fi
ninja -C "$dir" >"$dir/compile.log" 2>&1 || {
	cat "$dir/compile.log"
	exit 1
}
for elf in "$dir/$board"/*.elf; do
	name=$(basename "$elf" .elf)
	cp "$elf" "$dir/$name.elf"
	arm-none-eabi-objcopy -O binary "$elf" "$dir/$name.bin"
	arm-none-eabi-objcopy -O ihex "$elf" "$dir/$name.hex"
done
arm-none-eabi-size "$dir"/*.elf
