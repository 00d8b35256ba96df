"""A store made of a backup, such that once still means once.

What a backup lacks nobody knows: so, after everything that was kept has been replayed, every floor
is raised, and what may be lost is named for whoever restores to acknowledge. The restore is an act
in the journal of the store that comes of it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from watchword.acts import said_by, utf8
from watchword.audit import iso
from watchword.engine import Engine
from watchword.errors import Error, InvalidArgument
from watchword.floors import answers_within
from watchword.keys import KeyProvider, RawKey, provider
from watchword.store import Progress, load_head
from watchword.store.restore import staged

__all__ = ["Lost", "Restored", "restore"]


@dataclass(frozen=True, slots=True)
class Lost:
    """What the restored store cannot know: acts and logins of a while. rows: how many rows of the
    journal are known to be missing; None: no head was known."""

    since_ms: int
    until_ms: int
    rows: int | None

    def told(self) -> str:
        how_many = "" if self.rows is None else f", {self.rows} rows of the journal"
        return f"what was done from {iso(self.since_ms)} to {iso(self.until_ms)} is lost{how_many}"


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that came of a backup: through which row of the old life, how many segments were
    kept elsewhere, how many devices had their floors raised, and what is lost."""

    path: str
    turn: int
    segments: int
    devices: int
    lost: Lost


def system_ms() -> int:
    return time.time_ns() // 1_000_000


def restore(
    backup: str | os.PathLike[str], path: str | os.PathLike[str],
    key: KeyProvider | bytes | str | os.PathLike[str] | None = None, *, by: str,
    acknowledge: Callable[[Lost], bool], journal: str | os.PathLike[str] | None = None,
    known_head: str | os.PathLike[str] | None = None, ended_ms: int | None = None,
    clock: Callable[[], int] = system_ms, progress: Progress | None = None,
) -> Restored:  # fmt: skip
    """Makes the store `path`, which is not there yet or is an empty directory, of `backup`.

    key: as Engine.open takes it; it must be the one of the store that was copied. journal: segments
    kept elsewhere (an archive, or the journal of the store that was lost), replayed as far as they
    go on from the backup. known_head: the journal's head as it was kept elsewhere. ended_ms: when
    the lost store gave its last answer, milliseconds since 1970; None: it may have until now.
    acknowledge: is asked before anything is restored whether that much may be lost. by: for the
    record. The backup stays as it is.

    Errors: InvalidArgument, NotFound, Exists, WrongKey, StoreDamaged, StoreFailed, Error.
    """
    who, to = said_by(utf8("by", by).decode()), os.path.abspath(os.fspath(path))
    head = None if known_head is None else load_head(known_head)
    master = RawKey(provider(key, to).key(create=False))
    kept = None if journal is None else os.fspath(journal)
    with staged(os.fspath(backup), to, master, kept, progress) as made:
        now_ms = clock()
        ended = now_ms if ended_ms is None else ended_ms
        known_ms = max(made.tip.time_ms, head.time_ms if head is not None else 0)
        if ended_ms is not None and ended_ms < known_ms:
            raise InvalidArgument(f"ended is {iso(known_ms)} or later: the store answered then")
        rows = None if head is None else max(0, head.turn - made.tip.turn)
        lost = Lost(made.tip.time_ms, max(ended, known_ms), rows)
        engine = Engine.open(made.path, master, clock=lambda: max(now_ms, known_ms))
        try:
            if head is not None:
                engine._store.expect_known(head)
            if not acknowledge(lost):
                raise Error("nothing was restored: the loss was not acknowledged")
            devices = engine.raise_floors(
                by=who, ended_ms=lost.until_ms, text=f"restored; {lost.told()}",
                answers=answers_within(lost.until_ms - lost.since_ms),
            )  # fmt: skip
        finally:
            engine.close()
        made.take_name(to)
    return Restored(to, made.tip.turn, made.segments, devices, lost)
