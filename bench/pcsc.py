# SPDX-License-Identifier: Apache-2.0
"""P14: SCardTransmit by our driver, against pcscd's virtual reader in the same run."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import factory

VPCD = '/usr/lib/pcsc/drivers/serial/libifdvpcd.so'
IP = '127.0.79.1'


class Rig:
    """A pcscd of our own with both readers, each with a card that takes no time."""

    def __init__(self, b):
        self.b, self.procs = b, []
        self.run = tempfile.mkdtemp(prefix='cw-bench-pcsc-')
        self.env = {**os.environ, 'PCSCLITE_CSOCK_NAME': self.run + '/pcscd.comm'}
        self.root = b.dir('pcsc')

    def __enter__(self):
        find = factory.plant.find_program
        port, vpcd = factory.plant.free_port([IP]), factory.plant.free_port() & ~1
        keys, conf = os.path.join(self.root, 'keys'), os.path.join(self.root, 'conf')
        os.makedirs(conf, exist_ok=True)
        os.makedirs('/run/pcscd', exist_ok=True)
        subprocess.run([find(self.b.build, 'cardwright'), 'reader', 'enrol', '--keys', keys,
                        f'{IP}:{port}'], check=True, capture_output=True)
        self.start(find(self.b.build, 'cardwright-reader'), '--keys', keys, '--listen',
                   f'{IP}:{port}', '--card', 'null')
        self.start(find(self.b.build, 'cardwright-card'), '--listen',
                   f'{IP}:{factory.plant.free_port([IP])}', '--feed', '--vpcd', f'localhost:{vpcd}')
        driver = os.path.join(self.b.build, 'ifd', 'libifdcardwright.so')
        for name, device, library in (('Ours', f'tcp:{IP}:{port}:keys={keys}', driver),
                                      ('Theirs', f'/dev/null:{vpcd:#x}', VPCD)):
            with open(os.path.join(conf, name), 'w', encoding='utf-8') as f:
                f.write(f'FRIENDLYNAME "{name}"\nDEVICENAME {device}\nLIBPATH {library}\n'
                        f'CHANNELID {vpcd}\n')
        self.start('unshare', '-m', 'sh', '-c', f'mount --bind {self.run} /run/pcscd && '
                   f'exec pcscd -f -c {conf}')
        return self

    def start(self, *argv):
        with open(os.path.join(self.root, 'log'), 'ab') as f:
            self.procs.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f))

    def __exit__(self, *_):
        for p in reversed(self.procs):
            p.send_signal(signal.SIGTERM)
            p.wait()
        shutil.rmtree(self.run, ignore_errors=True)

    def readers(self, limit=15):
        """The names that pcscd gives them, once both have their card."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            out = subprocess.run(['pcsc_scan', '-r'], capture_output=True, text=True,
                                 env=self.env, check=False).stdout
            found = [row.split(': ', 1)[1] for row in out.splitlines() if ': ' in row]
            ours = [r for r in found if r.startswith('Ours')]
            theirs = [r for r in found if r.startswith('Theirs')]
            if ours and theirs:
                try:
                    self.measure(ours[0], 10)
                    self.measure(theirs[0], 10)
                    return ours[0], theirs[0]
                except factory.plant.PlantError:
                    pass
            time.sleep(0.2)
        raise factory.plant.PlantError('pcscd does not show both readers')

    def measure(self, reader, count):
        done = subprocess.run([os.path.join(self.b.build, 'bench', 'bench_pcsc'), reader,
                               str(count)], capture_output=True, text=True, env=self.env,
                              check=False)
        if done.returncode != 0:
            raise factory.plant.PlantError(done.stderr.strip())
        return json.loads(done.stdout)


def pcsc(b):
    """P14: microseconds of SCardTransmit; the other card acknowledges at once."""
    for need in ('unshare', 'pcsc_scan'):
        if shutil.which(need) is None:
            raise factory.plant.PlantError(f'{need} is not installed (scripts/deps.sh test)')
    if os.geteuid() != 0 or not os.path.exists(VPCD):
        raise factory.plant.PlantError('needs root for a pcscd of its own, and vsmartcard-vpcd')
    count, runs = (1000, 3) if b.quick else (5000, 7)
    ours, theirs = [], []
    with Rig(b) as rig:
        one, other = rig.readers()
        for _ in range(runs):
            ours.append(rig.measure(one, count))
            theirs.append(rig.measure(other, count))
    for key, name in (('p50_us', 'p50'), ('p99_us', 'p99')):
        b.figure('P14', f'SCardTransmit by our driver over TLS, {name}', 'us',
                 [m[key] for m in ours], limit=[m[key] for m in theirs], less=True,
                 of='vpcd, card with quick acknowledgements')
