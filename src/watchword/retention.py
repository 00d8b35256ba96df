"""How long the journal is kept: so many days, or so much of the disk, whichever is less.

Rule: nothing goes that a restart would need (rows that no page covers) or that is younger than a
request id may be; what is to be archived goes only when it stands in the archive. An archive that
cannot be written stops the dropping and nothing else, and is said.
"""

import os
import time
from dataclasses import dataclass
from typing import Final

from watchword import lifecycle
from watchword.errors import Error, InvalidArgument
from watchword.parts import Parts

__all__ = ["Kept", "Retention", "Retentions"]

DAY_MS: Final = 86_400_000
YOUNG_MS: Final = 60_000        # the request ids of so long are remembered
LOOK_SECONDS: Final = 30.0      # between two looks
WARN_PERCENT: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """days: the oldest row's age. disk_percent: of the disk that the store is on. archive: where
    every ended segment is copied, and has to be before it goes. Errors: InvalidArgument."""

    days: int = 30
    disk_percent: int = 10
    archive: str | None = None

    def __post_init__(self) -> None:
        for name, most in (("days", 36_500), ("disk_percent", 100)):
            figure = getattr(self, name)
            if isinstance(figure, bool) or not isinstance(figure, int) or not 1 <= figure <= most:
                raise InvalidArgument(f"{name} is 1 to {most}")
        if self.archive is not None and not os.path.isdir(self.archive):
            raise InvalidArgument("archive is a directory that exists")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the journal, and how much may be. warning: what an operator should see to; or
    nothing."""

    bytes: int
    bytes_max: int
    percent: int
    since_ms: int
    archived: int
    warning: str


class Retentions(Parts):
    """keep_journal, journal_kept."""

    _retention = Retention()
    _retained_s = 0.0
    _archived = 0
    _archive_fails = ""

    def keep_journal(self, retention: Retention) -> None:
        """From here on; it takes effect within a minute. Errors: InvalidArgument."""
        if not isinstance(retention, Retention):
            raise InvalidArgument("retention is a watchword.Retention")
        if retention.archive is not None:
            place, own = os.path.realpath(retention.archive), os.path.realpath(self._path)
            if os.path.commonpath([place, own]) == own:
                raise InvalidArgument("archive lies outside the store")
        self._retention, self._retained_s = retention, 0.0

    @property
    def journal_kept(self) -> Kept:
        """How large the journal is, and whether somebody should see to it."""
        size = self._store.counters().get("journal_bytes", 0)
        most = self._journal_bytes_max()
        percent = 100 * size // most if most else 0
        ended = self._store.ended()
        warning = self._archive_fails
        if not warning and percent >= WARN_PERCENT:
            warning = "the journal fills nearly all that it may: the oldest rows will go"
        return Kept(
            size, most, percent, ended[0].time_ms if ended else self._store.last_time_ms,
            self._archived, warning,
        )  # fmt: skip

    def _journal_bytes_max(self) -> int:
        """0: the disk's size is not known, and nothing goes for it."""
        disk_bytes = 0 if self._keeper is None else self._keeper.disk_bytes
        return int(disk_bytes) * self._retention.disk_percent // 100

    def _retain(self) -> None:
        """The keeper's part: archives what has ended, drops what may go; now and then."""
        now_s = time.monotonic()
        if now_s - self._retained_s < LOOK_SECONDS:
            return
        self._retained_s = now_s
        if not self._copying.acquire(blocking=False):
            return  # a copy is being made: nothing may go
        try:
            turn = self._may_go()
            archive = self._retention.archive
            if archive is not None:
                turn = min(turn, self._archive_ended(archive))
            if any(segment.last < turn for segment in self._store.ended()):
                with self._lock:
                    self._wait(self._turn)
                    gone = self._store.drop_before(turn)
                    said = "archived and dropped" if archive is not None else "dropped"
                    act = self._act(lifecycle.note(f"rows before {turn} {said}, {gone} segments"))
                self._wait(act)
        finally:
            self._copying.release()

    def _may_go(self) -> int:
        """The turn before which nothing need be kept: of whole segments, the oldest first."""
        newest_ms, most = self._store.last_time_ms, self._journal_bytes_max()
        size = self._store.counters()["journal_bytes"]
        turn = 0
        for segment in self._store.ended():
            age_ms = newest_ms - segment.time_ms
            old = age_ms > self._retention.days * DAY_MS or 0 < most < size
            if not old or segment.last > self._covered or age_ms <= YOUNG_MS:
                break
            turn, size = segment.last + 1, size - segment.size
        return turn

    def _archive_ended(self, place: str) -> int:
        """Archives what has ended and is not there; the turn before which all is."""
        through = 0
        try:
            there = self._store.archived(place)
            for segment in self._store.ended():
                if segment.number not in there:
                    self._store.archive(segment, place)
                through = segment.last + 1
            self._archive_fails = ""
        except Error as error:
            self._archive_fails = f"{error.args[0]}: the journal grows until that is seen to"
        self._archived = max(self._archived, through - 1)
        return through
