#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of the whole line, each beside its limit, measured in the same run.

Every figure is a line:

    id name: ours unit | limit unit (which) | ratio (runs, smallest..largest)

The ratio is that of each pair of runs, ours and the limit one after the other;
what stands there is the median.  For a rate the goal is 1 or more, for a time or
memory 1 or less; the arrow says which.  Machines differ and are shared, so
compare ratios, never rates.  `others` tells how many cores were not ours.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

import factory
import parts


class Bench:
    def __init__(self, build, root, quick):
        self.build = os.path.abspath(build)
        self.root = os.path.abspath(root)
        self.quick = quick
        self.figures = []
        self.repo = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))

    def tool(self, name, *args):
        """Runs a program of bench/; its lines "name value" as lists."""
        argv = [os.path.join(self.build, 'bench', name), *map(str, args)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise factory.plant.PlantError(f'{name}: {done.stderr.strip()}')
        out = {}
        for row in done.stdout.splitlines():
            key, value = row.split()[:2]
            out.setdefault(key, []).append(float(value))
        return out

    def dir(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(path, exist_ok=True)
        return path

    def figure(self, ident, name, unit, ours, **o):
        """ours and limit: one value per run, in order.

        limit None: a figure without one.  more: further values for the report.
        less: True when less is better.
        """
        f = {'id': ident, 'name': name, 'unit': unit,
             'ours': statistics.median(ours), 'ours_runs': list(ours),
             'runs': len(ours), 'better': 'less' if o.get('less') else 'more'}
        text = f"{ident} {name}: {show(f['ours'])} {unit}"
        limit = o.get('limit')
        if limit is not None:
            ratios = [a / b for a, b in zip(ours, limit)]
            f.update(limit=statistics.median(limit), limit_runs=list(limit),
                     limit_name=o['of'], ratio=statistics.median(ratios),
                     ratio_min=min(ratios), ratio_max=max(ratios))
            text += (f" | {show(f['limit'])} {unit} ({o['of']}) | "
                     f"{'<' if o.get('less') else '>'} {f['ratio']:.3f} "
                     f"({len(ours)} runs, {min(ratios):.3f}..{max(ratios):.3f})")
        else:
            text += f' | - | - ({len(ours)} runs, {show(min(ours))}..{show(max(ours))})'
        for key, value in o.get('more', {}).items():
            f[key] = value
            text += f"; {key.replace('_', ' ')} {show(value)}"
        self.figures.append(f)
        print(text, flush=True)


def show(v):
    if isinstance(v, dict):
        return ', '.join(f'{k} {show(x)}' for k, x in v.items())
    if isinstance(v, str):
        return v
    if abs(v) >= 1000:
        return f'{v:,.0f}'
    return f'{v:.1f}' if abs(v) >= 10 else f'{v:.3f}'


def machine():
    model = 'unknown'
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        for line in f:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    return {'cpu': model, 'cores': os.cpu_count(), 'kernel': platform.release(),
            'load_before': os.getloadavg()}


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    ap.add_argument('--build', default='build/release')
    ap.add_argument('--dir', default='build/bench', help='on the disk to be measured')
    ap.add_argument('--quick', action='store_true', help='a tenth of the work')
    ap.add_argument('--only', default='', help='parts: ' + ' '.join(parts.PARTS))
    a = ap.parse_args()
    only = a.only.split(',') if a.only else list(parts.PARTS)
    for name in only:
        if name not in parts.PARTS:
            ap.error(f'no part {name}; there are: {" ".join(parts.PARTS)}')

    b = Bench(a.build, a.dir, a.quick)
    os.makedirs(b.root, exist_ok=True)
    report = {'machine': machine(), 'mode': 'quick' if a.quick else 'full',
              'seconds': {}, 'others': {}}
    began = time.monotonic()
    failed = []
    for name in only:
        others, start = factory.Others(), time.monotonic()
        try:
            parts.PARTS[name](b)
        except (factory.plant.PlantError, OSError, subprocess.SubprocessError) as e:
            failed.append(f'{name}: {e}')
            print(f'bench: {name} could not be measured: {e}', file=sys.stderr)
        report['seconds'][name] = round(time.monotonic() - start, 1)
        report['others'][name] = round(others.cores(), 2)
        print(f'   {name}: {time.monotonic() - start:.0f} s, others had '
              f'{others.cores():.1f} cores', flush=True)
        shutil.rmtree(os.path.join(b.root, name), ignore_errors=True)
    report.update(figures=b.figures, failed=failed,
                  total_seconds=round(time.monotonic() - began, 1))
    path = os.path.join(b.root, 'report.json')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(report, f, indent=1)
        f.write('\n')
    print(f'{path} written, {time.monotonic() - began:.0f} s')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
