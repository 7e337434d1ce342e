#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can check.  Prints place and rule, exits 1.

Length of functions, files and lines, number of parameters, SPDX line, arrows
between the rooms, no left-overs, no backward goto, no sleep in a unit test,
headers that say what they are, documented declarations in public headers.
Waivers with their reason: scripts/style-waivers.txt.
"""
import os
import re
import subprocess
import sys

ROOMS = {  # who may include whom, beside itself and lib
    'lib': [], 'reader': [], 'boards': ['reader', 'host'], 'host': [],
    'order': ['host'], 'sim': None, 'terminal': ['host', 'order'],
    'platform': ['host', 'order', 'terminal/profile'],
    'ifd': ['host'], 'tools': ['host', 'order', 'terminal/profile'],
    'tests': None, 'bench': None,
}
# Headers for one module's own files: their manual is the module.
PRIVATE = r'(_priv|_private|/priv|_core|/ln|/shell|_term)\.h$'
WAIVERS = {}
for row in open('scripts/style-waivers.txt', encoding='utf-8'):
    if row.strip() and not row.startswith('#'):
        place, rule, _reason = row.split(None, 2)
        WAIVERS.setdefault((place, rule), False)

faults = []


def fault(path, line, rule, text):
    key = (path, rule)
    if key in WAIVERS:
        WAIVERS[key] = True
        return
    faults.append(f'{path}:{line}: {rule}: {text}')


def check_functions(path, lines, limit):
    start = None
    for i, line in enumerate(lines, 1):
        if line.startswith('{') and start is None:
            start = i
        elif line.startswith('}') and start is not None:
            if i - start - 1 > limit:
                name = next((lines[j] for j in range(start - 2, max(0, start - 9), -1)
                             if re.match(r'[A-Za-z_]\w*\(', lines[j])), '?')
                fault(path, start, 'function-length',
                      f'{name.split("(")[0]} has {i - start - 1} lines, {limit} allowed')
            start = None


def check_includes(path, lines):
    room = path.split('/')[0]
    allowed = ROOMS.get(room)
    if allowed is None:
        return
    for i, line in enumerate(lines, 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not m or '/' not in m.group(1) or m.group(1).startswith('cw/'):
            continue
        target = m.group(1)
        if target.startswith('../'):
            target = re.sub(r'^(\.\./)+', '', target)
        first = target.split('/')[0]
        if first not in ROOMS or first == room:
            continue
        if not any(target.startswith(a + '/') for a in allowed):
            fault(path, i, 'arrow', f'{room}/ may not see {target}')


def check_declarations(path, text):
    """Every function declared in a public header stands below a comment.

    A comment heads all that follows it without a blank line: a type and the
    calls on it, a family of functions.
    """
    below, depth = False, 0
    for i, line in enumerate(text.split('\n'), 1):
        if depth:   # inside a type, an inline function or an X-macro
            depth += line.count('{') - line.count('}')
            continue
        if not line.strip():
            below = False
        if not line.strip() or line.startswith('#'):
            continue
        if '*/' in line:
            below = True
        if line.startswith(('/*', ' *')):
            continue
        depth = line.count('{') - line.count('}')
        if re.match(r'(extern )?[a-z_].*\bcw_\w+\(', line, re.I) and \
                not line.startswith('static') and not below:
            fault(path, i, 'undocumented', line.strip()[:60])


def check_code(path, lines, code):
    """goto goes forward, at most 5 parameters, no sleeping unit tests."""
    labels = set()
    for i, line in enumerate(lines, 1):
        if line.startswith('{'):
            labels = set()
        m = re.match(r'\s?([a-z_]\w*):\s*$', line)
        if m:
            labels.add(m.group(1))
        m = re.search(r'\bgoto (\w+);', line)
        if m and m.group(1) in labels:
            fault(path, i, 'goto', f'backward to {m.group(1)}')
        if path.startswith(('tests/unit/', 'tests/port/')) and \
                re.search(r'\b(sleep|usleep|nanosleep|uv_sleep)\(', line):
            fault(path, i, 'sleep', 'time is injected, no test sleeps')
    for m in re.finditer(r'^(\w+)\(((?:[^;{}()]|\([^()]*\))*)\)\s*\n\{', code, re.M):
        args = [a.strip() for a in re.sub(r'\([^()]*\)', '', m.group(2)).split(',')]
        # A buffer and its length are one, and so is a format with what it formats.
        cnt = sum(1 for k, a in enumerate(args) if a != '...' and not (
            k > 0 and re.search(r'[*\]]', args[k - 1]) and
            re.search(r'\b(\w*(len|cap|cnt|max)|n)$', a)))
        if cnt > (6 if path.startswith('tests/') else 5):
            fault(path, code[:m.start()].count('\n') + 1, 'parameters',
                  f'{m.group(1)} has {cnt}, 5 allowed')


def check_head(path, text):
    """A header says what its module is before it declares anything."""
    said = text.find('/*', text.find('\n'))
    first = re.search(r'^(struct|enum|typedef|extern|[a-z_][\w *]* \*?\w+\()', text, re.M)
    if first and (said < 0 or said > first.start()):
        fault(path, 1, 'head', 'no comment says what this header is')


files = subprocess.run(['git', 'ls-files', '*.c', '*.h'], capture_output=True,
                       text=True, check=True).stdout.split()
for path in filter(os.path.exists, files):
    text = open(path, encoding='utf-8').read()
    lines = text.split('\n')
    test = path.startswith(('tests/', 'bench/'))
    if 'SPDX-License-Identifier: Apache-2.0' not in lines[0]:
        fault(path, 1, 'spdx', 'first line must name the licence')
    limit = 400 if path.endswith('.h') else 1500 if test else 800
    if len(lines) > limit:
        fault(path, len(lines), 'file-length', f'{len(lines)} lines, {limit} allowed')
    for i, line in enumerate(lines, 1):
        width = len(line.expandtabs(8))
        if width > 110:
            fault(path, i, 'line-length', f'{width} columns')
        if line.rstrip() != line:
            fault(path, i, 'blank-at-end', 'white space at the end')
        if re.search(r'\b(TODO|FIXME|XXX)\b', line):
            fault(path, i, 'left-over', line.strip()[:60])
    check_functions(path, lines, 120 if test else 70)
    check_includes(path, lines)
    # Comments blanked, lines kept: for what counts brackets and commas.
    check_code(path, lines, re.sub(r'/\*.*?\*/', lambda c: '\n' * c.group(0).count('\n'),
                                   text, flags=re.S))
    if path.endswith('.h') and not test:
        check_head(path, text)
    if path.endswith('.h') and not test and not re.search(PRIVATE, path):
        check_declarations(path, text)
    if path.startswith(('lib/', 'reader/')):
        n = sum(1 for x in lines if re.match(r'#\s*if', x))
        if n > (1 if path.endswith('.h') else 0):
            fault(path, 1, 'conditional', f'{n} #if lines')

for (place, rule), used in WAIVERS.items():
    if not used:
        faults.append(f'scripts/style-waivers.txt: {place} {rule}: waiver not needed any more')
for f in faults:
    print(f)
print(f'{len(files)} files, {len(faults)} faults')
sys.exit(1 if faults else 0)
