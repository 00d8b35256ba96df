"""ext/connection.pxi and its parts: ages, counts and back-pressure, with a clock that is a number.

The connections are real sockets on this machine; the sweep is called by hand with the time a test
wants it to be, so nothing here waits.
"""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from served import frame

from watchword import Engine
from watchword._engine import Clients, Gather
from watchword.serve import limits
from watchword.serve.commands import Commands

Scene = Callable[["Stage"], Awaitable[None]]
SOON = 20.0


class Stage:
    """A listening socket over an engine in memory, with limits of the test's own."""

    def __init__(
        self, connections_max: int = 100, door: type[Commands] = Commands, **changed: float
    ) -> None:
        names = {name: getattr(limits, name) for name in limits.__all__}
        self.limits = SimpleNamespace(**{**names, **changed})
        self.engine = Engine.open()
        self._door = door
        loop = asyncio.get_running_loop()
        self.gather = Gather(self.engine)
        self.clients = Clients(self.gather, loop, self.limits, connections_max)
        self.began_s = loop.time()

    async def __aenter__(self) -> "Stage":
        door = self._door(0, True, dict, self.engine.achallenge)
        loop = asyncio.get_running_loop()
        connect = self.clients.connect
        self._server = await loop.create_server(lambda: connect(door), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.clients.abort()
        await asyncio.sleep(0)
        self.engine.close()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator["Peer"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Peer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def sweep(self, after_s: float) -> None:
        """The sweep as it would be so many seconds after the stage was set."""
        self.clients.sweep(self.began_s + after_s)


class Peer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def hears(self, sent: bytes, expected: bytes) -> None:
        self.writer.write(sent)
        async with asyncio.timeout(SOON):
            assert await self._reader.readexactly(len(expected)) == expected

    async def hears_the_end(self, before: bytes = b"") -> None:
        async with asyncio.timeout(SOON):
            got = b""
            with contextlib.suppress(ConnectionError):
                while piece := await self._reader.read(65_536):
                    got += piece
            assert got == before

    async def reads(self, size: int) -> bytes:
        async with asyncio.timeout(SOON):
            return await self._reader.readexactly(size)


PING, PONG = frame("PING"), b"+PONG\r\n"


def played(scene: Callable[[], Awaitable[None]]) -> None:
    """On the loop the daemon runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())


def test_an_idle_client_is_closed_and_a_busy_one_is_not() -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as idle, stage.client() as busy:
            await idle.hears(PING, PONG)
            await busy.hears(PING, PONG)
            stage.sweep(200)
            await busy.hears(PING, PONG)
            stage.sweep(299)
            assert len(stage.clients) == 2
            stage.sweep(301)
            await idle.hears_the_end()
            await busy.hears(PING, PONG)

    played(scene)


def test_a_command_begun_and_not_ended_is_closed() -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as slow, stage.client() as quick:
            await slow.hears(PING + b"*2\r\n$4\r\nECHO\r\n$5\r\nab", PONG)
            await quick.hears(PING, PONG)
            stage.sweep(4)
            slow.writer.write(b"c")  # one byte more is no new beginning
            await quick.hears(PING, PONG)
            await quick.hears(PING, PONG)
            stage.sweep(6)
            await slow.hears_the_end()
            await quick.hears(PING, PONG)
            assert len(stage.clients) == 1

    played(scene)


def test_a_command_ended_in_time_is_served() -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as slow:
            await slow.hears(PING + b"*2\r\n$4\r\nECHO\r\n$5\r\nab", PONG)
            stage.sweep(4)
            await slow.hears(b"cde\r\n", b"$5\r\nabcde\r\n")
            stage.sweep(6)
            await slow.hears(PING, PONG)

    played(scene)


def test_clients_beyond_the_limit_are_told_and_closed() -> None:
    async def scene() -> None:
        async with Stage(2) as stage, stage.client() as first:
            async with stage.client() as second:
                await first.hears(PING, PONG)
                await second.hears(PING, PONG)
                async with stage.client() as third:
                    await third.hears_the_end(b"-ERR max number of clients reached\r\n")
            while len(stage.clients) > 1:
                await asyncio.sleep(0)
            async with stage.client() as fourth:
                await fourth.hears(PING, PONG)
            assert stage.clients.refused == 1

    played(scene)


def test_a_bad_frame_leaves_a_moment_to_read_why() -> None:
    """The error is readable though we stop listening; who will not go is closed by the sweep."""

    async def scene() -> None:
        async with Stage() as stage, stage.client() as bad:
            bad.writer.write(b"*x\r\n" + bytes(200_000))
            await bad.hears_the_end(b"-ERR Protocol error: invalid multibulk length\r\n")
            assert len(stage.clients) == 1
            stage.sweep(10)
            await asyncio.sleep(0)
            assert len(stage.clients) == 0

    played(scene)


def test_a_client_that_does_not_read_is_not_read() -> None:
    """It may send without end: we hold its limits' worth and no more; what it is owed comes."""

    async def scene() -> None:
        async with Stage() as stage:
            loop = asyncio.get_running_loop()
            sock = socket.create_connection(("127.0.0.1", stage.port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            sent, piece = 0, frame("ECHO", "a" * 1000) * 100
            before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            with contextlib.suppress(TimeoutError):
                while sent < 2000 * len(piece):  # 200 MB, were there no back-pressure
                    async with asyncio.timeout(0.5):
                        await loop.sock_sendall(sock, piece)
                    sent += len(piece)
            assert sent < 1000 * len(piece)
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 64_000
            async with stage.client() as other:
                await other.hears(PING, PONG)
            stage.sweep(5)
            assert len(stage.clients) >= 1
            stage.sweep(60)
            await asyncio.sleep(0)
            assert len(stage.clients) <= 1
            sock.close()

    played(scene)


def test_more_attempts_than_a_connection_may_hold_wait_unread() -> None:
    async def scene() -> None:
        async with Stage(ANSWERS_MAX=10) as stage, stage.client() as eager:
            sent = b"".join(frame("VERIFY", f"a{i}", "1") + PING for i in range(1_000))
            eager.writer.write(sent + frame("VERIFYMANY", 50, *["", ""] * 50) + PING)
            expected = (b"+REJECTED\r\n" + PONG) * 1_000 + b"*50\r\n" + b"+BAD_CHARACTER\r\n" * 50
            assert await eager.reads(len(expected + PONG)) == expected + PONG
            assert stage.gather.turns >= 100

    played(scene)


def test_many_clients_past_a_batch_are_all_answered() -> None:
    """Twelve times 4,096 attempts at once: who finds no room is served from the next batch."""

    async def scene() -> None:
        async with Stage() as stage, contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(stage.client()) for _ in range(12)]
            many = frame("VERIFYMANY", 4_096, *["", "1"] * 4_096)
            for peer in peers:
                peer.writer.write(many + PING)
            expected = b"*4096\r\n" + b"+BAD_CHARACTER\r\n" * 4_096 + PONG
            for peer in peers:
                assert await peer.reads(len(expected)) == expected

    played(scene)


def test_clients_of_one_pass_share_a_turn() -> None:
    async def scene() -> None:
        async with Stage() as stage, contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(stage.client()) for _ in range(50)]
            for peer in peers:
                await peer.hears(PING, PONG)
            for peer in peers:
                peer.writer.write(frame("VERIFY", "", "1") * 20)
            for peer in peers:
                await peer.reads(20 * len("+BAD_CHARACTER\r\n"))
            assert stage.gather.attempts == 1_000
            assert stage.gather.turns < 60

    played(scene)


def test_a_client_gone_before_its_turn_is_decided_all_the_same() -> None:
    async def scene() -> None:
        async with Stage() as stage:
            stage.engine.add_user("alice")
            async with stage.client() as gone:
                gone.writer.write(frame("VERIFY", "alice", "000000") * 3)
                gone.writer.transport.abort()
            async with stage.client() as other:
                while stage.gather.attempts < 3:
                    await other.hears(PING, PONG)
                await other.hears(frame("VERIFY", "", ""), b"+BAD_CHARACTER\r\n")
            assert stage.engine.user("alice").failures == 3

    async def scene_reset() -> None:
        """Reset before a byte was read: nothing was asked, and nothing is counted."""
        async with Stage() as stage:
            stage.engine.add_user("alice")
            async with stage.client() as gone:
                gone.writer.transport.abort()
            assert stage.engine.user("alice").failures == 0

    played(scene_reset)
    played(scene)


def test_quiet_clients_hold_no_buffers() -> None:
    """What large commands and many replies took is given back when a client falls silent."""

    async def scene() -> None:
        async with Stage() as stage, contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(stage.client()) for _ in range(50)]
            for peer in peers:
                await peer.hears(PING, PONG)
            stage.sweep(2)
            quiet = stage.clients.held_bytes()
            assert quiet <= 50 * 1_000
            many = frame("VERIFYMANY", 2_000, *["", "1"] * 2_000)
            for peer in peers:
                peer.writer.write(many + PING)
                await peer.reads(len(b"*2000\r\n" + b"+BAD_CHARACTER\r\n" * 2_000 + PONG))
            busy = stage.clients.held_bytes()
            assert quiet < busy <= 50 * (262_144 + 8_192)
            stage.sweep(10)
            assert stage.clients.held_bytes() == quiet
            for peer in peers:
                await peer.hears(PING, PONG)

    played(scene)


def test_draining_answers_what_is_owed_and_hears_no_more() -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as owed, stage.client() as idle:
            await idle.hears(PING, PONG)
            drained = asyncio.Event()
            owed.writer.write(frame("VERIFY", "", "1") * 100)
            await owed.reads(1)
            stage.clients.drain(drained.set)
            owed.writer.write(PING)
            await owed.hears_the_end((b"+BAD_CHARACTER\r\n" * 100)[1:])
            await idle.hears_the_end()
            async with asyncio.timeout(SOON):
                await drained.wait()
            async with stage.client() as late:
                await late.hears_the_end()

    played(scene)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_reply_is_written_in_the_version_its_command_was_sent_under(protocol: int) -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as client:
            head = b"%8\r\n" if protocol == 3 else b"*16\r\n"
            client.writer.write(frame("HELLO", protocol) + frame("VERIFY", "", "", "DETAIL"))
            client.writer.write(frame("HELLO", 5 - protocol) + frame("QUIT"))
            async with asyncio.timeout(SOON):
                got = b""
                while piece := await client._reader.read(65_536):
                    got += piece
            assert head + b"$7\r\nverdict\r\n+BAD_CHARACTER\r\n$4\r\ncode\r\n:7\r\n" in got

    played(scene)


def test_a_promise_that_breaks_ends_its_connection_and_no_other() -> None:
    """Whoever asked would wait for ever: nothing behind it is heard while it is owed."""

    class Breaking(Commands):
        def answer(self, client: Any, args: list[bytes]) -> bytes | asyncio.Future[bytes]:
            if args[0] != b"BREAK":
                return super().answer(client, args)
            promised: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            promised.set_exception(KeyError("planted"))
            return promised

    async def scene() -> None:
        told: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
        async with Stage(door=Breaking) as stage, stage.client() as one, stage.client() as other:
            one.writer.write(PING + frame("BREAK") + PING)
            await one.hears_the_end(PONG)
            await other.hears(PING, PONG)
        assert [repr(error) for error in told] == ["KeyError('planted')"]

    played(scene)


@pytest.mark.parametrize("broken", [False, True])
def test_the_next_turn_leaves_before_the_last_ones_answers_do(
    broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with Stage() as stage, stage.client() as first, stage.client() as second:
            told, answered, take = [], [], stage.engine._take
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda *_: None)  # of the turn that fails below

            def on_its_way(_turn: int, tell: Callable[[object], None]) -> None:
                told.append(tell)
                answered.append(stage.gather.answers.total)

            def taken(*attempts: Any) -> int:
                if broken and told:
                    raise OSError("the turn fails")
                return take(*attempts)

            monkeypatch.setattr(stage.engine, "_when_durable", on_its_way)
            monkeypatch.setattr(stage.engine, "_take", taken)
            for turn, client in enumerate((first, second)):
                client.writer.write(frame("VERIFY", "nobody", "000000"))
                async with asyncio.timeout(SOON):
                    while stage.gather.queued()[0] != turn or not told:
                        await asyncio.sleep(0)
            assert stage.gather.queued() == (1, 1, 0) and len(told) == 1
            told[0](None)
            assert await first.reads(11) == b"+REJECTED\r\n"
            assert answered == ([0] if broken else [0, 0])
            if not broken:
                assert stage.gather.queued() == (0, 1, 0)
                told[1](None)
                assert await second.reads(11) == b"+REJECTED\r\n"
                assert stage.gather.answers.total == 2

    played(scene)
