"""src/watchword/challenges.py: asking for challenges and answering them through the library, beside
the tables of test_challenges.py: misuse, records, threads, lives of a store, several devices.
"""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from standing import KEY, Bench, on_disk

import watchword
from watchword import Challenge, Code, Device, Engine, InvalidArgument, Policy, lifecycle, ocra

SUITE = "OCRA-1:HOTP-SHA1-6:QN06"
LIFE_MS = 600_000


def answer(challenge: Challenge, key: bytes = KEY, suite: str = SUITE) -> str:
    return ocra(suite, key, challenge.prompt)


@pytest.fixture
def bench() -> Bench:
    """alice with a calculator, at a moment that stands still."""
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.gold(KEY), serial="G1")
    return bench


def test_a_challenge_and_its_answer(bench: Bench) -> None:
    asked = bench.engine.challenge("alice")
    assert (asked.kind, len(asked.prompt), len(asked.id)) == ("gold", 6, 96)
    assert bench.now + LIFE_MS // 2 <= asked.expires_ms <= bench.now + LIFE_MS
    verdict = bench.engine.verify("alice", answer(asked), challenge=asked.id)
    assert (verdict.code, verdict.device, verdict.kind) == (Code.ACCEPTED, "G1", "gold")
    assert verdict.rank == 3


MISUSE: list[tuple[dict[str, Any], str]] = [
    ({"user": "a/b"}, "user"),
    ({"user": ""}, "user"),
    ({"user": None}, "user is str"),
    ({"user": "\ud800"}, "user is text"),
    ({"platform": "desk"}, "platform is one of trading, portal"),
    ({"purpose": ""}, "purpose is text of 1 to 256 bytes"),
    ({"purpose": "p" * 257}, "purpose is text of 1 to 256 bytes"),
    ({"purpose": 7}, "purpose is str"),
    ({"device": 7}, "device is str"),
    ({"gateway": "g" * 65}, "gateway is text of 1 to 64 bytes"),
]


@pytest.mark.parametrize(("given", "words"), MISUSE)
def test_asking_wrongly_is_told_and_asks_nothing(
    bench: Bench, given: dict[str, Any], words: str
) -> None:
    turns = bench.engine.counters()["turns"]
    with pytest.raises(InvalidArgument, match=words):
        bench.engine.challenge(**{"user": "alice", **given})
    with pytest.raises(InvalidArgument, match=words):
        asyncio.run(bench.engine.achallenge(**{"user": "alice", **given}))
    assert bench.engine.counters()["turns"] == turns


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"challenge": 7}, "str"),
        ({"session": "text"}, "session is bytes"),
        ({"session": b"s" * 513}, "session is bytes"),
    ],
)
def test_answering_wrongly_is_told_and_counts_nothing(
    bench: Bench, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        bench.engine.verify("alice", "123456", **given)
    assert bench.engine.user("alice").failures == 0


def test_challenges_of_many_are_a_column_of_their_length(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="challenges has 1 entries, users has 2"):
        bench.engine.verify_many(["alice", "bob"], ["1", "2"], challenges=["x"])


def test_an_id_of_any_text_is_refused_like_any_other(bench: Bench) -> None:
    asked = bench.engine.challenge("alice")
    near = [asked.id[:-1], asked.id + "0", asked.id.upper(), " " + asked.id]
    for text in (*near, "", "x", "\u00e9" * 96, "\ud800", "0" * 9_999):
        verdict = bench.engine.verify("alice", "wrong", challenge=text)
        assert verdict.reason.name == "NO_CHALLENGE", text[:99]
    assert bench.engine.user("alice").devices[0].failures == 0


def test_a_new_challenge_keeps_the_failures(bench: Bench) -> None:
    """Asking empties no streak, neither of the user nor of the device."""
    for at in range(9):
        bench.engine.challenge("alice", purpose=f"wire {at}")
        asked = bench.engine.challenge("alice")
        bench.engine.verify("alice", "wrong", challenge=asked.id)
    assert bench.engine.user("alice").failures == 9
    assert bench.engine.user("alice").devices[0].failures == 9
    asked = bench.engine.challenge("alice")
    assert bench.engine.verify("alice", "wrong").retry_after_ms > 0
    assert bench.engine.verify("alice", answer(asked)).code is Code.LOCKED


def test_every_ask_writes_one_record_of_one_size(bench: Bench) -> None:
    """A name that nobody has costs what a name costs, and so does asking again."""
    rows = bench.engine.tap
    assert rows is not None
    sizes, before = set(), len(rows)
    for name in ("alice", "alice", "nobody"):
        bench.engine.challenge(name)
        (record,) = bench.last()
        assert (record.event, record.verdict, record.effects) == (lifecycle.CHALLENGE, 0, 0)
        assert bool(record.place & 0x80) == (name == "nobody")
        sizes.add(len(rows[-1]))
    assert len(rows) == before + 3
    assert len(sizes) == 1
    bench.engine.challenge("alice", gateway="desk")
    assert b"\x04desk" in rows[-1]


def test_no_record_holds_what_is_asked_or_answered(bench: Bench) -> None:
    asked = bench.engine.challenge("alice", purpose="a wire of 100")
    code = answer(asked)
    bench.engine.verify("alice", code, challenge=asked.id)
    rows = b"".join((bench.engine.tap or [])[2:])
    for secret in (asked.prompt, code, asked.id, "a wire of 100"):
        assert secret.encode() not in rows
    assert bytes.fromhex(asked.id) not in rows


def test_an_engine_that_sheds_load_asks_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.engine, "_shed", lambda: True)
    turns = bench.engine.counters()["turns"]
    with pytest.raises(watchword.Error, match="sheds load"):
        bench.engine.challenge("alice")
    assert bench.engine.counters()["turns"] == turns


def test_a_thousand_asks_show_one_question(bench: Bench) -> None:
    """Nobody can collect questions: the one that stands is shown until it is answered."""
    shown = {bench.engine.challenge("alice") for _ in range(1_000)}
    assert len(shown) == 1


def test_many_threads_with_one_response_make_one_acceptance(bench: Bench) -> None:
    asked = bench.engine.challenge("alice")
    code, verdicts, ready = answer(asked), [], threading.Barrier(8)

    def gateway(number: int) -> None:
        ready.wait()
        given = {"challenge": asked.id} if number % 2 else {}
        verdicts.append(bench.engine.verify("alice", code, **given).code)

    threads = [threading.Thread(target=gateway, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts.count(Code.ACCEPTED) == 1
    assert verdicts.count(Code.REJECTED) == 7


def test_a_batch_answers_each_challenge_once(bench: Bench) -> None:
    engine = bench.engine
    users = [f"user{number}" for number in range(300)]
    for number, name in enumerate(users):
        engine.add_user(name)
        engine.add_device(name, Device.dsc_plus(KEY + number.to_bytes(2, "big")))
    asked = [engine.challenge(name) for name in users]
    assert len({challenge.id for challenge in asked}) == len(users)
    codes = [
        answer(challenge, KEY + number.to_bytes(2, "big"), "OCRA-1:HOTP-SHA1-8:QN06")
        for number, challenge in enumerate(asked)
    ]
    ids = [challenge.id if at % 3 else None for at, challenge in enumerate(asked)]
    shifted = engine.verify_many(users, codes, challenges=[*ids[3:], *ids[:3]])
    first = engine.verify_many(users, codes, challenges=ids)
    again = engine.verify_many(users, codes, challenges=ids)
    assert set(again) == {Code.REJECTED}
    free = [at for at, named in enumerate(ids) if named is None]
    assert all(shifted[at] == Code.ACCEPTED for at in free)
    assert all(shifted[at] == Code.REJECTED for at in range(300) if at % 3)
    assert all(first[at] == Code.ACCEPTED for at in range(300) if at % 3)


def test_awaited_asks_and_answers(bench: Bench) -> None:
    async def main() -> tuple[Challenge, Code, Code]:
        asked = await bench.engine.achallenge("alice", platform="portal")
        assert asked == await bench.engine.achallenge("alice", platform="portal")
        wrong, right = await asyncio.gather(
            bench.engine.averify("alice", "000", platform="portal", challenge=asked.id),
            bench.engine.averify("alice", answer(asked), platform="portal", challenge=asked.id),
        )
        return asked, wrong.code, right.code

    _, wrong, right = asyncio.run(main())
    assert (wrong, right) == (Code.REJECTED, Code.ACCEPTED)


@pytest.mark.parametrize("clean", [True, False])
def test_a_challenge_outlives_the_engine(tmp_path: Path, clean: bool) -> None:
    """Through the pages of a store that was closed, and through the journal of one that was not."""
    path = tmp_path / "store"
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.ib_key(KEY, "4711"), serial="P1")
        engine.add_device("alice", Device.ocra(KEY, "OCRA-1:HOTP-SHA512-10:C-QH40-S064"))
        phone = engine.challenge("alice", device="P1")
        asked = engine.challenge("alice", device="W00000002", platform="portal", purpose="wire")
        if clean:
            engine._keeper.write()  # type: ignore[union-attr]
        seen = engine.user("alice")
        row = engine.counters()["turns"]
    with on_disk(path) as engine:
        assert engine.user("alice") == seen
        assert engine.counters()["turns"] == row
        assert engine.challenge("alice", device="P1") == phone
        again = engine.challenge(
            "alice", device="W00000002", platform="portal", purpose="wire"
        )
        assert again == asked
        code = ocra("OCRA-1:HOTP-SHA256-8:QN06-PSHA256", KEY, phone.prompt, pin="4711")
        verdict = engine.verify("alice", code)
        assert (verdict.code, verdict.kind, verdict.rank) == (Code.ACCEPTED, "ib-key", 1)
    with on_disk(path) as engine:
        assert engine.verify("alice", code, challenge=phone.id).code is Code.REJECTED
        assert engine.challenge("alice", device="P1").id != phone.id


@pytest.mark.parametrize("covered", [True, False])
def test_what_had_run_out_stays_so_when_time_goes_back_across_lives(
    tmp_path: Path, covered: bool
) -> None:
    """The greatest time of any row counts, be it in no page yet or in the pages alone; not the time
    of the last row."""
    path, moment = tmp_path / "store", [1_700_000_010_000]
    with on_disk(path, clock=lambda: moment[0]) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.gold(KEY), serial="G1")
        asked = engine.challenge("alice")
        moment[0] += 2 * LIFE_MS
        engine.verify("bob", "000000")
        moment[0] -= 2 * LIFE_MS
        engine.verify("bob", "000000")
        if covered:
            engine._keeper.write()  # type: ignore[union-attr]
            engine._store.tick()
        assert engine.verify("alice", answer(asked)).code is Code.REJECTED
    for _ in range(2):
        with on_disk(path, clock=lambda: moment[0]) as engine:
            assert engine.challenge("alice") != asked
    with on_disk(path, clock=lambda: moment[0]) as engine:
        stands = engine.challenge("alice")
        assert stands.expires_ms > moment[0] + LIFE_MS
        assert engine.verify("alice", answer(asked), challenge=asked.id).code is Code.REJECTED
        assert engine.verify("alice", answer(stands), challenge=stands.id).code is Code.ACCEPTED


def test_the_policys_ranks_say_who_is_asked_and_reported() -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QN08"
    for rank, expected in ((0, "gold"), (3, "ocra"), (9, "ocra")):
        with Engine.open(policy=Policy(rank_ocra=rank), clock=lambda: 1_000_000) as engine:
            engine.add_user("alice")
            engine.add_device("alice", Device.ocra(KEY, suite), serial="A")
            engine.add_device("alice", Device.gold(KEY), serial="B")
            asked = engine.challenge("alice")
            assert asked.kind == expected
            used = suite if expected == "ocra" else SUITE
            verdict = engine.verify("alice", answer(asked, KEY, used))
            assert (verdict.kind, verdict.rank) == (expected, max(rank, 3))


def test_a_device_shows_what_stands_and_never_a_secret(bench: Bench) -> None:
    bench.engine.challenge("alice", platform="portal", purpose="wire")
    (view,) = bench.engine.user("alice").devices
    assert (view.kind, view.mechanism, view.suite, view.issued) == ("gold", "ocra", SUITE, 1)
    (stands,) = view.challenges
    assert (stands.platform, stands.count, stands.for_purpose) == ("portal", 0, True)
    assert stands.epoch == bench.now // (LIFE_MS // 2)
    assert "wire" not in repr(view)
