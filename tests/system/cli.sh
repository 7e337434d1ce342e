#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cardwright command against a real platform: exit codes, messages, retries.
#   cli.sh BUILDDIR          TAP on standard output
set -u
build=$(cd "$1" && pwd) || exit 2
cd "$(dirname "$0")/../.." || exit 2
cw=$build/tools/cardwright
platform=$build/platform/cardwright-platform
tmp=$(mktemp -d)
pid=
trap 'test -n "$pid" && kill "$pid" 2>/dev/null; rm -rf "$tmp"' EXIT
n=0
bad=0

# check NAME WANTED-CODE PATTERN COMMAND...   (pattern in its whole output)
check() {
	name=$1 want=$2 pattern=$3
	shift 3
	out=$("$@" 2>&1 </dev/null)
	code=$?
	n=$((n + 1))
	if [ "$code" = "$want" ] && printf '%s' "$out" | grep -qe "$pattern"; then
		echo "ok $n - $name"
	else
		bad=$((bad + 1))
		echo "not ok $n - $name"
		echo "# exit $code, wanted $want with '$pattern':"
		printf '%s\n' "$out" | head -5 | sed 's/^/# /'
	fi
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
	: >"$tmp/log"	# an earlier life said it was ready, too
	"$platform" -c "$tmp/c/platform.ini" >>"$tmp/log" 2>&1 &
	pid=$!
	for _ in $(seq 200); do
		grep -q platform.ready "$tmp/log" && return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	echo "# the platform did not start:"
	sed 's/^/# /' "$tmp/log"
	return 1
}

export CARDWRIGHT_DIR="$tmp/c"
sim="--profile sim-demo --cos examples/cos-4k.hex"

# the command line
check "no command" 2 "a command is missing" "$cw"
check "help" 0 "order submit" "$cw" --help
check "help of a noun" 0 "order watch" "$cw" order --help
check "version" 0 "cardwright [0-9]" "$cw" --version
check "unknown option names the nearest" 2 "did you mean --json" "$cw" order list --jsn
check "unknown command names the nearest" 2 "did you mean 'order list'" "$cw" order lst
check "option of another command" 2 "does not take --cos" "$cw" order list --cos x
check "missing value" 2 "needs a value" "$cw" order list --limit
check "empty value" 2 "needs a value" "$cw" order list --token ""
check "an option twice" 2 "--cos is given twice" "$cw" order submit $sim --cos examples/cos-4k.s19 --count 1
check "missing argument" 2 "needs ID" "$cw" order show
check "too many arguments" 2 "one argument too many" "$cw" order show 1 2
check "not a number" 2 "not a whole number" "$cw" order list --limit x
check "submit needs a profile" 2 "needs --profile" "$cw" order submit --data x
check "order id is a number" 2 "not the number of an order" "$cw" order show x

# setup
check "setup" 0 "platform.ini" "$cw" setup --dir "$tmp/c" --terminal line-1
cp -r "$tmp/c" "$tmp/before"
check "setup overwrites nothing" 4 "overwrites nothing" "$cw" setup --dir "$tmp/c"
check "setup left all as it was" 0 "same" sh -c "diff -r $tmp/before $tmp/c && echo same"
check "setup adds a terminal" 0 "terminal.line-2.crt" "$cw" setup --dir "$tmp/c" --terminal line-2
check "setup refuses a bad name" 2 "letters, digits" "$cw" setup --dir "$tmp/d" --terminal a/b
check "certificates hold" 0 "terminal.line-2.crt: OK" openssl verify -CAfile "$tmp/c/ca.crt" \
    "$tmp/c/platform.crt" "$tmp/c/terminal.line-1.crt" "$tmp/c/terminal.line-2.crt"
check "secrets are private" 0 "^600 600 600 600$" sh -c "cd $tmp/c && stat -c %a api.token record.key ca.key platform.key | xargs"

# files, without a platform
check "a sound profile and its columns" 0 "ki *hex *secret" "$cw" profile check usim-generic sim-demo
printf 'profile { name = "t", fields = { { name = "iccid", type = "iccid" } } }\nfunction record(f, job)\n  card.reset {}\n  local x = f.icid\nend\n' >"$tmp/bad.lua"
check "a misspelt field, with its line" 5 "bad.lua:4: fields.icid: the profile declares no such field" "$cw" profile check "$tmp/bad.lua"
check "no such profile" 2 "none.lua" "$cw" profile check none
check "the commands of a card, secrets masked" 0 "0020000A08 <8 bytes>" "$cw" profile compile usim-generic --data examples/sim-200.csv
check "seconds of a card" 0 "200 records compiled, 0 failed" "$cw" profile compile usim-generic --data examples/sim-200.csv --record 200
check "200 records on simulated cards" 0 "200 cards good, 0 rejected" "$cw" profile test usim-generic --data examples/sim-200.csv --card profiles/cards/usim.txt
sed 's/value=88888888/value=12345678/' profiles/cards/usim.txt >"$tmp/other.txt"
check "blanks under another transport key" 1 "record 1 .*0020000A: the card answers 63C2" "$cw" profile test usim-generic --data examples/sim-200.csv --card "$tmp/other.txt"
sed 's/tries=3$/tries=3 left=2/' profiles/cards/usim.txt >"$tmp/burnt.txt"
check "a blank that lost a try is left alone" 1 "0020000A: the card answers 63C2" "$cw" profile test usim-generic --data examples/sim-200.csv --card "$tmp/burnt.txt"
sed 's/role=opc/role=plain/' profiles/cards/usim.txt >"$tmp/noopc.txt"
check "a card that does not take OPc" 1 "00880080: the card answers 6985" "$cw" profile test usim-generic --data examples/sim-200.csv --card "$tmp/noopc.txt"
sja2=profiles/cards/sysmo-isim-sja2.txt
cut -d, -f1-5,11 examples/sim-200.csv >"$tmp/sja2.csv"
check "a programmable SIM by its own key" 1 "^1 cards good, 199 rejected$" "$cw" profile test sysmo-isim-sja2 --data "$tmp/sja2.csv" --card $sja2
check "a card that is not the record's keeps its tries" 1 "record 2 .*: step 5: compare" "$cw" profile test sysmo-isim-sja2 --data "$tmp/sja2.csv" --card $sja2
check "a card of another type" 1 "step 1: the answer to reset is of another card" "$cw" profile test sysmo-isim-sja2 --data "$tmp/sja2.csv" --card profiles/cards/usim.txt
check "a bad description" 2 "bad.lua:1: " "$cw" profile test usim-generic --data examples/sim-200.csv --card "$tmp/bad.lua"
check "a bad file for a profile" 5 "wrong-luhn.csv:[0-9]*: iccid" "$cw" profile compile sim-demo --data examples/bad/wrong-luhn.csv
check "sound files" 0 "200 records: sound" "$cw" order check --profile sim-demo examples/sim-200.csv examples/cos-4k.s19
check "a bad file" 5 "wrong-luhn.csv:[0-9]*: iccid" "$cw" order check --profile sim-demo examples/bad/wrong-luhn.csv
sed 1d examples/sim-200.csv >"$tmp/bare.csv"
check "no header, no value told" 5 "bare.csv:1: none of the" "$cw" order check "$tmp/bare.csv"
check "no header, one fault" 5 "bare.csv: card data, CSV: 1 fault$" "$cw" order check --profile sim-demo "$tmp/bare.csv"
check "a bad image, file and line" 5 "cos-wrong-checksum.hex:[0-9]*: .*check sum" "$cw" order check --cos examples/bad/cos-wrong-checksum.hex
check "a missing file" 2 "nothere: No such file" "$cw" order check nothere
check "a directory" 2 "not a file" "$cw" order check examples
check "no such configuration" 2 "client.ini: No such file" "$cw" order list --config nothere
check "no such port" 2 "not an address" "$cw" order list --platform http://127.0.0.1:99999
check "no address" 2 "no address" "$cw" order list --platform http://
check "a path for a card" 2 "give an ICCID" "$cw" trace ../orders
check "no platform" 3 "is cardwright-platform running" "$cw" order list
check "no platform to submit to" 3 "is cardwright-platform running" "$cw" order submit $sim --data examples/sim-200.csv

# the platform
link=$(free_port)
http=$(free_port)
sed -i "s/^port = 7810/port = $link/; s/^port = 7811/port = $http/" "$tmp/c/platform.ini"
sed -i "s/7811/$http/" "$tmp/c/client.ini"
check "configuration is sound" 0 "are sound" "$platform" -c "$tmp/c/platform.ini" -n
check "effective configuration" 0 "port = $http" "$platform" -c "$tmp/c/platform.ini" -nv
echo "colour = blue" >>"$tmp/c/platform.ini"
check "unknown key" 2 "platform.ini:[0-9]*.*colour" "$platform" -c "$tmp/c/platform.ini" -n
sed -i '/colour/d' "$tmp/c/platform.ini"
chmod 644 "$tmp/c/record.key"
check "key file open to others" 4 "record.key" "$platform" -c "$tmp/c/platform.ini" -n
chmod 600 "$tmp/c/record.key"
mv "$tmp/c/platform.crt" "$tmp/c/away"
check "missing certificate" 4 "platform.crt" "$platform" -c "$tmp/c/platform.ini" -n
mv "$tmp/c/away" "$tmp/c/platform.crt"
start || { echo "Bail out! no platform"; exit 1; }
check "a second platform on the database" 4 "another cardwright-platform" "$platform" -c "$tmp/c/platform.ini"
sed "s/^database = .*/database = other.db/" "$tmp/c/platform.ini" >"$tmp/c/other.ini"
check "port in use" 3 "$link" "$platform" -c "$tmp/c/other.ini"

# orders
check "submit" 0 "order 1 accepted: 200 records" "$cw" order submit $sim --data examples/sim-200.csv --name a
check "the same again" 0 "was accepted before" "$cw" order submit $sim --data examples/sim-200.csv --name a
check "the name for other content" 5 "CW-1202" "$cw" order submit $sim --count 3 --name a
check "the same cards under another name" 5 "200 faults" "$cw" order submit $sim --data examples/sim-200.csv
check "a bad order, file and line" 5 "bad/wrong-luhn.csv:[0-9]*: iccid" "$cw" order submit $sim --data examples/bad/wrong-luhn.csv
check "a count that does not agree" 5 "faults\?" "$cw" order submit $sim --data examples/bad/wrong-luhn.csv --count 99
check "an unknown profile" 5 "there are:.*sim-demo" "$cw" order submit --profile none --count 1 --cos examples/cos-4k.hex
check "a bad image, refused with its line" 5 "^  examples/bad/cos-wrong-checksum.hex:[0-9]*: " "$cw" order submit --profile sim-demo --cos examples/bad/cos-wrong-checksum.hex --count 1
check "no state of an order" 2 "state must be" "$cw" order list --state foo
check "readers of no line" 2 "no such line" "$cw" reader list --line nope
check "a line that is not there" 0 "note: line-7 is not connected" "$cw" order submit $sim --count 1 --line line-7 --name waits
check "neither file" 2 "needs --cos" "$cw" order submit --profile sim-demo
check "line and terminal" 2 "not both" "$cw" order submit $sim --count 1 --line a --terminal 127.0.0.1
check "check against earlier orders" 5 "in order 1, record 1" "$cw" order check --profile sim-demo examples/sim-200.csv
check "list" 0 "^ *1  ready" "$cw" order list
check "list as JSON" 0 '"total": 200' "$cw" order list --json
check "show" 0 "0 of 200 ended" "$cw" order show 1
check "no such order" 2 "CW-1201" "$cw" order show 99
check "report" 0 "open 200" "$cw" order report 1
check "pause" 0 "paused" "$cw" order pause 1 --why "shift's end & more"
check "the reason is kept" 0 "shift's end & more" "$cw" order show 1
check "a reason too long" 2 "at most 150" "$cw" order resume 1 --why "$(printf '%0160d' 0)"
check "resume" 0 "ready" "$cw" order resume 1
check "remake a record that did not fail" 4 "CW-1206" "$cw" order remake 1 --record 1
check "trace a record" 0 "order 1 record 7: waiting" "$cw" trace 1/7
check "trace an ICCID" 0 "order 1 record 1: waiting" "$cw" trace "$(sed -n 2p examples/sim-200.csv | cut -d, -f1)"
check "trace nobody" 2 "CW-1301" "$cw" trace DEADBEEF
check "lines" 0 "LINE" "$cw" line list
check "readers" 0 "READER" "$cw" reader list
check "close what is not over" 4 "cannot be closed before" "$cw" order close 1
check "cancel" 0 "cancelled" "$cw" order cancel 1
check "close" 0 "order 1: closed" "$cw" order close 1
check "close again" 0 "order 1: closed" "$cw" order close 1
check "resume what is closed" 4 "CW-1206" "$cw" order resume 1
check "watch an order that is over" 1 "cancelled 200" "$cw" order watch 1
check "watch as JSON" 1 '"adds_up":' "$cw" order watch 1 --json
check "what was cancelled can be ordered again" 0 "order [0-9]* accepted" "$cw" order submit $sim --data examples/sim-200.csv

# who may ask
echo 0123456789abcdef0123456789abcdef0123456789abcdef >"$tmp/token"
chmod 600 "$tmp/token"
check "another token" 4 "CW-1002" "$cw" order list --token "$tmp/token"
chmod 644 "$tmp/token"
check "a token open to others" 4 "chmod 600" "$cw" order list --token "$tmp/token"
check "no token" 4 "No such file" "$cw" order list --token "$tmp/none"
check "not a URL" 2 "begin with http" "$cw" order list --platform 127.0.0.1
check "not a platform" 3 "is cardwright-platform running" "$cw" order list --platform "http://127.0.0.1:$link"
check "a stranger on the link" 0 "closed" sh -c "echo hello | timeout 1 openssl s_client -connect 127.0.0.1:$link -quiet 2>&1; echo closed"

# killed and started again
kill -9 "$pid"
wait "$pid" 2>/dev/null
start || { echo "Bail out! no platform after kill -9"; exit 1; }
check "orders are there after kill -9" 0 '"total": 200' "$cw" order show 1 --json
kill -TERM "$pid"
wait "$pid"
code=$?
pid=
check "SIGTERM ends cleanly" 0 "^0$" echo "$code"
check "no token or key in the log" 0 "none" sh -c "grep -qf $tmp/c/api.token -f $tmp/c/record.key $tmp/log || echo none"

echo "1..$n"
[ "$bad" = 0 ]
