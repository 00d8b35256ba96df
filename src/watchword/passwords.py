"""The verbs of passwords: set and taken away; and what an attempt is told of one.

Rule: a password is hashed (hashing.py) before its attempt takes a turn, and never under the lock. A
user without a password and a name that does not exist cost what passwords here cost (costs.py).
After a login that was let in a password of other figures than the policy's is kept under these;
after anything less it is not, or the next attempt's time would tell that it was right. No message
repeats any of it.
"""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final

from watchword import lifecycle
from watchword._engine import secrets_kept
from watchword.acts import said_by, utf8
from watchword.errors import Busy, Error, InvalidArgument
from watchword.hashing import (
    GIVEN,
    HASHING_THREADS,
    KEPT,
    PASSWORD_BYTES_MAX,
    PASSWORDS_WAITING_MAX,
    RIGHT,
    SALT_BYTES,
    UNTOLD,
    Asked,
    Fact,
    Figures,
    vouched,
)
from watchword.parts import Parts
from watchword.policy import Policy

__all__ = ["SERIAL", "Passwords", "busy", "new_password"]

SERIAL: Final = b"*"             # no device has it
RENEWAL_SECONDS_MAX: Final = 10.0        # that closing waits for what logins renew
RENEWED: Final = "the password's user, by logging in"       # who kept it under other figures

def busy() -> Busy:
    return Busy(
        f"{PASSWORDS_WAITING_MAX} passwords wait to be hashed: nothing happened",
        hint="try again later",
    )


class Passwords(Parts):
    """set_password, clear_password; and what verify says of a password."""

    def set_password(self, name: str, password: str, *, by: str | None = None) -> None:
        """Gives a user a password, or another one: the first factor of every login from now on.

        Kept as Argon2id under a key of the store's. Errors: InvalidArgument, also when it is too
        short, too long or too plain; NotFound, Busy, StoreFailed.
        """
        who, text = said_by(by), new_password(self._policy, name, password)
        with self._deciding():
            self._user(name)
        figures = self._figures(self._entropy(SALT_BYTES))
        made = self._hasher.hash(text, figures)
        if made is None:
            raise busy()
        kept = KEPT.pack(figures.salt, made, *figures[1:], 0)
        with self._deciding():
            number, _ = self._user(name)
            turn = self._act(self._password_acts(number, kept, who))
        self._wait(turn)

    def clear_password(self, name: str, *, by: str | None = None) -> None:
        """Takes a user's password away; without one no error. Errors: NotFound, StoreFailed."""
        who = said_by(by)
        with self._deciding():
            number, _ = self._user(name)
            found = secrets_kept(self._core, number & 0xFFFFFFFF)[0]
            turn = self._turn
            if found is not None:
                self._costs.moved(self._cost_of(number), None)
                turn = self._act(lifecycle.device_remove(number, found[0], who))
        self._wait(turn)

    # -- what stands (the lock is held)

    def _known(self, slot: int) -> tuple[bool, int]:
        """Whether a user has a password, and how many security questions."""
        password, questions, _ = secrets_kept(self._core, slot)
        return password is not None, len(questions)

    def _password_acts(
        self, number: int, kept: bytes, by: str = "", *, same: bool = False
    ) -> bytes:
        """The old password goes, the new one comes. same: it is the old one, hashed anew, and keeps
        its number, by which attempts that were hashed meanwhile say what they were held against."""
        found = secrets_kept(self._core, number & 0xFFFFFFFF)[0]
        gone = b"" if found is None else lifecycle.device_remove(number, found[0], by)
        coming = found[0] if same and found else self._core.next_device()
        self._costs.moved(cost_in(found), KEPT.unpack(kept)[2:5])
        return gone + lifecycle.secret_add(number, coming, "password", kept, SERIAL, by)

    def _cost_of(self, number: int) -> tuple[int, int, int] | None:
        """The figures that a user's password is kept under; without one None."""
        return cost_in(secrets_kept(self._core, number & 0xFFFFFFFF)[0])

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
                today = self._figures(bytes(SALT_BYTES))
                return Asked(text, Figures(today.salt, *self._costs.of(name, today[1:])))
        salt, digest, memory_kib, passes, lanes, _ = KEPT.unpack(found[1])
        return Asked(text, Figures(salt, memory_kib, passes, lanes), found[0], digest)

    # -- what an attempt is told

    def _fact(self, user: str | bytes, password: str | None, first_factor: bool) -> Fact | None:
        """Hashes, where a password was given. None: too many wait."""
        told = UNTOLD if first_factor is False else vouched(first_factor)
        asked = self._password_asked(user, password)
        if asked is None:
            return Fact((GIVEN if password is not None else 0) | told.first)
        made = self._hasher.hash(asked.text, asked.figures)
        return None if made is None else asked.fact(made)

    def _renew(
        self, user: str | bytes, password: str | bytes | None, fact: Fact | None, let_in: bool
    ) -> None:
        """Hashes a password that was right under the policy's figures, where it is kept under
        others: on the threads that hash, and nobody waits for it but closing."""
        if not let_in or fact is None or not fact.number or not fact.first & RIGHT:
            return
        asked = self._password_asked(user, password)
        figures = self._figures(self._entropy(SALT_BYTES))
        if asked is None or asked.number != fact.number or asked.figures[1:] == figures[1:]:
            return
        name = user if isinstance(user, str) else user.decode()
        done: SimpleQueue[None] = SimpleQueue()
        self._renewals.add(done)
        told = partial(self._renewed, name, asked.number, figures, done)
        if not self._hasher.take(asked.text, figures, told):
            self._renewals.discard(done)

    def _end_renewals(self) -> None:
        """What logins renew is kept before the engine closes; what takes too long is not."""
        until = time.monotonic() + RENEWAL_SECONDS_MAX
        for done in tuple(self._renewals):
            with contextlib.suppress(Empty):
                done.get(timeout=max(0.0, until - time.monotonic()))

    def _renewed(
        self, name: str, number: int, figures: Figures, done: "SimpleQueue[None]",
        made: bytes | BaseException,
    ) -> None:  # fmt: skip
        try:
            if not isinstance(made, BaseException):
                self._keep_renewed(name, number, figures, made)
        finally:
            self._renewals.discard(done)
            done.put(None)

    def _keep_renewed(self, name: str, number: int, figures: Figures, made: bytes) -> None:
        """Unless the password is another by now, or the engine has ended."""
        with contextlib.suppress(Error), self._deciding():
            user, _ = self._user(name)
            found = secrets_kept(self._core, user & 0xFFFFFFFF)[0]
            stands = found is not None and found[0] == number
            if stands and cost_in(found) != figures[1:]:
                kept = KEPT.pack(figures.salt, made, *figures[1:], 0)
                self._act(self._password_acts(user, kept, RENEWED, same=True))

    def _facts(
        self, users: Any, passwords: Sequence[str | None], first_factor: bool
    ) -> list[Fact | None]:
        """_fact of each, on as many threads as hash."""
        names = [user if isinstance(user, (str, bytes)) else str(user) for user in users]
        with ThreadPoolExecutor(HASHING_THREADS) as pool:
            return list(pool.map(self._fact, names, passwords, [first_factor] * len(names)))

    async def _fact_soon(
        self, user: str | bytes, password: str | bytes | None, first_factor: bool
    ) -> Fact | None:
        """_fact for asyncio."""
        told = UNTOLD if first_factor is False else vouched(first_factor)
        asked = self._password_asked(user, password)
        if asked is None:
            return Fact((GIVEN if password is not None else 0) | told.first)
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


def cost_in(found: tuple[int, bytes] | None) -> tuple[int, int, int] | None:
    """The figures of a password as secrets_kept finds it."""
    return None if found is None else KEPT.unpack(found[1])[2:5]


def new_password(policy: Policy, name: str, password: str, called: str = "password") -> bytes:
    """A password that may be set. called: the argument. Errors: InvalidArgument."""
    text, least = utf8(called, password), policy.password_bytes_min
    utf8("user", name)
    if not least <= len(text) <= PASSWORD_BYTES_MAX:
        raise InvalidArgument(f"{called} is {least} to {PASSWORD_BYTES_MAX} bytes of UTF-8")
    if len(set(text)) == 1 or password.casefold() == name.casefold():
        raise InvalidArgument(
            f"{called} is neither one character over and over nor the user's name"
        )
    return text
