#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: make-examples.sh [DIRECTORY]
#
# Makes the files of examples/ anew, byte for byte as they are committed.
# Needs openssl, objcopy (binutils) and awk.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/examples}
bad=$out/bad
mkdir -p "$bad"

# A raw image: the mark that tells a COS image apart, then the key stream of
# AES-128-CTR under a fixed key, which no compressor can shorten.
image() {
	printf 'CWCOS\0'
	head -c $(($1 - 6)) /dev/zero | openssl enc -aes-128-ctr -nosalt \
	    -K 63617264777269676874206578616d70 -iv 00000000000000000000000000000001
}

image 131072 >"$out/cos-128k.bin"
image 4096 >"$out/cos-4k.tmp"
# relative names: an S0 record holds the file's
(
	cd "$out"
	objcopy -I binary -O ihex cos-4k.tmp cos-4k.hex
	objcopy -I binary -O srec --srec-len 32 cos-4k.tmp cos-4k.s19
	rm cos-4k.tmp
)
"$root/scripts/make-csv.sh" 200 >"$out/sim-200.csv"

# ---- malformed files: ten good records with one fault each ----

good=$bad/.good
"$root/scripts/make-csv.sh" 10 --first 5000001 >"$good"
head='iccid,imsi,ki,opc,acc,msisdn,pin1,puk1,pin2,puk2,adm1'

# on LINE SED-SCRIPT: the good file with one line edited
on() { sed "$1$2" "$good"; }
# field LINE COLUMN VALUE: with one value replaced
field() {
	awk -F, -v OFS=, -v line="$1" -v column="$2" -v value="$3" \
	    'NR == line { $column = value } { print }' "$good"
}

: >"$bad/empty.csv"
echo "$head" >"$bad/header-only.csv"
sed 1d "$good" >"$bad/no-header.csv"
cut -d, -f1,2,4- "$good" >"$bad/missing-column-ki.csv"
sed '1s/$/,colour/; 2,$s/$/,red/' "$good" >"$bad/unknown-column.csv"
sed '1s/puk2/pin2/' "$good" >"$bad/duplicate-column.csv"
sed '1s/acc//' "$good" >"$bad/column-without-name.csv"
on 4 's/,[^,]*$//' >"$bad/too-few-values.csv"
on 4 's/$/,extra/' >"$bad/too-many-values.csv"
on 5 's/,/;/g' >"$bad/mixed-delimiters.csv"
head -c -30 "$good" >"$bad/truncated-last-line.csv"
on 6 's/,/,"/' >"$bad/open-quote.csv"
on 6 's/,/,"x"y/' >"$bad/text-after-quote.csv"
field 3 1 89999001050000010020 >"$bad/wrong-luhn.csv"
field 3 1 8999900105000 >"$bad/short-iccid.csv"
field 3 2 00101abc >"$bad/imsi-not-digits.csv"
field 3 3 001122 >"$bad/short-ki.csv"
field 3 3 00112233445566778899aabbccddeefg >"$bad/ki-not-hex.csv"
field 3 3 '' >"$bad/empty-ki.csv"
field 3 7 12 >"$bad/short-pin.csv"
field 3 7 12x4 >"$bad/pin-not-digits.csv"
field 3 8 1234567 >"$bad/short-puk.csv"
field 3 11 123456789 >"$bad/long-adm.csv"
sed -n 'p; 4p' "$good" >"$bad/duplicate-record.csv"
awk -F, -v OFS=, 'NR == 3 { kept = $2 } NR == 9 { $2 = kept } { print }' "$good" >"$bad/duplicate-imsi.csv"
{ head -n 3 "$good"; printf 'abc\0def\n'; sed 1,3d "$good"; } >"$bad/nul-byte.csv"
{ head -n 3 "$good"; printf '\377\376,\n'; sed 1,3d "$good"; } >"$bad/not-utf8.csv"
{ head -n 3 "$good"; echo; sed 1,3d "$good"; } >"$bad/empty-line-inside.csv"
field 3 6 "$(printf '%02000d' 0)" >"$bad/value-too-long.csv"
sed '1s/$/,reader/; 2,$s/$/,127.0.1.999/' "$good" >"$bad/reader-not-an-address.csv"
rm "$good"

# ---- malformed images ----

: >"$bad/cos-empty.bin"
sed '3s/[0-9A-F][0-9A-F]\(\r*\)$/00\1/' "$out/cos-4k.hex" >"$bad/cos-wrong-checksum.hex"
sed '$d' "$out/cos-4k.hex" >"$bad/cos-no-end.hex"
{ head -n 2 "$out/cos-4k.hex"; sed 1d "$out/cos-4k.hex"; } >"$bad/cos-overlap.hex"
sed '3s/^:../:11/' "$out/cos-4k.hex" >"$bad/cos-wrong-length.hex"
sed '3s/^:/;/' "$out/cos-4k.hex" >"$bad/cos-no-colon.hex"
printf ':020000040100F9\r\n:0100000055AA\r\n:020000047000 8A\r\n:00000001FF\r\n' >"$bad/cos-blank-in-record.hex"
printf ':020000040000FA\r\n:0100000055AA\r\n:020000040040BA\r\n:0100000055AA\r\n:00000001FF\r\n' >"$bad/cos-larger-than-store.hex"
sed '3s/[0-9A-F][0-9A-F]\(\r*\)$/00\1/' "$out/cos-4k.s19" >"$bad/cos-wrong-checksum.s19"
sed '$d' "$out/cos-4k.s19" >"$bad/cos-no-end.s19"
sed '3s/^S1/S4/' "$out/cos-4k.s19" >"$bad/cos-unknown-record.s19"
