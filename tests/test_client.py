"""watchword.client against real daemons: connections cut at every byte, awaits that are cancelled,
daemons that end in between and that say nothing; each login is decided once."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from proxies import Proxy
from served import Served, frame

import watchword
from watchword import Code, InvalidArgument, Refused, Unanswered
from watchword.client import AsyncClient, Client, Verdict

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("client"), "reasons = true\n")
    try:
        yield served.start()
        assert served.stop() == 0
        assert served.healthy(), served.said()
    finally:
        served.stop(signal.SIGKILL)


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
        assert (found.code, found.kind, found.scope, found.rank) == (Code.ACCEPTED, "hotp", "full", 0)
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


class Slow:
    """A daemon that greets and says no more; what it heard is `heard`."""

    def __init__(self, *replies: bytes) -> None:
        self.replies, self.heard = list(replies), b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.to = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                threading.Thread(target=self._hear, args=(client,), daemon=True).start()

    def _hear(self, client: socket.socket) -> None:
        replies = [b"%1\r\n+proto\r\n:3\r\n", *self.replies]
        with contextlib.suppress(OSError):
            while piece := client.recv(65_536):
                self.heard += piece
                for _ in range(piece.count(b"HELLO") + piece.count(b"VERIFY\r\n")):
                    if replies:
                        client.sendall(replies.pop(0))

    def close(self) -> None:
        self._listening.close()
        for one in self._open:
            one.close()


@contextlib.contextmanager
def slow(*replies: bytes) -> Iterator[Slow]:
    daemon = Slow(*replies)
    try:
        yield daemon
    finally:
        daemon.close()


def test_a_daemon_that_says_nothing_is_unanswered() -> None:
    with slow() as daemon, Client(daemon.to, timeout_s=0.1, retry_s=0.5) as client:
        with pytest.raises(Unanswered, match="no answer from"):
            client.verify("alice", "123456")
        ids = {word for word in daemon.heard.split(b"\r\n") if len(word) == 32}
        assert daemon.heard.count(b"VERIFY") > 1
        assert len(ids) == 1, "sent again under the same id"


def test_awaits_on_a_daemon_that_says_nothing(run: Callable[[Any], Any]) -> None:
    async def ask() -> None:
        async with AsyncClient(daemon.to, timeout_s=0.1, retry_s=0.4) as client:
            told = await asyncio.gather(
                *(client.verify("alice", str(n)) for n in range(3)), return_exceptions=True
            )
            assert [type(one) for one in told] == [Unanswered] * 3

    with slow() as daemon:
        run(ask())
    ids = {word for word in daemon.heard.split(b"\r\n") if len(word) == 32}
    assert len(ids) == 3


def test_what_may_not_be_sent_twice_is_not() -> None:
    with slow() as daemon, Client(daemon.to, timeout_s=0.1, retry_s=1.0) as client:
        for ask in (lambda: client.push("alice"), lambda: client.send_code("alice"),
                    lambda: client.command("CHANGEPIN", "alice", "1", "2", "3")):
            daemon.heard = b""
            with pytest.raises(Unanswered):
                ask()
            assert daemon.heard.count(b"alice") == 1


DETAIL = (
    b"%8\r\n+verdict\r\n+BUSY\r\n+code\r\n:8\r\n+scope\r\n_\r\n+device\r\n_\r\n+kind\r\n_\r\n"
    b"+rank\r\n:0\r\n+session_ms\r\n:0\r\n+retry_after_ms\r\n:0\r\n"
)


def test_busy_is_asked_again_and_told_at_the_end(run: Callable[[Any], Any]) -> None:
    accepted = DETAIL.replace(b"BUSY", b"ACCEPTED").replace(b":8", b":1")
    with slow(DETAIL, DETAIL, accepted) as daemon, Client(daemon.to) as client:
        assert client.verify("alice", "123456")
    with slow(*[DETAIL] * 50) as daemon, Client(daemon.to, retry_s=0.3) as client:
        assert client.verify("alice", "123456").code is Code.BUSY

    async def ask() -> Any:
        async with AsyncClient(daemon.to) as client:
            return await client.verify("alice", "123456")

    with slow(DETAIL, accepted) as daemon:
        assert run(ask())


@pytest.mark.parametrize("reply", [b"+SOMETHING\r\n", b":1\r\n", b"%1\r\n+code\r\n:99\r\n"])
def test_a_reply_that_is_none_of_ours_is_an_error(reply: bytes) -> None:
    with slow(reply) as daemon, Client(daemon.to) as client:
        with pytest.raises(watchword.Error, match="none that we know"):
            client.verify("alice", "123456")


def test_garbage_is_a_connection_that_was_lost() -> None:
    with slow(b"?what\r\n") as daemon, Client(daemon.to, retry_s=0.2, timeout_s=0.2) as client:
        with pytest.raises(Unanswered):
            client.verify("alice", "123456")


def test_a_token_that_is_wrong_is_refused_at_once(
    daemon: Served, run: Callable[[Any], Any]
) -> None:
    with Client(to(daemon), name="desk", token="wrong") as client:
        with pytest.raises(Refused, match="WRONGPASS"):
            client.verify("alice", "123456")

    async def ask() -> None:
        async with AsyncClient(to(daemon), name="desk", token="wrong") as client:
            with pytest.raises(Refused, match="WRONGPASS"):
                await client.verify("alice", "123456")

    run(ask())


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Client(f"127.0.0.1:{port}", retry_s=0.1) as client, pytest.raises(Unanswered):
        client.verify("alice", "123456")


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ({"to": ""}, "to is"), ({"to": "localhost"}, "to is"), ({"to": "h:0"}, "to is"),
        ({"to": "h:1", "name": "desk"}, "token"), ({"to": "h:1", "timeout_s": 0}, "timeout_s"),
        ({"to": "h:1", "retry_s": 51}, "retry_s"), ({"to": "h:1", "retry_s": -1}, "retry_s"),
    ],
)  # fmt: skip
def test_misuse_of_a_client_names_the_argument(peer: dict[str, Any], words: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidArgument, match=words):
            kind(**peer)


def test_misuse_of_a_login_names_the_argument(daemon: Served) -> None:
    with Client(to(daemon)) as client:
        misuse: list[dict[str, Any]] = [
            {"user": 1}, {"response": b"1"}, {"nosuch": "x"}, {"wait_s": 61}, {"session": "x"},
            {"request_id": 7}, {"platform": 1},
        ]  # fmt: skip
        for given in misuse:
            said = {"user": "alice", "response": "1", **given}
            name = next(iter(given))
            with pytest.raises(InvalidArgument, match=name):
                client.verify(**said)
        with pytest.raises(Refused, match="PLATFORM is trading or portal"):
            client.verify("alice", "1", platform="web")
        with pytest.raises(Refused, match="ID is 8 to 64 bytes"):
            client.verify("alice", "1", request_id="short")
        with pytest.raises(InvalidArgument, match="responses has 1 entries, users has 2"):
            client.verify_many(["a", "b"], ["1"])
        client.verify("alice", "1", request_id="mine-0001")
        with pytest.raises(InvalidArgument, match="given before"):
            client.verify("alice", "2", request_id="mine-0001")


def test_a_closed_client_says_so(daemon: Served) -> None:
    client = Client(to(daemon))
    client.verify("alice", "1")
    client.close()
    with pytest.raises(watchword.Error, match="closed"):
        client.verify("alice", "1")


def test_a_token_is_not_shown() -> None:
    client = Client("127.0.0.1:1", name="desk", token="planted-secret")
    assert "planted-secret" not in repr(vars(client))
    assert frame("HELLO", "3", "AUTH", "desk", "planted-secret") == client._peer.greeting
