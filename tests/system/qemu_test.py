#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole orders with readers that are firmware in qemu-system-arm.

    qemu_test.py BUILDDIR [TestClass[.test_name] ...]

What system_test.py asserts of host readers is asserted of boards/mps2_an385: the
same lines, the same faults, the same books.  Exit: 77 when the emulator, the cross
compiler or the sources of the firmware are not here.
"""
import os
import shutil
import subprocess
import sys
import time
import unittest

import system_test as S

FIRMWARE = ''


def boots(path):
    """How often the reader of this settings file was started (docs/spec/settings.md)."""
    with open(path, 'rb') as f:
        cells = f.read()[512:1536]
    return max(int.from_bytes(cells[i:i + 8], 'big') for i in range(0, 1024, 16)
               if cells[i:i + 8] != b'\xff' * 8)


class Emulated(S.Line):
    count = 10

    def setUp(self):
        self.opt = {**self.opt, 'board': 'qemu', 'firmware': FIRMWARE}
        super().setUp()

    def wait_lives(self, count, limit=30):
        """Until reader 1 was started so often and has greeted the terminal since."""
        path = os.path.join(self.plant.root, 'log', 'reader-1.1.log')
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with open(path, encoding='utf-8', errors='replace') as f:
                lives = f.read().split('reader.up link=tls')[1:]
            if len(lives) == count and 'link.hello' in lives[-1]:
                return
            time.sleep(0.05)
        self.fail(f'reader 1 is not at work in life {count} after {limit} s: {lives}')

    def settings(self, k):
        return os.path.join(self.plant.root, f'reader-1.{k}.nvm')


class Orders(Emulated):
    opt = {'faults': {0: ['2=mute', '4=sw:4=6581', '6=no-boot', '8=pulled:9', '9=bad-write:2']}}

    def test_faulty_blanks_are_remade(self):
        self.plant.up()
        order, data = self.submit()
        report = self.settle(order, data)
        cards = report['cards']
        self.assertEqual(cards['drawn'], cards['good'] + cards['reject'] + cards['in-doubt'])
        self.assertEqual(cards['reject'] + cards['in-doubt'], 5)
        # A reader that starts late may find the order done.
        self.assertEqual(report['cos']['sent'], report['cos']['readers'])
        self.assertIn(report['cos']['sent'], range(1, self.readers + 1))
        self.assertEqual(self.plant.down(), [])


class Block(Emulated):
    opt = {'card_args': ['--protocol', 't1']}

    def test_cards_that_speak_t1(self):
        self.plant.up()
        order, data = self.submit()
        self.settle(order, data)


class Plain(Emulated):
    opt = {'plain': True, 'card_args': ['--inverse']}

    def test_inverse_cards_over_a_plain_link(self):
        self.plant.up()
        order, data = self.submit()
        self.settle(order, data)


class Killed(Emulated):
    count = 16

    def test_power_of_a_reader_fails(self):
        self.plant.up()
        order, data = self.submit()
        for life, at in ((1, 3), (2, 8)):
            self.wait_issued(order, at)
            self.wait_lives(life)
            self.plant.kill('reader-1.1')
            self.plant.start('reader-1.1')
        report = self.settle(order, data)
        self.assertLessEqual(report['cards']['in-doubt'] + report['cards']['reject'], 2)
        self.assertEqual(boots(self.settings(1)) - boots(self.settings(2)), 2)

    def test_settings_stay_without_the_key_file(self):
        """The key was enrolled at the first start: the second one needs no file."""
        self.plant.up()
        order, _ = self.submit()
        self.wait_issued(order, 2)
        self.wait_lives(1)
        argv = self.plant.argv['reader-1.1']
        words = [w for w in argv[-1].split(',')
                 if not w.startswith(('arg=keys=', 'arg=identity='))]
        self.plant.argv['reader-1.1'] = [*argv[:-1], ','.join(words)]
        self.plant.kill('reader-1.1')
        self.plant.start('reader-1.1')
        self.wait_lives(2)
        self.plant.wait_order(order, 90)


def main():
    global FIRMWARE
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        S.BUILD = sys.argv.pop(1)
    if shutil.which('qemu-system-arm') is None:
        print('SKIP: qemu-system-arm is not installed (scripts/deps.sh qemu)')
        return 77
    FIRMWARE = os.path.join(S.BUILD, 'firmware-mps2')
    made = subprocess.run([os.path.join(S.REPO, 'scripts', 'firmware-mps2.sh'), FIRMWARE],
                          check=False)
    if made.returncode != 0:
        return made.returncode
    unittest.main(verbosity=2)
    return 0


if __name__ == '__main__':
    sys.exit(main())
