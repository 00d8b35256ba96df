"""Ranges of addresses as people write them and as the core holds them: bits that count, and an
address; IPv4 is mapped into IPv6, and its range holds no other.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from watchword._engine import RANGE_BYTES, RANGES_MAX
from watchword.errors import InvalidArgument

__all__ = ["pack_range", "pack_ranges", "unpack_ranges"]

V4_MAPPED: Final = bytes(10) + b"\xff\xff"


def pack_range(text: str) -> bytes:
    """A range as the core holds it: bits that count, and an address; IPv4 mapped into IPv6.

    Errors: InvalidArgument says what is legal.
    """
    legal = "addresses are ranges like 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7"
    if not isinstance(text, str) or "%" in text:
        raise InvalidArgument(legal)
    try:
        net = ipaddress.ip_network(text)
    except ValueError as error:
        if "has host bits set" in str(error):
            near = ipaddress.ip_network(text, strict=False)
            raise InvalidArgument(f"{legal}; {text!r} has bits beyond its length", hint=(
                f"did you mean {near}?"
            )) from None
        raise InvalidArgument(f"{legal}; {text!r} is none") from None
    raw = net.network_address.packed
    if len(raw) == 4:
        return bytes([96 + net.prefixlen]) + V4_MAPPED + raw
    return bytes([net.prefixlen]) + raw


def pack_ranges(texts: Sequence[str]) -> bytes:
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InvalidArgument("addresses is a sequence of ranges")
    packed = list(dict.fromkeys(pack_range(text) for text in texts))
    if len(packed) > RANGES_MAX:
        raise InvalidArgument(f"addresses is at most {RANGES_MAX} ranges, not {len(packed)}")
    return b"".join(packed)


def unpack_ranges(packed: bytes) -> tuple[str, ...]:
    """Ranges as they are written."""
    found = []
    for at in range(0, len(packed), RANGE_BYTES):
        bits, raw = packed[at], packed[at + 1 : at + RANGE_BYTES]
        if bits >= 96 and raw[:12] == V4_MAPPED:
            found.append(f"{ipaddress.IPv4Address(raw[12:])}/{bits - 96}")
        else:
            found.append(f"{ipaddress.IPv6Address(raw)}/{bits}")
    return tuple(found)
