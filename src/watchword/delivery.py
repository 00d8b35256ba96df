"""Codes on their way to a phone: what is delivered, by whom, and a webhook that does it.

Rule: a code is handed over only after the record of its issue is durable, on a thread that no login
waits for, and appears in no message. What cannot be delivered is counted; whoever waits for it asks
for another. A webhook follows no redirection and no proxy: the code goes to the one address given.
"""

import contextlib
import hashlib
import hmac
import ipaddress
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from queue import SimpleQueue
from typing import Final

from watchword.errors import Error, InvalidArgument

__all__ = ["Courier", "Delivery", "Webhook", "wake_id", "web_address"]

WAITING_MAX: Final = 1_000          # codes not yet handed over; beyond: asking for one is busy
COURIERS: Final = 4                 # threads, so that one slow delivery holds up few
CLOSE_SECONDS_MAX: Final = 30.0     # that closing waits for deliveries under way
TIMEOUT_MS_MAX: Final = 10_000
ATTEMPTS_MAX: Final = 5
PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)      # before each further attempt
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 16, 1_024
TRY_AGAIN = frozenset([408, 425, 429])      # and whatever is the server's own fault: 500 to 599


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something for a user's phone. id: the same however often it is tried. kind: sms, a code to be
    sent, and the id is its challenge's; push, to tell the phone to look, and there is no code."""

    id: str
    user: str
    device: str
    platform: str
    purpose: str | None
    expires_ms: int
    code: str = field(repr=False)
    kind: str = "sms"


def wake_id(push: str) -> str:
    """An id for telling a phone of a push: whoever carries it does not learn the push's own."""
    return hashlib.sha256(b"watchword wake" + bytes.fromhex(push)).hexdigest()[:32]


class Courier:
    """Hands deliveries over, each to one call of `deliver`, on threads of its own."""

    def __init__(self, deliver: Callable[[Delivery], object]) -> None:
        self._deliver = deliver
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = self._delivered = self._failed = 0
        self._threads: list[threading.Thread] = []

    @property
    def is_full(self) -> bool:
        return self._waiting >= WAITING_MAX

    def take(self, delivery: Delivery) -> None:
        with self._lock:
            self._waiting += 1
            if len(self._threads) < min(COURIERS, self._waiting):
                self._threads.append(
                    threading.Thread(target=self._run, name="watchword-courier", daemon=True)
                )
                self._threads[-1].start()
        self._queue.put(delivery)

    def _run(self) -> None:
        while (delivery := self._queue.get()) is not None:
            failed = 0
            try:
                self._deliver(delivery)
            except Exception:  # the caller's, and of any kind: what it says may hold the code
                failed = 1
            with self._lock:
                self._waiting -= 1
                self._failed += failed
                self._delivered += 1 - failed
            del delivery

    def counters(self) -> dict[str, int]:
        with self._lock:
            return {
                "codes_waiting": self._waiting,
                "codes_delivered": self._delivered,
                "codes_undelivered": self._failed,
            }

    def close(self) -> None:
        """Lets deliveries under way end, within a limit."""
        for _ in self._threads:
            self._queue.put(None)
        until = time.monotonic() + CLOSE_SECONDS_MAX
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Webhook:
    """Delivers by HTTP: POSTs a JSON object with the fields of Delivery to `url`.

    url: https, or http on this machine. secret: 16 to 1,024 bytes; the body's HMAC-SHA256 under
    it comes as the header X-Watchword-Signature, in hex. timeout_ms: of each attempt. attempts: at
    most so many, when there is no answer or the server says that it may be tried again; the header
    Idempotency-Key is the same for all of them. Any answer of 200 to 299 is a delivery. Errors:
    InvalidArgument when made, Error when it was not delivered.
    """

    def __init__(
        self, url: str, *, secret: bytes | None = None, timeout_ms: int = 5_000, attempts: int = 3
    ) -> None:
        self._url = web_address(url)
        if secret is not None and not (
            isinstance(secret, bytes) and SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX
        ):
            raise InvalidArgument(
                f"secret is {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, or None"
            )
        for name, figure, most in (
            ("timeout_ms", timeout_ms, TIMEOUT_MS_MAX), ("attempts", attempts, ATTEMPTS_MAX),
        ):  # fmt: skip
            if isinstance(figure, bool) or not isinstance(figure, int) or not 1 <= figure <= most:
                raise InvalidArgument(f"{name} is a whole number from 1 to {most}")
        self._secret = secret
        self._timeout_s = timeout_ms / 1000
        self._attempts = attempts
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)

    def __repr__(self) -> str:
        return f"<Webhook {urllib.parse.urlsplit(self._url).hostname}>"

    def __call__(self, delivery: Delivery) -> None:
        fields = {name: getattr(delivery, name) for name in Delivery.__slots__}
        body = json.dumps(fields).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": delivery.id,
            "User-Agent": "watchword",
        }
        if self._secret is not None:
            signature = hmac.digest(self._secret, body, hashlib.sha256).hex()
            headers["X-Watchword-Signature"] = signature
        for attempt in range(self._attempts):
            said = self._post(body, headers)
            if not said:
                return
            if isinstance(said, int) and said < 500 and said not in TRY_AGAIN:
                break
            if attempt + 1 < self._attempts:
                time.sleep(PAUSES_S[attempt])
        answer = f"answered {said}" if isinstance(said, int) else said
        raise Error(f"the webhook {answer}: a code was not delivered")

    def _post(self, body: bytes, headers: dict[str, str]) -> int | str:
        """Nothing when it was taken; else the status, or why there was none."""
        asked = urllib.request.Request(  # noqa: S310 (web_address held it to two schemes)
            self._url, body, headers, method="POST"
        )
        try:
            with self._opener.open(asked, timeout=self._timeout_s) as answer:
                assert isinstance(answer, HTTPResponse)
                return 0 if 200 <= answer.status < 300 else answer.status
        except urllib.error.HTTPError as error:
            with contextlib.suppress(OSError):
                error.close()
            return error.code
        except (OSError, HTTPException):  # what it says may hold parts of the answer
            return "did not answer"


def web_address(url: object, called: str = "url") -> str:
    """Errors: InvalidArgument, which names it as it was called."""
    sort = f"{called} is https://..., or http://... on this machine"
    if not isinstance(url, str) or not url.isascii() or any(c.isspace() for c in url):
        raise InvalidArgument(sort)
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidArgument(sort) from None
    if parts.scheme not in ("https", "http") or not host or parts.fragment:
        raise InvalidArgument(sort)
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument(
            f"{called} holds no name and no password", hint="give a secret instead"
        )
    if parts.scheme == "http" and not _is_here(host):
        raise InvalidArgument(sort, hint="plain HTTP shows codes to the network")
    return url


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
