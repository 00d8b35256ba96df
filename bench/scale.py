"""`python -m bench scale`: the engine from a thousand to ten million users, on one core.

For every number of users, in a process of its own: adding them from columns, memory, wrong codes at
random and at hot users through several kernel rows, right codes, one call alone; for the most users
also every size of batch, and pyotp, liboath and OpenSSL on the very attempts of the engine's own
rounds. Then stores on disk (bench/disk.py). Every answer is compared: with the peers', and a code
that was accepted with the standard library. Tables are made anew between rounds while that is
cheap; with many users the clock moves on by 25 hours, so that no answer is LOCKED for another
round's failures. Verdicts are counted in every row. Round 0 warms up and is kept apart.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bench import children, disk, tables
from bench.attempts import PASSES_MAX, START_S, TRIES, Field, Pass
from bench.native import MissingError
from bench.rows import Row, host, save
from watchword import Code, Engine, _engine

BATCH = 8192
NUMBERS = 100  # of passes, for each round
REOPEN_USERS_MAX = 200_000  # up to here a fresh engine each round costs less than half a second
PEERS = [
    # peer, way, attempts of one round
    ("pyotp", "", 20_000),
    ("liboath", "", 131_072),
    ("openssl", "oneshot", 40_000),
    ("openssl", "midstates", 131_072),
]


class Standing:
    """An engine in memory with a field's users, and its clock."""

    def __init__(self, field: Field) -> None:
        self.field, self.number = field, 0
        self.now_ms = START_S * 1000
        self.open()

    def open(self) -> None:
        self.engine = Engine.open(clock=lambda: self.now_ms)
        wall, cpu = time.perf_counter(), time.thread_time()
        self.engine.add_users(self.field.names, self.field.keys)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        self.added = {"wall_s": wall, "cpu_s": cpu, "resident_bytes": disk.resident_bytes()}
        # One batch on nobody, so that a fresh engine has touched the batch's own memory.
        self.engine.verify_many(np.full(BATCH, b"nobody"), np.full(BATCH, b"000000"))

    def move_to(self, attempts: Pass) -> None:
        self.now_ms = attempts.time_s * 1000

    def fresh(self) -> None:
        """As if nobody had failed yet: a new engine, or a clock that has moved on."""
        if self.field.users <= REOPEN_USERS_MAX:
            self.engine.close()
            self.open()

    def next_number(self) -> int:
        self.number += 1
        return self.number - 1


def run_pass(standing: Standing, done: Pass, batch: int, way: str) -> tuple[np.ndarray, Row]:
    """One pass through verify_many: verdicts, and what it took."""
    standing.move_to(done)
    names, codes = standing.field.names[done.users], done.codes
    given: list[tuple[Any, ...]] = []
    for start in range(0, len(names), batch):
        columns = names[start : start + batch], codes[start : start + batch]
        if way == "list":
            given.append(tuple([text.decode() for text in column] for column in columns))
        else:
            given.append(columns)
    verify_many = standing.engine.verify_many
    answers = []
    wall, cpu = time.perf_counter(), time.thread_time()
    for users, responses in given:
        answers.append(verify_many(users, responses))
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return np.concatenate(answers), {"attempts": len(names), "wall_s": wall, "cpu_s": cpu}


def run_round(
    standing: Standing, what: str, turn: int, passes: list[Pass], *, batch: int = BATCH,
    way: str = "columns",
) -> None:  # fmt: skip
    """Passes of one kind, told as one row."""
    sums: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    odd: dict[int, list[int]] = {}
    for done in passes:
        codes, took = run_pass(standing, done, batch, way)
        sums.update(took)
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            verdicts[Code(code).name] += int(count)
        if what != "one user":
            wanted = Code.ACCEPTED if what == "right" else Code.REJECTED
            odd[done.number] = standing.field.expect(done, codes, wanted)
    children.tell({
        "what": what, "users": standing.field.users, "kernel": _engine.kernel_in_use(),
        "way": way, "batch": batch, "round": turn, **sums, "verdicts": dict(verdicts),
        "passes": [done.number for done in passes], "odd": odd,
    })  # fmt: skip


def wrong_passes(standing: Standing, attempts: int) -> list[Pass]:
    """Attempts at random users: several passes where users are few."""
    most = TRIES * standing.field.users
    count = min(PASSES_MAX, -(-attempts // most))
    return [
        standing.field.wrong(standing.next_number(), min(attempts, most)) for _ in range(count)
    ]


def run_memory(options: argparse.Namespace, users: int) -> None:
    """The child's part for one number of users."""
    field = Field(users, options.seed)
    assert len(field.names) == len(field.keys)  # both are made before memory is looked at
    before = disk.resident_bytes()
    standing = Standing(field)
    standing.added["resident_bytes"] -= before
    children.tell({
        "what": "add", "users": users, **standing.added,
        "memory_bytes": standing.engine.counters()["memory_bytes"],
        "huge_bytes": disk.huge_bytes(), "locked": standing.engine.memory_locked,
    })  # fmt: skip
    for turn in children.rounds(options.rounds):
        standing.number = turn * NUMBERS
        run_memory_round(standing, turn, options)
        assert standing.number <= (turn + 1) * NUMBERS, "more passes in a round than numbers"
    standing.engine.close()


def run_memory_round(standing: Standing, turn: int, options: argparse.Namespace) -> None:
    """Every kind of pass once; the first wrong one is what the peers decide as well."""
    kernels = children.rows_here(options.kernels)
    for row in kernels:
        _engine.kernel_force(row)
        standing.fresh()
        run_round(standing, "wrong", turn, wrong_passes(standing, options.attempts))
    _engine.kernel_force(kernels[0])
    standing.fresh()
    repeats = min(4, -(-options.attempts // (TRIES * 1000)))
    hot = [standing.field.hot(standing.next_number()) for _ in range(repeats)]
    run_round(standing, "hot", turn, hot)
    standing.fresh()
    run_round(standing, "wrong", turn, wrong_passes(standing, options.attempts), way="list")
    right = [standing.field.right(standing.next_number(), options.attempts // 4)]
    run_round(standing, "right", turn, right)
    run_round(standing, "one user", turn, [flood(standing)])
    run_one(standing, turn)
    if standing.field.users == max(options.user_counts):
        run_sizes(standing, turn, options)


def flood(standing: Standing) -> Pass:
    """One user under attack: locked after ten, and every attempt waits for the one before."""
    done = standing.field.wrong(standing.next_number(), min(BATCH, standing.field.users))
    return Pass(done.number, done.time_s, np.repeat(done.users[:1], BATCH),
                np.resize(done.codes, BATCH))  # fmt: skip


def run_sizes(standing: Standing, turn: int, options: argparse.Namespace) -> None:
    """Every size of batch, wrong codes, through the kernel row in use."""
    attempts = min(options.attempts // 4, TRIES * standing.field.users)
    for size in options.sizes:
        standing.fresh()
        done = standing.field.wrong(standing.next_number(), attempts)
        run_round(standing, "size", turn, [done], batch=size)


def run_one(standing: Standing, turn: int) -> None:
    """verify, one call at a time, each one timed."""
    done = standing.field.wrong(standing.next_number(), min(5000, 4 * standing.field.users))
    standing.move_to(done)
    names = [name.decode() for name in standing.field.names[done.users]]
    calls = list(zip(names, [code.decode() for code in done.codes], strict=True))
    verify, clock, verdicts, took = standing.engine.verify, time.perf_counter_ns, [], []
    for name, code in calls:
        began = clock()
        verdict = verify(name, code)
        took.append(clock() - began)
        verdicts.append(int(verdict.code))
    standing.field.expect(done, np.array(verdicts), Code.REJECTED)
    tell_one("watchword", standing.field.users, turn, took)


def tell_one(peer: str, users: int, turn: int, took_ns: list[int]) -> None:
    took_ns.sort()
    children.tell({
        "what": "one", "peer": peer, "users": users, "round": turn, "calls": len(took_ns),
        "median_s": statistics.median(took_ns) / 1e9,
        "p99_s": took_ns[len(took_ns) * 99 // 100] / 1e9,
    })  # fmt: skip


# ---- peers ----


def run_peer(options: argparse.Namespace, name: str, way: str, count: int) -> None:
    """The child's part: a peer on the first attempts of the engine's first rounds."""
    users = max(options.user_counts)
    field = Field(users, options.seed)
    count = max(100, int(count * options.share))
    most = min(options.attempts, TRIES * users)
    passes = [
        field.wrong(turn * NUMBERS, most).first(count) for turn in range(options.rounds + 1)
    ]
    keys = [field.key(user) for done in passes for user in done.users.tolist()]
    del field  # ten million keys, of which these were a few
    adapter = importlib.import_module(f"bench.peers.{name}")
    try:
        peer = adapter.open_peer(keys, *([way] if way else []))
    except MissingError as missing:
        print(f"  {missing}", file=sys.stderr)
        return
    at = 0
    for turn in children.rounds(options.rounds):
        done = passes[turn]
        codes = [code.decode() for code in done.codes]
        here = list(range(at, at + len(codes)))
        prepared = peer.prepare(here, codes)
        wall, cpu = time.perf_counter(), time.thread_time()
        answers = peer.decide(prepared, done.time_s)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        children.tell({
            "what": "peer", "peer": name, "way": way, "users": users, "round": turn,
            "does": adapter.describe(*([way] if way else [])), "attempts": len(codes),
            "wall_s": wall, "cpu_s": cpu, "pass": done.number,
            "odd": np.flatnonzero(np.frombuffer(answers, np.uint8)).tolist(),
        })  # fmt: skip
        if name == "pyotp":
            run_peer_one(peer.devices[at : at + len(codes)][:1000], codes[:1000], done, users, turn)
        at += len(codes)


def run_peer_one(
    devices: list[Any], codes: list[str], done: Pass, users: int, turn: int
) -> None:
    """pyotp called as a program would, each call timed."""
    now, took, clock = datetime.fromtimestamp(done.time_s, UTC), [], time.perf_counter_ns
    for device, code in zip(devices, codes, strict=True):
        began = clock()
        device.verify(code, for_time=now, valid_window=1)
        took.append(clock() - began)
    tell_one("pyotp", users, turn, took)


def compare(rows: list[Row]) -> None:
    """The peers accept what the engine accepted, of the same attempts, and nothing else."""
    most = max(row["users"] for row in rows if row["what"] == "wrong")
    ours: dict[int, list[int]] = {}
    for row in rows:
        if row["what"] == "wrong" and row["users"] == most and row["way"] == "columns":
            ours.update({int(number): odd for number, odd in row["odd"].items()})
    for row in rows:
        if row["what"] == "peer":
            same = [at for at in ours[row["pass"]] if at < row["attempts"]]
            if same != row["odd"]:
                raise SystemExit(f"{row['does']}: pass {row['pass']} was decided differently")


# ---- the parent ----


def read_options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--users", default="1e3,1e4,1e5,1e6,1e7", help="how many users, a list")
    parser.add_argument("--disk-users", help='on disk, a list or ""; if not given 1e5 and the most')
    parser.add_argument("--folder", help="where stores on disk are made; a temporary folder")
    parser.add_argument("--attempts", type=int, default=2**18, help="of one round")
    parser.add_argument("--seed", type=int, default=1)
    children.add_options(parser)
    options = parser.parse_args(arguments)
    options.share, options.batches = 1.0, 400
    options.sizes = [2**n for n in range(14)]
    if options.quick:
        options.users, options.disk_users = "1e3,1e4", "1e4"
        options.attempts, options.rounds, options.batches = 8192, 2, 20
        options.share, options.sizes = 0.02, [1, 64, 1024, 8192]
    options.user_counts = counts(options.users)
    disk_users = options.disk_users
    if disk_users is None:
        disk_users = f"{min(1e5, max(options.user_counts))},{max(options.user_counts)}"
    options.disk_counts = counts(disk_users)
    return options


def counts(text: str) -> list[int]:
    return sorted({int(float(part)) for part in text.split(",") if part})


def child(options: argparse.Namespace) -> None:
    kind, _, which = options.only.partition("/")
    if kind == "memory":
        run_memory(options, int(which))
    elif kind == "peer":
        run_peer(options, *PEERS[int(which)])
    else:
        disk.run_child(options, kind, int(which))


def main(arguments: list[str]) -> int:
    options = read_options(arguments)
    if options.only:
        child(options)
        return 0
    children.pin(options.cpu)
    run_host = host(
        seed=options.seed, quick=options.quick, cpu_used=max(os.sched_getaffinity(0))
    )
    print(children.banner(run_host))
    names = [f"memory/{users}" for users in options.user_counts]
    names += [f"peer/{number}" for number in range(len(PEERS))]
    rows = children.take_turns("scale", {name: {} for name in names}, arguments, options.rounds)
    compare(rows)
    for users in options.disk_counts:
        rows += disk.run(options, arguments, users)
    print(tables.scale_tables(rows))
    if options.save:
        print(f"\nraw rows: {save('scale', run_host, rows, options.results)}")
    return 0
