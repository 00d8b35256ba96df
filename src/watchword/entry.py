"""Entry by other roads than a device's: from where a user may come, and who opts out of a device.

Rule: a restriction is the user's, kept as ranges of addresses; an attempt from elsewhere is refused
by the core before anything of it is looked at. Identity data come in and are kept as a keyed digest
alone: two users' are held against each other and never shown.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence

from watchword import lifecycle
from watchword._engine import SHARED_OWN, Verdict, extra_of, sharers_of
from watchword.acts import said_by, utf8
from watchword.changes import Changes
from watchword.errors import InvalidArgument
from watchword.passwords import busy
from watchword.ranges import pack_ranges, unpack_ranges
from watchword.views import EntryView

__all__ = ["Entering"]

IDENTITY_BYTES = 16
IDENTITY_TEXTS_MAX, IDENTITY_BYTES_MAX = 16, 256


class Entering(Changes):
    """set_addresses, set_identity, opt_out, opt_in, entry."""

    def set_addresses(
        self, name: str, addresses: Sequence[str], *, by: str | None = None
    ) -> None:
        """From where a user may come: up to 15 ranges, IPv4 or IPv6, as 10.0.0.0/8 or one address;
        none: from anywhere, which a user who opted out of a device may not. An attempt from
        elsewhere, or that says no address, is NOT_PERMITTED whatever else it says.

        Errors: InvalidArgument, NotFound, StoreFailed.
        """
        who, packed = said_by(by), pack_ranges(addresses)
        with self._deciding():
            number, _ = self._user(name)
            if not packed and extra_of(self._core, number & 0xFFFFFFFF)[0]:
                raise InvalidArgument(
                    f"addresses is one range or more: user {name!r} has opted out of a device"
                )
            turn = self._act(lifecycle.addresses_set(number, packed, who))
        self._wait(turn)

    def set_identity(self, name: str, *texts: str, by: str | None = None) -> None:
        """Identity data of the person behind a user (birth date, ID, names), in one order for every
        user; none: forgotten. Kept as a keyed digest, and only held against another user's.

        Case, accents' spelling and spaces around do not count. Errors: InvalidArgument, NotFound.
        """
        who, digest = said_by(by), self._identity_digest(texts)
        with self._deciding():
            number, _ = self._user(name)
            turn = self._act(lifecycle.identity_set(number, digest, who))
        self._wait(turn)

    def opt_out(self, name: str, *, by: str | None = None) -> None:
        """A user needs no device on the trading platform any more: an empty response and the first
        factor open it. The portal always asks. Only for users with an address restriction.

        Errors: InvalidArgument, NotFound, StoreFailed.
        """
        who = said_by(by)
        with self._deciding():
            number, _ = self._user(name)
            _, ranges, *_ = extra_of(self._core, number & 0xFFFFFFFF)
            if not ranges:
                raise InvalidArgument(
                    f"user {name!r} has no address restriction, which opting out needs",
                    hint=f"watchword user addresses {name} 192.0.2.0/24",
                )
            turn = self._act(lifecycle.opt(number, True, who))
        self._wait(turn)

    def opt_in(
        self,
        user: str,
        response: str,
        *,
        device: str | None = None,
        challenge: str | None = None,
        platform: str = "portal",
        address: str | None = None,
        password: str | None = None,
        pin: str | None = None,
        first_factor: bool = False,
        gateway: str | None = None,
        request_id: str | bytes | None = None,
    ) -> Verdict:
        """A device is asked for again: an attempt, and so it is when its verdict is ACCEPTED, which
        takes a right answer from the device. request_id: as verify takes it. Errors:
        InvalidArgument, Busy, StoreFailed."""
        fact = self._fact(user, password, first_factor)
        if fact is None:
            raise busy()

        def opted(_: Verdict) -> bytes:
            number = self._user(user)[0]
            if not extra_of(self._core, number & 0xFFFFFFFF)[0]:
                return b""
            return lifecycle.opt(number, False, "" if gateway is None else gateway)

        verdict = self._attempt_then(
            user, response, platform, device, challenge, address, gateway, pin, fact.first,
            fact.number, opted, None if request_id is None else (request_id, password),
        )  # fmt: skip
        self._renew(user, password, fact, bool(verdict))
        return verdict

    def entry(self, name: str) -> EntryView:
        """How a user may enter beside a device, as it stands now. Errors: NotFound."""
        with self._deciding():
            turn, slot = self._turn, self._slot(name)
            found = self._entry_of(slot)
        self._wait(turn)
        return found

    # -- what stands (the lock is held)

    def _entry_of(self, slot: int) -> EntryView:
        opted_out, ranges, identity, _, _ = extra_of(self._core, slot)
        password, questions = self._known(slot)
        return EntryView(
            opted_out, unpack_ranges(ranges), bool(identity), password, questions,
            self._shared_of(slot),
        )  # fmt: skip

    def _shared_of(self, slot: int) -> tuple[str, ...]:
        """Each shared device of a user, and with whom."""
        said = []
        found = self._core.user(slot)
        for number, serial, *_ in found[-1] if found else ():
            role, sharers = sharers_of(self._core, slot, number)
            others = [
                other[1] for at, _, lent in sharers
                if lent == (role == SHARED_OWN) and (other := self._core.user(at)) is not None
            ]
            if others:
                how = "lent to" if role == SHARED_OWN else "lent by"
                said.append(f"{serial} {how} {', '.join(sorted(others))}")
        return tuple(said)

    def _identity_digest(self, texts: Sequence[str]) -> bytes:
        if not texts:
            return b""
        if len(texts) > IDENTITY_TEXTS_MAX:
            raise InvalidArgument(f"identity is at most {IDENTITY_TEXTS_MAX} texts")
        said = [" ".join(_plain(utf8("identity", text).decode()).split()) for text in texts]
        raw = [text.encode() for text in said]
        if not all(1 <= len(text) <= IDENTITY_BYTES_MAX for text in raw):
            raise InvalidArgument(f"identity is texts of 1 to {IDENTITY_BYTES_MAX} bytes each")
        whole = b"".join(len(text).to_bytes(2, "big") + text for text in raw)
        key = hmac.digest(self._mark_key, b"watchword identity", hashlib.sha256)
        return hmac.digest(key, whole, hashlib.sha256)[:IDENTITY_BYTES]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
