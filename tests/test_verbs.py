"""Every verb that takes a response or a secret is an attempt, RULES sections 4, 5 and 7: the tables
of verb_tables.py, each with each verb, through the slow twin, the engine and a daemon.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from code_told import second_of
from daemons import Daemons
from entry_doors import PINS, key_of
from plays import play
from secret_doors import ANSWERS, POLICY
from verb_doors import DaemonDoor, EngineDoor, Said, TwinDoor
from verb_tables import TABLES

import watchword

WEEKS_APART_S = 6 * 7 * 86_400
ADDRESSES = {"home": "192.0.2.7", "abroad": "203.0.113.9"}
PASSWORD, SUITE = "horse-battery", "OCRA-1:HOTP-SHA1-6:QN06"


class Verb:
    """What is right for it now, what is wrong, and how it is said. A code is one nobody had."""

    devices: tuple[str, ...] = ("plain",)
    password = ""       # what a login of this user takes as well

    def __init__(self, door: Any) -> None:
        self.door, self.codes = door, 0

    def begin(self) -> None:
        """What has to stand before the first row."""

    def code(self, serial: str = "plain") -> str:
        self.codes += 1
        return watchword.hotp(key_of(serial, self.door.title), self.codes - 1)

    def right(self, user: str) -> Any:
        return self.code()

    def wrong(self, user: str) -> Any:
        return "314159"

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        said: Said = self.door.say(user, typed, platform="portal", **options)
        return said


class StepUp(Verb):
    devices = ("gold", "plain")

    def asked(self, user: str) -> Any:
        name = user if user.isalnum() else "alice"      # no other name is asked
        return self.door.ask(name, platform="portal", purpose="wire")

    def right(self, user: str) -> Any:
        asked = self.asked(user)
        return watchword.ocra(SUITE, key_of("gold", self.door.title), asked.prompt), asked.id

    def wrong(self, user: str) -> Any:
        return "314159", self.asked(user).id

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        return self.door.say(user, typed[0], platform="portal", challenge=typed[1], **options)


class Resync(Verb):
    def right(self, user: str) -> Any:
        return self.code(), self.code()

    def wrong(self, user: str) -> Any:
        return "314159", "265358"

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        return self.door.resync(user, "plain", *typed, **options)


class Activate(Verb):
    def begin(self) -> None:
        self.door.ship("alice", "new")

    def right(self, user: str) -> Any:
        return self.code("new")

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        return self.door.activate(user, "new", typed, **options)


class Pin(Verb):
    devices = ("pinned", "plain")

    def begin(self) -> None:
        self.now = PINS["pinned"]

    def right(self, user: str) -> Any:
        return self.code("pinned")

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        new = "8255" if self.now == "4711" else "4711"
        said: Said = self.door.pin(user, self.now, typed, new, **options)
        self.now = new if said[0] == "ACCEPTED" else self.now
        return said


class Password(Verb):
    password = PASSWORD

    def begin(self) -> None:
        self.door.set_password("alice", PASSWORD)

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        said: Said = self.door.password(user, PASSWORD, typed, PASSWORD, **options)
        return said


class Share(Verb):
    """To bob, who is somebody else: refused each time, after a right answer."""

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        verdict, reason, _ = self.door.share("bob", user, "plain", typed, **options)
        return verdict, reason, ""


class OptIn(Verb):
    def say(self, user: str, typed: Any, **options: Any) -> Said:
        return self.door.opt_in(user, typed, **options)


class Answer(Verb):
    def begin(self) -> None:
        self.door.set_questions("alice")

    def right(self, user: str) -> Any:
        id, text = self.door.question(user if user.isalnum() else "alice")
        return id, ANSWERS.get(text, "?")

    def wrong(self, user: str) -> Any:
        return self.door.question(user)[0], "Hm"

    def say(self, user: str, typed: Any, **options: Any) -> Said:
        return self.door.answered(user, *typed, **options)


VERBS: dict[str, Callable[[Any], Verb]] = {
    "login": Verb, "step-up": StepUp, "resynchronisation": Resync, "activation": Activate,
    "PIN change": Pin, "password change": Password, "sharing": Share, "opt-in": OptIn,
    "security answer": Answer,
}  # fmt: skip


class Told:
    """One table with one verb on its way through one door."""

    def __init__(self, door: Any, verb: Verb) -> None:
        self.door, self.verb, self.last = door, verb, None

    def typed(self, user: str, word: str) -> Any:
        if word == "wrong":
            return self.verb.wrong(user)
        if word == "right":
            self.last = self.verb.right(user)
        return self.last

    def row(self, line: str) -> None:
        second, who, *words = line.split()
        self.door.now_s = self.door.begins_s + second_of(second.replace("+", ""))
        if who == "FROM":
            assert self.door.restrict(words[0], [words[1]]) == words[2]
        elif who == "LOGIN":
            typed = self.verb.code() if words[0] == "right" else "314159"
            beside = {"password": self.verb.password} if self.verb.password else {}
            self.holds(self.door.say("alice", typed, platform="trading", **beside), words[1:])
        elif who.isupper():
            self.door.act(who, *words)
        else:
            options = {"address": ADDRESSES[words[1]]} if words[1] != "-" else {}
            self.holds(self.verb.say(who, self.typed(who, words[0]), **options), words[2:])

    def holds(self, said: Said, expected: list[str]) -> None:
        assert [said[0], str(self.door.failures("alice")[0])] == expected


def played(door: Any, title: str, name: str) -> None:
    """A table from its first row to its last, through a door that nobody has been through yet."""
    verb, door.title, door.now_s = VERBS[name](door), title + name, door.begins_s
    play(Told(door, verb), TABLES[title][1], begin=verb.begin, alice=verb.devices, bob=())


EVERY = [pytest.param(title, name, id=f"{name}: {title}") for title in TABLES for name in VERBS]


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@pytest.mark.parametrize(("title", "name"), EVERY)
def test_table(title: str, name: str, door: Any) -> None:
    played(door(**TABLES[title][0]), title, name)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("verbs"))
    with started.ended():
        yield started


@pytest.mark.parametrize(("title", "name"), EVERY)
def test_table_through_a_daemon(title: str, name: str, daemons: Daemons) -> None:
    at = [each.values for each in EVERY].index((title, name))
    served = daemons.of({**POLICY, **TABLES[title][0]})
    played(DaemonDoor(served, WEEKS_APART_S * (1 + at)), title, name)
