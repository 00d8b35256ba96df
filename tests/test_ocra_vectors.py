"""OCRA's published answers through the engine: every row's question is put to a device, and the
row's response verified, by itself and where it can be in one batch.

A row's question is posed: as the caller's data, or for mutual challenges as the server's question
and the client's, where the server's answer is a row of its own. Two kinds of row need more. Where
an engine can choose the row's question itself, by a permutation of the device's count, the count is
walked back from it and the journal given an ask of that count. And where both sides sign under one
suite, an engine never answers under a question that is not its own (SECURITY.md), so that the ask
is written into the journal, and its id sealed by the slow twin.
"""

import struct
from typing import Any

import pytest
from test_vectors import Row, rows

import watchword
from watchword import lifecycle
from watchword.keys import derive
from watchword.reference import Keys
from watchword.reference_ocra import (
    FORMS,
    Sealed,
    Suite,
    name_hash,
    question,
    seal,
    sip,
    suite_of,
    words,
)
from watchword.reference_posed import Posed, own_suite, purpose_digest

SECRET = bytes(32)
KEYS = Keys(derive(SECRET, "watchword names", 16), derive(SECRET, "watchword challenges", 48))
EPOCH_MS = 300_000
COUNTS = 2**32 - 2
ROWS = 34
EVERY_ROW = 96


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
        number = self.number_of(name)[1]
        self.ask(name, count_of(suite_of(row["suite"]), number, row["question"]), 0)
        challenge = self.engine.challenge(name)
        assert challenge.prompt == row["question"].upper()
        return name, challenge

    def written(self, name: str, row: Row) -> str:
        """The id of an ask with the row's two questions, whoever chose them."""
        asked = Posed(row["server_question"], row["client_question"])
        purpose = purpose_digest(KEYS.token, None, asked)
        self.ask(name, 7, purpose)
        sealed = Sealed(
            name_hash(KEYS.name, name), purpose, self.number_of(name)[1], 7,
            self.now_ms // EPOCH_MS, 0, row["question"],
        )  # fmt: skip
        return seal(KEYS.token, sealed)

    def number_of(self, name: str) -> tuple[int, int]:
        """A user's number, and its only device's."""
        slot = self.engine._core.find(name.encode())
        assert slot is not None
        found = self.engine._core.user(slot)
        assert found is not None
        return found[0], found[-1][0][0]

    def ask(self, name: str, count: int, purpose: int) -> None:
        """The journal is given an ask of this count."""
        user, device = self.number_of(name)
        tail = struct.pack("<QI20x", purpose, self.now_ms // EPOCH_MS)
        self.engine._act(
            lifecycle._record(lifecycle.CHALLENGE, user, device=device, moving=count, tail=tail)
        )


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
    named: dict[str, Any] = {"challenge": challenge.id} if by_id else {}
    named |= given(row)
    digits = row["response"]
    assert vectors.engine.verify(name, wrong(digits), **named).reason.name == "WRONG"
    verdict = vectors.engine.verify(name, digits, **named)
    assert verdict and verdict.offset == 0 and verdict.kind == "ocra"
    assert vectors.engine.verify(name, digits, **named).reason.name == "NO_CHALLENGE"


@pytest.mark.parametrize("kernel", watchword._engine.kernels())
def test_rows_of_many_suites_in_one_batch(kernel: str) -> None:
    watchword._engine.kernel_force(kernel)
    try:
        vectors = Vectors()
        every = [found.values[0] for found in ASKABLE]
        timeless = [row for row in every if not {"time", "session_hex"} & set(row)]
        asked = [vectors.asked(row)[0] for row in timeless]
        right = [row["response"] for row in timeless]
        off = [wrong(answer) for answer in right]
        refused, accepted = int(watchword.Code.REJECTED), int(watchword.Code.ACCEPTED)
        codes = vectors.engine.verify_many(asked * 3, off + right + right)
        count = len(asked)
        assert list(codes) == [refused] * count + [accepted] * count + [refused] * count
    finally:
        watchword._engine.kernel_force(None)


EVERY = rows("ocra", "ocra-ambiguous")
MUTUAL = [found for found in EVERY if found.values[0]["mode"].startswith("mutual")]
PLAIN = [found for found in EVERY if found not in MUTUAL]
SERVERS = [found for found in MUTUAL if found.values[0]["mode"] == "mutual-server"]
CLIENTS = [found for found in MUTUAL if found not in SERVERS]


def signs_alike(row: Row) -> bool:
    suite = suite_of(row["suite"])
    return own_suite(suite) == suite


def given(row: Row) -> dict[str, Any]:
    return {"session": bytes.fromhex(row["session_hex"])} if "session_hex" in row else {}


def wrong(answer: str) -> str:
    return answer[:-1] + ("1" if answer[-1] == "0" else "0")


def test_no_row_is_left_out() -> None:
    assert len(EVERY) == EVERY_ROW == len(PLAIN) + len(SERVERS) + len(CLIENTS)
    assert (len(PLAIN), len(SERVERS), len(CLIENTS)) == (77, 8, 11)
    texts = " ".join(found.values[0]["suite"] for found in PLAIN)
    for element in ("SHA1-0:", "SHA256-0:", "SHA512-0:", "SHA512-10:", ":C-", "QA", "QN", "QH"):
        assert element in texts, element
    for element in ("-PSHA1", "-PSHA256", "-PSHA512", "-S064", "-T1M", "-T1H", "-T12H"):
        assert element in texts, element


def expect_once(vectors: Vectors, name: str, row: Row, id_: str, response: str) -> None:
    """Wrong, right, and once more."""
    engine, named = vectors.engine, {"challenge": id_, **given(row)}
    assert engine.verify(name, response, **given(row)).reason.name == "NO_CHALLENGE"
    assert engine.verify(name, wrong(response), **named).reason.name == "WRONG"
    verdict = engine.verify(name, response, **named)
    assert verdict and verdict.offset == 0 and verdict.kind == "ocra"
    assert engine.verify(name, response, **named).reason.name == "NO_CHALLENGE"


@pytest.mark.parametrize("row", PLAIN)
def test_a_row_as_the_callers_own_question(row: Row) -> None:
    vectors = Vectors()
    name = vectors.enrolled(row)
    challenge = vectors.engine.challenge(name, question=row["question"])
    assert (challenge.prompt, challenge.answer) == (row["question"], "")
    expect_once(vectors, name, row, challenge.id, row["response"])


def posed(row: Row) -> dict[str, str]:
    return {"question": row["server_question"], "client_question": row["client_question"]}


@pytest.mark.parametrize("row", SERVERS)
def test_the_servers_answer(row: Row) -> None:
    """The row's suite is the server's: the client's has a PIN besides (RFC 6287 C.2)."""
    vectors, suite = Vectors(), row["suite"] + "-PSHA1"
    name = vectors.enrolled({**row, "suite": suite, "pin": "1234"})
    challenge = vectors.engine.challenge(name, **posed(row))
    assert (challenge.prompt, challenge.answer) == (row["server_question"], row["response"])
    joined = row["server_question"] + row["client_question"]
    key = bytes.fromhex(row["key_hex"])
    expect_once(vectors, name, row, challenge.id, watchword.ocra(suite, key, joined, pin="1234"))


@pytest.mark.parametrize("row", CLIENTS)
def test_the_clients_response(row: Row) -> None:
    vectors = Vectors()
    name = vectors.enrolled(row)
    challenge = vectors.engine.challenge(name, **posed(row))
    if not signs_alike(row):
        expect_once(vectors, name, row, challenge.id, row["response"])
        return
    named = {"challenge": challenge.id}
    assert vectors.engine.verify(name, row["response"], **named).reason.name == "NO_CHALLENGE"
    expect_once(vectors, name, row, vectors.written(name, row), row["response"])


def test_rows_of_every_suite_in_one_batch() -> None:
    vectors = Vectors()
    every = [found.values[0] for found in PLAIN]
    timeless = [row for row in every if not {"time", "session_hex"} & set(row)]
    names = [vectors.enrolled(row) for row in timeless]
    ids = [
        vectors.engine.challenge(name, question=row["question"]).id
        for name, row in zip(names, timeless, strict=True)
    ]
    right = [row["response"] for row in timeless]
    said = [wrong(response) for response in right] + right + right
    codes = vectors.engine.verify_many(names * 3, said, challenges=ids * 3)
    refused, accepted, count = int(watchword.Code.REJECTED), int(watchword.Code.ACCEPTED), len(ids)
    assert list(codes) == [refused] * count + [accepted] * count + [refused] * count
