"""OCRA, the plain function: published answers are in test_vectors.py; here is the message byte by
byte, every way a suite can be wrong, and what missing or superfluous arguments are told.
"""

import hashlib
from typing import Any

import pytest

import watchword
from watchword.devices.ocra import Suite

KEY = b"12345678901234567890"  # RFC 6287 Appendix C
SECRETS = ("1234567890", "4711", "session text")

LEGAL = [
    # suite, algorithm, digits, C, question, P, S, seconds of T
    ("OCRA-1:HOTP-SHA1-6:QN08", "sha1", 6, False, "N", 8, None, None, None),
    ("OCRA-1:HOTP-SHA1-0:QA04", "sha1", 0, False, "A", 4, None, None, None),
    ("OCRA-1:HOTP-SHA256-4:C-QH64", "sha256", 4, True, "H", 64, None, None, None),
    ("OCRA-1:HOTP-SHA512-10:QN64-PSHA1", "sha512", 10, False, "N", 64, "sha1", None, None),
    ("OCRA-1:HOTP-SHA1-6:QN08-PSHA256", "sha1", 6, False, "N", 8, "sha256", None, None),
    ("OCRA-1:HOTP-SHA1-6:QN08-PSHA512-T1S", "sha1", 6, False, "N", 8, "sha512", None, 1),
    ("OCRA-1:HOTP-SHA1-6:QN08-S001", "sha1", 6, False, "N", 8, None, 1, None),
    ("OCRA-1:HOTP-SHA1-6:QN08-S512-T59S", "sha1", 6, False, "N", 8, None, 512, 59),
    ("OCRA-1:HOTP-SHA1-6:QN08-T59M", "sha1", 6, False, "N", 8, None, None, 59 * 60),
    ("OCRA-1:HOTP-SHA1-6:QN08-T48H", "sha1", 6, False, "N", 8, None, None, 48 * 3600),
    ("OCRA-1:HOTP-SHA1-6:C-QA10-PSHA1-S064-T1M", "sha1", 6, True, "A", 10, "sha1", 64, 60),
]


@pytest.mark.parametrize("row", LEGAL, ids=lambda row: row[0])
def test_a_legal_suite_is_read(row: tuple[Any, ...]) -> None:
    suite = Suite.parse(row[0])
    assert row == (
        suite.text, suite.algorithm, suite.digits, suite.counter, suite.question_format,
        suite.question_chars, suite.pin_algorithm, suite.session_bytes, suite.step_s,
    )  # fmt: skip


@pytest.mark.parametrize(
    "suite",
    [
        "", "OCRA-1", "OCRA-1:HOTP-SHA1-6", "OCRA-1:HOTP-SHA1-6:", "OCRA-2:HOTP-SHA1-6:QN08",
        "ocra-1:hotp-sha1-6:qn08", "OCRA-1:HOTP-SHA1-6:qN08", "OCRA-1:TOTP-SHA1-6:QN08",
        "OCRA-1:HOTP-SHA224-6:QN08", "OCRA-1:HOTP-MD5-6:QN08", "OCRA-1:HOTP-SHA1:QN08",
        "OCRA-1:HOTP-SHA1-1:QN08", "OCRA-1:HOTP-SHA1-3:QN08", "OCRA-1:HOTP-SHA1-11:QN08",
        "OCRA-1:HOTP-SHA1-06:QN08", "OCRA-1:HOTP-SHA1-t:QN08", "OCRA-1:HOTP-SHA1-6:C",
        "OCRA-1:HOTP-SHA1-6:Q", "OCRA-1:HOTP-SHA1-6:QN8", "OCRA-1:HOTP-SHA1-6:QN008",
        "OCRA-1:HOTP-SHA1-6:QN03", "OCRA-1:HOTP-SHA1-6:QN00", "OCRA-1:HOTP-SHA1-6:QN65",
        "OCRA-1:HOTP-SHA1-6:QX08", "OCRA-1:HOTP-SHA1-6:CQN08", "OCRA-1:HOTP-SHA1-6:QN08-C",
        "OCRA-1:HOTP-SHA1-6:QN08-", "OCRA-1:HOTP-SHA1-6:QN08-P", "OCRA-1:HOTP-SHA1-6:QN08-PMD5",
        "OCRA-1:HOTP-SHA1-6:QN08-S64", "OCRA-1:HOTP-SHA1-6:QN08-S000",
        "OCRA-1:HOTP-SHA1-6:QN08-S513", "OCRA-1:HOTP-SHA1-6:QN08-S",
        "OCRA-1:HOTP-SHA1-6:QN08-T", "OCRA-1:HOTP-SHA1-6:QN08-T0S", "OCRA-1:HOTP-SHA1-6:QN08-T0H",
        "OCRA-1:HOTP-SHA1-6:QN08-T60S", "OCRA-1:HOTP-SHA1-6:QN08-T60M",
        "OCRA-1:HOTP-SHA1-6:QN08-T49H", "OCRA-1:HOTP-SHA1-6:QN08-T1D",
        "OCRA-1:HOTP-SHA1-6:QN08-T01M", "OCRA-1:HOTP-SHA1-6:QN08-T1M-PSHA1",
        "OCRA-1:HOTP-SHA1-6:QN08-S064-PSHA1", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1-PSHA1",
        "OCRA-1:HOTP-SHA1-6:QN08 ", "OCRA-1:HOTP-SHA1-6:QN08\n", " OCRA-1:HOTP-SHA1-6:QN08",
        "OCRA-1:HOTP-SHA1-6:QN\uff10\uff18", "\ud800",
        None, 1, b"OCRA-1:HOTP-SHA1-6:QN08",
    ],
)  # fmt: skip
def test_an_illegal_suite_is_refused(suite: Any) -> None:
    with pytest.raises(watchword.InvalidArgument) as raised:
        Suite.parse(suite)
    assert str(raised.value).startswith("suite")
    with pytest.raises(watchword.InvalidArgument):
        watchword.ocra(suite, KEY, "12345678")


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("OCRA-1:HOTP-SHA1-6:QN65", "question length must be from 4 to 64"),
        ("OCRA-1:HOTP-SHA1-6:QN08-S513", "session length must be from 1 to 512"),
        ("OCRA-1:HOTP-SHA1-6:QN08-T60S", "time step in S must be from 1 to 59"),
        ("OCRA-1:HOTP-SHA1-6:QN08-T49H", "time step in H must be from 1 to 48"),
        ("OCRA-1:HOTP-SHA1-6:QN08-T0H", "T{1 to 48}H"),
    ],
)
def test_a_wrong_length_is_named(suite: str, words: str) -> None:
    with pytest.raises(watchword.InvalidArgument) as raised:
        Suite.parse(suite)
    assert words in str(raised.value)


# suite after "OCRA-1:HOTP-SHA1-6:", question, other inputs, bytes after the zero byte (Q unpadded)
MESSAGES = [
    ("QN08", "99999999", {}, ("", "5f5e0ff0", "")),
    ("QN08", "00000000", {}, ("", "", "")),
    ("QN08", "0012", {}, ("", "c0", "")),
    ("QN08", "0255", {}, ("", "ff", "")),
    ("QA08", "aZ09", {}, ("", "615a3039", "")),
    ("QH08", "aBcD", {}, ("", "abcd", "")),
    ("QH08", "abcde", {}, ("", "abcde0", "")),
    ("C-QH08", "abcd", {"counter": 258}, ("0000000000000102", "abcd", "")),
    ("C-QH08", "abcd", {"counter": 2**64 - 1}, ("ffffffffffffffff", "abcd", "")),
    ("QH08-S004", "abcd", {"session": b"\1\2\3\4"}, ("", "abcd", "01020304")),
    ("QH08-S004", "abcd", {"session": b"\1\2"}, ("", "abcd", "00000102")),
    ("QH08-S004", "abcd", {"session": b""}, ("", "abcd", "00000000")),
    ("QH08-T1M", "abcd", {"time_step": 0x132D0B6}, ("", "abcd", "000000000132d0b6")),
    ("QH08-PSHA1", "abcd", {"pin_hash": b"p" * 20}, ("", "abcd", "70" * 20)),
    ("QH08-PSHA1", "abcd", {"pin": "1234"},
     ("", "abcd", "7110eda4d09e062aa5e4a390b0a572ac0d2c0220")),
    ("C-QH08-PSHA1-S002-T1S", "abcd",
     {"counter": 1, "pin_hash": b"p" * 20, "session": b"ss", "time_step": 9},
     ("0000000000000001", "abcd", "70" * 20 + "7373" + "0000000000000009")),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "question", "inputs", "parts"), MESSAGES)
def test_the_message_is_laid_out(
    tail: str, question: str, inputs: dict[str, Any], parts: tuple[str, str, str]
) -> None:
    """RFC 6287 5.1: suite, zero byte, C, Q in 128 bytes, P, S, T."""
    text = f"OCRA-1:HOTP-SHA1-6:{tail}"
    before, q, after = (bytes.fromhex(part) for part in parts)
    expected = text.encode() + b"\0" + before + q + b"\0" * (128 - len(q)) + after
    assert Suite.parse(text).message(question, **inputs) == expected


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_a_pin_may_be_any_text(algorithm: str) -> None:
    suite = Suite.parse(f"OCRA-1:HOTP-SHA1-6:QN08-P{algorithm.upper()}")
    digest = hashlib.new(algorithm, "pä€𝄞 ".encode()).digest()
    assert suite.message("1234", pin="pä€𝄞 ") == suite.message("1234", pin_hash=digest)


def test_questions_may_be_joined_to_twice_their_length() -> None:
    """RFC 6287 7.2, mutual challenge: one text from both."""
    suite = "OCRA-1:HOTP-SHA1-6:QA10"
    assert len(watchword.ocra(suite, KEY, "a" * 20)) == 6
    with pytest.raises(watchword.InvalidArgument):
        watchword.ocra(suite, KEY, "a" * 21)
    assert len(watchword.ocra("OCRA-1:HOTP-SHA1-6:QA64", KEY, "a" * 128)) == 6


def test_digits_say_the_length() -> None:
    for digits in (4, 5, 6, 7, 8, 9, 10):
        response = watchword.ocra(f"OCRA-1:HOTP-SHA1-{digits}:QN08", KEY, "12345678")
        assert len(response) == digits
        assert response.isdigit()
    for algorithm, size in [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)]:
        response = watchword.ocra(f"OCRA-1:HOTP-{algorithm}-0:QN08", KEY, "12345678")
        assert len(bytes.fromhex(response)) == size
        assert response == response.lower()


FULL = {"counter": 1, "pin": "4711", "session": b"session text", "time_step": 9}
MISUSE = [
    # suite's inputs, changed arguments, words the message must have
    ("full", {"key": b""}, "key must be 1 to 1024 bytes"),
    ("full", {"key": b"k" * 1025}, "key must be 1 to 1024 bytes"),
    ("full", {"key": "12345678901234567890"}, "key must be bytes"),
    ("full", {"counter": None}, "counter is needed: the suite has C"),
    ("full", {"counter": -1}, "counter must be from 0 to 18446744073709551615"),
    ("full", {"counter": 2**64}, "counter must be from 0 to 18446744073709551615"),
    ("full", {"counter": True}, "counter must be an integer"),
    ("full", {"counter": "1"}, "counter must be an integer"),
    ("full", {"pin": None}, "pin or pin_hash"),
    ("full", {"pin_hash": b"p" * 20}, "pin or pin_hash"),
    ("full", {"pin": ""}, "pin must be 1 to 128 characters"),
    ("full", {"pin": "4711" * 33}, "pin must be 1 to 128 characters"),
    ("full", {"pin": b"4711"}, "pin must be text"),
    ("full", {"pin": 4711}, "pin must be text"),
    ("full", {"pin": "4711\ud800"}, "pin must be text that UTF-8 can hold"),
    ("full", {"pin": None, "pin_hash": b"p" * 19}, "pin_hash must be bytes, 20 of them"),
    ("full", {"pin": None, "pin_hash": "p" * 20}, "pin_hash must be bytes, 20 of them"),
    ("full", {"session": None}, "session is needed: the suite has S"),
    ("full", {"session": b"session text" * 6}, "session must be bytes, 0 to 64 of them"),
    ("full", {"session": "session text"}, "session must be bytes, 0 to 64 of them"),
    ("full", {"time_step": None}, "time_step is needed: the suite has T"),
    ("full", {"time_step": -1}, "time_step must be from 0 to 18446744073709551615"),
    ("full", {"time_step": 1.5}, "time_step must be an integer"),
    ("full", {"question": "123"}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": "1" * 17}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": "1234567a"}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": "12345678\n"}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": "-1234567"}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": "\u0661\u0662\u0663\u0664"}, "4 to 16 decimal digits"),
    ("full", {"question": 12345678}, "question must be text of 4 to 16 decimal digits"),
    ("full", {"question": b"12345678"}, "question must be text of 4 to 16 decimal digits"),
    ("QA08", {"question": "12 45678"}, "question must be text of 4 to 16 ASCII letters and digits"),
    ("QA08", {"question": "1234\u00e4"}, "4 to 16 ASCII letters and digits"),
    ("QH08", {"question": "abcdefg"}, "question must be text of 4 to 16 hexadecimal digits"),
    ("QA64", {"question": "a" * 129}, "question must be text of 4 to 128 ASCII"),
    ("QN08", {"counter": 1}, "counter must be left out: the suite has no C"),
    ("QN08", {"pin": "4711"}, "pin must be left out: the suite has no P"),
    ("QN08", {"pin_hash": b"p" * 20}, "pin_hash must be left out: the suite has no P"),
    ("QN08", {"session": b""}, "session must be left out: the suite has no S"),
    ("QN08", {"time_step": 0}, "time_step must be left out: the suite has no T"),
]


@pytest.mark.parametrize(("inputs", "changed", "words"), MISUSE)
def test_misuse_is_named(inputs: str, changed: dict[str, Any], words: str) -> None:
    full = inputs == "full"
    arguments: dict[str, Any] = {
        "suite": f"OCRA-1:HOTP-SHA1-6:{'C-QN08-PSHA1-S064-T1M' if full else inputs}",
        "key": KEY,
        "question": "12345678",
        **(FULL if full else {}),
        **changed,
    }
    with pytest.raises(watchword.InvalidArgument) as raised:
        watchword.ocra(**arguments)
    told = str(raised.value)
    assert words in told
    assert not any(secret in told for secret in SECRETS)
    assert raised.value.__context__ is None, "a chained error may hold the argument"
