"""The slow, obvious twin of verification and of the transition: the oracle of the property tests.

Written from RULES.md alone, with the standard library alone (reference_ocra.py has what OCRA
computes, reference_card.py what a card holds, reference_push.py what phones are asked), to be read
and believed rather than to be fast: dictionaries, lists, Python integers. `decide` reads the state
and returns an answer with its records, `apply` does what one record says, and living is decide,
then apply. A journal applied alone gives the same state. Nothing here is constant-time or durable:
never serve with it.
"""

import hashlib
import hmac
import ipaddress
import string
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, IntFlag
from typing import NamedTuple

from watchword import reference_card as card
from watchword import reference_entry as entering
from watchword import reference_floors as floors
from watchword import reference_life as life
from watchword import reference_ocra as ocra
from watchword import reference_posed as mutual
from watchword import reference_secrets as secrets
from watchword.reference_posed import Posed
from watchword.reference_push import DECIDED, Push, Pushes

POSITION_LAST = 2**64 - 2           # one more must still fit as the next position expected
COUNTER_LAST = 2**64 - 1            # of a suite with C: used for every challenge from then on
U32_MAX = 2**32 - 1
RESYNC_COUNTERS, RESYNC_STEPS = 100, 20
STREAK_COUNT_MAX = 100
SOURCE_MINUTES = 60
EPOCH_MS = 300_000
HOUR_S, SENT_MAX = 3_600, 6         # codes sent within an hour count; so many times are kept
# RULES 3: the rank of a kind; that of a standard's own kind is the policy's.
RANKS = {
    "dsc-plus": 3, "gold": 3, "platinum": 3, "ib-key": 1, "alpine": 1, "dsc": 2,
    "code-card": 1, "online-code-card": 1, "temporary-passcode": 0, "sms": 1,
}  # fmt: skip
ASKED = ("ocra", "card")            # what answers challenges
PLAUSIBLE_SUITE = ocra.suite_of("OCRA-1:HOTP-SHA1-6:QN06")
QUESTION_TEXTS = (
    "What was the name of your first pet?", "In which city were you born?",
    "What was the name of your first school?", "What was your childhood nickname?",
    "In which city did your parents meet?", "What was the make of your first car?",
)  # fmt: skip
PLATFORMS, REALMS = ("trading", "portal"), ("live", "paper")
ACCOUNTS = ("open", "pending", "closed")
DEVICE_STATES = ("shipped", "active", "suspended", "lost", "returned", "ended")


class Verdict(IntEnum):
    """RULES 7."""

    ACCEPTED, REJECTED, LOCKED, CHALLENGE = 1, 2, 3, 4
    EXPIRED, NOT_PERMITTED, BAD_CHARACTER, BUSY = 5, 6, 7, 8


class Reason(IntEnum):
    """Why, for the audit trail."""

    NONE, WRONG, REPLAYED, UNKNOWN_USER, NO_DEVICE, DEVICE_UNKNOWN, DEVICE_INACTIVE = range(7)
    LOCKED, EMPTY, ACCOUNT, REALM, NAME, SOURCE, LOAD, NO_CHALLENGE, OVERDUE, SCOPE = range(7, 17)
    PIN, PASSWORD = 17, 18
    PENDING, DENIED, MISMATCHED, CANCELLED = range(21, 25)
    ADDRESS, IDENTITY, TEMPORARY, LESS_SECURE, LIMIT = range(34, 39)
    ENDED = 30


class Event(IntEnum):
    """What a record is about."""

    ATTEMPT, ALSO, RESYNC, USER_ADD, USER_SET, USER_REMOVE, UNLOCK = range(1, 8)
    DEVICE_ADD, DEVICE_SET, DEVICE_REMOVE, TOMBSTONE, NOTE, CHALLENGE = range(8, 14)
    PIN, QUESTION, ANSWER = 14, 15, 16
    POLICY, IMPORT, EXPORT = range(23, 26)
    DUE, ACTIVATE, DATES = 26, 27, 28
    ADDRESSES, IDENTITY, OPT, SHARE, WITHDRAWAL = range(30, 35)
    RESTORE, FLOOR = 36, 37


class Effect(IntFlag):
    """What apply does to a streak and to devices, in this order."""

    CLEAR, PUSH, WAIT, LOCK, ADVANCE, FORGIVE, CHARGE, SUSPEND = (1 << bit for bit in range(8))


@dataclass(frozen=True)
class Figures:
    """The figures of the policy that decide uses (RULES 2 and 5)."""

    lockout_failures: int = 10
    lockout_window_ms: int = 86_400_000
    lockout_extend: bool = True
    failures_cap: int | None = 100
    source_failures: int | None = 1000
    names_any: bool = False
    rank_totp: int = 0
    rank_hotp: int = 0
    rank_ocra: int = 0
    challenge_kinds: tuple[str, ...] = ("dsc-plus",)
    passcode_ms: int = 172_800_000
    passcode_card_ms: int = 864_000_000
    auto_activate_ms: int | None = 1_814_400_000
    online_card_ms: int = 1_814_400_000
    sms_ms: int = 600_000
    sms_per_hour: int = 3
    card_shown_percent: int = 50
    card_cells_once: bool = False
    push_ms: int = 60_000
    push_per_window: int = 5
    push_window_ms: int = 600_000
    session_pin_ms: int = 43_200_000
    session_biometric_ms: int = 108_000_000
    session_ms: int = 43_200_000
    allow_no_device: bool = False


class Keys(NamedTuple):
    """What names, questions and ids are keyed by."""

    name: bytes = bytes(16)
    ask: bytes = bytes(48)

    @property
    def question(self) -> bytes:
        return self.ask[:16]

    @property
    def token(self) -> bytes:
        return self.ask[16:]


class Standing(NamedTuple):
    """A challenge that was asked and not yet answered. purpose: its digest, 0 for none. epoch: of
    its issue; of a code that was sent, the second it runs out."""

    purpose: int
    n: int
    epoch: int

    def is_current(self, epoch: int, kind: str = "ocra") -> bool:
        """Good in the epoch of its issue and in the next; a pair of a card until it is answered."""
        return kind == "card" or self.epoch <= epoch <= self.epoch + 1

    def answers_plain(self, epoch: int, kind: str) -> bool:
        """Whether a response that names no challenge may be the answer to this one."""
        return self.purpose == 0 and self.is_current(epoch, kind)


class Challenge(NamedTuple):
    """What is shown to whoever asks."""

    id: str
    kind: str
    prompt: str
    expires_ms: int
    answer: str = ""


@dataclass
class Streak:
    """Failures in a row. gaps_ms[0] is the time between the last two."""

    last_ms: int = 0
    lock_until_ms: int = 0
    count: int = 0
    gaps_ms: list[int] = field(default_factory=list)


@dataclass
class Device:
    """One device. moving is the lowest position still unused; issued, the next question's count;
    standing, the open challenge of each platform; sent_s, when codes were sent, the newest first.
    Of a temporary passcode the key is its text, good until two moments."""

    kind: str
    key: bytes
    serial: str = ""
    number: int = 0
    algorithm: str = "sha1"
    digits: int = 6
    moving: int = 0
    look_ahead: int = 10
    period: int = 30
    t0: int = 0
    back: int = 1
    forward: int = 1
    drift_max: int = 0
    drift: int = 0
    state: str = "active"
    capped: bool = False
    failures: int = 0
    label: str = ""
    suite: str = ""
    pin_hash: bytes = b""
    pin: str = ""                   # typed before the code
    issued: int = 0
    standing: dict[int, Standing] = field(default_factory=dict)
    sent_s: list[int] = field(default_factory=list)
    full_until_ms: int = 0
    until_ms: int = 0
    answers: int = 0            # to client's questions, in the newest epoch that it was asked in
    asked_epoch: int = 0
    once: bool = False                  # of a card: no cell is shown twice
    phone: bytes = b""                  # of an ib-key that approves pushes: its public key
    lent: bool = False                  # another user's, whose key it has
    shared: bool = False                # an owner's, lent to somebody
    dates: life.Dates = field(default_factory=life.Dates)
    resync: bool = False        # since a restore: it verifies nothing before two codes in a row

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left to ask: of a card alone."""
        return self.kind == "card" and self.moving >= card.answers_max(self.once)

    @property
    def asked(self) -> ocra.Suite:
        return ocra.suite_of(self.suite)

    def response(self, question: str, counter: int, session: bytes, step: int) -> str:
        """RFC 6287 section 5."""
        return ocra.response(
            self.asked, self.key, question, counter, self.pin_hash, session, step
        )

    def counters(self) -> range:
        """Those a response is compared with; one that means nothing when the suite has no C."""
        if not self.asked.counter:
            return range(self.moving, self.moving + 1)
        return range(self.moving, min(self.moving + self.look_ahead, COUNTER_LAST) + 1)

    def steps(self, now_ms: int) -> range:
        """T's steps likewise."""
        if not self.asked.period:
            return range(1)
        at = now_ms // 1000 // self.asked.period + self.drift
        return range(max(0, at - self.back), max(0, at + self.forward + 1))

    def code(self, position: int) -> str:
        """RFC 4226 section 5.3."""
        mac = hmac.digest(self.key, position.to_bytes(8, "big"), self.algorithm)
        at = mac[-1] & 15
        number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
        return str(number % 10**self.digits).rjust(self.digits, "0")

    def expected(self, now_ms: int) -> int:
        """The counter expected, or the step that now is (RFC 6238 section 4.2)."""
        if self.kind in ("hotp", "passcode"):
            return self.moving
        return (now_ms // 1000 - self.t0) // self.period

    def window(self, now_ms: int) -> range:
        """Positions a login's code is compared with."""
        at = self.expected(now_ms) + self.drift
        if self.kind == "hotp":
            return range(at, min(at + self.look_ahead, POSITION_LAST) + 1)
        return range(max(0, at - self.back), max(0, at + self.forward + 1))

    def wide_window(self, now_ms: int) -> range:
        """Positions that the first of resynchronisation's two codes is compared with."""
        at = self.expected(now_ms)
        if self.kind == "hotp":
            return range(at, min(at + RESYNC_COUNTERS, POSITION_LAST - 1) + 1)
        return range(max(0, at - RESYNC_STEPS), max(0, at + RESYNC_STEPS + 1))

    def shows_what(self, other: "Device") -> bool:
        """Whether two devices show the same codes, but for their number of digits."""
        if self.kind == "ocra":
            return False    # no two devices are asked the same question
        mine = (self.kind, self.algorithm, self.period, self.t0, self.once)
        theirs = (other.kind, other.algorithm, other.period, other.t0, other.once)
        return mine == theirs and hmac.digest(
            self.key, b"", self.algorithm
        ) == hmac.digest(other.key, b"", other.algorithm)

    def used_until(self, floor: "Device") -> int:
        """The first position that a predecessor with this key cannot have used up."""
        if self.kind == "ocra" and not self.asked.counter:
            return 0
        if self.kind == "card" and self.once != floor.once:     # in another order: all may be
            return card.answers_max(False) if floor.moving else 0
        if self.kind != "totp" or (self.period, self.t0) == (floor.period, floor.t0):
            return floor.moving
        end_s = floor.t0 + floor.moving * floor.period
        first = max(0, -((self.t0 - end_s) // self.period)) if floor.moving else 0
        # A step number within reach that was used would be the same code once more.
        return floor.moving if first < floor.moving <= first + 64 else first


@dataclass
class User:
    """A login name and all that hangs on it. Devices stand in the order of enrolment."""

    number: int
    name: str
    account: str = "open"
    realm: str = "live"
    devices: list[Device] = field(default_factory=list)
    known: list[Device] = field(default_factory=list)   # a password, questions: kept like devices
    wrong_answers: int = 0                              # in a row
    addresses: tuple[str, ...] = ()                     # from where alone it may come
    identity: tuple[str, ...] = ()
    opted_out: bool = False
    withdrawn: dict[int, int] = field(default_factory=dict)     # cents, by business day
    streak: Streak = field(default_factory=Streak)


@dataclass(frozen=True)
class Attempt:
    """What a client submitted. With a second code it is a resynchronisation."""

    name: str
    response: str
    platform: str = "trading"
    realm: str = "live"
    device: str | None = None
    address: str | None = None
    second: str | None = None
    shed: bool = False
    challenge: str | None = None
    session: bytes = b""
    pin: str | None = None
    password: str | None = None
    vouched: bool = False
    needs_pin: bool = False
    needs_device: bool = False
    activates: bool = False     # the device named, which is shipped

    @property
    def is_login(self) -> bool:
        return self.second is None and not self.activates

    @property
    def facts(self) -> int:
        """What else its record tells, among place: 32 it named something, 64 nothing was typed."""
        empty = not self.response and self.is_login
        return 32 * (self.device is not None or self.challenge is not None) + 64 * empty


class Answer(NamedTuple):
    """What the client is told; device and offset only of a code that was right."""

    verdict: Verdict
    reason: Reason
    device: str | None = None
    offset: int = 0
    retry_after_ms: int = 0
    scope: str = ""
    session_ms: int = 0
    asks: bool = False      # of an address that is not allowed: anybody else's would read CHALLENGE

    @property
    def shown(self) -> Verdict:
        """What a gateway without the right `reasons` reads."""
        if self.asks:
            return Verdict.CHALLENGE
        hidden = (Verdict.LOCKED, Verdict.EXPIRED, Verdict.NOT_PERMITTED)
        return Verdict.REJECTED if self.verdict in hidden else self.verdict


class Record(NamedTuple):
    """One journal record: the fields of ww_record. user is a number, or the name nobody has."""

    event: Event
    user: int | str
    verdict: int = 0
    reason: int = 0
    effects: Effect = Effect(0)
    place: int = 0
    device: int = 0
    moving: int = 0
    drift: int = 0
    lock_ms: int = 0
    tail: object = None
    sent_s: int = 0
    answered: bool = False


class Match(NamedTuple):
    """A device whose code was right at an unused position, and what becomes of it."""

    device: Device
    moving: int
    drift: int
    offset: int
    pin_is_right: bool = True
    spends: bool = True     # of a device that a push asked nothing is used up


def name_is_legal(name: str, any_text: bool) -> bool:
    """RULES 2."""
    if any_text:
        size = len(name.encode("utf-8", "surrogatepass"))
        return 1 <= size <= 128 and not any(unicodedata.category(c) in ("Cc", "Cs") for c in name)
    return 1 <= len(name) <= 64 and set(name) <= set(string.ascii_letters + string.digits)


def source_of(address: str) -> str:
    """The place an address counts for: itself, or its /64 (RULES 5)."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Tried(NamedTuple):
    """A device that a response is compared with, and the question it answers."""

    device: Device
    question: str = ""
    is_current: bool = True


def match_challenge(t: Tried, a: Attempt, now_ms: int) -> Match | None:
    """The lowest counter, and of it the lowest step, whose response this is."""
    device, suite = t.device, t.device.asked
    if suite.session and len(a.session) > suite.session:
        return None
    now_step = now_ms // 1000 // suite.period if suite.period else 0
    for counter in device.counters():
        for step in device.steps(now_ms):
            if device.response(t.question, counter, a.session, step) == a.response:
                further, drift = counter - device.moving if suite.counter else 0, 0
                if suite.period:
                    drift = max(-device.drift_max, min(device.drift_max, step - now_step))
                moving = min(counter + 1, COUNTER_LAST) if suite.counter else device.moving
                offset = further if suite.counter else step - now_step
                return Match(device, moving, drift, offset)
    return None


def match_given(t: Tried, a: Attempt) -> Match | None:
    """A passcode is its text, and is not used up; a code that was sent is a counter's."""
    if t.device.label == "sms":
        right, moving = t.device.code(t.device.moving), t.device.moving + 1
    else:
        right, moving = t.device.key.decode(), t.device.moving
    return Match(t.device, moving, 0, 0) if a.response == right else None

def match_card(t: Tried, a: Attempt) -> Match | None:
    """The cells of the pair that was asked, and no others."""
    first, second = map(int, t.question.split())
    if card.answer(t.device.key, (first, second)) != a.response:
        return None
    return Match(t.device, t.device.moving + 1, 0, 0)


def match(device: Device, attempt: Attempt, now_ms: int) -> tuple[Match | None, bool]:
    """The lowest unused position whose code this is; if none, whether a used one has it."""
    expected = device.expected(now_ms)
    if attempt.second is None:
        found = [p for p in device.window(now_ms) if device.code(p) == attempt.response]
    else:
        pair = (attempt.response, attempt.second)
        positions = device.wide_window(now_ms)
        found = [p for p in positions if (device.code(p), device.code(p + 1)) == pair]
    unused = [p for p in found if p >= device.moving]
    if not unused:
        return None, bool(found)
    last, drift = unused[0] + (attempt.second is not None), 0
    if device.kind == "totp":
        drift = max(-device.drift_max, min(device.drift_max, last - expected))
    return Match(device, last + 1, drift, unused[0] - expected), False


class Charge(NamedTuple):
    """Whom a failure costs: the devices tried; whether the attempt named one; whether further
    active ones were passed over."""

    devices: list[Device]
    named: bool
    passed_over: bool


class Claim(NamedTuple):
    """A push that an attempt names: what has become of it, and the phone that may still answer.
    stands is nothing when it is another's, or was claimed."""

    stands: str = ""
    push: Push | None = None
    phone: Device | None = None

    @property
    def reason(self) -> Reason:
        """Why it is refused."""
        if self.stands == "approved":
            return Reason.NONE if self.phone else Reason.DEVICE_INACTIVE
        reasons = {"denied": Reason.DENIED, "mismatched": Reason.MISMATCHED}
        return reasons.get(self.stands, Reason.NO_CHALLENGE)


def match_claim(claim: Claim, t: Tried) -> Match | None:
    """Approved by the phone that was asked."""
    d = t.device
    return Match(d, d.moving, d.drift, 0, spends=False) if claim.stands == "approved" else None


class Reference:
    """The whole state, and its one transition."""

    def __init__(self, figures: Figures | None = None, keys: Keys | None = None) -> None:
        self.figures = figures or Figures()
        self.keys = keys or Keys()
        self.users: dict[str, User] = {}
        self.confined: str | None = None            # who asks has the users of this realm alone
        self.decoys: dict[str, Streak] = {}
        self.sources: dict[str, list[int]] = {}     # the minutes of an address's failures
        self.tombstones: list[Device] = []
        self.plausible: dict[str, dict[int, Standing]] = {}
        self.plausible_answers: dict[str, tuple[int, int]] = {}     # newest epoch, how many
        self.plausibly_sent: dict[str, list[int]] = {}
        self.plausibly_issued: dict[str, int] = {}
        self.sent_code: str | None = None           # on its way to a phone; None: to nobody
        self.answered: dict[str, int] = {}          # plausible questions that were answered
        self.wrongly: dict[str, int] = {}           # in a row, by names that do not exist
        self.question_texts = QUESTION_TEXTS
        self.pushes = Pushes(
            self.figures.push_ms, self.figures.push_per_window, self.figures.push_window_ms
        )
        self.latest_ms = 0                          # of what was ever written: epochs never go back
        self.numbers_used = 0                       # of users
        self.devices_used = 0                       # of devices: questions are keyed by them
        self.journal: list[tuple[int, list[Record]]] = []

    def _found(self, name: str) -> User | None:
        """Whoever has this name, to whoever asks."""
        user = self.users.get(name)
        return user if user is None or self.confined in (None, user.realm) else None

    # ---- the transition: decide ----------------------------------------------------------------

    def decide(self, a: Attempt, now_ms: int) -> tuple[Answer, list[Record]]:
        """RULES 7, row by row. Reads the state, changes nothing."""
        user = self._found(a.name)
        main = Record(
            Event.ATTEMPT if a.is_login else Event.ACTIVATE if a.activates else Event.RESYNC,
            user.number if user else a.name,
            place=PLATFORMS.index(a.platform) | REALMS.index(a.realm) << 2 | a.facts,
            tail=a.address,
        )
        if not name_is_legal(a.name, self.figures.names_any):
            return self._answer(main, Verdict.BAD_CHARACTER, Reason.NAME)
        source_is_full = self._source_is_full(a.address, now_ms)
        if a.shed or source_is_full:
            return Answer(Verdict.BUSY, Reason.SOURCE if source_is_full else Reason.LOAD), []
        streak = user.streak if user else self.decoys.get(a.name, Streak())
        locked = now_ms < streak.lock_until_ms
        over = Effect.CLEAR if streak.lock_until_ms and not locked else Effect(0)
        claim = self._claim(a, now_ms)
        empty = not a.response and a.is_login
        if not locked and entering.elsewhere(user, a):
            base = main._replace(effects=over)
            answer, records = self._answer(base, Verdict.NOT_PERMITTED, Reason.ADDRESS)
            said = self._unanswered(claim) if empty and a.password is None else None
            return answer._replace(asks=said is not None and said[0] is Verdict.CHALLENGE), records
        tried, reason, passed_over = self._tried(user, a, now_ms)
        named = a.device is not None or a.challenge is not None
        if tried and named:
            main = main._replace(device=tried[0].device.number)
        amiss = secrets.password_amiss(user, a)
        if user and not locked and not amiss and entering.enters_bare(user, a, self.figures):
            return self._bare(main, over, user, a)
        if empty and not locked and not (amiss and a.password is not None):
            said = self._unanswered(claim)
            if said == (Verdict.CHALLENGE, Reason.PENDING):
                return Answer(*said), []
            if said is not None:
                return self._answer(main._replace(effects=over), *said)
        found = [
            (match_claim(claim, t), False) if claim else self._match(t, a, now_ms) for t in tried
        ]
        matched = [m for m, _ in found if m is not None]
        right = [m for m in matched if m.pin_is_right]
        if tried and not matched and claim is None:
            reason = Reason.REPLAYED if any(used for _, used in found) else Reason.WRONG
        elif matched and not right:
            reason = Reason.PIN
        charge = Charge([t.device for t in tried], named, passed_over)
        if locked:
            return self._locked(main, streak, charge, user, matched, now_ms)
        if user is None or not right or amiss:
            if user is not None and amiss and (right or empty):
                reason = Reason.PASSWORD
            if empty and amiss and self._unanswered(claim) is not None:
                charge = Charge([], named, passed_over)
            return self._rejected(main, over, streak, charge, user, matched, reason, now_ms)
        if not tried[0].is_current:
            return self._right(main, over, user, matched, Verdict.EXPIRED, Reason.OVERDUE)
        if self._highest(m.device for m in right).state == "ended":
            reason = self._why_ended(right, now_ms)
            return self._right(main, over, user, matched, Verdict.EXPIRED, reason)
        scope, limit = self._scope(right, a.platform, now_ms)
        if limit is not None:
            return self._right(main, over, user, matched, *limit)
        shut = self._shut(user, a)
        if shut is not None:
            return self._right(main, over, user, matched, Verdict.NOT_PERMITTED, shut)
        clear = Effect.CLEAR if streak.count or streak.lock_until_ms else Effect(0)
        answer, records = self._right(main, clear, user, matched, Verdict.ACCEPTED, Reason.NONE)
        by_phone = self._highest(m.device for m in matched).label == "ib-key"
        biometric = claim is not None and claim.push is not None and claim.push.is_biometric
        sessions = (self.figures.session_pin_ms, self.figures.session_biometric_ms)
        session_ms = sessions[biometric] if by_phone else self.figures.session_ms
        session_ms = session_ms if a.is_login else 0
        return answer._replace(scope=scope, session_ms=session_ms), records

    @staticmethod
    def _shut(user: User, a: Attempt) -> Reason | None:
        """What this account does not open, right as the answer is."""
        if a.is_login and user.account != "open" and a.platform == "trading":
            return Reason.ACCOUNT
        return Reason.REALM if a.is_login and user.realm != a.realm else None

    def _bare(
        self, main: Record, over: Effect, user: User, a: Attempt
    ) -> tuple[Answer, list[Record]]:
        """Nothing was typed, and nothing need be."""
        shut, streak = self._shut(user, a), user.streak
        if shut is not None:
            return self._answer(main._replace(effects=over), Verdict.NOT_PERMITTED, shut)
        clear = Effect.CLEAR if streak.count or streak.lock_until_ms else Effect(0)
        answer, records = self._answer(
            main._replace(effects=clear), Verdict.ACCEPTED, Reason.NONE
        )
        return answer._replace(scope="full", session_ms=self.figures.session_ms), records

    def _claim(self, a: Attempt, now_ms: int) -> Claim | None:
        """The push that an attempt names, if it does: an id of 32 characters."""
        if a.second is not None or a.challenge is None or len(a.challenge.encode()) != 32:
            return None
        named, user = self.pushes.of(a.challenge), self._found(a.name)
        own = (a.name, user.number if user else None, PLATFORMS.index(a.platform))
        meant = named and (named.name, named.user, named.platform) == own
        if not named or not meant or a.response or a.needs_pin:
            return Claim()
        phone = next((d for d in user.devices if d.number == named.device), None) if user else None
        if named.device and (phone is None or a.device not in (None, phone.serial)):
            return Claim()
        active = phone if phone and phone.state == "active" else None
        return Claim(named.stands(max(now_ms, self.latest_ms)), named, active)

    @staticmethod
    def _unanswered(claim: Claim | None) -> tuple[Verdict, Reason] | None:
        """RULES 4 and 7, of an attempt without a response: nothing of a push that was decided."""
        if claim is None:
            return Verdict.CHALLENGE, Reason.EMPTY
        if claim.stands == "pending":
            return Verdict.CHALLENGE, Reason.PENDING
        reasons = {"expired": Reason.OVERDUE, "cancelled": Reason.CANCELLED}
        reason = reasons.get(claim.stands)
        return None if reason is None else (Verdict.EXPIRED, reason)

    @staticmethod
    def _match(t: Tried, a: Attempt, now_ms: int) -> tuple[Match | None, bool]:
        """What was typed against one device; and whether it was used already."""
        code, second, pin_is_right = secrets.typed(a, t.device)
        a = replace(a, response=code, second=second)
        m, used = (
            (match_challenge(t, a, now_ms), False) if t.device.kind == "ocra"
            else (match_card(t, a), False) if t.device.kind == "card"
            else (match_given(t, a), False) if t.device.kind == "passcode"
            else match(t.device, a, now_ms)
        )
        return m._replace(pin_is_right=pin_is_right) if m else None, used

    def _why_ended(self, right: list[Match], now_ms: int) -> Reason:
        """A temporary device ran out, or a permanent one came."""
        d, at_ms = self._highest(m.device for m in right), max(now_ms, self.latest_ms)
        ran_out = d.label == "temporary-passcode" and at_ms >= d.until_ms
        ran_out |= 0 < d.dates.expires_ms <= at_ms
        return Reason.OVERDUE if ran_out else Reason.ENDED

    def _scope(
        self, matched: list[Match], platform: str, now_ms: int
    ) -> tuple[str, tuple[Verdict, Reason] | None]:
        """RULES 6: what the best of the devices that matched opens; or why it does not."""
        d, at_ms = self._highest(m.device for m in matched), max(now_ms, self.latest_ms)
        if d.label != "temporary-passcode" or at_ms < d.full_until_ms:
            return "full", None
        if at_ms >= d.until_ms:
            return "", (Verdict.EXPIRED, Reason.OVERDUE)
        if platform == "trading":
            return "", (Verdict.NOT_PERMITTED, Reason.SCOPE)
        return "card", None

    def _tried(
        self, user: User | None, a: Attempt, now_ms: int
    ) -> tuple[list[Tried], Reason, bool]:
        """What this response is compared with; if nothing, why; and whether an active device was
        passed over, since it stands under no challenge that could have been answered."""
        if user is None:
            return [], Reason.UNKNOWN_USER, False
        platform, epoch = PLATFORMS.index(a.platform), self._epoch(now_ms)
        claim = self._claim(a, now_ms)
        if claim is not None:
            tried = [Tried(claim.phone)] if claim.stands and claim.phone else []
            return tried, claim.reason, False
        if a.challenge is not None:
            return self._tried_challenge(user, a, platform, now_ms)
        named = [d for d in user.devices if a.device in (None, d.serial)]
        active = [
            d for d in named
            if life.answers(d, activates=a.activates, logs_in=a.is_login)
        ]  # fmt: skip
        if not active and a.device is not None:
            return [], Reason.DEVICE_INACTIVE if named else Reason.DEVICE_UNKNOWN, False
        tried = []
        for d in active:
            open_one = d.standing.get(platform)
            if d.kind == "passcode":
                stands = d.label != "sms" or self._code_stands(d, platform, now_ms)
                if a.is_login and stands:
                    tried.append(Tried(d))
            elif d.kind not in ASKED:
                if a.second is not None or not d.resync:
                    tried.append(Tried(d))
            elif a.is_login and open_one and open_one.answers_plain(epoch, d.kind):
                tried.append(Tried(d, self._question(d, open_one.n)))
        waits = [d for d in active if d.state != "ended"]
        passed_over = sum(t.device.state != "ended" for t in tried) < len(waits)
        reason = Reason.NO_CHALLENGE if passed_over else Reason.NO_DEVICE
        if not tried and not passed_over and a.device is not None:
            reason = Reason.DEVICE_INACTIVE
        return tried, Reason.NONE if tried else reason, passed_over

    def _second(self, now_ms: int) -> int:
        return max(now_ms, self.latest_ms) // 1000

    def _second_over(self, now_ms: int) -> int:
        """The first that is not before now: an hour from it is no second short."""
        return -(-max(now_ms, self.latest_ms) // 1000)

    def _code_stands(self, d: Device, platform: int, now_ms: int) -> bool:
        """Whether a response that names nothing may be the code sent last."""
        one = d.standing.get(platform)
        return (
            one is not None and one.purpose == 0
            and one.n == d.moving and self._second(now_ms) < one.epoch
        )  # fmt: skip

    def _tried_challenge(
        self, user: User, a: Attempt, platform: int, now_ms: int
    ) -> tuple[list[Tried], Reason, bool]:
        """The challenge an attempt names, if it is this user's and still to be answered."""
        sealed = ocra.unseal(self.keys.token, str(a.challenge))
        if sealed is None or sealed.name != ocra.name_hash(self.keys.name, user.name):
            return [], Reason.NO_CHALLENGE, False
        for d in user.devices:
            standing = d.standing.get(sealed.platform)
            if (
                (d.number, platform) == (sealed.device, sealed.platform)
                and a.device in (None, d.serial)
                and life.answers(d, activates=a.activates, logs_in=a.is_login)
                and standing == (sealed.purpose, sealed.n, sealed.epoch)
                and (d.label != "sms" or sealed.n == d.moving)      # else a twin used it up
            ):
                if d.label == "sms":
                    in_time = self._second(now_ms) < standing.epoch
                    return [Tried(d, "", in_time)], Reason.NONE, False
                question = sealed.posed or self._question(d, standing.n)
                in_time = standing.is_current(self._epoch(now_ms), d.kind)
                return [Tried(d, question, in_time)], Reason.NONE, False
        return [], Reason.NO_CHALLENGE, False

    @staticmethod
    def _answer(
        main: Record, verdict: Verdict, reason: Reason, also: Sequence[Record] = (),
        retry_ms: int = 0,
    ) -> tuple[Answer, list[Record]]:  # fmt: skip
        main = main._replace(verdict=verdict, reason=reason)
        return Answer(verdict, reason, None, 0, retry_ms), [main, *also]

    @staticmethod
    def _beside(main: Record) -> Record:
        return Record(Event.ALSO, main.user, place=main.place)

    @staticmethod
    def _advance(base: Record, m: Match, forgive: bool = False) -> Record:
        pardon = Effect.FORGIVE if forgive and m.device.failures else Effect(0)
        if not m.spends:
            return base._replace(effects=base.effects | pardon, device=m.device.number)
        return base._replace(
            effects=base.effects | Effect.ADVANCE | pardon,
            device=m.device.number, moving=m.moving, drift=m.drift,
        )  # fmt: skip

    def _rank(self, d: Device) -> int:
        own = {"totp": self.figures.rank_totp, "hotp": self.figures.rank_hotp}
        return RANKS.get(d.label, own.get(d.kind, self.figures.rank_ocra))

    def _highest(self, devices: Iterable[Device]) -> Device:
        """The highest rank, then the lowest serial; what ended comes last."""
        return min(
            devices, key=lambda d: (d.state == "ended", -self._rank(d), d.serial.encode())
        )

    def _right(
        self, main: Record, clear: Effect, user: User, matched: list[Match], verdict: Verdict,
        reason: Reason,
    ) -> tuple[Answer, list[Record]]:  # fmt: skip
        """Every device that matched moves on: the reported one in main, the others beside it."""
        highest = self._highest(m.device for m in matched if m.pin_is_right)
        reported = next(m for m in matched if m.device is highest)
        forgive = verdict is Verdict.ACCEPTED
        main = self._advance(main._replace(effects=clear), reported, forgive)
        also = [
            self._advance(self._beside(main), m, forgive and m.pin_is_right)
            for m in matched if m is not reported
        ]
        _, records = self._answer(main, verdict, reason, also + self._twins(main, user, matched))
        return Answer(verdict, reason, reported.device.serial, reported.offset), records

    def _twins(self, main: Record, user: User, matched: list[Match]) -> list[Record]:
        """One key enrolled twice: what one device used up is used up on the other (RULES 4)."""
        records = []
        for d in user.devices:
            own = [m for m in matched if m.device is d]
            used = [m.moving for m in matched if m.device.shows_what(d) and m.moving > d.moving]
            if not own and used:
                record = self._beside(main)._replace(device=d.number, drift=d.drift)
                records.append(record._replace(effects=Effect.ADVANCE, moving=max(used)))
            ends, drift = (own[0].moving, own[0].drift) if own else (max([0, *used]), d.drift)
            if ends > d.moving:
                records += [
                    self._beside(main)._replace(
                        user=other.number, device=theirs.number, effects=Effect.ADVANCE,
                        moving=ends, drift=drift,
                    )
                    for other, theirs in self.sharers(d)
                ]  # fmt: skip
        return records

    def sharers(self, d: Device) -> list[tuple[User, Device]]:
        """Who else has this very device, in the order in which they came to it."""
        found = [
            (user, other) for user in self.users.values() for other in user.devices
            if other is not d and (other.kind, other.key) == (d.kind, d.key)
            and (other.lent or other.shared) and (d.lent or d.shared)
        ]
        return sorted(found, key=lambda one: one[1].number)

    def ends_sharing(self, d: Device) -> list[Record]:
        """An owner's device goes, and with it what was lent of it."""
        records = []
        for user, lent in self.sharers(d) if d.shared else []:
            gone = Record(Event.DEVICE_REMOVE, user.number, device=lent.number)
            records += [*self.buried(user, lent), gone]
        return records

    def buried(self, user: User, d: Device) -> list[Record]:
        return [self._tombstone(user, d)] if d.moving or d.resync else []

    def _charged(self, main: Record, charge: Charge, matched: list[Match]) -> list[Record]:
        """A failure costs every device it was tried against; the cap suspends (RULES 5). What
        matched while locked is used up. One named is all in main; else each has its own record,
        and main alone says that all of them are charged, unless some were passed over."""
        if not charge.devices:
            return [main]
        cap, records = self.figures.failures_cap, []
        ended = charge.named and charge.devices[0].state == "ended"
        if not charge.passed_over and not ended:
            main = main._replace(effects=main.effects | Effect.CHARGE)
        for device in charge.devices:
            record = main if charge.named else self._beside(main)
            untouched = record
            if charge.passed_over and device.state != "ended":
                effects = record.effects | Effect.CHARGE
                record = record._replace(effects=effects, device=device.number)
            for m in matched:
                if m.device is device:
                    record = self._advance(record, m)
            if cap and min(device.failures + 1, 255) >= cap and device.state == "active":
                effects = record.effects | Effect.SUSPEND
                record = record._replace(effects=effects, device=device.number)
            if charge.named:
                return [record]
            if record != untouched:
                records.append(record)
        return [main, *records]

    def _locked(
        self, main: Record, streak: Streak, charge: Charge, user: User | None,
        matched: list[Match], now_ms: int,
    ) -> tuple[Answer, list[Record]]:  # fmt: skip
        """Refused while locked: a failure, and a right code is used up all the same."""
        until, main = streak.lock_until_ms, main._replace(effects=Effect.WAIT)
        if self.figures.lockout_extend:
            main = self._locking(main, streak, now_ms)
            until = now_ms + main.lock_ms
        main, *also = self._charged(main, charge, matched)
        if user is not None:
            also += self._twins(main, user, matched)
        return self._answer(main, Verdict.LOCKED, Reason.LOCKED, also, until - now_ms)

    def _rejected(
        self, main: Record, over: Effect, streak: Streak, charge: Charge, user: User | None,
        matched: list[Match], reason: Reason, now_ms: int,
    ) -> tuple[Answer, list[Record]]:  # fmt: skip
        """A failure: the streak is one longer, and may lock. What matched is used up."""
        after = replace(streak, gaps_ms=list(streak.gaps_ms))
        if over:
            self._empty(after)
        self._push(after, now_ms)
        main, failures = main._replace(effects=over | Effect.PUSH), self.figures.lockout_failures
        newest = after.gaps_ms[: failures - 1]
        if after.count >= failures and sum(newest) < self.figures.lockout_window_ms:
            main = self._locking(main, streak, now_ms)
        main, *also = self._charged(main, charge, matched)
        if user is not None:
            also += self._twins(main, user, matched)
        return self._answer(main, Verdict.REJECTED, reason, also, main.lock_ms)

    def _locking(self, main: Record, streak: Streak, now_ms: int) -> Record:
        """The lock begins, or its wait begins again, at the last unsuccessful attempt: this one."""
        until = max(now_ms, streak.last_ms) + self.figures.lockout_window_ms
        lock_ms = min(until - now_ms, U32_MAX)
        return main._replace(effects=main.effects | Effect.LOCK, lock_ms=lock_ms)

    def _source_is_full(self, address: str | None, now_ms: int) -> bool:
        limit = self.figures.source_failures
        if address is None or not limit:
            return False
        minutes = self.sources.get(source_of(address), [])
        newest = max([now_ms // 60_000, *minutes])
        return sum(minute > newest - SOURCE_MINUTES for minute in minutes) >= limit

    # ---- what a user knows ----------------------------------------------------------------------

    def _set_known(self, user: User, gone: str, new: list[Device], now_ms: int) -> None:
        self._turn(self._known_anew(user, gone, new), now_ms)

    def _known_anew(self, user: User, gone: str, new: list[Device]) -> list[Record]:
        first = self.devices_used + 1
        return [
            *(Record(Event.DEVICE_REMOVE, user.number, device=d.number)
              for d in user.known if d.kind == gone),
            *(Record(Event.DEVICE_ADD, user.number, device=first + i, tail=d)
              for i, d in enumerate(new)),
        ]  # fmt: skip

    def set_password(self, name: str, password: str | None, now_ms: int) -> None:
        new = [Device("password", password.encode())] if password is not None else []
        self._set_known(self.users[name], "password", new, now_ms)

    def set_questions(
        self, name: str, questions: Sequence[tuple[str, str, str]], now_ms: int
    ) -> None:
        new = [Device("question", answer.encode(), pool, suite=text)
               for pool, text, answer in questions]  # fmt: skip
        self._set_known(self.users[name], "question", new, now_ms)

    def own_realm(self, a: Attempt) -> Attempt:
        """What changes something enters no realm: the user's own is as good as said."""
        user = self._found(a.name)
        return replace(a, realm=user.realm if user else a.realm)

    def change_pin(self, a: Attempt, pin: str, now_ms: int) -> Answer:
        """An attempt, and in its turn what follows from its acceptance. A phone's approval is no
        answer here: nobody typed the old PIN with it."""

        def follows(answer: Answer) -> list[Record]:
            changed = self._device(self.users[a.name], str(answer.device))
            serves = [(d.number, other.number) for other in self.users.values()
                      for d in other.devices
                      if d is changed or (changed.phone and d.phone == changed.phone)]  # fmt: skip
            return [Record(Event.PIN, whose, device=number, tail=pin)
                    for number, whose in sorted(serves)]  # fmt: skip

        return self.attempt_then(self.own_realm(replace(a, needs_pin=True)), now_ms, follows)

    def change_password(self, a: Attempt, password: str, now_ms: int) -> Answer:
        """An attempt with the old one, which a device has to answer; another follows from it."""
        new = [Device("password", password.encode())]
        return self.attempt_then(
            self.own_realm(replace(a, needs_device=True)), now_ms,
            lambda _: self._known_anew(self.users[a.name], "password", new),
        )  # fmt: skip

    def question(self, name: str, dice: int, now_ms: int) -> tuple[str, str]:
        """The id and the text of the question that stands, or of one picked; what nobody set is
        asked as plausibly."""
        user, hashed = self._found(name), ocra.name_hash(self.keys.name, name)
        mine = secrets.questions(user)
        asked = secrets.question_stands(user) or (
            mine[(dice >> 32) * len(mine) >> 32] if mine else None
        )
        if asked is not None:
            n = asked.standing[0].n if asked.standing else asked.issued
            text = asked.suite
        else:
            n = self.answered.setdefault(name, 0)
            text = secrets.plausible(self.keys.question, hashed, n, self.question_texts)
        number = asked.number if asked else 0
        who = user.number if user else name
        self._turn([Record(Event.QUESTION, who, device=number, moving=n)], now_ms)
        sealed = ocra.Sealed(hashed, 0, number, n, 0, secrets.QUESTIONS_PLACE)
        return ocra.seal(self.keys.token, sealed), text

    def answer(self, name: str, id: str, text: str, now_ms: int, *, address: str | None = None,
               shed: bool = False) -> Answer:  # fmt: skip
        """RULES 6: an attempt; one wrong denies, three in a row lock."""
        answer, records = self._decide_answer(name, id, text, now_ms, address, shed)
        self._turn(records, now_ms)
        return answer

    def _decide_answer(
        self, name: str, id: str, text: str, now_ms: int, address: str | None, shed: bool
    ) -> tuple[Answer, list[Record]]:
        user = self._found(name)
        main = Record(Event.ANSWER, user.number if user else name, place=32, tail=address)
        if not name_is_legal(name, self.figures.names_any):
            return self._answer(main, Verdict.BAD_CHARACTER, Reason.NAME)
        source_is_full = self._source_is_full(address, now_ms)
        if shed or source_is_full:
            return Answer(Verdict.BUSY, Reason.SOURCE if source_is_full else Reason.LOAD), []
        streak = user.streak if user else self.decoys.get(name, Streak())
        over = Effect.CLEAR if streak.lock_until_ms else Effect(0)
        if now_ms >= streak.lock_until_ms and entering.elsewhere(
            user, Attempt(name, text, address=address)
        ):
            base = main._replace(effects=over)
            return self._answer(base, Verdict.NOT_PERMITTED, Reason.ADDRESS)
        sealed = ocra.unseal(self.keys.token, id)
        stands, asked = secrets.question_stands(user), None
        if (
            sealed is not None and sealed.platform == secrets.QUESTIONS_PLACE
            and sealed.name == ocra.name_hash(self.keys.name, name)
        ):
            if not sealed.device:
                main = main._replace(moving=sealed.n + 1)   # a plausible one ends as well
            elif stands and (stands.number, stands.standing[0].n) == (sealed.device, sealed.n):
                asked = stands
                main = main._replace(device=stands.number)
        right = asked is not None and asked.key == text.encode()
        spent = Effect.ADVANCE if right else Effect(0)
        charge = Charge([], True, False)
        if now_ms < streak.lock_until_ms:
            answer, (main, *_) = self._locked(main, streak, charge, user, [], now_ms)
            return answer, [main._replace(effects=main.effects | spent)]
        if right and asked is not None:
            clear = Effect.CLEAR if streak.count or streak.lock_until_ms else Effect(0)
            main = main._replace(effects=clear | spent | Effect.FORGIVE)
            answer, records = self._answer(main, Verdict.ACCEPTED, Reason.NONE)
            return answer._replace(device=asked.serial, scope="full"), records
        reason = Reason.NO_CHALLENGE if user else Reason.UNKNOWN_USER
        reason = Reason.WRONG if asked else reason
        _, (main,) = self._rejected(main, over, streak, charge, None, [], reason, now_ms)
        wrong = user.wrong_answers if user else self.wrongly.get(name, 0)
        if wrong + 1 >= secrets.WRONG_ANSWERS_MAX:
            main = self._locking(main, streak, now_ms)
        main = main._replace(effects=main.effects | Effect.CHARGE)
        return self._answer(main, Verdict.REJECTED, reason, [], main.lock_ms)

    def _apply_answer(self, r: Record, now_ms: int) -> None:
        user = None if isinstance(r.user, str) else self._user(r.user)
        name = user.name if user else str(r.user)
        if r.verdict == Verdict.BAD_CHARACTER:
            return
        self._apply_streak(r, user.streak if user else self._decoy(name), now_ms)
        self._charge_source(r, now_ms)
        wrong = user.wrong_answers if user else self.wrongly.get(name, 0)
        over = r.effects & (Effect.FORGIVE | Effect.LOCK)
        wrong = 0 if over else min(wrong + bool(r.effects & Effect.CHARGE), 3)
        if user:
            user.wrong_answers = wrong
        else:
            self.wrongly[name] = wrong
        if r.device:
            for d in secrets.questions(user):
                d.standing.clear()
        elif r.moving == self.answered.get(name, 0) + 1:
            self.answered[name] = r.moving

    # ---- asking --------------------------------------------------------------------------------

    def _epoch(self, now_ms: int) -> int:
        """What has run out stays so when time goes back."""
        return max(now_ms, self.latest_ms) // EPOCH_MS

    def _question(self, d: Device, n: int) -> str:
        if d.kind == "card":
            return "{} {}".format(*card.pair(self.keys.question, card.who_of(d.key), d.once, n))
        return ocra.question(self.keys.question, d.asked, d.number, n)

    def challenge(
        self, name: str, now_ms: int, *, platform: str = "trading", purpose: str | None = None,
        device: str | None = None, question: str | None = None, client_question: str | None = None,
        sends: bool = False, sms: bool = False, phone: bool = False,
    ) -> Challenge | None:  # fmt: skip
        """RULES 4: the challenge that stands, or a new one; of no device, a plausible one. sends:
        codes can be; sms: nothing else is wanted; phone: one that could have approved a push.
        None: as many were sent, or answers given, as may be."""
        user, place = self._found(name), PLATFORMS.index(platform)
        digest, epoch = ocra.purpose_digest(self.keys.token, purpose), self._epoch(now_ms)
        posed = Posed(question or "", client_question or "")
        wanted = "shipped" if purpose == life.NEW_DEVICE else "active"
        if any(posed):
            digest = mutual.purpose_digest(self.keys.token, purpose, posed)
        able = [
            d for d in (user.devices if user else [])
            if (sends and not any(posed) if d.label == "sms" else d.kind in ASKED and not sms)
            and user and life.stands(user, d, max(now_ms, self.latest_ms)) == wanted
            and device in (None, d.serial) and not d.is_spent
            and (d.phone or not phone)
            and (not any(posed) or (d.kind == "ocra" and mutual.fits(d.asked, posed)))
        ]  # fmt: skip
        asked = self._highest(able) if able else None
        hashed, kinds = ocra.name_hash(self.keys.name, name), self.figures.challenge_kinds
        plausible = kinds[(hashed >> 32) * len(kinds) >> 32]
        plausible = "sms" if sms else "ib-key" if phone else plausible
        if any(posed):
            plausible = mutual.plausible_kind(plausible, posed)
        kind = (asked.label or asked.kind) if asked else plausible
        if kind == "sms":
            return self._send(name, user, asked, place, digest, now_ms)
        sort = "card" if kind.endswith("code-card") else "ocra"
        standings = asked.standing if asked else self.plausible.setdefault(name, {})
        standing = standings.get(place)
        if sort == "card":      # the same pair, whenever and for whatever it is asked
            standing = Standing(digest, asked.moving if asked else 0, 0)
        elif standing is None or standing.purpose != digest or not standing.is_current(epoch):
            n = asked.issued if asked else max((s.n + 1 for s in standings.values()), default=0)
            if posed.mutual:
                newest, count = (
                    (asked.asked_epoch, asked.answers) if asked
                    else self.plausible_answers.get(name, (0, 0))
                )
                if epoch <= newest and count >= mutual.ANSWERS_MAX:
                    return None
                n = self._unreflected(asked, posed, n) if asked else n
            standing = Standing(digest, n, epoch)
        record = Record(
            Event.CHALLENGE, user.number if user else name, place=place,
            device=asked.number if asked else 0, moving=standing.n, tail=standing,
            answered=posed.mutual,
        )  # fmt: skip
        answer = ""
        if asked:
            prompt = posed.question or self._question(asked, standing.n)
            if posed.mutual:
                answer = self._own_answer(asked, posed.client + prompt, now_ms)
        elif sort == "card":
            who = card.who_of(self.keys.token) ^ hashed
            prompt = "{} {}".format(*card.pair(self.keys.question, who, False, 0))
        else:
            fresh = standings.get(place) is not standing
            newest, count = self.plausible_answers.get(name, (0, 0))
            count = (0 if standing.epoch > newest else count) + (posed.mutual and fresh)
            self.plausible_answers[name] = max(newest, standing.epoch), count
            standings[place] = standing
            who = ocra.sip(self.keys.question, ocra.words(hashed, standing.epoch, 2**63))
            suite = mutual.plausible_suite(posed.client) if posed.mutual else PLAUSIBLE_SUITE
            prompt = posed.question or ocra.question(self.keys.question, suite, who, standing.n)
            if posed.mutual:
                answer = mutual.plausible_answer(
                    self.keys.token, digest, standing.n, standing.epoch
                )
        self._turn([record], now_ms)
        sealed = ocra.Sealed(
            hashed, digest, asked.number if asked else 0, standing.n, standing.epoch, place,
            posed.joined(prompt) if any(posed) else "",
        )  # fmt: skip
        expires_ms = 0 if sort == "card" else (standing.epoch + 2) * EPOCH_MS
        return Challenge(ocra.seal(self.keys.token, sealed), kind, prompt, expires_ms, answer)

    def _unreflected(self, d: Device, posed: Posed, n: int) -> int:
        """The first count from n on under which our answer is nobody's response."""
        if posed.question or mutual.own_suite(d.asked) != d.asked:
            return n
        while mutual.reflects(d.asked, self._question(d, n), posed.client):
            n += 1
        return n

    def _own_answer(self, d: Device, question: str, now_ms: int) -> str:
        """RFC 6287 7.2: ours, under the counter expected and the step that now is."""
        suite = mutual.own_suite(d.asked)
        step = max(0, now_ms // 1000 // suite.period + d.drift) if suite.period else 0
        return ocra.response(suite, d.key, question, d.moving, b"", b"", step)

    def _send(
        self, name: str, user: User | None, d: Device | None, place: int, digest: int, now_ms: int
    ) -> Challenge | None:
        """RULES 4: a new code voids the older one; so many in an hour."""
        now_s, plausible = self._second(now_ms), self.plausibly_sent.setdefault(name, [])
        phones = [other.sent_s for other in user.devices] if user and d else [plausible]
        lately = [at for sent in phones for at in sent if now_s < at + HOUR_S]
        if len(lately) >= self.figures.sms_per_hour:
            return None
        if d:
            n = max(d.issued, d.moving)
        else:
            n = self.plausibly_issued.get(name, 0)
            self.plausibly_issued[name] = n + 1
            self._push_sent(plausible, self._second_over(now_ms))
        until_s = now_s + self.figures.sms_ms // 1000
        number = d.number if d else 0
        record = Record(
            Event.CHALLENGE, user.number if user else name, place=place, device=number, moving=n,
            tail=Standing(digest, n, until_s),
            sent_s=self._second_over(now_ms),
        )  # fmt: skip
        self._turn([record], now_ms)
        hashed = ocra.name_hash(self.keys.name, name)
        sealed = ocra.Sealed(hashed, digest, number, n, until_s, place)
        self.sent_code = d.code(n) if d else None
        return Challenge(ocra.seal(self.keys.token, sealed), "sms", "", until_s * 1000)

    @staticmethod
    def _push_sent(sent_s: list[int], now_s: int) -> None:
        sent_s.insert(0, max(1, now_s))
        del sent_s[SENT_MAX:]

    def answers_left(self, d: Device) -> int | None:
        """Of a card: until so many of its cells have been shown that it should be replaced."""
        if d.kind != "card":
            return None
        percent, who = self.figures.card_shown_percent, card.who_of(d.key)
        return max(0, card.lasts(self.keys.question, who, d.once, percent) - d.moving)

    # ---- phones --------------------------------------------------------------------------------

    def push(
        self, name: str, now_ms: int, *, id: str, number: int, platform: str = "trading",
        purpose: str | None = None, device: str | None = None,
    ) -> Push | Challenge | None:  # fmt: skip
        """RULES 4: a push; or the phone's manual challenge, when there were too many."""
        user, at_ms = self._found(name), max(now_ms, self.latest_ms)
        phones = [
            d for d in (user.devices if user else [])
            if d.phone and user and device in (None, d.serial)
            and life.stands(user, d, at_ms) == "active"
        ]  # fmt: skip
        asked = Push(
            id, name, user.number if user else None, phones[0].number if phones else 0,
            PLATFORMS.index(platform), number, at_ms, at_ms + self.figures.push_ms,
        )  # fmt: skip
        if self.pushes.ask(asked):
            return asked
        serial = phones[0].serial if phones else None
        return self.challenge(
            name, now_ms, platform=platform, purpose=purpose, device=serial, phone=True
        )

    def decide_push(
        self, id: str, phone: bytes, decision: str, number: int | None, unlocked: str, now_ms: int
    ) -> str | None:
        """What has become of a push that this phone answered; None: it is not asked."""
        asked = self.pushes.of(id)
        if asked is None:
            return None
        users = [u for u in self.users.values() if u.number == asked.user]
        for d in users[0].devices if users else []:
            if (d.number, d.phone, d.state) == (asked.device, phone, "active"):
                return self.pushes.decide(
                    asked, decision, number, unlocked, max(now_ms, self.latest_ms)
                )
        return None

    def enrol_phone(
        self, name: str, challenge: str, token: str, device: Device, now_ms: int, *,
        platform: str = "trading",
    ) -> Answer | None:  # fmt: skip
        """RULES 6: the token is an attempt; accepted, the ib-key before goes and this one comes.
        None: accepted, and refused all the same, for the phone has another PIN."""
        sealed, aim = ocra.unseal(self.keys.token, challenge), "activate ib-key"
        if sealed is None or sealed.purpose != ocra.purpose_digest(self.keys.token, aim):
            challenge = "-"
        user = self._found(name)
        attempt = Attempt(
            name, token, platform, user.realm if user else "live", challenge=challenge
        )
        came = self._come_due(attempt, now_ms)
        answer, records = self.decide(attempt, now_ms)
        known = [d for u in self.users.values() for d in u.devices if d.phone == device.phone]
        fits = all(d.pin_hash == device.pin_hash for d in known)
        if answer.verdict is Verdict.ACCEPTED and user and fits:
            for old in [d for d in user.devices if d.label == "ib-key"]:
                gone = Record(Event.DEVICE_REMOVE, user.number, device=old.number)
                records += [*([self._tombstone(user, old)] if old.moving else []), gone]
            number = self.devices_used + 1
            records.append(
                Record(
                    Event.DEVICE_ADD, user.number, device=number, tail=device, place=life.ENDS
                )
            )
        self._turn(records, now_ms, came)
        return answer if answer.verdict is not Verdict.ACCEPTED or fits else None

    # ---- the transition: apply -----------------------------------------------------------------

    def apply(self, r: Record, now_ms: int) -> None:
        """Does what one record says; decides nothing and reads no policy but the ring's length."""
        self.latest_ms = max(self.latest_ms, now_ms)
        if r.event in (Event.ATTEMPT, Event.ALSO, Event.RESYNC, Event.ACTIVATE):
            self._apply_attempt(r, now_ms)
            self._apply_activation(r)
        elif r.event is Event.USER_ADD:
            assert isinstance(r.user, int)
            name = str(r.tail)
            self.users[name] = User(r.user, name, ACCOUNTS[r.place & 3], REALMS[r.place >> 2])
            self.numbers_used = max(self.numbers_used, r.user)
        elif r.event is Event.CHALLENGE:
            self._apply_challenge(r)
        elif r.event is Event.ANSWER:
            self._apply_answer(r, now_ms)
        elif r.event is Event.QUESTION:
            self._apply_question(r)
        elif r.event is Event.POLICY:
            assert isinstance(r.tail, Figures)
            self._apply_policy(r.tail)
        elif r.event in (Event.IMPORT, Event.EXPORT, Event.RESTORE):
            pass    # who did it
        elif r.event is Event.TOMBSTONE:
            assert isinstance(r.tail, Device)
            self.tombstones.append(r.tail)
        else:
            self._apply_act(r, self._user(r.user))

    def _apply_attempt(self, r: Record, now_ms: int) -> None:
        user = None if isinstance(r.user, str) else self._user(r.user)
        if r.event is not Event.ALSO and r.verdict != Verdict.BAD_CHARACTER:
            self._apply_streak(r, user.streak if user else self._decoy(str(r.user)), now_ms)
        self._charge_source(r, now_ms)
        for d in user.devices if user else []:
            named = d.number == r.device
            if r.effects & Effect.ADVANCE and named:
                d.moving, d.drift = r.moving, r.drift
                d.standing.pop(r.place & 3, None)
                d.answers = 0
                if d.kind == "card":    # the other platform asks for the same pair
                    d.standing.clear()
                if r.event is Event.RESYNC and r.verdict == Verdict.ACCEPTED:
                    d.resync = False
            if r.effects & Effect.FORGIVE and named:
                d.failures = 0
            tried = named or (r.device == 0 and d.state == "active")
            if r.effects & Effect.CHARGE and tried:
                d.failures = min(d.failures + 1, 255)
            if r.effects & Effect.SUSPEND and named:
                d.state, d.capped = "suspended", True

    def _charge_source(self, r: Record, now_ms: int) -> None:
        """A failure, and an attempt from where its user may not come from."""
        failed = r.verdict in (Verdict.REJECTED, Verdict.LOCKED) or r.reason == Reason.ADDRESS
        if failed and r.tail is not None:
            minutes = self.sources.setdefault(source_of(str(r.tail)), [])
            minutes.append(max([now_ms // 60_000, *minutes]))
    def _apply_activation(self, r: Record) -> None:
        if r.event is Event.ACTIVATE and r.verdict == Verdict.ACCEPTED:
            user = self._user(r.user)
            for d in user.devices:
                if d.number == r.device and d.state == "shipped":
                    life.become_active(user, d)

    def _apply_challenge(self, r: Record) -> None:
        for d in self._user(r.user).devices if r.device else []:
            if d.number == r.device:
                assert isinstance(r.tail, Standing)
                d.issued = max(d.issued, r.tail.n + 1)
                if r.tail.epoch > d.asked_epoch:
                    d.answers = 0
                d.asked_epoch = max(d.asked_epoch, r.tail.epoch)
                d.answers += r.answered and d.standing.get(r.place) != r.tail
                if d.label == "sms":
                    d.standing.clear()
                    d.moving = max(d.moving, r.tail.n)
                    self._push_sent(d.sent_s, r.sent_s)
                d.standing[r.place] = r.tail

    def _apply_question(self, r: Record) -> None:
        for d in secrets.questions(self._user(r.user)) if r.device else []:
            d.standing.clear()
            if d.number == r.device:
                d.issued, d.standing[0] = max(d.issued, r.moving + 1), Standing(0, r.moving, 0)

    def _apply_streak(self, r: Record, streak: Streak, now_ms: int) -> None:
        if r.effects & Effect.CLEAR:
            self._empty(streak)
        if r.effects & Effect.PUSH:
            self._push(streak, now_ms)
        if r.effects & Effect.WAIT:
            streak.last_ms = max(now_ms, streak.last_ms)
            streak.count = min(streak.count + 1, STREAK_COUNT_MAX)
        if r.effects & Effect.LOCK:
            streak.lock_until_ms = now_ms + r.lock_ms

    def _apply_act(self, r: Record, user: User) -> None:
        held = [*user.devices, *user.known]
        device = next((d for d in held if d.number == r.device), None)
        if r.event is Event.USER_SET:
            user.account, user.realm = ACCOUNTS[r.place & 3], REALMS[r.place >> 2]
        elif r.event is Event.USER_REMOVE:
            del self.users[user.name]
        elif r.event is Event.DEVICE_ADD:
            assert isinstance(r.tail, Device)
            (user.known if r.tail.kind in secrets.KNOWN else user.devices).append(
                replace(
                    r.tail, number=r.device, moving=r.moving, standing={}, sent_s=[],
                    issued=r.moving if r.tail.label == "sms" else 0, answers=0, asked_epoch=0,
                    shared=False,
                )
            )
            self.devices_used = max(self.devices_used, r.device)
            if r.place == life.ENDS:
                life.become_active(user, user.devices[-1])
        elif r.event is Event.DUE:
            life.come_due(user, r.moving)
        elif r.event is Event.DATES and device is not None:
            assert isinstance(r.tail, life.Dates)
            device.dates = r.tail
        elif r.event is Event.DEVICE_SET and device is not None:
            life.become(device, DEVICE_STATES[r.place & 7])
            if r.place & life.ENDS:
                life.become_active(user, device)
        elif r.event is Event.FLOOR and device is not None:
            floors.apply(device, r, DEVICE_STATES[r.place])
        elif r.event is Event.DEVICE_REMOVE and device is not None:
            (user.known if device in user.known else user.devices).remove(device)
        elif r.event is Event.PIN and device is not None:
            algorithm = device.asked.pin if device.kind == "ocra" else ""
            if algorithm:
                device.pin_hash = hashlib.new(algorithm, str(r.tail).encode()).digest()
            else:
                device.pin = str(r.tail)
        elif r.event is Event.ADDRESSES:
            assert isinstance(r.tail, tuple)
            user.addresses = r.tail
        elif r.event is Event.IDENTITY:
            assert isinstance(r.tail, tuple)
            user.identity = r.tail
        elif r.event is Event.OPT:
            user.opted_out = bool(r.place)
        elif r.event is Event.SHARE and device is not None:
            device.shared |= r.verdict == Verdict.ACCEPTED and not device.lent
        elif r.event is Event.WITHDRAWAL and r.verdict == Verdict.ACCEPTED:
            day = max([r.device, *user.withdrawn])      # no clock that went back makes room
            user.withdrawn[day] = user.withdrawn.get(day, 0) + r.moving
        elif r.event is Event.UNLOCK:
            self._empty(user.streak)
            user.wrong_answers = 0
            for d in user.devices:
                if d.capped:
                    life.become_active(user, d)

    def _apply_policy(self, figures: Figures) -> None:
        """Streaks keep as many times as the policy may ask for; what was not kept was long ago."""
        self.figures, pushes = figures, self.pushes
        pushes.open_ms, pushes.per_window = figures.push_ms, figures.push_per_window
        pushes.window_ms = figures.push_window_ms
        for streak in [*(user.streak for user in self.users.values()), *self.decoys.values()]:
            del streak.gaps_ms[self._gaps_kept() :]
            missing = min(streak.count - 1, self._gaps_kept()) - len(streak.gaps_ms)
            streak.gaps_ms += [U32_MAX] * missing

    def _gaps_kept(self) -> int:
        return 11 if self.figures.lockout_failures <= 12 else 99

    @staticmethod
    def _empty(streak: Streak) -> None:
        streak.count, streak.lock_until_ms, streak.gaps_ms = 0, 0, []

    def _push(self, streak: Streak, now_ms: int) -> None:
        at = max(now_ms, streak.last_ms)
        streak.gaps_ms.insert(0, min(at - streak.last_ms, U32_MAX))
        del streak.gaps_ms[self._gaps_kept() :]
        streak.last_ms, streak.count = at, min(streak.count + 1, STREAK_COUNT_MAX)

    def _user(self, number: int | str) -> User:
        return next(user for user in self.users.values() if user.number == number)

    def _decoy(self, name: str) -> Streak:
        return self.decoys.setdefault(name, Streak())

    # ---- turns: decide, apply, and the journal ---------------------------------------------------

    def attempt(self, attempt: Attempt, now_ms: int) -> Answer:
        """One attempt, decided and applied; what the phone decided is claimed by it."""
        return self.attempt_then(attempt, now_ms, lambda _: [])

    def attempt_then(
        self, attempt: Attempt, now_ms: int, follows: Callable[[Answer], list[Record]]
    ) -> Answer:
        """And in its turn what follows from its acceptance."""
        came = self._come_due(attempt, now_ms)
        claim = self._claim(attempt, now_ms)
        answer, records = self.decide(attempt, now_ms)
        if answer.verdict is Verdict.ACCEPTED:
            records += follows(answer)
        self._turn(records, now_ms, came)
        looked_at = records and answer.reason is not Reason.ADDRESS
        if claim and claim.push and claim.stands in DECIDED and looked_at:
            claim.push.is_claimed = True
        return answer

    def _come_due(self, a: Attempt, now_ms: int) -> list[Record]:
        """What has come due of a user is recorded by whoever is first to see it. A clock in doubt
        moves nothing."""
        user = self._found(a.name)
        came = self._due(user, now_ms) if user and not a.shed else []
        for record in came:
            self.apply(record, now_ms)
        return came

    def _due(self, user: User, now_ms: int) -> list[Record]:
        at_ms = max(now_ms, self.latest_ms)
        return [Record(Event.DUE, user.number, moving=at_ms)] if life.is_due(user, at_ms) else []

    def _turn(
        self, records: Iterable[Record], now_ms: int, came: Sequence[Record] = ()
    ) -> None:
        """came: records that go before, and were applied."""
        written = list(records)
        for record in written:
            self.apply(record, now_ms)
        if came or written:
            self.journal.append((now_ms, [*came, *written]))

    def set_policy(self, figures: Figures, now_ms: int) -> None:
        """Another policy, from the next turn on."""
        if figures != self.figures:
            self._turn([Record(Event.POLICY, 0, tail=figures)], now_ms)

    def add_user(self, name: str, now_ms: int, *, state: str = "open", realm: str = "live") -> None:
        self._turn([self.newcomer(name, state, realm)], now_ms)

    def newcomer(self, name: str, state: str, realm: str) -> Record:
        place = ACCOUNTS.index(state) | REALMS.index(realm) << 2
        return Record(Event.USER_ADD, self.numbers_used + 1, place=place, tail=name)

    def set_user(self, name: str, now_ms: int, *, state: str, realm: str) -> None:
        place = ACCOUNTS.index(state) | REALMS.index(realm) << 2
        self._turn([Record(Event.USER_SET, self.users[name].number, place=place)], now_ms)

    def remove_user(self, name: str, now_ms: int) -> None:
        user = self.users[name]
        stones = [
            record for d in user.devices for record in self.ends_sharing(d) + self.buried(user, d)
        ]
        self._turn([*stones, Record(Event.USER_REMOVE, user.number)], now_ms)

    def unlock(self, name: str, now_ms: int, *, by: str) -> None:
        user = self.users[name]
        record = Record(Event.UNLOCK, user.number, tail=by, place=life.ENDS)
        self._turn([*self._due(user, now_ms), record], now_ms)

    def raise_floors(self, by: str, now_ms: int) -> None:
        """A restore: whatever another life of the store may have accepted is used up."""
        self._turn([Record(Event.RESTORE, 0, tail=by)], now_ms)
        told = [Record(Event.FLOOR, user.number, **floors.floor(d, now_ms, DEVICE_STATES))
                for user in sorted(self.users.values(), key=lambda user: user.number)
                for d in [*user.devices, *secrets.questions(user)]]  # fmt: skip
        self._turn(told, now_ms)

    def bars(self, name: str, device: Device) -> bool:
        """Whether a key is not enrolled: nobody knows how far its counter has come, or this user
        shares a device of it."""
        alike, stones = self._alike(name, device), [id(stone) for stone in self.tombstones]
        return any(d.resync or (id(d) not in stones and self.sharers(d)) for d in alike)

    def floor(self, name: str, device: Device) -> int:
        """What was used up of a key, on devices that are gone and on others of this user."""
        return max([0, *(device.used_until(floor) for floor in self._alike(name, device))])

    def _alike(self, name: str, device: Device) -> list[Device]:
        known = [*self.tombstones, *(self.users[name].devices if name in self.users else [])]
        return [d for d in known if (d.kind, d.key) == (device.kind, device.key)]

    def add_device(self, name: str, device: Device, now_ms: int) -> None:
        due = self._due(self.users[name], now_ms)
        self._turn([*due, self.enrolment(name, device, now_ms)], now_ms)

    def enrolment(self, name: str, device: Device, now_ms: int) -> Record:
        """Enrols; a key seen before does not become fresh by being enrolled again (RULES 4)."""
        once = device.once or self.figures.card_cells_once
        device = replace(device, once=device.kind == "card" and once)
        moving = max(device.moving, self.floor(name, device))
        number = self.devices_used + 1
        full_until_ms = now_ms + self.figures.passcode_ms
        if device.label == "temporary-passcode":
            until_ms = full_until_ms + self.figures.passcode_card_ms
            device = replace(device, full_until_ms=full_until_ms, until_ms=until_ms)
        ends = life.ENDS if device.state == "active" else 0
        return Record(
            Event.DEVICE_ADD, self.users[name].number, device=number, moving=moving,
            drift=device.drift, tail=device, place=ends,
        )  # fmt: skip

    def set_device(self, name: str, serial: str, state: str, now_ms: int) -> None:
        user, due = self.users[name], self._due(self.users[name], now_ms)
        device = self._device(user, serial)
        act = self._state_of(user, device, state, now_ms)
        self._turn([*due, act, *self._gone_for_all(device, state, now_ms)], now_ms)

    def _gone_for_all(self, d: Device, state: str, now_ms: int) -> list[Record]:
        """A shared device is one thing: lost by one user, or returned, it is so for all."""
        records = []
        for user, other in self.sharers(d) if state in ("lost", "returned") else []:
            if state in life.NEXT[life.stands(user, other, max(now_ms, self.latest_ms))]:
                records += [*self._due(user, now_ms), self._state_of(user, other, state, now_ms)]
        return records

    def _state_of(self, user: User, d: Device, state: str, now_ms: int) -> Record:
        again = life.stands(user, d, max(now_ms, self.latest_ms)) != "active"
        ends = life.ENDS if state == "active" and again else 0
        place = DEVICE_STATES.index(state) | ends
        return Record(Event.DEVICE_SET, user.number, place=place, device=d.number)

    def may_become(self, name: str, serial: str, state: str, now_ms: int) -> bool:
        """RULES 6: whether client services may make this of a device."""
        user = self.users[name]
        was = life.stands(user, self._device(user, serial), max(now_ms, self.latest_ms))
        return state == was or state in life.NEXT[was]

    def remove_device(self, name: str, serial: str, now_ms: int) -> None:
        user = self.users[name]
        device = self._device(user, serial)
        gone = Record(Event.DEVICE_REMOVE, user.number, device=device.number)
        stones = self.ends_sharing(device) + self.buried(user, device)
        self._turn([*self._due(user, now_ms), *stones, gone], now_ms)

    # ---- devices that come and go ----------------------------------------------------------------

    def ship(
        self, name: str, device: Device, now_ms: int, *, delivery_day: int = 0,
        activates_ms: int | None = None, expires_ms: int = 0, replaces: int = 0,
    ) -> Record:  # fmt: skip
        """The enrolment of a device that is on its way."""
        after_ms = self.figures.auto_activate_ms
        if activates_ms is None:
            activates_ms = 0 if after_ms is None else now_ms + after_ms
        dates = life.Dates(delivery_day, replaces, activates_ms, expires_ms)
        return self.enrolment(name, replace(device, state="shipped", dates=dates), now_ms)

    def ship_device(self, name: str, device: Device, now_ms: int, **dates: int) -> None:
        due = self._due(self.users[name], now_ms)
        self._turn([*due, self.ship(name, device, now_ms, **dates)], now_ms)

    def replace_device(
        self, name: str, old: str, device: Device, now_ms: int, *, state: str = "lost",
        until_ms: int = 0, delivery_day: int = 0,
    ) -> None:  # fmt: skip
        user = self.users[name]
        replaced, records = self._device(user, old), self._due(user, now_ms)
        if life.stands(user, replaced, max(now_ms, self.latest_ms)) != state:
            records.append(self._state_of(user, replaced, state, now_ms))
        records += self._gone_for_all(replaced, state, now_ms)
        if until_ms:
            records.append(self._dated(user, replaced, expires_ms=until_ms))
        number = replaced.number
        new = self.ship(name, device, now_ms, delivery_day=delivery_day, replaces=number)
        self._turn([*records, new], now_ms)

    def online_card(self, name: str, device: Device, now_ms: int) -> None:
        user, at_ms = self.users[name], max(now_ms, self.latest_ms)
        records = self._due(user, now_ms)
        for d in user.devices:
            if d.label == "online-code-card" and life.stands(user, d, at_ms) in (
                "shipped", "active", "suspended",
            ):  # fmt: skip
                records.append(self._state_of(user, d, "ended", now_ms))
        expires_ms = now_ms + self.figures.online_card_ms
        card_ = self.ship(name, device, now_ms, activates_ms=0, expires_ms=expires_ms)
        self._turn([*records, card_], now_ms)

    def set_dates(self, name: str, serial: str, now_ms: int, **dates: int) -> None:
        user = self.users[name]
        record = self._dated(user, self._device(user, serial), **dates)
        self._turn([*self._due(user, now_ms), record], now_ms)

    @staticmethod
    def _dated(user: User, d: Device, **dates: int) -> Record:
        return Record(
            Event.DATES, user.number, device=d.number, tail=d.dates._replace(**dates)
        )

    @staticmethod
    def _device(user: User, serial: str) -> Device:
        return next(device for device in user.devices if device.serial == serial)

    @staticmethod
    def _tombstone(user: User, d: Device) -> Record:
        return Record(
            Event.TOMBSTONE, user.number, device=d.number, moving=d.moving, tail=replace(d)
        )
