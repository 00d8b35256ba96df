"""Enrolment of challenge-response devices and of the house's own kinds: what each is made of, and
every figure that is refused, by name and without a secret.
"""

import dataclasses
import hashlib
from typing import Any

import pytest

import watchword
from watchword import Device, InvalidArgument, _engine
from watchword.devices.device import LABELS, PRESETS
from watchword.devices.pins import phone_pin, pin_digest

KEY = b"12345678901234567890"
PIN = "pin-4711"
SUITE = "OCRA-1:HOTP-SHA1-6:QN08"

# preset, its mechanism, suite, hash, digits, window, look-ahead, drift_max: RULES section 3
RULES_3 = [
    (Device.dsc_plus(KEY), "dsc-plus", "ocra", "OCRA-1:HOTP-SHA1-8:QN06", "sha1", 8, 0, 0, 0),
    (Device.gold(KEY), "gold", "ocra", "OCRA-1:HOTP-SHA1-6:QN06", "sha1", 6, 0, 0, 0),
    (Device.platinum(KEY), "platinum", "ocra", "OCRA-1:HOTP-SHA1-6:QN06", "sha1", 6, 0, 0, 0),
    (Device.ib_key(KEY, "a1!Z"), "ib-key", "ocra", "OCRA-1:HOTP-SHA256-8:QN06-PSHA256",
     "sha256", 8, 0, 0, 0),
    (Device.alpine(KEY), "alpine", "totp", "", "sha1", 6, 1, 0, 10),
    (Device.dsc(KEY), "dsc", "hotp", "", "sha1", 6, 0, 10, 0),
    (Device.code_card(KEY), "code-card", "card", "", "sha1", 6, 0, 0, 0),
    (Device.online_code_card(KEY), "online-code-card", "card", "", "sha1", 6, 0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("row", RULES_3, ids=lambda row: row[1])
def test_the_kinds_of_the_house(row: tuple[Any, ...]) -> None:
    device, label, kind, suite, algorithm, digits, steps, look_ahead, drift_max = row
    assert (device.kind, device.mechanism, device.suite) == (label, kind, suite)
    assert LABELS[device.label] == label
    assert (device.algorithm, device.digits, device.drift_max) == (algorithm, digits, drift_max)
    assert (device.window, device.look_ahead) == ((steps, steps), look_ahead)


def test_every_preset_is_in_the_table() -> None:
    assert [row[1] for row in RULES_3] == list(PRESETS) == list(LABELS[1 : 1 + len(PRESETS)])
    assert LABELS == _engine.LABELS, "numbers of a store"
    assert Device.totp(KEY).label == Device.hotp(KEY).label == 0


@pytest.mark.parametrize(
    ("tail", "given", "figures"),
    [
        # suite after the crypto function; then digits, counter, look-ahead, window
        ("QN08", {}, (6, 0, 0, (0, 0))),
        ("C-QN08", {}, (6, 0, 10, (0, 0))),
        ("C-QN08", {"counter": 7, "look_ahead": 100}, (6, 7, 100, (0, 0))),
        ("QA10-T1M", {}, (6, 0, 0, (1, 1))),
        ("QA10-T1M", {"window": (10, 0)}, (6, 0, 0, (10, 0))),
        ("QH64-S064-T48H", {"window": 0, "drift_max": 10}, (6, 0, 0, (0, 0))),
        ("C-QA64-PSHA512-S512-T59S", {"pin": PIN}, (6, 0, 10, (1, 1))),
        ("C-QA64-T1S", {"look_ahead": 31, "window": (1, 2)}, (6, 0, 31, (1, 2))),
    ],
)
def test_any_suite(tail: str, given: dict[str, Any], figures: tuple[Any, ...]) -> None:
    suite = f"OCRA-1:HOTP-SHA1-6:{tail}"
    made = Device.ocra(KEY, suite, **given)
    assert (made.suite, made.label, made.kind, made.mechanism) == (suite, 0, "ocra", "ocra")
    assert (made.digits, made.counter, made.look_ahead, made.window) == figures
    assert (made.period, made.t0) == (0, 0)


@pytest.mark.parametrize("digits", range(4, 11))
def test_responses_of_4_to_10_digits(digits: int) -> None:
    assert Device.ocra(KEY, f"OCRA-1:HOTP-SHA512-{digits}:QN08").digits == digits


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_a_pin_and_its_digest_are_the_same_device(algorithm: str) -> None:
    suite = f"OCRA-1:HOTP-SHA1-6:QN08-P{algorithm.upper()}"
    digest = hashlib.new(algorithm, PIN.encode()).digest()
    made = Device.ocra(KEY, suite, pin=PIN)
    assert made == Device.ocra(KEY, suite, pin_hash=digest)
    assert made.pin_hash == digest == pin_digest(algorithm, PIN, None)


@pytest.mark.parametrize(
    ("pin", "legal"),
    [
        ("1234", True), ("abcZ9!", True), ("~`'\"", True), ("123", False), ("1234567", False),
        ("", False), ("12 4", False), ("p\u00e4ss", False), ("12\t4", False), (1234, False),
        (None, False), (b"1234", False), ("\uff11\uff12\uff13\uff14", False),
    ],
)  # fmt: skip
def test_the_phones_pin(pin: Any, legal: bool) -> None:
    if legal:
        assert phone_pin(pin) == pin
        assert Device.ib_key(KEY, pin).pin_hash == hashlib.sha256(pin.encode()).digest()
        return
    with pytest.raises(InvalidArgument, match="pin must be text of 4 to 6 ASCII letters") as raised:
        Device.ib_key(KEY, pin)
    assert not pin or str(pin) not in str(raised.value)


MISUSE = [
    # suite's tail, arguments, words of the message
    ("QN08", {"key": b"k" * 9}, "key is 10 to 128 bytes"),
    ("QN08", {"key": "k" * 20}, "key is bytes"),
    ("QN08", {"suite": "OCRA-1:HOTP-SHA1-6:QN8"}, "suite must be OCRA-1:HOTP-"),
    ("QN08", {"suite": None}, "suite must be text"),
    ("QN08", {"counter": 1}, "counter and look_ahead must be left out: the suite has no C"),
    ("QN08", {"look_ahead": 1}, "counter and look_ahead must be left out: the suite has no C"),
    ("QN08", {"window": 1}, "window and drift_max must be left out: the suite has no T"),
    ("QN08", {"drift_max": 1}, "window and drift_max must be left out: the suite has no T"),
    ("QN08", {"pin": 1234}, "pin must be text of 4 to 16 ASCII letters, digits and specials"),
    ("QN08", {"pin_hash": b"p" * 20}, "pin_hash must be left out: the suite has no P"),
    ("QN08-PSHA1", {}, "pin or pin_hash, one of the two, is needed: the suite has P"),
    ("QN08-PSHA1", {"pin": PIN, "pin_hash": b"p" * 20}, "pin or pin_hash, one of the two"),
    ("QN08-PSHA1", {"pin_hash": b"p" * 32}, "pin_hash must be bytes, 20 of them"),
    ("QN08-PSHA1", {"pin": ""}, "pin must be 1 to 128 characters"),
    ("QN08-PSHA1", {"pin": PIN * 17}, "pin must be 1 to 128 characters"),
    ("QN08-PSHA1", {"pin": 4711}, "pin must be text"),
    ("C-QN08", {"counter": -1}, "counter must be from 0 to 18446744073709551615"),
    ("C-QN08", {"counter": 2**64}, "counter must be from 0 to 18446744073709551615"),
    ("C-QN08", {"look_ahead": 101}, "look_ahead must be from 0 to 100"),
    ("QN08-T1M", {"window": 11}, "window must be from 0 to 10"),
    ("QN08-T1M", {"drift_max": 11}, "drift_max must be from 0 to 10"),
    ("C-QN08-T1M", {"look_ahead": 42}, "look_ahead and window together must be at most 128"),
]


@pytest.mark.parametrize(("tail", "changed", "words"), MISUSE)
def test_misuse_is_named(tail: str, changed: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"key": KEY, "suite": f"OCRA-1:HOTP-SHA1-6:{tail}", **changed}
    with pytest.raises(InvalidArgument) as raised:
        Device.ocra(given.pop("key"), given.pop("suite"), **given)
    told = str(raised.value)
    assert words in told
    assert PIN not in told and "4711" not in told
    assert raised.value.__context__ is None, "a chained error may hold the argument"


@pytest.mark.parametrize(
    ("made", "changed", "words"),
    [
        (Device.gold(KEY), {"digits": 8}, "algorithm and digits must be the suite's"),
        (Device.gold(KEY), {"t0": 5}, "period and t0 must be left out"),
        (Device.gold(KEY), {"kind": "dsc"}, "suite must be left out"),
        (Device.totp(KEY), {"kind": "golden"}, "kind must be one of"),
        (Device.totp(KEY), {"suite": "OCRA-1:HOTP-SHA1-6:QN06"}, "suite must be left out"),
        (Device.hotp(KEY), {"pin_hash": b"p" * 20}, "pin_hash must be left out"),
        (Device.hotp(KEY), {"kind": "ocra"}, "suite must be OCRA-1"),
        (Device.hotp(KEY), {"digits": 9}, "digits must be from 6 to 8"),
    ],
)
def test_a_device_taken_apart_and_put_together_wrongly(
    made: Device, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        dataclasses.replace(made, **changed)


def test_a_preset_with_figures_of_its_own() -> None:
    assert Device.of("alpine", KEY, drift_max=3, digits=8).digits == 8
    assert Device.of("dsc", KEY, counter=9) == Device.dsc(KEY, counter=9)
    assert Device.of("ocra", KEY, suite=SUITE) == Device.ocra(KEY, SUITE)
    assert Device.of("ib-key", KEY, pin_hash=b"h" * 32).kind == "ib-key"
    with pytest.raises(InvalidArgument, match="kind must be one of totp, hotp, ocra, dsc-plus"):
        Device.of("golden", KEY)
    with pytest.raises(InvalidArgument, match="4 to 6"):
        Device.of("ib-key", KEY, pin="1234567")


def test_neither_key_nor_pin_is_shown() -> None:
    made = watchword.Device.ib_key(KEY, "4711")
    for secret in (repr(KEY)[2:-1], KEY.hex(), "4711", repr(made.pin_hash)[2:-1]):
        assert secret not in repr(made)
    assert made.suite in repr(made)
