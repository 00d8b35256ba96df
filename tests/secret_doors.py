"""Three ways into the same rules for the tables of tests/test_secrets.py: the slow twin, the engine
and the daemon over its two sockets. A door does as those of challenge_doors.py do, and also sets,
asks and changes what users know.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import challenge_doors
from served import KEY, Served

import watchword
from watchword import reference
from watchword.reference import Attempt, Figures, Reference

POLICY = {"password_memory_kib": 32, "password_passes": 1, "security_questions": True}

# serial -> kind and figures; all PINs but those of ib-keys are typed before the code
DEVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "card": ("dsc", {"pin": "4711"}),
    "plain": ("dsc", {}),
    "app": ("totp", {"pin": "p.I-n_8255"}),
    "gold": ("gold", {"pin": "2580"}),
    "key": ("ib-key", {"pin": "a1.b"}),
    "phone": ("ib-key", {"pin": "a1.b", "phone": bytes([4]) * 32}),
    "phone2": ("ib-key", {"pin": "a1.b", "phone": bytes([4]) * 32}),
}
QUESTIONS = [("pets", "Which pet?", "Rex II"), ("cities", "Which city?", "San Diego"),
             ("schools", "Which school?", "Saint Mary's")]  # fmt: skip
ANSWERS = {text: answer for _, text, answer in QUESTIONS}


def dice_of(now_s: int) -> int:
    return now_s * 0x9E3779B97F4A7C15 % 2**64


def key_of(serial: str) -> bytes:
    return KEY if serial in ("card", "plain") else KEY + serial.encode()


def device_of(serial: str) -> watchword.Device:
    kind, figures = DEVICES[serial]
    return watchword.Device.of(kind, key_of(serial), **figures)


@contextlib.contextmanager
def serving(folder: Path, settings: str) -> Iterator[Served]:
    served = Served(folder, settings).start()
    try:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()
    finally:
        served.stop(signal.SIGKILL)


class TwinDoor(challenge_doors.TwinDoor):
    """The slow twin."""

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.twin = Reference(Figures(**figures))

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial)
        back, forward = made.window
        self.twin.add_device(
            name,
            reference.Device(
                made.mechanism, made.key, serial, algorithm=made.algorithm, digits=made.digits,
                look_ahead=made.look_ahead, period=made.period, back=back, forward=forward,
                suite=made.suite, label=made.kind if made.label else "", pin=made.pin,
                pin_hash=made.pin_hash, phone=made.phone,
            ),
            self.now_s * 1000,
        )  # fmt: skip

    def set_password(self, name: str, password: str | None) -> None:
        self.twin.set_password(name, password, self.now_s * 1000)

    def set_questions(self, name: str) -> None:
        self.twin.set_questions(name, QUESTIONS, self.now_s * 1000)

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str]:
        options["vouched"] = bool(options.get("vouched"))
        return super().say(user, response, **options)

    def change_pin(self, user: str, old: str, response: str, new: str) -> tuple[str, str, str]:
        attempt = Attempt(user, response, platform="portal", pin=old)
        answer = self.twin.change_pin(attempt, new, self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def question(self, user: str) -> tuple[str, str]:
        return self.twin.question(user, dice_of(self.now_s), self.now_s * 1000)

    def answer(self, user: str, id: str, text: str) -> tuple[str, str, str]:
        answer = self.twin.answer(user, id, text, self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"


class EngineDoor(challenge_doors.EngineDoor):
    """The engine, one call at a time."""

    def __init__(self, **figures: Any) -> None:
        self.now_s = 0
        self.engine = watchword.Engine.open(
            policy=watchword.Policy(**POLICY, **figures), clock=lambda: self.now_s * 1000,
            entropy=lambda n: dice_of(self.now_s).to_bytes(8, "little").ljust(n, b"\0"),
        )  # fmt: skip

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial), serial=serial)

    def set_password(self, name: str, password: str | None) -> None:
        if password is None:
            self.engine.clear_password(name)
        else:
            self.engine.set_password(name, password)

    def set_questions(self, name: str) -> None:
        self.engine.set_questions(name, QUESTIONS)

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str]:
        options["first_factor"] = bool(options.pop("vouched", False))
        return super().say(user, response, **options)

    def change_pin(self, user: str, old: str, response: str, new: str) -> tuple[str, str, str]:
        verdict = self.engine.change_pin(user, old, response, new)
        return verdict.code.name, verdict.reason.name, verdict.device or "-"

    def question(self, user: str) -> tuple[str, str]:
        found = self.engine.question(user)
        return found.id, found.question

    def answer(self, user: str, id: str, text: str) -> tuple[str, str, str]:
        verdict = self.engine.answer(user, id, text)
        return verdict.code.name, verdict.reason.name, verdict.device or "-"


class DaemonDoor(challenge_doors.DaemonDoor):
    """The daemon, on its two sockets."""

    def __init__(self, served: Served, begins_s: int) -> None:
        super().__init__(served, begins_s)

    def add_device(self, name: str, serial: str) -> None:
        kind, figures = DEVICES[serial]
        words = ["SERIAL", serial, "KEY", key_of(serial).hex()]
        for figure, value in figures.items():
            words += [figure, value.hex() if isinstance(value, bytes) else value]
        self._acts.ask("DEVICE", "ADD", self._prefix + name, kind, *words)

    def set_password(self, name: str, password: str | None) -> None:
        words = ["CLEAR"] if password is None else ["SET", password]
        self._acts.ask("USER", "PASSWORD", self._prefix + name, *words)

    def set_questions(self, name: str) -> None:
        words = [word for question in QUESTIONS for word in question]
        self._acts.ask("USER", "QUESTIONS", self._prefix + name, "SET", *words)

    def change_pin(self, user: str, old: str, response: str, new: str) -> tuple[str, str, str]:
        return self._tcp.ask("CHANGEPIN", self._prefix + user, old, response, new), "", ""

    def question(self, user: str) -> tuple[str, str]:
        found = self._tcp.ask("QUESTION", self._prefix + user)
        return found["id"], found["question"]

    def answer(self, user: str, id: str, text: str) -> tuple[str, str, str]:
        return self._tcp.ask("ANSWER", self._prefix + user, id, text), "", ""
