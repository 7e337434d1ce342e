#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIM records through the whole line onto simulated UICCs, and read back.

    sim_test.py BUILDDIR

The way back has nothing in common with the way there: the cards that the good bin
kept are put into another cardwright-card, and this file talks to them, character by
character over the contact link: its own T=0, its own reading of the files, and
osmo-auc-gen for the challenge.
"""
import csv
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

REPO = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(REPO, 'scripts'))
import plant as P  # noqa: E402

COUNT = 200
USIM = 'A0000000871002'


class Contact:
    """The contact link (docs/spec/contact-link.md), blocking."""

    def __init__(self, port, first, body=b''):
        self.sock = socket.create_connection(('127.0.0.1', port))
        self.present = False
        self.say(first, body)

    def say(self, kind, body=b''):
        self.sock.sendall(struct.pack('>BBH', kind, 0, len(body)) + body)

    def take(self, count):
        buf = b''
        while len(buf) < count:
            more = self.sock.recv(count - len(buf))
            assert more, 'the contact link was closed'
            buf += more
        return buf

    def hear(self, *kinds):
        while True:
            kind, _, count = struct.unpack('>BBH', self.take(4))
            body = self.take(count)
            if kind == 0x81:
                self.present = body[0] == 1
            assert kind != 0x8A, body
            if kind in kinds:
                return kind, body


class Card:
    """T=0 at 372/1 (ISO/IEC 7816-3, clause 10)."""

    def __init__(self, port, station):
        self.link = Contact(port, 0x01, struct.pack('>H', station))
        self.link.hear(0x81)

    def reset(self):
        self.link.say(0x02, struct.pack('>I', 0))
        self.link.hear(0x82)
        self.link.say(0x02, struct.pack('>I', 3000))
        self.link.hear(0x82)
        self.link.say(0x03, b'\0')
        return self.listen(33)

    def listen(self, cap):
        self.link.say(0x06, struct.pack('>HI', cap, 9600))
        kind, body = self.link.hear(0x84, 0x85, 0x86)
        return body[6:] if kind == 0x84 else b''

    def exactly(self, count):
        buf = b''
        while len(buf) < count:
            more = self.listen(count - len(buf))
            assert more, 'the card is silent'
            buf += more
        return buf

    def send(self, chars):
        self.link.say(0x05, chars)
        count, _ = struct.unpack('>HI', self.link.hear(0x83)[1])
        assert count == len(chars)

    def command(self, head, data=b'', want=0):
        """One exchange: (data, SW)."""
        self.send(head + bytes([len(data) if data else want]))
        out = b''
        while True:
            ack = self.exactly(1)[0]
            if ack == 0x60:
                continue
            if ack == head[1] and data:
                self.send(data)
                data = b''
            elif ack == head[1]:
                out = self.exactly(want or 256)
            else:
                return out, ack << 8 | self.exactly(1)[0]

    def apdu(self, head, data='', want=0):
        head, data = bytes.fromhex(head), bytes.fromhex(data)
        out, sw = self.command(head, data, want)
        if sw >> 8 == 0x6C:
            out, sw = self.command(head, data, sw & 0xFF)
        if sw >> 8 == 0x61:
            out, sw = self.command(bytes.fromhex('00C00000'), b'', sw & 0xFF)
        return out.hex(), sw

    def ok(self, *what):
        out, sw = self.apdu(*what)
        assert sw == 0x9000, f'{what[0]}: {sw:04X}'
        return out

    def binary(self, path, count):
        self.ok('00A4080C', path)
        return self.ok('00B00000', '', count)

    def record(self, path, number, count):
        self.ok('00A4080C', path)
        return self.ok(f'00B2{number:02X}04', '', count)


def swap(text):
    return ''.join(text[i + 1] + text[i] for i in range(0, len(text), 2))


def digits(ef):
    return swap(ef).rstrip('f')


def padded(text):
    return text.encode().hex().ljust(16, 'f')


def challenge(row, sqn):
    """(RAND, AUTN, the answer that is due), by osmo-auc-gen; None without it."""
    if shutil.which('osmo-auc-gen') is None:
        return None
    rnd = os.urandom(16).hex()
    out = subprocess.run(['osmo-auc-gen', '-3', '-a', 'MILENAGE', '-k', row['ki'], '-o',
                          row['opc'], '-r', rnd, '-f', '8000', '-s', str(sqn)],
                         capture_output=True, text=True, check=True).stdout
    v = dict(line.split(':\t') for line in out.splitlines() if ':\t' in line)
    return rnd, v['AUTN'], 'db08' + v['RES'] + '10' + v['CK'] + '10' + v['IK']


def check(card, row):
    """Every field of the row, from the card itself."""
    atr = card.reset()
    assert b'CWUICC1' in atr, atr.hex()
    assert digits(card.binary('2FE2', 10)) == row['iccid']
    card.ok('00A4040C', USIM)
    out, sw = card.apdu('00B08700', '', 9)
    assert sw == 0x6982, 'the IMSI can be read without PIN1'
    card.ok('00200001', padded(row['pin1']))
    ef = card.binary('7FFF6F07', 9)
    assert int(ef[:2], 16) == 1 + len(row['imsi']) // 2
    assert digits(ef[2:])[1:] == row['imsi'], (ef, row['imsi'])
    assert card.binary('7FFF6F78', 2) == row['acc']
    number = card.record('7F106F40', 1, 28)[28:]
    size = int(number[:2], 16)
    assert digits(number[4:4 + 2 * (size - 1)]) == row['msisdn']
    assert card.binary('7FFF6FAD', 4) == '00000002'
    due = challenge(row, 33)
    if due is not None:
        card.ok('00A4040C', USIM)
        got = card.ok('00880081', '10' + due[0] + '10' + due[1])
        assert got == due[2], 'Ki or OPc is not that of the row'
    _, sw = card.apdu('0020000A', '3838383838383838')
    assert sw == 0x63C2, 'the transport key still opens the card'
    card.ok('0020000A', padded(row['adm1']))
    assert card.binary('7F996F01', 16) == row['ki']
    assert card.binary('7F996F02', 16) == row['opc']
    for i, name in enumerate(('pin1', 'puk1', 'pin2', 'puk2')):
        assert card.record('7F996F03', i + 1, 16)[:16] == padded(row[name]), name
    card.ok('002C0001', padded(row['puk1']) + padded('9876'))
    card.ok('00200001', padded('9876'))


def read_back(build, folder, numbers, rows):
    """The kept cards, one after the other, at one station."""
    port = P.free_port()
    with subprocess.Popen([P.find_program(build, 'cardwright-card'), '--uicc', folder,
                           '--listen', f'127.0.0.1:{port}', '--stations', '1',
                           '--log', 'error']) as proc:
        try:
            for _ in range(100):
                try:
                    hand = Contact(port, 0x07)
                    break
                except OSError:
                    time.sleep(0.05)
            card = Card(port, 1)
            seen = set()
            for number in numbers:
                hand.say(0x08, struct.pack('>HI', 1, number))
                _, _, err = struct.unpack('>HIh', hand.hear(0x87)[1])
                assert err == 0, err
                iccid = iccid_of(card)
                assert iccid in rows and iccid not in seen, iccid
                seen.add(iccid)
                check(card, rows[iccid])
                hand.say(0x09, struct.pack('>HB', 1, 1))
                hand.hear(0x88)
            return seen
        finally:
            proc.terminate()


def iccid_of(card):
    card.reset()
    return digits(card.binary('2FE2', 10))


def main():
    build = sys.argv[1]
    root = os.path.join(build, 'system', 'sim')
    plant = P.Plant(build, root, 1, 4, blanks=COUNT + 20, feed_ms=2, move_ms=2,
                    card_args=['--uicc', os.path.join(REPO, 'profiles', 'cards', 'usim.txt'),
                               '--save', os.path.join(root, 'kept')])
    data = os.path.join(REPO, 'examples', 'sim-200.csv')
    try:
        plant.up()
        os.makedirs(os.path.join(root, 'kept'), exist_ok=True)
        begin = time.monotonic()
        order = plant.submit('--profile', 'usim-generic', '--data', data, '--cos',
                             os.path.join(REPO, 'examples', 'cos-4k.hex'))
        plant.wait_order(order, 60)
        took = time.monotonic() - begin
        report = plant.report(order)
        assert report['records']['issued'] == COUNT, report
        good = [c['card_no'] for c in plant.cards() if c['bin'] == 'good']
    finally:
        plant.__exit__()
    with open(data, newline='', encoding='utf-8') as f:
        rows = {r['iccid']: r for r in csv.DictReader(f)}
    seen = read_back(build, os.path.join(root, 'kept'), good, rows)
    assert seen == set(rows), 'a record is on no card'
    print(f'{len(seen)} cards read back and compared, order took {took:.1f} s')


if __name__ == '__main__':
    main()
