#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# firmware-mps2.sh [BUILDDIR]: the reader's firmware for boards/mps2_an385 as an ELF
# file in BUILDDIR (build/firmware-mps2), with its sizes; beside it the program of
# tests/port for the same board.
#
# Exit: 0 built, 1 not, 77 skipped (no cross compiler, or no sources).

set -eu
cd "$(dirname "$0")/.."
dir=${1:-build/firmware-mps2}
board=boards/mps2_an385

if ! command -v arm-none-eabi-gcc >/dev/null 2>&1; then
	echo "SKIP: arm-none-eabi-gcc is not installed (scripts/deps.sh firmware)"
	exit 77
fi
for package in mbedtls lwip; do
	scripts/fetch-source.sh $package build/third_party/$package || {
		echo "SKIP: the source package $package cannot be had here (above)"
		exit 77
	}
done

# Meson reads the cross file once only: a changed one means a new set-up.
mkdir -p "$dir"
exec 9>"$dir.lock"
flock 9
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
cp "$dir/$board"/*.elf "$dir/tests/port/qemu"/*.elf "$dir"
arm-none-eabi-size "$dir"/cardwright-reader-mps2.elf
