#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cardwright-board as a program: exit codes, files, console, gdb.

    board_test.py BUILD IMAGES
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

REPO = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
sys.path.insert(0, os.path.join(REPO, 'scripts'))
import plant as P  # noqa: E402

BUILD, IMAGES = sys.argv[1:3]
BOARD = P.find_program(BUILD, 'cardwright-board')


def argv(image, *more):
    return [BOARD, '--elf', os.path.join(IMAGES, image + '.elf'), '--speed', 'max', *more]


def run(image, *more):
    done = subprocess.run(argv(image, '--console', 'none', *more), capture_output=True,
                          text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def expect(what, good, saw):
    if not good:
        raise SystemExit(f'FAIL {what}: {saw}')
    print(f'ok {what}')


def ends():
    code, text = run('core')
    expect('an image that ends itself', code == 0, (code, text))
    code, text = run('trap')
    expect('what is not modelled', code == 3 and '40013008' in text and 'trap_here+' in text,
           (code, text))
    done = subprocess.run([BOARD], capture_output=True, text=True, check=False)
    expect('no image', done.returncode == 2 and '--elf' in done.stderr, done)


def power(root):
    flash = os.path.join(root, 'flash')
    code, text = run('flash', '--flash', flash, '--cut-at', '6')
    expect('power cut', code == 4 and 'write 6' in text, (code, text))
    with open(flash, 'rb') as f:
        page = f.read()[0x10000:0x10010]
    want = b''.join((0x1100 + i).to_bytes(2, 'little') for i in range(4)) + b'\xff' * 8
    expect('the flash after it', page == want, page.hex())


def console():
    port = P.free_port()
    with subprocess.Popen(argv('echo', '--console', f'tcp:{port}', '--ip-bind', '127.0.77.1:1'),
                          stderr=subprocess.DEVNULL) as p:
        try:
            for _ in range(500):
                try:
                    s = socket.create_connection(('127.0.0.1', port), timeout=10)
                    break
                except OSError:
                    time.sleep(0.01)
            time.sleep(0.3)
            s.sendall(b'Hello')
            got = b''
            while len(got) < 5:
                got += s.recv(16)
            expect('console', got == b'hELLO', got)
        finally:
            p.terminate()


class Gdb:
    def __init__(self, port):
        for _ in range(500):
            try:
                self.s = socket.create_connection(('127.0.0.1', port), timeout=20)
                break
            except OSError:
                time.sleep(0.01)

    def ask(self, text):
        self.s.sendall(f'${text}#{sum(text.encode()) & 255:02x}'.encode())
        return self.answer()

    def answer(self):
        got = b''
        while b'#' not in got[:-2]:
            got += self.s.recv(4096)
        self.s.sendall(b'+')
        return got[got.index(b'$') + 1:got.index(b'#')].decode()


def symbol(image, name):
    out = subprocess.run(['arm-none-eabi-nm', os.path.join(IMAGES, image + '.elf')],
                         capture_output=True, text=True, check=True).stdout
    return next(int(r.split()[0], 16) for r in out.splitlines() if r.split()[-1] == name)


def debugger():
    port = P.free_port()
    with subprocess.Popen(argv('core', '--console', 'none', '--gdb', str(port)),
                          stderr=subprocess.DEVNULL) as p:
        try:
            debug(p, Gdb(port))
        finally:
            p.kill()


def debug(p, g):
    at = symbol('core', 'on_systick')
    expect('gdb stops first', g.ask('?') == 'S05', '')
    expect('gdb sets a breakpoint', g.ask(f'Z0,{at:x},2') == 'OK', '')
    expect('gdb gets there', g.ask('c') == 'S05', '')
    pc = int.from_bytes(bytes.fromhex(g.ask('pf')), 'little')
    expect('gdb reads pc', pc == at, hex(pc))
    xpsr = int.from_bytes(bytes.fromhex(g.ask('p10')), 'little')
    expect('in the handler of exception 15', xpsr & 0x1ff == 15, hex(xpsr))
    expect('gdb steps', g.ask('s') == 'S05', '')
    pc = int.from_bytes(bytes.fromhex(g.ask('pf')), 'little')
    expect('one instruction further', pc == at + 2, hex(pc))
    expect('gdb reads memory', len(g.ask('m20000000,10')) == 32, '')
    expect('gdb goes', g.ask('D') == 'OK', '')
    expect('the image ends itself without it', p.wait(timeout=60) == 0, p.returncode)


def main():
    ends()
    with tempfile.TemporaryDirectory() as root:
        power(root)
    console()
    debugger()


if __name__ == '__main__':
    main()
