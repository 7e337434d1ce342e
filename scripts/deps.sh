#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of a list of Debian packages and says what.
#   deps.sh build|test|model|docs|firmware|qemu ...
# Root is asked for only when something is missing, and only for apt-get.
set -eu

build="gcc make meson ninja-build pkg-config python3 libc6-dev libuv1-dev
    libssl-dev libmbedtls-dev libsqlite3-dev libmicrohttpd-dev libjansson-dev
    libcurl4-openssl-dev liblua5.4-dev libmodbus-dev libzip-dev libcmocka-dev
    libpcsclite-dev"
qemu="qemu-system-arm"
test="$build openssl curl sqlite3 mbpoll clang libclang-rt-14-dev
    gcc-arm-none-eabi libnewlib-arm-none-eabi lrzsz libbearssl-dev libunicorn-dev
    dpkg-dev libosmocore-utils python3-cryptography $qemu
    pcscd pcsc-tools opensc vsmartcard-vpcd"
model="spin gcc libc6-dev"
docs="lowdown"
board="libunicorn-dev"
firmware="$build gcc-arm-none-eabi libnewlib-arm-none-eabi
    binutils-arm-none-eabi dpkg-dev openssl"

want=
for group in "$@"; do
	case $group in
	build) want="$want $build" ;;
	test) want="$want $test" ;;
	model) want="$want $model" ;;
	docs) want="$want $docs" ;;
	board) want="$want $board" ;;
	firmware) want="$want $firmware" ;;
	qemu) want="$want $qemu" ;;
	*) echo "deps.sh: no group '$group'" >&2; exit 2 ;;
	esac
done

missing=
for p in $want; do
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed ||
	    missing="$missing $p"
done
[ -n "$missing" ] || exit 0

missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
echo "missing Debian packages: $missing"
if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1; then
	root=sudo
	echo "installing them needs root: sudo asks for your password"
else
	echo "please run as root: apt-get install $missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if ! $root apt-get install -y --no-install-recommends $missing >/tmp/cardwright-apt.$$ 2>&1; then
	# the package lists may be old or absent
	$root apt-get update >/tmp/cardwright-apt.$$ 2>&1 &&
	    $root apt-get install -y --no-install-recommends $missing >>/tmp/cardwright-apt.$$ 2>&1 || {
		cat /tmp/cardwright-apt.$$ >&2
		echo "deps.sh: apt-get could not install: $missing" >&2
		rm -f /tmp/cardwright-apt.$$
		exit 1
	}
fi
rm -f /tmp/cardwright-apt.$$
echo "installed."
