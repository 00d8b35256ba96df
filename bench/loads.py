"""Commands, and how they are asked, for `python -m bench daemon`.

Two loaders. redis-benchmark is everybody's, and sends one command again and again with another
number in its name; it is a limit of its own at one command a write. Ours is bench/peers/load.c: it
keeps every latency, and in an open loop asks at a fixed rate whatever the server does. A row has
latencies as an HdrHistogram of nanoseconds, three digits exact, in the form that its readers open.
"""

import csv
import ctypes
import io
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import native
from bench.attempts import digits
from bench.native import MissingError
from bench.rows import Row
from bench.servers import NAME_DIGITS

CONNECTIONS = 50
POOL = 1_000_000        # commands made beforehand, of random users
MANY = 100              # pairs of a VERIFYMANY
TOOK_MAX = 50_000_000   # latencies of a run
HDR_MAX_NS = 60_000_000_000
RIGHT_SHARE = 0.5       # of the codes our own loader types


@dataclass(frozen=True)
class Pool:
    """Commands one after the other, and where each begins."""

    bytes: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    answers: int = 1  # verdicts, or other answers, of a command


class _Counts(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in
          ("commands", "accepted", "rejected", "locked", "busy", "errors", "other", "late")),
        ("seconds", ctypes.c_double),
    ]  # fmt: skip


def verify_pool(users: int, code: str, seed: int, count: int = POOL) -> Pool:
    """VERIFY of random users: half of the codes are the one code, the others are wrong."""
    rng = np.random.default_rng(seed)
    codes = np.where(rng.random(count) < RIGHT_SHARE, int(code), rng.integers(0, 10**6, count))
    return _pool([b"VERIFY", _names(rng, users, count), digits(codes, 6)])


def many_pool(users: int, code: str, seed: int, count: int = POOL // MANY) -> Pool:
    """VERIFYMANY of a hundred pairs."""
    rng = np.random.default_rng(seed)
    parts: list[bytes | np.ndarray[Any, Any]] = [b"VERIFYMANY", b"%d" % MANY]
    for _ in range(MANY):
        codes = np.where(rng.random(count) < RIGHT_SHARE, int(code), rng.integers(0, 10**6, count))
        parts += [_names(rng, users, count), digits(codes, 6)]
    pool = _pool(parts)
    return Pool(pool.bytes, pool.starts, MANY)


def redis_pool(command: str, users: int, seed: int, count: int = POOL) -> Pool:
    """SET or GET of as many keys, as long as the names."""
    rng = np.random.default_rng(seed)
    keys = _names(rng, users, count)
    return _pool([b"GET", keys] if command == "GET" else [b"SET", keys, digits(
        rng.integers(0, 10**6, count), 6)])  # fmt: skip


def _names(rng: np.random.Generator, users: int, count: int) -> np.ndarray[Any, Any]:
    return np.char.add(b"u", digits(rng.integers(0, users, count), NAME_DIGITS))


def _pool(parts: list[bytes | np.ndarray[Any, Any]]) -> Pool:
    """Every command as an array of bulk strings; those of a pool are equally long."""
    count = next(len(part) for part in parts if not isinstance(part, bytes))
    columns = [np.frombuffer(b"*%d\r\n" % len(parts), np.uint8)]
    for part in parts:
        width = len(part) if isinstance(part, bytes) else part.dtype.itemsize
        columns.append(np.frombuffer(b"$%d\r\n" % width, np.uint8))
        columns.append(np.frombuffer(part, np.uint8).reshape(-1, width))
        columns.append(np.frombuffer(b"\r\n", np.uint8))
    width = sum(column.shape[-1] for column in columns)
    out, at = np.empty((count, width), np.uint8), 0
    for column in columns:
        out[:, at : at + column.shape[-1]] = column
        at += column.shape[-1]
    return Pool(out.reshape(-1), np.arange(count + 1, dtype=np.uint64) * np.uint64(width))


def ours(
    port: int, pool: Pool, seconds: float, *, depth: int = 1, rate: float = 0.0,
    connections: int = CONNECTIONS,
) -> Row:  # fmt: skip
    """One run of our loader: what came back, when, and every latency as a histogram.

    rate: commands a second of an open loop; 0 is a closed one. Errors: SystemExit.
    """
    counts = _Counts()
    took = np.empty(min(TOOK_MAX, int(seconds * (rate or 4_000_000)) + 1), np.uint32)
    failed = native.load("load").load_run(
        port, None, connections, depth, ctypes.c_double(rate), ctypes.c_double(seconds),
        pool.bytes.ctypes.data_as(ctypes.c_void_p), pool.starts.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_uint64(len(pool.starts) - 1), took.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_uint64(len(took)), ctypes.byref(counts),
    )  # fmt: skip
    if failed:
        raise SystemExit("the server went away, or cannot be reached")
    row = {name: getattr(counts, name) for name, _ in _Counts._fields_}
    return {
        **row, "answers": pool.answers * counts.commands, "depth": depth, "rate": rate,
        "connections": connections, **latencies(took[: min(counts.commands, len(took))]),
    }  # fmt: skip


def latencies(took_ns: np.ndarray[Any, Any]) -> Row:
    """Percentiles in seconds, and the histogram they are read from."""
    try:
        from hdrh.histogram import HdrHistogram
    except ImportError:
        raise MissingError("hdrhistogram: not installed (pip install hdrhistogram)") from None
    hdr = HdrHistogram(1, HDR_MAX_NS, 3)
    values, counts = np.unique(took_ns // 100 * 100, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        hdr.record_value(max(value, 1), count)
    at = {f"p{str(p).replace('.', '_')}_s": hdr.get_value_at_percentile(p) / 1e9
          for p in (50, 90, 99, 99.9)}  # fmt: skip
    return {**at, "max_s": hdr.get_max_value() / 1e9, "hdr": hdr.encode().decode()}


def redis_benchmark(
    port: int, words: list[str], *, users: int, depth: int, requests: int,
    more: tuple[str, ...] = (),
) -> Row:  # fmt: skip
    """One run of redis-benchmark, after half of it as a warm-up: __rand_int__ in words is a user's
    number."""
    for count in (requests // 2, requests):
        command = ["redis-benchmark", "-p", str(port), "-c", str(CONNECTIONS), "-P", str(depth),
                   "-n", str(count), "-r", str(users), "--csv", *more, *words]  # fmt: skip
        done = subprocess.run(command, text=True, capture_output=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith('"')]
        if done.returncode or len(lines) < 2:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    said = list(csv.DictReader(io.StringIO("\n".join(lines))))[-1]
    return {
        "commands": requests, "seconds": requests / float(said["rps"]), "depth": depth,
        "connections": CONNECTIONS, "p50_s": float(said["p50_latency_ms"]) / 1e3,
        "p99_s": float(said["p99_latency_ms"]) / 1e3, "max_s": float(said["max_latency_ms"]) / 1e3,
    }  # fmt: skip
