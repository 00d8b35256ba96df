"""Replies in RESP2 and RESP3, for the commands that are not hot.

Only two things differ between the versions here: null, and a map, which RESP2 writes as a flat
array. A text becomes a bulk string; `Simple` a simple string; `Refusal` an error. `capitals` is how
a word of a command is read here, as the compiled road reads it.
"""

from collections.abc import Mapping, Sequence

__all__ = ["ECHOED_CHARS_MAX", "Refusal", "Reply", "Simple", "capitals", "encode"]

ECHOED_CHARS_MAX = 128  # of a word that an error says again


class Simple(str):
    """A simple string: +OK."""

    __slots__ = ()


class Refusal(str):
    """An error, its code first: ERR syntax error."""

    __slots__ = ()


def capitals(word: str) -> str:
    """A word as commands and options are named. ASCII alone is folded: by Unicode's rules a dotless
    i and a long s are letters of VERIFY and PUSH as well, and what is asked for under such a name
    would pass by whoever compares bytes."""
    return word.upper() if word.isascii() else word


Reply = str | bytes | int | None | Sequence["Reply"] | Mapping[str, "Reply"]


def encode(reply: Reply, protocol: int) -> bytes:
    """The bytes of a reply. protocol: 2 or 3."""
    if isinstance(reply, Refusal):
        return b"-" + line(reply)
    if isinstance(reply, Simple):
        return b"+" + line(reply)
    if reply is None:
        return b"_\r\n" if protocol == 3 else b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, str):
        reply = reply.encode("utf-8", "surrogateescape")
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, Mapping):
        head = b"%%%d\r\n" % len(reply) if protocol == 3 else b"*%d\r\n" % (2 * len(reply))
        pairs = reply.items()
        return head + b"".join(encode(k, protocol) + encode(v, protocol) for k, v in pairs)
    return b"*%d\r\n" % len(reply) + b"".join(encode(item, protocol) for item in reply)


def line(text: str) -> bytes:
    """One line, whatever the text holds: an error repeats what a client sent."""
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "surrogateescape") + b"\r\n"
