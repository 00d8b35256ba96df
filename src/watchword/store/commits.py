"""Rows on their way to the disk: in order, many in one sync, and nobody told before it.

Whoever waits and finds the journal idle carries every queued row down in one transaction; the
others wait for that one. A commit that fails fails everyone, for good.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from watchword.errors import StoreFailed
from watchword.store import Store

__all__ = ["Commits", "said"]

ROWS_PER_COMMIT_MAX = 4_096


def said(error: BaseException) -> str:
    """What an exception says, or its name where it says nothing."""
    return str(error.args[0]) if error.args else type(error).__name__


class Commits:
    """The queue in front of a store's journal. Thread-safe."""

    def __init__(self, store: Store, durable: int) -> None:
        self._store = store
        # A Condition's own __enter__ is Python: an interrupt in it would leave the lock taken.
        self._mutex = threading.RLock()
        self._turned = threading.Condition(self._mutex)
        self._rows: list[tuple[int, bytes]] = []
        self._busy = False
        self._durable = durable
        self.failed: BaseException | None = None
        self._waiters: SimpleQueue[tuple[int, Callable[[BaseException | None], None]] | None]
        self._waiters = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, turn: int, row: bytes) -> None:
        """Queues a row. Callers hold the engine's lock, so that rows come in the order of turns."""
        with self._mutex:
            self._rows.append((turn, row))

    def wait(self, turn: int) -> None:
        """Returns once every row up to `turn` is durable. Errors: StoreFailed."""
        with self._mutex:
            while self._durable < turn:
                if self.failed is not None:
                    raise StoreFailed(
                        f"the engine has ended: {said(self.failed)}",
                        hint="see to the disk, then open the store anew",
                    ) from self.failed
                if self._busy:
                    self._turned.wait()
                else:
                    self._carry()

    def _carry(self) -> None:
        assert self._rows, "someone waits for a turn whose row was never queued"
        rows, self._rows = self._rows[:ROWS_PER_COMMIT_MAX], self._rows[ROWS_PER_COMMIT_MAX:]
        self._busy = True
        failed: BaseException | None = None
        self._turned.release()
        try:
            self._store.append(rows)
        except BaseException as error:
            failed = error
        finally:
            self._turned.acquire()
            self._busy = False
            if failed is None:
                self._durable = rows[-1][0]
            else:
                self.failed = failed
            self._turned.notify_all()
        if failed is not None and not isinstance(failed, StoreFailed):
            raise failed

    def fail(self, error: BaseException) -> None:
        """What waits, and whatever comes, fails: the store can no longer be trusted."""
        with self._mutex:
            self.failed = self.failed or error
            self._turned.notify_all()

    def when_durable(self, turn: int, tell: Callable[[BaseException | None], None]) -> None:
        """Calls tell(None) on the journal thread once `turn` is durable, or tell(error)."""
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._journal, name="watchword-journal", daemon=True
                )
                self._thread.start()
        self._waiters.put((turn, tell))

    def _journal(self) -> None:
        while (waiter := self._waiters.get()) is not None:
            turn, tell = waiter
            try:
                self.wait(turn)
            except BaseException as error:
                tell(error)
            else:
                tell(None)

    def close(self) -> None:
        """Ends the journal thread once it has told everyone."""
        if self._thread is not None:
            self._waiters.put(None)
            self._thread.join()
            self._thread = None
