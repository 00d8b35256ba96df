"""pyotp, its objects made beforehand and used again: twice as fast as one made for each attempt."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from importlib import metadata

from pyotp import TOTP

Attempts = list[tuple[int, str]]


def describe() -> str:
    return f"pyotp {metadata.version('pyotp')}: TOTP.verify(valid_window=1), object reused"


class Peer:
    def __init__(self, keys: list[bytes]) -> None:
        self.devices = [TOTP(base64.b32encode(key).decode()) for key in keys]

    def prepare(self, users: list[int], codes: list[str]) -> Attempts:
        return list(zip(users, codes, strict=True))

    def decide(self, prepared: Attempts, time_s: int) -> bytes:
        now, devices = datetime.fromtimestamp(time_s, UTC), self.devices
        return bytes(
            devices[user].verify(code, for_time=now, valid_window=1)
            for user, code in prepared
        )

    def close(self) -> None:
        pass


def open_peer(keys: list[bytes]) -> Peer:
    return Peer(keys)
