"""Three ways into the same rules for the tables of tests/test_codes.py: the slow twin, the engine
with a callback, and the daemon with a webhook.

A door enrols, sends and answers, as those of challenge_doors.py; a code that was sent is what
really came out at the other end.
"""

import hashlib
import hmac
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import challenge_doors
from served import KEY, SECONDS_MAX, ReplyError, Served

import watchword
from watchword import reference
from watchword.reference import Figures, Reference

PASSCODE = "ABCDEFGH23"
WEBHOOK_SECRET = b"sixteen bytes or more"

# serial -> kind
DEVICES = {
    "pass": "temporary-passcode", "pass2": "temporary-passcode", "phone": "sms", "phone2": "sms",
    "hotp": "dsc", "gold": "gold",
}  # fmt: skip
PASSCODES = {"pass": PASSCODE, "pass2": "ZYXWVTSRQ9"}


def key_of(serial: str) -> bytes:
    return PASSCODES[serial].encode() if serial in PASSCODES else KEY + serial.encode()


def device_of(serial: str) -> watchword.Device:
    return watchword.Device.of(DEVICES[serial], key_of(serial))


class TwinDoor(challenge_doors.TwinDoor):
    """The slow twin."""

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.twin = Reference(Figures(**figures))

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial)
        self.twin.add_device(
            name,
            reference.Device(
                made.mechanism, made.key, serial, algorithm=made.algorithm, digits=made.digits,
                look_ahead=made.look_ahead, suite=made.suite, label=made.kind,
            ),
            self.now_s * 1000,
        )  # fmt: skip

    def send(self, user: str, *, sms: bool = True, **options: Any) -> tuple[Any, str | None]:
        now_ms = self.now_s * 1000
        found = self.twin.challenge(user, now_ms, sends=True, sms=sms, **options)
        return found, self.twin.sent_code if found and found.kind == "sms" else None

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        said = self.twin.attempt(
            reference.Attempt(user, response, **options), self.now_s * 1000
        )
        return said.verdict.name, said.reason.name, said.device or "-", said.scope or "-"


class EngineDoor(challenge_doors.EngineDoor):
    """The engine, one call at a time."""

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.delivered: queue.Queue[watchword.Delivery] = queue.Queue()
        self.engine = watchword.Engine.open(
            policy=watchword.Policy(**figures), clock=lambda: self.now_s * 1000,
            entropy=lambda n: bytes(n), deliver=self.delivered.put,
        )  # fmt: skip

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial), serial=serial)

    def send(self, user: str, *, sms: bool = True, **options: Any) -> tuple[Any, str | None]:
        verb = self.engine.send_code if sms else self.engine.challenge
        try:
            found = verb(user, **options)
        except watchword.Busy:
            return None, None
        return found, self.code(user, found)

    def code(self, user: str, found: watchword.Challenge) -> str | None:
        if user != "alice" or found.kind != "sms":
            return None
        got = self.delivered.get(timeout=SECONDS_MAX)
        assert (got.id, got.user, got.expires_ms) == (found.id, user, found.expires_ms)
        return got.code

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        verdict = self.engine.verify(user, response, **options)
        device = None if verdict.code.name == "LOCKED" else verdict.device
        return verdict.code.name, verdict.reason.name, device or "-", verdict.scope or "-"

    def close(self) -> None:
        self.engine.close()
        assert self.delivered.empty(), "nobody else was sent a code"


class Hook:
    """A webhook's other end: keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: queue.Queue[dict[str, Any]] = queue.Queue()
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []    # statuses to give first; then 204
        hook = self

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.headers.append(dict(self.headers))
                status = hook.answers.pop(0) if hook.answers else 204
                if status == 204:
                    signed = hmac.digest(WEBHOOK_SECRET, body, hashlib.sha256).hex()
                    assert self.headers["X-Watchword-Signature"] == signed
                    hook.bodies.put(json.loads(body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", hook.url + "elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class DaemonDoor(challenge_doors.DaemonDoor):
    """The daemon, on its two sockets and its webhook."""

    def __init__(self, served: Served, begins_s: int, hook: Hook) -> None:
        super().__init__(served, begins_s)
        self._hook = hook

    def add_device(self, name: str, serial: str) -> None:
        words = ["SERIAL", serial, "KEY", key_of(serial).hex()]
        self._acts.ask("DEVICE", "ADD", self._prefix + name, DEVICES[serial], *words)

    def send(self, user: str, *, sms: bool = True, **options: Any) -> tuple[Any, str | None]:
        words = [word for pair in options.items() for word in pair] + ["KIND", "sms"] * sms
        try:
            reply = self._tcp.ask("CHALLENGE", self._prefix + user, *words)
        except ReplyError as error:
            assert str(error).startswith("BUSY "), error
            return None, None
        found = watchword.Challenge(**reply)
        if user != "alice" or found.kind != "sms":
            return found, None
        got = self._hook.bodies.get(timeout=SECONDS_MAX)
        assert (got["id"], got["user"]) == (found.id, self._prefix + user)
        return found, str(got["code"])

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        words = [word for pair in options.items() for word in pair]
        told = self._tcp.ask("VERIFY", self._prefix + user, response, *words, "DETAIL")
        silent = told["verdict"] in ("EXPIRED", "NOT_PERMITTED")
        device = "" if silent else told["device"] or "-"
        return told["verdict"], "", device, told["scope"] or "-"
