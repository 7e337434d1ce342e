#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The port's expectations on boards/mps2_an385 in qemu-system-arm.

    qemu_test.py BUILD

Both conventions of a card.  Exit: 0 passed, 1 failed, 77 skipped.
"""
import os
import shutil
import subprocess
import sys
import time

REPO = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
sys.path.insert(0, os.path.join(REPO, 'scripts'))
import plant as P  # noqa: E402


def connected(port):
    """A serial line of the emulator that is a connection to this port."""
    n = connected.cnt = getattr(connected, 'cnt', 0) + 1
    return ['-chardev', f'socket,id=c{n},host=127.0.0.1,port={port},nodelay=on,reconnect=1',
            '-serial', f'chardev:c{n}']


def run(build, elf, card_args):
    port = P.free_port()
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
             '-monitor', 'none', '-nic', 'none', '-serial', 'stdio',
             *connected(port), *connected(port),
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
