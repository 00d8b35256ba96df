"""Code cards: cells and pairs against the twin and against what RULES sections 3 and 4 promise of
them; what a card is enrolled as, shows of itself, and leaves behind. The rules of time and order
are tables (tests/card_tables.py).
"""

import asyncio
import dataclasses
import hmac
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing import KEY, Bench, on_disk

import watchword
from watchword import Card, Code, Device, InvalidArgument, NotFound, _engine, lifecycle
from watchword import reference_card as twin
from watchword.devices.card import ANSWERS_MAX, CELLS, cells
from watchword.policy import Policy

ASK_KEY = bytes(range(48))
PAIRS = 224 * 223 // 2
KEYS = st.binary(min_size=10, max_size=128)


def pairs(once: bool = False, key: bytes = KEY, until: int | None = None) -> list[tuple[int, int]]:
    until = (112 if once else ANSWERS_MAX) if until is None else until
    return [_engine.card_pair(ASK_KEY, key, once, n) for n in range(until)]


# ---- cells ----


def test_cells_as_they_are_written_down() -> None:
    """By hand: HMAC-SHA-1 of "card" and the index, truncated; five bits a character."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    assert set("0O1I") & set(alphabet) == set()
    assert len(set(alphabet)) == 32
    shown = cells(KEY)
    for index in (1, 2, 17, 223, 224):
        mac = hmac.digest(KEY, b"card" + bytes([0, 0, 0, index]), "sha1")
        number = int.from_bytes(mac[mac[19] & 15 :][:4], "big")
        bits = f"{number % 2**15:015b}"
        assert shown[index - 1] == "".join(alphabet[int(bits[at : at + 5], 2)] for at in (0, 5, 10))
    assert cells(b"1" * 20)[:3] == ("LM9", "MM4", "8QC")


@settings(max_examples=30)
@given(KEYS)
def test_cells_are_the_twins(key: bytes) -> None:
    assert cells(key) == tuple(twin.cell(key, index) for index in range(1, CELLS + 1))


@pytest.mark.parametrize("row", _engine.kernels())
def test_every_kernel_row_makes_the_same_card(row: str) -> None:
    expected = cells(KEY)
    _engine.kernel_force(row)
    try:
        assert cells(KEY) == expected
    finally:
        _engine.kernel_force(None)


def test_every_letter_comes_at_every_place() -> None:
    found: list[set[str]] = [set(), set(), set()]
    for number in range(20):
        for cell in cells(KEY + bytes([number])):
            for at, letter in enumerate(cell):
                found[at].add(letter)
    assert found == [set(twin.ALPHABET)] * 3


# ---- pairs ----


def test_no_pair_comes_again_before_all_were_asked() -> None:
    asked = pairs()
    first, second = asked[:PAIRS], asked[PAIRS:]
    every = set(itertools.combinations(range(1, CELLS + 1), 2))
    assert {(min(two), max(two)) for two in first} == every
    assert {(min(two), max(two)) for two in second} == every
    assert first != second
    assert len(set(asked)) == len(asked) == ANSWERS_MAX, "then each comes the other way round"
    turned = sum(a > b for a, b in first)
    assert PAIRS * 0.45 < turned < PAIRS * 0.55


def test_strict_shows_every_cell_once() -> None:
    shown = [index for two in pairs(once=True) for index in two]
    assert sorted(shown) == list(range(1, CELLS + 1))
    assert shown != sorted(shown)
    with pytest.raises(InvalidArgument):
        _engine.card_pair(ASK_KEY, KEY, True, 112)


@settings(max_examples=200)
@given(KEYS, st.booleans(), st.integers(0, ANSWERS_MAX - 1))
def test_pairs_are_the_twins(key: bytes, once: bool, n: int) -> None:
    n = n % 112 if once else n
    expected = twin.pair(ASK_KEY[:16], twin.who_of(key), once, n)
    assert _engine.card_pair(ASK_KEY, key, once, n) == expected


def test_each_card_and_each_store_has_its_own_order() -> None:
    mine = pairs(until=50)
    assert mine != pairs(key=KEY + b"x", until=50)
    other = bytes([*ASK_KEY[:15], 99, *ASK_KEY[16:]])
    assert mine != [_engine.card_pair(other, KEY, False, n) for n in range(50)]


# ---- through the engine ----


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.code_card(KEY), serial="C1")
    with bench.engine:
        yield bench


def test_a_thousand_asks_show_one_pair(bench: Bench) -> None:
    """Nobody can collect cells: not by asking, not by purposes, platforms or waiting."""
    prompts = set()
    for at in range(1_000):
        bench.now += at * 1_000
        asked = bench.engine.challenge(
            "alice", platform=("trading", "portal")[at % 2], purpose=(None, "a", "b")[at % 3]
        )
        prompts.add(asked.prompt)
        assert asked.expires_ms == 0
    assert len(prompts) == 1


@pytest.mark.parametrize(
    "typed", ["", "aaaaaa", "ABCDE", "ABCDEFG", "0O1I0O", "A B C ", "\u0661" * 6, "A" * 999]
)
def test_what_is_no_answer_is_refused(bench: Bench, typed: str) -> None:
    asked = bench.engine.challenge("alice")
    right = Card("", "", cells(KEY)).answer(asked.prompt)
    for text in (typed, right.lower(), right + " ", " " + right[1:], right[3:] + right[:3]):
        assert not bench.engine.verify("alice", text)
    assert bench.engine.challenge("alice") == asked
    assert bench.engine.verify("alice", right).code is Code.ACCEPTED


def test_every_other_character_is_wrong_at_every_place(bench: Bench) -> None:
    """The letters are read by arithmetic: each of 256 bytes must mean itself and nothing else."""
    for at in range(6):
        asked = bench.engine.challenge("alice")
        right = Card("", "", cells(KEY)).answer(asked.prompt).encode()
        wrong = [
            right[:at] + bytes([byte]) + right[at + 1 :]
            for byte in range(1, 256) if byte != right[at]
        ]  # fmt: skip
        for start in range(0, len(wrong), 9):
            some = wrong[start : start + 9]
            codes = bench.engine.verify_many(["alice"] * len(some), np.array(some, "S6"))
            assert set(codes) == {Code.REJECTED}
            bench.engine.unlock("alice", by="a test")
            bench.engine.set_device("alice", "C1", state="active")
        assert bench.engine.verify("alice", right.decode()).code is Code.ACCEPTED


def test_eight_threads_with_one_answer_make_one_acceptance(bench: Bench) -> None:
    asked = bench.engine.challenge("alice")
    code = bench.engine.card("alice", "C1", by="x").answer(asked.prompt)
    verdicts, ready = [], threading.Barrier(8)

    def gateway(number: int) -> None:
        ready.wait()
        named = {"challenge": asked.id} if number % 2 else {}
        verdicts.append(bench.engine.verify("alice", code, **named).code)

    threads = [threading.Thread(target=gateway, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts.count(Code.ACCEPTED) == 1


def test_cards_in_bulk(bench: Bench) -> None:
    """More answers than fit one call of the kernel, each right once, among devices of all sorts."""
    engine, count = bench.engine, 700
    users = [f"user{number}" for number in range(count)]
    keys = [KEY + number.to_bytes(2, "big") for number in range(count)]
    engine.add_users(users, keys, device=Device.code_card(KEY))
    for number in range(0, count, 5):
        engine.add_device(users[number], Device.totp(KEY))
    answers = [
        Card("", "", cells(key)).answer(engine.challenge(name).prompt)
        for name, key in zip(users, keys, strict=True)
    ]
    assert set(engine.verify_many(users, [*answers[1:], answers[0]])) == {Code.REJECTED}
    assert set(engine.verify_many(users, answers, threads=2)) == {Code.ACCEPTED}
    assert set(engine.verify_many(users, answers)) == {Code.REJECTED}


def test_awaited(bench: Bench) -> None:
    async def main() -> Code:
        asked = await bench.engine.achallenge("alice")
        answer = Card("", "", cells(KEY)).answer(asked.prompt)
        return (await bench.engine.averify("alice", answer, challenge=asked.id)).code

    assert asyncio.run(main()) is Code.ACCEPTED


@pytest.mark.parametrize("pages", [True, False])
def test_an_answer_stays_given(tmp_path: Path, pages: bool) -> None:
    """Through the pages of a store that was closed, and through the journal of one that was not."""
    path = tmp_path / "store"
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.code_card(KEY), serial="C1")
        card = engine.card("alice", "C1", by="x")
        first = engine.challenge("alice", platform="portal")
        assert engine.verify("alice", card.answer(first.prompt), platform="portal")
        asked = engine.challenge("alice", platform="portal", purpose="wire")
        if pages:
            engine._keeper.write()  # type: ignore[union-attr]
        seen = engine.user("alice")
    with on_disk(path) as engine:
        assert engine.user("alice") == seen
        assert engine.card("alice", "C1", by="x") == card
        named = {"platform": "portal", "challenge": first.id}
        assert not engine.verify("alice", card.answer(first.prompt), **named)
        assert engine.challenge("alice", platform="portal", purpose="wire") == asked
        named["challenge"] = asked.id
        assert engine.verify("alice", card.answer(asked.prompt), **named)


def test_removed_and_enrolled_again_it_goes_on(tmp_path: Path) -> None:
    with on_disk(tmp_path / "store") as engine:
        card, prompts = Card("", "", cells(KEY)), set()
        for _ in range(4):
            engine.add_user("alice")
            engine.add_device("alice", Device.code_card(KEY), serial="C1")
            for _ in range(3):
                asked = engine.challenge("alice")
                prompts.add(asked.prompt)
                assert engine.verify("alice", card.answer(asked.prompt))
            engine.remove_user("alice")
        assert len(prompts) == 12


def test_a_key_that_was_a_card_of_the_other_mode_is_spent(tmp_path: Path) -> None:
    """In another order a cell or a pair that was used could come again: nothing is asked of it."""
    policy = Policy(card_cells_once=True)
    with watchword.Engine.open(tmp_path / "store", b"k" * 32) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.code_card(KEY), serial="C1")
        answer = Card("", "", cells(KEY)).answer(engine.challenge("alice").prompt)
        assert engine.verify("alice", answer)
        engine.remove_device("alice", "C1")
    with watchword.Engine.open(tmp_path / "store", b"k" * 32, policy) as engine:
        engine.add_device("alice", Device.code_card(KEY), serial="C2")
        (view,) = engine.user("alice").devices
        assert (view.once, view.moving, view.answers_left) == (True, ANSWERS_MAX, 0)
        assert engine.challenge("alice").kind == "dsc-plus", "a plausible one"


# ---- strength ----


@pytest.mark.parametrize(("once", "percent", "most"), [
    (True, 50, 56), (True, 100, 112), (True, 1, 2), (False, 50, 110), (False, 1, 2),
])  # fmt: skip
def test_strength(once: bool, percent: int, most: int) -> None:
    bench = Bench(card_cells_once=once, card_shown_percent=percent)
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.code_card(KEY), serial="C1")
    card, shown, left = Card("", "", cells(KEY)), set(), []
    with bench.engine as engine:
        while True:
            (view,) = engine.user("alice").devices
            assert view.once == once
            left.append(view.answers_left)
            if not view.answers_left:
                break
            assert len(shown) * 100 < percent * CELLS
            asked = engine.challenge("alice")
            shown |= set(asked.prompt.split())
            assert engine.verify("alice", card.answer(asked.prompt))
    assert len(shown) * 100 >= percent * CELLS
    assert left == list(range(len(left)))[::-1]
    assert len(left) - 1 == most if once else len(left) - 1 <= most


def test_the_strict_profile_shows_no_cell_twice() -> None:
    assert Policy.profile("strict").card_cells_once
    assert not Policy().card_cells_once
    bench = Bench(card_cells_once=True)
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.code_card(KEY), serial="C1")
    card, shown = Card("", "", cells(KEY)), []
    with bench.engine as engine:
        for _ in range(112):
            asked = engine.challenge("alice")
            shown += asked.prompt.split()
            assert engine.verify("alice", card.answer(asked.prompt))
        assert len(set(shown)) == 224
        before = engine.challenge("alice")
        assert before.kind != "code-card"
        assert engine.verify("alice", card.answer(asked.prompt)).reason.name == "NO_CHALLENGE"


# ---- enrolment and misuse ----


@pytest.mark.parametrize(("figures", "words"), [
    ({"counter": -1}, "counter must be from 0 to 49952"),
    ({"counter": ANSWERS_MAX + 1}, "counter must be from 0 to 49952"),
    ({"digits": 8}, "figures must be left out"),
    ({"window": (1, 1)}, "figures must be left out"),
    ({"look_ahead": 1}, "figures must be left out"),
    ({"algorithm": "sha256"}, "figures must be left out"),
    ({"suite": "OCRA-1:HOTP-SHA1-6:QN08"}, "suite, pin, pin_hash must be left out"),
    ({"once": "yes"}, "once is true or false"),
])  # fmt: skip
def test_a_card_has_its_key_alone(figures: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        dataclasses.replace(Device.code_card(KEY), **figures)


def test_no_other_device_is_a_card() -> None:
    with pytest.raises(InvalidArgument, match="once must be left out"):
        dataclasses.replace(Device.totp(KEY), once=True)
    with pytest.raises(InvalidArgument, match="kind must be one of"):
        Device("card", KEY)


@pytest.mark.parametrize(
    "prompt", ["", "1", "1 1", "0 5", "5 225", "1 2 3", "1  2", "a b", "-1 2", "\u0661 2", None]
)
def test_indices_that_no_card_has(prompt: Any) -> None:
    with pytest.raises(InvalidArgument, match="two different indices from 1 to 224"):
        Card("", "", cells(KEY)).answer(prompt)


@pytest.mark.parametrize(
    ("figure", "words"),
    [({"card_shown_percent": 0}, "1 to 100"), ({"card_shown_percent": 101}, "1 to 100"),
     ({"card_cells_once": 1}, "card_cells_once is true or false"),
     ({"challenge_kinds": ("card",)}, "code-card, online-code-card")],
)  # fmt: skip
def test_figures_of_the_policy(figure: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        Policy(**figure)


def test_a_card_is_shown_and_that_is_recorded_first(bench: Bench) -> None:
    shown = bench.engine.card("alice", "C1", by="desk 4")
    assert shown.cells == cells(KEY)
    (record,) = bench.last()
    assert record.event == lifecycle.NOTE
    assert record.tail.rstrip(b"\0") == b"card C1 of alice shown by desk 4"
    assert shown.cells[0] not in repr(shown)


def test_what_is_no_card_is_not_shown(bench: Bench) -> None:
    engine = bench.engine
    engine.add_device("alice", Device.totp(KEY + b"t"), serial="T1")
    turns = engine.counters()["turns"]
    for name, serial in (("nobody", "C1"), ("alice", "C2")):
        with pytest.raises(NotFound):
            engine.card(name, serial, by="x")
    with pytest.raises(InvalidArgument, match="device is a code-card or an online-code-card"):
        engine.card("alice", "T1", by="x")
    for by in ("", "x" * 129):
        with pytest.raises(InvalidArgument, match="by is text of 1 to 128 bytes"):
            engine.card("alice", "C1", by=by)
    assert engine.counters()["turns"] == turns
