"""`python -m bench kernel`: HMACs a second of every kernel row, and of the table behind them.

Lanes: counters and midstates that stay in the first cache, every hash and row, at a few numbers of
lanes; against OpenSSL's fastest calls in a C loop (as it is, and with the SHA extensions hidden
from it) and Intel's multi-buffer library. Table: as many users as the engine would hold, read at
random, by loops in C that have no engine around them. Every peer runs in a process of its own on
one core; every lane is compared with hashlib. Seconds are this thread's CPU time.
"""

import argparse
import ctypes
import hmac
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench import children, tables
from bench.native import MissingError, compile_quickly, load_with_core
from bench.peers import intel, openssl
from bench.rows import host, save
from watchword import _engine

HASHES = ("sha1", "sha256", "sha512")
MID_BYTES = (40, 64, 128)
LANES = (1, 3, 16, 192)  # one counter, one login alone, a vector, a group of the engine
STEP_S, NOW_S = 30, 1_700_000_000
SEED = 1


def truncated(mac: bytes) -> int:
    """RFC 4226 section 5.3, 31 bits."""
    at = mac[-1] & 15
    return int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF


def expected(algorithm: str, keys: np.ndarray, moving: np.ndarray) -> list[int]:
    """What every lane must give, by the standard library."""
    return [
        truncated(hmac.digest(key.tobytes(), int(at).to_bytes(8, "big"), algorithm))
        for key, at in zip(keys, moving, strict=True)
    ]


def timed(loop: Callable[[int], object], seconds: float) -> tuple[int, float, float]:
    """Repeats, and the wall and CPU seconds they took: about `seconds`, found by trying."""
    repeat = 1
    while True:
        wall, cpu = time.perf_counter(), time.thread_time()
        loop(repeat)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        if cpu >= seconds / 2:
            return repeat, wall, cpu
        repeat = max(repeat * 2, int(repeat * seconds / max(cpu, 1e-6)))


class Ours:
    """The core's rows, one adapter as the peers have."""

    def __init__(self) -> None:
        self.core = load_with_core("kernel")

    def ways(self, _hash: int) -> list[str]:
        return _engine.kernels()

    def describe(self, way: str) -> str:
        return f"watchword, row {way}"

    def lanes(self, hash_number: int, way: str, keys: np.ndarray, moving: np.ndarray) -> Any:
        count, mid_bytes = len(keys), MID_BYTES[hash_number]
        mids = np.zeros((count, mid_bytes), np.uint8)
        self.core.mids_of(
            hash_number, keys.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(keys.shape[1]),
            ctypes.c_size_t(count), mids.ctypes.data_as(ctypes.c_void_p),
        )  # fmt: skip
        at = (mids.ctypes.data + np.arange(count) * mid_bytes).astype(np.uint64)
        out = np.zeros(count, np.uint32)
        columns = [column.ctypes.data_as(ctypes.c_void_p) for column in (at, moving, out)]
        name = way.encode()

        def loop(repeat: int) -> None:
            self.core.lanes_run(
                name, hash_number, *columns, ctypes.c_size_t(count), ctypes.c_size_t(repeat)
            )

        return loop, lambda: out.tolist(), mids


def run_lanes(peer_name: str, peer: Any, options: argparse.Namespace) -> None:
    """The child's part: every hash, way and number of lanes; a row each round."""
    ways = [(number, way) for number in range(len(HASHES)) for way in peer.ways(number)]
    for turn in children.rounds(options.rounds):
        rng = np.random.default_rng([SEED, turn])
        for (number, way), count in itertools.product(ways, LANES):
            keys = rng.integers(0, 256, (count, 20), np.uint8)
            moving = rng.integers(0, 2**40, count, np.uint64)
            loop, answers, _alive = peer.lanes(number, way, keys, moving)
            repeat, wall, cpu = timed(loop, options.seconds)
            if answers() != expected(HASHES[number], keys, moving):
                raise SystemExit(f"{peer.describe(way)}: {HASHES[number]} is not hashlib's")
            children.tell({
                "what": "lanes", "peer": peer_name, "does": peer.describe(way),
                "hash": HASHES[number], "kernel": way, "lanes": count, "round": turn,
                "hmacs": repeat * count, "wall_s": wall, "cpu_s": cpu,
            })  # fmt: skip


# ---- the table ----


class Table:
    """Many users in memory, and attempts on some of them."""

    def __init__(self, users: int) -> None:
        self.core = core = load_with_core("kernel")
        core.table_make.restype = core.table_mids.restype = ctypes.c_void_p
        core.table_stride.restype = ctypes.c_size_t
        core.table_bare.restype = ctypes.c_uint64
        wall = time.perf_counter()
        self.at = ctypes.c_void_p(core.table_make(ctypes.c_uint64(SEED), ctypes.c_size_t(users)))
        if not self.at.value:
            raise SystemExit(f"no memory for a table of {users} users")
        self.made_s = time.perf_counter() - wall
        self.users = users

    def key(self, user: int) -> bytes:
        text = ctypes.create_string_buffer(20)
        self.core.table_key(ctypes.c_uint64(SEED), ctypes.c_uint64(user), text)
        return text.raw

    def windows(self, users: np.ndarray, now_s: int) -> np.ndarray:
        """The truncations of each user's three steps, by the standard library."""
        keys = np.array([list(self.key(int(user))) for user in users], np.uint8).repeat(3, axis=0)
        steps = np.tile(np.arange(now_s // STEP_S - 1, now_s // STEP_S + 2), len(users))
        return np.array(expected("sha1", keys, steps), np.uint64).reshape(-1, 3)

    def bare(self, row: str, users: np.ndarray, now_s: int) -> int:
        return int(self.core.table_bare(
            row.encode(), self.at, users.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(len(users)), ctypes.c_int64(now_s),
        ))  # fmt: skip

    def match(self, row: str, users: np.ndarray, codes: np.ndarray, now_s: int) -> np.ndarray:
        masks = np.zeros(len(users), np.uint8)
        if self.core.table_match(
            row.encode(), self.at, users.ctypes.data_as(ctypes.c_void_p),
            codes.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(users)),
            ctypes.c_int64(now_s), masks.ctypes.data_as(ctypes.c_void_p),
        ):  # fmt: skip
            raise SystemExit("a device of the table stands at another step than the rest")
        return masks


def prove(table: Table, row: str, rng: np.random.Generator) -> None:
    """Both loops against the standard library, over a thousand users with one right code each."""
    users = rng.integers(0, table.users, 1000, np.uint32)
    windows = table.windows(users, NOW_S)
    codes = (windows % 1_000_000).astype(np.uint32)
    at = rng.integers(0, 3, len(users))
    given = np.ascontiguousarray(codes[np.arange(len(users)), at])
    masks = ((codes == given[:, None]) << np.arange(3)).sum(axis=1)
    if table.bare(row, users, NOW_S) != int(windows.sum()):
        raise SystemExit(f"row {row} over the table: truncations are not hashlib's")
    if not np.array_equal(table.match(row, users, given, NOW_S), masks):
        raise SystemExit(f"row {row} over the table: positions are not hashlib's")


def run_table(options: argparse.Namespace) -> None:
    """The child's part: bare and matching loops by row, and Intel's library, over one table."""
    table = Table(options.users)
    bursts = None
    try:
        bursts = intel.Bursts()
    except MissingError as missing:
        print(f"  {missing}", file=sys.stderr)
    for turn in children.rounds(options.rounds):
        rng = np.random.default_rng([SEED, turn])
        for row in children.rows_here(options.kernels):
            if turn == 0:
                prove(table, row, rng)
            users = rng.integers(0, table.users, options.attempts, np.uint32)
            codes = rng.integers(0, 1_000_000, options.attempts, np.uint32)
            wall, cpu = time.perf_counter(), time.thread_time()
            table.bare(row, users, NOW_S)
            tell_table(table, "watchword", "bare", row, turn, len(users), wall, cpu)
            users = rng.integers(0, table.users, options.attempts, np.uint32)
            wall, cpu = time.perf_counter(), time.thread_time()
            table.match(row, users, codes, NOW_S)
            tell_table(table, "watchword", "match", row, turn, len(users), wall, cpu)
        if bursts:
            run_bursts(table, bursts, options.attempts, rng, turn)


def run_bursts(
    table: Table, bursts: intel.Bursts, attempts: int, rng: np.random.Generator, turn: int
) -> None:
    """The same lanes through Intel's library; a hundred more are compared."""
    users = rng.integers(0, table.users, attempts, np.uint32)
    mids, stride, step = table.core.table_mids(table.at), table.core.table_stride(), NOW_S // STEP_S
    wall, cpu = time.perf_counter(), time.thread_time()
    bursts.of_users(mids, stride, users, step, intel.BURST)
    tell_table(table, "intel", "bare", bursts.path, turn, len(users), wall, cpu)
    some = rng.integers(0, table.users, 100, np.uint32)
    macs = bursts.of_users(mids, stride, some, step, 3 * len(some))
    if [truncated(mac.tobytes()) for mac in macs] != table.windows(some, NOW_S).ravel().tolist():
        raise SystemExit("Intel's library over the table: truncations are not hashlib's")


def tell_table(
    table: Table, peer: str, loop: str, row: str, turn: int, count: int, wall: float, cpu: float
) -> None:
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    children.tell({
        "what": "table", "peer": peer, "loop": loop, "kernel": row, "users": table.users,
        "round": turn, "attempts": count, "hmacs": 3 * count, "wall_s": wall, "cpu_s": cpu,
        "made_s": table.made_s,
    })  # fmt: skip


# ---- the parent ----

# Child, what it needs in its environment.
CHILDREN: dict[str, dict[str, str]] = {
    "watchword": {},
    "openssl": {},
    "openssl-no-sha": {"OPENSSL_ia32cap": ":~0x20000000"},  # bit 29 of leaf 7: SHA extensions
    "intel": {},
    "table": {},
}


def child(options: argparse.Namespace) -> None:
    name = options.only
    if name == "table":
        return run_table(options)
    peers: dict[str, Callable[[], Any]] = {
        "watchword": Ours, "openssl": openssl.Lanes, "openssl-no-sha": openssl.Lanes,
        "intel": intel.Bursts,
    }  # fmt: skip
    try:
        peer = peers[name]()
    except MissingError as missing:
        print(f"  {missing}", file=sys.stderr)
        return None
    return run_lanes(name, peer, options)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench kernel", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.02, help="CPU time of one lanes round")
    parser.add_argument("--users", type=float, default=1e7, help="users in the table")
    parser.add_argument("--attempts", type=int, default=2**20, help="of one round on the table")
    children.add_options(parser)
    options = parser.parse_args(arguments)
    if options.quick:
        options.users, options.attempts = 20_000, 4096
        options.rounds, options.seconds = 1, 0.0005
        compile_quickly()
    options.users = int(options.users)
    if options.only:
        child(options)
        return 0
    load_with_core("kernel")  # compiled before a single core is all there is
    children.pin(options.cpu)
    run_host = host(seed=SEED, quick=options.quick, cpu_used=max(os.sched_getaffinity(0)))
    print(children.banner(run_host))
    rows = children.take_turns("kernel", CHILDREN, arguments, options.rounds)
    print(tables.kernel_tables(rows))
    if options.save:
        print(f"\nraw rows: {save('kernel', run_host, rows, options.results)}")
    return 0
