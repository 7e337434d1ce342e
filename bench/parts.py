# SPDX-License-Identifier: Apache-2.0
"""The parts of `make bench`: each measures one thing and calls b.figure."""
import os
import re
import sqlite3
import statistics
import subprocess
import time

import delay
import factory
import pcsc

MIB = 1 << 20


# -- the card line, counted in etu ------------------------------------------
def line(b):
    """P1: time the line must be busy / time it was used, on a virtual clock."""
    out = subprocess.run([os.path.join(b.build, 'bench', 'bench_line')],
                         capture_output=True, text=True, check=True).stdout
    for row in out.splitlines():
        name, value, unit, limit, ratio = row.split()
        m = re.match(r't([01])_line_(\d+)_(\d+)_used_with_cpu', name)
        if m:
            b.figure('P1', f'T={m[1]} line use at {m[2]}/{m[3]}, 4.5 MHz', 'of the time',
                     [float(ratio)], limit=[1.0], of='ISO/IEC 7816-3',
                     more={'etu_used': float(value), 'etu_needed': float(limit)})
        elif name.endswith('_engine_cpu_per_apdu'):
            b.figure('P1', f'T={name[1]} engine and card model, CPU per APDU', unit,
                     [float(value)])


# -- durable results ---------------------------------------------------------
def results(b):
    """P7: results recorded durably by the ledger, against SQLite itself."""
    cards, runs = (5000, 3) if b.quick else (20000, 7)
    out = b.tool('bench_results', b.dir('results'), cards, runs)
    b.figure('P7', 'durable results', '/s', out['results'], limit=out['raw_same'],
             of='SQLite, same row and record, 100 a commit')
    b.figure('P7', 'durable results with as many new leases', '/s', out['cycle'],
             limit=out['raw_same'], of='SQLite, same row and record, 100 a commit')
    b.figure('P7', 'durable results', '/s', out['results'], limit=out['raw_row'],
             of='SQLite, rows of 97 bytes, 100 a commit')
    b.figure('P7', 'durable results', '/s', out['results'], limit=out['fdatasync'],
             of='fdatasync of 4 KiB, one by one')
    b.figure('P7', 'a result alone to its ACK, p99', 'us', out['ack_p99_us'],
             limit=out['sync_p99_us'], less=True, of='fdatasync of 4 KiB, p99',
             more={'p50_us': statistics.median(out['ack_p50_us']),
                   'fdatasync_p50_us': statistics.median(out['sync_p50_us'])})
    b.figure('P7', 'CPU per durable result', 'us', out['results_cpu_us'],
             limit=out['raw_same_cpu_us'], less=True, of='SQLite, same row and record')


# -- order intake --------------------------------------------------------------
def sqlite_import(path, csv):
    """Seconds that the sqlite3 program needs to import csv with a primary key."""
    for tail in ('', '-wal', '-shm'):
        if os.path.exists(path + tail):
            os.unlink(path + tail)
    with open(csv, encoding='utf-8') as f:
        columns = f.readline().strip().split(',')
    script = ('PRAGMA journal_mode=WAL;\nPRAGMA synchronous=FULL;\n'
              f'CREATE TABLE r({",".join(columns)}, PRIMARY KEY(iccid)) WITHOUT ROWID;\n'
              f'.mode csv\n.import --skip 1 {csv} r\nSELECT count(*) FROM r;\n')
    start = time.monotonic()
    done = subprocess.run(['sqlite3', path], input=script, capture_output=True,
                          text=True, check=True)
    took = time.monotonic() - start
    return took, int(done.stdout.split()[-1])


def submit_over_http(b, csv):
    """Seconds of `cardwright order submit`, and the platform's memory, KiB."""
    f = factory.Factory(b.build, os.path.join(b.dir('intake'), 'plant'), readers=1)
    with f:
        f.up_some('plat')
        f.wait_platform()
        before = factory.memory_kib(f.procs['platform'].pid)[0]
        cpu = f.cpu()['platform']
        start = time.monotonic()
        f.submit('--profile', 'sim-demo', '--data', csv, '--line', 'line-1')
        took = time.monotonic() - start
        cpu = f.cpu()['platform'] - cpu
        peak = factory.memory_kib(f.procs['platform'].pid)[1]
        f.end()
    return took, before, peak, cpu


def intake(b):
    """P6: an order's records checked, sealed and committed."""
    cnt, runs = (100000, 3) if b.quick else (1000000, 3)
    where = b.dir('intake')
    csv = os.path.join(where, 'records.csv')
    factory.make_csv(b.repo, csv, cnt)
    core, raw, http, before, peak, cpu = [], [], [], [], [], []
    for _ in range(runs):
        out = b.tool('bench_intake', where,
                     os.path.join(b.repo, 'profiles', 'sim-demo.lua'), csv)
        core.append(out['intake'][0])
        took, rows = sqlite_import(os.path.join(where, 'raw.db'), csv)
        if rows != cnt:
            raise factory.plant.PlantError(f'sqlite3 imported {rows} of {cnt} rows')
        raw.append(cnt / took)
        took, rss, hwm, used = submit_over_http(b, csv)
        http.append(cnt / took)
        before.append(rss)
        peak.append(hwm)
        cpu.append(used * 1e6 / cnt)
    size = f'{cnt:,} records'
    b.figure('P6', f'intake core, {size}', 'records/s', core, limit=raw,
             of='sqlite3 .import, primary key')
    b.figure('P6', f'order submit over HTTP, {size}', 'records/s', http, limit=raw,
             of='sqlite3 .import, primary key',
             more={'platform_cpu_us_per_record': statistics.median(cpu)})
    b.figure('P6', f'platform memory at its peak, {size}', 'KiB', peak, limit=before,
             less=True, of='before the order')


# -- the whole stack, cards that take no time --------------------------------------
def stack(b):
    """Cards per second, 4 lines of 64 readers, and what one card costs."""
    cards, runs = (1500, 3) if b.quick else (4000, 5)
    f = factory.Factory(b.build, os.path.join(b.dir('stack'), 'plant'),
                        lines=4, readers=64)
    cos = os.path.join(b.repo, 'examples', 'cos-4k.hex')
    rate, disk, cost, loops = [], [], [], []
    with f:
        f.up()
        f.wait_readers()
        for k in range(runs):
            csv = f.records(cards, 1 + k * cards)
            cpu, loop, start = f.cpu(), f.loop_cpu(), time.monotonic()
            order = f.submit('--profile', 'sim-demo', '--cos', cos, '--data', csv)
            f.wait_order(order, limit=300)
            rate.append(cards / (time.monotonic() - start))
            cost.append({key: (v - cpu[key]) * 1e6 / cards for key, v in f.cpu().items()})
            loops.append((f.loop_cpu() - loop) / cards)
            disk.append(b.tool('raw_disk', f.root, 300)['fdatasync'][0])
        good = f.report('1')['cards']['good']
        if good != cards:
            raise factory.plant.PlantError(f'{good} good cards of {cards}')
        f.end()
    each = {key: statistics.median(c[key] for c in cost) for key in cost[0]}
    busy = statistics.median(r * sum(c.values()) / 1e6 for r, c in zip(rate, cost))
    b.figure('S1', '256 readers, 4 lines, zero-time cards', 'cards/s', rate, limit=disk,
             of='fdatasync of 4 KiB, one by one',
             more={'cores_busy': busy, 'CPU_us_per_card': each})
    b.figure('P4', 'readers that the loop of one terminal keeps busy, cards of 0.4 s',
             'readers', [0.4 / u for u in loops], limit=[512.0] * runs,
             of='goal; computed from the CPU of its thread',
             more={'loop_CPU_us_per_card': statistics.median(loops) * 1e6})


# -- memory per reader ---------------------------------------------------------------
def memory_of(b, readers, plain):
    f = factory.Factory(b.build, os.path.join(b.dir('memory'), 'plant'),
                        readers=readers, null=True, plain=plain)
    with f:
        f.up_some('plat', 'read')
        time.sleep(0.5)
        slab = factory.slab_kib()
        f.start('line-1')
        f.wait_ready()
        f.wait_readers()
        time.sleep(1)
        rss = factory.memory_kib(f.procs['line-1'].pid)[0]
        slab = factory.slab_kib() - slab
        f.end()
    return rss, slab


def memory(b):
    """P12: a terminal's memory for each reader that is connected."""
    few, many = 8, 1000
    for plain, goal in ((True, 6.0), (False, 28.0)):
        each, kernel = [], []
        for _ in range(2 if b.quick else 5):
            a, slab_a = memory_of(b, few, plain)
            c, slab_c = memory_of(b, many, plain)
            each.append((c - a) / (many - few))
            kernel.append((slab_c - slab_a) / (many - few))
        link = 'plain' if plain else 'TLS'
        b.figure('P12', f'terminal, per reader at {many}, {link}', 'KiB', each, less=True,
                 limit=[goal] * len(each), of='goal',
                 more={'kernel_KiB_both_ends': statistics.median(kernel)})


# -- the image's way to the readers ------------------------------------------------------
def send_image(f, name, size):
    """Seconds from the first byte to the last reader's STORE_OK; CPU of the terminal.

    The first byte is dated back to the last look that did not see it.
    """
    path = os.path.join(f.root, name)
    with open(path, 'wb') as out:
        out.write(b'\0' + os.urandom(size - 1))   # neither ':' nor 'S': raw
    pid = f.procs['line-1'].pid
    heard = f.heard['reader-1']
    done = sum('store.ok' in text for _, text in heard)
    base, cpu, start = factory.written_bytes(pid), f.cpu()['terminal'], None
    look = time.monotonic()
    order = f.submit('--profile', 'cos-only', '--cos', path, '--count', str(f.readers))
    end = time.monotonic() + 60
    while True:
        now = time.monotonic()
        oks = [t for t, text in list(heard) if 'store.ok' in text]
        if start is None:
            if factory.written_bytes(pid) - base > 64 * 1024:
                start = look
            look = now
        if len(oks) - done >= f.readers:
            break
        if now > end:
            raise factory.plant.PlantError(f'{len(oks) - done} readers have the image')
        time.sleep(0.0003 if start is None else 0.002)
    start = look if start is None else start
    cpu = f.cpu()['terminal'] - cpu
    f.ask('order', 'cancel', order)
    f.wait_order(order)
    return oks[-1] - start, cpu


def image(b):
    """P11: an image of 1 MiB to 1 and to 64 readers, plain and secured."""
    runs = 3 if b.quick else 7
    for readers, plain in ((1, True), (64, True), (1, False), (64, False)):
        f = factory.Factory(b.build, os.path.join(b.dir('image'), 'plant'),
                            readers=readers, null=True, starved=True,
                            listen=('reader-1',), plain=plain)
        rate, raw, digested, cost = [], [], [], []
        size = readers * MIB / 1e6
        with f:
            f.up()
            f.wait_readers()
            for k in range(runs):
                took, cpu = send_image(f, f'image-{k}', MIB)
                rate.append(size / took)
                cost.append(cpu * 1e3 / size)
                raw.append(statistics.median(b.tool(
                    'raw_tcp', readers, MIB, 5)['raw_tcp_mb']))
                digested.append(statistics.median(b.tool(
                    'raw_tcp', readers, MIB, 3, 'sha256')['raw_tcp_mb']))
            f.end()
        name = f'image of 1 MiB to {readers} reader{"s" if readers > 1 else ""}, ' + (
            'plain' if plain else 'TLS')
        b.figure('P11', name, 'MB/s', rate, limit=raw, of='plain TCP')
        more = {'terminal_CPU_ms_per_MB': statistics.median(cost)} if readers > 1 else {}
        b.figure('P11', name, 'MB/s', rate, limit=digested,
                 of='plain TCP, received with SHA-256', more=more)


# -- a whole card in real time --------------------------------------------------------------
def least_seconds():
    """ISO minimum of one card: burn of 4 KiB, then 205 commands of 40 bytes.

    Characters of 12 etu; 372 clocks per etu at 4 MHz for ATR (16 characters)
    and PPS (4 and 4), then 512/32 at 5 MHz.  A command with data takes 8
    characters more than its data (header, procedure byte, SW1 SW2).
    """
    slow = 12 * 372 / 4e6
    fast = 12 * 16 / 5e6
    start = (16 + 8) * slow
    blocks = -(-4096 // 249)
    write = 4096 + blocks * (6 + 8)
    burn = start + (35 + (8 + 8) + write + (40 + 8) + (8 + 8)) * fast
    record = start + ((4 + 8) + (8 + 8) + 205 * (40 + 8)) * fast
    return burn + record


def stays(heard):
    """Seconds that each card stood at the contacts, and that a station was empty
    between two cards, by the card program's log.
    """
    fed, left, took, empty = {}, {}, {}, []
    for t, text in heard:
        m = re.search(r'card\.(fed|binned) station=(\d+) card=(\d+)', text)
        if not m:
            continue
        station, card_no = int(m[2]), int(m[3])
        if m[1] == 'fed':
            fed[card_no] = t
            if station in left:
                empty.append(t - left[station])
        elif card_no in fed:
            took[card_no] = t - fed[card_no]
            left[station] = t
    return took, empty


def card(b):
    """P9, P10: time of a card beside the line's, and the head's idle time.

    The contact is made and broken where the card program says so; polling of the
    device and the journal's sync before the bin command are therefore in it.  The
    simulated card answers up to 1 ms early and late when the machine is busy: gaps
    inside a program do not show here; P1 counts them to the etu.
    """
    cards = 12 if b.quick else 60
    f = factory.Factory(b.build, os.path.join(b.dir('card'), 'plant'), readers=2,
                        speed=1, profiles=os.path.join(b.repo, 'bench', 'profiles'),
                        card_args=['--log', 'debug'], listen=('card-1',))
    with f:
        f.up()
        f.wait_readers()
        order = f.submit('--profile', 'line-8k', '--data', f.records(cards), '--cos',
                         os.path.join(f.repo, 'examples', 'cos-4k.hex'))
        f.wait_order(order)
        f.end()
        took, empty = stays(f.heard['card-1'])
        db = sqlite3.connect(os.path.join(f.root, 'platform.db'))
        rows = db.execute('SELECT card_no, ms, trace FROM results '
                          'WHERE verdict = 1').fetchall()
        db.close()
    if len(rows) != cards or any(no not in took for no, _, _ in rows):
        raise factory.plant.PlantError(f'{len(rows)} good cards of {cards}')
    least = least_seconds()
    stay, verdict, idle = [], [], []
    for no, ms, trace in rows:
        text = trace.decode() if isinstance(trace, bytes) else trace
        run = sum(int(x) for x in re.findall(r'^# .* (\d+)us$', text, re.M)) / 1e6
        stay.append(took[no])
        verdict.append(ms / 1e3)
        idle.append((took[no] - run) * 1e3)
    many = [least] * len(rows)
    b.figure('P9', 'card in -> bin command, 8 KB at 512/32, burn of 4 KiB', 's', stay,
             limit=many, less=True, of='ISO/IEC 7816-3, all characters')
    b.figure('P9', 'card in -> verdict at the terminal', 's', verdict, limit=many,
             less=True, of='ISO/IEC 7816-3, all characters')
    b.figure('P10', 'head idle: contact to RST, and last SW to bin command', 'ms', idle,
             limit=[2.0] * len(rows), less=True, of='goal, 1 and 1')
    b.figure('P16', 'station empty: bin command to the next feed, machine takes no time',
             'ms', [t * 1e3 for t in empty], less=True)


# -- round trips per card ---------------------------------------------------------------------
def stay_with_delay(b, seconds, cards):
    """Median stay of a zero-time card when the reader link takes its time."""
    f = factory.Factory(b.build, os.path.join(b.dir('trips'), 'plant'), readers=2,
                        card_args=['--log', 'debug'], listen=('card-1',))
    with f:
        f.make()
        f.edit('line-1.ini', '127.1.0.', '127.101.0.')
        for k in (1, 2):        # the key is the reader's, whatever address it is met at
            at = f'{k}:{f.reader_port}\n'
            f.edit('line-1.ini', f'reader = 127.101.0.{at}',
                   f'reader = 127.101.0.{at}identity = 127.1.0.{at}')
        routes = [((f'127.101.0.{k}', f.reader_port), (f'127.1.0.{k}', f.reader_port))
                  for k in (1, 2)]
        with delay.Relay(routes, seconds):
            f.up_some(*factory.KINDS, made=True)
            f.wait_readers()
            order = f.submit('--profile', 'sim-demo', '--data', f.records(cards), '--cos',
                             os.path.join(f.repo, 'examples', 'cos-4k.hex'))
            f.wait_order(order)
            f.end()
        took = stays(f.heard['card-1'])[0]
    return statistics.median(took.values())


def trips(b):
    """P5: how many times a card waits for the network between terminal and reader.

    The link is made slower by 25 ms each way; what the card's stay grows by, in
    units of 50 ms, is the number of round trips that it waits for.
    """
    one_way, runs, cards = 0.025, 2 if b.quick else 5, 20 if b.quick else 40
    waits = []
    for _ in range(runs):
        near = stay_with_delay(b, 0.0, cards)
        waits.append((stay_with_delay(b, one_way, cards) - near) / (2 * one_way))
    b.figure('P5', 'network waits of a card, burn and record', 'round trips', waits,
             limit=[2.0] * runs, less=True, of='goal')


PARTS = {'line': line, 'results': results, 'intake': intake, 'stack': stack,
         'memory': memory, 'image': image, 'card': card, 'trips': trips,
         'pcsc': pcsc.pcsc}
