"""Where the engine's tests stand: one key, one moment, one way to open a store on disk."""

import os
from typing import Any

from watchword import Engine, totp

KEY = b"12345678901234567890"
T = 1_700_000_010_000  # milliseconds: 10 seconds into a step of 30
STORE_KEY = b"k" * 32


def step_code(steps: int = 0, key: bytes = KEY) -> str:
    """The TOTP code of so many steps from T."""
    return totp(key, T // 1000 + 30 * steps)


def on_disk(path: str | os.PathLike[str], **given: Any) -> Engine:
    return Engine.open(path, given.pop("key", STORE_KEY), clock=given.pop("clock", lambda: T))
