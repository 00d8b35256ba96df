"""What an engine shows of a user and of a device: everything but secrets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from watchword._engine import (
    ACCOUNT_STATES,
    DEVICE_STATES,
    HASH_NAMES,
    KINDS,
    LABELS,
    PLATFORMS,
    REALMS,
    Verdict,
)
from watchword.life import Dates

__all__ = [
    "Challenge", "DeviceView", "Enrolment", "EntryView", "OpenChallenge", "Passcode", "Push",
    "PushShown", "Question", "Replacement", "User", "user_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a user is asked: `prompt` is shown, `id` comes back with the response. kind: of the
    device that answers. Good until expires_ms (RULES section 4). A code that was sent is not shown:
    its prompt is empty. answer: ours to the client's question, which the client holds against its
    own before it responds; empty where it asked none."""

    id: str
    kind: str
    prompt: str
    expires_ms: int
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A security question: `question` is asked, `id` comes back with the answer."""

    id: str
    question: str


@dataclass(frozen=True, slots=True)
class Passcode:
    """A temporary passcode that was issued: the one time that its text is seen."""

    serial: str
    passcode: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a user gets for a device: the serial of the next one, and until it comes a temporary
    passcode, if one was asked for."""

    serial: str
    passcode: Passcode | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """A login that a phone was asked to approve: `number` is shown where the login is, and `id` is
    what verify claims it by. number 0: the manual challenge stands instead, and `prompt` is shown.
    Open until expires_ms."""

    id: str
    number: int
    prompt: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class PushShown:
    """A push as its phone sees it: all but the number. state: pending, or cancelled by a later
    one."""

    id: str
    user: str
    platform: str
    purpose: str | None
    text: str
    expires_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of a phone's enrolment: true when it was accepted. serial, key, suite: of the new
    ib-key, for the phone alone, told this once. replaced: serials of those that are gone."""

    verdict: Verdict
    serial: str = ""
    key: bytes = field(default=b"", repr=False)
    suite: str = ""
    replaced: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.verdict)


@dataclass(frozen=True, slots=True)
class OpenChallenge:
    """A challenge that stands: for which platform, its count, the epoch of its issue (of a code
    that was sent, the second it runs out; of a card 0: its pair stands until it is answered), and
    whether it is for one purpose alone."""

    platform: str
    count: int
    epoch: int
    for_purpose: bool


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as it stands; never its key. `moving`: the first position not used up.

    kind: as RULES section 3 names it; mechanism: totp, hotp, ocra, card or passcode. issued: how
    many challenges it was given. full_until_ms, until_ms: of a temporary passcode, when it begins
    to open the portal alone, and when it ends; else 0. once: a card that shows no cell twice;
    answers_left: of a card, how many remain before the policy's share of its cells has been shown.
    phone: the public key of one that approves pushes, in hex. resync: since a restore, two codes in
    a row are needed before it verifies anything. delivery: the day it is expected, as 2026-12-01,
    or empty; activates_ms, expires_ms: when a shipped one becomes active of itself, and when it
    ends; 0: never. replaces: the serial of the device that ends with its activation.
    """

    serial: str
    kind: str
    state: str
    algorithm: str
    digits: int
    period: int
    t0: int
    window: tuple[int, int]
    look_ahead: int
    drift_max: int
    moving: int
    drift: int
    failures: int
    capped: bool
    mechanism: str
    suite: str
    issued: int
    challenges: tuple[OpenChallenge, ...]
    full_until_ms: int
    until_ms: int
    once: bool = False
    answers_left: int | None = None
    phone: str = ""
    resync: bool = False
    delivery: str = ""
    activates_ms: int = 0
    expires_ms: int = 0
    replaces: str = ""

    @property
    def counter(self) -> int | None:
        """The counter expected next; None for devices that count nothing."""
        counts = self.mechanism in ("hotp", "card") or ":C-" in self.suite
        return self.moving if counts else None

    @property
    def last_step(self) -> int | None:
        """The TOTP step accepted last; None before the first and for other kinds."""
        return self.moving - 1 if self.mechanism == "totp" and self.moving else None


@dataclass(frozen=True, slots=True)
class EntryView:
    """How a user may enter beside a device. addresses: ranges that attempts must come from; none:
    from anywhere. identity_set: whether identity data were told. questions: how many. shared: of
    each device that is, with whom, in words."""

    opted_out: bool
    addresses: tuple[str, ...]
    identity_set: bool
    has_password: bool
    questions: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """A user as it stands. locked_until_ms: None when no lock was set, else when it ends."""

    name: str
    state: str
    realm: str
    failures: int
    locked_until_ms: int | None
    last_failure_ms: int | None
    devices: tuple[DeviceView, ...]


def user_of(found: tuple[Any, ...]) -> User:
    """A user from the core's tuple, without its id."""
    _, name, account, realm, failures, lock_until, last, devices = found
    return User(
        name,
        ACCOUNT_STATES[account],
        REALMS[realm],
        failures,
        lock_until or None,
        last or None,
        tuple(_device_of(device, devices) for device in devices),
    )


def _device_of(device: tuple[Any, ...], beside: Sequence[tuple[Any, ...]]) -> DeviceView:
    (_, serial, kind, state, capped, hash_, digits, period, back, forward, look_ahead, drift_max,
     t0, moving, drift, failures, label, suite, issued, opens, left, full_until, until,
     phone, resync, found) = device
    dates = Dates(*found) if found else Dates()
    replaces = next((other[1] for other in beside if other[0] == dates.replaces), "")
    is_card = KINDS[kind] == "card"
    challenges = tuple(
        OpenChallenge(platform, *stands)
        for platform, stands in zip(PLATFORMS, opens, strict=True) if stands is not None
    )
    return DeviceView(
        serial, LABELS[label] or KINDS[kind], DEVICE_STATES[state], HASH_NAMES[hash_], digits,
        period, t0, (back, forward), 0 if is_card else look_ahead, drift_max, moving, drift,
        failures, bool(capped), KINDS[kind], suite, issued, challenges, full_until, until,
        is_card and bool(look_ahead), left, phone.hex(), resync, dates.delivery,
        dates.activates_ms, dates.expires_ms, replaces,
    )  # fmt: skip
