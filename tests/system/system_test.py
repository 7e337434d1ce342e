#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real programs on loopback: whole orders, killed parts, bad peers.

    system_test.py BUILDDIR [TestClass[.test_name] ...]

Each test starts its own factory in BUILDDIR/system/NAME and leaves its logs
there.  What is asserted at the end of every order: the books add up, every
record is issued, and the cards in the bins say the same when they are read one
by one.
"""
import csv
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import unittest
import zlib
from contextlib import closing

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(REPO, 'scripts'))
import plant as P  # noqa: E402

BUILD = 'build/test'
COS = os.path.join(REPO, 'examples', 'cos-4k.hex')


def frame(kind, body=b'', version=1, ident=1, magic=0x4357, length=None):
    """A frame of the reader link, as docs/spec/framing.md has it."""
    head = struct.pack('>HBBII', magic, version, kind,
                       len(body) if length is None else length, ident)
    hcrc = zlib.crc32(head)
    return head + struct.pack('>II', hcrc, zlib.crc32(body) ^ hcrc) + body


def read_frame(sock):
    """(type, body) of the next frame; None when the peer closes."""
    head = b''
    while len(head) < 20:
        more = sock.recv(20 - len(head))
        if not more:
            return None
        head += more
    _, _, kind, length, _ = struct.unpack('>HBBII', head[:12])
    body = b''
    while len(body) < length:
        body += sock.recv(length - len(body))
    return kind, body


class Line(unittest.TestCase):
    """Common ground: a factory per test."""
    opt = {}
    lines = 1
    readers = 2
    count = 24

    def setUp(self):
        name = self.id().split('.', 1)[1]
        self.plant = P.Plant(BUILD, os.path.join(BUILD, 'system', name),
                             self.lines, self.readers,
                             **{'blanks': 400, 'feed_ms': 2, 'move_ms': 2, **self.opt})

    def tearDown(self):
        self.plant.__exit__()

    def records(self, count=None, start=1):
        path = os.path.join(self.plant.root, f'records-{start}.csv')
        with open(path, 'wb') as f:
            subprocess.run([os.path.join(REPO, 'scripts', 'make-csv.sh'),
                            str(count or self.count), '--first', str(start)],
                           stdout=f, check=True)
        return path

    def submit(self, *more, count=None, cos=COS):
        data = self.records(count)
        args = ['--profile', 'sim-demo', '--data', data]
        if cos:
            args += ['--cos', cos]
        return self.plant.submit(*args, *more), data

    def settle(self, order, data, limit=90):
        """The order ends, and everything adds up, in the books and in the bins."""
        self.plant.wait_order(order, limit)
        report = self.report_when_settled(order)
        with open(data, newline='', encoding='utf-8') as f:
            want = {r['iccid']: r for r in csv.DictReader(f)}
        self.assertTrue(report['adds_up'], report.get('why'))
        self.assertEqual(report['records']['issued'], len(want), report)
        good = {}
        for card in self.plant.cards():
            if card['bin'] != 'good':
                continue
            self.assertNotIn(card['iccid'], good, 'a record is on two good cards')
            self.assertEqual(card['imsi'], want[card['iccid']]['imsi'])
            good[card['iccid']] = card
        self.assertEqual(set(good), set(want))
        return report

    def report_when_settled(self, order):
        end = time.monotonic() + 15
        while True:
            report = self.plant.report(order)
            if report.get('settled', True) or time.monotonic() > end:
                return report
            time.sleep(0.2)

    def wait_issued(self, order, count, limit=60):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            _, out = self.plant.ask('order', 'report', order)
            if isinstance(out, dict) and out['records']['issued'] >= count:
                return
            time.sleep(0.02)
        self.fail(f'fewer than {count} records issued after {limit} s')


class Orders(Line):
    def test_whole_order_and_clean_stop(self):
        self.plant.up()
        order, data = self.submit()
        report = self.settle(order, data)
        self.assertEqual(report['cos']['sent'], self.readers)
        self.assertEqual(self.plant.down(), [])

    def test_second_order_skips_the_image(self):
        self.plant.up()
        order, _ = self.submit()
        self.plant.wait_order(order)
        data = self.records(start=1000)
        order = self.plant.submit('--profile', 'sim-demo', '--cos', COS, '--data', data)
        self.plant.wait_order(order)
        _, lines = self.plant.ask('line', 'list')
        text = str(lines)
        self.assertIn("'cos_sent': 2", text, 'the image went over the wire again')

    def test_same_file_twice_is_refused(self):
        self.plant.up()
        order, data = self.submit()
        self.plant.wait_order(order)
        code, out = self.plant.ask('order', 'submit', '--profile', 'sim-demo',
                                   '--cos', COS, '--data', data, '--name', 'again')
        self.assertEqual(code, 5, out)

    def test_cos_only_and_trace(self):
        self.plant.up()
        order = self.plant.submit('--profile', 'cos-only', '--cos', COS, '--count', '5')
        self.plant.wait_order(order)
        report = self.report_when_settled(order)
        self.assertEqual(report['records']['issued'], 5)

    def test_profile_answers_the_card(self):
        """The record's commands are made only after the card has said something."""
        write = self.plant.write_platform
        self.plant.write_platform = lambda: (write(), self.asking_profile())
        self.plant.up()
        data = self.records()
        order = self.plant.submit('--profile', 'ask-demo', '--cos', COS, '--data', data)
        self.settle(order, data)

    def asking_profile(self):
        """sim-demo, but that record() reads and asks, and answer() does the rest."""
        folder = os.path.join(self.plant.root, 'profiles')
        shutil.copytree(os.path.join(REPO, 'profiles'), folder)
        with open(os.path.join(folder, 'sim-demo.lua'), encoding='utf-8') as f:
            text = f.read().replace('"sim-demo"', '"ask-demo"')
        text = text.replace('\tcard.reset {}\n\tcard.pps {}\n',
                            '\tassert(captured[2] == string.rep("FF", 10))\n')
        text = text.replace('function record(fields, job)', '''function record(fields, job)
\tcard.reset {}
\tcard.pps {}
\tcard.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = "2FE2", needs_cos = true }
\tcard.apdu { ins = 0xB0, le = 10 }
\tcard.capture { id = 2 }
\tcard.ask()
\tcard.off()
end

function answer(fields, job, captured)''')
        with open(os.path.join(folder, 'ask-demo.lua'), 'w', encoding='utf-8') as f:
            f.write(text)
        path = self.plant.conf('platform.ini')
        with open(path, encoding='utf-8') as f:
            ini = f.read().replace(f'{REPO}/profiles', folder)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(ini)

    def test_data_without_cos_reports_no_cos(self):
        self.plant.up()
        order, _ = self.submit(count=2, cos=None)
        self.plant.wait_order(order)
        report = self.report_when_settled(order)
        self.assertEqual(report['records']['issued'], 0)
        self.assertEqual(report['records']['failed'], 2)
        self.assertIn('no-cos', str(report))

    def test_bound_to_reader(self):
        self.plant.up()
        data = self.records(6)
        with open(data, encoding='utf-8') as f:
            rows = f.read().splitlines()
        with open(data, 'w', encoding='utf-8') as f:
            f.write(rows[0] + ',card_address\n')
            for r in rows[1:]:
                f.write(f'{r},{self.plant.reader_ip(0, 1)}\n')
        order = self.plant.submit('--profile', 'sim-demo', '--cos', COS, '--data', data)
        self.settle(order, data)
        _, readers = self.plant.ask('reader', 'list')
        done = {r['reader']: r['good'] for r in
                (readers if isinstance(readers, list) else readers['readers'])}
        self.assertEqual(done[self.plant.reader_ip(0, 1)], 6)
        self.assertEqual(done[self.plant.reader_ip(0, 0)], 0)

    def test_bound_to_a_reader_that_nobody_has(self):
        self.plant.up()
        data = self.records(2)
        with open(data, encoding='utf-8') as f:
            rows = f.read().splitlines()
        with open(data, 'w', encoding='utf-8') as f:
            f.write(rows[0] + ',card_address\n')
            f.write(''.join(f'{r},127.9.9.9\n' for r in rows[1:]))
        order = self.plant.submit('--profile', 'sim-demo', '--cos', COS, '--data', data)
        end = time.monotonic() + 10
        out = {'waits': None}
        while '127.9.9.9' not in str(out['waits']) and time.monotonic() < end:
            _, out = self.plant.ask('order', 'show', order)
            time.sleep(0.1)
        self.assertEqual(out['waits'],
                         'waits for reader 127.9.9.9: no connected line has it')
        self.plant.ask('order', 'cancel', order)
        self.plant.wait_order(order)

    def test_pause_resume_cancel(self):
        self.plant.up()
        order, data = self.submit(count=200)
        self.wait_issued(order, 3)
        self.assertEqual(self.plant.ask('order', 'pause', order)[0], 0)
        time.sleep(1)
        held = self.plant.report(order)['records']['issued']
        time.sleep(1)
        self.assertEqual(self.plant.report(order)['records']['issued'], held)
        self.assertEqual(self.plant.ask('order', 'resume', order)[0], 0)
        self.wait_issued(order, held + 3)
        self.assertEqual(self.plant.ask('order', 'cancel', order)[0], 0)
        self.plant.wait_order(order)
        report = self.report_when_settled(order)
        rec = report['records']
        self.assertTrue(report['adds_up'], report.get('why'))
        self.assertEqual(rec['issued'] + rec['failed'] + rec['in-doubt'] + rec['cancelled'], 200)
        self.assertGreater(rec['cancelled'], 0)


    def test_paused_order_frees_the_line(self):
        self.plant.up()
        first, data = self.submit(count=100)
        self.wait_issued(first, 3)
        self.assertEqual(self.plant.ask('order', 'pause', first)[0], 0)
        second = self.plant.submit('--profile', 'sim-demo', '--cos', COS,
                                   '--data', self.records(20, start=9000))
        self.plant.wait_order(second, 20)
        self.assertEqual(self.plant.report(second)['records']['issued'], 20)
        self.assertEqual(self.plant.ask('order', 'resume', first)[0], 0)
        self.plant.wait_order(first, 60)
        self.assertEqual(self.plant.report(first)['records']['issued'], 100)


class Protocols(Line):
    """T=1 is another way to the same card: nothing else may differ."""
    kept = ('iccid', 'imsi', 'ki_sha256', 'msisdn', 'acc', 'cos')

    def content(self, *card_args, faults=None):
        self.opt = {'card_args': list(card_args), 'faults': {0: faults or []}}
        self.setUp()
        self.plant.up()
        order, data = self.submit()
        self.settle(order, data)
        self.assertEqual(self.plant.down(), [])
        return sorted(tuple(c[k] for k in self.kept) for c in self.plant.cards()
                      if c['bin'] == 'good')

    def test_same_cards(self):
        want = self.content('--protocol', 't0')
        self.assertEqual(len(want), self.count)
        self.assertEqual(self.content('--protocol', 't1'), want)
        self.assertEqual(self.content('--protocol', 't1', '--crc', '--ifsc', '32',
                                      '--inverse', '--ta1', '97'), want)
        self.assertEqual(self.content(
            '--protocol', 't1', '--write-us', '900',
            faults=['3=edc:5', '4=block-lost:9', '5=number:12', '6=char-lost:700',
                    '7=stuck:20', '8=abort:7', '9=char-mute:900']), want)


class Faults(Line):
    opt = {'faults': {0: ['3=mute', '5=sw:4=6581', '8=no-boot', '11=pulled:9',
                          '14=hang:7', '17=bad-write:9', '20=parity:50', '22=atr']}}

    def test_faulty_blanks_are_remade(self):
        self.plant.up()
        # a record may meet one bad blank after the other
        order, data = self.submit('--remake', '9')
        report = self.settle(order, data)
        cards = report['cards']
        self.assertEqual(cards['drawn'], cards['good'] + cards['reject'] + cards['in-doubt'])
        self.assertGreaterEqual(cards['reject'] + cards['in-doubt'], 6)


class Remade(Line):
    opt = {'faults': {0: ['3=sw:4=6581', '5=bad-write:9', '8=hang:7']}}

    def test_records_of_an_order_that_is_done(self):
        self.plant.up()
        order, data = self.submit('--remake', '1')
        self.plant.wait_order(order)
        report = self.report_when_settled(order)
        bad = report['records']['failed'] + report['records']['in-doubt']
        self.assertEqual(bad, 3, report)
        code, out = self.plant.ask('order', 'remake', order)
        self.assertEqual(code, 0, out)
        report = self.settle(order, data)
        self.assertEqual(report['cards']['drawn'], self.count + bad)


class Killed(Line):
    count = 60

    def kill_and_settle(self, name, pause):
        self.plant.up()
        order, data = self.submit()
        for at in (8, 25):
            self.wait_issued(order, at)
            self.plant.kill(name)
            time.sleep(pause)
            self.plant.start(name)
        return self.settle(order, data)

    def test_terminal(self):
        report = self.kill_and_settle('line-1', 0.2)
        # only cards that were in a station at a crash may be in doubt
        self.assertLessEqual(report['cards']['in-doubt'], 2 * self.readers)

    def test_platform(self):
        report = self.kill_and_settle('platform', 0.5)
        self.assertEqual(report['cards']['in-doubt'], 0)

    def test_reader(self):
        report = self.kill_and_settle('reader-1.1', 0.5)
        self.assertLessEqual(report['cards']['in-doubt'] + report['cards']['reject'], 2)

    def test_device(self):
        self.kill_and_settle('device-1', 0.5)


class Restored(Line):
    """The platform's database is set back to a backup; the journals know better."""
    lines = 2

    def backup(self, path):
        with closing(sqlite3.connect(f'{self.plant.root}/platform.db')) as db, \
                closing(sqlite3.connect(path)) as to:
            db.backup(to)

    def restore(self, path):
        for tail in ('', '-wal', '-shm'):
            if os.path.exists(f'{self.plant.root}/platform.db{tail}'):
                os.unlink(f'{self.plant.root}/platform.db{tail}')
        shutil.copy(path, f'{self.plant.root}/platform.db')
        os.chmod(f'{self.plant.root}/platform.db', 0o600)

    def counts(self, order):
        return self.plant.report(order)['records']

    def test_no_record_is_given_out_again(self):
        self.plant.up()
        order, data = self.submit(count=120)
        self.wait_issued(order, 10)
        kept = os.path.join(self.plant.root, 'backup.db')
        self.backup(kept)
        self.wait_issued(order, 60)
        self.plant.kill('platform')
        self.plant.kill('line-2')
        self.restore(kept)
        self.plant.argv['platform'].append('--restored')
        self.plant.start('platform')

        # line-1 tells at once; nothing goes out before line-2 has
        self.wait_issued(order, 11)
        time.sleep(2)
        held = self.counts(order)
        time.sleep(1)
        self.assertEqual(self.counts(order), held)
        self.assertGreater(held['open'], 0)
        self.assertIn('platform.restored', self.plant.tail('platform', 400))

        # durable: a second start without the option still waits
        self.plant.kill('platform')
        self.plant.argv['platform'].remove('--restored')
        self.plant.start('platform')
        time.sleep(2)
        self.assertEqual(self.counts(order), held)
        self.plant.start('line-2')
        report = self.settle(order, data)
        self.assertEqual(report['cards']['drawn'], report['cards']['good'] +
                         report['cards']['reject'] + report['cards']['in-doubt'])

    def test_one_line_finds_out_by_itself(self):
        self.lines = 1
        self.plant.lines = 1
        self.plant.up()
        order, data = self.submit(count=80)
        self.wait_issued(order, 5)
        kept = os.path.join(self.plant.root, 'backup.db')
        self.backup(kept)
        self.wait_issued(order, 40)
        self.plant.kill('platform')
        self.restore(kept)
        self.plant.start('platform')
        self.settle(order, data)
        self.assertRegex(self.plant.tail('line-1', 400), 'platform.forgot|platform.settled')


class Jams(Line):
    opt = {'device_args': ['--jam-every', '9']}

    def test_device_jams(self):
        self.plant.up()
        order, data = self.submit()
        self.settle(order, data)


class Plain(Line):
    """Without TLS towards the readers: test orders, and peers by hand."""
    opt = {'plain': True}

    def test_second_terminal_is_refused_by_reader(self):
        self.plant.up()
        with socket.create_connection((self.plant.reader_ip(0, 0), self.plant.reader_port)) as s:
            s.settimeout(5)
            s.sendall(frame(0x01, b'\x05thief' + bytes(8)))
            kind, body = read_frame(s)
            self.assertEqual(kind, 0x83)
            self.assertEqual(struct.unpack('>h', body[:2])[0], -12)
            self.assertIn(b'line-1', body)
            self.assertIsNone(read_frame(s))
        order, data = self.submit()
        self.settle(order, data)

    def test_bad_frames_close_only_their_link(self):
        self.plant.up()
        bad = [frame(0x01, b'\x01x' + bytes(8), version=9),
               frame(0x01, b'', length=1 << 30), frame(0x7F, b'??'),
               b'GET / HTTP/1.1\r\n\r\n' + bytes(40), frame(0x01, b'', magic=0x1234)]
        for data in bad:
            with socket.create_connection((self.plant.reader_ip(0, 0),
                                           self.plant.reader_port)) as s:
                s.settimeout(5)
                s.sendall(data)
                while True:
                    try:
                        if not s.recv(4096):
                            break
                    except ConnectionResetError:
                        break
        order, data = self.submit()
        self.settle(order, data)

    def test_production_order_is_refused(self):
        self.plant.up()
        order, _ = self.submit('--production')
        end = time.monotonic() + 20
        while True:
            show = self.plant.ask('order', 'show', order)[1]
            if show['state'] == 'blocked':
                break
            self.assertLess(time.monotonic(), end, show)
            time.sleep(0.05)
        self.assertIn('its link is plain', json.dumps(show))
        self.assertEqual(show['records']['issued'], 0)
        self.assertFalse([c for c in self.plant.cards() if c['bin'] == 'good'])


class Peers(Line):
    def test_reader_down_at_start(self):
        self.plant.make()
        late = 'reader-1.2'
        for name in sorted(self.plant.argv, key=lambda n: n.startswith('line')):
            if name != late:
                self.plant.start(name)
        self.plant.wait_ready()
        # production: every link here is secured; more than one reader does before it is back
        order, data = self.submit('--production', count=150)
        self.wait_issued(order, 4)
        self.plant.start(late)
        report = self.settle(order, data)
        self.assertEqual(report['cos']['sent'], 2)

    def test_no_certificate_no_entry(self):
        self.plant.up()
        at = f'127.0.0.1:{self.plant.link_port}'
        hello = subprocess.run(
            ['openssl', 's_client', '-connect', at, '-tls1_3', '-ign_eof'],
            input=frame(0x01, bytes(80)), capture_output=True, timeout=20, check=False)
        self.assertNotIn(b'CW\x01\x81', hello.stdout, 'a WELCOME without a certificate')
        other = os.path.join(self.plant.root, 'other')
        subprocess.run([self.plant.prog('cardwright'), 'setup', '--dir', other,
                        '--terminal', 'line-1'], check=True, capture_output=True)
        ini = self.plant.conf('line-1.ini')
        with open(ini, encoding='utf-8') as f:
            text = f.read()
        stem = 'terminal.line-1' if os.path.exists(f'{other}/terminal.line-1.crt') else 'line-1'
        text = text.replace(self.plant.conf(f'{stem}.'), f'{other}/{stem}.')
        text = text.replace('line-1.journal', 'foreign.journal')
        foreign = os.path.join(self.plant.root, 'foreign.ini')
        with open(foreign, 'w', encoding='utf-8') as f:
            f.write(text)
        self.plant.kill('line-1', signal.SIGTERM)
        self.plant.argv['line-x'] = [self.plant.prog('cardwright-terminal'), '-c', foreign]
        self.plant.start('line-x')
        time.sleep(2)
        _, lines = self.plant.ask('line', 'list')
        rows = lines if isinstance(lines, list) else lines['lines']
        self.assertFalse([r for r in rows if r.get('connected', True)], lines)

    def test_port_in_use_names_address_and_remedy(self):
        self.plant.up()
        for name in ('platform', 'card-1', 'device-1', 'reader-1.1'):
            done = subprocess.run(self.plant.argv[name], capture_output=True, text=True,
                                  timeout=20, cwd=REPO, check=False)
            self.assertNotIn(done.returncode, (0, -6, -11), name)
            text = done.stderr + done.stdout
            self.assertRegex(text, r'in use|held by|already|another', name)

    def test_second_terminal_on_the_same_journal(self):
        self.plant.up()
        done = subprocess.run(self.plant.argv['line-1'], capture_output=True, text=True,
                              timeout=20, cwd=REPO, check=False)
        self.assertNotIn(done.returncode, (0, -6, -11))
        self.assertIn('journal', done.stderr + done.stdout)


@unittest.skipUnless(os.geteuid() == 0, 'needs root to mount a small file system')
class DiskFull(Line):
    def test_full_disk_stops_before_a_card_is_exposed(self):
        self.plant.make()
        small = os.path.join(self.plant.root, 'line-1.journal')
        os.makedirs(small, exist_ok=True)
        mount = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small],
                               capture_output=True, check=False)
        if mount.returncode != 0:
            self.skipTest('mount is not allowed here')
        try:
            hog = os.path.join(small, 'hog')
            with open(hog, 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError:
                    pass
            for name in sorted(self.plant.argv, key=lambda n: n.startswith('line')):
                self.plant.start(name)
            order, data = None, self.records()
            end = time.monotonic() + 10
            while order is None and time.monotonic() < end:
                code, out = self.plant.ask('order', 'submit', '--profile', 'sim-demo',
                                           '--cos', COS, '--data', data)
                if code == 0:
                    order = str(out.get('order', out.get('id')))
                time.sleep(0.1)
            time.sleep(2)
            self.assertEqual([c for c in self.plant.cards() if c['bin'] != 'hopper'], [],
                             'a card was drawn although the journal has no room')
            self.assertIn('space', self.plant.tail('line-1', 50))
            os.unlink(hog)
            if self.plant.procs['line-1'].poll() is not None:
                self.plant.procs.pop('line-1')
                self.plant.start('line-1')
            self.settle(order, data)
        finally:
            self.plant.__exit__()
            subprocess.run(['umount', '-l', small], check=False)


@unittest.skipUnless(os.geteuid() == 0, 'needs root to mount a small file system')
class DatabaseFull(Line):
    count = 100

    def readyz(self):
        with socket.create_connection(('127.0.0.1', self.plant.http_port)) as s:
            s.sendall(b'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
            return int(s.makefile('rb').readline().split()[1])

    def test_nothing_is_lost_and_no_restart_needed(self):
        self.plant.make()
        small = os.path.join(self.plant.root, 'small')
        os.makedirs(small)
        mount = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small],
                               capture_output=True, check=False)
        if mount.returncode != 0:
            self.skipTest('mount is not allowed here')
        try:
            path = self.plant.conf('platform.ini')
            with open(path, encoding='utf-8') as f:
                ini = f.read().replace(f'{self.plant.root}/platform.db', f'{small}/platform.db')
            with open(path, 'w', encoding='utf-8') as f:
                f.write(ini)
            for name in sorted(self.plant.argv, key=lambda n: n.startswith('line')):
                self.plant.start(name)
            self.plant.wait_ready()
            order, data = self.submit()
            self.wait_issued(order, 10)
            hog = os.path.join(small, 'hog')
            with open(hog, 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(512))
                except OSError:
                    pass
            time.sleep(2)
            self.assertEqual(self.readyz(), 503)
            code, out = self.plant.ask('order', 'pause', order)
            self.assertEqual(code, 3, out)
            self.assertIn('make room', str(out))
            code, out = self.plant.ask('order', 'show', order)
            self.assertIn('the database cannot record: no space', str(out['waits']))
            log = self.plant.tail('line-1', 50)
            self.assertIn('database cannot record: no space', log)
            self.assertNotIn('address in', log[log.index('platform.denied'):])
            os.unlink(hog)
            self.settle(order, data)
            self.assertEqual(self.readyz(), 200)
        finally:
            self.plant.__exit__()
            subprocess.run(['umount', '-l', small], check=False)


class Secrets(Line):
    def test_no_secret_at_rest_or_in_logs(self):
        self.plant.up()
        order, data = self.submit()
        with open(data, newline='', encoding='utf-8') as f:
            rows = list(csv.DictReader(f))
        needles = []
        for r in rows:
            for key in ('ki', 'opc'):
                needles += [r[key].lower().encode(), r[key].upper().encode(),
                            bytes.fromhex(r[key])]
            needles.append(r['adm1'].encode())
        self.settle(order, data)
        self.plant.ask('trace', rows[0]['iccid'])
        self.plant.down()
        for folder, _, files in os.walk(self.plant.root):
            for name in files:
                path = os.path.join(folder, name)
                if path == data:
                    continue
                with open(path, 'rb') as f:
                    content = f.read()
                for needle in needles:
                    self.assertNotIn(needle, content, f'a secret stands in {path}')


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        BUILD = sys.argv.pop(1)
    unittest.main(verbosity=2)
