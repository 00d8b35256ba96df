"""What a device is when it is enrolled: kind, key and figures, held against their limits here.

Rule: nothing past this file sees an illegal device, and neither the key nor a PIN's digest is ever
shown. A preset is a kind of RULES section 3 with its figures filled in; its name is the label.
"""

import secrets
from dataclasses import dataclass, field, fields, replace
from typing import Any

from watchword.devices import passcode as passcodes
from watchword.devices.arguments import one_of, whole
from watchword.devices.card import ANSWERS_MAX
from watchword.devices.ocra import Suite
from watchword.devices.phone import public_key
from watchword.devices.pins import DIGEST_BYTES, phone_pin, pin_digest, prefix_pin
from watchword.errors import InvalidArgument

__all__ = [
    "GIVEN", "KEY_BYTES_MAX", "KEY_BYTES_MIN", "LABELS", "LOOK_AHEAD_MAX", "MECHANISMS", "PRESETS",
    "Device",
]  # fmt: skip

KEY_BYTES_MIN, KEY_BYTES_MAX = 10, 128
MECHANISMS = ("totp", "hotp", "ocra")
GIVEN = ("temporary-passcode", "sms")          # codes that we make: their mechanism is "passcode"
ALGORITHMS = ("sha1", "sha256", "sha512")
DIGITS_MIN, DIGITS_MAX = 6, 8
PERIOD_S_MAX = 3_600
WINDOW_STEPS_MAX = 10
DRIFT_STEPS_MAX = 10
LOOK_AHEAD_MAX = 100
POSITIONS_MAX = 128                         # of one window: counters times steps
T0_S_MAX = 2**40
COUNTER_MAX = 2**64 - 2                     # of hotp: what it uses up is one more

# A preset: its mechanism and figures. The order is that of labels in a store: frozen.
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "dsc-plus": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-8:QN06"}),
    "gold": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-6:QN06"}),
    "platinum": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-6:QN06"}),
    "ib-key": ("ocra", {"suite": "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"}),
    "alpine": ("totp", {"drift_max": 10}),
    "dsc": ("hotp", {"look_ahead": 10}),
    "code-card": ("card", {}),
    "online-code-card": ("card", {}),
}
LABELS = ("", *PRESETS, *GIVEN)


def _key(key: object) -> bytes:
    if not isinstance(key, (bytes, bytearray, memoryview)):
        raise InvalidArgument(f"key is bytes, not {type(key).__name__}")
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise InvalidArgument(f"key is {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes")
    return bytes(key)


def _window(window: object) -> tuple[int, int]:
    if isinstance(window, (tuple, list)):
        if len(window) != 2:
            raise InvalidArgument("window is a number of steps or a pair (back, forward)")
        back, forward = window
    else:
        back = forward = window
    return (
        whole("window", back, 0, WINDOW_STEPS_MAX),
        whole("window", forward, 0, WINDOW_STEPS_MAX),
    )


def _pin(pin: object) -> str:
    """Of a plain kind; a preset's is held against its own rule when it is that kind."""
    return prefix_pin("", pin) if pin != "" else ""


def figures_of_given(kind: str) -> tuple[str, int]:
    """Algorithm and digits of a kind whose codes we make."""
    return ("sha256", passcodes.CHARS) if kind == "temporary-passcode" else ("sha1", 6)


@dataclass(frozen=True, slots=True)
class Device:
    """A device to be enrolled (RULES section 3). Made by Device.totp, Device.hotp, Device.ocra, or
    by a preset: Device.dsc_plus, gold, platinum, ib_key, alpine, dsc, code_card, online_code_card,
    temporary_passcode, sms.

    Errors: InvalidArgument names the argument and its legal range.
    """

    kind: str                                   # totp, hotp, ocra, or a preset's name
    key: bytes = field(repr=False)
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 0
    t0: int = 0
    window: tuple[int, int] = (0, 0)
    drift_max: int = 0
    counter: int = 0
    look_ahead: int = 0
    suite: str = ""                             # of ocra: exactly as it is signed
    pin_hash: bytes = field(default=b"", repr=False)
    pin: str = field(default="", repr=False)    # typed before the code
    once: bool = False                          # of a card: no cell is shown twice
    phone: bytes = b""                          # of an ib-key that approves pushes: its public key

    def __post_init__(self) -> None:
        one_of("kind", self.kind, (*MECHANISMS, *PRESETS, *GIVEN))
        _key(self.key)
        one_of("algorithm", self.algorithm, ALGORITHMS)
        _window(self.window)
        whole("t0", self.t0, 0, T0_S_MAX)
        whole("drift_max", self.drift_max, 0, DRIFT_STEPS_MAX)
        if self.phone:
            self._has_phone()
        is_card = self.mechanism == "card"
        last = {"card": ANSWERS_MAX, "ocra": COUNTER_MAX + 1}.get(self.mechanism, COUNTER_MAX)
        whole("counter", self.counter, 0, last)
        whole("look_ahead", self.look_ahead, 0, LOOK_AHEAD_MAX)
        if self.pin:
            prefix_pin(self.kind, self.pin)
        if self.mechanism == "ocra":
            self._fits_suite(Suite.parse(self.suite))
            return
        if self.once and not is_card:
            raise InvalidArgument("once must be left out: the device is no card")
        if self.mechanism == "card":
            self._is_plain_card()
            return
        if self.mechanism == "passcode":
            self._fits_given()
            return
        whole("digits", self.digits, DIGITS_MIN, DIGITS_MAX)
        whole("period", self.period, 1 if self.mechanism == "totp" else 0, PERIOD_S_MAX)
        for name in ("suite", "pin_hash"):
            if getattr(self, name):
                raise InvalidArgument(f"{name} must be left out: the device is no ocra")
        if self.once:
            raise InvalidArgument("once must be left out: the device is no card")

    @property
    def mechanism(self) -> str:
        """What its codes are: totp, hotp, ocra, card, or passcode for those that we make."""
        if self.kind in GIVEN:
            return "passcode"
        return PRESETS[self.kind][0] if self.kind in PRESETS else self.kind

    @property
    def label(self) -> int:
        """The kind as a store numbers it: an index into LABELS, 0 for the mechanism itself."""
        return LABELS.index(self.kind) if self.kind in LABELS else 0

    def under(self, key: bytes) -> "Device":
        """The same figures, which were held against their limits, under another key."""
        if self.kind == "temporary-passcode":
            return replace(self, key=passcodes.expect(key))
        same = object.__new__(Device)
        for name in FIELDS:
            object.__setattr__(same, name, getattr(self, name))
        object.__setattr__(same, "key", _key(key))
        return same

    @property
    def passcode(self) -> str:
        """The text of a temporary passcode, to be told to the user once."""
        if self.kind != "temporary-passcode":
            raise InvalidArgument("device is no temporary-passcode: it has no passcode")
        return self.key.decode("ascii")

    def _has_phone(self) -> None:
        if self.kind != "ib-key" or not self.pin_hash:
            raise InvalidArgument("phone must be left out: the device is no ib-key with a PIN")
        if self.phone != public_key(self.phone):
            raise InvalidArgument("phone is what watchword.devices.phone.public_key makes of a key")

    def _fits_given(self) -> None:
        """A passcode has its text and nothing else; what is sent has a key, and six digits."""
        if self.kind == "temporary-passcode":
            passcodes.expect(self.key)
        rest = (self.period, self.t0, *self.window, self.drift_max, self.counter, self.look_ahead)
        if (self.algorithm, self.digits) != figures_of_given(self.kind) or any(rest):
            raise InvalidArgument(f"kind {self.kind} has no figures of its own")
        if self.suite or self.pin_hash or self.pin:
            raise InvalidArgument("suite, pin and pin_hash must be left out: the code is ours")

    def _is_plain_card(self) -> None:
        """A card is its key, and how many answers it gave."""
        figures = (self.algorithm, self.digits, self.period, self.t0, self.drift_max)
        if figures != ("sha1", 6, 0, 0, 0) or self.window != (0, 0) or self.look_ahead:
            raise InvalidArgument("figures must be left out: a card has its key alone")
        if self.suite or self.pin_hash or self.pin:
            raise InvalidArgument("suite, pin, pin_hash must be left out: a card has its key alone")
        if not isinstance(self.once, bool):
            raise InvalidArgument("once is true or false")

    def _fits_suite(self, suite: Suite) -> None:
        """What an ocra device has must be what its suite asks for."""
        if (self.algorithm, self.digits) != (suite.algorithm, suite.digits):
            raise InvalidArgument("algorithm and digits must be the suite's: Device.ocra")
        wanted = DIGEST_BYTES[suite.pin_algorithm] if suite.pin_algorithm else 0
        if self.pin and (wanted or not suite.digits):
            raise InvalidArgument("pin must be left out: the suite has P, or shows no digits")
        if not isinstance(self.pin_hash, bytes) or len(self.pin_hash) != wanted:
            raise InvalidArgument(
                f"pin_hash must be bytes, {wanted} of them" if wanted
                else "pin_hash must be left out: the suite has no P"
            )
        if not suite.counter and (self.counter or self.look_ahead):
            raise InvalidArgument("counter and look_ahead must be left out: the suite has no C")
        if suite.step_s is None and (self.window != (0, 0) or self.drift_max):
            raise InvalidArgument("window and drift_max must be left out: the suite has no T")
        if self.period or self.t0:
            raise InvalidArgument("period and t0 must be left out: the suite's T says both")
        if (self.look_ahead + 1) * (sum(self.window) + 1) > POSITIONS_MAX:
            raise InvalidArgument(
                f"look_ahead and window together must be at most {POSITIONS_MAX} positions"
            )

    # ---- the standards' kinds ----

    @classmethod
    def totp(
        cls,
        key: bytes,
        *,
        period: int = 30,
        window: int | tuple[int, int] = 1,
        digits: int = 6,
        algorithm: str = "sha1",
        t0: int = 0,
        drift_max: int = 0,
        pin: str = "",
    ) -> "Device":
        """A time-based token, RFC 6238. period and t0 in seconds; window: steps either side, or
        (back, forward); drift_max: steps of drift that are remembered; pin: typed before the code,
        4 to 16 ASCII letters, digits and specials."""
        return cls(
            "totp",
            _key(key),
            algorithm,
            digits,
            period=period,
            t0=t0,
            window=_window(window),
            drift_max=drift_max,
            pin=_pin(pin),
        )

    @classmethod
    def hotp(
        cls,
        key: bytes,
        *,
        counter: int = 0,
        look_ahead: int = 10,
        digits: int = 6,
        algorithm: str = "sha1",
        pin: str = "",
    ) -> "Device":
        """A counter-based token, RFC 4226. counter: the next value expected; look_ahead: how many
        more are tried; pin: as for totp."""
        return cls(
            "hotp",
            _key(key),
            algorithm,
            digits,
            counter=counter,
            look_ahead=look_ahead,
            pin=_pin(pin),
        )

    @classmethod
    def ocra(
        cls,
        key: bytes,
        suite: str,
        *,
        counter: int = 0,
        look_ahead: int | None = None,
        window: int | tuple[int, int] | None = None,
        drift_max: int = 0,
        pin: str | None = None,
        pin_hash: bytes | None = None,
    ) -> "Device":
        """A challenge-response device, RFC 6287, of any suite. With digits 0 it answers with the
        whole HMAC in lower-case hex.

        counter and look_ahead (10) go with C, window (1) and drift_max with T, as for hotp and
        totp; pin, or pin_hash as its raw digest under P's hash, with P: the response is right
        with that PIN alone. Without P a pin is typed before the response, as for totp.
        """
        read = Suite.parse(suite)
        if look_ahead is None:
            look_ahead = 10 if read.counter else 0
        if window is None:
            window = 1 if read.step_s is not None else 0
        return cls(
            "ocra",
            _key(key),
            read.algorithm,
            read.digits,
            window=_window(window),
            drift_max=drift_max,
            counter=counter,
            look_ahead=look_ahead,
            suite=suite,
            pin_hash=pin_digest(read.pin_algorithm, pin if read.pin_algorithm else None, pin_hash),
            pin="" if read.pin_algorithm else _pin(pin or ""),
        )

    # ---- presets, RULES section 3 ----

    @classmethod
    def of(cls, name: str, key: bytes, **figures: Any) -> "Device":
        """A device of any kind by its name: totp, hotp, ocra, or a preset with any of its kind's
        figures changed. An ib-key's pin is 4 to 6 ASCII letters, digits and specials."""
        one_of("kind", name, (*MECHANISMS, *PRESETS, *GIVEN))
        if name in GIVEN:
            return cls(name, _key(key), *figures_of_given(name), **figures)
        if name == "totp":
            return cls.totp(key, **figures)
        if name == "hotp":
            return cls.hotp(key, **figures)
        if name == "ocra":
            return cls.ocra(key, **figures)
        if name == "ib-key" and figures.get("pin") is not None:
            phone_pin(figures["pin"])
        mechanism, own = PRESETS[name]
        if mechanism == "card":
            return cls(name, _key(key), **figures)
        phone = figures.pop("phone", None) if name == "ib-key" else None
        made = replace(cls.of(mechanism, key, **{**own, **figures}), kind=name)
        return made if phone is None else replace(made, phone=public_key(phone))

    @classmethod
    def temporary_passcode(cls, passcode: str | None = None) -> "Device":
        """A static code from client services: 10 characters of 32, upper case and digits without
        look-alikes. None: one is made. Kept as a salted keyed hash alone."""
        text = passcodes.made(secrets.token_bytes) if passcode is None else passcode
        return cls.of("temporary-passcode", passcodes.expect(text))

    @classmethod
    def sms(cls, key: bytes | None = None) -> "Device":
        """A phone that codes are sent to: 6 digits of HOTP under a key that only we hold. None: one
        is made."""
        return cls.of("sms", secrets.token_bytes(20) if key is None else key)

    @classmethod
    def dsc_plus(cls, key: bytes) -> "Device":
        """The card with a key pad: its own PIN, then a 6-digit challenge, 8 digits back."""
        return cls.of("dsc-plus", key)

    @classmethod
    def gold(cls, key: bytes) -> "Device":
        """The calculator: its own PIN, then a 6-digit challenge, 6 digits back."""
        return cls.of("gold", key)

    @classmethod
    def platinum(cls, key: bytes) -> "Device":
        """The later calculator; it answers as gold does."""
        return cls.of("platinum", key)

    @classmethod
    def ib_key(
        cls, key: bytes, pin: str, phone: bytes | str | None = None
    ) -> "Device":
        """The phone's app. pin: 4 to 6 ASCII letters, digits and specials. phone: its public key,
        Ed25519 or P-256, so that it can approve pushes; None: manual mode alone."""
        return cls.of("ib-key", key, pin=phone_pin(pin), phone=phone)

    @classmethod
    def alpine(cls, key: bytes) -> "Device":
        """The token that shows a code: TOTP with up to 10 steps of drift remembered."""
        return cls.of("alpine", key)

    @classmethod
    def dsc(cls, key: bytes, *, counter: int = 0) -> "Device":
        """The card that shows a code after its own PIN: HOTP."""
        return cls.of("dsc", key, counter=counter)

    @classmethod
    def code_card(cls, key: bytes, *, counter: int = 0) -> "Device":
        """The printed card: two indices, the six characters of their cells back. counter: how many
        answers it has given. The policy says whether a cell may be shown twice."""
        return cls.of("code-card", key, counter=counter)

    @classmethod
    def online_code_card(cls, key: bytes, *, counter: int = 0) -> "Device":
        """The same card, shown on the screen to print or save."""
        return cls.of("online-code-card", key, counter=counter)


FIELDS = tuple(one.name for one in fields(Device))
