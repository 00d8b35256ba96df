"""ext/posed.c through the library: what is misuse, what our answers may never be, what outlives an
engine, and purposes for every kind that is asked; the rules are tables in posed_tables.py.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from standing import KEY, Bench, T, on_disk

import watchword
from watchword import Busy, Code, Device, InvalidArgument, lifecycle, ocra
from watchword.devices.device import PRESETS
from watchword.reference_ocra import question_bytes, suite_of
from watchword.reference_posed import reflects

SUITE = "OCRA-1:HOTP-SHA1-8:QN08"
SIGNING = "OCRA-1:HOTP-SHA256-8:QA08"
ANSWERS_MAX = 5
LEGAL = "4 to 64 ASCII letters and digits"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.ocra(KEY, SIGNING))
    return bench


MISUSE: list[tuple[dict[str, Any], str]] = [
    *[({name: wrong}, f"{name} is {LEGAL}")
      for name in ("question", "client_question")
      for wrong in ("", "abc", "a" * 65, "SIG 1000", "SIG-1000", "SIG1100\u0660", 12345678, b"SI")],
    ({"client_question": "01234567"}, "client_question, where it is digits alone, does not begin"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), MISUSE)
def test_misuse_is_named_and_asks_nothing(
    bench: Bench, given: dict[str, Any], words: str
) -> None:
    turns = bench.engine.counters()["turns"]
    for name in ("alice", "nobody"):
        with pytest.raises(InvalidArgument, match=words) as raised:
            bench.engine.challenge(name, **given)
        assert all(len(str(text)) < 4 or str(text) not in str(raised.value)
                   for text in given.values())  # fmt: skip
        with pytest.raises(InvalidArgument, match=words):
            asyncio.run(bench.engine.achallenge(name, **given))
    assert bench.engine.counters()["turns"] == turns


def test_an_ask_is_one_record_and_tells_nothing_of_what_was_posed(bench: Bench) -> None:
    given: dict[str, Any]
    for given in ({"question": "PAY50USD"}, {"client_question": "CLI22220"}):
        bench.engine.challenge("alice", **given)
        (record,) = bench.last()
        assert record.event == lifecycle.CHALLENGE and record.tail[16] == ("question" not in given)
        assert not {b"PAY50USD", b"CLI22220"} & {record.tail[at : at + 8] for at in range(24)}
        bench.engine.challenge("nobody", **given)
        (nobodys,) = bench.last()
        assert nobodys.device == 0 and nobodys.tail == record.tail


def test_an_id_is_as_long_for_whoever_is_asked(bench: Bench) -> None:
    given: dict[str, Any]
    for given in ({"question": "PAY5"}, {"client_question": "CLI22220"}):
        asked = [bench.engine.challenge(name, **given) for name in ("alice", "nobody")]
        assert len(asked[0].id) == len(asked[1].id) > 96


@pytest.mark.parametrize("suite", [SUITE, SIGNING, "OCRA-1:HOTP-SHA1-8:QH08"])
def test_no_answer_of_ours_is_a_response(suite: str) -> None:
    """Of no plain challenge of the device, nor of the one that it comes with."""
    rng, read, bench = random.Random(suite), suite_of(suite), Bench()
    bench.engine.add_user("bob")
    bench.engine.add_device("bob", Device.ocra(KEY, suite))
    alphabet = {"N": "0123456789", "H": "0123456789ABCDEF", "A": "ABCabc019"}[read.form]
    for number in range(400):
        bench.now += 300_000 * (number % ANSWERS_MAX == 0)
        client = "1" + "".join(rng.choice(alphabet) for _ in range(7))
        if number % 4 == 0:
            client = "10000000"
        try:
            asked = bench.engine.challenge("bob", client_question=client)
        except Busy:
            pytest.fail("a new epoch has answers again")
        assert asked.answer == ocra(suite, KEY, client + asked.prompt)
        assert not reflects(read, asked.prompt, client)
        mine = question_bytes(read, client + asked.prompt)
        assert mine != question_bytes(read, asked.prompt + client)
        said = bench.engine.verify("bob", asked.answer, challenge=asked.id)
        assert said.code is Code.REJECTED or asked.answer == ocra(
            suite, KEY, asked.prompt + client
        )
        bench.engine.unlock("bob", by="the test")


def test_reflections_are_told() -> None:
    """What the twin's rule finds, which the histories hold the engine to."""
    number, hexes, text = suite_of(SUITE), suite_of("OCRA-1:HOTP-SHA1-8:QH08"), suite_of(SIGNING)
    assert reflects(number, "12345678", "12345678")
    assert reflects(number, "12345678", "00000000")         # the number is ours alone
    assert reflects(number, "00000016", "00000000")
    assert not reflects(number, "12345678", "87654321")
    assert reflects(hexes, "00000000", "ABCDEF12")          # zeros on the right are padding
    assert not reflects(hexes, "00000001", "ABCDEF12")
    assert reflects(text, "abababab", "abababab")
    assert not reflects(text, "abababab", "babababa")


def test_what_was_posed_outlives_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.ocra(KEY, SIGNING))
        signed = engine.challenge("alice", question="PAY50USD")
        asked = engine.challenge("alice", platform="portal", client_question="CLI22220")
    with on_disk(path) as engine:
        assert engine.challenge("alice", question="PAY50USD") == signed
        assert engine.challenge("alice", platform="portal", client_question="CLI22220") == asked
        response = ocra(SIGNING, KEY, "PAY50USD")
        assert engine.verify("alice", response, challenge=signed.id)
    with on_disk(path) as engine:
        assert not engine.verify("alice", response, challenge=signed.id)
        response = ocra(SIGNING, KEY, asked.prompt + "CLI22220")
        assert engine.verify("alice", response, platform="portal", challenge=asked.id)


@pytest.mark.parametrize("pages", [False, True])
def test_answers_stay_counted_across_lives(tmp_path: Path, pages: bool) -> None:
    """Out of the journal, and out of pages."""
    path, now = tmp_path / "store", [T]
    engine = on_disk(path, clock=lambda: now[0])
    engine.add_user("alice")
    engine.add_device("alice", Device.ocra(KEY, SIGNING))
    for number in range(ANSWERS_MAX):
        if number == 3:
            if pages:
                engine._keeper.write()  # type: ignore[union-attr]
            engine.close()
            engine = on_disk(path, clock=lambda: now[0])
        asked = engine.challenge("alice", client_question=f"CLIENT{number:02d}")
    engine.close()
    with on_disk(path, clock=lambda: now[0]) as engine:
        with pytest.raises(Busy, match="5 answers were given"):
            engine.challenge("alice", client_question="CLIENT99")
        assert engine.verify("alice", ocra(SIGNING, KEY, asked.prompt + "CLIENT04"),
                             challenge=asked.id)  # fmt: skip
    with on_disk(path, clock=lambda: now[0]) as engine:
        assert engine.challenge("alice", client_question="CLIENT99").answer


def test_a_refusal_changes_nothing(bench: Bench) -> None:
    for number in range(ANSWERS_MAX):
        asked = bench.engine.challenge("alice", client_question=f"CLIENT{number:02d}")
    turns, user = bench.engine.counters()["turns"], bench.engine.user("alice")
    with pytest.raises(Busy):
        bench.engine.challenge("alice", client_question="CLIENT99")
    assert bench.engine.counters()["turns"] == turns and bench.engine.user("alice") == user
    response = ocra(SIGNING, KEY, asked.prompt + "CLIENT04")
    assert bench.engine.verify("alice", response, challenge=asked.id)


def test_awaited_asks_are_the_same(bench: Bench) -> None:
    async def told() -> list[watchword.Challenge]:
        return [
            await bench.engine.achallenge("alice", question="PAY50USD"),
            await bench.engine.achallenge("alice", client_question="CLI22220", platform="portal"),
        ]

    signed, asked = asyncio.run(told())
    assert bench.engine.challenge("alice", question="PAY50USD") == signed
    assert asked.answer == ocra(SIGNING, KEY, "CLI22220" + asked.prompt)


ASKED_PRESETS = [name for name, (mechanism, _) in PRESETS.items() if mechanism in ("ocra", "card")]


@pytest.mark.parametrize("kind", ASKED_PRESETS)
def test_a_purpose_holds_for_every_kind_that_is_asked(kind: str) -> None:
    """Step-up: for its purpose alone, by its id alone, once."""
    pin: dict[str, Any] = {"pin": "4711"} if kind == "ib-key" else {}
    bench, device = Bench(), Device.of(kind, KEY, **pin)
    bench.engine.add_user("alice")
    serial = bench.engine.add_device("alice", device)
    asked = bench.engine.challenge("alice", purpose="withdraw 500")
    assert bench.engine.challenge("alice", purpose="withdraw 500") == asked
    if device.mechanism == "card":
        response = bench.engine.card("alice", serial, by="the test").answer(asked.prompt)
    else:
        response = ocra(device.suite, KEY, asked.prompt, **pin)
    assert bench.engine.verify("alice", response).reason.name == "NO_CHALLENGE"
    named: dict[str, Any] = {"challenge": asked.id}
    elsewhere = bench.engine.verify("alice", response, platform="portal", **named)
    assert elsewhere.reason.name == "NO_CHALLENGE"
    verdict = bench.engine.verify("alice", response, **named)
    assert verdict and verdict.kind == kind
    assert not bench.engine.verify("alice", response, **named)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_a_whole_hmac_in_a_batch_and_by_columns(algorithm: str) -> None:
    """Beside others, whose responses are no whole HMACs, and in every row of the kernel's table."""
    suite, bench = f"OCRA-1:HOTP-{algorithm}-0:QN08", Bench()
    for name in ("ann", "bob", "cyd"):
        bench.engine.add_user(name)
    bench.engine.add_device("ann", Device.ocra(KEY, suite))
    bench.engine.add_device("bob", Device.gold(KEY))
    bench.engine.add_device("cyd", Device.totp(KEY))
    right = [
        ocra(suite, KEY, bench.engine.challenge("ann").prompt),
        ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, bench.engine.challenge("bob").prompt),
        watchword.totp(KEY, T // 1000),
    ]
    names = ["ann", "bob", "cyd"]
    turned = bench.engine.verify_many(names, right[1:] + right[:1])
    assert list(turned) == [Code.REJECTED] * 3
    long = [right[0] + "00", right[0][:-1], ""]
    codes = bench.engine.verify_many(["ann"] * 3, long)
    assert list(codes) == [Code.REJECTED, Code.REJECTED, Code.CHALLENGE]
    assert list(bench.engine.verify_many(names, right)) == [Code.ACCEPTED] * 3
