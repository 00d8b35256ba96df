"""The client that is awaited: whatever is asked at once goes out together on one connection.

An await that is cancelled leaves its place in the order of replies, and the reply is dropped when
it comes. When the connection is lost everyone who may asks again on the next, under the same id.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack

import hiredis

from watchword._engine import Code
from watchword.client import words
from watchword.client.plain import greeted, is_busy, read
from watchword.client.retry import ENOUGH, Patience, Peer, reader, shut_out, untrusted
from watchword.client.words import Attempt, Call, Verdict
from watchword.errors import Error, Unanswered
from watchword.views import Challenge, Push, Question

__all__ = ["AsyncClient"]

T = TypeVar("T")
AT_ONCE: Final = 1024               # calls on their way; whoever comes later waits for room


class Link(asyncio.Protocol):
    """One connection: commands out once a loop pass, replies to whoever is next."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = reader()
        self._owed: deque[asyncio.Future[Any]] = deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.is_open = self.was_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]
        self.is_open = self.was_open = True

    def ask(self, frame: bytes) -> "asyncio.Future[Any]":
        reply = self._loop.create_future()
        if not self.is_open:
            reply.set_exception(ConnectionError("the connection was lost"))
            return reply
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        self._owed.append(reply)
        return reply

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self.is_open and self._transport is not None:
            self._transport.write(b"".join(out))

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not ENOUGH:
                if isinstance(reply, hiredis.PushNotification):
                    continue
                if not self._owed:
                    raise ConnectionError("a reply came that nobody had asked for")
                waits = self._owed.popleft()
                if not waits.done():
                    waits.set_result(reply)
        except ConnectionError as error:
            self.lose(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.lose(error)

    def lose(self, error: Exception | None) -> None:
        """Whoever waits is told; nothing is heard any more."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        owed, self._owed = self._owed, deque()
        for waits in owed:
            if not waits.done():
                lost = ConnectionError(str(error) if error else "the connection was closed")
                waits.set_exception(error if isinstance(error, ssl.SSLError) else lost)
                waits.exception()   # whoever was cancelled does not look


class AsyncClient:
    """As watchword.client.Client, awaited; of one event loop, asyncio's or uvloop's."""

    def __init__(self, to: str = "127.0.0.1:4001", **peer: Any) -> None:
        self._peer = Peer(to, **peer)
        self._linking: asyncio.Task[Link] | None = None
        self._apart: set[Link] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.close()

    async def close(self) -> None:
        """Whoever still waits is told that there will be no answer."""
        self._closed = True
        if self._linking is not None and not self._linking.done():
            self._linking.cancel()
            await asyncio.wait([self._linking])
        for link in (made(self._linking), *self._apart):
            if link is not None:
                link.lose(ConnectionError("the client was closed"))
        await asyncio.sleep(0)      # transports close with the next pass

    # ---- verbs

    async def verify(self, user: str, response: str, **options: Unpack[Attempt]) -> Verdict:
        """May this user in? BUSY when it was so to the end; see words.Attempt for options."""
        return await self._ask(words.verify(user, response, options))

    async def verify_many(
        self, users: Sequence[str], responses: Sequence[str], *, platform: str | None = None,
        address: str | None = None,
    ) -> list[Code]:  # fmt: skip
        options = {"platform": platform, "address": address}
        calls = words.verify_many(users, responses, options)
        found = await asyncio.gather(*(self._ask(call) for call in calls))
        return [code for codes in found for code in codes]

    async def challenge(self, user: str, **options: str | None) -> Challenge:
        return await self._ask(words.challenge(user, options))

    async def send_code(self, user: str, **options: str | None) -> Challenge:
        return await self._ask(words.send_code(user, options))

    async def push(self, user: str, **options: str | None) -> Push:
        return await self._ask(words.push(user, options))

    async def question(self, user: str) -> Question:
        return await self._ask(words.question(user))

    async def answer(
        self, user: str, id: str, answer: str, *, address: str | None = None
    ) -> Verdict:
        return await self._ask(words.answer(user, id, answer, address))

    async def command(self, *said: str | bytes) -> Any:
        return await self._ask(words.plain(said))

    # ---- sending, and sending again

    async def _ask(self, call: Call[T]) -> T:
        async with self._room:
            return await self._tried(call)

    async def _tried(self, call: Call[T]) -> T:
        loop = asyncio.get_running_loop()
        patience = Patience(self._peer.retry_s, loop.time())
        while True:
            told, lost = await self._try(call)
            if lost is None and not is_busy(told):
                break
            pause_s = patience.pause(loop.time())
            if pause_s is None:
                break
            await asyncio.sleep(pause_s)
        if lost is not None:
            raise Unanswered(f"no answer from {self._peer.to}: {lost}") from lost
        if isinstance(told, Error):
            raise told
        return told  # type: ignore[no-any-return]

    async def _try(self, call: Call[Any]) -> tuple[Any, OSError | None]:
        """What was told; or what the connection was lost by, where it may be asked again."""
        link, sent = None, False
        try:
            async with asyncio.timeout(self._peer.timeout_s + call.wait_s):
                link = await (self._linked() if not call.wait_s else self._linked_apart())
                sent = True
                return read(call, await link.ask(call.frame)), None
        except OSError as lost:     # a TimeoutError is one
            if link is not None:
                link.lose(ConnectionError(str(lost) or "no answer in time"))
            if sent and not call.again:
                raise Unanswered(f"no answer from {self._peer.to}: {lost}") from lost
            return None, lost
        finally:
            if link is not None and link in self._apart:
                self._apart.discard(link)
                link.lose(None)

    # ---- the connection

    async def _linked(self) -> Link:
        """The one that all share; whoever comes while it is made waits for it."""
        while (link := made(self._linking)) is None or not link.is_open:
            if self._closed:
                raise Error("the client is closed")
            if self._linking is None or self._linking.done():
                self._linking = asyncio.ensure_future(self._connected())
                self._linking.add_done_callback(made)   # looked at, should nobody wait any more
            await asyncio.shield(self._linking)
        return link

    async def _linked_apart(self) -> Link:
        """One whose replies may be late: nobody waits behind it."""
        if self._closed:
            raise Error("the client is closed")
        link = await self._connected()
        self._apart.add(link)
        return link

    async def _connected(self) -> Link:
        loop, peer = asyncio.get_running_loop(), self._peer
        tls: dict[str, Any] = {}
        if peer.tls is not None:
            tls = {"ssl": peer.tls, "server_hostname": peer.named}
        link = Link(loop)
        async with asyncio.timeout(peer.timeout_s):
            try:
                if peer.is_path:
                    await loop.create_unix_connection(lambda: link, peer.to, **tls)
                else:
                    await loop.create_connection(lambda: link, *peer.address, **tls)
                hello = await link.ask(peer.greeting)
            except ssl.SSLCertVerificationError as error:
                raise untrusted(peer, error) from None
            except (ConnectionError, ssl.SSLError) as error:
                link.lose(None)
                if peer.tls is None or not link.was_open:
                    raise
                raise shut_out(peer, error) from None
            except BaseException:
                link.lose(None)
                raise
        if isinstance(hello, Error):
            link.lose(None)
            raise greeted(hello)
        return link


def made(linking: "asyncio.Task[Link] | None") -> Link | None:
    """The connection that a task has made, if it has."""
    if linking is None or not linking.done() or linking.cancelled() or linking.exception():
        return None
    return linking.result()
