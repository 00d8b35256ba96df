"""HOTP and TOTP, the plain functions: RFC 4226 and RFC 6238.

They compute one code from one key and keep nothing. What a server must also do (accept a code once,
count failures, look ahead) is the engine's work. Never compare codes with ==: ask the engine.
"""

from watchword import _engine
from watchword.devices.arguments import COUNTER_MAX, key_bytes, one_of, whole
from watchword.errors import InvalidArgument

__all__ = ["ALGORITHMS", "hotp", "totp"]

ALGORITHMS = ("sha1", "sha256", "sha512")
DIGITS_MIN, DIGITS_MAX = 6, 8
PERIOD_SECONDS_MAX = 3600
TIME_SECONDS_MIN, TIME_SECONDS_MAX = -(2**63), 2**63 - 1


def hotp(key: bytes, counter: int, *, digits: int = 6, algorithm: str = "sha1") -> str:
    """The code of one counter value, RFC 4226 section 5.3.

    key: 1 to 1024 raw bytes. counter: 0 to 2**64 - 1. digits: 6 to 8. algorithm: sha1, sha256 or
    sha512. Returns the digits as text, leading zeros kept. Raises InvalidArgument.
    """
    key = key_bytes("key", key)
    counter = whole("counter", counter, 0, COUNTER_MAX)
    digits = whole("digits", digits, DIGITS_MIN, DIGITS_MAX)
    return _engine.hotp(key, counter, digits, one_of("algorithm", algorithm, ALGORITHMS))


def totp(
    key: bytes,
    time_s: int,
    *,
    period: int = 30,
    t0: int = 0,
    digits: int = 6,
    algorithm: str = "sha1",
) -> str:
    """The code of one moment, RFC 6238 section 4.2: the HOTP of floor((time_s - t0) / period).

    time_s and t0: whole seconds since 1970, time_s not before t0. period: 1 to 3600 seconds. key,
    digits and algorithm as for hotp. Raises InvalidArgument.
    """
    key = key_bytes("key", key)
    period = whole("period", period, 1, PERIOD_SECONDS_MAX)
    t0 = whole("t0", t0, TIME_SECONDS_MIN, TIME_SECONDS_MAX)
    time_s = whole("time_s", time_s, TIME_SECONDS_MIN, TIME_SECONDS_MAX)
    digits = whole("digits", digits, DIGITS_MIN, DIGITS_MAX)
    algorithm = one_of("algorithm", algorithm, ALGORITHMS)
    if time_s < t0:
        raise InvalidArgument("time_s must not be before t0")
    return _engine.hotp(key, (time_s - t0) // period, digits, algorithm)
