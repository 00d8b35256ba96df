"""One physical device of several users (RULES section 6): shared by an attempt, and taken back.

Rule: sharing is an attempt of the owner like any other, and what it is refused for is told after a
right answer alone. From then on both users' devices have one moving factor: a code that one of them
used is used. Failures, locks and states stay each user's own, but what is lost or was returned is
so for all of them. Nobody lends what was lent. Each of
its users has the key in that one device, and none whose next codes were used on one that is gone:
what somebody used up is told to the lines of the device, and to nothing else.
"""

from dataclasses import dataclass
from typing import Any, Final

from watchword import lifecycle
from watchword._engine import (
    DEVICE_STATES,
    DEVICES_PER_USER_MAX,
    KINDS,
    LABELS,
    SHARED_LENT,
    SHARED_OWN,
    SHARERS_MAX,
    Code,
    Reason,
    Verdict,
    device_secrets,
    extra_of,
    key_shared,
    rank_of,
    sharers_count,
    sharers_of,
)
from watchword.acts import said_by
from watchword.changes import Changes
from watchword.devices.device import Device
from watchword.errors import Error, Exists, InvalidArgument, NotFound
from watchword.life import TRANSITIONS, Dates
from watchword.passwords import busy
from watchword.views import user_of

__all__ = ["REFUSALS", "Shared", "Sharing"]

# RULES section 6, in its words.
REFUSALS: Final = {
    Reason.IDENTITY: "different identification information",
    Reason.TEMPORARY: "temporary device in use",
    Reason.LESS_SECURE: "less secure device",
}
TEMPORARY: Final = ("temporary-passcode", "online-code-card")
GONE_FOR_ALL: Final = ("lost", "returned")
NOT_PHYSICAL: Final = ("ib-key", "sms", *TEMPORARY)
NUMBER, SERIAL, KIND, STATE, LABEL, MOVING, DRIFT, UNTIL = 0, 1, 2, 3, 16, 13, 14, 22


@dataclass(frozen=True, slots=True)
class Shared:
    """What became of an ask to share: true when the device is shared. verdict: of the attempt;
    refused: why it was not shared although that was ACCEPTED, in the words of RULES."""

    verdict: Verdict
    serial: str = ""
    refused: str = ""

    def __bool__(self) -> bool:
        return bool(self.verdict) and not self.refused


class Sharing(Changes):
    """share_device, unshare_device."""

    def share_device(
        self,
        user: str,
        owner: str,
        serial: str,
        response: str,
        *,
        password: str | None = None,
        first_factor: bool = False,
        pin: str | None = None,
        challenge: str | None = None,
        platform: str = "portal",
        address: str | None = None,
        gateway: str | None = None,
    ) -> Shared:
        """`user` asks to have the device `serial` of `owner` as well, with the owner's credentials
        and a right answer from the device: an attempt, charged to the owner.

        Refused, after a right answer alone, with its reason: when the identity data of the two
        differ or were not told, when either has a temporary passcode or an online card, or when
        another device of the two ranks higher. What cannot be shared at all, or not with this user,
        raises then. Errors: InvalidArgument, NotFound, Exists, Busy, StoreFailed.
        """
        if user == owner:
            raise InvalidArgument("user is another than owner")
        fact = self._fact(owner, password, first_factor)
        if fact is None:
            raise busy()
        refused: list[Reason] = []
        unfit: list[Error] = []

        def shared(verdict: Verdict) -> bytes:
            try:
                self._expect_within(gateway, user)
                reason, acts = self._share_acts(user, owner, serial, gateway or "")
            except (InvalidArgument, NotFound, Exists) as error:
                unfit.append(error)
                return b""
            if reason:
                refused.append(reason)
            return acts

        verdict = self._attempt_then(
            owner, response, platform, serial, challenge, address, gateway, pin, fact.first,
            fact.number, shared,
        )  # fmt: skip
        self._renew(owner, password, fact, bool(verdict))
        if unfit:
            raise unfit[0]
        done = serial if verdict and not refused else ""
        return Shared(verdict, done, REFUSALS[refused[0]] if refused else "")

    def unshare_device(self, name: str, serial: str, *, by: str | None = None) -> None:
        """Takes a shared device back: from the user it was lent to, or, named by its owner, from
        everyone. What it used up stays used up. Errors: InvalidArgument, NotFound, StoreFailed."""
        who = said_by(by)
        with self._deciding():
            number, _ = self._user(name)
            slot, device = number & 0xFFFFFFFF, self._device(name, serial)
            if sharers_of(self._core, slot, device)[0] == SHARED_LENT:
                acts = self._bury(number, serial) + lifecycle.device_remove(number, device, who)
            else:
                acts = self._end_sharing(slot, device, who)
            if not acts:
                raise InvalidArgument(f"device {serial!r} of user {name!r} is not shared")
            turn = self._act(acts)
        self._wait(turn)

    # -- what stands (the lock is held)

    def _share_acts(self, user: str, owner: str, serial: str, by: str) -> tuple[Reason, bytes]:
        """Why not, or 0; and the records of it either way."""
        lender, owners = self._user(owner)
        asker, view = self._user(user)
        from_slot, to_slot = lender & 0xFFFFFFFF, asker & 0xFFFFFFFF
        device = self._told(from_slot, serial)
        kind = LABELS[device[LABEL]] or KINDS[device[KIND]]
        if kind in NOT_PHYSICAL:
            raise InvalidArgument(f"a device of kind {kind} is not shared: none that is no thing")
        role, _ = sharers_of(self._core, from_slot, device[NUMBER])
        if role == SHARED_LENT:
            raise InvalidArgument(f"device {serial!r} is lent to {owner!r}: its owner shares it")
        if key_shared(self._core, from_slot, device[NUMBER]):
            raise InvalidArgument(
                f"the key of device {serial!r} is that of another device, which is shared already"
            )
        if any(other.serial == serial for other in view.devices):
            raise Exists(f"user {user!r} has a device {serial!r} already")
        key, pin = device_secrets(self._core, from_slot, device[NUMBER])
        self._expect_one_moving(user, to_slot, device, key)
        self._expect_one_moving(owner, from_slot, device, key)
        told = next(view for view in owners.devices if view.serial == serial)
        if self._tombs.lift(lifecycle.fingerprint(self._mark_key, key), told) > told.moving:
            raise InvalidArgument(
                f"codes that device {serial!r} has yet to show were used already, on one with its "
                "key that is gone",
                hint="resynchronise it with two codes in a row, and share it with a later one",
            )
        if len(view.devices) >= DEVICES_PER_USER_MAX:
            raise InvalidArgument(f"a user has at most {DEVICES_PER_USER_MAX} devices")
        self._expect_sharers(from_slot, to_slot, device[NUMBER])
        reason = self._why_not(from_slot, to_slot, device[NUMBER])
        verdict = Code.NOT_PERMITTED if reason else Code.ACCEPTED
        acts = lifecycle.share(lender, device[NUMBER], asker, int(verdict), int(reason), by)
        if not reason:
            number = self._core.next_device()
            dates = Dates(expires_ms=told.expires_ms).packed() if told.expires_ms else b""
            acts += lifecycle.device_lent(asker, number, device, key, pin, dates, by)
        return reason, acts

    def _why_not(self, from_slot: int, to_slot: int, number: int) -> Reason:
        """RULES section 6, in its order."""
        mine, theirs = (extra_of(self._core, slot)[2] for slot in (from_slot, to_slot))
        if not mine or mine != theirs:
            return Reason.IDENTITY
        at_ms = self._core.latest_ms  # the attempt's moment has passed
        ranks = []
        for slot in (from_slot, to_slot):
            for device in self._devices_of(slot):
                if DEVICE_STATES[device[STATE]] != "active":
                    continue
                over = 0 < device[UNTIL] <= at_ms
                if (LABELS[device[LABEL]] in TEMPORARY) and not over:
                    return Reason.TEMPORARY
                ranks.append(rank_of(self._core, slot, device[NUMBER]))
        if rank_of(self._core, from_slot, number) < max(ranks, default=0):
            return Reason.LESS_SECURE
        return Reason.NONE

    def _expect_sharers(self, from_slot: int, to_slot: int, number: int) -> None:
        """Every one of its users has one sharer more from then on, and the new one all of them."""
        _, sharers = sharers_of(self._core, from_slot, number)
        counts = [sharers_count(self._core, slot) + 1 for slot in (from_slot, *(
            other for other, _, _ in sharers
        ))]  # fmt: skip
        counts.append(sharers_count(self._core, to_slot) + len(sharers) + 1)
        if max(counts) > SHARERS_MAX:
            raise InvalidArgument(
                f"the devices of a user are shared with at most {SHARERS_MAX} others together"
            )

    def _end_sharing(self, slot: int, number: int, by: str) -> bytes:
        """The records that take a device back from everyone it was lent to, where this user is its
        owner; nothing where it is not."""
        role, sharers = sharers_of(self._core, slot, number)
        acts = b""
        for other, device, lent in sharers if role == SHARED_OWN else ():
            found = self._core.user(other)
            if lent and found is not None:
                serial = next(one[SERIAL] for one in found[-1] if one[NUMBER] == device)
                acts += self._bury(found[0], serial)
                acts += lifecycle.device_remove(found[0], device, by)
        return acts

    def _gone_for_all(self, slot: int, number: int, state: str, by: str, now_ms: int) -> bytes:
        """The records that a device that is lost, or was returned, is so for whoever shares it: it
        is one thing. Where that may not follow, nothing changes; who finds it says so for each."""
        acts = b""
        sharers = sharers_of(self._core, slot, number)[1] if state in GONE_FOR_ALL else ()
        for other, device, _ in sharers:
            found = self._core.user(other, now_ms)
            if found is None:
                continue
            views = zip(found[-1], user_of(found).devices, strict=True)
            was = next(view.state for one, view in views if one[NUMBER] == device)
            if state in TRANSITIONS[was]:
                acts += self._due(found[0], now_ms)
                acts += lifecycle.device_set(found[0], device, state, by)
        return acts

    def _devices_of(self, slot: int) -> list[tuple[Any, ...]]:
        found = self._core.user(slot)
        return [] if found is None else found[-1]

    def _expect_one_moving(
        self, user: str, slot: int, device: tuple[Any, ...], key: bytes
    ) -> None:
        """Each of its users has a shared key in one device: what somebody used is told to that."""
        if any(
            other[KIND] == device[KIND] and other[NUMBER] != device[NUMBER]
            for other in self._alike(slot, key)
        ):
            raise InvalidArgument(
                f"user {user!r} has the key of device {device[SERIAL]!r} already, in another "
                "device: a code used on the one would be new to the other"
            )

    def _expect_unshared(self, number: int, device: Device) -> None:
        """The same of a key that is about to be enrolled."""
        slot = number & 0xFFFFFFFF
        for other in self._alike(slot, device.key):
            if KINDS[other[KIND]] != device.mechanism:
                continue
            if sharers_of(self._core, slot, other[NUMBER])[1]:
                raise InvalidArgument(
                    f"key is that of device {other[SERIAL]!r}, which is shared: a code used on the "
                    "one would be new to the other"
                )

    def _told(self, slot: int, serial: str) -> tuple[Any, ...]:
        return next(device for device in self._devices_of(slot) if device[SERIAL] == serial)
