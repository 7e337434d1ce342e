#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The secured reader link between the real programs: what is refused, in words.

link_test.py BUILDDIR        a terminal, a host reader, and somebody in between
"""
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', '..', 'scripts'))
import plant as P  # noqa: E402

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/test')
ROOT = os.path.join(BUILD, 'system', 'link')
LIMIT = 20
IP = '127.0.77.1'


class Wire(threading.Thread):
    """A TCP relay that may change what the terminal sends, record by record.

    change(n, record) gives the bytes that go on in place of the n-th record;
    None cuts the connection.
    """

    def __init__(self, to, change=None):
        super().__init__(daemon=True)
        self.to = to
        self.change = change or (lambda n, record: record)
        self.listener = socket.create_server((IP, 0))
        self.port = self.listener.getsockname()[1]
        self.records = []

    def run(self):
        while True:
            try:
                a, _ = self.listener.accept()
                b = socket.create_connection((IP, self.to))
            except OSError:
                return
            threading.Thread(target=self.back, args=(b, a), daemon=True).start()
            self.forth(a, b)

    def back(self, b, a):
        try:
            while data := b.recv(65536):
                a.sendall(data)
            a.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def forth(self, a, b):
        buf, n = b'', 0
        try:
            while data := a.recv(65536):
                buf += data
                while len(buf) >= 5 and len(buf) >= 5 + int.from_bytes(buf[3:5], 'big'):
                    size = 5 + int.from_bytes(buf[3:5], 'big')
                    out = self.change(n, buf[:size])
                    self.records.append(buf[:size])
                    buf, n = buf[size:], n + 1
                    if out is None:
                        a.close()
                        b.close()
                        return
                    b.sendall(out)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.root = os.path.join(ROOT, self._testMethodName)
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        self.procs, self.wires = [], []
        self.port = P.free_port([IP])
        self.run_ok('cardwright', 'setup', '--dir', self.path('c'),
                    '--terminal', 'line-1')

    def tearDown(self):
        for w in self.wires:
            w.stop()
        for p in self.procs:
            p.terminate()
            p.wait()

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.path(name), encoding='utf-8', errors='replace') as f:
            return f.read()

    def run_ok(self, name, *args):
        done = subprocess.run([P.find_program(BUILD, name), *args],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, log, name, *args):
        with open(self.path(log), 'ab') as f:
            p = subprocess.Popen([P.find_program(BUILD, name), *args],
                                 stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        self.procs.append(p)
        return p

    def enrol(self, keys, identity=None):
        self.run_ok('cardwright', 'reader', 'enrol', '--keys', self.path(keys),
                    identity or f'{IP}:{self.port}')

    def reader(self, *link):
        self.start('reader.log', 'cardwright-reader', '--reader',
                   f'{IP}:{self.port}=null', *link)
        self.wait('reader.log', 'reader.up')

    def terminal(self, port=None, keys='t.key', extra=''):
        self.identity = f'{IP}:{self.port}'
        with open(self.path('t.ini'), 'w', encoding='utf-8') as f:
            f.write(f'''[terminal]
name = line-1
journal = {self.path('journal')}
keys = {self.path(keys)}
[platform]
port = {P.free_port()}
ca = {self.path('c/ca.crt')}
cert = {self.path('c/terminal.line-1.crt')}
key = {self.path('c/terminal.line-1.key')}
[device]
port = {P.free_port()}
profile = {os.path.dirname(__file__)}/../../profiles/device/generic.ini
[station 1]
reader = {IP}:{port or self.port}
{extra or 'identity = ' + self.identity}
''')
        return self.start('line.log', 'cardwright-terminal', '-c', self.path('t.ini'))

    def wire(self, change=None):
        w = Wire(self.port, change)
        w.start()
        self.wires.append(w)
        return w

    def wait(self, log, pattern):
        end = time.monotonic() + LIMIT
        while not (m := re.search(pattern, self.text(log))):
            self.assertLess(time.monotonic(), end,
                            f'no "{pattern}" in {log}:\n{self.text(log)}')
            time.sleep(0.02)
        return m

    def test_secured(self):
        """A relay changes nothing: the link comes up, and nothing is readable."""
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        w = self.wire()
        self.terminal(w.port)
        self.wait('line.log', r'reader\.ready')
        self.wait('reader.log', r'link\.hello what="line-1"')
        self.assertNotIn(b'line-1', b''.join(w.records))
        self.assertTrue(all(r[0] == 23 for r in w.records[4:]))
        self.assertTrue(all(len(r) <= 5 + 4096 + 16 + 8 for r in w.records))

    def test_wrong_key(self):
        self.enrol('t.key')
        self.enrol('r.key')
        self.reader('--keys', self.path('r.key'))
        self.terminal()
        m = self.wait('line.log', r'reader\.down peer=(\S+) err=EDENIED why="([^"]*)"?.*')
        self.assertEqual(m.group(1), f'{IP}:{self.port}')
        self.assertIn('another key', m.group(0))
        self.assertIn('enrol', m.group(0))
        self.wait('reader.log', r'link\.denied conn=\d+ why=KEY')
        self.assertNotIn('link.hello', self.text('reader.log'))
        for line in self.text('t.key').splitlines() + self.text('r.key').splitlines():
            key = line.split()[1]
            self.assertNotIn(key, self.text('line.log') + self.text('reader.log'))

    def test_unknown_identity(self):
        self.enrol('t.key')
        self.enrol('t.key', 'other')
        self.reader('--keys', self.path('t.key'))
        self.terminal(extra='identity = other')
        m = self.wait('line.log', r'reader\.down .*')
        self.assertIn('no key of the identity', m.group(0))
        self.wait('reader.log', r'link\.denied conn=\d+ why=IDENTITY')

    def test_plain_reader(self):
        self.enrol('t.key')
        self.reader('--plain')
        self.terminal()
        m = self.wait('line.log', r'reader\.down .*')
        self.assertIn('does not speak TLS', m.group(0))
        self.assertNotIn('link.hello', self.text('reader.log'))

    def test_plain_terminal(self):
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        self.terminal(extra='link = plain')
        m = self.wait('line.log', r'reader\.down .*')
        self.assertIn('link = tls', m.group(0))
        self.wait('reader.log', r'link\.denied conn=\d+ why=PROTOCOL')

    def test_both_plain(self):
        self.reader('--plain')
        self.terminal(extra='link = plain')
        self.wait('line.log', r'reader\.ready')

    def refused(self, change):
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        w = self.wire(change)
        self.terminal(w.port)
        self.wait('reader.log', r'link\.denied conn=\d+ why=RECORD')
        m = self.wait('line.log', r'reader\.down .*')
        self.assertIn('record was changed', m.group(0))

    # records 0..3: hello, key exchange, change of cipher, finished; 4: HELLO
    def test_flipped_record(self):
        self.refused(lambda n, r: r[:-1] + bytes([r[-1] ^ 1]) if n == 4 else r)

    def test_replayed_record(self):
        self.refused(lambda n, r: r + r if n == 4 else r)

    def test_truncated_record(self):
        """Cut and followed by the next one: the length lies."""
        self.refused(lambda n, r: r[:3] + (len(r) - 13).to_bytes(2, 'big') + r[5:-8]
                     if n == 4 else r)

    def test_cut(self):
        """A connection that breaks in a record is only a lost link."""
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        once = []

        def cut(n, r):
            if n == 5 and not once:
                once.append(n)
                return None
            return r
        w = self.wire(cut)
        self.terminal(w.port)
        self.wait('line.log', r'reader\.down')
        self.wait('line.log', r'(?s)reader\.down.*reader\.ready')

    def test_replayed_handshake(self):
        """A recorded session, sent again by somebody without the key."""
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        w = self.wire()
        p = self.terminal(w.port)
        self.wait('line.log', r'reader\.ready')
        p.terminate()
        p.wait()
        s = socket.create_connection((IP, self.port))
        s.settimeout(LIMIT)
        s.sendall(b''.join(w.records))
        got = b''
        while data := s.recv(65536):
            got += data
        self.wait('reader.log', r'link\.denied conn=\d+ why=KEY')
        self.assertEqual(self.text('reader.log').count('link.hello'), 1)

    def test_key_file(self):
        """Files and options that must stop a program before it does anything."""
        self.enrol('t.key')
        os.chmod(self.path('t.key'), 0o640)
        self.assertEqual(self.terminal().wait(LIMIT), 1)
        self.assertIn('chmod 600', self.text('line.log'))
        os.chmod(self.path('t.key'), 0o600)
        self.assertEqual(self.terminal(extra='identity = nobody').wait(LIMIT), 1)
        self.assertIn('no key for the reader nobody', self.text('line.log'))
        self.assertEqual(self.terminal(keys='none.key').wait(LIMIT), 1)

    def test_enrol(self):
        """What is printed, and what is not; the check value is the console's."""
        out = self.run_ok('cardwright', 'reader', 'enrol', '--keys', self.path('t.key'), 'R1')
        key = self.text('t.key').split()[1]
        check = hashlib.sha256(b'cardwright link key' + bytes.fromhex(key)).hexdigest()[:8]
        self.assertIn(f'check value {check}', out)
        self.assertNotIn(key, out)
        out = self.run_ok('cardwright', 'reader', 'enrol', '--keys', self.path('t.key'), 'R2',
                          '--show')
        self.assertEqual(out, f'key enrol R2\n{self.text("t.key").split()[3]}\n')
        done = subprocess.run([P.find_program(BUILD, 'cardwright'), 'reader', 'enrol', '--keys',
                               self.path('t.key'), 'R1'], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn('has a key already', done.stderr)

    def test_scan(self):
        """Found by broadcast and by address, as what it is; floods are not answered."""
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'), '--name', 'left\nbank', '--serial', '5A' * 16)

        def scan(*args):
            found = json.loads(self.run_ok('cardwright', 'reader', 'scan', '--json', *args))
            return [r for r in found['readers'] if r['address'] == IP]
        for args in ((), ('--address', IP)):
            r, = scan(*args)
            self.assertEqual((r['port'], r['link'], r['state'], r['identity'], r['serial'],
                              r['name']),
                             (self.port, 'tls', 'free', f'{IP}:{self.port}', '5a' * 16,
                              'left bank'))
        self.terminal()
        self.wait('line.log', r'reader\.ready')
        self.assertEqual(scan('--address', IP)[0]['state'], 'served')

        head = b'CWRD\1\1\0\0' + bytes(8) + bytes(172)
        ask = head + zlib.crc32(head).to_bytes(4, 'big')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            for bad in (b'', b'x', ask[:-1], ask + b'x', ask[:-1] + b'\0', bytes(192)):
                s.sendto(bad, (IP, 7817))
            for _ in range(200):
                s.sendto(ask, (IP, 7817))
            got = []
            try:
                while len(got) < 200:
                    got.append(s.recv(4096))
            except socket.timeout:
                pass
        self.assertTrue(1 <= len(got) <= 40, len(got))
        self.assertTrue(all(len(g) == len(ask) and g[5] == 2 for g in got))

    def test_independent_client(self):
        """openssl s_client, with the only suite that firmware has."""
        self.enrol('t.key')
        self.reader('--keys', self.path('t.key'))
        identity, key = self.text('t.key').split()
        for suite, key, want in (('PSK-AES128-CCM', key, 'Cipher is PSK-AES128-CCM'),
                                 ('ECDHE-PSK-CHACHA20-POLY1305', key,
                                  'Cipher is ECDHE-PSK-CHACHA20-POLY1305'),
                                 ('PSK-AES128-CCM', '00' * 32, 'bad record mac'),
                                 ('PSK-AES128-CBC-SHA256', key, 'handshake failure')):
            done = subprocess.run(
                ['openssl', 's_client', '-connect', f'{IP}:{self.port}', '-tls1_2',
                 '-cipher', suite, '-psk_identity', identity, '-psk', key],
                input='', capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertIn(want, done.stdout + done.stderr)


if __name__ == '__main__':
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], warnings='ignore')
