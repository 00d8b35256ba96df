"""OCRA's published answers through the engine: each row's question is put to a device, and the
row's response verified, alone and in one batch.

An engine chooses its questions itself, by a permutation of the device's count; here it is walked
back from the row's question to the count it belongs to, and the journal is given an ask of that
count. That reaches every row whose question the engine could ask: one of the suite's full length,
from a domain that 2**32 counts can cover. The devices of all other rows are asked a question of
the engine's own, and ocra() answers, which test_vectors.py holds to every row.
"""

import struct
from typing import Any

import pytest
from test_vectors import Row, rows

import watchword
from watchword import lifecycle
from watchword.keys import derive
from watchword.reference import Keys
from watchword.reference_ocra import FORMS, Suite, question, sip, suite_of, words

SECRET = bytes(32)
KEYS = Keys(derive(SECRET, "watchword names", 16), derive(SECRET, "watchword challenges", 48))
EPOCH_MS = 300_000
COUNTS = 2**32 - 2
ROWS = 34


def askable(row: Row) -> bool:
    suite = suite_of(row["suite"])
    domain = len(FORMS[suite.form][0]) ** suite.chars
    return bool(suite.digits) and len(row["question"]) == suite.chars and domain <= COUNTS + 2


ASKABLE = [found for found in rows("ocra", "ocra-ambiguous") if askable(found.values[0])]


def count_of(suite: Suite, who: int, asked: str) -> int:
    """The count whose question this is: the eight rounds backwards."""
    alphabet = FORMS[suite.form][0]
    size, x = len(alphabet) ** suite.chars, 0
    for character in asked.upper():
        x = x * len(alphabet) + alphabet.index(character)
    half = -(-(size - 1).bit_length() // 2)
    while True:
        left, right = x >> half, x & (2**half - 1)
        for at in reversed(range(8)):
            mixed = sip(KEYS.question, words(who, at << 32, left)) & (2**half - 1)
            left, right = right ^ mixed, left
        x = left << half | right
        if x < size:
            break
    assert question(KEYS.question, suite, who, x) == asked.upper()
    return int(x)


class Vectors:
    """An engine whose devices are asked what rows say."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.engine = watchword.Engine.open(
            clock=lambda: self.now_ms, entropy=lambda n: SECRET[:n]
        )
        self.users = 0

    def enrolled(self, row: Row) -> str:
        """A user with the row's device."""
        suite = suite_of(row["suite"])
        self.users += 1
        name = f"user{self.users}"
        self.now_ms = 1000 * row.get("time", 0)
        given: dict[str, Any] = {"counter": row["counter"]} if suite.counter else {}
        if suite.pin:
            given["pin"] = row["pin"]
        device = watchword.Device.ocra(bytes.fromhex(row["key_hex"]), suite.text, **given)
        self.engine.add_user(name)
        self.engine.add_device(name, device)
        return name

    def asked(self, row: Row) -> tuple[str, Any]:
        """A user with the row's device under the row's challenge."""
        name = self.enrolled(row)
        slot = self.engine._core.find(name.encode())
        assert slot is not None
        found = self.engine._core.user(slot)
        assert found is not None
        number = found[-1][0][0]
        count = count_of(suite_of(row["suite"]), number, row["question"])
        tail = struct.pack("<QI20x", 0, self.now_ms // EPOCH_MS)
        record = lifecycle._record(
            lifecycle.CHALLENGE, found[0], device=number, moving=count, tail=tail
        )
        self.engine._act(record)
        challenge = self.engine.challenge(name)
        assert challenge.prompt == row["question"].upper()
        return name, challenge


def test_every_kind_of_element_is_among_the_rows() -> None:
    texts = " ".join(found.values[0]["suite"] for found in ASKABLE)
    assert len(ASKABLE) == ROWS
    for element in ("SHA1", "SHA256", "SHA512", ":C-", "QN", "QH", "-P", "-S0", "-T"):
        assert element in texts, element


@pytest.mark.parametrize("row", ASKABLE)
@pytest.mark.parametrize("by_id", [True, False])
def test_a_row_is_accepted_once(row: Row, by_id: bool) -> None:
    vectors = Vectors()
    name, challenge = vectors.asked(row)
    given: dict[str, Any] = {"challenge": challenge.id} if by_id else {}
    if "session_hex" in row:
        given["session"] = bytes.fromhex(row["session_hex"])
    digits = row["response"]
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert vectors.engine.verify(name, wrong, **given).reason.name == "WRONG"
    verdict = vectors.engine.verify(name, digits, **given)
    assert verdict and verdict.offset == 0 and verdict.kind == "ocra"
    assert vectors.engine.verify(name, digits, **given).reason.name == "NO_CHALLENGE"


@pytest.mark.parametrize("kernel", watchword._engine.kernels())
def test_rows_of_many_suites_in_one_batch(kernel: str) -> None:
    watchword._engine.kernel_force(kernel)
    try:
        vectors = Vectors()
        every = [found.values[0] for found in ASKABLE]
        timeless = [row for row in every if not {"time", "session_hex"} & set(row)]
        asked = [vectors.asked(row)[0] for row in timeless]
        right = [row["response"] for row in timeless]
        wrong = [answer[:-1] + str((int(answer[-1]) + 1) % 10) for answer in right]
        refused, accepted = int(watchword.Code.REJECTED), int(watchword.Code.ACCEPTED)
        codes = vectors.engine.verify_many(asked * 3, wrong + right + right)
        count = len(asked)
        assert list(codes) == [refused] * count + [accepted] * count + [refused] * count
    finally:
        watchword._engine.kernel_force(None)


EVERY = [found.values[0] for found in rows("ocra", "ocra-ambiguous")]
# The last counter of all stays unused, and one row has it: here any counter will do.
OTHERS = [
    {**row, "counter": min(row.get("counter", 0), 2**64 - 2)} for row in EVERY if not askable(row)
]


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row["suite"])
def test_the_engines_own_question_to_every_other_device(row: Row) -> None:
    vectors, suite = Vectors(), suite_of(row["suite"])
    if suite.digits == 0:
        with pytest.raises(watchword.InvalidArgument, match="suite: digits must be from 4 to 10"):
            vectors.enrolled(row)
        return
    name = vectors.enrolled(row)
    challenge = vectors.engine.challenge(name, platform="portal", purpose="a row")
    named: dict[str, Any] = {"pin": row.get("pin")}
    if suite.counter:
        named["counter"] = row["counter"]
    if suite.session:
        named["session"] = bytes.fromhex(row["session_hex"])
    if suite.period:
        named["time_step"] = row["time"] // suite.period
    digits = watchword.ocra(suite.text, bytes.fromhex(row["key_hex"]), challenge.prompt, **named)
    given = {"platform": "portal", "challenge": challenge.id, "session": named.get("session")}
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert vectors.engine.verify(name, wrong, **given).reason.name == "WRONG"
    assert vectors.engine.verify(name, digits, **given)
    assert vectors.engine.verify(name, digits, **given).reason.name == "NO_CHALLENGE"
