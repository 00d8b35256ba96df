"""ext/gather.pxi: concurrent attempts of one event loop share a turn and a sync.

Through `await engine.averify`, on the standard loop and on uvloop, over stores in memory and on
disk. Codes come from pyotp.
"""

import asyncio
import base64
import contextlib
import gc
import random
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pyotp
import pytest
import uvloop

from watchword import Code, Device, Engine, InvalidArgument, Reason, StoreFailed
from watchword._engine import BATCH_ATTEMPTS_MAX

KEY = b"12345678901234567890"
CODES = pyotp.HOTP(base64.b32encode(KEY).decode())
NOW_MS = 1_700_000_000_000
Run = Callable[[Awaitable[object]], object]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner.run


@pytest.fixture(params=["memory", "disk"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    path = ":memory:" if request.param == "memory" else tmp_path / "store"
    with Engine.open(path, clock=lambda: NOW_MS) as opened:
        yield opened


def enrol(engine: Engine, *names: str) -> None:
    for name in names:
        engine.add_user(name)
        engine.add_device(name, Device.hotp(KEY))


def turns(engine: Engine) -> int:
    return engine.counters()["turns"]


def test_one_loop_pass_is_one_turn(engine: Engine, run: Run) -> None:
    names = [f"user{i}" for i in range(60)]
    enrol(engine, *names)

    async def all_at_once() -> list[Code]:
        verdicts = await asyncio.gather(*(engine.averify(name, CODES.at(0)) for name in names))
        return [verdict.code for verdict in verdicts]

    before = turns(engine)
    assert run(all_at_once()) == [Code.ACCEPTED] * 60
    assert turns(engine) == before + 1


@pytest.mark.parametrize("kept", [":memory:", "store"])
def test_a_clock_that_fails_is_told_to_whoever_asked(kept: str, run: Run, tmp_path: Path) -> None:
    """Nothing was decided: the same codes are right as soon as there is a time again."""
    path = kept if kept == ":memory:" else tmp_path / kept
    times: list[int] = [NOW_MS] * 3

    def clock() -> int:
        return times.pop()

    async def alice(*counters: int) -> list[object]:
        asked = [engine.averify("alice", CODES.at(at)) for at in counters]
        said = await asyncio.gather(*asked, return_exceptions=True)
        return [getattr(one, "code", type(one)) for one in said]

    with Engine.open(path, clock=clock) as engine:
        enrol(engine, "alice")
        times.clear()
        assert run(alice(0, 1)) == [IndexError, IndexError]
        assert run(alice(0)) == [IndexError]
        times[:] = [NOW_MS]
        assert run(alice(0, 1)) == [Code.ACCEPTED, Code.ACCEPTED]
        times[:] = [NOW_MS] * 2
        assert engine.user("alice").failures == 0 and engine.verify("alice", CODES.at(2))


def test_an_attempt_alone_is_a_turn_at_once(engine: Engine, run: Run) -> None:
    enrol(engine, "alice")

    async def one_after_the_other() -> list[Code]:
        return [(await engine.averify("alice", CODES.at(i))).code for i in (0, 0, 1, 3, 2)]

    accepted, rejected = Code.ACCEPTED, Code.REJECTED
    assert run(one_after_the_other()) == [accepted, rejected, accepted, accepted, rejected]


def test_the_same_code_at_once_is_accepted_once(engine: Engine, run: Run) -> None:
    enrol(engine, "alice")

    async def race() -> list[Code]:
        verdicts = await asyncio.gather(*(engine.averify("alice", CODES.at(0)) for _ in range(50)))
        return [verdict.code for verdict in verdicts]

    codes = run(race())
    assert codes == [Code.ACCEPTED] + [Code.REJECTED] * 10 + [Code.LOCKED] * 39


def test_more_than_a_batch_at_once_are_all_decided(engine: Engine, run: Run) -> None:
    """Two batches and a half: nobody is shed while there is room to wait."""
    enrol(engine, "alice")
    count = 2 * BATCH_ATTEMPTS_MAX + BATCH_ATTEMPTS_MAX // 2

    async def crowd() -> list[Code]:
        asked = [engine.averify(f"nobody{i}", "1") for i in range(count)]
        verdicts = await asyncio.gather(*asked, engine.averify("alice", CODES.at(0)))
        return [verdict.code for verdict in verdicts]

    before = turns(engine)
    assert run(crowd()) == [Code.REJECTED] * count + [Code.ACCEPTED]
    assert turns(engine) == before + 3


def test_beyond_the_queue_it_is_busy(run: Run) -> None:
    """8,192 in the batch, 65,536 waiting, and what comes then hears BUSY at once."""

    async def crowd(engine: Engine) -> dict[Code, int]:
        asked = [engine.averify("", "1") for _ in range(BATCH_ATTEMPTS_MAX + 65_536 + 100)]
        verdicts = await asyncio.gather(*asked)
        shed = [verdict for verdict in verdicts if verdict.code is Code.BUSY]
        assert all(v.reason is Reason.LOAD and not v and v.device is None for v in shed)
        return {code: sum(v.code is code for v in verdicts) for code in Code}

    with Engine.open() as engine:
        counted = run(crowd(engine))
    assert counted[Code.BUSY] == 100
    assert counted[Code.BAD_CHARACTER] == BATCH_ATTEMPTS_MAX + 65_536


def test_what_is_wrong_is_said_before_anything_is_counted(engine: Engine, run: Run) -> None:
    enrol(engine, "alice")

    async def misuse() -> None:
        for wrong in (
            {"address": "not an address"}, {"platform": "web"}, {"realm": "demo"}, {"device": 7},
        ):  # fmt: skip
            with pytest.raises(InvalidArgument):
                await engine.averify("alice", "000000", **wrong)
        for name, response in ((None, "1"), ("alice", 123456)):
            with pytest.raises(InvalidArgument):
                await engine.averify(name, response)
        await engine.averify("nobody", "1")

    run(misuse())
    assert engine.user("alice").failures == 0


def test_the_options_reach_the_attempt(engine: Engine, run: Run) -> None:
    enrol(engine, "alice")
    engine.set_user("alice", state="closed", realm="paper")
    serial = engine.user("alice").devices[0].serial

    async def ask(counter: int, **options: str) -> Code:
        return (await engine.averify("alice", CODES.at(counter), **options)).code

    async def all_of_them() -> list[Code]:
        return [
            await ask(0, realm="paper"),
            await ask(1, platform="portal"),
            await ask(2, platform="portal", realm="paper", device="other"),
            await ask(3, platform="portal", realm="paper", device=serial, address="192.0.2.1"),
        ]

    not_permitted = Code.NOT_PERMITTED
    assert run(all_of_them()) == [not_permitted, not_permitted, Code.REJECTED, Code.ACCEPTED]


def test_who_stops_waiting_stops_nobody(engine: Engine, run: Run) -> None:
    enrol(engine, "alice")

    async def leave() -> Code:
        gone = asyncio.ensure_future(engine.averify("alice", CODES.at(0)))
        stays = asyncio.ensure_future(engine.averify("alice", CODES.at(1)))
        await asyncio.sleep(0)
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        return (await stays).code

    assert run(leave()) is Code.ACCEPTED
    assert engine.user("alice").devices[0].counter == 2


def test_threads_and_a_loop_share_the_order(engine: Engine, run: Run, rng: random.Random) -> None:
    """verify in threads beside averify: every code of a shared device is accepted once."""
    enrol(engine, "alice")
    engine.set_user("alice", state="open")

    async def both() -> list[Code]:
        async def counter(i: int) -> list[Code]:
            code = CODES.at(i)
            ways = [engine.averify("alice", code), asyncio.to_thread(engine.verify, "alice", code)]
            rng.shuffle(ways)
            return [verdict.code for verdict in await asyncio.gather(*ways)]

        return [code for i in range(40) for code in await counter(i)]

    assert run(both()).count(Code.ACCEPTED) == 40, rng


def test_an_engine_that_ended_answers_nobody(tmp_path: Path, run: Run) -> None:
    """What is in flight, gathered and still to come when the disk refuses: StoreFailed, each."""
    engine = Engine.open(tmp_path / "store")
    enrol(engine, "alice")

    async def refused() -> None:
        def refuse(rows: object) -> None:
            raise StoreFailed("no space left on device")

        engine._store.append = refuse  # the seam a store's commit goes through
        first = asyncio.ensure_future(engine.averify("alice", CODES.at(0)))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(engine.averify("alice", CODES.at(1)))
        for waiting in (first, second):
            with pytest.raises(StoreFailed):
                await waiting
        with pytest.raises(StoreFailed):
            await engine.averify("alice", CODES.at(2))

    run(refused())
    with pytest.raises(StoreFailed):
        engine.close()


def test_a_loop_that_is_gone_is_not_held(run: Run) -> None:
    """A gather of each loop that ever asked must not keep the loop."""
    with Engine.open() as engine:

        async def ask() -> "weakref.ref[asyncio.AbstractEventLoop]":
            await engine.averify("nobody", "1")
            return weakref.ref(asyncio.get_running_loop())

        loop = asyncio.run(ask())
        gc.collect()
        assert loop() is None


def test_a_loop_whose_clock_failed_is_not_held(run: Run) -> None:
    with Engine.open(clock=lambda: "no time") as engine:

        async def ask() -> "weakref.ref[asyncio.AbstractEventLoop]":
            with pytest.raises(InvalidArgument, match="clock"):
                await engine.averify("nobody", "1")
            return weakref.ref(asyncio.get_running_loop())

        loop = asyncio.run(ask())
        gc.collect()
        assert loop() is None
