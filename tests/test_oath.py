"""HOTP and TOTP, the plain functions: published answers are in test_vectors.py; here are two
independent implementations on random inputs, the edges, and what bad arguments are told.
"""

import base64
import random
from typing import Any

import pyotp
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

import watchword

KEY = b"12345678901234567890"  # RFC 4226 Appendix D
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha512": hashes.SHA512}
COUNTER_MAX = 2**64 - 1


@pytest.mark.parametrize("seed", range(20))
def test_hotp_agrees_with_cryptography(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        key = rng.randbytes(rng.choice([16, 20, 32, 63, 64, 65, 127, 128, 129, 1024]))
        counter = rng.choice([rng.getrandbits(64), rng.getrandbits(32), rng.randrange(10)])
        digits, algorithm = rng.randint(6, 8), rng.choice(sorted(HASHES))
        code = HOTP(key, digits, HASHES[algorithm]()).generate(counter).decode()
        assert watchword.hotp(key, counter, digits=digits, algorithm=algorithm) == code


@pytest.mark.parametrize("seed", range(20))
def test_totp_agrees_with_pyotp(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        key, period, digits = rng.randbytes(20), rng.randint(1, 120), rng.randint(6, 8)
        time_s = rng.randrange(2**33)
        other = pyotp.TOTP(base64.b32encode(key).decode(), digits=digits, interval=period)
        assert watchword.totp(key, time_s, period=period, digits=digits) == other.at(time_s)


def test_totp_is_hotp_of_the_step() -> None:
    """RFC 6238 4.2: the step changes exactly at a multiple of the period after t0."""
    for time_s, step in [(100, 0), (129, 0), (130, 1), (159, 1), (160, 2)]:
        assert watchword.totp(KEY, time_s, t0=100) == watchword.hotp(KEY, step)
    assert watchword.totp(KEY, -71, t0=-101) == watchword.hotp(KEY, 1)


def test_edges_are_legal() -> None:
    for key in (b"k", b"k" * 1024):
        assert len(watchword.hotp(key, COUNTER_MAX, digits=8, algorithm="sha512")) == 8
    for period in (1, 3600):
        assert watchword.totp(KEY, 3600, period=period) == watchword.hotp(KEY, 3600 // period)
    last = watchword.totp(KEY, 2**63 - 1, t0=-(2**63), period=1)
    assert last == watchword.hotp(KEY, COUNTER_MAX)


# changed argument, words the message must have
HOTP_MISUSE = [
    ({"key": "12345678901234567890"}, "key must be bytes, 1 to 1024"),
    ({"key": bytearray(KEY)}, "key must be bytes, 1 to 1024"),
    ({"key": None}, "key must be bytes, 1 to 1024"),
    ({"key": b""}, "key must be 1 to 1024 bytes"),
    ({"key": b"k" * 1025}, "key must be 1 to 1024 bytes"),
    ({"counter": -1}, f"counter must be from 0 to {COUNTER_MAX}"),
    ({"counter": 2**64}, f"counter must be from 0 to {COUNTER_MAX}"),
    ({"counter": True}, f"counter must be an integer from 0 to {COUNTER_MAX}"),
    ({"counter": 1.0}, f"counter must be an integer from 0 to {COUNTER_MAX}"),
    ({"counter": "1"}, f"counter must be an integer from 0 to {COUNTER_MAX}"),
    ({"digits": 5}, "digits must be from 6 to 8"),
    ({"digits": 9}, "digits must be from 6 to 8"),
    ({"digits": 6.0}, "digits must be an integer from 6 to 8"),
    ({"algorithm": "SHA1"}, "algorithm must be one of sha1, sha256, sha512"),
    ({"algorithm": "md5"}, "algorithm must be one of sha1, sha256, sha512"),
    ({"algorithm": b"sha1"}, "algorithm must be one of sha1, sha256, sha512"),
    ({"algorithm": ["sha1"]}, "algorithm must be one of sha1, sha256, sha512"),
]
TOTP_MISUSE = [
    ({"time_s": 29, "t0": 30}, "time_s must not be before t0"),
    ({"time_s": 59.0}, "time_s must be an integer"),
    ({"time_s": False}, "time_s must be an integer"),
    ({"time_s": 2**63}, "time_s must be from"),
    ({"t0": None}, "t0 must be an integer"),
    ({"t0": -(2**63) - 1}, "t0 must be from"),
    ({"period": 0}, "period must be from 1 to 3600"),
    ({"period": 3601}, "period must be from 1 to 3600"),
    ({"period": "30"}, "period must be an integer from 1 to 3600"),
    *(row for row in HOTP_MISUSE if "counter" not in row[0]),
]


@pytest.mark.parametrize(("changed", "words"), HOTP_MISUSE)
def test_hotp_misuse_is_named(changed: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"key": KEY, "counter": 0} | changed
    with pytest.raises(watchword.InvalidArgument) as raised:
        watchword.hotp(**arguments)
    assert words in str(raised.value)
    assert "12345678901234567890" not in str(raised.value)


@pytest.mark.parametrize(("changed", "words"), TOTP_MISUSE)
def test_totp_misuse_is_named(changed: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"key": KEY, "time_s": 59} | changed
    with pytest.raises(watchword.InvalidArgument) as raised:
        watchword.totp(**arguments)
    assert words in str(raised.value)
    assert "12345678901234567890" not in str(raised.value)


def test_options_are_named_only() -> None:
    with pytest.raises(TypeError):
        watchword.hotp(KEY, 0, 6)  # type: ignore[misc]
    with pytest.raises(TypeError):
        watchword.totp(KEY, 0, 30)  # type: ignore[misc]
