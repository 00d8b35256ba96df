"""References and memory: what the extension borrows it gives back, and nothing grows with use.

References are counted on the very objects that go in; memory by the resident size after a warm-up,
over many more rounds than any cache of ours is deep. Each way of looking must see a leak that is
made on purpose.
"""

import asyncio
import contextlib
import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import frame
from standing import KEY, T, step_code
from test_connection import Stage, played

from watchword import Device, Engine, Error, _engine

ROUNDS = 200
GROWTH_BYTES_MAX = 512 << 10  # over all rounds; one attempt's bytes leaked each time are more
PAGE_BYTES = 4096


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def counts(objects: list[Any]) -> list[int]:
    gc.collect()
    return [sys.getrefcount(each) for each in objects]


def borrowed(call: Callable[[], object], objects: list[Any]) -> list[int]:
    """How many references to each object a call has kept, over a few calls."""
    call()  # whatever is cached once is cached now
    before = counts(objects)
    for _ in range(10):
        call()
    return [after - was for was, after in zip(before, counts(objects), strict=True)]


def growth(call: Callable[[], object], rounds: int) -> tuple[int, int]:
    """By how many bytes the process and Python's own heap grew."""
    for _ in range(max(10, rounds // 10)):
        call()
    gc.collect()
    tracemalloc.start()
    traced, resident = tracemalloc.get_traced_memory()[0], resident_bytes()
    try:
        for _ in range(rounds):
            call()
        gc.collect()
        return resident_bytes() - resident, tracemalloc.get_traced_memory()[0] - traced
    finally:
        tracemalloc.stop()


@pytest.fixture
def crowd() -> Iterator[Engine]:
    """Users with devices of every hash, and some without."""
    with Engine.open(clock=lambda: T) as engine:
        engine.add_users([f"user{i}" for i in range(64)])
        for i, algorithm in enumerate(("sha1", "sha256", "sha512")):
            engine.add_device(f"user{i}", Device.totp(KEY, algorithm=algorithm), serial=f"S{i}")
        yield engine


def text(word: str) -> str:
    """A string of its own: one that the interpreter shares would hide what is kept of it."""
    return "".join(list(word))


USERS = [text(f"user{i}") for i in range(40)] + [text("nobody"), text("Not a name"), "\udc80x"]
CODES = [text(f"{i:06}") for i in range(42)] + ["9" * 400]
DEVICES = [text(f"S{i % 5}") for i in range(43)]
ADDRESSES = [text(f"10.0.0.{i}") for i in range(43)]
NAMES = np.array([f"user{i}" for i in range(64)] * 2)
FORMS: dict[str, tuple[Any, ...]] = {
    "lists": (USERS, CODES, None, None),
    "tuples": (tuple(USERS), tuple(CODES), None, None),
    "bytes": ([b"user1" + bytes([97 + i]) for i in range(9)], [b"12345%d" % i for i in range(9)],
              None, None),
    "everything": (USERS, CODES, DEVICES, ADDRESSES),
    "columns": (NAMES.astype("S9"), np.array(["000000"] * 128, "S6"), None, None),
    "strided columns": (NAMES.astype("S9")[::-2], np.array(["000000"] * 128, "S6")[::2],
                        None, None),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_verify_many_gives_back_what_it_borrows(crowd: Engine, form: str) -> None:
    users, responses, devices, addresses = FORMS[form]
    objects = [users, responses, devices, addresses]
    if not isinstance(users, np.ndarray):
        objects += [*users, *responses, *(devices or []), *(addresses or [])]
    objects = [each for each in objects if each is not None]

    def call() -> None:
        crowd.verify_many(users, responses, devices=devices, addresses=addresses)

    assert set(borrowed(call, objects)) == {0}


NUMBER: Any = 3.5
REFUSED: dict[str, Callable[[Engine, str, str], object]] = {
    "a name that is no text": lambda e, u, c: e.verify(NUMBER, c),
    "a code that is no text": lambda e, u, c: e.verify(u, NUMBER),
    "an address that is none": lambda e, u, c: e.verify(u, c, address="nowhere"),
    "a platform that is none": lambda e, u, c: e.verify(u, c, platform="moon"),
    "a bad entry among good ones": lambda e, u, c: e.verify_many([u, u, NUMBER], [c] * 3),
    "a bad address among good ones": lambda e, u, c: e.verify_many([u] * 2, [c] * 2,
                                                                   addresses=["::1", "x"]),
    "columns of other lengths": lambda e, u, c: e.verify_many([u] * 2, [c]),
    "a name that is taken": lambda e, u, c: e.add_users([u, "user1"]),
    "keys of other lengths": lambda e, u, c: e.add_users(["new1", u], [b"k" * 20, b"k" * 21]),
    "a device of nobody": lambda e, u, c: e.add_device(c, Device.totp(KEY)),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_misuse_keeps_nothing(crowd: Engine, what: str) -> None:
    user, code = text("user7"), text("123456")

    def call() -> None:
        with contextlib.suppress(Error):
            REFUSED[what](crowd, user, code)
            pytest.fail(f"{what} was not refused")

    assert borrowed(call, [user, code]) == [0, 0]


def test_verify_gives_back_what_it_borrows(crowd: Engine) -> None:
    user, code, serial, address = text("user0"), text(step_code()), text("S0"), text("10.1.1.1")
    kept = borrowed(
        lambda: crowd.verify(user, code, device=serial, address=address),
        [user, code, serial, address, crowd, crowd._core, crowd._one],
    )
    assert set(kept) == {0}


def test_awaited_attempts_leave_nothing_behind(crowd: Engine) -> None:
    user, code = text("user1"), text("000000")

    async def many() -> None:
        await asyncio.gather(*(crowd.averify(user, code) for _ in range(50)))

    assert borrowed(lambda: asyncio.run(many()), [user, code]) == [0, 0]


def test_parsed_frames_are_let_go() -> None:
    sent = b"".join([b"*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n"] * 50 + [b"*1\r\n+"])
    cuts = list(range(1, len(sent), 7))
    assert borrowed(lambda: _engine.wire_parse(sent, cuts, 1), [sent, cuts]) == [0, 0]


def churn(crowd: Engine) -> None:
    """Users and devices come and go, logins are refused, pages are made and read back."""
    crowd.add_user("temporary")
    serial = crowd.add_device("temporary", Device.totp(KEY, algorithm="sha512"))
    crowd.verify("temporary", "000000", address="10.2.3.4")
    crowd.remove_device("temporary", serial)
    crowd.remove_user("temporary")
    crowd.verify_many(*FORMS["everything"][:2], devices=DEVICES, addresses=ADDRESSES)
    crowd.verify_many(*FORMS["columns"][:2])
    core = crowd._core
    core.page_identity(0)
    core.page_state(0)
    core.load_state(0, b"not a page")
    core.replay(b"not a row", b"", b"")
    with contextlib.suppress(Error):
        crowd.verify("user1", "000000", address="nowhere")


def test_memory_does_not_grow_with_use(crowd: Engine) -> None:
    resident, traced = growth(lambda: churn(crowd), ROUNDS)
    assert traced < GROWTH_BYTES_MAX
    assert resident < GROWTH_BYTES_MAX


def test_engines_that_come_and_go_leave_no_memory() -> None:
    def call() -> None:
        with Engine.open(clock=lambda: T) as engine:
            engine.add_user("alice")
            engine.verify("alice", "000000")

    resident, traced = growth(call, 30)
    assert traced < GROWTH_BYTES_MAX
    assert resident < GROWTH_BYTES_MAX * 4  # thirty engines of tables would be hundreds of MB


async def visits(stage: Stage, rounds: int) -> None:
    """Connections that come, make their buffers grow, say something wrong, and go."""
    long = "x" * 60_000
    for _ in range(rounds):
        async with stage.client() as client:
            await client.hears(frame("ECHO", long), b"$60000\r\n" + long.encode() + b"\r\n")
            client.writer.write(frame("VERIFY", "nobody", "000000") * 200)
            await client.reads(1_000)
        async with stage.client() as client:
            client.writer.write(b"*1\r\n$70000000\r\n")
            await client.hears_the_end(b"-ERR Protocol error: invalid bulk length\r\n")


def test_connections_leave_their_buffers_behind() -> None:
    async def scene() -> None:
        async with Stage() as stage:
            await visits(stage, 20)
            before = resident_bytes()
            await visits(stage, 100)
            assert resident_bytes() - before < 4 * GROWTH_BYTES_MAX  # their sockets' own among it
            assert len(stage.clients) <= 1

    played(scene)


def test_a_planted_leak_is_seen(crowd: Engine) -> None:
    kept: list[Any] = []
    user = text("user7")
    assert borrowed(lambda: kept.append(user), [user]) == [10]
    assert growth(lambda: kept.append(bytearray(8192)), ROUNDS)[1] > GROWTH_BYTES_MAX
    rows: list[Any] = []

    def leak() -> None:
        batch = _engine.Batch(1)
        batch.put("user1", "000000")
        rows.append((batch, np.ones(8192, np.uint8)))

    assert growth(leak, ROUNDS)[0] > GROWTH_BYTES_MAX
