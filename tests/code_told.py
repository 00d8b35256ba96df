"""A table of tests/test_codes.py on its way through one door: who asks, what is typed, what is said
and the state after it. test_codes.py says what a row holds.
"""

from typing import Any

from code_doors import PASSCODES

DAY_S = 86_400


def second_of(text: str) -> int:
    days, _, rest = text.rpartition("d")
    return int(days or 0) * DAY_S + int(rest or 0)


class Told:
    """One table on its way through one door."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.known: dict[str, tuple[Any, str | None]] = {}

    def options(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = dict(
            word.split("=") for word in text.split(",") if text != "-"
        )
        if "id" in found:
            named = found.pop("id")
            found["challenge"] = "0" * 96 if named == "forged" else self.known[named][0].id
        return found

    def typed(self, word: str) -> str:
        if word in ("wrong", "-"):
            return "0" if word == "wrong" else ""
        how, _, serial = word.rpartition(":")
        if serial in PASSCODES:
            text = PASSCODES[serial]
            return {"": text, "lower": text.lower(), "cut": text[:-1], "more": text + "A"}[how]
        return str(self.known[word][1])

    def send(self, user: str, platform: str, options: str, name: str, sms: bool = True) -> None:
        found, code = self.door.send(user, platform=platform, sms=sms, **self.options(options))
        if name == "BUSY":
            assert found is None
            return
        assert found is not None, "it was refused"
        assert found.id not in [known.id for known, _ in self.known.values()]
        if found.kind == "sms":
            assert found.prompt == ""
            figures_s = (found.expires_ms - 1000 * self.door.now_s) / 1000
            assert figures_s > 0 and (user == "alice") == (code is not None)
        self.known[name] = found, code

    def ask(self, user: str, platform: str, options: str, name: str) -> None:
        self.send(user, platform, options, name, sms=False)

    def say(self, user: str, word: str, platform: str, options: str, *expected: str) -> None:
        said = self.door.say(user, self.typed(word), platform=platform, **self.options(options))
        verdict, reason, serial, scope = said
        count, devices = self.door.failures("alice")
        seen = [verdict, reason or expected[1], serial or expected[2], scope]
        assert [*seen, str(count), "+".join(map(str, devices))] == list(expected)

    def row(self, line: str) -> None:
        second, verb, *words = line.split()
        self.door.now_s = self.door.begins_s + second_of(second)
        if verb == "ADD":
            self.door.add_device(*words)
        elif verb.isupper():
            self.door.act(verb, *words)
        else:
            getattr(self, verb)(*words)
