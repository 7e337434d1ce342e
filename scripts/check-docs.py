#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents against the tree and the programs.

    scripts/check-docs.py [BUILD]

Always: a path in backticks that looks like a file of the repository exists; a
link to a file leads somewhere; a document that a comment in the sources names
is there; a function named in the tour or in a design page is defined; the
database's page has its tables and columns; a line is at most 128 columns long,
tables and code blocks apart; targets of make are the Makefile's.  With a build directory also: the options in the
man page of a program are those of its --help, both ways, the keys in the page
of a configuration those that the program reads, and the commands and options
that README and the documents show are there.
"""
import os
import re
import subprocess
import sys
import tempfile

PROGRAMS = {
    'cardwright': 'tools', 'cardwright-platform': 'platform',
    'cardwright-terminal': 'terminal', 'cardwright-reader': 'boards',
    'cardwright-board': 'boards/virt', 'cardwright-card': 'sim', 'cardwright-device': 'sim',
}
# What a build makes, a user has, or a NAME stands for; no file of the repository.
MADE = re.compile(r'^(build|my|/)|\b[A-Z]{4,}\b(?!\.md)')
# A file by its name: known ending, no blanks or placeholders.
FILE = re.compile(r'^[A-Za-z0-9_.][A-Za-z0-9_./-]*\.(c|h|py|sh|md|ini|lua|pml|csv|bin|hex|s19|build|txt)$')

faults = []


def fault(path, line, text):
    faults.append(f'{path}:{line}: {text}')


def prose(text):
    """Lines outside of indented or fenced code: (number, line)."""
    fenced = False
    for i, line in enumerate(text.split('\n'), 1):
        if line.startswith('```'):
            fenced = not fenced
            continue
        if not fenced and not line.startswith(('    ', '\t')):
            yield i, line


def code(text):
    """Lines of code blocks, with \\ at the end joined: (number, line)."""
    fenced, held = False, ''
    for i, line in enumerate(text.split('\n'), 1):
        if line.startswith('```'):
            fenced = not fenced
        elif fenced or line.startswith(('    ', '\t')):
            held += line.rstrip('\\')
            if not line.endswith('\\'):
                yield i, held.strip()
                held = ''


def tracked():
    out = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'],
                         capture_output=True, text=True, check=True)
    return set(out.stdout.split('\n')) - {''}


def check_paths(path, text, files, names, dirs):
    here = os.path.dirname(path)
    for i, line in prose(text):
        for word in re.findall(r'`([^`]+)`', line):
            word = re.sub(r':\d+$', '', word)
            if MADE.search(word):
                continue
            if word.endswith('/') and '/' in word.rstrip('/') and \
                    re.match(r'^[\w./-]+$', word):
                if word.rstrip('/') not in dirs:
                    fault(path, i, f'no folder {word}')
            elif FILE.match(word):
                near = os.path.normpath(os.path.join(here, word))
                if {word, near, 'lib/include/' + word} & files:
                    continue
                # A bare name of a source stands for the only file of that name.
                if '/' not in word and (word in names or
                                        not word.endswith(('.c', '.h', '.py', '.sh'))):
                    continue
                fault(path, i, f'no file {word}')
        for target in re.findall(r'\]\(([^)#]+)[^)]*\)', line):
            near = os.path.normpath(os.path.join(here, target))
            if '://' not in target and near not in files | dirs:
                fault(path, i, f'link to {target} leads nowhere')


def check_lines(path, text):
    for i, line in prose(text):
        if len(line) > 128 and not line.lstrip().startswith(('|', '<', '**')):
            fault(path, i, f'{len(line)} columns, 128 allowed')
        if line.rstrip() != line:
            fault(path, i, 'white space at the end')


def defined(files):
    """Names of functions, macros and types in the sources."""
    found = set()
    for path in files:
        if path.endswith(('.c', '.h')) and os.path.exists(path):
            text = open(path, encoding='utf-8').read()
            found |= set(re.findall(r'\b([a-z_]\w*)\(', text))
            found |= set(re.findall(r'\b(CW_\w+)\b', text))
            found |= set(re.findall(r'(?:struct |[ *])([a-z_]\w*)(?: \{|\[)', text))
    return found


def check_sources(files):
    """Documents and folders that a comment in the sources sends its reader to."""
    for path in sorted(files):
        if not path.endswith(('.c', '.h', '.pml', '.lua', '.ini')) or not os.path.exists(path):
            continue
        for i, line in enumerate(open(path, encoding='utf-8').read().split('\n'), 1):
            for word in re.findall(r'\bdocs/[\w./-]*\w', line):
                if not os.path.exists(word) and word + '.md' not in files:
                    fault(path, i, f'no document {word}')


def check_schema(path, text):
    """Tables and columns of the database are those of the page, both ways."""
    source = 'platform/store/sqlite.c'
    code = open(source, encoding='utf-8').read()

    def literal(name):
        return ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', code.split(name + '[]')[1].split(';\n\n')[0]))

    sql = literal('schema_sql')
    real = {}
    for m in re.finditer(r'CREATE TABLE (\w+)\(((?:[^()]|\([^()]*\))*)\)', sql):
        real[m.group(1)] = {c.split()[0] for c in re.split(r',(?![^(]*\))', m.group(2))
                            if not c.strip().startswith('PRIMARY')}
    for table, c in re.findall(r'ALTER TABLE (\w+) ADD COLUMN (\w+)', literal('upgrade_sql')):
        real[table].add(c)
    page = {}
    for part in re.split(r'^## ', text, flags=re.M)[1:]:
        cells = re.findall(r'^\| (`[^|]*) \|', part, re.M)
        page[part.split('\n')[0]] = set(re.findall(r'`(\w+)`', ' '.join(cells)))
    for table in sorted(set(real) | set(page)):
        for c in sorted(real.get(table, set()) ^ page.get(table, set())):
            fault(path, 1, f'{table}.{c} stands in one of page and {source} only')


def check_names(path, text, known):
    for i, line in prose(text):
        for word in re.findall(r'`([a-z]\w*_\w+)(?:\(\))?`', line):
            if word not in known and not re.search(r'_(ms|us|bytes)$', word):
                fault(path, i, f'no function {word} in the sources')


def check_make(path, text, targets):
    for i, line in enumerate(text.split('\n'), 1):
        for word in re.findall(r'(?:^    |`)make ([a-z][\w-]*)', line):
            if word not in targets:
                fault(path, i, f'the Makefile has no target {word}')


def run_help(build, program, *args):
    exe = os.path.join(build, PROGRAMS[program], program)
    if not os.path.exists(exe):
        return None
    out = subprocess.run([exe, *args, '--help'], capture_output=True, text=True)
    if out.returncode != 0:
        fault(exe, 0, f'--help ends with {out.returncode}')
    return out.stdout


def options(text):
    """Long and one-letter options in a text."""
    text = text.replace('-nv', '-n -v')
    long = set(re.findall(r'(?<![\w-])--([a-z][a-z0-9-]+)', text))
    short = set(re.findall(r'(?:^|[\s*(\[,|])-([a-zA-Z])(?=[\s*,|\]]|$)', text, re.M))
    return long, short


def commands(text):
    """{('order', 'submit'), ('setup',)...} of cardwright --help."""
    found = set()
    for m in re.finditer(r'^  ([a-z]+)(?: ([a-z]+))?(?: [A-Z.]+)*  +\S', text, re.M):
        found.add(tuple(x for x in m.groups() if x))
    return found


def check_program(build, program):
    page = f'docs/man/{program}.1.md'
    text = open(page, encoding='utf-8').read()
    shown = run_help(build, program)
    if shown is None:
        return None
    cmds = commands(shown) if program == 'cardwright' else set()
    for cmd in cmds:
        shown += run_help(build, program, *cmd)
        if not re.search(r'\*\*' + ' '.join(cmd) + r'\*\*', text):
            fault(page, 1, f'command {" ".join(cmd)} of --help is missing')
    text = text.replace('\\', '')
    page_opts, help_opts = options(text), options(shown)
    for kind, dash in ((0, '--'), (1, '-')):
        for o in sorted(help_opts[kind] - page_opts[kind]):
            fault(page, 1, f'option {dash}{o} of --help is missing')
        for o in sorted(page_opts[kind] - help_opts[kind] - {'name'}):
            fault(page, 1, f'{program} --help has no option {dash}{o}')
    return {'cmds': cmds, 'long': help_opts[0], 'short': help_opts[1]}


def check_use(path, text, known):
    """Commands in code blocks: programs, verbs and options exist."""
    for i, line in code(text):
        m = re.match(r'(?:\$ )?(cardwright[a-z-]*)((?:\s.*)?)$', line)
        if not m or known.get(m.group(1)) is None:
            continue
        prog, rest = known[m.group(1)], re.sub(r'\s#.*', '', m.group(2))
        words = rest.split()
        if m.group(1) == 'cardwright' and words and words[0][0].islower() and \
                (words[0],) not in prog['cmds'] and tuple(words[:2]) not in prog['cmds']:
            fault(path, i, f'cardwright has no command {" ".join(words[:2])}')
        for o in sorted(options(rest)[0] - prog['long']):
            fault(path, i, f'{m.group(1)} has no option --{o}')


def keys(text, head):
    """{'section key'}: sections by the pattern head, [station 1] as [station N]."""
    found, section = set(), ''
    for line in text.split('\n'):
        m = re.match(head + r'\[(\w+)[^\]]*\]', line)
        if m:
            section = m.group(1)
        elif section and head and line.startswith('*'):
            found |= {f'{section} {k}' for k in re.findall(r'\*(\w+)\*', line)}
        elif section and not head and re.match(r'\w+ =', line):
            found.add(f'{section} {line.split()[0]}')
    return found


def check_keys(build, program, config):
    """Keys of a configuration's manual are those that the program asks for."""
    page = f'docs/man/{program}.ini.5.md'
    exe = os.path.join(build, PROGRAMS[program], program)
    out = subprocess.run([exe, '-c', config, '-nv'], capture_output=True, text=True)
    if out.returncode != 0:
        fault(page, 0, f'{program} refuses what setup made: {out.stderr.strip()}')
        return
    page_keys = keys(open(page, encoding='utf-8').read(), '# ')
    real = keys(out.stdout, '')
    for k in sorted(real - page_keys):
        fault(page, 1, f'key {k} is missing')
    for k in sorted(page_keys - real):
        fault(page, 1, f'{program} has no key {k}')


def check_setup(build, path, text):
    """What `cardwright setup` makes: README's files are among it, its
    configurations are taken, and their keys are those of the manual."""
    exe = os.path.join(build, PROGRAMS['cardwright'], 'cardwright')
    if not os.path.exists(exe):
        return
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([exe, 'setup', '--dir', tmp, '--terminal', 'line-1'],
                       stdout=subprocess.DEVNULL, check=True)
        made = set(os.listdir(tmp)) | set(re.findall(r'\btee my/([\w.-]*\w)', text))
        check_keys(build, 'cardwright-platform', f'{tmp}/platform.ini')
        check_keys(build, 'cardwright-terminal', f'{tmp}/terminal.line-1.ini')
    for i, line in enumerate(text.split('\n'), 1):
        for word in re.findall(r'\bmy/([\w.-]*\w)', line):
            if word not in made:
                fault(path, i, f'cardwright setup makes no my/{word}: '
                      f'there are {", ".join(sorted(made))}')


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    build = sys.argv[1] if len(sys.argv) > 1 else None
    files = tracked()
    names = {os.path.basename(f) for f in files}
    dirs = {os.path.dirname(f)[:n] for f in files
            for n in [m.start() for m in re.finditer('/|$', os.path.dirname(f))]}
    pages = {f: open(f, encoding='utf-8').read() for f in sorted(files)
             if f.endswith('.md') and os.path.exists(f)}
    known_names = defined(files)
    targets = set(re.findall(r'^([a-z][\w-]*):', open('Makefile', encoding='utf-8').read(), re.M))
    for path, text in pages.items():
        check_paths(path, text, files, names, dirs)
        check_lines(path, text)
        check_make(path, text, targets)
        if path == 'docs/tour.md' or path.startswith('docs/design/'):
            check_names(path, text, known_names)
    check_sources(files)
    check_schema('docs/spec/database.md', pages['docs/spec/database.md'])
    if build:
        known = {p: check_program(build, p) for p in PROGRAMS}
        for path, text in pages.items():
            check_use(path, text, known)
        if all(known.values()):
            check_setup(build, 'README.md', pages['README.md'])
        for p in (p for p, k in known.items() if k is None):
            fault(build, 0, f'{p} is not built')
    for f in faults:
        print(f)
    print(f'{len(pages)} documents, {len(faults)} faults' +
          ('' if build else '; no build directory: --help not looked at'))
    return 1 if faults else 0


sys.exit(main())
