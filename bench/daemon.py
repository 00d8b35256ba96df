"""`python -m bench daemon`: logins over TCP, every reply after its sync, beside a Redis server.

Two cores: the server on one, who asks on the other. First redis-benchmark asks both servers in
turn, at 1, 16 and 64 commands a write: Redis SET with a sync before every answer, Redis GET with no
disk at all, VERIFY of random users, half of whom the one code it sends is right for, once; and
VERIFYMANY of a hundred. Then our own loader counts what a login costs the server, and holds a fixed
rate against it at ever more users: latency is counted from when a login was due. Rows keep counts
and seconds.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import disk, loads, servers
from bench.children import banner
from bench.rows import RESULTS, Row, host, save

DEPTHS = (1, 16, 64)
TIMES = {1: 1, 16: 4, 64: 8}  # the requests at each, so that it takes seconds
BARS = ("0.75", "1.80", "2.80")  # VERIFY against a synced SET, at each
MANY_DEPTHS = (1, 4)  # of VERIFYMANY: at one a write server and client wait for each other
RATES = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the highest of a closed loop
HALF = 0.5
OPEN_DEPTH = TLS_DEPTH = 16
PAGES_OFTEN_MS, PAGES_NEVER_MS = 10, 3_600_000
NAME = "u__rand_int__"
IN_MEMORY = Path("/dev/shm")
SYNC_US = 87  # of the disk that the bars were set on: 4 KiB appended and synced


class Bench:
    """One run: where its stores lie, which cores it has, the rows so far."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            raise SystemExit("two cores are needed: one for the server, one to ask from")
        self.server_cpu = allowed[0]
        os.sched_setaffinity(0, {allowed[1]})
        self.rows: list[Row] = []

    def keep(self, row: Row, **about: object) -> Row:
        self.rows.append({**about, **row})
        return row

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr)

    @contextmanager
    def watchword(
        self, users: int, page_interval_ms: int = 1000, *, tls: bool = False
    ) -> Iterator[servers.Server]:
        store = servers.make_store(self.folder, users)
        with servers.watchword(
            self.folder, store, self.server_cpu, page_interval_ms=page_interval_ms, tls=tls
        ) as server:
            yield server

    @contextmanager
    def redis(self, durable: bool) -> Iterator[servers.Server]:
        with servers.redis(self.folder, self.server_cpu, durable=durable) as server:
            yield server


# ---- redis-benchmark ----


def by_redis_benchmark(bench: Bench) -> None:
    """Rounds of every server in turn, so that a noisy minute is everybody's."""
    users = bench.options.users
    for number in range(bench.options.rounds):
        for depth in DEPTHS:
            requests = bench.options.requests * TIMES[depth]
            for what, words in (("SET", ["SET", NAME, "123456"]), ("GET", ["GET", NAME])):
                with bench.redis(durable=what == "SET") as server:
                    row = loads.redis_benchmark(
                        server.port, words, users=users, depth=depth, requests=requests
                    )
                bench.keep(row, what="redis-benchmark", command=what, users=users, round=number)
            with bench.watchword(users) as server:
                words = ["VERIFY", NAME, servers.code_now()]
                row = loads.redis_benchmark(
                    server.port, words, users=users, depth=depth, requests=requests
                )
                bench.keep(row, what="redis-benchmark", command="VERIFY", users=users, round=number)
        for depth in MANY_DEPTHS:
            requests = depth * bench.options.requests * 4 // loads.MANY
            with bench.watchword(users) as server:
                words = ["VERIFYMANY", str(loads.MANY), *[NAME, servers.code_now()] * loads.MANY]
                row = loads.redis_benchmark(
                    server.port, words, users=users, depth=depth, requests=requests
                )
            row["answers"] = requests * loads.MANY
            bench.keep(row, what="redis-benchmark", command="VERIFYMANY", users=users, round=number)
        with bench.watchword(users, tls=True) as server:
            row = loads.redis_benchmark(
                server.port, ["VERIFY", NAME, servers.code_now()], users=users, depth=TLS_DEPTH,
                requests=bench.options.requests, more=("--tls", "--insecure"),
            )  # fmt: skip
            bench.keep(row, what="tls", command="VERIFY", users=users, round=number)
        bench.say(f"redis-benchmark, round {number}: done")


# ---- our own loader ----


def closed(bench: Bench, server: servers.Server, pool: loads.Pool, **about: object) -> Row:
    """One closed loop at 64 a write, after a warm-up, and what it cost the server."""
    seconds = bench.options.seconds
    loads.ours(server.port, pool, seconds / 4, depth=DEPTHS[-1])
    before = server.cpu_s()
    row = loads.ours(server.port, pool, seconds, depth=DEPTHS[-1])
    row["cpu_s"] = server.cpu_s() - before
    return bench.keep(row, what="closed", **about)


def by_ours(bench: Bench) -> None:
    users = bench.options.users
    for number in range(bench.options.rounds):
        for what in ("SET", "GET"):
            with bench.redis(durable=what == "SET") as server:
                pool = loads.redis_pool(what, users, number)
                closed(bench, server, pool, command=what, users=users, round=number)
        for what, make in (("VERIFY", loads.verify_pool), ("VERIFYMANY", loads.many_pool)):
            pool = make(users, servers.code_now(), number)
            with bench.watchword(users) as server:
                closed(bench, server, pool, command=what, users=users, round=number)
        bench.say(f"our loader, round {number}: done")


# ---- latency against rate ----


def by_rate(bench: Bench, users: int) -> None:
    """An open loop at shares of the highest rate that a closed loop saw."""
    with bench.watchword(users) as server:
        pool = loads.verify_pool(users, servers.code_now(), 1)
        loads.ours(server.port, pool, bench.options.seconds / 2, depth=OPEN_DEPTH)
        highest = loads.ours(server.port, pool, bench.options.seconds, depth=OPEN_DEPTH)
        bench.keep(highest, what="highest", users=users)
        rate = highest["commands"] / highest["seconds"]
        for share in RATES:
            row = loads.ours(
                server.port, pool, bench.options.seconds, depth=OPEN_DEPTH, rate=share * rate
            )
            bench.keep(row, what="open", users=users, share=share,
                       resident_bytes=server.resident_bytes())  # fmt: skip
    bench.say(f"{users:,} users: highest {rate:,.0f} a second")


def by_pages(bench: Bench) -> None:
    """At half of the highest rate, with pages written all the time and not at all."""
    users = bench.options.users
    highest = [row for row in bench.rows if row["what"] == "highest" and row["users"] == users]
    rate = HALF * highest[-1]["commands"] / highest[-1]["seconds"]
    for number in range(bench.options.rounds):
        for interval in (PAGES_NEVER_MS, PAGES_OFTEN_MS):
            with bench.watchword(users, interval) as server:
                pool = loads.verify_pool(users, servers.code_now(), number)
                for seconds in (bench.options.seconds / 5, bench.options.seconds):
                    row = loads.ours(server.port, pool, seconds, depth=OPEN_DEPTH, rate=rate)
                bench.keep(row, what="pages", users=users, page_interval_ms=interval, round=number)


def by_known_sync(bench: Bench) -> None:
    """SET and VERIFY once more, over files in memory whose sync takes as long as where the bars
    were set: what is the servers' own, whatever this machine's disk does."""
    users, cpu = bench.options.users, bench.server_cpu
    if not IN_MEMORY.is_dir():
        return
    with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="watchword-bench-") as place:
        folder = Path(place)
        store = servers.make_store(folder, users)
        for number in range(bench.options.rounds):
            for depth in DEPTHS:
                requests = bench.options.requests * TIMES[depth]
                many = {"users": users, "depth": depth, "requests": requests}
                about = {"what": "known sync", "sync_us": SYNC_US, "round": number, "users": users}
                with servers.redis(folder, cpu, durable=True, sync_us=SYNC_US) as server:
                    row = loads.redis_benchmark(server.port, ["SET", NAME, "123456"], **many)
                bench.keep(row, command="SET", **about)
                with servers.watchword(folder, store, cpu, sync_us=SYNC_US) as server:
                    words = ["VERIFY", NAME, servers.code_now()]
                    row = loads.redis_benchmark(server.port, words, **many)
                bench.keep(row, command="VERIFY", **about)
    bench.say(f"with a sync of {SYNC_US} us: done")


def by_sync(bench: Bench) -> None:
    """The bare disk: 4 KiB appended and synced."""
    for number in range(bench.options.rounds):
        bench.keep(disk.syncs(bench.folder / "syncs"), what="sync", round=number)


# ---- what came of it ----


def median(rows: list[Row], key: Callable[[Row], float], **about: object) -> float | None:
    """Over the rounds of what is asked for; None where it was not measured."""
    found = [key(row) for row in rows if about.items() <= row.items()]
    return statistics.median(found) if found else None


def rate(row: Row) -> float:
    return float(row.get("answers", row["commands"]) / row["seconds"])


def table(rows: list[Row]) -> str:
    """What was measured, as Markdown."""
    lines = ["| redis-benchmark, 50 connections | P=1 | P=16 | P=64 | p99 at P=1 |",
             "| --- | ---: | ---: | ---: | ---: |"]  # fmt: skip
    by = "redis-benchmark"
    for what, text in (("GET", "Redis GET, no disk"), ("SET", "Redis SET, appendfsync always"),
                       ("VERIFY", "Watchword VERIFY, synced")):  # fmt: skip
        cells = [median(rows, rate, what=by, command=what, depth=depth) for depth in DEPTHS]
        late = median(rows, lambda row: row["p99_s"], what=by, command=what, depth=1)
        lines.append(f"| {text} | {' | '.join(map(thousands, cells))} | {ms(late)} |")
    for what in ("SET", "VERIFY"):
        cells = [median(rows, rate, what="known sync", command=what, depth=depth)
                 for depth in DEPTHS]  # fmt: skip
        late = median(rows, lambda row: row["p99_s"], what="known sync", command=what, depth=1)
        lines.append(f"| {what}, a sync of {SYNC_US} us | {' | '.join(map(thousands, cells))} | "
                     f"{ms(late)} |")  # fmt: skip
    for depth in MANY_DEPTHS:
        many = median(rows, rate, what=by, command="VERIFYMANY", depth=depth)
        lines.append(f"| VERIFYMANY of {loads.MANY}, P={depth}, logins | {thousands(many)} | | | |")
    lines += ["", "| our loader, closed, 64 a write | a second | server's processor, us each |",
              "| --- | ---: | ---: |"]  # fmt: skip
    for what in ("GET", "SET", "VERIFY", "VERIFYMANY"):
        each = median(rows, lambda row: row["cpu_s"] / row["answers"], what="closed", command=what)
        quick = median(rows, rate, what="closed", command=what)
        if each is not None:
            lines.append(f"| {what} | {thousands(quick)} | {each * 1e6:.2f} |")
    lines += ["", "| users | share of the highest rate | logins a second | p50 | p99 | p99.9 |",
              "| ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for row in rows:
        if row["what"] == "open":
            lines.append(
                f"| {row['users']:,} | {row['share']:.2f} | {thousands(rate(row))} | "
                f"{ms(row['p50_s'])} | {ms(row['p99_s'])} | {ms(row['p99_9_s'])} |"
            )
    return "\n".join(lines)


def goals(rows: list[Row]) -> str:
    """The bars of the daemon and what was measured against them."""
    by, lines = "redis-benchmark", ["| goal | bar | measured |", "| --- | ---: | ---: |"]

    def add(text: str, bar: str, got: float | None, unit: str = "") -> None:
        lines.append(f"| {text} | {bar} | {'-' if got is None else f'{got:.2f}{unit}'} |")

    def over(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a / b

    for depth, bar in zip(DEPTHS, BARS, strict=True):
        ours = median(rows, rate, what=by, command="VERIFY", depth=depth)
        theirs = median(rows, rate, what=by, command="SET", depth=depth)
        add(f"VERIFY against a synced SET, P={depth}", f"at least {bar}", over(ours, theirs))
    for depth, bar in zip(DEPTHS, BARS, strict=True):
        both = [median(rows, rate, what="known sync", command=what, depth=depth)
                for what in ("VERIFY", "SET")]  # fmt: skip
        add(f"the same, P={depth}, with a sync of {SYNC_US} us", f"at least {bar}", over(*both))
    ours = median(rows, rate, what=by, command="VERIFY", depth=DEPTHS[-1])
    for depth in MANY_DEPTHS:
        many = median(rows, rate, what=by, command="VERIFYMANY", depth=depth)
        add(f"VERIFYMANY of 100, P={depth}, against VERIFY at P=64", "at least 1.20",
            over(many, ours))  # fmt: skip
    late = [median(rows, lambda row: row["p99_s"], what=by, command=what, depth=1)
            for what in ("VERIFY", "SET")]  # fmt: skip
    add("p99 of VERIFY against a synced SET, P=1", "at most 1.20", over(*late))
    each = [median(rows, lambda row: row["cpu_s"] / row["answers"], what="closed", command=what)
            for what in ("VERIFY", "SET")]  # fmt: skip
    add("a login's processor time, P=64, us", "at most 0.90", each[0] and each[0] * 1e6)
    add("the same against a synced SET", "at most 0.43", over(*each))
    most = max((row["users"] for row in rows if row["what"] == "open"), default=0)
    late_s = median(rows, lambda row: row["p99_s"], what="open", users=most, share=HALF)
    sync_s = median(rows, lambda row: row["p99_s"], what="sync")
    bar_s = max(2 * sync_s, 1e-3) if sync_s else None
    add(f"p99 at half the highest rate, {most:,} users, ms", f"at most {ms(bar_s)}",
        late_s and late_s * 1e3)  # fmt: skip
    add("TLS 1.3 against plain, P=16", "at least 0.50",
        over(median(rows, rate, what="tls"),
             median(rows, rate, what=by, command="VERIFY", depth=TLS_DEPTH)))  # fmt: skip
    pages = [median(rows, lambda row: row["p99_s"], what="pages", page_interval_ms=interval)
             for interval in (PAGES_OFTEN_MS, PAGES_NEVER_MS)]  # fmt: skip
    add("p99 while pages are written against while not", "at most 2.00", over(*pages))
    get = median(rows, rate, what=by, command="GET", depth=DEPTHS[-1])
    add("beyond: VERIFY against Redis GET without a disk, P=64", "1.00", over(ours, get))
    return "\n".join(lines)


def thousands(count: float | None) -> str:
    return "-" if count is None else f"{count:,.0f}"


def ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.2f} ms"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench daemon", description=__doc__)
    parser.add_argument("--users", type=float, default=1e6, help="of the comparison with Redis")
    parser.add_argument("--more-users", default="1e4,1e6,1e7", help="of latency against rate")
    parser.add_argument("--requests", type=int, default=500_000, help="of one redis-benchmark, P=1")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one run of our own loader")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where stores are made, and kept for the next run")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all")
    parser.add_argument("--save", action="store_true", help="keep the raw rows")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for raw rows")
    options = parser.parse_args(arguments)
    if options.quick:
        options.users, options.more_users, options.requests = 2e4, "1e4", 2_000
        options.seconds, options.rounds = 0.1, 1
    options.users = int(options.users)
    run_host = host(quick=options.quick, users=options.users, requests=options.requests)
    run_host["cpu_used"] = "0 serves, 1 asks"
    print(banner(run_host))
    folder = Path(options.folder or tempfile.mkdtemp(prefix="watchword-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(options, folder)
    try:
        by_redis_benchmark(bench)
        by_known_sync(bench)
        by_ours(bench)
        more = {int(float(users)) for users in options.more_users.split(",")}
        for users in sorted({options.users, *more}):
            by_rate(bench, users)
        by_pages(bench)
        by_sync(bench)
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    print(f"{table(bench.rows)}\n\n{goals(bench.rows)}")
    if options.save:
        print(f"\nraw rows: {save('daemon', run_host, bench.rows, options.results)}")
    return 0
