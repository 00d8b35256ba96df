"""Copies of an engine's store, its journal's head, and what is kept of the journal.

Rule: whoever takes something out of a store stands in its journal. Logins go on meanwhile.
"""

import os

from watchword import lifecycle
from watchword.acts import said_by
from watchword.errors import InvalidArgument
from watchword.parts import Parts
from watchword.store import Backup, Head, Progress, Proof

__all__ = ["Backups"]

PACE = 1.0  # rests between two steps of a copy, in times of what one took


class Backups(Parts):
    """backup, journal_head."""

    def backup(
        self, path: str | os.PathLike[str], *, by: str | None = None, pace: float = PACE,
        progress: Progress | None = None,
    ) -> Backup:  # fmt: skip
        """A whole copy of the store in a directory that is not there yet, or is empty. The key is
        not in it. progress(done, total) counts bytes.

        The copy is no store: `watchword.restore` makes one of it. What the other disk refuses does
        not end this engine. Errors: InvalidArgument, Exists, NotFound, StoreFailed, StoreDamaged.
        """
        if self._keeper is None:
            raise InvalidArgument("a store in memory keeps nothing to copy")
        to, who = os.path.abspath(os.fspath(path)), f" by {said_by(by)}" if by is not None else ""
        if os.path.commonpath([os.path.realpath(to), os.path.realpath(self._path)]) == (
            os.path.realpath(self._path)
        ):
            raise InvalidArgument("a backup lies outside the store it is of")
        with self._copying:
            with self._lock:
                self._alive()
            made = self._store.backup(to, pace, progress)
            with self._lock:
                self._alive()
                turn = self._act(lifecycle.note(f"backup through row {made.turn} made{who}"))
            self._wait(turn)
        return made

    def prove_rows(self, after: int = 0) -> Proof:
        """Verifies some rows after turn `after`, or from the first that is kept: seals, order, the
        chain. Go on with the proof's `turn` until it is its `head`. Errors: NotFound, StoreFailed.
        """
        self._alive()
        return self._store.prove_rows(after)

    def prove_pages(self, after: int = 0) -> Proof:
        """The same of pages: go on with `page` until it is `pages_of`."""
        self._alive()
        return self._store.prove_pages(after)

    def expect_known(self, head: Head) -> None:
        """Errors: StoreDamaged when the store is older than that head, or another branch of it;
        InvalidArgument when it is another store's."""
        self._alive()
        self._store.expect_known(head)

    def journal_head(self) -> Head:
        """The last durable row with its tag, signed: kept elsewhere, it shows when a store is older
        than it was (`known_head` of Engine.open). Errors: NotFound for a store in memory."""
        with self._deciding():
            turn = self._turn
        self._wait(turn)
        return self._store.known_head()
