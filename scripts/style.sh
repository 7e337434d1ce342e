#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# House rules: scripts/style.py, and lib/ and reader/ without any library.
set -eu
cd "$(dirname "$0")/.."
python3 scripts/style.py
[ ! -x scripts/check-freestanding.sh ] || scripts/check-freestanding.sh
