"""The client that waits: one connection, no thread, for one thread at a time.

Several logins go out together and their replies are read in order; whoever was not answered when
the connection is lost is sent again on the next one, under the same id.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar, Unpack, cast

import hiredis

from watchword._engine import Code
from watchword.client import words
from watchword.client.retry import ENOUGH, Patience, Peer, reader, shut_out, untrusted
from watchword.client.words import Attempt, Call, Verdict
from watchword.errors import Busy, Error, Refused, Unanswered
from watchword.views import Challenge, Push, Question

__all__ = ["Client"]

T = TypeVar("T")
TOGETHER: Final = 128               # calls that are sent before replies are read, and bytes
TOGETHER_BYTES: Final = 32_768      # less than any socket holds, so that nobody waits for the other
READ_BYTES: Final = 65_536
AWAITED: Final = object()


class Client:
    """A connection to a daemon, made when it is first needed and again whenever it is lost.

    to: "address:port" or a unix socket's path. name, token: who asks, where the daemon has a list.
    tls: a context for TLS; server_name: what the certificate says, where it is not the address.
    timeout_s: for one answer. retry_s: for all tries of one call, 50 at most. Errors of every verb:
    Unanswered, Refused, InvalidArgument, Busy.
    """

    def __init__(self, to: str = "127.0.0.1:4001", **peer: Any) -> None:
        self._peer = Peer(to, **peer)
        self._socket: socket.socket | None = None
        self._reader: hiredis.Reader = reader()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        self._closed = True
        self._drop()

    # ---- verbs

    def verify(self, user: str, response: str, **options: Unpack[Attempt]) -> Verdict:
        """May this user in? BUSY when it was so to the end; see words.Attempt for options."""
        return self._ask(words.verify(user, response, options))

    def verify_each(
        self, pairs: Iterable[tuple[str, str]], **options: Unpack[Attempt]
    ) -> list[Verdict]:
        """Logins of users and responses, pipelined; a request_id would be everybody's."""
        return self._ask_all([words.verify(user, said, options) for user, said in pairs])

    def verify_many(
        self, users: Sequence[str], responses: Sequence[str], *, platform: str | None = None,
        address: str | None = None,
    ) -> list[Code]:  # fmt: skip
        """As few commands as hold them all."""
        options = {"platform": platform, "address": address}
        found = self._ask_all(words.verify_many(users, responses, options))
        return [code for codes in found for code in codes]

    def challenge(self, user: str, **options: str | None) -> Challenge:
        """options: platform, device, purpose, question, client_question."""
        return self._ask(words.challenge(user, options))

    def send_code(self, user: str, **options: str | None) -> Challenge:
        """A code by text message; options: platform, device, purpose. Never sent twice."""
        return self._ask(words.send_code(user, options))

    def push(self, user: str, **options: str | None) -> Push:
        """A phone is asked; options: platform, device, purpose, text. Never sent twice."""
        return self._ask(words.push(user, options))

    def question(self, user: str) -> Question:
        return self._ask(words.question(user))

    def answer(self, user: str, id: str, answer: str, *, address: str | None = None) -> Verdict:
        return self._ask(words.answer(user, id, answer, address))

    def command(self, *said: str | bytes) -> Any:
        """Whatever else a daemon serves; never sent twice."""
        return self._ask(words.plain(said))

    # ---- sending, and sending again

    def _ask(self, call: Call[T]) -> T:
        return self._ask_all([call])[0]

    def _ask_all(self, calls: Sequence[Call[T]]) -> list[T]:
        """The answers in order. The first call that was refused raises, after all were answered."""
        patience = Patience(self._peer.retry_s, time.monotonic())
        told: list[Any] = [AWAITED] * len(calls)
        while True:
            left = [n for n, one in enumerate(told) if one is AWAITED or is_busy(one)]
            lost = self._round(calls, left, told, patience)
            left = [n for n in left if told[n] is AWAITED or is_busy(told[n])]
            pause_s = patience.pause(time.monotonic()) if left else None
            if pause_s is None:
                break
            time.sleep(pause_s)
        if lost is not None:
            raise Unanswered(f"no answer from {self._peer.to}: {lost}") from lost
        for one in told:
            if isinstance(one, Error):
                raise one
        return cast(list[T], told)

    def _round(
        self, calls: Sequence[Call[Any]], left: Sequence[int], told: list[Any], patience: Patience
    ) -> OSError | None:
        """One connection's worth of tries; what ended it early, if anything did."""
        at, sent = 0, 0
        try:
            link = self._linked()
            while at < len(left):
                sent, size = at, 0
                while sent < len(left) and sent - at < TOGETHER and size < TOGETHER_BYTES:
                    size += len(calls[left[sent]].frame)
                    sent += 1
                link.sendall(b"".join(calls[n].frame for n in left[at:sent]))
                while at < sent:
                    call = calls[left[at]]
                    link.settimeout(self._peer.timeout_s + call.wait_s)
                    told[left[at]] = read(call, self._reply(link))
                    at += 1
        except OSError as lost:
            self._drop()
            if any(not calls[n].again for n in left[at:sent]):
                raise Unanswered(f"no answer from {self._peer.to}: {lost}") from lost
            return lost
        except BaseException:       # an interrupt amid replies: they are nobody's any more
            self._drop()
            raise
        return None

    def _reply(self, link: socket.socket) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is ENOUGH:
                piece = link.recv(READ_BYTES)
                if not piece:
                    raise ConnectionError("the connection was closed")
                self._reader.feed(piece)
            elif not isinstance(reply, hiredis.PushNotification):
                return reply

    # ---- the connection

    def _linked(self) -> socket.socket:
        if self._closed:
            raise Error("the client is closed")
        if self._socket is None:
            link = self._connected()
            try:
                self._reader = reader()
                link.sendall(self._peer.greeting)
                hello = self._reply(link)
            except OSError as error:
                link.close()
                if self._peer.tls is None or isinstance(error, TimeoutError):
                    raise
                raise shut_out(self._peer, error) from None
            except BaseException:
                link.close()
                raise
            if isinstance(hello, Error):
                link.close()
                raise greeted(hello)
            self._socket = link
        return self._socket

    def _connected(self) -> socket.socket:
        peer = self._peer
        if peer.is_path:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            link = socket.create_connection(peer.address, peer.timeout_s)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            link.settimeout(peer.timeout_s)
            if peer.is_path:
                link.connect(peer.to)
            if peer.tls is not None:
                link = peer.tls.wrap_socket(link, server_hostname=peer.named)
        except ssl.SSLCertVerificationError as error:
            link.close()
            raise untrusted(peer, error) from None
        except BaseException:
            link.close()
            raise
        return link

    def _drop(self) -> None:
        link, self._socket = self._socket, None
        if link is not None:
            link.close()


def greeted(hello: Error) -> Exception:
    """Why a daemon did not let us in: for good, or for a while."""
    if isinstance(hello, Refused) and "max number" in hello.args[0]:
        return ConnectionError(hello.args[0])
    return hello


def read(call: Call[Any], reply: Any) -> Any:
    """The answer that a reply is, or the exception."""
    if isinstance(reply, Error):
        return reply
    try:
        return call.read(reply)
    except (KeyError, ValueError, TypeError, AttributeError):
        return Error(f"the daemon's reply is none that we know: {type(reply).__name__}")


def is_busy(told: Any) -> bool:
    """Whether an answer is BUSY, or some of it is, so that to ask again may help."""
    if isinstance(told, Verdict):
        return told.code is Code.BUSY
    return isinstance(told, Busy) or (isinstance(told, list) and Code.BUSY in told)
