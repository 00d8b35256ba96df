"""Passwords hashed: Argon2id, off every lock and every loop, on threads of their own.

Rule: a queue with an end, so that a flood of passwords costs itself and no other login waits for
it. A text goes no further than this file.
"""

import asyncio
import contextlib
import hmac
import struct
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from watchword.errors import InvalidArgument

__all__ = [
    "GIVEN", "HASHING_THREADS", "KEPT", "NEEDS_DEVICE", "NEEDS_PIN", "PASSWORDS_WAITING_MAX",
    "PASSWORD_BYTES_MAX", "SALT_BYTES", "UNTOLD", "VOUCHED", "WITHIN", "Asked",
    "Fact", "Figures", "Hasher", "vouched",
]  # fmt: skip

PASSWORDS_WAITING_MAX: Final = 256      # beyond it attempts with a password are BUSY
HASHING_THREADS: Final = 2
PASSWORD_BYTES_MAX: Final = 128
SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
KEPT: Final = struct.Struct("<16s32sIIII")     # salt, digest, memory in KiB, passes, lanes, 0
# WW_FIRST of ext/watchword.h
GIVEN, RIGHT, VOUCHED, NEEDS_PIN, NEEDS_DEVICE, WITHIN = 1, 2, 4, 8, 16, 32
# OpenSSL gives the process one pool of threads for Argon2's lanes: of two that want some at once
# one fails, as if memory were short, or neither ends.
LANES: Final = Lock()


class Fact(NamedTuple):
    """What an attempt is told: WW_FIRST's bits, and the number of the password that was tried."""

    first: int
    number: int = 0


UNTOLD, VOUCHED_FOR = Fact(0), Fact(VOUCHED)    # what most attempts are told


def vouched(said: object) -> Fact:
    """What an attempt is told where a caller says of the first factor anything but False. A word
    that merely counts as true, as "no" does, lets nobody in."""
    if said is not True:
        raise InvalidArgument("first_factor is True or False")
    return VOUCHED_FOR


class Figures(NamedTuple):
    """Argon2id's salt and costs."""

    salt: bytes
    memory_kib: int
    passes: int
    lanes: int


class Asked(NamedTuple):
    """A password that was given, and what it is held against: number 0 and nothing where there is
    none."""

    text: bytes
    figures: Figures
    number: int = 0
    digest: bytes = bytes(DIGEST_BYTES)

    def fact(self, made: bytes) -> Fact:
        """Whether it is right, once it is hashed."""
        same = hmac.compare_digest(made, self.digest)
        fits = len(self.text) <= PASSWORD_BYTES_MAX
        return Fact(GIVEN | (RIGHT if same and fits and self.number else 0), self.number)


Tell = Callable[[bytes | BaseException], Any]


class Hasher:
    """The threads that hash, begun when the first password comes."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._jobs: SimpleQueue[tuple[bytes, Figures, bytes, Tell] | None] = SimpleQueue()
        self._threads = 0

    def take(self, text: bytes, figures: Figures, tell: Tell) -> bool:
        """Hashes soon, and calls `tell` with the digest on a thread of its own. False: too many
        wait, and nothing will happen."""
        if self._jobs.qsize() >= PASSWORDS_WAITING_MAX:
            return False
        self._jobs.put((text, figures, self._pepper, tell))
        while self._threads < HASHING_THREADS:
            self._threads += 1
            start_new_thread(hash_passwords, (self._jobs,))
        return True

    def hash(self, text: bytes, figures: Figures) -> bytes | None:
        """The digest, waited for; None: too many wait."""
        done: SimpleQueue[bytes | BaseException] = SimpleQueue()
        if not self.take(text, figures, done.put):
            return None
        made = done.get()
        if isinstance(made, BaseException):
            raise made
        return made

    async def hash_soon(self, text: bytes, figures: Figures) -> bytes | None:
        """hash for asyncio."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bytes | BaseException] = loop.create_future()

        def landed(made: bytes | BaseException) -> None:
            if not done.done():
                done.set_result(made)

        def tell(made: bytes | BaseException) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(landed, made)

        if not self.take(text, figures, tell):
            return None
        made = await done
        if isinstance(made, BaseException):
            raise made
        return made

    def close(self) -> None:
        while self._threads:
            self._threads -= 1
            self._jobs.put(None)


def hash_passwords(jobs: "SimpleQueue[tuple[bytes, Figures, bytes, Tell] | None]") -> None:
    """What a hashing thread does until it is given None; at rest it holds the queue alone."""
    while (job := jobs.get()) is not None:
        text, figures, pepper, tell = job
        made: bytes | BaseException
        try:
            with LANES if figures.lanes > 1 else contextlib.nullcontext():
                made = Argon2id(
                    salt=figures.salt, length=DIGEST_BYTES, iterations=figures.passes,
                    lanes=figures.lanes, memory_cost=figures.memory_kib, secret=pepper,
                ).derive(text[:PASSWORD_BYTES_MAX])  # fmt: skip
        except BaseException as error:
            made = error
        with contextlib.suppress(RuntimeError):     # the loop that asked was closed meanwhile
            tell(made)
        del job, text, figures, tell, made
