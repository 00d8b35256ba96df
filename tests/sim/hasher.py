"""Threads that hash, in a simulation: there are none. A story says when a password is hashed, and
what others do meanwhile.

Argon2id itself is proven elsewhere: here a digest costs nothing, and depends on all that Argon2id's
depends on.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from functools import partial

from watchword import hashing
from watchword.hashing import PASSWORD_BYTES_MAX, Figures, Tell

__all__ = ["Hasher"]


class Hasher(hashing.Hasher):
    """`amid`: what others do while a call waits for its digest, the next call's first."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.waiting: list[tuple[bytes, Figures, Tell]] = []
        self.amid: deque[Callable[[], None]] = deque()
        self.is_full = False

    def take(self, text: bytes, figures: Figures, tell: Tell) -> bool:
        if not self.is_full:
            self.waiting.append((text, figures, tell))
        return not self.is_full

    def hash(self, text: bytes, figures: Figures) -> bytes | None:
        if self.amid:
            self.amid.popleft()()
        return None if self.is_full else digest_of(text, figures)

    def work(self, n: int) -> None:
        """A thread is done with one of those that wait, whichever came first."""
        text, figures, tell = self.waiting.pop(n % len(self.waiting))
        tell(digest_of(text, figures))

    @property
    def owed(self) -> int | None:
        """The first that somebody waits for; what is renewed nobody waits for."""
        return next((i for i, job in enumerate(self.waiting) if not is_renewal(job[2])), None)

    def renew(self) -> None:
        """All that is renewed is, in its order."""
        for job in [job for job in self.waiting if is_renewal(job[2])]:
            self.work(self.waiting.index(job))

    def close(self) -> None:
        self.waiting.clear()


def is_renewal(tell: Tell) -> bool:
    return isinstance(tell, partial)


def digest_of(text: bytes, figures: Figures) -> bytes:
    kept = b"%b %d %d %d " % (figures.salt, *figures[1:])
    return hashlib.sha256(kept + text[:PASSWORD_BYTES_MAX]).digest()
