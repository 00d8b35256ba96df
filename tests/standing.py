"""Where the engine's tests stand: one key, one moment, one way to open a store on disk."""

import os
from pathlib import Path
from typing import Any

from watchword import Device, Engine, Policy, lifecycle, totp

KEY = b"12345678901234567890"
T = 1_700_000_010_000  # milliseconds: 10 seconds into a step of 30
STORE_KEY = b"k" * 32


def step_code(steps: int = 0, key: bytes = KEY) -> str:
    """The TOTP code of so many steps from T."""
    return totp(key, T // 1000 + 30 * steps)


def on_disk(path: str | os.PathLike[str], **given: Any) -> Engine:
    return Engine.open(path, given.pop("key", STORE_KEY), clock=given.pop("clock", lambda: T))


def enrolled(folder: Path) -> None:
    """The store that a command finds in its folder, with a user and his card of HOTP codes."""
    with Engine.open(folder / "watchword-store") as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.hotp(KEY), serial="CARD1")


class Bench:
    """An engine with a clock that stands still until it is moved, and its rows in the hand."""

    def __init__(self, **figures: Any) -> None:
        self.now = T
        self.engine = Engine.open(
            clock=lambda: self.now, entropy=lambda n: bytes(n), policy=Policy(**figures)
        )
        self.engine.tap = []

    def last(self) -> list[lifecycle.Record]:
        """The records of the last row."""
        assert self.engine.tap
        return list(lifecycle.records(self.engine.tap[-1]))
