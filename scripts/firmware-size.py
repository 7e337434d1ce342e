#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flash, RAM and worst stack of the firmware, held against a budget.

    firmware-size.py BUILDDIR ELF... [--deepest]

Figures are computed for each ELF and compared with scripts/firmware-budget.txt:
one that is above its budget fails, until the file is raised by hand, with the
reason in the commit.

The stack is the deepest path through GCC's call graphs (-fcallgraph-info=su),
joined over all objects of which something is in the ELF, plus one handler of
each priority on top of each other.  A call through a pointer goes to the
functions that scripts/firmware-calls.txt lists for it.  Functions that call
each other in a circle count once each: none of our circles goes round twice.
What has no graph (newlib, libgcc) counts LIBRARY bytes.  --deepest prints the
path.
"""
import fnmatch
import os
import re
import subprocess
import sys

LIBRARY = 64
FRAME = 36      # what the core pushes for an exception, with its alignment
ROOT = 'cw_start'
# Handlers by priority, the least urgent first: each may interrupt the one before.
HANDLERS = [['cw_uart_irq', 'cw_net_irq'], ['cw_stm_time_tick'],
            ['cw_line_irq1', 'cw_line_irq2', 'cw_line_irq3',
             'cw_line_echo1', 'cw_line_echo2', 'cw_line_echo3']]
HERE = os.path.dirname(os.path.abspath(__file__))


def short(title):
    """path/file.c:name of a static function, or the name."""
    if '.c:' in title:
        path, name = title.rsplit(':', 1)
        return os.path.basename(path) + ':' + name
    return title


def graph(build, present):
    """Frames and calls of the functions that are in the ELF."""
    frame, calls = {}, {}
    for top, _dirs, files in os.walk(build):
        for name in files:
            if not name.endswith('.ci'):
                continue
            text = open(os.path.join(top, name), encoding='utf-8').read()
            for m in re.finditer(r'node: \{ title: "([^"]*)" label: "[^"]*?\\n(\d+) bytes \(([^)]*)\)', text):
                t = short(m.group(1))
                if t.split(':')[-1] not in present:
                    continue
                if 'dynamic' in m.group(3):
                    sys.exit(f'firmware-size.py: {t} has a frame of no fixed size')
                frame[t] = max(int(m.group(2)), frame.get(t, 0))
            for m in re.finditer(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"', text):
                calls.setdefault(short(m.group(1)), set()).add(short(m.group(2)))
    return frame, calls


def pointers(frame, calls):
    """Puts what pointers lead to in the place of __indirect_call."""
    rules = []
    for row in open(os.path.join(HERE, 'firmware-calls.txt'), encoding='utf-8'):
        row = row.split('#')[0].strip()
        if row:
            who, what = row.split(':=')
            rules.append((who.split(), what.split()))
    bad = []
    for f in frame:
        if '__indirect_call' not in calls.get(f, ()):
            continue
        for who, what in rules:
            if any(fnmatch.fnmatchcase(f, w) for w in who):
                calls[f] |= {t for w in what for t in frame if fnmatch.fnmatchcase(t, w)}
                break
        else:
            bad.append(f)
    for f in bad:
        print(f'firmware-calls.txt: where does {f} call through a pointer?')
    return not bad


def circles(frame, calls):
    """Strongly connected components (Tarjan), callees first."""
    index, low, on, stack, out = {}, {}, set(), [], []
    for start in frame:
        if start in index:
            continue
        work = [(start, iter(sorted(calls.get(start, ()))))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on.add(start)
        while work:
            f, it = work[-1]
            for g in it:
                if g not in frame:
                    continue
                if g not in index:
                    index[g] = low[g] = len(index)
                    stack.append(g)
                    on.add(g)
                    work.append((g, iter(sorted(calls.get(g, ())))))
                    break
                if g in on:
                    low[f] = min(low[f], index[g])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[f])
                if low[f] == index[f]:
                    one = []
                    while not one or one[-1] != f:
                        one.append(stack.pop())
                        on.discard(one[-1])
                    out.append(one)
    return out


def depths(frame, calls):
    deep, path = {}, {}
    for circle in circles(frame, calls):
        own = sum(frame[f] for f in circle)
        best, way = 0, []
        for f in circle:
            for g in calls.get(f, ()):
                if g in circle or g == '__indirect_call':
                    continue
                d = deep.get(g, LIBRARY)
                if d > best:
                    best, way = d, path.get(g, [(g, LIBRARY)])
        for f in circle:
            deep[f] = own + best
            path[f] = [('+'.join(sorted(circle)), own)] + way
    return deep, path


def symbols(elf):
    out = subprocess.run(['arm-none-eabi-nm', elf], capture_output=True, text=True, check=True).stdout
    rows = [r.split() for r in out.splitlines()]
    return {r[2]: (int(r[0], 16), r[1]) for r in rows if len(r) == 3}


def figures(build, elf, deepest):
    sym = symbols(elf)
    addr = {n: a for n, (a, _k) in sym.items()}
    present = {n for n, (_a, k) in sym.items() if k in 'tTwW'}
    frame, calls = graph(build, present)
    if not pointers(frame, calls):
        sys.exit(1)
    deep, path = depths(frame, calls)
    stack = deep[ROOT]
    way = path[ROOT]
    for level in HANDLERS:
        worst = max((h for h in level if h in deep), key=deep.get)
        stack += FRAME + deep[worst]
        way = way + [(f'({worst})', FRAME + deep[worst])]
    if deepest:
        for name, size in way:
            print(f'{size:6} {name}')
    return {
        'flash': addr['cw_image_end'] - addr['cw_image_start'],
        'ram': addr['cw_bss_end'] - 0x20000000,
        'xram': addr['cw_xram_end'] - 0x68000000,
        'stack': stack,
    }, addr['cw_stack_top'] - addr['cw_bss_end']


def main():
    args = [a for a in sys.argv[1:] if a != '--deepest']
    budget, failed = {}, False
    for row in open(os.path.join(HERE, 'firmware-budget.txt'), encoding='utf-8'):
        row = row.split('#')[0].split()
        if row:
            budget[row[0]] = int(row[1])
    for elf in args[1:]:
        have, room = figures(args[0], elf, '--deepest' in sys.argv)
        print(os.path.basename(elf))
        for key, val in have.items():
            left = budget[key] - val
            print(f'  {key:6}{val:8} bytes, budget {budget[key]}' +
                  (f', {-left} ABOVE it' if left < 0 else ''))
            failed = failed or left < 0
        if have['stack'] > room:
            print(f'  only {room} bytes are left for the stack')
            failed = True
    if failed:
        print('firmware-size.py: above the budget (scripts/firmware-budget.txt)')
    return 1 if failed else 0


sys.exit(main())
