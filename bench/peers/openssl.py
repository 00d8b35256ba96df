"""OpenSSL in C loops: SHA-1 on copied midstates, and its one-shot HMAC(). peers/openssl.c.

`Lanes` is the same arithmetic without codes, for `python -m bench kernel`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.native import load

WAYS = {
    "midstates": "SHA1_Update on copied midstates, C loop",
    "oneshot": "HMAC() for each step, C loop",
}

Prepared = tuple["np.ndarray[Any, Any]", bytes, int]


def _library() -> ctypes.CDLL:
    library = load("openssl", "openssl/sha.h", "libssl-dev", links="-lcrypto")
    library.mid_bytes.restype = ctypes.c_size_t
    library.OpenSSL_version.restype = ctypes.c_char_p  # libcrypto's own
    return library


def describe(way: str = "midstates") -> str:
    version = _library().OpenSSL_version(0).decode()
    return f"{' '.join(version.split()[:2])}: {WAYS[way]}"


class Peer:
    def __init__(self, keys: list[bytes], way: str) -> None:
        self.library, self.way = _library(), way
        self.keys = b"".join(keys)
        self.mids = ctypes.create_string_buffer(self.library.mid_bytes(0) * len(keys))
        self.library.mids_of(
            0, self.keys, ctypes.c_size_t(20), ctypes.c_size_t(len(keys)), self.mids
        )

    def prepare(self, users: list[int], codes: list[str]) -> Prepared:
        return np.array(users, np.uint32), "".join(codes).encode(), len(users)

    def decide(self, prepared: Prepared, time_s: int) -> bytes:
        users, codes, count = prepared
        answers = ctypes.create_string_buffer(count)
        one = self.way == "oneshot"
        (self.library.decide_oneshot if one else self.library.decide_from_mids)(
            self.keys if one else self.mids, users.ctypes.data_as(ctypes.c_void_p), codes,
            ctypes.c_size_t(count), ctypes.c_int64(time_s), answers,
        )  # fmt: skip
        return answers.raw

    def close(self) -> None:
        pass


def open_peer(keys: list[bytes], way: str = "midstates") -> Peer:
    return Peer(keys, way)


class Lanes:
    """HMACs from midstates, truncated: what a kernel row does."""

    def __init__(self) -> None:
        self.library = _library()

    def ways(self, _hash: int) -> list[str]:
        return ["scalar"]

    def describe(self, _way: str) -> str:
        return describe()

    def lanes(
        self, hash_number: int, _way: str, keys: Any, moving: Any
    ) -> tuple[Callable[[int], None], Callable[[], list[int]], object]:
        count = len(keys)
        mids = ctypes.create_string_buffer(self.library.mid_bytes(hash_number) * count)
        self.library.mids_of(
            hash_number, keys.tobytes(), ctypes.c_size_t(keys.shape[1]),
            ctypes.c_size_t(count), mids,
        )  # fmt: skip
        out = np.zeros(count, np.uint32)
        at, to = (column.ctypes.data_as(ctypes.c_void_p) for column in (moving, out))

        def loop(repeat: int) -> None:
            self.library.hotp_lanes(
                hash_number, mids, at, to, ctypes.c_size_t(count), ctypes.c_size_t(repeat)
            )

        return loop, out.tolist, mids
