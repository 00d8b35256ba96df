"""The one lock of an engine: a turn at a time, and no turn from within a turn.

A signal handler, a clock or a sequence that calls the engine while it is in a turn would see half
of one and put its row before the other's: that is misuse and raises. An exception that leaves a
turn between its effects and its row ends the engine, for memory then knows what no record does.
"""

import threading
from collections.abc import Callable

from watchword.errors import Error

__all__ = ["Gate"]


class Gate:
    """A context manager; `open_turn` is true between a turn's effects and its row."""

    def __init__(self, ended: Callable[[BaseException], None]) -> None:
        self._lock = threading.RLock()
        self._ended = ended
        self._inside = False
        self.open_turn = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._inside:
            self._lock.release()
            raise Error(
                "the engine was called from within one of its own turns",
                hint="a signal handler, a clock or a sequence may not use the engine it serves",
            )
        self._inside = True

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self.open_turn:
            self._ended(error)
        self.open_turn = False
        self._inside = False
        self._lock.release()
