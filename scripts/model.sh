#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the SPIN model of the ledger: the base must hold in every state, each
# mutant (one rule dropped) must be refuted.   model.sh [small|full]
set -eu
size=${1:-small}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$here/build/model
mkdir -p "$work"
cd "$work"
case $size in
small) base="-DCRASH=1 -DLOSS=1 -DDUP=0 -DEPOCHS=2 -DCAP=1" ;;
full) base="-DCRASH=1 -DLOSS=1 -DDUP=1 -DEPOCHS=2 -DCAP=2" ;;
*) echo "model.sh: '$size' is neither small nor full" >&2; exit 2 ;;
esac
passed=0
failed=0

# run NAME WANT SPINFLAGS: WANT is hold or refute
run()
{
	name=$1 want=$2
	shift 2
	# a refutation is looked for by breadth: short, and no depth to exceed
	case $want in
	hold) search="-DCOLLAPSE" ;;
	*) search="-DBFS -DCOLLAPSE" ;;
	esac
	mkdir -p "$name"
	(cd "$name" && spin "$@" -a "$here/model/ledger.pml" >spin.out 2>&1 &&
	    gcc -O2 -DMEMLIM=12000 -DSAFETY $search -o pan pan.c >gcc.out 2>&1 &&
	    ./pan -m200000 -n -E >pan.out 2>&1) || {
		echo "not ok - model $name: spin or the compiler failed, see $work/$name"
		failed=$((failed + 1))
		return
	}
	errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' "$work/$name/pan.out")
	states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/$name/pan.out")
	if grep -q 'max search depth too small\|out of memory' "$work/$name/pan.out"; then
		got=incomplete
	elif [ "$errors" = 0 ]; then
		got=hold
	else
		got=refute
	fi
	if [ "$got" = "$want" ]; then
		echo "ok - model $name: $got after $states states"
		passed=$((passed + 1))
	else
		echo "not ok - model $name: wanted $want, got $got after $states states"
		failed=$((failed + 1))
	fi
}

run base hold $base
for m in INTENT GOOD TIMER FENCE NONE; do
	run "mutant-$m" refute $base "-DMUT_$m"
done
run reach refute $base -DREACH
echo "model: $passed passed, $failed failed"
[ "$failed" = 0 ]
