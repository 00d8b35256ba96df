"""Three ways into every verb that is an attempt, for tests/test_verbs.py: the doors of
entry_doors.py, which also find again, activate, change and answer. Each takes `address`.
"""

from typing import Any

import entry_doors
from entry_doors import key_of

from watchword.reference import Attempt

Said = tuple[str, str, str]


class TwinDoor(entry_doors.TwinDoor):
    """The slow twin."""

    def ship(self, name: str, serial: str) -> None:
        self.twin.ship_device(name, self.made(serial), self.now_s * 1000)

    def activate(self, user: str, serial: str, response: str, **options: Any) -> Said:
        return self.say(
            user, response, platform="portal", device=serial, activates=True, **options
        )

    def resync(self, user: str, serial: str, *codes: str, **options: Any) -> Said:
        return self.say(
            user, codes[0], platform="portal", device=serial, second=codes[1], **options
        )

    def pin(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        attempt = Attempt(user, response, platform="portal", pin=old, **options)
        answer = self.twin.change_pin(attempt, new, self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def password(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        attempt = Attempt(user, response, platform="portal", password=old, **options)
        answer = self.twin.change_password(attempt, new, self.now_s * 1000)
        return answer.verdict.name, answer.reason.name, answer.device or "-"

    def answered(self, user: str, id: str, text: str, **options: Any) -> Said:
        answer = self.twin.answer(user, id, text, self.now_s * 1000, **options)
        return answer.verdict.name, answer.reason.name, answer.device or "-"


class EngineDoor(entry_doors.EngineDoor):
    """The engine, one call at a time."""

    def ship(self, name: str, serial: str) -> None:
        self.engine.ship_device(name, entry_doors.device_of(serial, self.title), serial)

    def activate(self, user: str, serial: str, response: str, **options: Any) -> Said:
        return told(self.engine.activate(user, serial, response, **options))

    def resync(self, user: str, serial: str, *codes: str, **options: Any) -> Said:
        return told(self.engine.resync(user, *codes, device=serial, **options))

    def pin(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        return told(self.engine.change_pin(user, old, response, new, **options))

    def password(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        return told(self.engine.change_password(user, old, response, new, **options))

    def answered(self, user: str, id: str, text: str, **options: Any) -> Said:
        return told(self.engine.answer(user, id, text, **options))


def told(verdict: Any) -> Said:
    return verdict.code.name, verdict.reason.name, verdict.device or "-"


class DaemonDoor(entry_doors.DaemonDoor):
    """The daemon, on its two sockets."""

    def ship(self, name: str, serial: str) -> None:
        words = ["SERIAL", serial, "KEY", key_of(serial, self.title).hex()]
        self._acts.ask("DEVICE", "SHIP", self._prefix + name, "dsc", *words)

    def _say(self, verb: str, user: str, *words: str, **options: Any) -> Said:
        named = [word for pair in options.items() for word in pair]
        return self._tcp.ask(verb, self._prefix + user, *words, *named), "", ""

    def activate(self, user: str, serial: str, response: str, **options: Any) -> Said:
        return self._say("ACTIVATE", user, serial, response, **options)

    def resync(self, user: str, serial: str, *codes: str, **options: Any) -> Said:
        named = [word for pair in options.items() for word in pair]
        words = ["DEVICE", "RESYNC", self._prefix + user, serial, *codes, *named]
        return self._acts.ask(*words), "", ""

    def pin(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        return self._say("CHANGEPIN", user, old, response, new, **options)

    def password(self, user: str, old: str, response: str, new: str, **options: Any) -> Said:
        return self._say("CHANGEPASSWORD", user, old, response, new, **options)

    def answered(self, user: str, id: str, text: str, **options: Any) -> Said:
        return self._say("ANSWER", user, id, text, **options)
