"""Three ways into the same rules for the tables of tests/test_challenges.py: the slow twin, the
engine, and the daemon over its two sockets.

A door enrols, asks and answers; what it says is a verdict's name, its reason, the serial that
matched, and what the state is afterwards.
"""

from pathlib import Path
from typing import Any

from served import ReplyError, Served

import watchword
from watchword import reference
from watchword.devices.card import cells
from watchword.reference import Attempt, Figures, Reference
from watchword.reference_ocra import suite_of
from watchword.reference_posed import own_suite

KEY = b"12345678901234567890"
PIN = "4711"

# serial -> kind and figures; the kinds of the house have their own suites
DEVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "plus": ("dsc-plus", {}),
    "gold": ("gold", {}),
    "gold2": ("gold", {}),
    "key": ("ib-key", {"pin": PIN}),
    "any": ("ocra", {"suite": "OCRA-1:HOTP-SHA256-7:QA10"}),
    "count": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-6:C-QN08", "look_ahead": 2, "counter": 5}),
    "time": ("ocra", {"suite": "OCRA-1:HOTP-SHA512-8:QH08-T1M", "window": 1, "drift_max": 2}),
    "both": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-10:C-QN08-T30S", "look_ahead": 1, "window": 1}),
    "session": ("ocra", {"suite": "OCRA-1:HOTP-SHA256-8:QN08-S008"}),
    "sign": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-4:C-QA64-PSHA512-S064-T1H", "pin": PIN}),
    "sig": ("ocra", {"suite": "OCRA-1:HOTP-SHA256-8:QA08"}),
    "pinned": ("ocra", {"suite": "OCRA-1:HOTP-SHA512-8:QA08-PSHA1", "pin": PIN}),
    "apart": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-0:C-QH08-S008-T1M", "counter": 3}),
    "whole": ("ocra", {"suite": "OCRA-1:HOTP-SHA1-0:QH08"}),
    "digests": ("ocra", {"suite": "OCRA-1:HOTP-SHA512-0:C-QN08-PSHA256", "pin": PIN,
                         "look_ahead": 2}),
    "wholesession": ("ocra", {"suite": "OCRA-1:HOTP-SHA256-0:QA64-S008"}),
    "totp": ("alpine", {}),
    "hotp": ("dsc", {}),
    "card": ("code-card", {}),
    "online": ("online-code-card", {}),
    "last": ("code-card", {"counter": 49_951}),
    "lastcell": ("code-card", {"counter": 111}),
}


def device_of(serial: str) -> watchword.Device:
    kind, figures = DEVICES[serial]
    return watchword.Device.of(kind, KEY + serial.encode(), **figures)


def response_to(serial: str, prompt: str, counter: int, session: bytes, now_s: int) -> str:
    """What the device shows, by the library's plain functions."""
    device = device_of(serial)
    if device.mechanism == "totp":
        return watchword.totp(device.key, now_s)
    if device.mechanism == "hotp":
        return watchword.hotp(device.key, counter)
    if device.mechanism == "card":
        return watchword.Card("", "", cells(device.key)).answer(prompt)
    suite = suite_of(device.suite)
    return watchword.ocra(
        device.suite, device.key, prompt,
        counter=counter if suite.counter else None,
        pin=PIN if suite.pin else None,
        session=session if suite.session else None,
        time_step=now_s // suite.period if suite.period else None,
    )  # fmt: skip


def answer_to(serial: str, questions: str, counter: int, now_s: int) -> str:
    """What the device expects of us: its own computation, but for PIN and session."""
    device = device_of(serial)
    suite = own_suite(suite_of(device.suite))
    return watchword.ocra(
        suite.text, device.key, questions, counter=counter if suite.counter else None,
        time_step=now_s // suite.period if suite.period else None,
    )  # fmt: skip


class TwinDoor:
    """The slow twin."""

    begins_s = 0

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.twin = Reference(Figures(**figures))

    def add_user(self, name: str) -> None:
        self.twin.add_user(name, 0)

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial)
        back, forward = made.window
        self.twin.add_device(
            name,
            reference.Device(
                made.mechanism, made.key, serial, algorithm=made.algorithm, digits=made.digits,
                moving=made.counter, look_ahead=made.look_ahead, period=made.period,
                back=back, forward=forward, drift_max=made.drift_max, suite=made.suite,
                label=made.kind if made.label else "", pin_hash=made.pin_hash,
            ),
            0,
        )  # fmt: skip

    def act(self, verb: str, *words: str) -> None:
        now_ms = self.now_s * 1000
        if verb == "ACCOUNT":
            self.twin.set_user(words[0], now_ms, state=words[1], realm="live")
        elif verb == "DEVICE":
            self.twin.set_device(*words, now_ms=now_ms)
        elif verb == "UNLOCK":
            self.twin.unlock(words[0], now_ms, by="client services")
        else:
            self.twin.remove_device(words[0], words[1], now_ms)
            self.add_device(words[0], words[1])

    def ask(self, user: str, **options: Any) -> Any:
        return self.twin.challenge(user, self.now_s * 1000, **options)

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str]:
        options["session"] = options.get("session") or b""
        answer = self.twin.attempt(Attempt(user, response, **options), self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def failures(self, name: str) -> tuple[int, list[int]]:
        """In a row: the user's, and each device's."""
        user = self.twin.users[name]
        return user.streak.count, [d.failures for d in user.devices]

    def close(self) -> None:
        pass


class EngineDoor:
    """The engine, one call at a time."""

    begins_s = 0

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.engine = watchword.Engine.open(
            policy=watchword.Policy(**figures), clock=lambda: self.now_s * 1000,
            entropy=lambda n: bytes(n),
        )  # fmt: skip

    def add_user(self, name: str) -> None:
        self.engine.add_user(name)

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial), serial=serial)

    def act(self, verb: str, *words: str) -> None:
        if verb == "ACCOUNT":
            self.engine.set_user(words[0], state=words[1])
        elif verb == "DEVICE":
            self.engine.set_device(words[0], words[1], state=words[2])
        elif verb == "UNLOCK":
            self.engine.unlock(words[0], by="client services")
        else:
            self.engine.remove_device(words[0], words[1])
            self.add_device(words[0], words[1])

    def ask(self, user: str, **options: Any) -> Any:
        try:
            return self.engine.challenge(user, **options)
        except watchword.Busy:
            return None

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str]:
        verdict = self.engine.verify(user, response, **options)
        device = None if verdict.code.name == "LOCKED" else verdict.device
        return verdict.code.name, verdict.reason.name, device or "-"

    def failures(self, name: str) -> tuple[int, list[int]]:
        user = self.engine.user(name)
        return user.failures, [d.failures for d in user.devices]

    def close(self) -> None:
        self.engine.close()


# A daemon whose clock is what a file says, in milliseconds.
DRIVER = """
import sys
from pathlib import Path

from watchword.engine import Engine
from watchword.serve import daemon
from watchword.serve.config import Config

clock, opened = Path(sys.argv[1] + ".now"), Engine.open
now = {"clock": lambda: int(clock.read_text())}
Engine.open = lambda *given, **named: opened(*given, **named, **now)
sys.exit(daemon.run(Config.load(sys.argv[1])))
"""
OPTIONS = {"look_ahead": "LOOKAHEAD", "drift_max": "DRIFT"}


def set_clock(clock: Path, ms: int) -> None:
    """At once: whoever reads meanwhile finds the one time or the other, and no empty file."""
    coming = clock.with_suffix(".coming")
    coming.write_text(str(ms))
    coming.replace(clock)


class DaemonDoor:
    """The daemon: attempts and asks on its port, acts on its own socket. It gives no reasons, and
    the device of an accepted response alone. `begins_s` sets one table apart from the next, in time
    and in the names of its users."""

    def __init__(self, served: Served, begins_s: int) -> None:
        self.begins_s = begins_s
        self._prefix = f"t{begins_s}"
        self._clock = served.store.parent / "watchword.toml.now"
        self._tcp, self._acts = served.client(), served.acts()
        self._tcp.ask("HELLO", 3)
        self._acts.ask("HELLO", 3)
        self.now_s = begins_s

    def close(self) -> None:
        self._tcp.close()
        self._acts.close()

    @property
    def now_s(self) -> int:
        return self._now_s

    @now_s.setter
    def now_s(self, seconds: int) -> None:
        self._now_s = seconds
        set_clock(self._clock, seconds * 1000)

    def add_user(self, name: str) -> None:
        self._acts.ask("USER", "ADD", self._prefix + name)

    def add_device(self, name: str, serial: str) -> None:
        kind, figures = DEVICES[serial]
        words: list[object] = ["SERIAL", serial, "KEY", (KEY + serial.encode()).hex()]
        for figure, value in figures.items():
            words += [OPTIONS.get(figure, figure), value]
            words += [value] if figure == "window" else []
        self._acts.ask("DEVICE", "ADD", self._prefix + name, kind, *words)

    def act(self, verb: str, name: str, *words: str) -> None:
        user = self._prefix + name
        if verb == "ACCOUNT":
            self._acts.ask("USER", "SET", user, "STATE", words[0])
        elif verb == "DEVICE":
            self._acts.ask("DEVICE", "SET", user, words[0], "STATE", words[1])
        elif verb == "UNLOCK":
            self._acts.ask("USER", "UNLOCK", user)
        else:
            self._acts.ask("DEVICE", "REMOVE", user, words[0])
            self.add_device(name, words[0])

    def ask(self, user: str, **options: str) -> watchword.Challenge | None:
        if "client_question" in options:
            options["client"] = options.pop("client_question")
        words = [word for pair in options.items() for word in pair]
        try:
            return watchword.Challenge(**self._tcp.ask("CHALLENGE", self._prefix + user, *words))
        except ReplyError as error:
            assert str(error).startswith("BUSY "), error
            return None

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str]:
        if "session" in options:
            options["session"] = options["session"].hex()
        words = [word for pair in options.items() for word in pair]
        told = self._tcp.ask("VERIFY", self._prefix + user, response, *words, "DETAIL")
        silent = told["verdict"] in ("EXPIRED", "NOT_PERMITTED")
        return told["verdict"], "", "" if silent else told["device"] or "-"

    def failures(self, name: str) -> tuple[int, list[int]]:
        user = self._acts.ask("USER", "GET", self._prefix + name)
        devices = self._acts.ask("DEVICE", "LIST", self._prefix + name)
        return user["failures"], [device["failures"] for device in devices]
