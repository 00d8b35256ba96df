"""A table of rules as it is played: users and their devices, then row after row, through a door
that nobody has been through yet. What a row means is its file's own: that is what `told` knows.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["play"]


def play(
    told: Any, rows: str, *, begin: Callable[[], object] | None = None, **serials: Iterable[str]
) -> None:
    """serials: whose devices are there before the first row, and before begin(). The row that does
    not hold is the failure; the door is closed however it went."""
    door = told.door
    try:
        for user, enrolled in serials.items():
            door.add_user(user)
            for serial in enrolled:
                door.add_device(user, serial)
        if begin:
            begin()
        for row in rows.strip().splitlines():
            try:
                told.row(row)
            except AssertionError as error:
                pytest.fail(f"{row.strip()}\n{error}", pytrace=False)
    finally:
        door.close()
