#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# House rules: the sources (style.py), lib/ and reader/ without any library,
# and the documents against tree and programs.
set -eu
cd "$(dirname "$0")/.."
failed=0
python3 scripts/style.py || failed=1
code=0
scripts/check-freestanding.sh || code=$?
[ "$code" -eq 0 ] || [ "$code" -eq 77 ] || failed=1
build=
[ ! -x build/release/tools/cardwright ] || build=build/release
python3 scripts/check-docs.py $build || failed=1
exit "$failed"
