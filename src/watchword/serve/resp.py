"""Replies in RESP2 and RESP3, for the commands that are not hot.

Only two things differ between the versions here: null, and a map, which RESP2 writes as a flat
array. A text becomes a bulk string; `Simple` a simple string; `Refusal` an error.
"""

from collections.abc import Mapping, Sequence

__all__ = ["Refusal", "Reply", "Simple", "encode"]


class Simple(str):
    """A simple string: +OK."""

    __slots__ = ()


class Refusal(str):
    """An error, its code first: ERR syntax error."""

    __slots__ = ()


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
