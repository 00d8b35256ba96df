"""liboath's oath_totp_validate in a C loop: peers/liboath.c. It stops at a match."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from bench.native import load

Prepared = tuple["np.ndarray[Any, Any]", bytes, int]


def _library() -> ctypes.CDLL:
    library = load("liboath", "liboath/oath.h", "liboath-dev", links="-loath")
    library.version.restype = ctypes.c_char_p
    return library


def describe() -> str:
    return f"liboath {_library().version().decode()}: oath_totp_validate(window=1), C loop"


class Peer:
    def __init__(self, keys: list[bytes]) -> None:
        self.library, self.keys = _library(), b"".join(keys)
        if self.library.prepare():
            raise SystemExit("liboath will not start")

    def prepare(self, users: list[int], codes: list[str]) -> Prepared:
        return np.array(users, np.uint32), "".join(codes).encode(), len(users)

    def decide(self, prepared: Prepared, time_s: int) -> bytes:
        users, codes, count = prepared
        answers = ctypes.create_string_buffer(count)
        self.library.decide(
            self.keys, users.ctypes.data_as(ctypes.c_void_p), codes,
            ctypes.c_size_t(count), ctypes.c_int64(time_s), answers,
        )  # fmt: skip
        return answers.raw

    def close(self) -> None:
        pass


def open_peer(keys: list[bytes]) -> Peer:
    return Peer(keys)
