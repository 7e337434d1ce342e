# SPDX-License-Identifier: Apache-2.0
"""A whole factory on loopback: platform, terminals, devices, readers, cards.

Used by the demo, the system tests and the benchmarks.  Everything lives in one
directory; every program's log is DIR/log/NAME.log.  Nothing here knows how an
order runs: it starts programs, stops them, and asks the `cardwright` command.
"""
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

WHERE = {
    'cardwright': 'tools/cardwright',
    'cardwright-platform': 'platform/cardwright-platform',
    'cardwright-terminal': 'terminal/cardwright-terminal',
    'cardwright-reader': 'boards/cardwright-reader',
    'cardwright-board': 'boards/virt/cardwright-board',
    'cardwright-device': 'sim/cardwright-device',
    'cardwright-card': 'sim/cardwright-card',
}


class PlantError(Exception):
    """The factory could not be started or asked; the text says what to look at."""


def find_program(build, name):
    for path in (os.path.join(build, WHERE[name]), os.path.join(build, name)):
        if os.path.exists(path):
            return os.path.abspath(path)
    for folder, _, files in os.walk(build):
        if name in files and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.abspath(os.path.join(folder, name))
    raise PlantError(f'{name} is not in {build}: build it with `make`')


def free_port(addresses=('127.0.0.1',)):
    """A TCP port that is free on every one of the addresses."""
    for _ in range(200):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        held = []
        try:
            for a in addresses:
                s = socket.socket()
                held.append(s)
                s.bind((a, port))
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise PlantError('no free TCP port on loopback')


class Plant:
    def __init__(self, build, root, lines=2, readers=4, **opt):
        self.build = build
        self.root = os.path.abspath(root)
        self.lines = lines
        self.readers = readers
        self.opt = opt
        self.procs = {}
        self.argv = {}
        self.repo = os.path.abspath(os.path.join(os.path.dirname(__file__), '..'))

    # -- making ---------------------------------------------------------
    def line_names(self):
        return [f'line-{i + 1}' for i in range(self.lines)]

    def reader_ip(self, line, k):
        return f'127.0.{line + 1}.{k + 1}'

    def make(self):
        shutil.rmtree(self.root, ignore_errors=True)
        for sub in ('log', 'conf'):
            os.makedirs(os.path.join(self.root, sub))
        ips = [self.reader_ip(i, k) for i in range(self.lines)
               for k in range(self.readers)]
        self.reader_port = free_port(ips[:400])
        self.link_port = free_port()
        self.http_port = free_port()
        self.contact_port = [free_port() for _ in range(self.lines)]
        self.modbus_port = [free_port() for _ in range(self.lines)]
        argv = [self.prog('cardwright'), 'setup', '--dir', self.conf()]
        for name in self.line_names():
            argv += ['--terminal', name]
        done = subprocess.run(argv, capture_output=True, text=True,
                              cwd=self.repo, check=False)
        if done.returncode != 0:
            raise PlantError(f'cardwright setup: {done.stderr.strip()}')
        if not self.opt.get('plain'):
            self.enrol([f'{ip}:{self.reader_port}' for ip in ips])
        self.write_platform()
        for i in range(self.lines):
            self.write_terminal(i)
        self.plan()

    def enrol(self, readers):
        for at in range(0, len(readers), 64):
            done = subprocess.run([self.prog('cardwright'), 'reader', 'enrol',
                                   '--keys', self.conf('readers.key'),
                                   *readers[at:at + 64]],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise PlantError(f'cardwright reader enrol: {done.stderr.strip()}')

    def conf(self, *parts):
        return os.path.join(self.root, 'conf', *parts)

    def prog(self, name):
        return find_program(self.build, name)

    def write_platform(self):
        with open(self.conf('platform.ini'), 'w', encoding='utf-8') as f:
            f.write(f'''[platform]
name = platform
database = {self.root}/platform.db
keyfile = {self.conf('record.key')}
profiles = {self.repo}/profiles
[link]
listen = 127.0.0.1
port = {self.link_port}
ca = {self.conf('ca.crt')}
cert = {self.conf('platform.crt')}
key = {self.conf('platform.key')}
[http]
listen = 127.0.0.1
port = {self.http_port}
token = {self.conf('api.token')}
''')
        with open(self.conf('client.ini'), 'w', encoding='utf-8') as f:
            f.write(f'''[client]
platform = http://127.0.0.1:{self.http_port}
token = {self.conf('api.token')}
''')

    def write_terminal(self, i):
        name = f'line-{i + 1}'
        cert = self.conf(f'terminal.{name}')
        if not os.path.exists(cert + '.crt'):
            cert = self.conf(name)
        with open(self.conf(f'{name}.ini'), 'w', encoding='utf-8') as f:
            f.write(f'''[terminal]
name = {name}
journal = {self.root}/{name}.journal
keys = {self.conf('readers.key')}
[platform]
address = 127.0.0.1
port = {self.link_port}
ca = {self.conf('ca.crt')}
cert = {cert}.crt
key = {cert}.key
[device]
address = 127.0.0.1
port = {self.modbus_port[i]}
profile = {self.repo}/profiles/device/generic.ini
''')
            for key, value in self.opt.get('line', {}).items():
                f.write(f'[line]\n{key} = {value}\n')
            for k in range(self.readers):
                f.write(f'[station {k + 1}]\n'
                        f'reader = {self.reader_ip(i, k)}:{self.reader_port}\n'
                        f'link = {"plain" if self.opt.get("plain") else "tls"}\n')

    def plan(self):
        """What each program is started with."""
        o = self.opt
        for i in range(self.lines):
            contacts = f'127.0.0.1:{self.contact_port[i]}'
            card = [self.prog('cardwright-card'), '--listen', contacts,
                    '--stations', str(self.readers),
                    '--blanks', str(o.get('blanks', 1000)),
                    '--dump', f'{self.root}/cards-{i + 1}.json']
            if 'speed' in o:
                card += ['--speed', str(o['speed'])]
            card += o.get('card_args', [])
            for fault in o.get('faults', {}).get(i, []):
                card += ['--fault', fault]
            self.argv[f'card-{i + 1}'] = card
            self.argv[f'device-{i + 1}'] = [
                self.prog('cardwright-device'),
                '--listen', f'127.0.0.1:{self.modbus_port[i]}',
                '--stations', str(self.readers),
                '--hopper', str(o.get('blanks', 1000)),
                '--feed-ms', str(o.get('feed_ms', 20)),
                '--move-ms', str(o.get('move_ms', 20)),
                '--contacts', contacts,
                '--state', f'{self.root}/device-{i + 1}.state'] + o.get('device_args', [])
            each = [f'{self.reader_ip(i, k)}:{self.reader_port}=sim:{contacts}/{k + 1}'
                    for k in range(self.readers)]
            link = ['--plain'] if o.get('plain') else ['--keys', self.conf('readers.key')]
            if o.get('board', 'host') == 'qemu':
                for k in range(self.readers):
                    self.argv[f'reader-{i + 1}.{k + 1}'] = self.qemu(i, k)
            elif o.get('board', 'host') == 'virt':
                self.plan_boards(i, contacts)
            elif o.get('one_process'):
                argv = [self.prog('cardwright-reader'), *link]
                for e in each:
                    argv += ['--reader', e]
                self.argv[f'reader-{i + 1}'] = argv
            else:
                for k, e in enumerate(each):
                    self.argv[f'reader-{i + 1}.{k + 1}'] = [
                        self.prog('cardwright-reader'), *link, '--reader', e]
            self.argv[f'line-{i + 1}'] = [
                self.prog('cardwright-terminal'), '-c', self.conf(f'line-{i + 1}.ini')]
        self.argv['platform'] = [self.prog('cardwright-platform'), '-c',
                                 self.conf('platform.ini')]

    def qemu(self, i, k):
        """A reader that is the firmware of boards/mps2_an385 in qemu-system-arm."""
        elf = os.path.join(os.path.abspath(self.opt['firmware']), 'cardwright-reader-mps2.elf')
        if shutil.which('qemu-system-arm') is None:
            raise PlantError('qemu-system-arm is not installed: run scripts/deps.sh qemu')
        if not os.path.exists(elf):
            raise PlantError(f'{elf} is not there: run `make firmware-mps2`')
        at = f'{self.reader_ip(i, k)}:{self.reader_port}'
        words = ['cardwright', f'station={k + 1}',
                 f'settings={self.root}/reader-{i + 1}.{k + 1}.nvm']
        words += ['plain'] if self.opt.get('plain') else [
            f"keys={self.conf('readers.key')}", f'identity={at}']
        # A comma separates options; in a value it is doubled.
        words = ['arg=' + w.replace(',', ',,') for w in words]
        return ['qemu-system-arm', '-M', 'mps2-an385', '-kernel', elf,
                '-display', 'none', '-monitor', 'none', '-serial', 'stdio',
                '-chardev', 'socket,id=card,host=127.0.0.1,'
                f'port={self.contact_port[i]},nodelay=on,reconnect=1',
                '-serial', 'chardev:card',
                '-nic', f'user,model=lan9118,hostfwd=tcp:{at}-:7816',
                '-semihosting-config', ','.join(['enable=on,target=native', *words])]

    # -- readers that are virtual boards ----------------------------------
    def plan_boards(self, i, contacts):
        """The firmware itself, a board for each station."""
        elf = os.path.join(os.path.abspath(self.opt['firmware']), 'cardwright-reader.elf')
        if not os.path.exists(elf):
            raise PlantError(f'{elf} is missing: make firmware')
        for k in range(self.readers):
            name = f'reader-{i + 1}.{k + 1}'
            base = os.path.join(self.root, name)
            self.argv[name] = [
                self.prog('cardwright-board'), '--elf', elf, '--speed', 'max',
                '--eeprom', base + '.eeprom', '--console', 'none',
                '--contact', f'{contacts}/{k + 1}',
                '--ip-bind', f'{self.reader_ip(i, k)}:{self.reader_port}',
                '--uid', f'{i + 1:02x}{k + 1:02x}' + '00' * 10]
            self.commission(name, f'{self.reader_ip(i, k)}:{self.reader_port}')

    def commission(self, name, identity):
        """What a person does once at a new reader's console: key and address."""
        argv = list(self.argv[name])
        argv[argv.index('--console') + 1] = 'stdio'
        at = argv.index('--contact')
        del argv[at:at + 2]
        if self.opt.get('plain'):
            talk = ['plain allow']
        else:
            with open(self.conf('readers.key'), encoding='utf-8') as f:
                keys = dict(row.split() for row in f if row.strip() and row[0] != '#')
            talk = [f'key enrol {identity}', keys[identity]]
        talk.append(f'ip set {identity.split(":")[0]} /8')
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd=self.repo) as p:
            try:
                self.say(p, None, b'cardwright> ')
                for line in talk:
                    self.say(p, line, b': ' if line.startswith('key ') else b'> ')
            finally:
                p.terminate()

    @staticmethod
    def say(p, line, until, limit=30):
        """Types a line at a console and reads up to what is expected."""
        if line is not None:
            p.stdin.write(line.encode() + b'\r')
            p.stdin.flush()
        heard = b''
        end = time.monotonic() + limit
        while not heard.endswith(until):
            ready, _, _ = select.select([p.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(p.stdout.fileno(), 4096) if ready else b''
            if not more:
                raise PlantError(f'no answer to {(line or "power on").split()[0]} at a '
                                 f"board's console: {heard.decode(errors='replace')}")
            heard += more
        return heard

    # -- running --------------------------------------------------------
    def start(self, name):
        log = open(os.path.join(self.root, 'log', f'{name}.log'), 'ab')
        self.procs[name] = subprocess.Popen(
            self.argv[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.repo)
        log.close()

    def up(self):
        self.make()
        order = sorted(self.argv, key=lambda n: (
            ['card', 'devi', 'plat', 'read', 'line'].index(n[:4]), n))
        for name in order:
            self.start(name)
        self.wait_ready()

    def wait_ready(self, limit=20):
        """Every program alive, the platform answers, every line is seen."""
        end = time.monotonic() + limit
        why = ''
        while time.monotonic() < end:
            self.check_alive()
            code, out = self.ask('line', 'list')
            if code == 0:
                rows = out if isinstance(out, list) else out.get('lines', [])
                if len(rows) >= self.lines:
                    return
                why = f'{len(rows)} of {self.lines} lines are connected'
            else:
                why = f'the platform does not answer ({out})'
            time.sleep(0.05)
        raise PlantError(f'not ready after {limit} s: {why}; logs are in {self.root}/log')

    def check_alive(self):
        for name, p in self.procs.items():
            if p.poll() is not None:
                raise PlantError(f'{name} ended with status {p.returncode}: '
                                 f'{self.tail(name)}')

    def tail(self, name, lines=5):
        path = os.path.join(self.root, 'log', f'{name}.log')
        with open(path, encoding='utf-8', errors='replace') as f:
            return '\n'.join(f.read().splitlines()[-lines:])

    def kill(self, name, sig=signal.SIGKILL):
        p = self.procs.pop(name)
        p.send_signal(sig)
        return p.wait()

    def down(self):
        """Stops all in an order that lets each finish; returns bad exit codes."""
        bad = []
        for kind in ('line', 'read', 'plat', 'devi', 'card'):
            names = [n for n in self.procs if n.startswith(kind)]
            for n in names:
                self.procs[n].terminate()
            for n in names:
                try:
                    code = self.procs[n].wait(timeout=20)
                except subprocess.TimeoutExpired:
                    self.procs[n].kill()
                    code = self.procs[n].wait()
                    code = f'{code} (did not stop on SIGTERM)'
                if code not in (0, -signal.SIGTERM):
                    bad.append((n, code, self.tail(n, 30)))
                del self.procs[n]
        return bad

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.procs.values():
            p.kill()
        for p in self.procs.values():
            p.wait()

    # -- asking ---------------------------------------------------------
    def command(self, *args):
        return [self.prog('cardwright'), '--platform',
                f'http://127.0.0.1:{self.http_port}', '--token',
                self.conf('api.token'), *args]

    def ask(self, *args, timeout=60):
        """Runs the command with --json: (exit code, value or error text)."""
        done = subprocess.run(self.command('--json', *args), capture_output=True,
                              text=True, timeout=timeout, cwd=self.repo, check=False)
        if done.stdout.strip():
            try:
                return done.returncode, json.loads(done.stdout)
            except ValueError:
                pass
        return done.returncode, (done.stderr or done.stdout).strip()

    def submit(self, *args):
        code, out = self.ask('order', 'submit', *args)
        if code != 0:
            raise PlantError(f'order submit: exit {code}: {out}')
        return str(out.get('order', out.get('id')))

    def report(self, order):
        code, out = self.ask('order', 'report', order)
        if not isinstance(out, dict):
            raise PlantError(f'order report: exit {code}: {out}')
        return out

    def wait_order(self, order, limit=120):
        """Until the order is over; its description."""
        end = time.monotonic() + limit
        out = None
        while time.monotonic() < end:
            code, out = self.ask('order', 'show', order)
            if code in (0, 1) and isinstance(out, dict) and \
                    str(out.get('state', '')).lower() in ('done', 'closed', 'cancelled'):
                return out
            time.sleep(0.1)
        raise PlantError(f'order {order} is not over after {limit} s: {out}')

    def cards(self):
        """What really lies in the bins: the card programs' dumps, per line."""
        found = []
        for i in range(self.lines):
            path = f'{self.root}/cards-{i + 1}.json'
            name = f'card-{i + 1}'
            if name in self.procs:
                before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
                self.procs[name].send_signal(signal.SIGUSR1)
                for _ in range(500):
                    if os.path.exists(path) and os.stat(path).st_mtime_ns != before:
                        break
                    time.sleep(0.01)
            with open(path, encoding='utf-8') as f:
                data = json.load(f)
            rows = data if isinstance(data, list) else data['cards']
            for row in rows:
                row['line'] = f'line-{i + 1}'
                found.append(row)
        return found
