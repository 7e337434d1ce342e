#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: make-csv.sh N [--first NUMBER]
#
# Writes N SIM-like records in pySim CSV form to standard output: test network
# 001/01, ICCIDs of 20 digits with a Luhn check digit, keys and PINs that look
# random and depend on the record's number only.  Orders made with ranges of
# numbers that do not overlap (--first 1, --first 1001, ...) share no ICCID.
set -eu

usage() {
	echo "usage: make-csv.sh N [--first NUMBER]   (N 1..10000000, NUMBER 1..9000000000)" >&2
	exit 2
}

number() {
	case $1 in
	'' | *[!0-9]* | ???????????*) usage ;;
	esac
	[ "$1" -ge 1 ] && [ "$1" -le "$2" ] || usage
}

first=1
[ $# -ge 1 ] || usage
number "$1" 10000000
count=$1
shift
while [ $# -gt 0 ]; do
	case $1 in
	--first)
		[ $# -ge 2 ] || usage
		number "$2" 9000000000
		first=$2
		shift 2
		;;
	*) usage ;;
	esac
done

exec awk -v count="$count" -v first="$first" '
# Minimal standard generator (Park and Miller): exact in an awk number.
function draw() {
	state = (state * 16807) % 2147483647
	return state
}
function key(  text, i) {
	text = ""
	for (i = 0; i < 6; i++)
		text = text sprintf("%04x", draw() % 65536)
	return text sprintf("%08x", draw() % 2147483647)
}
# Luhn sum of the digits that every ICCID begins with, once; of the last ten
# per record.  The number stands at the places 10..19, so that its last digit
# is doubled.
function luhn(text,  i, d, sum) {
	sum = 0
	for (i = length(text); i > 0; i--) {
		d = substr(text, i, 1)
		if ((length(text) - i) % 2 == 0) {
			d *= 2
			if (d > 9)
				d -= 9
		}
		sum += d
	}
	return sum
}
BEGIN {
	head = "899990010"		# 999 is no country; ten digits follow
	head_sum = luhn(head "0000000000")
	split("0001 0002 0004 0008 0010 0020 0040 0080 0100 0200", acc, " ")
	print "iccid,imsi,ki,opc,acc,msisdn,pin1,puk1,pin2,puk2,adm1"
	for (n = first; n < first + count; n++) {
		text = sprintf("%010.0f", n)
		state = (n * 48271) % 2147483646 + 1
		draw()
		iccid = head text ((10 - (head_sum + luhn(text)) % 10) % 10)
		printf "%s,00101%s,%s,%s,%s,999%s,%04d,%08d,%04d,%08d,%08d\n",
		    iccid, text, key(), key(), acc[n % 10 + 1], text,
		    draw() % 10000, draw() % 100000000, draw() % 10000,
		    draw() % 100000000, draw() % 100000000
	}
}'
