#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The link as firmware has it: mbedTLS from Debian's source package with our
# configuration.  Runs test_link.c against it, memory from the pool, with
# AddressSanitizer; then builds it for Cortex-M3 and prints what it takes.
#   firmware.sh [BUILDDIR]		77: the sources cannot be had here
set -eu
cd "$(dirname "$0")/../../.."
out=${1:-build}/link-firmware
src=build/third_party/mbedtls
mkdir -p "$out"
scripts/fetch-source.sh mbedtls "$src" >"$out/fetch.log" 2>&1 || {
	tail -3 "$out/fetch.log"
	echo "skipped: no mbedTLS source"
	exit 77
}
library=$(sed -n "/^link_mbedtls_names/,/^]/p" boards/link/meson.build | grep -o '[a-z0-9_]*\.c')
[ "$(echo "$library" | wc -w)" -ge 15 ] || { echo "boards/link/meson.build lists no files"; exit 1; }
common="-std=gnu11 -I. -Ilib/include -I$src/include
    -DMBEDTLS_CONFIG_FILE=\"boards/link/mbedtls_config.h\""

# on the host
host="-O1 -g -fsanitize=address -DTEST_FIRMWARE_CONFIG -DMBEDTLS_MEMORY_DEBUG
    -include stdio.h -D_GNU_SOURCE"
objects=
for f in $library; do
	gcc $common $host -w -c "$src/library/$f" -o "$out/$f.host.o"
	objects="$objects $out/$f.host.o"
done
gcc $common $host -Wall -Wextra -Werror -o "$out/test_link" $objects \
    boards/link/link.c boards/link/rng.c boards/link/heap.c \
    tests/unit/link/test_link.c tests/unit/link/peer.c \
    lib/base/bytes.c lib/base/assert_host.c -lssl -lcrypto -lcmocka
ASAN_OPTIONS=detect_leaks=0 "$out/test_link" >"$out/test.log" 2>&1 || { cat "$out/test.log"; exit 1; }
grep -E '^heap:|PASSED' "$out/test.log"

# for the board
command -v arm-none-eabi-gcc >/dev/null || { echo "no arm-none-eabi-gcc: not built for Cortex-M3"; exit 77; }
arm="-mcpu=cortex-m3 -mthumb -Os -ffunction-sections -fdata-sections"
objects=
for f in $library; do
	arm-none-eabi-gcc $common $arm -w -c "$src/library/$f" -o "$out/$f.o"
	objects="$objects $out/$f.o"
done
arm-none-eabi-gcc $common $arm -Wall -Wextra -Werror -nostartfiles --specs=nano.specs \
    -Wl,--gc-sections -Wl,-e,link_size -Wl,-u,link_size -o "$out/size.elf" \
    boards/link/link.c boards/link/rng.c boards/link/heap.c \
    tests/unit/link/size.c lib/base/bytes.c $objects 2>"$out/arm.log" || { cat "$out/arm.log"; exit 1; }
if arm-none-eabi-nm "$out/size.elf" | grep -E ' (malloc|_malloc_r|printf|_sbrk)$'; then
	echo "the link needs a heap or stdio of the C library"
	exit 1
fi
arm-none-eabi-size "$out/size.elf"
flash=$(arm-none-eabi-size "$out/size.elf" | awk 'NR == 2 { print $1 + $2 }')
[ "$flash" -le 30720 ] || { echo "more than the 30 KiB of flash that the link may take"; exit 1; }
