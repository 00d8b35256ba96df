"""Activation: the user confirms the serial of a shipped device and answers it once.

Rule: an attempt like any other, evaluated, counted, locked and using up its code; accepted, its
record is what makes the device active, and what is temporary has ended with the same record.
"""

from watchword._engine import Verdict, id_text
from watchword.confining import said_within
from watchword.errors import InvalidArgument
from watchword.hashing import UNTOLD, Fact, vouched
from watchword.logins import place_of
from watchword.parts import Parts

__all__ = ["Activation"]


class Activation(Parts):
    """activate."""

    def activate(
        self,
        user: str,
        serial: str,
        response: str,
        *,
        challenge: str | None = None,
        platform: str = "portal",
        password: str | None = None,
        pin: str | None = None,
        address: str | None = None,
        first_factor: bool = False,
        gateway: str | None = None,
        request_id: str | bytes | None = None,
    ) -> Verdict:
        """The device with this serial is active once its verdict is ACCEPTED (RULES section 6).

        response: its code; of a device that answers challenges, the answer to one that was asked
        with the purpose "activate device", watchword.life.NEW_DEVICE, which `challenge` names. The
        user's temporary passcode and online card end with it, unless it is such a card. A device
        that is active already, for its moment had come, stays so. password, first_factor,
        request_id: as verify takes them. Errors: InvalidArgument, Busy, StoreFailed.
        """
        if not isinstance(serial, str):
            raise InvalidArgument("serial is str: of the device that is to become active")
        where, _ = place_of(platform, "live")
        names, within = self._asker(gateway)
        realm, bound = said_within(within)
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
                user, response, where, realm, serial, address, None, shed, challenge, None, pin,
                first | bound, number, False, True, given,
            )  # fmt: skip
            turn = self._take(batch, now, names, 1)
            verdict = self._core.verdict(batch, 0)
        self._wait(turn)
        if password is not None:
            self._renew(user, password, fact, bool(verdict))
        return verdict
