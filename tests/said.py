"""What the engine and its slow twin call alike, one in the words of the other: devices, sessions,
challenges that stand, addresses and answers.
"""

import ipaddress
from typing import Any

import numpy as np
from histories import PIN

import watchword
from watchword import reference, reference_ocra


def made_of(mechanism: str, key: bytes, words: dict[str, Any]) -> watchword.Device:
    """A device as the library enrols it, from the twin's words for it."""
    kind = words.pop("label") or mechanism
    if "back" in words:
        words["window"] = (words.pop("back"), words.pop("forward"))
    if "moving" in words:
        words["counter"] = words.pop("moving")
    if "-PSHA" in words.get("suite", ""):
        words["pin"] = words.pop("pin", PIN)
    return watchword.Device.of(kind, key, **words)


def session_of(suite: reference_ocra.Suite, session: bytes | None) -> bytes:
    """What a device signs: it knows nothing of a session that is too long."""
    return (session or b"")[: suite.session]


def open_of(standing: reference.Standing | None) -> tuple[int, int, bool] | None:
    """A challenge that stands, as the core says it."""
    return (standing.n, standing.epoch, bool(standing.purpose)) if standing else None


def encoded(texts: list[str]) -> Any:
    """A column of bytes, as numpy has them."""
    return np.array([text.encode() for text in texts], dtype="S")


def address_bytes(address: str) -> bytes:
    """An address as a record holds it: 16 bytes, IPv4 mapped into IPv6."""
    ip = ipaddress.ip_address(address)
    return bytes(10) + b"\xff\xff" + ip.packed if ip.version == 4 else ip.packed


def answer_of(verdict: Any) -> tuple[Any, ...]:
    """What was said. RULES 7 gives LOCKED the time left and no word on what was typed."""
    device, offset = verdict.device, verdict.offset
    if verdict.code == watchword.Code.LOCKED:
        device, offset = None, 0
    said = int(verdict.code), int(verdict.reason), device, offset, verdict.retry_after_ms
    asks = verdict.code != verdict.shown and verdict.shown == watchword.Code.CHALLENGE
    return (*said, verdict.scope, verdict.session_ms, asks)
