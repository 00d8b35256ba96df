"""Three ways into the life of a device for the tables of tests/test_life.py: the slow twin, the
engine, and a daemon over its two sockets. Moments are milliseconds from where a table begins.
"""

from typing import Any

from challenge_doors import set_clock
from served import ReplyError, Served

import watchword
from watchword import reference
from watchword.devices.card import cells
from watchword.reference import Attempt, Figures, Reference
from watchword.reference_life import stands

KEY = b"12345678901234567890"
PASSCODE = "ABCDEFGH23"
# serial -> kind
DEVICES = {"pass": "temporary-passcode", "old": "dsc", "new": "dsc", "app": "alpine",
           "gold": "gold", "card": "code-card", "phone": "sms", "plain": "hotp"}  # fmt: skip
NAMES = {"expired": "ended"}    # the twin's own word
DAYS_TO_TABLES = 400            # a table's moments are its own


def device_of(serial: str) -> watchword.Device:
    key = PASSCODE.encode() if serial == "pass" else KEY + serial.encode()
    return watchword.Device.of(DEVICES[serial], key)


class TwinDoor:
    """The slow twin."""

    def __init__(self, **figures: Any) -> None:
        self.now_ms = self.begins_ms = 0
        self.twin = Reference(Figures(**figures))
        self.twin.add_user("alice", 0)

    def made(self, serial: str) -> reference.Device:
        d = device_of(serial)
        back, forward = d.window
        return reference.Device(
            d.mechanism, d.key, serial, algorithm=d.algorithm, digits=d.digits,
            look_ahead=d.look_ahead, period=d.period, back=back, forward=forward,
            drift_max=d.drift_max, suite=d.suite, label=d.kind if d.label else "",
        )  # fmt: skip

    def add(self, serial: str) -> None:
        self.twin.add_device("alice", self.made(serial), self.now_ms)

    def ship(self, serial: str, **dates: int) -> None:
        self.twin.ship_device("alice", self.made(serial), self.now_ms, **dates)

    def card(self, serial: str) -> watchword.Card:
        own = reference.Device("card", KEY, serial, label="online-code-card", look_ahead=0)
        self.twin.online_card("alice", own, self.now_ms)
        return watchword.Card(serial, "online-code-card", cells(KEY))

    def replace(self, old: str, new: str, state: str, until_ms: int) -> None:
        self.twin.replace_device(
            "alice", old, self.made(new), self.now_ms, state=NAMES.get(state, state),
            until_ms=until_ms,
        )  # fmt: skip

    def becomes(self, serial: str, state: str) -> str:
        own = NAMES.get(state, state)
        if not self.twin.may_become("alice", serial, own, self.now_ms):
            return "illegal"
        self.twin.set_device("alice", serial, own, self.now_ms)
        return ""

    def dates(self, serial: str, **dates: int) -> None:
        self.twin.set_dates("alice", serial, self.now_ms, **dates)

    def unlock(self) -> None:
        self.twin.unlock("alice", self.now_ms, by="client services")

    def ask(self, **options: Any) -> Any:
        return self.twin.challenge("alice", self.now_ms, **options)

    def say(self, response: str, **options: Any) -> tuple[str, str, str]:
        answer = self.twin.attempt(Attempt("alice", response, **options), self.now_ms)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def activate(self, serial: str, response: str, **options: Any) -> tuple[str, str, str]:
        options = {"platform": "portal", **options}
        return self.say(response, device=serial, activates=True, **options)

    def states(self) -> list[str]:
        user, words = self.twin.users["alice"], {"ended": "expired"}
        at_ms = max(self.now_ms, self.twin.latest_ms)
        found = [stands(user, d, at_ms) for d in user.devices]
        return [words.get(state, state) for state in found]

    def close(self) -> None:
        """Nothing is open."""


class EngineDoor:
    """The engine, one call at a time."""

    def __init__(self, **figures: Any) -> None:
        self.now_ms = self.begins_ms = 0
        self.engine = watchword.Engine.open(
            policy=watchword.Policy(**figures), clock=lambda: self.now_ms,
            entropy=lambda n: bytes(n),
        )  # fmt: skip
        self.engine.add_user("alice")

    def add(self, serial: str) -> None:
        self.engine.add_device("alice", device_of(serial), serial=serial)

    def ship(self, serial: str, **dates: int) -> None:
        self.engine.ship_device("alice", device_of(serial), serial, **dates)

    def card(self, serial: str) -> watchword.Card:
        return self.engine.issue_online_card("alice", serial)

    def replace(self, old: str, new: str, state: str, until_ms: int) -> None:
        self.engine.replace_device(
            "alice", old, device_of(new), new, state=state, until_ms=until_ms
        )

    def becomes(self, serial: str, state: str) -> str:
        try:
            self.engine.set_device("alice", serial, state=state)
        except watchword.InvalidArgument as error:
            return str(error.args[0])
        return ""

    def dates(self, serial: str, **dates: int) -> None:
        self.engine.set_dates("alice", serial, **dates)

    def unlock(self) -> None:
        self.engine.unlock("alice", by="client services")

    def ask(self, **options: Any) -> Any:
        return self.engine.challenge("alice", **options)

    def say(self, response: str, **options: Any) -> tuple[str, str, str]:
        return told(self.engine.verify("alice", response, **options))

    def activate(self, serial: str, response: str, **options: Any) -> tuple[str, str, str]:
        return told(self.engine.activate("alice", serial, response, **options))

    def states(self) -> list[str]:
        return [d.state for d in self.engine.user("alice").devices]

    def close(self) -> None:
        self.engine.close()


def told(verdict: watchword.Verdict) -> tuple[str, str, str]:
    device = None if verdict.code.name == "LOCKED" else verdict.device
    return verdict.code.name, verdict.reason.name, device or "-"


class DaemonDoor:
    """A daemon: attempts and asks on its port, acts on its own socket. It gives no reasons, and the
    device of an accepted login alone."""

    def __init__(self, served: Served, begins_ms: int) -> None:
        self.begins_ms = begins_ms
        self._user = f"alice{begins_ms}"
        self._clock = served.store.parent / "watchword.toml.now"
        self._tcp, self._acts = served.client(), served.acts()
        self._tcp.ask("HELLO", 3)
        self._acts.ask("HELLO", 3)
        self.now_ms = begins_ms
        self._acts.ask("USER", "ADD", self._user)

    def close(self) -> None:
        self._tcp.close()
        self._acts.close()

    @property
    def now_ms(self) -> int:
        return self._now_ms

    @now_ms.setter
    def now_ms(self, moment: int) -> None:
        self._now_ms = moment
        set_clock(self._clock, moment)

    @staticmethod
    def _words(serial: str) -> list[object]:
        device = device_of(serial)
        return [device.kind, "KEY", device.key.hex(), "SERIAL", serial]

    def add(self, serial: str) -> None:
        self._acts.ask("DEVICE", "ADD", self._user, *self._words(serial))

    def ship(self, serial: str, **dates: int) -> None:
        words = [word for name, at in dates.items() for word in (name.removesuffix("_ms"), at)]
        self._acts.ask("DEVICE", "SHIP", self._user, *self._words(serial), *words)

    def card(self, serial: str) -> watchword.Card:
        card = self._acts.ask("DEVICE", "ONLINECARD", self._user, "SERIAL", serial)
        return watchword.Card(card["serial"], card["kind"], tuple(card["cells"]))

    def replace(self, old: str, new: str, state: str, until_ms: int) -> None:
        words = ["UNTIL", until_ms] if until_ms else []
        words = [*self._words(new), "STATE", state, *words]
        self._acts.ask("DEVICE", "REPLACE", self._user, old, *words)

    def becomes(self, serial: str, state: str) -> str:
        verb = {"suspended": "SUSPEND", "returned": "RETURN", "expired": "END"}
        try:
            if state == "shipped":
                self._acts.ask("DEVICE", "SET", self._user, serial, "STATE", state)
            else:
                self._acts.ask("DEVICE", verb.get(state, state), self._user, serial)
        except ReplyError as error:
            return str(error)
        return ""

    def dates(self, serial: str, **dates: int) -> None:
        words = [word for name, at in dates.items() for word in (name.removesuffix("_ms"), at)]
        self._acts.ask("DEVICE", "DATES", self._user, serial, *words)

    def unlock(self) -> None:
        self._acts.ask("USER", "UNLOCK", self._user)

    def ask(self, **options: str) -> Any:
        words = [word for pair in options.items() for word in pair]
        return watchword.Challenge(**self._tcp.ask("CHALLENGE", self._user, *words))

    def say(self, response: str, **options: Any) -> tuple[str, str, str]:
        words = [word for pair in options.items() for word in pair]
        told = self._tcp.ask("VERIFY", self._user, response, *words, "DETAIL")
        silent = told["verdict"] in ("EXPIRED", "NOT_PERMITTED")
        return told["verdict"], "", "" if silent else told["device"] or "-"

    def activate(self, serial: str, response: str, **options: Any) -> tuple[str, str, str]:
        words = [word for pair in options.items() for word in pair]
        return self._tcp.ask("ACTIVATE", self._user, serial, response, *words), "", ""

    def states(self) -> list[str]:
        return [device["state"] for device in self._acts.ask("DEVICE", "LIST", self._user)]
