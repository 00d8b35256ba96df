"""Passwords: Argon2id, off every lock and every loop, and what an attempt is told of one.

Rule: a password is hashed on a thread of its own before its attempt takes a turn, in a queue with
an end, so that no other login waits for it. A user without a password and a name that does not
exist cost what a new password costs. No text goes further than this file, and none is in a message.
"""

import asyncio
import hmac
import struct
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from watchword import lifecycle
from watchword._engine import secrets_kept
from watchword.acts import utf8
from watchword.errors import Busy, InvalidArgument
from watchword.parts import Parts
from watchword.policy import Policy

__all__ = [
    "BUSY", "GIVEN", "NEEDS_PIN", "PASSWORDS_WAITING_MAX", "VOUCHED", "Fact", "Hasher", "Passwords",
]  # fmt: skip

PASSWORDS_WAITING_MAX: Final = 256      # beyond it attempts with a password are BUSY
HASHING_THREADS: Final = 2
PASSWORD_BYTES_MAX: Final = 128
SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
KEPT: Final = struct.Struct("<16s32sIIII")     # salt, digest, memory in KiB, passes, lanes, 0
GIVEN, RIGHT, VOUCHED, NEEDS_PIN = 1, 2, 4, 8   # WW_FIRST of ext/watchword.h
SERIAL: Final = b"*"                            # no device has it


class Fact(NamedTuple):
    """What an attempt is told: WW_FIRST's bits, and the number of the password that was tried."""

    first: int
    number: int = 0


BUSY: Final = None                      # in a Fact's place: so many wait already


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
            made = Argon2id(
                salt=figures.salt, length=DIGEST_BYTES, iterations=figures.passes,
                lanes=figures.lanes, memory_cost=figures.memory_kib, secret=pepper,
            ).derive(text[:PASSWORD_BYTES_MAX])  # fmt: skip
        except BaseException as error:
            made = error
        try:
            tell(made)
        except RuntimeError:
            pass  # the loop that asked was closed meanwhile
        del job, text, figures, tell, made


def busy() -> Busy:
    return Busy(
        f"{PASSWORDS_WAITING_MAX} passwords wait to be hashed: nothing happened",
        hint="try again later",
    )


class Passwords(Parts):
    """set_password, clear_password; and what verify says of a password."""

    def set_password(self, name: str, password: str) -> None:
        """Gives a user a password, or another one: the first factor of every login from now on.

        Kept as Argon2id under a key of the store's. Errors: InvalidArgument, also when it is too
        short, too long or too plain; NotFound, Busy, StoreFailed.
        """
        text = new_password(self._policy, name, password)
        with self._deciding():
            self._user(name)
        figures = self._figures(self._entropy(SALT_BYTES))
        made = self._hasher.hash(text, figures)
        if made is None:
            raise busy()
        kept = KEPT.pack(figures.salt, made, *figures[1:], 0)
        with self._deciding():
            number, _ = self._user(name)
            turn = self._act(self._password_acts(number, kept))
        self._wait(turn)

    def clear_password(self, name: str) -> None:
        """Takes a user's password away; without one no error. Errors: NotFound, StoreFailed."""
        with self._deciding():
            number, _ = self._user(name)
            found = secrets_kept(self._core, number & 0xFFFFFFFF)[0]
            turn = self._turn
            if found is not None:
                turn = self._act(lifecycle.device_remove(number, found[0]))
        self._wait(turn)

    # -- what stands (the lock is held)

    def _password_acts(self, number: int, kept: bytes) -> bytes:
        """The old password goes, the new one comes."""
        found = secrets_kept(self._core, number & 0xFFFFFFFF)[0]
        gone = b"" if found is None else lifecycle.device_remove(number, found[0])
        return gone + lifecycle.secret_add(
            number, self._core.next_device(), "password", kept, SERIAL
        )

    def _figures(self, salt: bytes) -> Figures:
        policy = self._policy
        return Figures(
            salt, policy.password_memory_kib, policy.password_passes, policy.password_lanes
        )

    def _asked_of(self, user: str | bytes, text: bytes) -> Asked | None:
        """What a password is held against; None for a name that no name may be."""
        name = user if isinstance(user, bytes) else user.encode("utf-8", "replace")
        with self._lock:
            self._alive()
            if not self._core.name_legal(name):
                return None
            slot = self._core.find(name)
            found = None if slot is None else secrets_kept(self._core, slot)[0]
        if found is None:
            return Asked(text, self._figures(bytes(SALT_BYTES)))
        salt, digest, memory_kib, passes, lanes, _ = KEPT.unpack(found[1])
        return Asked(text, Figures(salt, memory_kib, passes, lanes), found[0], digest)

    # -- what an attempt is told

    def _fact(self, user: str, password: str | None, vouched: bool) -> Fact | None:
        """Hashes, where a password was given. None: too many wait."""
        asked = self._password_asked(user, password)
        if asked is None:
            return Fact((GIVEN if password is not None else 0) | (VOUCHED if vouched else 0))
        made = self._hasher.hash(asked.text, asked.figures)
        return None if made is None else asked.fact(made)

    async def _fact_soon(
        self, user: str | bytes, password: str | bytes | None, vouched: bool
    ) -> Fact | None:
        """_fact for asyncio."""
        asked = self._password_asked(user, password)
        if asked is None:
            return Fact((GIVEN if password is not None else 0) | (VOUCHED if vouched else 0))
        made = await self._hasher.hash_soon(asked.text, asked.figures)
        return None if made is None else asked.fact(made)

    def _password_asked(
        self, user: str | bytes, password: str | bytes | None
    ) -> Asked | None:
        if password is None:
            return None
        text = password if isinstance(password, bytes) else utf8("password", password)
        if not isinstance(user, (str, bytes)):
            raise InvalidArgument(f"user is str, not {type(user).__name__}")
        return self._asked_of(user, text)


def new_password(policy: Policy, name: str, password: str) -> bytes:
    """A password that may be set. Errors: InvalidArgument."""
    text, least = utf8("password", password), policy.password_bytes_min
    if not least <= len(text) <= PASSWORD_BYTES_MAX:
        raise InvalidArgument(f"password is {least} to {PASSWORD_BYTES_MAX} bytes of UTF-8")
    if len(set(text)) == 1 or password.casefold() == name.casefold():
        raise InvalidArgument("password is neither one character over and over nor the user's name")
    return text
