"""The verbs that bring a device to a user over time: shipped, replaced, an online card, and dates.

Rule: each is one row of records or none. A device that is shipped verifies nothing until its user
activates it (activation.py), client services do, or its moment comes; an online card, until two of
its cells were answered. Either is asked its challenge for the purpose life.NEW_DEVICE.
"""

from datetime import date

from watchword import lifecycle
from watchword.activation import Activation
from watchword.acts import one_of, said_by
from watchword.devices import passcode as passcodes
from watchword.devices.card import Card, cells
from watchword.devices.device import Device
from watchword.errors import Exists, InvalidArgument
from watchword.life import Dates, day_of, expect_transition, moment
from watchword.parts import Parts
from watchword.views import Passcode, Replacement, User

__all__ = ["Issuing"]

CARD_KEY_BYTES = 20
GIVEN_OUT = ("temporary-passcode", "sms", "ib-key", "online-code-card")  # each has its own verb
DATES_AT = -1                       # in a device as the core tells it
GONE = ("lost", "returned", "expired", "active")    # what a replaced device may be from now on


class Issuing(Activation):
    """ship_device, replace_device, issue_online_card, set_dates; with activate."""

    def ship_device(
        self, name: str, device: Device, serial: str | None = None, *,
        delivery: str | date | None = None, activates_ms: int | None = None, expires_ms: int = 0,
        by: str | None = None,
    ) -> str:  # fmt: skip
        """Enrols a device that is on its way, and returns its serial (RULES section 6).

        It verifies nothing until it is activated: by the user, with `activate`; by client services,
        with set_device; or at activates_ms, which is auto_activate_ms of the policy from now unless
        given, 0 for never. delivery: the day it is expected, for whoever asks. expires_ms: when it
        ends. Errors: InvalidArgument, NotFound, Exists, StoreFailed.
        """
        who = said_by(by)
        day = day_of(delivery)
        device, pin = self._vetted_for_post(device)
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            dates = Dates(day, 0, self._activates(now_ms, activates_ms), _ends(now_ms, expires_ms))
            text, record = self._enrolling(
                number, user, device, serial, pin, now_ms, who, "shipped", dates.packed()
            )
            turn = self._act(self._due(number, now_ms) + record, now_ms)
        self._wait(turn)
        return text

    def replace_device(
        self, name: str, old: str, device: Device, serial: str | None = None, *,
        state: str = "lost", until_ms: int = 0, delivery: str | date | None = None,
        activates_ms: int | None = None, passcode: bool = False, by: str | None = None,
    ) -> Replacement:  # fmt: skip
        """Another device for one that is no more: one act (RULES section 6).

        old: the serial that is replaced. state: what it is from now on: lost, returned, expired (of
        one that broke); or active, and then it ends when the new one becomes active, and at
        until_ms at the latest if that is given. The new one is shipped, as ship_device does it.
        passcode: a temporary passcode besides. Errors: as ship_device.
        """
        who = said_by(by)
        one_of("state", state, GONE)
        day = day_of(delivery)
        if until_ms and state != "active":
            raise InvalidArgument("until_ms is for a device that stays active until then")
        device, pin = self._vetted_for_post(device)
        text = passcode_text(self, passcode)
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            replaced = self._device(name, old)
            view = next(view for view in user.devices if view.serial == old)
            expect_transition(view.state, state)
            acts = self._due(number, now_ms)
            if view.state != state:
                acts += lifecycle.device_set(number, replaced, state, who)
            # Whoever shares it may have found it since this user lost it: it is gone once more.
            acts += self._gone_for_all(number & 0xFFFFFFFF, replaced, state, who, now_ms)
            if until_ms:
                ends = dates_of(self, number, replaced)._replace(
                    expires_ms=_ends(now_ms, until_ms, "until_ms")
                )
                acts += lifecycle.dates_set(number, replaced, ends.packed(), who)
            dates = Dates(day, replaced, self._activates(now_ms, activates_ms), 0)
            shipped, record = self._enrolling(
                number, user, device, serial, pin, now_ms, who, "shipped", dates.packed()
            )
            issued, given = None, b""
            if text:
                made, kept = self._vetted(Device.temporary_passcode(text))
                own, given = self._enrolling(
                    number, user, made, None, kept, now_ms, who, ahead=1
                )
                if own == shipped:
                    raise Exists(f"serial {shipped!r} is the one its passcode would get")
                issued = Passcode(own, text)
            turn = self._act(acts + record + given, now_ms)
        self._wait(turn)
        return Replacement(shipped, issued)

    def issue_online_card(
        self, name: str, serial: str | None = None, *, by: str | None = None
    ) -> Card:
        """A code card for the time until a device comes, shown this once to print or to save.

        Meant from within the portal. It is not active until the user answers two of its indices
        (`activate`), opens both platforms then, and ends online_card_ms of the policy after its
        issue; the one before it ends at once. Errors: InvalidArgument, NotFound, Exists,
        StoreFailed.
        """
        who = said_by(by)
        device, pin = self._vetted(Device.of("online-code-card", self._entropy(CARD_KEY_BYTES)))
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            acts = self._due(number, now_ms) + ended_cards(self, number, user, who)
            dates = Dates(expires_ms=now_ms + self._policy.online_card_ms)
            text, record = self._enrolling(
                number, user, device, serial, pin, now_ms, who, "shipped", dates.packed()
            )
            turn = self._act(acts + record, now_ms)
        self._wait(turn)
        return Card(text, device.kind, cells(device.key))

    def set_dates(
        self, name: str, serial: str, *, delivery: str | date | None = None,
        activates_ms: int | None = None, expires_ms: int | None = None, by: str | None = None,
    ) -> None:  # fmt: skip
        """Other dates for a device; None leaves one as it is, 0 is never. Errors: InvalidArgument,
        NotFound, StoreFailed."""
        who = said_by(by)
        with self._deciding():
            now_ms = self._now()
            number, _ = self._user(name)
            device = self._device(name, serial)
            dates = dates_of(self, number, device)
            if delivery is not None:
                dates = dates._replace(delivery_day=day_of(delivery))
            if activates_ms is not None:
                dates = dates._replace(activates_ms=moment("activates_ms", activates_ms))
            if expires_ms is not None:
                dates = dates._replace(expires_ms=_ends(now_ms, expires_ms))
            act = lifecycle.dates_set(number, device, dates.packed(), who)
            turn = self._act(self._due(number, now_ms) + act, now_ms)
        self._wait(turn)

    def _vetted_for_post(self, device: Device) -> tuple[Device, bytes]:
        """A device that one can put into an envelope."""
        if isinstance(device, Device) and device.kind in GIVEN_OUT:
            raise InvalidArgument(f"device is one that is shipped, which {device.kind} is not")
        return self._vetted(device)

    def _activates(self, now_ms: int, given: int | None) -> int:
        if given is not None:
            return moment("activates_ms", given)
        after_ms = self._policy.auto_activate_ms
        return 0 if after_ms is None else now_ms + after_ms


def _ends(now_ms: int, expires_ms: int, name: str = "expires_ms") -> int:
    if moment(name, expires_ms) and expires_ms <= now_ms:
        raise InvalidArgument(f"{name} is a moment to come, or 0 for never")
    return expires_ms


def passcode_text(engine: Parts, wanted: bool) -> str:
    return passcodes.made(engine._entropy) if wanted else ""


def dates_of(engine: Parts, number: int, device: int) -> Dates:
    """A device's dates as they stand. The lock is held."""
    found = engine._core.user(number & 0xFFFFFFFF)
    assert found is not None, "the user was found"
    dates = next(one[DATES_AT] for one in found[-1] if one[0] == device)
    return Dates(*dates) if dates else Dates()


def ended_cards(engine: Parts, number: int, user: User, by: str) -> bytes:
    """The acts that end the online cards a user has."""
    return b"".join(
        lifecycle.device_set(number, engine._device(user.name, view.serial), "expired", by)
        for view in user.devices
        if view.kind == "online-code-card" and view.state in ("shipped", "active", "suspended")
    )
