"""What a device is when it is enrolled: kind, key and figures, held against their limits here.

Rule: nothing past this file sees an illegal device, and the key is never shown.
"""

from dataclasses import dataclass, field

from watchword.devices.arguments import one_of, whole
from watchword.errors import InvalidArgument

__all__ = ["KEY_BYTES_MAX", "KEY_BYTES_MIN", "LOOK_AHEAD_MAX", "Device"]

KEY_BYTES_MIN, KEY_BYTES_MAX = 10, 128
KINDS = ("totp", "hotp")
ALGORITHMS = ("sha1", "sha256", "sha512")
DIGITS_MIN, DIGITS_MAX = 6, 8
PERIOD_S_MAX = 3_600
WINDOW_STEPS_MAX = 10
DRIFT_STEPS_MAX = 10
LOOK_AHEAD_MAX = 100
T0_S_MAX = 2**40
COUNTER_MAX = 2**64 - 2


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


@dataclass(frozen=True, slots=True)
class Device:
    """A device to be enrolled (RULES section 3). Made by Device.totp and Device.hotp.

    Errors: InvalidArgument names the argument and its legal range.
    """

    kind: str
    key: bytes = field(repr=False)
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 0
    t0: int = 0
    window: tuple[int, int] = (0, 0)
    drift_max: int = 0
    counter: int = 0
    look_ahead: int = 0

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        _key(self.key)
        one_of("algorithm", self.algorithm, ALGORITHMS)
        whole("digits", self.digits, DIGITS_MIN, DIGITS_MAX)
        _window(self.window)
        whole("period", self.period, 1 if self.kind == "totp" else 0, PERIOD_S_MAX)
        whole("t0", self.t0, 0, T0_S_MAX)
        whole("drift_max", self.drift_max, 0, DRIFT_STEPS_MAX)
        whole("counter", self.counter, 0, COUNTER_MAX)
        whole("look_ahead", self.look_ahead, 0, LOOK_AHEAD_MAX)

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
    ) -> "Device":
        """A time-based token, RFC 6238. period and t0 in seconds; window: steps either side, or
        (back, forward); drift_max: steps of drift that are remembered."""
        return cls(
            "totp",
            _key(key),
            algorithm,
            digits,
            period=period,
            t0=t0,
            window=_window(window),
            drift_max=drift_max,
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
    ) -> "Device":
        """A counter-based token, RFC 4226. counter: the next value expected; look_ahead: how many
        more are tried."""
        return cls(
            "hotp",
            _key(key),
            algorithm,
            digits,
            counter=counter,
            look_ahead=look_ahead,
        )
