"""watchword.client where nothing goes well: a daemon that is slow, silent, busy or strange, tokens
and certificates that are wrong, and misuse.
"""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from proxies import Proxy
from served import Served, ended_well, frame
from test_client import to

import watchword
from watchword import Code, InvalidArgument, Refused, Unanswered
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
    with (
        slow(reply) as daemon, Client(daemon.to) as client,
        pytest.raises(watchword.Error, match="none that we know"),
    ):  # fmt: skip
        client.verify("alice", "123456")


def test_garbage_is_a_connection_that_was_lost() -> None:
    with (
        slow(b"?what\r\n") as daemon, Client(daemon.to, retry_s=0.2, timeout_s=0.2) as client,
        pytest.raises(Unanswered),
    ):  # fmt: skip
        client.verify("alice", "123456")


def test_a_token_that_is_wrong_is_refused_at_once(
    daemon: Served, run: Callable[[Any], Any]
) -> None:
    with (
        Client(to(daemon), name="desk", token="wrong") as client,
        pytest.raises(Refused, match="WRONGPASS"),
    ):
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for gate.example, and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=gate", "-addext", "subjectAltName=DNS:gate.example"]
    made += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(made, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return both


def test_over_tls(daemon: Served, authority: Path, run: Callable[[Any], Any]) -> None:
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(authority)
    trusted = ssl.create_default_context(cafile=str(authority))
    codes = daemon.enrol(name := f"tls{time.monotonic_ns()}")
    with Proxy(daemon.port, ours) as proxy:
        with Client(proxy.address, tls=trusted, server_name="gate.example") as client:
            assert client.verify(name, codes.at(0))
        with (
            Client(proxy.address, tls=trusted, server_name="other.example") as client,
            pytest.raises(Refused, match="is not to be trusted"),
        ):
            client.verify(name, codes.at(1))

        async def ask(server_name: str) -> Verdict:
            async with AsyncClient(
                proxy.address, tls=trusted, server_name=server_name
            ) as client:
                return await client.verify(name, codes.at(1))

        with pytest.raises(Refused, match="is not to be trusted"):
            run(ask("other.example"))
        assert run(ask("gate.example"))


def test_a_token_is_not_shown() -> None:
    client = Client("127.0.0.1:1", name="desk", token="planted-secret")
    assert "planted-secret" not in repr(vars(client))
    assert frame("HELLO", "3", "AUTH", "desk", "planted-secret") == client._peer.greeting
