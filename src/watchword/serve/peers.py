"""Who is at the other end of a unix socket, as the kernel says it."""

import pwd
import socket
import struct
from asyncio import BaseTransport
from typing import Any

__all__ = ["name_of", "peer_name", "peer_of"]

PEER = struct.Struct("3i")  # struct ucred: process, user, group


def peer_of(transport: BaseTransport) -> int:
    """The user's number. Errors: OSError, AttributeError for a connection that has just gone."""
    peer = transport.get_extra_info("socket")
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size)
    return int(PEER.unpack(found)[1])


def name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def peer_name(client: Any, unknown: str) -> str:
    """The user's name; unknown where the kernel cannot say."""
    transport = getattr(client, "transport", None)
    if transport is None:
        return unknown
    try:
        return name_of(peer_of(transport))
    except (OSError, AttributeError):  # it has just gone; the act is done all the same
        return unknown
