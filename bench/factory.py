# SPDX-License-Identifier: Apache-2.0
"""Factories for measuring, and what the kernel says about their programs."""
import os
import re
import resource
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'scripts'))
import plant  # noqa: E402

TICKS = os.sysconf('SC_CLK_TCK')
KINDS = ('card', 'devi', 'plat', 'read', 'line')


class Factory(plant.Plant):
    """A plant with up to 1,000 readers on a line, all of a line's in one process.

    null: readers with cards that take no time, in the reader's own process.
    starved: the hopper is empty, so that readers get their image and no card.
    profiles: another folder of card profiles.
    listen: names of programs whose log is wanted with the time of each line.
    """

    def __init__(self, build, root, **opt):
        self.null = opt.pop('null', False)
        self.starved = opt.pop('starved', False)
        self.profiles = opt.pop('profiles', None)
        self.listen = opt.pop('listen', ())
        lines, readers = opt.pop('lines', 1), opt.pop('readers', 4)
        opt = {'one_process': True, 'feed_ms': 0, 'move_ms': 0,
               'blanks': 'endless', **opt}
        super().__init__(build, root, lines, readers, **opt)
        self.heard = {}

    def reader_ip(self, line, k):
        return f'127.{line + 1}.{k // 250}.{k % 250 + 1}'

    def make(self):
        super().make()
        for i in range(self.lines):
            if self.null:
                argv = self.argv[f'reader-{i + 1}']
                self.argv[f'reader-{i + 1}'] = [
                    a.split('=')[0] + '=null' if '=sim:' in a else a for a in argv]
            if self.starved:
                for name, key in (('card', '--blanks'), ('device', '--hopper')):
                    argv = self.argv[f'{name}-{i + 1}']
                    argv[argv.index(key) + 1] = '0'
        if self.profiles:
            self.edit('platform.ini', f'{self.repo}/profiles', self.profiles)

    def edit(self, name, old, new):
        with open(self.conf(name), encoding='utf-8') as f:
            text = f.read()
        with open(self.conf(name), 'w', encoding='utf-8') as f:
            f.write(text.replace(old, new))

    def start(self, name):
        if name not in self.listen:
            super().start(name)
            return
        p = subprocess.Popen(self.argv[name], stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, cwd=self.repo)
        self.procs[name] = p
        lines = self.heard[name] = []

        def hear():
            for text in p.stderr:
                lines.append((time.monotonic(), text.rstrip()))
        threading.Thread(target=hear, daemon=True).start()

    def up_some(self, *kinds, made=False):
        """Makes the plant (unless it is), starts only the programs of these kinds."""
        if not made:
            self.make()
        for kind in KINDS:
            if kind in kinds:
                for name in sorted(self.argv):
                    if name.startswith(kind):
                        self.start(name)

    def wait_platform(self, limit=20):
        end = time.monotonic() + limit
        while self.ask('line', 'list')[0] != 0:
            if time.monotonic() > end:
                raise plant.PlantError('the platform does not answer: '
                                       + self.tail('platform'))
            time.sleep(0.05)

    def wait_readers(self, limit=30):
        """Until every line has greeted each of its readers."""
        end = time.monotonic() + limit
        for name in self.line_names():
            log = os.path.join(self.root, 'log', f'{name}.log')
            while True:
                with open(log, encoding='utf-8') as f:
                    have = len(set(re.findall(r'reader\.ready reader=(\d+)', f.read())))
                if have >= self.readers:
                    break
                if time.monotonic() > end:
                    raise plant.PlantError(f'{name}: {have} of {self.readers} readers')
                time.sleep(0.1)

    def records(self, count, first=1):
        path = os.path.join(self.root, f'records-{first}.csv')
        make_csv(self.repo, path, count, first)
        return path

    def cpu(self):
        """CPU seconds so far, by kind of program."""
        sums = {}
        for name, p in self.procs.items():
            kind = name.split('-')[0]
            kind = 'terminal' if kind == 'line' else kind
            sums[kind] = sums.get(kind, 0) + cpu_seconds(p.pid)
        return sums

    def loop_cpu(self):
        """CPU seconds of the loops of all terminals, other threads left out."""
        return sum(cpu_seconds(p.pid, loop_only=True)
                   for name, p in self.procs.items() if name.startswith('line'))

    def end(self):
        """Stops everything; a program that ends badly spoils the figure."""
        bad = self.down()
        if bad:
            raise plant.PlantError(f'{bad[0][0]} ended with {bad[0][1]}: {bad[0][2]}')


def make_csv(repo, path, count, first=1):
    with open(path, 'wb') as f:
        subprocess.run([os.path.join(repo, 'scripts', 'make-csv.sh'), str(count),
                        '--first', str(first)], stdout=f, check=True)


def cpu_seconds(pid, loop_only=False):
    """CPU seconds of a process, or of its first thread alone."""
    tasks = [pid] if loop_only else os.listdir(f'/proc/{pid}/task')
    total = 0
    for t in tasks:
        try:
            total += task_seconds(f'/proc/{pid}/task/{t}')
        except ProcessLookupError:
            pass  # a thread that has just ended
    return total


def task_seconds(path):
    """To the nanosecond where the kernel tells, else to its tick."""
    try:
        with open(f'{path}/schedstat', encoding='utf-8') as f:
            return int(f.read().split()[0]) / 1e9
    except FileNotFoundError:
        pass
    try:
        with open(f'{path}/stat', encoding='utf-8') as f:
            field = f.read().rsplit(')', 1)[1].split()
    except FileNotFoundError as e:
        raise ProcessLookupError(path) from e
    return (int(field[11]) + int(field[12])) / TICKS


def memory_kib(pid):
    """Resident memory now and at its highest, KiB."""
    with open(f'/proc/{pid}/status', encoding='utf-8') as f:
        text = f.read()
    return [int(re.search(rf'^{key}:\s+(\d+)', text, re.M)[1])
            for key in ('VmRSS', 'VmHWM')]


def written_bytes(pid):
    with open(f'/proc/{pid}/io', encoding='utf-8') as f:
        return int(re.search(r'wchar: (\d+)', f.read())[1])


def slab_kib():
    with open('/proc/meminfo', encoding='utf-8') as f:
        return int(re.search(r'^Slab:\s+(\d+)', f.read(), re.M)[1])


class Others:
    """Cores that others (and the hypervisor) had while we measured.

    Our own time counts when our programs have ended and been waited for.
    """

    def __init__(self):
        self.at = self.now()

    @staticmethod
    def now():
        with open('/proc/stat', encoding='utf-8') as f:
            field = [int(x) for x in f.readline().split()[1:9]]
        own = sum(r.ru_utime + r.ru_stime for r in (
            resource.getrusage(resource.RUSAGE_SELF),
            resource.getrusage(resource.RUSAGE_CHILDREN)))
        busy = sum(field) - field[3] - field[4]
        return time.monotonic(), busy / TICKS, own

    def cores(self):
        a, b = self.at, self.now()
        return max(0.0, (b[1] - a[1] - (b[2] - a[2])) / max(b[0] - a[0], 1e-3))
