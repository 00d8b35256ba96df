"""A connection to the daemon: one command, one reply, over RESP2.

It waits for each answer before it asks again, which is all a command line needs. On the store's
own socket the daemon knows who we are by the socket itself: nothing secret is sent to prove it.
"""

import socket
from pathlib import Path

from watchword.errors import Error, Exists, InvalidArgument, NotFound

__all__ = ["Connection", "Reply", "listed", "mapping", "number"]

Reply = str | int | None | list["Reply"]

REFUSALS = {"NOTFOUND": NotFound, "EXISTS": Exists, "INVALID": InvalidArgument}
ANSWER_SECONDS_MAX = 60.0
LINE_BYTES_MAX = 65_536


class Connection:
    """To a unix socket, by its path, or to a port of this machine, by its number."""

    def __init__(self, to: Path | int) -> None:
        try:
            if isinstance(to, int):
                self._socket = socket.create_connection(("127.0.0.1", to), ANSWER_SECONDS_MAX)
            else:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(ANSWER_SECONDS_MAX)
                self._socket.connect(str(to))
        except OSError as error:
            if not isinstance(to, int):
                self._socket.close()
            raise NotFound(
                f"the daemon does not answer at {to}: {error.strerror}",
                hint="is it starting or stopping? try again in a moment",
            ) from None
        self._replies = self._socket.makefile("rb")

    def ask(self, *words: str | int) -> Reply:
        """The reply to one command. Raises Error for an error reply or a lost connection."""
        self.send(*words)
        return self.hear(ANSWER_SECONDS_MAX)

    def send(self, *words: str | int) -> None:
        """One command, whose replies are heard one by one."""
        texts = [str(word).encode("utf-8", "surrogateescape") for word in words]
        frame = b"".join(b"$%d\r\n%b\r\n" % (len(text), text) for text in texts)
        try:
            self._socket.sendall(b"*%d\r\n" % len(texts) + frame)
        except OSError as error:
            raise Error(f"the daemon went away: {error.strerror or 'no answer in time'}") from None

    def hear(self, seconds: float | None = None) -> Reply:
        """The next reply or message; None: however long it takes."""
        try:
            self._socket.settimeout(seconds)
            return self._reply()
        except OSError as error:
            raise Error(f"the daemon went away: {error.strerror or 'no answer in time'}") from None

    def close(self) -> None:
        self._replies.close()
        self._socket.close()

    def _line(self) -> bytes:
        line = self._replies.readline(LINE_BYTES_MAX)
        if not line.endswith(b"\r\n"):
            raise Error("the daemon closed the connection without an answer")
        return line[:-2]

    def _reply(self) -> Reply:
        line = self._line()
        sign, rest = line[:1], line[1:].decode()
        if sign == b"+":
            return rest
        if sign == b"-":
            code, _, text = rest.partition(" ")
            raise REFUSALS.get(code, Error)(text or code)
        if sign == b":":
            return int(rest)
        if sign == b"$":
            return self._bulk(int(rest))
        if sign == b"*":
            return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]
        raise Error("the daemon's answer is not RESP2")

    def _bulk(self, size: int) -> str | None:
        if size < 0:
            return None
        text = self._replies.read(size + 2)
        if len(text) != size + 2:
            raise Error("the daemon closed the connection within an answer")
        return text[:-2].decode()


def listed(reply: Reply) -> list[Reply]:
    if not isinstance(reply, list):
        raise Error("the daemon's answer is not a list")
    return reply


def mapping(reply: Reply) -> dict[str, Reply]:
    """A map, which RESP2 writes as a flat array."""
    flat = listed(reply)
    return {str(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def number(reply: Reply) -> int:
    if reply is None:
        return 0
    if not isinstance(reply, int | str):
        raise Error("the daemon's answer holds no number where one must be")
    return int(reply)
