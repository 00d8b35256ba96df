"""Clients that are slow, silent, half gone, or send what nobody should, against the real daemon on
both loops, with and without an access list and TLS: what they cost, and that others are served.
"""

import contextlib
import os
import random
import resource
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crowd import crowded, resident, standing
from papers import Authority, listed, token_of
from served import SECONDS_MAX, Client, Served, frame, serving

PING = frame("PING")
FLOOD_BYTES = 40_000_000
PIECE_BYTES = 65_536
GROWTH_BYTES_MAX = 60_000_000
SOCKETS_AT_REST = 6  # two that listen, and what a loop wakes itself with


@dataclass
class Scene:
    """A daemon, and how a client of its kind gets in."""

    served: Served
    tls: ssl.SSLContext | None

    def stranger(self) -> Client:
        """Connected, and nothing said."""
        return self.served.client(self.tls)

    def bare(self) -> socket.socket:
        """A TCP connection with no handshake, whatever the daemon speaks."""
        return socket.create_connection(("127.0.0.1", self.served.port), SECONDS_MAX)

    def client(self) -> Client:
        client = self.stranger()
        if self.tls is not None:
            assert client.ask("AUTH", token_of("one")) == "OK"
        return client


@pytest.fixture(
    scope="module", params=[(loop, tls) for loop in ("uvloop", "asyncio") for tls in (False, True)],
    ids=lambda one: f"{one[0]}-{'tls' if one[1] else 'plain'}",
)  # fmt: skip
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    loop, tls = request.param
    folder = tmp_path_factory.mktemp("bad")
    settings, context = f'loop = "{loop}"\n', None
    if tls:
        authority = Authority(folder / "papers")
        context = authority.context()
        settings += authority.settings(authority.issue("server", "/CN=localhost"))
        settings += listed("one", "rate = 0")
    with serving(folder, settings) as served:
        yield Scene(served, context)
        assert served.stop() == 0
        assert served.healthy(), served.said()


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def sockets(daemon: Served) -> int:
    """Files of the daemon that are sockets."""
    folder, found = Path(f"/proc/{daemon.pid}/fd"), 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(folder / name).startswith("socket:")
    return found


def others_are_served(scene: Scene) -> None:
    with scene.client() as client:
        assert client.ask("PING") == "PONG"
        assert client.ask("VERIFY", "", "1") == "BAD_CHARACTER"


def test_a_slow_client_is_served_and_one_that_stops_is_closed(scene: Scene) -> None:
    with scene.client() as slow, scene.client() as stopped:
        began = time.monotonic()
        stopped.send(PING + b"*3\r\n$6\r\nVERIFY\r\n$5\r\nab")
        assert stopped.read() == "PONG"
        for byte in frame("VERIFY", "", "1") + PING:
            slow.send(bytes([byte]))
            time.sleep(0.01)
        assert (slow.read(), slow.read()) == ("BAD_CHARACTER", "PONG")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert stopped.rest() == b""
        assert time.monotonic() - began > 4
        assert slow.ask("PING") == "PONG"


def test_a_client_that_closes_half_hears_what_it_is_owed(scene: Scene) -> None:
    """Over TLS, which closes both sides at once, it hears at least no more than that."""
    with scene.client() as client:
        client.send(frame("VERIFY", "", "1") * 300 + PING)
        if scene.tls is None:
            client.socket.shutdown(socket.SHUT_WR)
            assert client.rest() == b"+BAD_CHARACTER\r\n" * 300 + b"+PONG\r\n"
        else:
            for _ in range(300):
                assert client.read() == "BAD_CHARACTER"
            assert client.read() == "PONG"
            client.socket.unwrap()  # type: ignore[attr-defined]
    others_are_served(scene)


def test_a_client_that_floods_is_not_read_and_memory_stays(scene: Scene) -> None:
    """It sends for as long as it can and reads nothing: it is stopped, and closed in the end."""
    before, sent = resident(scene.served), 0
    piece = frame("ECHO", "a" * 1_000) * 100
    with scene.client() as flood:
        flood.socket.settimeout(1.0)
        with contextlib.suppress(OSError):  # a timeout is one: nobody reads it any more
            while sent < FLOOD_BYTES:
                flood.socket.sendall(piece)
                sent += len(piece)
        assert sent < FLOOD_BYTES
        assert resident(scene.served) - before < GROWTH_BYTES_MAX
        others_are_served(scene)
    soon(lambda: standing(scene.served) <= 2)


def exchanged(to: socket.socket, sent: bytes, heard_bytes: int) -> bytes:
    """Sends all of it and reads so much meanwhile: in one thread, for two may not be in one TLS
    connection at once."""
    to.setblocking(False)
    left, heard = memoryview(sent), bytearray()
    waiting = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
    while len(heard) < heard_bytes:
        moved = False
        with contextlib.suppress(*waiting):
            left = left[to.send(left[:PIECE_BYTES]) :] if left else left
            moved = bool(left)
        with contextlib.suppress(*waiting):
            came = to.recv(PIECE_BYTES)
            assert came, "it was closed"
            heard += came
            moved = True
        if not moved:
            assert any(select.select([to], [to] if left else [], [], SECONDS_MAX)), "it hangs"
    return bytes(heard)


def test_a_client_that_floods_and_reads_is_answered_in_full(scene: Scene) -> None:
    before, n = resident(scene.served), 30_000
    with scene.client() as client:
        sent = (frame("VERIFY", "", "1") + PING) * n
        heard = exchanged(client.socket, sent, len(b"+BAD_CHARACTER\r\n+PONG\r\n") * n)
        assert heard == b"+BAD_CHARACTER\r\n+PONG\r\n" * n
    assert resident(scene.served) - before < GROWTH_BYTES_MAX


def test_garbage_is_closed(scene: Scene, rng: random.Random) -> None:
    """Before who it is was said and after, and in place of a handshake."""
    doors: list[Callable[[], Any]] = [scene.stranger, scene.client]
    for _ in range(30):
        for opened in doors:
            with opened() as client, contextlib.suppress(OSError, EOFError):
                client.send(rng.randbytes(rng.randrange(1, 3_000)) + b"\r\n*x\r\n")
                if scene.tls is None:
                    client.socket.shutdown(socket.SHUT_WR)
                client.rest()
        with scene.bare() as bare, contextlib.suppress(OSError):
            bare.sendall(rng.randbytes(rng.randrange(1, 3_000)) + b"\r\n*x\r\n")
            bare.shutdown(socket.SHUT_WR)
            while bare.recv(65_536):
                pass
    others_are_served(scene)


def test_clients_that_vanish_leave_nothing_behind(scene: Scene) -> None:
    """Reset in the midst of an attempt, of a handshake, of a reply: 400 of them."""
    gone = struct.pack("ii", 1, 0)
    for number in range(100):
        with scene.bare() as bare:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
            if number % 2:
                bare.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    for number in range(100 if scene.tls is None else 20):
        with scene.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
            client.send(frame("VERIFYMANY", 100, *[f"gone{number}", "1"] * 100))
    soon(lambda: standing(scene.served) <= 1)
    with scene.served.acts() as acts:
        assert "half_open_connections:0" in acts.ask("INFO", "gateways")
    soon(lambda: sockets(scene.served) <= SOCKETS_AT_REST)
    others_are_served(scene)
    soon(lambda: sockets(scene.served) <= SOCKETS_AT_REST)


def test_strangers_without_end_hold_no_more_than_their_places(scene: Scene) -> None:
    """300 connect at once and say nothing; who is known is served, and who comes after waits."""
    with contextlib.ExitStack() as stack, scene.client() as known:
        before = resident(scene.served)
        for _ in range(300):
            stack.enter_context(scene.bare())
        assert known.ask("VERIFY", "", "1") == "BAD_CHARACTER"
        assert resident(scene.served) - before < GROWTH_BYTES_MAX
        with scene.served.acts() as acts:
            said = acts.ask("INFO", "gateways")
        facts = dict(line.partition(":")[::2] for line in said.splitlines())
        assert int(facts["half_open_connections"]) <= (8 if scene.tls else 0)
        assert int(facts["waiting_connections"]) <= 256

    def served() -> bool:
        with contextlib.suppress(OSError, EOFError):  # its address has no place yet
            others_are_served(scene)
            return True
        return False

    soon(served)


def test_a_crowd_that_says_little_costs_little(tmp_path: Path) -> None:
    """The short form of `python -m tests.crowd`, which is 10,000."""
    found = crowded(tmp_path, 900, times=200)
    assert 602 <= found.standing <= 902
    assert found.growth_bytes < 30_000_000


def test_administration_gets_in_where_gateways_fill_the_house(tmp_path: Path) -> None:
    driver = (
        "import sys\n"
        "from watchword.serve import daemon, limits\n"
        "from watchword.serve.config import Config\n"
        "limits.CONNECTIONS_MAX = 3\n"
        "sys.exit(daemon.run(Config.load(sys.argv[1])))\n"
    )
    daemon = Served(tmp_path, driver=["-c", driver]).start()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(daemon.client()).ask("PING") == "PONG"
        assert b"max number of clients" in stack.enter_context(daemon.client()).rest()
        assert stack.enter_context(daemon.acts()).ask("PING") == "PONG"
    assert daemon.stop() == 0


def test_a_daemon_out_of_files_serves_on_and_takes_more_later(tmp_path: Path) -> None:
    """Nobody new gets in while no file is left; it burns no core over it, and goes on after."""
    driver = (
        "import sys\n"
        "from watchword.serve import daemon, limits\n"
        "from watchword.serve.config import Config\n"
        "daemon.raise_file_limit = lambda: 1_000\n"
        "sys.exit(daemon.run(Config.load(sys.argv[1])))\n"
    )
    daemon = Served(tmp_path, listed("one"), driver=["-c", driver]).start()
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(daemon.client())
        assert known.ask("AUTH", token_of("one")) == "OK"
        files = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (files + 4, files + 4))
        with contextlib.ExitStack() as crowd:
            for _ in range(40):
                crowd.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            began = used(daemon)
            for _ in range(20):
                assert known.ask("PING") == "PONG"
                time.sleep(0.05)
            assert used(daemon) - began < 0.5
        late = stack.enter_context(daemon.client())
        assert late.ask("AUTH", token_of("one")) == "OK"
        assert known.ask("PING") == "PONG"
    assert daemon.stop() == 0
    assert daemon.healthy(), daemon.said()


def used(daemon: Served) -> float:
    """Seconds of processor that the daemon has used."""
    said = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")
