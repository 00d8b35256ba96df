"""Intel's multi-buffer library, HMACs in bursts of 128: peers/intel.c. For the kernel alone.

It computes MACs; truncating, comparing and all that a login is are left out of its time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.native import load, load_with_core

MAC_BYTES, MID_BYTES, SLOT = (20, 32, 64), (40, 64, 128), 64
BURST = 126  # lanes of one burst over a table: three for each user


class Bursts:
    """HMACs from midstates by address."""

    def __init__(self) -> None:
        self.library = library = load(
            "intel", "intel-ipsec-mb.h", "libipsec-mb-dev", links="-lIPSec_MB"
        )
        library.version.restype = library.path_in_use.restype = ctypes.c_char_p
        library.hmacs.restype = library.hmacs_of_users.restype = ctypes.c_size_t
        if library.prepare():
            raise SystemExit("Intel's multi-buffer library will not start")
        self.path = library.path_in_use().decode()

    def ways(self, _hash: int) -> list[str]:
        return [self.path]

    def describe(self, _way: str) -> str:
        version = self.library.version().decode().removeprefix("v")
        return f"Intel multi-buffer {version}, {self.path}: hash bursts of 128, HMACs only"

    def of_users(self, mids: int, stride: int, users: Any, step: int, kept: int) -> Any:
        """MACs of three steps for each of the users, 20 bytes each: the last `kept` of them."""
        macs = np.zeros((kept, SLOT), np.uint8)
        expect_none(self.library.hmacs_of_users(
            ctypes.c_void_p(mids), ctypes.c_size_t(stride), users.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(len(users)), ctypes.c_uint64(step),
            macs.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(kept),
        ))  # fmt: skip
        return macs[:, : MAC_BYTES[0]]

    def lanes(
        self, hash_number: int, _way: str, keys: Any, moving: Any
    ) -> tuple[Callable[[int], None], Callable[[], list[int]], object]:
        count, mid_bytes = len(keys), MID_BYTES[hash_number]
        mids = np.zeros((count, mid_bytes), np.uint8)
        load_with_core("kernel").mids_of(
            hash_number, keys.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(keys.shape[1]),
            ctypes.c_size_t(count), mids.ctypes.data_as(ctypes.c_void_p),
        )  # fmt: skip
        at = (mids.ctypes.data + np.arange(count) * mid_bytes).astype(np.uint64)
        macs = np.zeros((count, SLOT), np.uint8)

        def answers() -> list[int]:
            tails = macs[:, MAC_BYTES[hash_number] - 1] & 15
            place = tails[:, None].astype(np.int64) + np.arange(4)
            words = np.take_along_axis(macs, place, axis=1).copy().view(">u4")
            return [int(word) & 0x7FFFFFFF for word in words.ravel()]

        def loop(repeat: int) -> None:
            columns = (column.ctypes.data_as(ctypes.c_void_p) for column in (at, moving, macs))
            expect_none(self.library.hmacs(
                hash_number, *columns, ctypes.c_size_t(count), ctypes.c_size_t(repeat)
            ))  # fmt: skip

        return loop, answers, mids


def expect_none(lost: int) -> None:
    if lost:
        raise SystemExit(f"Intel's multi-buffer library left {lost} jobs undone")
