#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host of its own on the simulated GlobalPlatform card.

Written from the standards with another crypto library, so that lib/gp does not
vouch for itself: SCP03 with C-MAC, C-ENC, R-MAC and R-ENC; a load file of 30 KB,
INSTALL, STORE DATA, PUT KEY, and a session with the new keys.  It plays the
virtual reader to which `cardwright-card --vpcd` connects.

usage: gp_host_test.py CARDWRIGHT-CARD       exit: 0 passed, 77 skipped
"""
import os
import socket
import struct
import subprocess
import sys

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.cmac import CMAC
except ImportError:
    print('SKIP: python3-cryptography is not installed')
    sys.exit(77)


def cmac(key, data):
    m = CMAC(algorithms.AES(key))
    m.update(data)
    return m.finalize()


def ecb(key, data):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data)


def cbc(key, iv, data, decrypt=False):
    c = Cipher(algorithms.AES(key), modes.CBC(iv))
    return (c.decryptor() if decrypt else c.encryptor()).update(data)


def kdf(key, constant, context, bits):
    """Amendment D, 4.1.5; one block is enough for AES-128."""
    label = bytes(11) + bytes([constant, 0]) + struct.pack('>H', bits)
    return cmac(key, label + b'\1' + context)[:bits // 8]


class Reader:
    def __init__(self, program):
        server = socket.socket()
        server.bind(('127.0.0.1', 0))
        server.listen(1)
        server.settimeout(20)
        self.card = subprocess.Popen([
            program, '--listen', '127.0.0.1:0', '--gp', 'scp03,active', '--feed',
            '--protocol', 't1', '--log', 'error',
            '--vpcd', '127.0.0.1:%d' % server.getsockname()[1]])
        self.link = server.accept()[0]
        self.link.settimeout(20)
        self.send(b'\1')
        self.send(b'\4')
        assert b'CWGPCS1' in self.receive()

    def send(self, data):
        self.link.sendall(struct.pack('>H', len(data)) + data)

    def receive(self):
        def take(n):
            got = b''
            while len(got) < n:
                more = self.link.recv(n - len(got))
                assert more, 'the card hung up'
                got += more
            return got
        return take(struct.unpack('>H', take(2))[0])

    def apdu(self, data):
        self.send(data)
        return self.receive()

    def close(self):
        self.link.close()
        self.card.terminate()
        assert self.card.wait(20) in (0, -15)


class Session:
    """Level 33, S8."""

    def __init__(self, reader, key, version):
        challenge = os.urandom(8)
        r = reader.apdu(bytes([0x80, 0x50, version, 0, 8]) + challenge + b'\0')
        assert r[-2:] == b'\x90\0', r.hex()
        context = challenge + r[13:21]
        self.reader, self.chain, self.count = reader, bytes(16), 0
        self.enc, self.mac, self.rmac = (kdf(key, c, context, 128) for c in (4, 6, 7))
        assert kdf(self.mac, 0, context, 64) == r[21:29], 'card cryptogram'
        command = bytes([0x84, 0x82, 0x33, 0, 16]) + kdf(self.mac, 1, context, 64)
        self.chain = cmac(self.mac, self.chain + command)
        r = reader.apdu(command + self.chain[:8])
        assert r == b'\x90\0', r.hex()

    def run(self, ins, p1, p2, data=b''):
        self.count += 1
        block = self.count.to_bytes(16, 'big')
        if data:
            data += b'\x80'
            data = cbc(self.enc, ecb(self.enc, block), data + bytes(-len(data) % 16))
        command = bytes([0x84, ins, p1, p2, len(data) + 8]) + data
        self.chain = cmac(self.mac, self.chain + command)
        r = self.reader.apdu(command + self.chain[:8] + b'\0')
        assert r[-2:] == b'\x90\0', 'INS %02X: %s' % (ins, r.hex())
        body = r[:-10]
        assert cmac(self.rmac, self.chain + body + r[-2:])[:8] == r[-10:-2], 'R-MAC'
        if body:
            icv = ecb(self.enc, b'\x80' + block[1:])
            body = cbc(self.enc, icv, body, True).rstrip(b'\0')[:-1]
        return body


def component(tag, body):
    return bytes([tag]) + struct.pack('>H', len(body)) + body


def main():
    reader = Reader(sys.argv[1])
    old, new = bytes(range(0x40, 0x50)), os.urandom(16)
    package = bytes.fromhex('d27600008501')
    app = package + b'\1'
    assert reader.apdu(bytes.fromhex('00a4040000'))[-2:] == b'\x90\0'

    s = Session(reader, old, 0)
    assert b'\x9f\x70\x01\x01' in s.run(0xF2, 0x80, 2, b'\x4f\0')
    code = component(1, bytes.fromhex('decaffed0102040001') + b'\6' + package)
    code += component(2, bytes(31)) + component(4, b'\0')
    code += component(3, b'\1\7' + app + b'\0\1') + component(6, bytes(9))
    code += component(7, os.urandom(30000)) + component(8, bytes(10))
    code += component(5, bytes(20)) + component(9, bytes(9))
    s.run(0xE6, 2, 0, b'\6' + package + bytes(4))
    whole = b'\xc4\x82' + struct.pack('>H', len(code)) + code
    blocks = [whole[i:i + 231] for i in range(0, len(whole), 231)]
    for i, block in enumerate(blocks):
        s.run(0xE8, 0x80 if i == len(blocks) - 1 else 0, i, block)
    s.run(0xE6, 0x0C, 0, b'\6' + package + (b'\7' + app) * 2 + b'\1\0\2\xc9\0\0')
    s.run(0xE6, 0x20, 0, b'\0\0\7' + app + bytes(3))
    s.run(0xE2, 0x88, 0, b'\1\1\3abc')
    assert app + b'\x9f\x70\x01\x0f' in s.run(0xF2, 0x40, 2, b'\x4f\0')

    kcv = ecb(new, b'\1' * 16)[:3]
    key = b'\x88\x11\x10' + cbc(old, bytes(16), new) + b'\3' + kcv
    assert s.run(0xD8, 0, 0x81, b'\x30' + key * 3) == b'\x30' + kcv * 3
    s = Session(reader, new, 0x30)
    s.run(0xE4, 0, 0x80, b'\x4f\6' + package)
    reader.close()
    print('PASS: %d LOAD blocks, keys changed' % len(blocks))


main()
