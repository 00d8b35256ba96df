"""The verifying verbs of an engine: one attempt, many, awaited, or two codes to find a device.

Rule: a verb makes a batch, takes it through one turn under the engine's lock, and answers when the
row of that turn is durable. What is refused is an answer; only misuse raises.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from watchword import lifecycle
from watchword._engine import (
    BATCH_ATTEMPTS_MAX,
    PLATFORMS,
    REALMS,
    SESSION_BYTES_MAX,
    Code,
    Gather,
    Split,
    Verdict,
    anyone_shares,
    expect_texts,
    id_text,
    pack_address,
)
from watchword.acts import one_of
from watchword.errors import InvalidArgument
from watchword.hashing import UNTOLD, Fact, vouched
from watchword.parts import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Logins", "place_of"]

SPLIT_ATTEMPTS_MIN = 1024  # below, a second thread takes longer to start than to help
SPLIT_PARTS_MAX = 8


class Logins(Parts):
    """verify, verify_many, averify, resync."""

    def verify(
        self,
        user: str,
        response: str,
        *,
        platform: str = "trading",
        realm: str = "live",
        device: str | None = None,
        challenge: str | None = None,
        address: str | None = None,
        session: bytes | None = None,
        password: str | None = None,
        pin: str | None = None,
        first_factor: bool = False,
        gateway: str | None = None,
        request_id: str | bytes | None = None,
    ) -> Verdict:
        """May this user in, with this response? The verdict is durable when it is returned.

        platform: "trading" or "portal". realm: "live" or "paper". device: serial of the only device
        to try. challenge: id of the only challenge to try. address: the client's IP. session: what
        a suite with S signs. password: the first factor, hashed off the engine's lock;
        first_factor: the caller vouches that it held. pin: as if typed before the code; of a device
        that signs its PIN, the one it must be. gateway: who asks, for the record. request_id: 8 to
        64 bytes; whoever asks again within a minute with the same one is told what was told, and
        nothing is used up or counted twice. A refused login never raises. Errors: InvalidArgument,
        also where a request_id comes with other arguments than before; Busy, StoreFailed.
        """
        where, of = place_of(platform, realm)
        if session is not None:
            _session(session)
        names = self._names if gateway is None else lifecycle.gateway_packed(gateway)
        fact: Fact | None = UNTOLD if first_factor is False else vouched(first_factor)
        if password is not None:
            fact = self._fact(user, password, first_factor)
        first, number = fact or UNTOLD
        given = None if request_id is None else (self._core, names, id_text(request_id), password)
        with self._lock:
            self._alive()
            batch = self._one
            batch.reset()
            now = self._now()
            shed = self._shed() or fact is None
            batch.put(
                user, response, where, of, device, address, None, shed, challenge, session, pin,
                first, number, False, False, given,
            )  # fmt: skip
            turn = self._take(batch, now, names, 1)
            verdict = self._core.verdict(batch, 0)
        self._wait(turn)
        if password is not None:
            self._renew(user, password, fact, bool(verdict))
        return verdict

    def verify_many(
        self,
        users: "Sequence[str] | NDArray[np.bytes_]",
        responses: "Sequence[str] | NDArray[np.bytes_]",
        *,
        platform: str = "trading",
        realm: str = "live",
        devices: Sequence[str | None] | None = None,
        challenges: Sequence[str | None] | None = None,
        addresses: Sequence[str | None] | None = None,
        passwords: Sequence[str | None] | None = None,
        first_factor: bool = False,
        gateway: str | None = None,
        threads: int = 1,
    ) -> "NDArray[np.uint8]":
        """Verdicts of many attempts, in order: an array of watchword.Code numbers (uint8).

        users and responses: sequences of str, or numpy 'S' arrays; devices, challenges, addresses
        and passwords: one for each attempt or None. Passwords are hashed before the first turn, as
        they stand then. Attempts on one user keep their order and see each other's effects.
        first_factor: the caller vouches for it; a user with a password is REJECTED without it.
        threads: how many may share the work at most, this one included; 8 are of use, and only
        where a batch is large, says no addresses and no passwords and nobody shares a device.
        Errors: InvalidArgument, StoreFailed.
        """
        places = place_of(platform, realm)
        count = _entries("users", users)
        for name, column in (
            ("responses", responses), ("devices", devices), ("challenges", challenges),
            ("addresses", addresses), ("passwords", passwords),
        ):
            if column is None and name != "responses":
                continue
            if (entries := _entries(name, column)) != count:
                raise InvalidArgument(f"{name} has {entries} entries, users has {count}")
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InvalidArgument("threads is a whole number from 1")
        columns = _is_column(users) and _is_column(responses)
        columns = columns and devices is None and challenges is None and addresses is None
        if passwords is not None:
            expect_texts(text for text in passwords if text is not None)
        names = self._names if gateway is None else lifecycle.gateway_packed(gateway)
        if not columns and count > BATCH_ATTEMPTS_MAX:  # misuse is told before the first turn
            expect_texts(users)
            expect_texts(responses)
            for texts in (devices, challenges):
                if texts is not None:
                    expect_texts(text for text in texts if text is not None)
            for address in () if addresses is None else addresses:
                if address is not None:
                    pack_address(address)
        if first_factor is not False:
            vouched(first_factor)
        facts = None if passwords is None else self._facts(users, passwords, first_factor)
        parts = _parts(threads, count, addresses) if facts is None else 1
        codes = np.zeros(count, np.uint8)
        turn = 0
        if not count:   # no turn will say that the engine has ended
            with self._lock:
                self._alive()
        for start in range(0, count, BATCH_ATTEMPTS_MAX):
            stop = min(count, start + BATCH_ATTEMPTS_MAX)
            with self._lock:
                self._alive()
                if parts > 1 and anyone_shares(self._core):
                    parts = 1  # a sharer in another part would be decided from a state that moves
                batch = self._batch if parts == 1 else self._split(parts)
                batch.reset()
                now = self._now()
                shed = self._shed()
                if columns:
                    batch.put_columns(users, responses, start, stop, *places, shed)
                else:
                    batch.put_many(
                        users, responses, devices, addresses if parts == 1 else None, challenges,
                        start, stop, *places, shed
                    )
                if facts is not None:
                    self._batch.tell(facts[start:stop])
                elif first_factor:
                    batch.vouch()
                turn = self._take(batch, now, names, 1)
                batch.codes_into(codes, start)
        self._wait(turn)
        for i, text in enumerate(passwords or ()):
            self._renew(users[i], text, facts[i] if facts else None, codes[i] == Code.ACCEPTED)
        return codes

    def _split(self, parts: int) -> Split:
        """A batch in so many parts, with the threads for them. The lock is held."""
        if parts not in self._splits:
            self._splits[parts] = Split(self._core, parts)
        return self._splits[parts]

    async def averify(
        self,
        user: str,
        response: str,
        *,
        platform: str = "trading",
        realm: str = "live",
        device: str | None = None,
        challenge: str | None = None,
        address: str | None = None,
        session: bytes | None = None,
        password: str | None = None,
        pin: str | None = None,
        first_factor: bool = False,
        request_id: str | bytes | None = None,
    ) -> Verdict:
        """verify for asyncio: the calls of one loop pass share a turn and a sync."""
        self._alive()
        if session is not None:
            _session(session)
        gather, places = self._gather(), place_of(platform, realm)
        fact: Fact | None = UNTOLD if first_factor is False else vouched(first_factor)
        if password is not None:
            fact = await self._fact_soon(user, password, first_factor)
        verdict: Verdict = await gather.ask(
            user, response, *places, device, address, challenge, session, pin, *(fact or UNTOLD),
            shed=fact is None, request_id=request_id, secret=password,
        )  # fmt: skip
        if password is not None:
            self._renew(user, password, fact, bool(verdict))
        return verdict

    def _gather(self) -> Gather:
        """Of the loop that runs."""
        loop = asyncio.get_running_loop()
        gather: Gather | None = self._gathers.get(loop)
        if gather is None:
            gather = self._gathers[loop] = Gather(self)
        return gather

    def resync(
        self,
        user: str,
        first: str,
        second: str,
        *,
        device: str,
        address: str | None = None,
        gateway: str | None = None,
    ) -> Verdict:
        """Finds a device again by two consecutive codes, forward only (RULES section 4).

        An attempt like any other: counted, locked and recorded as one. Errors: InvalidArgument,
        StoreFailed.
        """
        if not isinstance(device, str):
            raise InvalidArgument("device is the serial of the device to find again")
        names = self._names if gateway is None else lifecycle.gateway_packed(gateway)
        with self._lock:
            self._alive()
            batch = self._one
            batch.reset()
            now = self._now()
            batch.put(user, first, 0, 0, device, address, second, self._shed())
            turn = self._take(batch, now, names, 1)
            verdict = self._core.verdict(batch, 0)
        self._wait(turn)
        return verdict


PLACES = {
    (platform, realm): (p, r)
    for p, platform in enumerate(PLATFORMS)
    for r, realm in enumerate(REALMS)
}


def place_of(platform: str, realm: str) -> tuple[int, int]:
    try:
        return PLACES[platform, realm]
    except (KeyError, TypeError):
        pass
    one_of("platform", platform, PLATFORMS)
    raise InvalidArgument(f"realm is one of {', '.join(REALMS)}")


def expect_text(name: str, word: object, *, optional: bool = False) -> None:
    """What a client typed or names: as text, or as its bytes."""
    if not (isinstance(word, (str, bytes)) or (optional and word is None)):
        raise InvalidArgument(f"{name} is str or bytes, not {type(word).__name__}")


def _session(session: bytes) -> None:
    if not isinstance(session, bytes) or len(session) > SESSION_BYTES_MAX:
        raise InvalidArgument(f"session is bytes, at most {SESSION_BYTES_MAX} of them")


def _parts(threads: int, count: int, addresses: Sequence[str | None] | None) -> int:
    """In how many parts a batch is decided: 1, 2, 4 or 8."""
    addressed = addresses is not None and any(address is not None for address in addresses)
    if count < SPLIT_ATTEMPTS_MIN or addressed:
        return 1
    return 1 << min(threads, SPLIT_PARTS_MAX).bit_length() - 1


def _entries(name: str, column: Any) -> int:
    """How many entries a column has. Errors: InvalidArgument when it is no column."""
    if not isinstance(column, (str, bytes, dict, set, frozenset)):
        try:
            return len(column)
        except TypeError:  # no length at all, or a numpy array of no dimension
            pass
    raise InvalidArgument(f"{name} is a sequence of str or a numpy 'S' column")


def _is_column(column: Any) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind == "S" and column.ndim == 1
