#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PC/SC both ways: pcscd with our driver, its tools, vpcd, and our reader on PC/SC.

    pcsc_test.py BUILDDIR [TestClass[.test_name] ...]

pcscd has one socket per machine; here it runs in a mount namespace of its own, so
root is needed, and nobody else's pcscd is in the way.  Exit 77: skipped.
"""
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import system_test as S  # noqa: E402
from system_test import P  # noqa: E402

BUILD = 'build/test'
VPCD = '/usr/lib/pcsc/drivers/serial/libifdvpcd.so'
IP = '127.0.78.%d'
LIMIT = 20
RUN = tempfile.mkdtemp(prefix='cw-pcsc-')
os.environ['PCSCLITE_CSOCK_NAME'] = RUN + '/pcscd.comm'

IDENTIFY = bytes.fromhex('B0CA00001B')
ATR_T0 = '3b:99:96:80:1f:c7:80:67:43:57:42:4f:4f:54:31:83'


def missing():
    """Why these tests cannot run here, or None."""
    for tool in ('pcscd', 'pcsc_scan', 'opensc-tool', 'scriptor', 'unshare'):
        if shutil.which(tool) is None and not os.path.exists('/usr/sbin/' + tool):
            return f'{tool} is not installed (scripts/deps.sh test)'
    os.makedirs('/run/pcscd', exist_ok=True) if os.geteuid() == 0 else None
    done = subprocess.run(['unshare', '-m', 'mount', '--bind', RUN, '/run/pcscd'],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return 'no mount namespace for a pcscd of our own: ' + done.stderr.strip()
    return None


class State(ctypes.Structure):
    _fields_ = [('reader', ctypes.c_char_p), ('user', ctypes.c_void_p),
                ('current', ctypes.c_ulong), ('event', ctypes.c_ulong),
                ('atr_len', ctypes.c_ulong), ('atr', ctypes.c_ubyte * 33)]


class Pci(ctypes.Structure):
    _fields_ = [('protocol', ctypes.c_ulong), ('len', ctypes.c_ulong)]


class Pcsc:
    """As much of winscard as the tests need."""
    PRESENT, EMPTY = 0x20, 0x10

    def __init__(self):
        self.lib = ctypes.CDLL('libpcsclite.so.1')
        self.ctx = ctypes.c_long()
        self.card = ctypes.c_long()
        self.protocol = ctypes.c_ulong()
        self.ok(self.lib.SCardEstablishContext(ctypes.c_ulong(2), None, None,
                                               ctypes.byref(self.ctx)))

    @staticmethod
    def ok(rv):
        if rv != 0:
            raise OSError(f'winscard: {rv & 0xffffffff:08X}')

    def readers(self):
        n = ctypes.c_ulong(4096)
        buf = ctypes.create_string_buffer(4096)
        if self.lib.SCardListReaders(self.ctx, None, buf, ctypes.byref(n)) != 0:
            return []
        return [r.decode() for r in buf.raw[:n.value].split(b'\0') if r]

    def wait(self, reader, want, limit=LIMIT):
        """Seconds until the reader says want (PRESENT or EMPTY)."""
        begin = time.monotonic()
        st = State(reader=reader.encode())
        while time.monotonic() < begin + limit:
            self.lib.SCardGetStatusChange(self.ctx, ctypes.c_ulong(1000),
                                          ctypes.byref(st), ctypes.c_ulong(1))
            if st.event & want:
                return time.monotonic() - begin
            st.current = st.event & ~2
        raise AssertionError(f'{reader}: never {want:#x}, last {st.event:#x}')

    def connect(self, reader, protocols=3):
        self.ok(self.lib.SCardConnect(self.ctx, reader.encode(), ctypes.c_ulong(2),
                                      ctypes.c_ulong(protocols), ctypes.byref(self.card),
                                      ctypes.byref(self.protocol)))

    def transmit(self, cmd):
        pci = Pci(self.protocol.value, ctypes.sizeof(Pci))
        n = ctypes.c_ulong(65600)
        buf = ctypes.create_string_buffer(65600)
        self.ok(self.lib.SCardTransmit(self.card, ctypes.byref(pci), cmd,
                                       ctypes.c_ulong(len(cmd)), None, buf, ctypes.byref(n)))
        return buf.raw[:n.value]

    def control(self, code, data=b''):
        n = ctypes.c_ulong()
        buf = ctypes.create_string_buffer(512)
        self.ok(self.lib.SCardControl(self.card, ctypes.c_ulong(code), data,
                                      ctypes.c_ulong(len(data)), buf, ctypes.c_ulong(512),
                                      ctypes.byref(n)))
        return buf.raw[:n.value]

    def attribute(self, what):
        n = ctypes.c_ulong(256)
        buf = ctypes.create_string_buffer(256)
        self.ok(self.lib.SCardGetAttrib(self.card, ctypes.c_ulong(what), buf, ctypes.byref(n)))
        return buf.raw[:n.value]

    def reset(self):
        self.ok(self.lib.SCardReconnect(self.card, ctypes.c_ulong(2), ctypes.c_ulong(3),
                                        ctypes.c_ulong(1), ctypes.byref(self.protocol)))

    def disconnect(self):
        self.lib.SCardDisconnect(self.card, ctypes.c_ulong(2))

    def close(self):
        self.lib.SCardReleaseContext(self.ctx)


class Hands:
    """The mechanics of a card program: feeds and bins by the contact link."""
    def __init__(self, ip, port):
        self.s = socket.create_connection((ip, port))
        self.s.settimeout(LIMIT)
        self.no = 0
        self.say(7, b'')

    def say(self, kind, body):
        self.s.sendall(struct.pack('>BBH', kind, 0, len(body)) + body)

    def feed(self, station=1):
        self.no += 1
        self.say(8, struct.pack('>HI', station, self.no))
        self.s.recv(64)

    def bin(self, station=1):
        self.say(9, struct.pack('>HB', station, 2))
        self.s.recv(64)


class Case(unittest.TestCase):
    def setUp(self):
        self.root = os.path.join(os.path.abspath(BUILD), 'system', 'pcsc',
                                 self.id().split('.', 1)[1])
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.path('conf'))
        self.procs, self.pcsc = {}, []
        self.driver = os.path.join(os.path.abspath(BUILD), 'ifd', 'libifdcardwright.so')
        self.port = P.free_port([IP % n for n in (1, 2, 3)])
        self.vpcd_port = P.free_port() & ~1

    def tearDown(self):
        for p in self.pcsc:
            p.close()
        for name in [n for n in self.procs if n != 'pcscd'] + ['pcscd']:
            if name in self.procs:
                self.stop(name)

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.path(name + '.log'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def start(self, name, *argv, env=None):
        with open(self.path(name + '.log'), 'ab') as f:
            self.procs[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f,
                                                stderr=f, env=env)

    def stop(self, name, sig=signal.SIGTERM, limit=10):
        p = self.procs.pop(name)
        p.send_signal(sig)
        try:
            return p.wait(limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise AssertionError(f'{name} did not stop:\n{self.text(name)}') from None

    def wait_log(self, name, what, limit=LIMIT):
        end = time.monotonic() + limit
        while what not in self.text(name):
            self.assertLess(time.monotonic(), end, f'no "{what}" in {name}:\n{self.text(name)}')
            time.sleep(0.02)

    def cards(self, n, *more):
        port = P.free_port([IP % n])
        if os.path.exists(self.path(f'card{n}.log')):
            os.unlink(self.path(f'card{n}.log'))
        self.start(f'card{n}', P.find_program(BUILD, 'cardwright-card'), '--listen',
                   f'{IP % n}:{port}', '--stations', '2', *more)
        self.wait_log(f'card{n}', 'card.ready')
        return port

    def reader(self, n, card, *more):
        key = self.path('keys')
        done = subprocess.run([P.find_program(BUILD, 'cardwright'), 'reader', 'enrol', '--keys',
                               key, f'{IP % n}:{self.port}'], capture_output=True, text=True,
                              check=False)
        self.assertIn('made a key', done.stdout + done.stderr.replace('already', 'made a key'))
        self.argv = (P.find_program(BUILD, 'cardwright-reader'), '--keys', key, '--listen',
                     f'{IP % n}:{self.port}', '--card', card, *more)
        self.start(f'reader{n}', *self.argv)
        self.wait_log(f'reader{n}', 'reader.up')

    def conf(self, name, device=None, library=None):
        n = name.split()[-1]
        device = device or f'tcp:{IP % int(n)}:{self.port}:keys={self.path("keys")}'
        with open(self.path(f'conf/{n}'), 'w', encoding='utf-8') as f:
            f.write(f'FRIENDLYNAME "{name}"\nDEVICENAME {device}\n'
                    f'LIBPATH {library or self.driver}\nCHANNELID {self.vpcd_port}\n')

    def conf_vpcd(self):
        self.conf('Virtual 9', f'/dev/null:{self.vpcd_port:#x}', VPCD)

    def preload(self):
        """A driver with sanitizers needs them in pcscd."""
        libs = subprocess.run(['ldd', self.driver], capture_output=True, text=True,
                              check=True).stdout.split('\n')
        found = [row.split()[2] for row in libs if 'libasan' in row or 'libubsan' in row]
        return {**os.environ, 'LD_PRELOAD': ':'.join(found),
                'ASAN_OPTIONS': 'detect_leaks=0'} if found else dict(os.environ)

    def pcscd(self):
        env = self.preload()
        if os.path.exists(self.path('pcscd.log')):
            os.unlink(self.path('pcscd.log'))
        words = ' '.join(f"{k}='{env[k]}'" for k in ('LD_PRELOAD', 'ASAN_OPTIONS') if k in env)
        self.start('pcscd', 'unshare', '-m', 'sh', '-c', f'mount --bind {RUN} /run/pcscd && '
                   f'exec env {words} pcscd -f -d -c {self.path("conf")}')
        self.wait_log('pcscd', 'daemon ready')

    def client(self):
        p = Pcsc()
        self.pcsc.append(p)
        return p

    def named(self, p, name):
        for r in p.readers():
            if r.startswith(name):
                return r
        raise AssertionError(f'{name} is not among {p.readers()}:\n{self.text("pcscd")}')

    def tool(self, *argv, data=None):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, input=data,
                              check=False)
        self.assertEqual(done.returncode, 0, f'{argv}: {done.stdout}{done.stderr}')
        return done.stdout


class Driver(Case):
    def test_tools(self):
        """pcsc_scan, opensc-tool and scriptor on two readers, T=0 and T=1."""
        a = self.cards(1, '--feed')
        b = self.cards(2, '--feed', '--protocol', 't1')
        self.reader(1, f'sim:{IP % 1}:{a}/1')
        self.reader(2, f'sim:{IP % 2}:{b}/1')
        self.conf('Bench 1')
        self.conf('Bench 2')
        self.pcscd()
        p = self.client()
        one, two = self.named(p, 'Bench 1'), self.named(p, 'Bench 2')
        p.wait(one, p.PRESENT)
        p.wait(two, p.PRESENT)
        out = self.tool('pcsc_scan', '-r')
        self.assertIn(one, out)
        self.assertIn(two, out)
        self.assertIn(ATR_T0, self.tool('opensc-tool', '-r', one, '-a'))
        out = self.tool('opensc-tool', '-r', two, '-s', 'B0:CA:00:00:1B', '-s', '00:A4:04:00')
        self.assertIn('SW1=0x90, SW2=0x00', out)
        self.assertIn('SW1=0x6E, SW2=0x00', out)
        with open(self.path('script'), 'w', encoding='utf-8') as f:
            f.write('reset\nB0 CA 00 00 1B\n')
        for r in (one, two):
            out = self.tool('scriptor', '-r', r, self.path('script'))
            self.assertIn('90 00 : Normal processing', out)
            self.assertIn('01 00', out)   # bootloader version 1, state blank

        # The reader that pcscd leaves has powered its card off and is free.
        self.pcsc.pop().close()
        self.stop('pcscd')
        self.wait_log('reader1', 'link.lost what="closed by the terminal"')

    def test_moves(self):
        """Cards come and go, also while they are in use; a swap is never missed."""
        port = self.cards(1)
        self.reader(1, f'sim:{IP % 1}:{port}/1')
        self.conf('Bench 1')
        self.pcscd()
        p, hands = self.client(), Hands(IP % 1, port)
        r = self.named(p, 'Bench 1')
        p.wait(r, p.EMPTY)
        took = []
        for _ in range(3):
            hands.feed()
            took.append(p.wait(r, p.PRESENT))
            hands.bin()
            took.append(p.wait(r, p.EMPTY))
        self.assertLess(sorted(took)[3], 1.0, took)
        hands.feed()
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(p.transmit(IDENTIFY)[-2:], b'\x90\x00')
        hands.bin()
        with self.assertRaises(OSError):
            for _ in range(50):
                p.transmit(IDENTIFY)
        p.wait(r, p.EMPTY)
        hands.feed()
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(p.transmit(IDENTIFY)[-2:], b'\x90\x00')

        # Out and in at once: the connection must not outlive it.
        hands.bin()
        hands.feed()
        time.sleep(0.5)
        with self.assertRaises(OSError):
            p.transmit(IDENTIFY)

    def test_restart(self):
        """The reader is killed and comes back: its card was gone meanwhile."""
        port = self.cards(1, '--feed')
        self.reader(1, f'sim:{IP % 1}:{port}/1')
        self.conf('Bench 1')
        self.pcscd()
        p = self.client()
        r = self.named(p, 'Bench 1')
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(len(p.transmit(IDENTIFY)), 29)
        self.stop('reader1', signal.SIGKILL)
        p.wait(r, p.EMPTY)
        with self.assertRaises(OSError):
            p.transmit(IDENTIFY)
        self.start('reader1', *self.argv)
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(len(p.transmit(IDENTIFY)), 29)

    def test_features(self):
        """Part 10, attributes, extended APDUs, warm reset."""
        port = self.cards(1, '--feed', '--protocol', 't1')
        self.reader(1, f'sim:{IP % 1}:{port}/1', '--serial', '5A' * 16)
        self.conf('Bench 1')
        self.pcscd()
        p = self.client()
        r = self.named(p, 'Bench 1')
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(p.protocol.value, 2)
        features = p.control(0x42000D48)
        self.assertEqual(features, bytes.fromhex('1204 42330012 1304 42000001'))
        tlv = p.control(0x42330012)
        self.assertEqual(tlv[-6:], b'\x0a\x04' + struct.pack('<I', 64000 - 11))
        self.assertIn(b'cardwright-host', tlv)
        self.assertEqual(p.control(0x42000001, b'\2'), b'\x5a' * 16)
        state = p.control(0x42000001, b'\3')
        self.assertEqual(state[7:9], b'\1\x96')   # T=1, TA1 96 after PPS
        for bad in (b'', b'\0', b'\4', b'\1\1'):
            with self.assertRaises(OSError):
                p.control(0x42000001, bad)
        with self.assertRaises(OSError):
            p.control(0x42000D49)
        self.assertEqual(p.attribute(0x10100), b'cardwright\0')
        self.assertEqual(p.attribute(0x10103), b'5a' * 16 + b'\0')

        # 30,000 bytes in blocks of T=1: the card says what it thinks of it.
        big = bytes.fromhex('B0D00000') + b'\0' + struct.pack('>H', 30000) + bytes(30000)
        self.assertEqual(p.transmit(big), b'\x67\x00')
        with self.assertRaises(OSError):
            p.transmit(b'\0')
        p.reset()
        self.assertEqual(len(p.transmit(IDENTIFY)), 29)

    def test_words(self):
        """What is wrong is told with the place and the remedy; pcscd lives on."""
        port = self.cards(1, '--feed')
        self.reader(1, f'sim:{IP % 1}:{port}/1')
        self.conf('Bench 1')
        with open(self.path('other'), 'w', encoding='utf-8') as f:
            f.write(f'{IP % 1}:{self.port} {"00" * 32}\nelse {"11" * 32}\n')
        os.chmod(self.path('other'), 0o600)
        at = f'tcp:{IP % 1}:{self.port}'
        keys = f'keys={self.path("other")}'
        for n, device in ((2, f'{at}:{keys}'), (3, f'{at}:{keys}:id=else'),
                          (4, f'{at}:keys=/none/there'), (5, 'tcp:10.0.0.1'),
                          (6, f'{at}:plain'), (7, f'tcp:127.0.0.1:{P.free_port()}:plain'),
                          (8, f'{at}:slots=9:plain')):
            self.conf(f'Odd {n}', device)
        self.pcscd()
        for words in ('has another key than the key file here', 'no key of that identity',
                      '/none/there', 'DEVICENAME tcp:10.0.0.1: no port', 'Connection refused',
                      'slots=9:plain: an option is not known'):
            self.wait_log('pcscd', words)
        p = self.client()
        r = self.named(p, 'Bench 1')
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(len(p.transmit(IDENTIFY)), 29)
        self.assertNotIn('00' * 32, self.text('pcscd'))

    def test_terminal_has_it(self):
        """A reader in use says by whom, and is taken when it is free."""
        port = self.cards(1, '--feed')
        self.start('reader1', P.find_program(BUILD, 'cardwright-reader'), '--plain', '--listen',
                   f'{IP % 1}:{self.port}', '--card', f'sim:{IP % 1}:{port}/1')
        self.wait_log('reader1', 'reader.up')
        line = socket.create_connection((IP % 1, self.port))
        line.sendall(S.frame(1, b'\x06line-7' + bytes(8)))
        self.assertEqual(S.read_frame(line)[0], 0x81)
        self.conf('Bench 1', f'tcp:{IP % 1}:{self.port}:plain')
        self.pcscd()
        self.wait_log('pcscd', 'in use by terminal line-7')
        p = self.client()
        r = self.named(p, 'Bench 1')
        p.wait(r, p.EMPTY)
        line.close()
        p.wait(r, p.PRESENT)
        p.connect(r)
        self.assertEqual(len(p.transmit(IDENTIFY)), 29)


@unittest.skipUnless(os.path.exists(VPCD), 'vsmartcard-vpcd is not installed')
class Virtual(Case):
    def test_our_card(self):
        """The simulated card in Debian's vpcd, T=0 and T=1; it comes and goes."""
        for protocol in ('t0', 't1'):
            self.conf_vpcd()
            self.pcscd()
            port = self.cards(1, '--vpcd', f'localhost:{self.vpcd_port}', '--protocol', protocol)
            p, hands = self.client(), Hands(IP % 1, port)
            r = self.named(p, 'Virtual 9')
            p.wait(r, p.EMPTY)
            hands.feed()
            p.wait(r, p.PRESENT)
            out = self.tool('opensc-tool', '-r', r, '-s', 'B0:CA:00:00:1B')
            self.assertIn('SW1=0x90, SW2=0x00', out)
            hands.bin()
            p.wait(r, p.EMPTY)
            self.pcsc.pop().close()
            self.stop('card1')
            self.stop('pcscd')

    def test_any_card(self):
        """A virtual card as the station, its frames in any pieces."""
        card_port = P.free_port()
        self.reader(1, f'vpcd:{card_port}')
        self.conf('Bench 1')
        self.pcscd()
        p = self.client()
        r = self.named(p, 'Bench 1')
        p.wait(r, p.EMPTY)
        card = socket.create_connection(('127.0.0.1', card_port))
        second = socket.create_connection(('127.0.0.1', card_port))
        self.assertEqual(second.recv(1), b'')   # there is a card already
        self.start_card(card)
        p.wait(r, p.PRESENT)
        p.connect(r)
        for n in (2, 255, 300, 5000, 60000):
            cmd = bytes([0, 1, 0, 0]) + (bytes([n]) if n < 256 else b'\0' + struct.pack('>H', n))
            self.assertEqual(p.transmit(cmd + bytes(n)), bytes(n)[:2000] + b'\x90\x00')
        card.shutdown(socket.SHUT_RDWR)
        p.wait(r, p.EMPTY)

    @staticmethod
    def start_card(sock):
        import threading

        def play():
            buf = b''
            try:
                while data := sock.recv(7000):
                    buf += data
                    while len(buf) >= 2 and len(buf) >= 2 + (n := int.from_bytes(buf[:2], 'big')):
                        body, buf = buf[2:2 + n], buf[2 + n:]
                        if body == b'\4':
                            out = bytes.fromhex('3B80800101')
                        elif len(body) == 1:
                            continue
                        else:
                            at = 5 if body[4] else 7
                            out = body[at:][:2000] + b'\x90\x00'
                        out = len(out).to_bytes(2, 'big') + out
                        for i in range(0, len(out), 1 + len(out) // 3):
                            sock.sendall(out[i:i + 1 + len(out) // 3])
            except OSError:
                pass
        threading.Thread(target=play, daemon=True).start()

    def test_gone(self):
        """pcscd not running, then there, then killed with a card in power."""
        self.start('reader1', P.find_program(BUILD, 'cardwright-reader'), '--plain', '--listen',
                   f'{IP % 1}:{self.port}', '--card', 'pcsc:Virtual 9', '--log', 'debug')
        self.wait_log('reader1', 'pcscd does not answer; start it')
        self.conf_vpcd()
        self.pcscd()
        self.cards(2, '--feed', '--vpcd', f'localhost:{self.vpcd_port}')
        self.wait_log('reader1', 'reader: Virtual 9')
        self.wait_log('reader1', 'slot.inserted')
        with socket.create_connection((IP % 1, self.port)) as line:
            line.sendall(S.frame(1, b'\x06line-7' + bytes(8)) + S.frame(0x40, b'\0\1'))
            while (answer := S.read_frame(line))[0] not in (0xC0, 0x84):
                pass
            self.assertEqual(answer[0], 0xC0, answer)
            line.sendall(S.frame(0x43, b'\0\0' + IDENTIFY))
            kind, body = S.read_frame(line)
            self.assertEqual((kind, body[-2:], len(body)), (0xC1, b'\x90\x00', 31))
            self.stop('pcscd', signal.SIGKILL)
            line.sendall(S.frame(0x43, b'\0\0' + IDENTIFY))
            while (answer := S.read_frame(line))[0] != 0x84:
                pass
            self.assertIn(struct.unpack('>h', answer[1][:2])[0], (-19, -24), answer)
        self.wait_log('reader1', 'slot.removed')
        self.assertRegex(self.text('reader1'), 'pcscd|SCardTransmit')
        for f in os.listdir(RUN):
            os.unlink(os.path.join(RUN, f))


class Loop(S.Line):
    """A line whose station is a PC/SC reader with a virtual card."""
    readers = 1
    count = 3
    opt = {'feed_ms': 200, 'move_ms': 200}

    @unittest.skipUnless(os.path.exists(VPCD), 'vsmartcard-vpcd is not installed')
    def test_issue(self):
        side = Case('setUp')
        side.id = lambda: 'x.Loop'
        side.setUp()
        self.addCleanup(side.tearDown)
        side.conf_vpcd()
        side.pcscd()
        plant, plan = self.plant, self.plant.plan

        def with_pcsc():
            plan()
            plant.argv['card-1'] += ['--vpcd', f'localhost:{side.vpcd_port}']
            plant.argv['reader-1.1'][-1] = (f'{plant.reader_ip(0, 0)}:{plant.reader_port}'
                                            '=pcsc:Virtual 9')
        plant.plan = with_pcsc
        plant.up()
        order, data = self.submit()
        self.settle(order, data)
        self.assertEqual(plant.down(), [])


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        BUILD = S.BUILD = sys.argv.pop(1)
    why = missing()
    if why is not None:
        print('SKIP:', why)
        sys.exit(77)
    try:
        unittest.main(verbosity=2, warnings='ignore')
    finally:
        shutil.rmtree(RUN, ignore_errors=True)
