#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Updates of the very firmware on the virtual board.

    update.py BUILDDIR [CUTS]

A blank board takes its first image from sx in the boot loader; `cardwright
reader update` brings a second over TCP, which is tried, and confirmed by being
linked; one that is not confirmed goes after three starts; an image of another
key is refused.  Then CUTS (4) updates in which power is lost at some write,
clean or torn: the old program comes back and takes the update.  Needs what
`make firmware` makes; skipped (77) without, or without lrzsz.
"""
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import tty

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1])
CUTS = int(sys.argv[2]) if len(sys.argv) > 2 else 4
FIRMWARE = os.environ.get('CW_FIRMWARE', ROOT + '/build/firmware')
IP = '127.0.46.7'
PATIENCE = 120


def fail(text, board=None):
    if board is not None:
        print(board.said)
    print('FAIL ' + text)
    sys.exit(1)


class Board:
    """The virtual board, its console on a pseudo terminal."""

    live = []   # a failed test leaves none behind: it would keep the address

    def __init__(self, home, *options):
        self.said = self.rest = ''
        self.run = subprocess.Popen(
            [BUILD + '/boards/virt/cardwright-board', '--elf', FIRMWARE + '/cardwright-boot.elf',
             '--flash', home + '/flash', '--eeprom', home + '/eeprom', '--console', 'pty',
             '--speed', 'max', '--ip-bind', IP, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        Board.live.append(self.run)
        line = self.run.stdout.readline()
        m = re.search(r'/dev/pts/\d+', line)
        if m is None:
            fail('no console: ' + line)
        self.fd = os.open(m.group(0), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)

    def wait(self, text, dies=False):
        """What was said up to text; None when the board dies, and may."""
        end = time.monotonic() + PATIENCE
        while text not in self.rest:
            if self.run.poll() is not None:
                if dies:
                    return None
                fail(f'the board ended with {self.run.returncode}, waiting for {text}', self)
            if time.monotonic() > end:
                fail('never said: ' + text, self)
            if select.select([self.fd], [], [], 0.1)[0]:
                got = os.read(self.fd, 4096).decode('latin1')
                self.said += got
                self.rest += got
        at = self.rest.index(text) + len(text)
        out, self.rest = self.rest[:at], self.rest[at:]
        return out

    def ask(self, command):
        os.write(self.fd, (command + '\r').encode())
        self.wait(command)
        return self.wait('> ')

    def restart(self):
        os.write(self.fd, b'reset\r')
        self.wait('help tells the commands')
        return self.wait('> ')

    def expect(self, command, *texts):
        out = self.ask(command)
        for text in texts:
            if text not in out:
                fail(f'{command}: "{text}" expected in {out!r}', self)

    def end(self):
        """Takes the power away; the exit code when it had ended by itself."""
        code = self.run.poll()
        if code is None:
            self.run.terminate()
        self.run.wait()
        os.close(self.fd)
        self.run.stdout.close()
        return code


def update(image, want=0):
    r = subprocess.run([BUILD + '/tools/cardwright', 'reader', 'update', '--plain', IP, image],
                       capture_output=True, text=True, timeout=PATIENCE)
    if want is not None and r.returncode != want:
        fail(f'reader update: exit {r.returncode}, {want} expected: {r.stderr[-400:]}')
    return r.stderr + r.stdout


def flash_write(path, slot_a):
    mem = bytearray(b'\xff' * 0x80000)
    for at, name in ((0, 'cardwright-boot.bin'), (0x4000, slot_a)):
        if name:
            data = open(FIRMWARE + '/' + name, 'rb').read()
            mem[at:at + len(data)] = data
    open(path, 'wb').write(mem)


def rescue(home):
    """A board with nothing but its boot loader."""
    flash_write(home + '/flash', None)
    b = Board(home)
    b.wait('send a signed image')
    r = subprocess.run(['sx', '-k', FIRMWARE + '/cardwright-reader.cwfw'], stdin=b.fd, stdout=b.fd,
                       stderr=subprocess.DEVNULL, timeout=PATIENCE)
    if r.returncode != 0:
        fail(f'sx: exit {r.returncode}', b)
    b.wait('(on trial)> ')
    b.expect('confirm', 'confirmed')
    b.expect('version', 'runs, confirmed', 'slot B: no image')
    b.ask('plain allow')
    b.ask('ip set 192.168.7.20 /24')
    b.end()
    print('rescue: taken by the boot loader, started, confirmed')


def network(home):
    image = FIRMWARE + '/cardwright-reader.cwfw'
    b = Board(home)
    b.wait('> ')
    bad = bytearray(open(image, 'rb').read())
    bad[450] ^= 1
    open(home + '/bad.cwfw', 'wb').write(bad)
    if 'signature' not in update(home + '/bad.cwfw', want=4):
        fail('the bad signature was not told')
    b.expect('version', 'slot B: no image')
    update(image)
    b.wait('(on trial)> ')
    b.expect('version', 'slot B', 'runs, confirmed')
    b.end()
    print('network: refused, taken, tried, confirmed by its link')


def fall_back(home):
    """The console commits, and nobody confirms: three starts, then the old one."""
    b = Board(home)
    b.wait('> ')
    b.ask('plain refuse')
    os.write(b.fd, b'load\r')
    b.wait('silence')
    r = subprocess.run(['sb', '-k', FIRMWARE + '/cardwright-reader-a.cwfw'], stdin=b.fd, stdout=b.fd,
                       stderr=subprocess.DEVNULL, timeout=PATIENCE)
    if r.returncode != 0:
        fail(f'sb: exit {r.returncode}', b)
    # What was said last sb may have read, or thrown away.
    time.sleep(1)
    b.expect('version', 'tried at the next start')
    for _ in range(3):
        if 'on trial' not in b.restart():
            fail('a start that is no trial', b)
    if 'on trial' in b.restart():
        fail('a fourth trial', b)
    out = b.ask('version')
    if not re.search('slot B.*runs, confirmed', out):
        fail('the old program is not back: ' + out, b)
    b.ask('plain allow')
    b.end()
    print('fall back: after three starts without a terminal')


def cuts(home, cnt):
    """Power lost in an update over the network, at writes spread over it."""
    image = FIRMWARE + '/cardwright-reader.cwfw'
    writes = os.path.getsize(FIRMWARE + '/cardwright-reader-a.cwfw') // 2
    for i in range(cnt):
        at = 3 + (writes + 20) * i // max(cnt - 1, 1)
        b = Board(home, '--cut-at', str(at), *(['--torn'] if i % 2 else []))
        if b.wait('> ', dies=True):
            update(image, want=None)
        code = b.end()
        if code not in (None, 4):
            fail(f'cut at {at}: the board ended with {code}', b)
        b = Board(home)
        b.wait('> ')
        update(image)
        b.wait('(on trial)> ')
        b.expect('version', 'runs, confirmed')
        b.end()
        print(f'cut at write {at}{" torn" if i % 2 else ""}'
              f'{"" if code == 4 else " (not reached)"}: updated after it', flush=True)


def main():
    for name in ('cardwright-boot.elf', 'cardwright-reader.cwfw', 'cardwright-reader-a.cwfw'):
        if not os.path.exists(FIRMWARE + '/' + name):
            print(f'SKIP: no {FIRMWARE}/{name} (make firmware)')
            sys.exit(77)
    if not shutil.which('sx') or not shutil.which('sb'):
        print('SKIP: sx and sb are not installed (Debian: lrzsz)')
        sys.exit(77)
    home = tempfile.mkdtemp(prefix='cw-elf-')
    try:
        rescue(home)
        network(home)
        fall_back(home)
        cuts(home, CUTS)
    finally:
        for run in Board.live:
            if run.poll() is None:
                run.kill()
                run.wait()
        shutil.rmtree(home)
    print('passed')


main()
