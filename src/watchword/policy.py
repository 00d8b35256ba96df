"""Every figure of RULES.md that this release decides by, in one place, read from TOML.

Rule: a figure has a name, a unit in its name, a legal range here, and no second home. `Policy()` is
the rules as written; `Policy.profile("strict")` follows NIST SP 800-63B to the letter.
"""

import os
import tomllib
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from watchword._engine import SENT_MAX
from watchword.errors import InvalidArgument

__all__ = ["QUESTIONS", "Policy"]

USD_MAX = 10**12

# field: lowest, highest, may be None (off)
RANGES: dict[str, tuple[int, int, bool]] = {
    "lockout_failures": (1, 100, False),
    "lockout_window_ms": (1, 2**32 - 1, False),
    "failures_cap": (1, 255, True),
    "source_failures": (1, 1_000_000, True),
    "window_max": (0, 10, False),
    "period_max_s": (1, 3_600, False),
    "key_bytes_min": (10, 128, False),
    "rank_totp": (0, 9, False),
    "rank_hotp": (0, 9, False),
    "rank_ocra": (0, 9, False),
    "passcode_ms": (1, 366 * 86_400_000, False),
    "passcode_card_ms": (0, 366 * 86_400_000, False),
    "auto_activate_ms": (1, 366 * 86_400_000, True),
    "online_card_ms": (1, 366 * 86_400_000, False),
    "sms_ms": (1_000, 600_000, False),
    "sms_per_hour": (1, SENT_MAX, False),
    "pin_chars_min": (4, 16, False),
    "password_bytes_min": (1, 128, False),
    "password_memory_kib": (32, 2**20, False),
    "password_passes": (1, 100, False),
    "password_lanes": (1, 4, False),
    "card_shown_percent": (1, 100, False),
    "push_ms": (1_000, 600_000, False),
    "push_per_window": (1, 100, False),
    "push_window_ms": (1_000, 86_400_000, False),
    "session_pin_ms": (0, 366 * 86_400_000, False),
    "session_biometric_ms": (0, 366 * 86_400_000, False),
    "session_ms": (0, 366 * 86_400_000, False),
    "withdrawal_day_usd_rank0": (1, USD_MAX, True),
    "withdrawal_five_days_usd_rank0": (1, USD_MAX, True),
    "withdrawal_day_usd_rank1": (1, USD_MAX, True),
    "withdrawal_five_days_usd_rank1": (1, USD_MAX, True),
    "withdrawal_day_usd_rank2": (1, USD_MAX, True),
    "withdrawal_five_days_usd_rank2": (1, USD_MAX, True),
    "withdrawal_day_usd_rank3": (1, USD_MAX, True),
    "withdrawal_five_days_usd_rank3": (1, USD_MAX, True),
    "business_day_offset_minutes": (-720, 840, False),
}

# Those with six digits to answer, and cards.
CHALLENGE_KINDS = (
    "dsc-plus", "gold", "platinum", "ib-key", "code-card", "online-code-card", "sms",
)  # fmt: skip
CHALLENGE_KINDS_MAX = 16
QUESTIONS = 3                       # of one user, each from another pool
QUESTION_TEXTS = (
    "What was the name of your first pet?",
    "In which city were you born?",
    "What was the name of your first school?",
    "What was your childhood nickname?",
    "In which city did your parents meet?",
    "What was the make of your first car?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules' figures. Errors: InvalidArgument names the figure and its legal range."""

    lockout_failures: int = 10
    """Consecutive failures that lock a user (RULES section 5)."""
    lockout_window_ms: int = 86_400_000
    """Failures count together within this time; a lock lasts this long (RULES section 5)."""
    lockout_extend: bool = True
    """Whether an attempt refused by the lock starts the wait again (RULES section 5)."""
    failures_cap: int | None = 100
    """Failures in a row, over whatever time, that suspend a device; None: off (RULES section 5)."""
    source_failures: int | None = 1_000
    """Failures an hour from one address, beyond which it gets BUSY; None: off (RULES section 5)."""
    names: str = "sls"
    """"sls": 1 to 64 lower-case letters and digits; "any": UTF-8 of 1 to 128 bytes (RULES section
    2)."""
    window_max: int = 10
    """The widest TOTP window a device may be enrolled with, steps either side (RULES section 3)."""
    period_max_s: int = 3_600
    """The longest TOTP step a device may be enrolled with (RULES section 3)."""
    key_bytes_min: int = 10
    """The shortest device key that may be enrolled, bytes (RULES section 3)."""
    rank_totp: int = 0
    """The rank of a device of kind totp; presets have theirs from RULES section 3."""
    rank_hotp: int = 0
    """The rank of a device of kind hotp (RULES section 3)."""
    rank_ocra: int = 0
    """The rank of a device of kind ocra (RULES section 3)."""
    challenge_kinds: tuple[str, ...] = ("dsc-plus",)
    """Kinds that a challenge for a name without a challenge device seems to be of, the more often
    the likelier (RULES section 4)."""
    card_shown_percent: int = 50
    """The share of a card's cells that may have been shown before it is to be replaced: how many
    answers remain until then is its strength (RULES section 4)."""
    card_cells_once: bool = False
    """Whether a card enrolled from now on never shows a cell twice: 112 answers a card (RULES
    section 4)."""

    passcode_ms: int = 172_800_000
    """How long a temporary passcode opens both platforms (RULES section 6)."""
    passcode_card_ms: int = 864_000_000
    """How long after that it opens the portal, for an online card alone (RULES section 6)."""
    auto_activate_ms: int | None = 1_814_400_000
    """How long after shipping a device activates itself; None: never (RULES section 6)."""
    online_card_ms: int = 1_814_400_000
    """How long after its issue an online card is good (RULES section 6)."""
    sms_ms: int = 600_000
    """How long a code that was sent is good, in whole seconds (RULES section 3)."""
    sms_per_hour: int = 3
    """Codes sent to one user within an hour; beyond it asking for one is busy (RULES section 4)."""
    pin_chars_min: int = 4
    """The shortest PIN that is typed before a code and checked here, characters (RULES section
    6)."""
    password_bytes_min: int = 8
    """The shortest password that may be set, bytes of UTF-8 (RULES section 8)."""
    password_memory_kib: int = 19_456
    """Argon2id's memory for a password set from now on; older ones keep their figures (RULES
    section 8)."""
    password_passes: int = 2
    """Argon2id's passes over a password's memory (RULES section 8)."""
    password_lanes: int = 1
    """Argon2id's lanes, for a password set from now on (RULES section 8)."""
    security_questions: bool = False
    """Whether users may have security questions (RULES section 6)."""
    question_texts: tuple[str, ...] = QUESTION_TEXTS
    """What names without security questions seem to be asked (RULES section 6)."""

    push_ms: int = 60_000
    """How long a push is open (RULES section 4)."""
    push_per_window: int = 5
    """Pushes of one user within push_window_ms without an approval; then the manual challenge
    (RULES section 4)."""
    push_window_ms: int = 600_000
    """The time within which pushes without an approval count (RULES section 4)."""
    session_pin_ms: int = 43_200_000
    """How long a session may last after an ib-key's PIN (RULES section 6)."""
    session_biometric_ms: int = 108_000_000
    """How long it may last after a fingerprint or a face (RULES section 6)."""
    session_ms: int = 43_200_000
    """How long it may last after any other device, and after none: NIST SP 800-63B 4.2.3 asks for
    another authentication every 12 hours (RULES section 7)."""
    allow_no_device: bool = False
    """Whether users who have no device enter with the first factor alone (RULES section 6)."""

    withdrawal_day_usd_rank0: int | None = 50_000
    """US dollars a day where the highest rank of an active device is 0, or there is none; None: off
    (RULES section 3)."""
    withdrawal_five_days_usd_rank0: int | None = 100_000
    """The same over five business days; None: off (RULES section 3)."""
    withdrawal_day_usd_rank1: int | None = 200_000
    """US dollars a day at rank 1; None: off (RULES section 3)."""
    withdrawal_five_days_usd_rank1: int | None = 600_000
    """The same over five business days; None: off (RULES section 3)."""
    withdrawal_day_usd_rank2: int | None = 1_000_000
    """US dollars a day at rank 2; None: off (RULES section 3)."""
    withdrawal_five_days_usd_rank2: int | None = 1_500_000
    """The same over five business days; None: off (RULES section 3)."""
    withdrawal_day_usd_rank3: int | None = None
    """US dollars a day at rank 3 and above; None: off (RULES section 3)."""
    withdrawal_five_days_usd_rank3: int | None = None
    """The same over five business days; None: off (RULES section 3)."""
    business_day_offset_minutes: int = 0
    """Minutes ahead of UTC at which a business day begins, Monday to Friday (RULES section 3)."""

    def __post_init__(self) -> None:
        for name, (low, high, optional) in RANGES.items():
            figure = getattr(self, name)
            if figure is None and optional:
                continue
            if isinstance(figure, bool) or not isinstance(figure, int) or not low <= figure <= high:
                off = " or None" if optional else ""
                raise InvalidArgument(f"policy {name} is a whole number from {low} to {high}{off}")
        for name in ("lockout_extend", "security_questions", "card_cells_once", "allow_no_device"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidArgument(f"policy {name} is true or false")
        texts = self.question_texts
        if isinstance(texts, list):
            object.__setattr__(self, "question_texts", texts := tuple(texts))
        if not isinstance(texts, tuple) or len(texts) < QUESTIONS or not all(
            isinstance(text, str) and text for text in texts
        ):
            raise InvalidArgument(f"policy question_texts is {QUESTIONS} texts or more")
        if self.names not in ("sls", "any"):
            raise InvalidArgument('policy names is "sls" or "any"')
        kinds = self.challenge_kinds
        if isinstance(kinds, list):
            object.__setattr__(self, "challenge_kinds", kinds := tuple(kinds))
        if (
            not isinstance(kinds, tuple)
            or not 1 <= len(kinds) <= CHALLENGE_KINDS_MAX
            or not all(kind in CHALLENGE_KINDS for kind in kinds)
        ):
            raise InvalidArgument(
                f"policy challenge_kinds is 1 to {CHALLENGE_KINDS_MAX} of "
                f"{', '.join(CHALLENGE_KINDS)}"
            )

    def too_long(self, window: tuple[int, int], period_s: int) -> tuple[str, str] | None:
        """Which figure of a device has its codes live longer than this policy lets them, and how
        far it may go."""
        if max(window) > self.window_max:
            return "window", f"is at most {self.window_max} steps under this policy"
        if period_s > self.period_max_s:
            return "period", f"is at most {self.period_max_s} seconds under this policy"
        return None

    @classmethod
    def profile(cls, name: str) -> Self:
        """A named set of figures: "default" or "strict" (RULES section 8)."""
        if name == "default":
            return cls()
        if name == "strict":
            return cls(
                window_max=0, period_max_s=30, key_bytes_min=14, card_cells_once=True,
                pin_chars_min=8, password_bytes_min=15,
            )  # fmt: skip
        raise InvalidArgument('a policy profile is "default" or "strict"')

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """A policy from TOML's keys: figures by name over `profile`. 0 switches a cap off."""
        figures = dict(table)
        profile = figures.pop("profile", "default")
        base = cls.profile(profile)
        if profile == "strict" and figures.get("security_questions"):
            raise InvalidArgument("policy security_questions is false in the strict profile")
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(figures) - known)
        if unknown:
            raise InvalidArgument(
                f"policy has no figure named {', '.join(map(repr, unknown))}",
                hint=f"the figures are {', '.join(sorted(known))}",
            )
        for name, (_, _, optional) in RANGES.items():
            if optional and figures.get(name) == 0:
                figures[name] = None
        return replace(base, **figures)

    @classmethod
    def from_text(cls, text: str, *, name: str = "policy") -> Self:
        """A policy from TOML's text. name: of what it is, for errors. Errors: InvalidArgument."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidArgument(f"{name} is not TOML: {error}") from None
        return cls.from_table(table)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """A policy from a TOML file. Errors: InvalidArgument, OSError."""
        with open(path, "rb") as file:
            raw = file.read()
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"{os.fspath(path)} is not TOML: {error}") from None
        return cls.from_text(text, name=os.fspath(path))
