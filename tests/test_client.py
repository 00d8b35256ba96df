"""watchword.client against real daemons: connections cut at every byte, awaits that are cancelled,
daemons that end in between and that say nothing; each login is decided once."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from proxies import Proxy
from served import Served, ended_well

import watchword
from watchword import Code, Refused
from watchword.client import AsyncClient, Client, Verdict

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ended_well(tmp_path_factory.mktemp("client"), "reasons = true\n") as served:
        yield served


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[Any]], Any]:
    def run(awaited: Any) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(awaited)

    return run


def to(daemon: Served) -> str:
    return f"127.0.0.1:{daemon.port}"


def test_verbs(daemon: Served) -> None:
    codes = daemon.enrol("verbs")
    with Client(to(daemon)) as client:
        found = client.verify("verbs", codes.at(0), platform="trading", address="192.0.2.1")
        told = found.code, found.kind, found.scope, found.rank
        assert told == (Code.ACCEPTED, "hotp", "full", 0)
        assert found
        assert found.device
        assert client.verify("verbs", codes.at(0)) == Verdict(Code.REJECTED)
        pairs = [("verbs", codes.at(n)) for n in (1, 2, 2, 3)]
        each = client.verify_each(pairs)
        assert [bool(verdict) for verdict in each] == [True, True, False, True]
        said = client.verify_many(["verbs", "nobody"], [codes.at(4), "1"], platform="portal")
        assert said == [Code.ACCEPTED, Code.REJECTED]
        asked = client.challenge("nobody", platform="portal", purpose="wire 100")
        assert asked.prompt
        assert client.challenge("nobody", platform="portal", purpose="wire 100") == asked
        assert client.push("nobody", purpose="wire").id
        assert client.command("PING") == "PONG"
        with pytest.raises(watchword.Error):
            client.question("nobody")


def test_awaited_verbs(daemon: Served, run: Callable[[Any], Any]) -> None:
    name = f"awaited{time.monotonic_ns()}"
    codes = daemon.enrol(name)

    async def ask() -> None:
        async with AsyncClient(to(daemon)) as client:
            calls = [client.verify(name, codes.at(n)) for n in (0, 0, 1, 2)]
            verdicts = await asyncio.gather(*calls, client.verify("nobody", "1"))
            assert [bool(verdict) for verdict in verdicts] == [True, False, True, True, False]
            said = await client.verify_many([name] * 5000, [codes.at(3)] * 5000)
            assert said.count(Code.ACCEPTED) == 1
            assert (await client.challenge("nobody")).prompt
            push = await client.push("nobody")
            with contextlib.suppress(watchword.Error):
                await client.verify("nobody", "", challenge=push.id, wait_s=0.2)
            assert await client.command("PING") == "PONG"
            with pytest.raises(Refused, match="unknown command"):
                await client.command("NOSUCH")

    run(ask())


def test_over_a_unix_socket(daemon: Served) -> None:
    with Client(str(daemon.admin)) as client:
        assert client.verify("nobody", "123456").code is Code.REJECTED


# A way, and enough of its bytes for a greeting and a login with its answer.
WAYS = [("up", 230), ("down", 420)]


@pytest.mark.parametrize(("way", "most"), WAYS)
def test_a_connection_is_cut_at_every_byte(daemon: Served, way: str, most: int) -> None:
    """A login whose answer was lost is accepted all the same: were it decided again, its code would
    be used up already."""
    name = f"cut{way}"
    codes = daemon.enrol(name)
    with Proxy(daemon.port) as proxy:
        for at in range(most):
            proxy.cuts.append((way, at))
            with Client(proxy.address, timeout_s=5.0) as client:
                assert client.verify(name, codes.at(at)), f"cut after {at} bytes {way}"
            proxy.cuts.clear()
        assert proxy.connections > most + most // 2


@pytest.mark.parametrize(("way", "most"), WAYS)
def test_an_awaited_connection_is_cut_here_and_there(
    daemon: Served, run: Callable[[Any], Any], way: str, most: int
) -> None:
    names = [f"cut{n}x{time.monotonic_ns()}" for n in range(5)]
    codes = [daemon.enrol(name) for name in names]

    async def ask(proxy: Proxy) -> None:
        for at in range(3, most, 13):
            proxy.cuts.append((way, at))
            async with AsyncClient(proxy.address) as client:
                shown = (codes[n].at(at // 13) for n in range(5))
                calls = [client.verify(*pair) for pair in zip(names, shown, strict=True)]
                verdicts = await asyncio.gather(*calls)
                assert all(verdicts), f"cut after {at} bytes {way}: {verdicts}"
            proxy.cuts.clear()

    with Proxy(daemon.port) as proxy:
        run(ask(proxy))


def test_pipelines_and_columns_are_cut(daemon: Served) -> None:
    codes = daemon.enrol("columns")
    with Proxy(daemon.port) as proxy:
        for number, at in enumerate(range(150, 6000, 450)):
            first = 30 * number
            for way in ("up", "down"):
                proxy.cuts.append((way, at))
            with Client(proxy.address) as client:
                pairs = [("columns", codes.at(first + n)) for n in range(20)]
                assert all(client.verify_each(pairs)), f"cut at {at}"
                users = ["columns"] * 10
                responses = [codes.at(first + 20 + n) for n in range(10)]
                assert client.verify_many(users, responses) == [Code.ACCEPTED] * 10
            proxy.cuts.clear()


def test_a_cancelled_await_is_nobody_elses_answer(
    daemon: Served, run: Callable[[Any], Any]
) -> None:
    name = f"cancelled{time.monotonic_ns()}"
    codes = daemon.enrol(name)

    async def ask() -> None:
        async with AsyncClient(to(daemon)) as client:
            assert await client.verify(name, codes.at(0))
            for n in range(1, 40):
                calls = [asyncio.ensure_future(client.verify(name, codes.at(n))),
                         asyncio.ensure_future(client.verify("nobody", "1"))]
                for _ in range(n % 4):
                    await asyncio.sleep(0)
                calls[n % 2].cancel()
                told = await asyncio.gather(*calls, return_exceptions=True)
                assert isinstance(told[n % 2], (asyncio.CancelledError, Verdict))
                other = told[1 - n % 2]
                assert isinstance(other, Verdict)
                assert bool(other) is (n % 2 == 1)

    run(ask())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_that_ends_and_comes_again(
    tmp_path: Path, run: Callable[[Any], Any], number: signal.Signals
) -> None:
    """Whoever asks meanwhile waits; nobody is decided twice, for the ids outlive the daemon."""
    served = Served(tmp_path)
    try:
        served.start()
        codes = [served.enrol(f"user{n}") for n in range(4)]
        with Proxy(served.port) as proxy:

            def restart() -> None:
                served.stop(number)
                proxy.to = served.start().port

            async def ask() -> None:
                async with AsyncClient(proxy.address, retry_s=30.0) as client:
                    ends = asyncio.to_thread(restart)
                    asking = asyncio.ensure_future(asks(client))
                    await ends
                    last = len(done)
                    while len(done) < last + 20:
                        await asyncio.sleep(0.01)
                    stop.append(True)
                    await asking

            async def asks(client: AsyncClient) -> None:
                while not stop:
                    at = len(done) // 4
                    batch = [client.verify(f"user{n}", codes[n].at(at)) for n in range(4)]
                    done.extend(await asyncio.gather(*batch))

            done: list[Verdict] = []
            stop: list[bool] = []
            run(ask())
        assert all(done), [verdict.code.name for verdict in done]
        assert served.stop() == 0
        assert served.healthy(), served.said()
    finally:
        served.stop(signal.SIGKILL)
