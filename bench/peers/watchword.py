"""Watchword, called five ways: one attempt or many, str or numpy columns, in memory or on disk.

On disk every call waits until its verdicts are durable; the other peers keep nothing at all.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from importlib import metadata
from typing import Any

import numpy as np

import watchword

WAYS = {
    "one": "verify, store in memory",
    "many": "verify_many of str, store in memory",
    "columns": "verify_many of numpy columns, store in memory",
    "one-durable": "verify, store on disk, a sync each",
    "columns-durable": "verify_many of numpy columns, store on disk, a sync a batch",
}


def describe(way: str = "one") -> str:
    version = "source tree"
    with contextlib.suppress(metadata.PackageNotFoundError):
        version = metadata.version("watchword")
    return f"watchword {version}: {WAYS[way]}"


class Peer:
    """An engine with a clock that the benchmark sets."""

    def __init__(self, keys: list[bytes], way: str) -> None:
        self.way = way
        self.now_ms = 1_700_000_000_000
        self.folder = tempfile.mkdtemp(prefix="watchword-bench-")
        path = f"{self.folder}/store" if way.endswith("durable") else ":memory:"
        self.engine = watchword.Engine.open(path, clock=lambda: self.now_ms)
        self.names = [f"user{n}" for n in range(len(keys))]
        self.engine.add_users(self.names, keys)

    def prepare(self, users: list[int], codes: list[str]) -> Any:
        names = [self.names[user] for user in users]
        if self.way.startswith("columns"):
            return np.array(names, dtype="S"), np.array(codes, dtype="S")
        return names, codes

    def decide(self, prepared: Any, time_s: int) -> bytes:
        self.now_ms = time_s * 1000
        names, codes = prepared
        if self.way.startswith("one"):
            verify = self.engine.verify
            return bytes(bool(verify(n, code)) for n, code in zip(names, codes, strict=True))
        verdicts = self.engine.verify_many(names, codes)
        return (np.asarray(verdicts) == watchword.Code.ACCEPTED).astype(np.uint8).tobytes()

    def close(self) -> None:
        self.engine.close()
        shutil.rmtree(self.folder)


def open_peer(keys: list[bytes], way: str = "one") -> Peer:
    return Peer(keys, way)
