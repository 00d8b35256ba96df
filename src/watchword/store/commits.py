"""Rows on their way to the disk: in order, many in one sync, and nobody told before it.

Whoever waits and finds the journal idle carries every queued row down in one transaction; the
others wait for that one. A commit that fails fails everyone, for good.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from watchword._engine import Times, take_short_slices
from watchword.errors import Error, StoreFailed
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
        # Bare locks: a Condition's methods are Python, and an interrupt in one leaves it taken.
        self._mutex = threading.Lock()
        self._carrying = threading.Lock()
        self._carrier = 0  # the thread that has it
        self._rows: list[tuple[int, bytes]] = []
        self._durable = durable
        self.failed: BaseException | None = None
        self.times = Times()  # of commits, each with its sync
        self._waiters: SimpleQueue[tuple[int, Callable[[BaseException | None], None]] | None]
        self._waiters = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, turn: int, row: bytes) -> None:
        """Queues a row. Callers hold the engine's lock, so that rows come in the order of turns."""
        with self._mutex:
            self._rows.append((turn, row))

    def wait(self, turn: int) -> None:
        """Returns once every row up to `turn` is durable. Errors: StoreFailed."""
        while self._durable < turn:
            if self._carrier == threading.get_ident():
                raise Error(
                    "the engine was called from within one of its own commits",
                    hint="a signal handler may not use the engine it interrupts",
                )
            with self._carrying:
                if self._durable < turn:
                    self._carry()

    def _carry(self) -> None:
        if self.failed is not None:
            raise StoreFailed(
                f"the engine has ended: {said(self.failed)}",
                hint="see to the disk, then open the store anew",
            ) from self.failed
        try:
            self._carrier = threading.get_ident()
            with self._mutex:
                rows, self._rows = (
                    self._rows[:ROWS_PER_COMMIT_MAX], self._rows[ROWS_PER_COMMIT_MAX:]
                )
            assert rows, "someone waits for a turn whose row was never queued"
            began_ns = time.perf_counter_ns()
            self._store.append(rows)
            self._durable = rows[-1][0]
            self.times.add(time.perf_counter_ns() - began_ns)
        except BaseException as error:
            # An interrupt too: what became of the rows is not known any more.
            self.failed = self.failed or error
            if not isinstance(error, StoreFailed):
                raise
        finally:
            self._carrier = 0

    def fail(self, error: BaseException) -> None:
        """What waits, and whatever comes, fails: the store can no longer be trusted."""
        self.failed = self.failed or error

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
        take_short_slices()
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
