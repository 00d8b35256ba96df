"""Bugs planted where a password is held against what stands; plants.py has others."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from tests.sim.engine import SimEngine
from tests.sim.planting import Put, plant
from tests.sim.plants_entry import RECORD_BYTES
from watchword import lifecycle, logins, passwords
from watchword._engine import secrets_kept
from watchword.errors import Error
from watchword.hashing import KEPT, VOUCHED_FOR
from watchword.reference import Event
from watchword.store import sqlite

KEPT_AT: Final = RECORD_BYTES + lifecycle.SPEC.size   # in the record of a password


@plant
def password_told_before_its_turn(put: Put) -> None:
    """Another password is said to be in force while the record of it is still on its way."""

    def soon(real: Any) -> Any:
        def call(self: Any, *words: Any, **named: Any) -> Any:
            self._wait = lambda turn: None
            try:
                return real(self, *words, **named)
            finally:
                self.__dict__.pop("_wait", None)  # a call amid another has taken it away

        return call

    put(SimEngine, "set_password", soon(SimEngine.set_password))
    put(SimEngine, "change_password", soon(SimEngine.change_password))


@plant
def proof_outlives_its_password(put: Put) -> None:
    """What was right when it was hashed is right, whatever stands when its turn comes."""

    def today(self: Any, user: Any, fact: Any) -> Any:
        name = user if isinstance(user, bytes) else user.encode()
        slot = self._core.find(name)
        found = None if slot is None else secrets_kept(self._core, slot)[0]
        return fact and fact._replace(number=found[0] if fact.number and found else fact.number)

    real, soon = passwords.Passwords._fact, passwords.Passwords._fact_soon

    async def fact_soon(self: Any, user: Any, *words: Any) -> Any:
        return today(self, user, await soon(self, user, *words))

    put(passwords.Passwords, "_fact", lambda self, user, *words: today(
        self, user, real(self, user, *words)
    ))  # fmt: skip
    put(passwords.Passwords, "_fact_soon", fact_soon)


@plant
def password_charged_again(put: Put) -> None:
    """Of a login with a password the request id is not looked at: who asks again is charged."""
    real = logins.Logins.verify

    def verify(self: Any, user: str, response: str, **words: Any) -> Any:
        if words.get("password") is not None:
            words.pop("request_id", None)
        return real(self, user, response, **words)

    put(logins.Logins, "verify", verify)


@plant
def renewed_over_another(put: Put) -> None:
    """What a login renews is kept, though the password is another by then."""

    def keep(self: Any, name: str, number: int, figures: Any, made: bytes) -> None:
        with contextlib.suppress(Error), self._deciding():
            user, _ = self._user(name)
            if secrets_kept(self._core, user & 0xFFFFFFFF)[0] is not None:
                kept = KEPT.pack(figures.salt, made, *figures[1:], 0)
                self._act(self._password_acts(user, kept, same=True))

    put(passwords.Passwords, "_keep_renewed", keep)


@plant
def changed_password_forgotten_at_reopen(put: Put) -> None:
    """Of a row with a change of password recovery knows that it is another, and keeps the old."""
    real, kind = sqlite.SqliteStore.replay, lifecycle.KINDS.index("password")

    def replay(self: Any, after: int) -> Iterator[Any]:
        old: dict[bytes, bytes] = {}
        for turn, plain in real(self, after):
            image = bytearray(plain)
            at = lifecycle.HEADER.size + lifecycle.HEADER.unpack_from(image)[3]
            changes = at < len(image) and image[at] == Event.ATTEMPT
            while at < len(image):
                if image[at] == Event.DEVICE_ADD and image[at + RECORD_BYTES] == kind:
                    user, begin = bytes(image[at + 8 : at + 16]), at + KEPT_AT
                    kept = bytes(image[begin : begin + KEPT.size])
                    if changes and user in old:
                        image[begin : begin + KEPT.size] = old[user]
                    old[user] = kept
                at += RECORD_BYTES * (1 + image[at + 3])
            yield turn, memoryview(image)

    put(sqlite.SqliteStore, "replay", replay)


@plant
def nobody_asks_for_the_password(put: Put) -> None:
    """An awaited login that brings no password is taken for one that somebody vouches for."""
    put(logins, "UNTOLD", VOUCHED_FOR)
