#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The port's expectations on boards/mps2_an385 in qemu-system-arm.

    qemu_test.py BUILD

Both conventions of a card.  Exit: 0 passed, 1 failed, 77 skipped.
"""
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

REPO = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
sys.path.insert(0, os.path.join(REPO, 'scripts'))
import plant as P  # noqa: E402


def connected(port):
    """A serial line of the emulator that is a connection to this port, from the start."""
    return ['-serial', f'tcp:127.0.0.1:{port},nodelay=on']


BLOCK = 10000   # CW_PORT_BLOCK


class Peer(threading.Thread):
    """The terminal's hand: does with a connection what the program asks for.

    A letter and a number come, a number goes back, behind H the bytes heard.
    """

    def __init__(self, to):
        super().__init__(daemon=True)
        self.to = to
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.sock = None
        self.words = b''

    def run(self):
        line, _ = self.listener.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with line.makefile('rb') as f:
            while len(head := f.read(5)) == 5:
                num = int.from_bytes(head[1:], 'big')
                line.sendall(getattr(self, 'do_' + head[:1].decode())(num))

    def do_D(self, _):
        # The emulator takes connections before the board has an address.
        self.sock = socket.create_connection(('127.0.0.1', self.to))
        self.sock.settimeout(20)
        return bytes(4)

    def do_S(self, num):
        self.words += bytes([num])
        return bytes(4)

    def do_F(self, _):
        self.sock.sendall(self.words)
        self.words = b''
        return bytes(4)

    def hear(self, num):
        got = b''
        while len(got) < num and (more := self.sock.recv(min(num - len(got), 65536))):
            got += more
        return got

    def do_H(self, num):
        got = self.hear(num)
        return len(got).to_bytes(4, 'big') + got

    def do_B(self, num):
        for start in range(0, num, BLOCK):
            want = bytes([start // BLOCK % 256]) * min(BLOCK, num - start)
            if self.hear(len(want)) != want:
                return start.to_bytes(4, 'big')
        return num.to_bytes(4, 'big')

    def do_C(self, _):
        self.sock.close()
        return bytes(4)


def run(build, elf, card_args):
    port = P.free_port()
    peer = Peer(P.free_port())
    peer.start()
    card = subprocess.Popen([P.find_program(build, 'cardwright-card'), '--listen',
                             f'127.0.0.1:{port}', '--stations', '1', *card_args],
                            stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with open(f'/proc/{card.pid}/net/tcp', encoding='ascii') as f:
                if f':{port:04X} 00000000:0000 0A' in f.read():
                    break
            time.sleep(0.01)
        done = subprocess.run(
            ['qemu-system-arm', '-M', 'mps2-an385', '-kernel', elf, '-display', 'none',
             '-monitor', 'none', '-serial', 'stdio',
             *connected(port), *connected(port), *connected(peer.port),
             '-nic', f'user,model=lan9118,hostfwd=tcp:127.0.0.1:{peer.to}-:7816',
             '-semihosting-config', 'enable=on,target=native'],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    finally:
        card.terminate()
        card.wait()
    print(f'card {" ".join(card_args) or "direct"}: {done.stdout}{done.stderr}exit {done.returncode}')
    return done.returncode == 0 and 'PASS' in done.stdout


def main():
    build = sys.argv[1]
    if shutil.which('qemu-system-arm') is None:
        print('SKIP: qemu-system-arm is not installed (scripts/deps.sh qemu)')
        return 77
    out = os.path.join(build, 'firmware-mps2')
    made = subprocess.run([os.path.join(REPO, 'scripts/firmware-mps2.sh'), out], check=False)
    if made.returncode != 0:
        return made.returncode
    elf = os.path.join(out, 'cardwright-port-mps2.elf')
    good = [run(build, elf, args) for args in ([], ['--inverse'])]
    return 0 if all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
