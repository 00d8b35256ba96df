"""How a client is reached, how long it waits, and when it tries again.

A daemon remembers a request id for 60 seconds: whoever sends one again does so well within them, so
RETRY_SECONDS_MAX is the limit of a call's tries together.
"""

import random
import ssl
from dataclasses import dataclass
from typing import Final

import hiredis

from watchword.client.words import greeting, refusal
from watchword.errors import InvalidArgument, Refused

__all__ = ["ENOUGH", "Patience", "Peer", "reader", "untrusted"]

RETRY_SECONDS_MAX: Final = 50.0
FIRST_PAUSE_S: Final = 0.02
PAUSE_SECONDS_MAX: Final = 1.0
ENOUGH: Final = object()            # what a reader says when a reply is not whole yet


class Patience:
    """The pauses of one call: twice as long each time, with jitter, until its time is up."""

    def __init__(self, retry_s: float, now_s: float) -> None:
        self._until_s = now_s + retry_s
        self._pause_s = FIRST_PAUSE_S

    def left(self, now_s: float) -> float:
        return self._until_s - now_s

    def pause(self, now_s: float) -> float | None:
        """Seconds to the next try; None: there is none."""
        pause_s = random.uniform(0.5, 1.0) * self._pause_s  # noqa: S311, nothing secret
        self._pause_s = min(2 * self._pause_s, PAUSE_SECONDS_MAX)
        return pause_s if now_s + pause_s < self._until_s else None


@dataclass(frozen=True)
class Peer:
    """A daemon: `to` is address:port, or the path of a unix socket."""

    to: str
    name: str | None = None
    token: str | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    timeout_s: float = 5.0
    retry_s: float = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.to, str) or not self.to:
            raise InvalidArgument('to is "address:port" or the path of a socket')
        if not self.is_path:
            host, _, port = self.to.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise InvalidArgument('to is "address:port", as "127.0.0.1:4001", or a path')
        if self.name is not None and self.token is None:
            raise InvalidArgument("a name goes with a token")
        if not 0 < self.timeout_s <= RETRY_SECONDS_MAX:
            raise InvalidArgument(f"timeout_s is more than 0, at most {RETRY_SECONDS_MAX}")
        if not 0 <= self.retry_s <= RETRY_SECONDS_MAX:
            raise InvalidArgument(f"retry_s is 0 to {RETRY_SECONDS_MAX}")

    @property
    def is_path(self) -> bool:
        return "/" in self.to

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.to.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)

    @property
    def named(self) -> str:
        """What its certificate must say."""
        return self.server_name or ("localhost" if self.is_path else self.address[0])

    @property
    def greeting(self) -> bytes:
        return greeting(self.name, self.token)

    def __repr__(self) -> str:
        return f"Peer({self.to!r})"     # a token is no one else's


def untrusted(peer: Peer, error: ssl.SSLCertVerificationError) -> Refused:
    """To try again would find the same certificate."""
    return Refused(
        f"the certificate of {peer.to} is not to be trusted: {error.verify_message}",
        hint="is tls made with the right authority, and server_name the name it certifies?",
    )


def shut_out(peer: Peer, error: OSError) -> Exception:
    """What a greeting under TLS came to, which a daemon reads after it has seen our certificate.
    Who says that it is not taken will not take it the next time either; who closes without a word,
    as our daemon does, may also have been about to end."""
    reason = getattr(error, "reason", None) or ""
    if "ALERT" not in reason or not any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA")):
        return ConnectionError(f"{error}, before a word: does it take our certificate?")
    said = reason.partition("ALERT_")[2].lower().replace("_", " ")
    return Refused(
        f"{peer.to} does not take our certificate: {said}",
        hint="tls.load_cert_chain(certificate, key) with one of its gateways' authority",
    )


def reader() -> hiredis.Reader:
    return hiredis.Reader(
        encoding="utf-8", errors="surrogateescape", replyError=refusal,
        protocolError=ConnectionError, notEnoughData=ENOUGH,
    )  # fmt: skip
