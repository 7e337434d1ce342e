#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# firmware-key.sh OUT.c BUILDDIR PRODUCTION [KEY]: the public key of a firmware
# as C source.  KEY is a PEM file with a public or private key of P-256; without
# it a development pair is kept at BUILDDIR/fw-development-key.pem.  PRODUCTION
# true refuses a development key.  OUT.c is left alone when nothing changes.
set -eu

die() { echo "firmware-key.sh: $*" >&2; exit 1; }

out=$1 build=$2 production=$3 key=${4:-}
mark='cardwright development key: never sign a release with it'
command -v openssl >/dev/null || die "openssl is missing: run scripts/deps.sh firmware"

if [ -z "$key" ]; then
	[ "$production" = false ] ||
	    die "fw_production wants a release key: -Dfw_key=FILE (cardwright-sign keygen makes one)"
	key=$build/fw-development-key.pem
	if [ ! -e "$key" ]; then
		(umask 077; echo "$mark" >"$key.new"
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 >>"$key.new" 2>/dev/null)
		mv "$key.new" "$key"
	fi
fi
[ -r "$key" ] || die "$key cannot be read"
dev=false
if [ "$(head -1 "$key")" = "$mark" ]; then
	dev=true
	[ "$production" = false ] || die "$key is a development key; fw_production takes none"
fi

# A public key in DER ends with the point: 04, x, y.
pub=
grep -q 'BEGIN PUBLIC KEY' "$key" && pub=-pubin
hex=$(openssl pkey $pub -in "$key" -pubout -outform DER 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
case $hex in
3059301306072a8648ce3d020106082a8648ce3d03010703420004*) ;;
*) die "$key holds no key of P-256" ;;
esac
{
	echo '/* Made by scripts/firmware-key.sh. */'
	echo '#include "boards/fwcheck/p256.h"'
	echo 'const uint8_t cw_fw_key[64] = {'
	printf '%s' "$hex" | tail -c 128 | sed 's/../0x&, /g' | fold -w 48
	echo
	echo '};'
	echo "const bool cw_fw_key_development = $dev;"
} >"$out.new"
if cmp -s "$out.new" "$out"; then rm "$out.new"; else mv "$out.new" "$out"; fi
