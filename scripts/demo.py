#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on loopback: an order goes in, good cards come out.

Starts a factory, submits the sample order, shows its progress, and ends with
the reconciliation.  The books are then held against the cards themselves: what
the simulated bins hold is read card by card.  Exit 0 only if all adds up.
"""
import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plant as P  # noqa: E402

FIRMWARE = {'qemu': 'build/firmware-mps2', 'virt': 'build/firmware'}


def faulty_blanks(lines, per_line):
    """Feed numbers of the blanks that are bad on purpose."""
    plan = {}
    kinds = [['mute', 'sw:4=6581', 'no-boot', 'bad-write:9'],
             ['mute', 'no-boot', 'sw:11=6F00', 'hang:6']]
    for i in range(lines):
        plan[i] = []
        for n, kind in enumerate(kinds[i % 2]):
            card = max(1, round(per_line * (n + 1) * 0.15))
            plan[i].append(f'{card}={kind}')
    return plan


def sample_records(repo, root, count):
    sample = os.path.join(repo, 'examples', 'sim-200.csv')
    if count == 200:
        return sample
    path = os.path.join(root, 'records.csv')
    with open(path, 'wb') as f:
        subprocess.run([os.path.join(repo, 'scripts', 'make-csv.sh'), str(count)],
                       stdout=f, check=True)
    return path


def check_bins(plant, data, cos):
    """Holds the cards in the bins against the order's own files."""
    faults = []
    with open(cos, 'rb') as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(data, newline='', encoding='utf-8') as f:
        want = {r['iccid']: r for r in csv.DictReader(f)}
    bins = {}
    good = {}
    for card in plant.cards():
        bins[card['bin']] = bins.get(card['bin'], 0) + 1
        if card['bin'] != 'good':
            continue
        place = f"{card['line']} card {card['card_no']}"
        if card.get('cos') != digest:
            faults.append(f'{place} in the good bin does not carry the COS')
        iccid = card.get('iccid')
        if iccid in good:
            faults.append(f'{place}: ICCID is already on {good[iccid]}')
        good[iccid] = place
        row = want.get(iccid)
        if row is None:
            faults.append(f'{place}: ICCID is not of this order')
            continue
        ki = hashlib.sha256(bytes.fromhex(row['ki'])).hexdigest()
        if card.get('ki_sha256') != ki:
            faults.append(f'{place}: Ki is not that of its record')
        if card.get('imsi') != row['imsi']:
            faults.append(f'{place}: IMSI is not that of its record')
    return bins, len(good), faults


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--build', default='build/release')
    ap.add_argument('--dir', default='build/demo')
    ap.add_argument('--cards', type=int, default=200)
    ap.add_argument('--lines', type=int, default=2)
    ap.add_argument('--readers', type=int, default=4)
    ap.add_argument('--protocol', choices=['t0', 't1', 'both'], default='t0',
                    help='what the blanks offer')
    ap.add_argument('--board', choices=['host', 'virt', 'qemu'], default='host',
                    help='readers: programs of the host, or firmware on virtual boards or in qemu')
    ap.add_argument('--firmware', help='where it was built')
    a = ap.parse_args()
    if not (1 <= a.cards <= 1000000 and 1 <= a.lines <= 32 and 1 <= a.readers <= 64):
        ap.error('CARDS is 1 to 1000000, LINES 1 to 32, READERS 1 to 64')
    start = time.monotonic()
    per_line = max(1, a.cards // a.lines)
    plant = P.Plant(a.build, a.dir, a.lines, a.readers,
                    blanks=a.cards + 100, feed_ms=5, move_ms=5,
                    faults=faulty_blanks(a.lines, per_line),
                    card_args=['--protocol', a.protocol],
                    board=a.board, firmware=a.firmware or FIRMWARE.get(a.board))
    cos = os.path.join(plant.repo, 'examples', 'cos-128k.bin')
    with plant:
        print(f'cardwright demo: {a.lines} lines with {a.readers} readers each, '
              f'{a.cards} records, COS of 128 KiB')
        plant.up()
        data = sample_records(plant.repo, plant.root, a.cards)
        order = plant.submit('--profile', 'sim-demo', '--cos', cos, '--data', data,
                             '--name', 'demo')
        print(f'order {order} accepted; every blank that will fail was made so on purpose')
        began = time.monotonic()
        watch = subprocess.run(plant.command('order', 'watch', order),
                               cwd=plant.repo, check=False)
        took = time.monotonic() - began
        report = plant.report(order)
        bins, good, faults = check_bins(plant, data, cos)
        if watch.returncode not in (0, 1):
            faults.append(f'order watch ended with {watch.returncode}')
        if not report.get('adds_up'):
            faults.append(f"the books do not add up: {report.get('why', '')}")
        if good != report['records']['issued']:
            faults.append(f"{good} cards in the good bins, {report['records']['issued']} issued")
        if report['cos']['sent'] != a.lines * a.readers:
            faults.append(f"COS went over the wire {report['cos']['sent']} times "
                          f'to {a.lines * a.readers} readers')
        for name, code, log in plant.down():
            faults.append(f'{name} ended with {code}: {log}')
    print(f"\nbins, looked into card by card: {json.dumps(bins)}")
    print(f'{good} good cards in {took:.1f} s: {good * 60 / took:.0f} cards per minute')
    out = {'report': report, 'bins': bins, 'good_cards_checked': good,
           'order_seconds': round(took, 2),
           'seconds': round(time.monotonic() - start, 2),
           'lines': a.lines, 'readers': a.readers, 'protocol': a.protocol, 'board': a.board,
           'faults': faults}
    path = os.path.join(a.dir, 'report.json')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(out, f, indent=1)
        f.write('\n')
    for f in faults:
        print(f'DOES NOT ADD UP: {f}')
    print(f'{path} written; {"all adds up" if not faults else "see above"}')
    return 1 if faults else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except P.PlantError as e:
        print(f'demo: {e}', file=sys.stderr)
        sys.exit(3)
