"""What a crash leaves of writes that nobody synced: the policies, and nothing else.

A write is (offset, bytes), a change of length (length, None); each list is in the order in which a
file took them. A sector is written whole or not at all; which sectors arrive, and in which order, a
disk decides for itself. Other rigs may tear with the same policies.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["POLICIES", "SECTOR_BYTES", "Write", "kept_of", "left_of"]

SECTOR_BYTES: Final = 512
Write = tuple[int, bytes | None]

# kept: all arrived; dropped: none did; cut: the oldest did; torn: the oldest, and some sectors of
# the next; scattered: any sectors of any, later ones without the earlier ones among them.
POLICIES: Final = ("kept", "dropped", "cut", "torn", "scattered")


def kept_of(count: int, policy: str, rng: random.Random) -> int:
    """How many of `count` ordered operations arrived, for what arrives in order if at all."""
    if policy == "kept":
        return count
    return 0 if policy == "dropped" else rng.randint(0, count)


def left_of(stable: bytes, writes: Sequence[Write], policy: str, rng: random.Random) -> bytearray:
    """The file's bytes after a crash."""
    left = bytearray(stable)
    whole = 0 if policy == "scattered" else kept_of(len(writes), policy, rng)
    for at, piece in writes[:whole]:
        put(left, at, piece)
    rest = writes[whole:] if policy == "scattered" else writes[whole : whole + (policy == "torn")]
    for write in rest:
        for at, piece in sectors(write):
            if rng.random() < 0.5:
                put(left, at, piece)
    return left


def put(content: bytearray, at: int, piece: bytes | None) -> None:
    """One write, or one change of length, done to a file's bytes."""
    if piece is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    if at > len(content):
        content.extend(bytes(at - len(content)))
    content[at : at + len(piece)] = piece


def sectors(write: Write) -> Iterator[Write]:
    at, piece = write
    if piece is None:
        yield write
        return
    done = 0
    while done < len(piece):
        step = SECTOR_BYTES - (at + done) % SECTOR_BYTES
        yield at + done, piece[done : done + step]
        done += step
