"""The life of devices through both doors of the command line: the engine itself, or the daemon."""

from collections.abc import Callable
from typing import Any, Protocol

from watchword import Card, Code, Device, Engine, Passcode, Replacement
from watchword.cli.answers import Answer
from watchword.cli.connection import Reply, listed, mapping
from watchword.cli.options import who

__all__ = ["Life", "OwnLife", "RemoteLife"]

VERBS = {"suspended": "SUSPEND", "active": "ACTIVE", "lost": "LOST", "returned": "RETURN",
         "expired": "END"}  # fmt: skip


class Life(Protocol):
    """Each means what Engine's method of that sense means."""

    def ship(self, user: str, device: Device, serial: str | None, delivery: str) -> str: ...
    def activate(
        self, user: str, serial: str, response: str, challenge: str | None, platform: str,
        password: str | None, address: str | None,
    ) -> Answer: ...  # fmt: skip
    def replace(
        self, user: str, old: str, device: Device, serial: str | None, state: str, delivery: str,
        passcode: bool,
    ) -> Replacement: ...  # fmt: skip
    def online_card(self, user: str, serial: str | None) -> Card: ...
    def becomes(self, user: str, serial: str, state: str) -> None: ...
    def dates(
        self, user: str, serial: str, delivery: str | None, activates_ms: int | None,
        expires_ms: int | None,
    ) -> None: ...  # fmt: skip


class OwnLife:
    """The store opened here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ship(self, user: str, device: Device, serial: str | None, delivery: str) -> str:
        return self._engine.ship_device(user, device, serial, delivery=delivery, by=who())

    def activate(
        self, user: str, serial: str, response: str, challenge: str | None, platform: str,
        password: str | None, address: str | None,
    ) -> Answer:  # fmt: skip
        verdict = self._engine.activate(
            user, serial, response, challenge=challenge, platform=platform, password=password,
            address=address,
        )  # fmt: skip
        return Answer(verdict.code, verdict.device, verdict.retry_after_ms)

    def replace(
        self, user: str, old: str, device: Device, serial: str | None, state: str, delivery: str,
        passcode: bool,
    ) -> Replacement:  # fmt: skip
        return self._engine.replace_device(
            user, old, device, serial, state=state, delivery=delivery, passcode=passcode, by=who()
        )

    def online_card(self, user: str, serial: str | None) -> Card:
        return self._engine.issue_online_card(user, serial, by=who())

    def becomes(self, user: str, serial: str, state: str) -> None:
        self._engine.set_device(user, serial, state=state, by=who())

    def dates(
        self, user: str, serial: str, delivery: str | None, activates_ms: int | None,
        expires_ms: int | None,
    ) -> None:  # fmt: skip
        self._engine.set_dates(
            user, serial, delivery=delivery, activates_ms=activates_ms, expires_ms=expires_ms,
            by=who(),
        )  # fmt: skip


class RemoteLife:
    """The daemon that owns the store. enrolment: the words of a device, as DEVICE ADD has them."""

    def __init__(
        self, ask: Callable[..., Reply], enrolment: Callable[[Device], list[str | int]]
    ) -> None:
        self._ask = ask
        self._enrolment = enrolment

    def _words(self, device: Device, serial: str | None, delivery: str) -> list[str | int]:
        words = self._enrolment(device)
        words += ["SERIAL", serial] if serial is not None else []
        return words + (["DELIVERY", delivery] if delivery else [])

    def ship(self, user: str, device: Device, serial: str | None, delivery: str) -> str:
        words = self._words(device, serial, delivery)
        return str(self._ask("DEVICE", "SHIP", user, *words, "BY", who()))

    def activate(
        self, user: str, serial: str, response: str, challenge: str | None, platform: str,
        password: str | None, address: str | None,
    ) -> Answer:  # fmt: skip
        words: list[Any] = ["PLATFORM", platform]
        words += ["CHALLENGE", challenge] if challenge is not None else []
        words += ["PASSWORD", password] if password is not None else []
        words += ["ADDRESS", address] if address is not None else []
        code = Code[str(self._ask("ACTIVATE", user, serial, response, *words))]
        return Answer(code, serial if code is Code.ACCEPTED else None, 0)

    def replace(
        self, user: str, old: str, device: Device, serial: str | None, state: str, delivery: str,
        passcode: bool,
    ) -> Replacement:  # fmt: skip
        words = [*self._words(device, serial, delivery), "STATE", state]
        words += ["PASSCODE", "yes" if passcode else "no", "BY", who()]
        told = mapping(self._ask("DEVICE", "REPLACE", user, old, *words))
        issued = None
        if told["passcode"] is not None:
            issued = Passcode(str(told["passcode_serial"]), str(told["passcode"]))
        return Replacement(str(told["serial"]), issued)

    def online_card(self, user: str, serial: str | None) -> Card:
        words = ["SERIAL", serial] if serial is not None else []
        told = mapping(self._ask("DEVICE", "ONLINECARD", user, *words, "BY", who()))
        cells = tuple(str(cell) for cell in listed(told["cells"]))
        return Card(str(told["serial"]), str(told["kind"]), cells)

    def becomes(self, user: str, serial: str, state: str) -> None:
        self._ask("DEVICE", VERBS[state], user, serial, "BY", who())

    def dates(
        self, user: str, serial: str, delivery: str | None, activates_ms: int | None,
        expires_ms: int | None,
    ) -> None:  # fmt: skip
        given = {"DELIVERY": delivery, "ACTIVATES": activates_ms, "EXPIRES": expires_ms}
        words = [word for name, told in given.items() if told is not None for word in (name, told)]
        self._ask("DEVICE", "DATES", user, serial, *words, "BY", who())
