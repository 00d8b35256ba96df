"""ext/lanes and ext/isa: every row this machine can run, at every ragged size, forced by name.

The answers are Python's own hmac and hashlib, and RFC 4226's table. Rows that only another machine
runs are built and run there (AArch64 under qemu); what no answer shows, bytes read or written where
they should not be, is left to the sanitizers; branches made from secrets to tests/timing.
"""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kept import compiled, ran
from watchword import _engine

ROOT = Path(__file__).parents[1]
CORE = ["tests/lanes.c", "ext/dispatch.c", *sorted(map(str, ROOT.glob("ext/isa/*.c")))]

ALGORITHMS = ["sha1", "sha256", "sha512"]
# Around every width, and one size that takes 16, 8, 4, 2 and 1.
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 257, 16 * 8 + 31]
KEY_LENGTHS = [1, 10, 20, 32, 63, 64, 65, 127, 128, 129]
COUNTERS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]

# RFC 4226, appendix D: truncated values, in decimal.
RFC_4226_KEY = b"12345678901234567890"
RFC_4226 = [
    1284755224, 1094287082, 137359152, 1726969429, 1640338314,
    868254676, 1918287922, 82162583, 673399871, 645520489,
]  # fmt: skip


def truncated(algorithm: str, key: bytes, counter: int) -> int:
    """RFC 4226 section 5.3, as it is written there."""
    mac = hmac.digest(key, counter.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 15
    return int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF


@pytest.fixture(params=_engine.kernels())
def row(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the row that is in use while the test runs."""
    before = _engine.kernel_in_use()
    _engine.kernel_force(request.param)
    yield request.param
    _engine.kernel_force(before)


def test_row_gives_the_published_answers(row: str) -> None:
    keys, counters = [RFC_4226_KEY] * len(RFC_4226), list(range(len(RFC_4226)))
    assert _engine.hotp_many("sha1", keys, counters) == RFC_4226


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_row_agrees_at_every_size(row: str, algorithm: str, rng: Any) -> None:
    for size in SIZES:
        keys = [rng.randbytes(rng.choice(KEY_LENGTHS)) for _ in range(size)]
        counters = [rng.choice([*COUNTERS, rng.getrandbits(64)]) for _ in range(size)]
        right = [truncated(algorithm, k, c) for k, c in zip(keys, counters, strict=True)]
        assert _engine.hotp_many(algorithm, keys, counters) == right, (row, algorithm, size, rng)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_row_takes_every_key_length_with_every_counter(row: str, algorithm: str, rng: Any) -> None:
    pairs = [(rng.randbytes(n), c) for n in KEY_LENGTHS for c in COUNTERS]
    keys, counters = [key for key, _ in pairs], [counter for _, counter in pairs]
    right = [truncated(algorithm, key, counter) for key, counter in pairs]
    assert _engine.hotp_many(algorithm, keys, counters) == right, (row, algorithm, rng)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_row_takes_every_offset_of_the_truncation(row: str, algorithm: str, rng: Any) -> None:
    """The last nibble picks one of sixteen places; each must come up in each lane."""
    key, lanes = rng.randbytes(20), 16
    by_offset: dict[int, int] = {}
    counter = 0
    while len(by_offset) < 16:
        mac = hmac.digest(key, counter.to_bytes(8, "big"), algorithm)
        by_offset.setdefault(mac[-1] & 15, counter)
        counter += 1
    for turn in range(lanes):
        counters = [by_offset[(lane + turn) % 16] for lane in range(lanes)]
        right = [truncated(algorithm, key, c) for c in counters]
        assert _engine.hotp_many(algorithm, [key] * lanes, counters) == right, (row, turn, rng)


# Around the ends of blocks of either size, and OCRA's shortest and longest.
TEXT_LENGTHS = [0, 1, 55, 56, 63, 64, 111, 112, 119, 120, 128, 153, 239, 240, 300, 768]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_row_takes_texts_of_several_blocks(row: str, algorithm: str, rng: Any) -> None:
    for length in TEXT_LENGTHS:
        size = rng.choice(SIZES[:18])
        keys = [rng.randbytes(rng.choice(KEY_LENGTHS)) for _ in range(size)]
        texts = [rng.randbytes(length) for _ in range(size)]
        macs = [hmac.digest(k, t, algorithm) for k, t in zip(keys, texts, strict=True)]
        right = [_engine.truncate(mac) for mac in macs]
        assert _engine.text_many(algorithm, keys, texts) == right, (row, length, size, rng)


# Their own words begin at each place of a word, with a counter before the question and without.
ALIKE = [
    f"OCRA-1:HOTP-SHA1-{digits}:{counted}Q{question}"
    for digits in (6, 10) for counted in ("", "C-") for question in ("N08", "N28", "H24", "A12")
]  # fmt: skip
APART = ["OCRA-1:HOTP-SHA256-6:QN08", "OCRA-1:HOTP-SHA1-0:QN08", "OCRA-1:HOTP-SHA1-6:QN29",
         "OCRA-1:HOTP-SHA1-6:QA13", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1",
         "OCRA-1:HOTP-SHA1-6:QN08-S064", "OCRA-1:HOTP-SHA1-6:QN08-T30S"]  # fmt: skip


def packed(suite: str, question: str) -> bytes:
    """RFC 6287 section 5.1: 128 bytes; a number in hex without zeros in front."""
    if ":QA" in suite.replace("C-", ""):
        return question.encode().ljust(128, b"\0")
    text = f"{int(question):x}" if ":QN" in suite.replace("C-", "") else question
    return bytes.fromhex(text.ljust(256, "0"))


@pytest.mark.parametrize("suite", ALIKE)
def test_row_takes_answers_of_one_suite_at_every_size(row: str, suite: str, rng: Any) -> None:
    letters = {"N": "0123456789", "H": "0123456789ABCDEF", "A": "09AZaz"}
    form, chars = suite[-3], int(suite[-2:])
    for size in SIZES[:18]:
        keys = [rng.randbytes(rng.choice(KEY_LENGTHS)) for _ in range(size)]
        counters = [rng.choice([*COUNTERS, rng.getrandbits(64)]) for _ in range(size)]
        questions = ["".join(rng.choices(letters[form], k=chars)) for _ in range(size)]
        if size:
            questions[0] = letters[form][-1] * chars
        right = []
        for key, counter, question in zip(keys, counters, questions, strict=True):
            count = counter.to_bytes(8, "big") if ":C-" in suite else b""
            message = suite.encode() + b"\0" + count + packed(suite, question)
            right.append(_engine.truncate(hmac.digest(key, message, "sha1")))
        asked = [question.encode() for question in questions]
        said = _engine.ocra_many(suite.encode(), keys, counters, asked)
        assert said == right, (row, suite, size, rng)


@pytest.mark.parametrize("suite", APART)
def test_suites_of_another_shape_are_left_to_whole_texts(suite: str) -> None:
    assert _engine.ocra_many(suite.encode(), [], [], []) is None


# ---- tests/lanes.c, built two ways --------------------------------------------------------------


def build(compiler: str, out: Path, *flags: str) -> str:
    flags = ("-std=c11", *flags)
    objects = [compiled(compiler, flags, ROOT / source, [ROOT / "ext"]) for source in CORE]
    done = ran(compiler, *flags, *objects, "-o", out)
    assert done.returncode == 0, done.stderr
    return str(out)


def test_rows_stay_inside_their_buffers(tmp_path: Path) -> None:
    sanitized = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    done = ran(build("gcc", tmp_path / "lanes", *sanitized))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == _engine.kernels()


def test_rows_of_another_machine(tmp_path: Path) -> None:
    program = build("aarch64-linux-gnu-gcc", tmp_path / "lanes", "-O1", "-static")
    done = ran("qemu-aarch64", program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["portable", "neon", "best"]
