#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# firmware.sh [BUILDDIR]: the reader's firmware as ELF, BIN and HEX in BUILDDIR
# (build/firmware), with a report of sizes; signed, cardwright-reader.cwfw.
#
#   FW_KEY=FILE        PEM file of the key (a development key is made without);
#                      with the public key only nothing is signed here
#   FW_PRODUCTION=true refuses a development key
#   FW_COUNTER=N       security counter of the image (0)
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
scripts/fetch-source.sh bearssl build/third_party/bearssl

# Meson reads the cross file once only: a changed one means a new set-up.
mkdir -p "$dir"
if ! cmp -s $board/cross.ini "$dir/cross.ini"; then
	rm -rf "$dir"/* && cp $board/cross.ini "$dir/cross.ini.new"
	meson setup "$dir" --cross-file $board/cross.ini --buildtype=minsize \
	    -Doptimization=2 -Ddebug=true -Dwerror_all=true >"$dir/setup.log" 2>&1 || {
		cat "$dir/setup.log"
		exit 1
	}
	mv "$dir/cross.ini.new" "$dir/cross.ini"
fi
case ${FW_KEY:-} in
''|/*) key=${FW_KEY:-} ;;
*) key=$PWD/$FW_KEY ;;
esac
meson configure "$dir" -Dfw_key="$key" -Dfw_production="${FW_PRODUCTION:-false}" >/dev/null
ninja -C "$dir" >"$dir/compile.log" 2>&1 || {
	cat "$dir/compile.log"
	exit 1
}
for elf in "$dir/$board"/*.elf "$dir/$board"/boot/*.elf; do
	name=$(basename "$elf" .elf)
	cp "$elf" "$dir/$name.elf"
	arm-none-eabi-objcopy -O binary "$elf" "$dir/$name.bin"
	arm-none-eabi-objcopy -O ihex "$elf" "$dir/$name.hex"
done
python3 scripts/firmware-size.py "$dir" "$dir"/cardwright-reader*.elf

[ -n "$key" ] || key=build/fw-development-key.pem
if ! grep -q 'PRIVATE KEY' "$key"; then
	echo "not signed: $key is the public key only; sign $dir/*.bin with cardwright-sign"
	exit 0
fi
make --no-print-directory -s build/release/build.ninja
ninja -C build/release tools/cardwright-sign >"$dir/sign.log" 2>&1 || {
	cat "$dir/sign.log"
	exit 1
}
sign=build/release/tools/cardwright-sign
version=$(sed -n "s/^  version: '\(.*\)',$/\1/p" meson.build)
image()
{
	out=$1
	shift
	"$sign" image --key "$key" --board stm32f103ze --image-version "$version" \
	    --counter "${FW_COUNTER:-0}" --out "$dir/$out" "$@"
}
a=08004000=$dir/cardwright-reader.bin
b=08040000=$dir/cardwright-reader-b.bin
image cardwright-reader.cwfw --at "$a" --at "$b"
# What stands in slot A of a new reader, and the whole of its memory.
image cardwright-reader-a.cwfw --at "$a"
arm-none-eabi-objcopy -I binary -O ihex --change-addresses 0x08004000 \
    "$dir/cardwright-reader-a.cwfw" "$dir/slot-a.hex"
grep -v '^:00000001FF' "$dir/cardwright-boot.hex" | cat - "$dir/slot-a.hex" \
    >"$dir/cardwright-factory.hex"
rm "$dir/slot-a.hex"
"$sign" show --key "$key" "$dir/cardwright-reader.cwfw"
