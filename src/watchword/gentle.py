"""A thread that gives way: for work which is to be done, and which nobody waits for.

Every login waits for the loop's thread and the journal's. A third one that writes pages beside them
has as good a claim to the processor as either, and keeps it to the end of its slice before it lets
them in; where they share one core that is what the slowest logins wait for. A thread may lower its
own priority but not raise it again, so it is a thread of its own: what is urgent is done without.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

__all__ = ["Gentle"]

NICE = 10  # a tenth of the processor's time of whoever else wants it, which it always gets


class Gentle:
    """Does one thing at a time, for one caller at a time, who waits for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._wanted: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], Any]) -> Any:
        """What work returns, or raises."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._wanted.put(work)
        value, error = self._done.get()
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # it is lower already
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while (work := self._wanted.get()) is not None:
            try:
                self._done.put((work(), None))
            except BaseException as error:
                self._done.put((None, error))
