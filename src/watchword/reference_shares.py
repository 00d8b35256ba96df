"""The slow twin of entry's acts: restrictions, identity, opting out and in, sharing, withdrawals.

Written from RULES.md section 6 alone. What an act comes to stands in records that the twin applies.
"""

from dataclasses import replace
from typing import NamedTuple

from watchword import reference_life as life
from watchword.reference import Answer, Attempt, Device, Event, Record, Reference, User, Verdict
from watchword.reference_entry import business_day, left_cents

IDENTITY, TEMPORARY, LESS_SECURE, LIMIT = 35, 36, 37, 38     # reasons
WORDS = {
    IDENTITY: "different identification information", TEMPORARY: "temporary device in use",
    LESS_SECURE: "less secure device",
}  # fmt: skip
PASSING = ("temporary-passcode", "online-code-card")
UNFIT = "cannot be shared"
DEVICES_MAX, SHARERS_MAX = 16, 8


class Said(NamedTuple):
    """What became of an ask to share; refused: in the words of RULES."""

    answer: Answer
    refused: str = ""


def set_addresses(twin: Reference, name: str, addresses: tuple[str, ...], now_ms: int) -> bool:
    """False: a user who opted out stays restricted."""
    user = twin.users[name]
    if user.opted_out and not addresses:
        return False
    twin._turn([Record(Event.ADDRESSES, user.number, tail=addresses)], now_ms)
    return True


def set_identity(twin: Reference, name: str, texts: tuple[str, ...], now_ms: int) -> None:
    twin._turn([Record(Event.IDENTITY, twin.users[name].number, tail=texts)], now_ms)


def opt_out(twin: Reference, name: str, now_ms: int) -> bool:
    """False: it needs a restriction."""
    user = twin.users[name]
    if user.addresses:
        twin._turn([Record(Event.OPT, user.number, place=1)], now_ms)
    return bool(user.addresses)


def opt_in(twin: Reference, a: Attempt, now_ms: int) -> Answer:
    """An attempt that a device has to answer, and in its turn what follows."""

    def follows(_: Answer) -> list[Record]:
        user = twin.users[a.name]
        return [Record(Event.OPT, user.number)] if user.opted_out else []

    return twin.attempt_then(twin.own_realm(replace(a, needs_device=True)), now_ms, follows)


def share(twin: Reference, asker: str, a: Attempt, now_ms: int) -> Said:
    """The owner's attempt, with the device named; and whether the asker shares it from then on."""
    came = twin._come_due(a, now_ms)
    answer, records = twin.decide(twin.own_realm(replace(a, needs_device=True)), now_ms)
    owner, user = twin.users.get(a.name), twin.users.get(asker)
    if answer.verdict is not Verdict.ACCEPTED or owner is None:
        twin._turn(records, now_ms, came)
        return Said(answer)
    for record in records:
        twin.apply(record, now_ms)      # what follows is decided from what it came to
    device = twin._device(owner, str(a.device))
    if user is None or not may(twin, owner, user, device):
        twin.journal.append((now_ms, [*came, *records]))
        return Said(answer, UNFIT)
    refused = why_not(twin, owner, user, device, now_ms)
    said = Verdict.NOT_PERMITTED if refused else Verdict.ACCEPTED
    follows = [
        Record(Event.SHARE, owner.number, int(said), refused, device=device.number,
               moving=user.number)
    ]  # fmt: skip
    if not refused:
        lent = replace(device, state="active", failures=0, capped=False, standing={}, issued=0,
                       answers=0, asked_epoch=0, lent=True,
                       dates=life.Dates(expires_ms=device.dates.expires_ms))  # fmt: skip
        number = twin.devices_used + 1
        follows.append(
            Record(Event.DEVICE_ADD, user.number, device=number, moving=device.moving,
                   drift=device.drift, tail=lent)
        )  # fmt: skip
    for record in follows:
        twin.apply(record, now_ms)
    twin.journal.append((now_ms, [*came, *records, *follows]))
    return Said(answer, WORDS.get(refused, ""))


def may(twin: Reference, owner: User, user: User, device: Device) -> bool:
    """Whether such a device can be shared with this user at all."""
    others = [one for one, _ in twin.sharers(device)]
    alike = [d for one in twin.users.values() for d in one.devices
             if d is not device and (d.kind, d.key) == (device.kind, device.key)]  # fmt: skip
    count = {one.number: sum(len(twin.sharers(d)) for d in one.devices)
             for one in (owner, user, *others)}  # fmt: skip
    most = max(count[one.number] + 1 for one in (owner, *others))
    return (
        device.label not in ("ib-key", "sms", *PASSING) and not device.lent
        and (device.shared or not any(d.shared or d.lent for d in alike))
        and all(d.serial != device.serial for d in user.devices) and len(user.devices) < DEVICES_MAX
        and all((d.kind, d.key) != (device.kind, device.key)
                for d in [*owner.devices, *user.devices] if d is not device)
        and not twin.bars(user.name, device)
        and twin.floor(user.name, device) <= device.moving
        and max(most, count[user.number] + len(others) + 1) <= SHARERS_MAX
    )


def why_not(twin: Reference, owner: User, user: User, device: Device, now_ms: int) -> int:
    """RULES 6, in its order; 0: why, it may."""
    if not owner.identity or owner.identity != user.identity:
        return IDENTITY
    mine = usable(twin, owner, now_ms) + usable(twin, user, now_ms)
    if any(d.label in PASSING for _, d in mine):
        return TEMPORARY
    best = max((rank for rank, _ in mine), default=0)
    return LESS_SECURE if twin._rank(device) < best else 0


def usable(twin: Reference, user: User, now_ms: int) -> list[tuple[int, Device]]:
    """Active devices that have not run out, with their ranks."""
    at_ms = max(now_ms, twin.latest_ms)
    return [
        (twin._rank(d), d) for d in user.devices
        if life.stands(user, d, at_ms) == "active"
        and not (d.label == "temporary-passcode" and at_ms >= d.until_ms)
    ]


def unshare(twin: Reference, name: str, serial: str, now_ms: int) -> bool:
    """Taken back from whom it was lent to, or by its owner from everyone. False: is not shared."""
    user = twin.users[name]
    device = twin._device(user, serial)
    if device.lent:
        gone = Record(Event.DEVICE_REMOVE, user.number, device=device.number)
        twin._turn([*twin.buried(user, device), gone], now_ms)
        return True
    records = twin.ends_sharing(device)
    if records:
        twin._turn(records, now_ms)
    return bool(records)


def withdraw(twin: Reference, name: str, cents: int, now_ms: int) -> bool:
    """Whether it is within the limits, and counts."""
    user, at_ms = twin.users[name], max(now_ms, twin.latest_ms)
    left = left_cents(usable(twin, user, now_ms), user, at_ms)
    within = left is None or cents <= left
    said = (Verdict.ACCEPTED, 0) if within else (Verdict.NOT_PERMITTED, LIMIT)
    record = Record(
        Event.WITHDRAWAL, user.number, int(said[0]), said[1], moving=cents,
        device=business_day(at_ms),
    )  # fmt: skip
    twin._turn([record], now_ms)
    return within
