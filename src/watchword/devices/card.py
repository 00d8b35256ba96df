"""Code cards: what is printed on one, and the answer it gives.

A card is its key: every cell comes out of an HMAC of its index. Rule: cells are made to be shown or
to answer with, and kept nowhere.
"""

from dataclasses import dataclass, field

from watchword import _engine
from watchword.devices.arguments import key_bytes
from watchword.errors import InvalidArgument

__all__ = ["ANSWERS_MAX", "CELLS", "Card", "cells"]

CELLS = 224
ANSWERS_MAX = CELLS * (CELLS - 1)   # each two cells, in one order and then in the other


@dataclass(frozen=True, slots=True)
class Card:
    """A card to be shown or printed. Its cells are secret: cells[0] is the one numbered 1."""

    serial: str
    kind: str
    cells: tuple[str, ...] = field(repr=False)

    def answer(self, prompt: str) -> str:
        """The six characters for two indices, as "12 201". Errors: InvalidArgument."""
        words = prompt.split(" ") if isinstance(prompt, str) else []
        numbers = [int(word) for word in words if word.isascii() and word.isdecimal()]
        if len(words) != 2 or len(set(numbers)) != 2 or not all(1 <= n <= CELLS for n in numbers):
            raise InvalidArgument(f"prompt must be two different indices from 1 to {CELLS}")
        return "".join(self.cells[number - 1] for number in numbers)


def cells(key: bytes) -> tuple[str, ...]:
    """The 224 cells of the card with this key, three characters each."""
    return _engine.card_cells(key_bytes("key", key))
