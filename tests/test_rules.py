"""RULES sections 2, 4, 5 and 7 for devices that show a code: every table of rule_tables.py through
the slow twin, the engine and a daemon. What is asked, printed, given out or sent has tables of its
own: test_challenges.py, card_tables.py, test_codes.py.
"""

import hmac
import re
from collections.abc import Iterator
from typing import Any

import challenge_doors
import pytest
from challenge_doors import KEY
from code_told import second_of
from daemons import APART_S, Daemons
from plays import play
from rule_tables import DEVICES, SAME_KEY, TABLES
from served import Served

import watchword
from watchword import reference
from watchword.reference import Reason, Verdict

DOORS = pytest.mark.parametrize("title", TABLES)


def device_of(serial: str, title: str) -> watchword.Device:
    """Keys are a table's own: what was removed in another leaves its floor behind."""
    kind, figures = DEVICES[serial]
    key = hmac.digest(KEY, (SAME_KEY.get(serial, serial) + title).encode(), "sha1")
    return watchword.Device.of(kind, key, **figures)


def code_of(device: watchword.Device, further: int, now_s: int) -> str:
    if device.mechanism == "totp":
        return watchword.totp(device.key, now_s + 30 * further)
    return watchword.hotp(device.key, further)


class TwinDoor(challenge_doors.TwinDoor):
    """The slow twin."""

    title: str

    def __init__(self, **figures: Any) -> None:
        if "names" in figures:
            figures["names_any"] = figures.pop("names") == "any"
        super().__init__(**figures)

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial, self.title)
        back, forward = made.window
        self.twin.add_device(
            name,
            reference.Device(
                made.mechanism, made.key, serial, look_ahead=made.look_ahead, period=made.period,
                back=back, forward=forward, drift_max=made.drift_max,
                label=made.kind if made.label else "",
            ),
            self.now_s * 1000,
        )  # fmt: skip

    def sync(self, user: str, serial: str, first: str, second: str) -> tuple[str, str, str]:
        return self.say(user, first, platform="trading", device=serial, second=second)


class EngineDoor(challenge_doors.EngineDoor):
    """The engine."""

    title: str

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial, self.title), serial=serial)

    def sync(self, user: str, serial: str, first: str, second: str) -> tuple[str, str, str]:
        verdict = self.engine.resync(user, first, second, device=serial)
        return verdict.code.name, verdict.reason.name, verdict.device or "-"


class DaemonDoor(challenge_doors.DaemonDoor):
    """A daemon, over its two sockets."""

    title: str

    def add_device(self, name: str, serial: str) -> None:
        kind, figures = DEVICES[serial]
        words: list[object] = ["SERIAL", serial, "KEY", device_of(serial, self.title).key.hex()]
        for figure, value in figures.items():
            words += [figure, *value]
        self._acts.ask("DEVICE", "ADD", self._prefix + name, kind, *words)

    def sync(self, user: str, serial: str, first: str, second: str) -> tuple[str, str, str]:
        told = self._acts.ask("DEVICE", "RESYNC", self._prefix + user, serial, first, second)
        return told, "", ""


class Told:
    """One table on its way through one door."""

    def __init__(self, door: Any, first: str) -> None:
        self.door, self.first = door, first

    def typed(self, word: str) -> str:
        title, now_s = self.door.title, self.door.now_s
        code = code_of(device_of(self.first, title), 0, now_s)
        plain = {
            "-": "", "wrong": "0", "spaced": " " + code, "long": code + "0",
            "letters": "O" + code[1:],
        }  # fmt: skip
        if word in plain:
            return plain[word]
        found = re.fullmatch(r"(\w+)([+-]\d+)", word)
        assert found is not None, word
        return code_of(device_of(found[1], title), int(found[2]), now_s)

    def say(self, user: str, word: str, platform: str, options: str, *expected: str) -> None:
        found = dict(pair.split("=") for pair in options.split(",")) if options != "-" else {}
        user = user.replace("{}", 65 * "a")
        said = self.door.say(user, self.typed(word), platform=platform, **found)
        self.holds(said, expected)

    def fail(self, times: str) -> None:
        for _ in range(int(times)):
            assert self.door.say("alice", "0", platform="trading")[0] == "REJECTED"

    def sync(self, user: str, serial: str, first: str, second: str, *expected: str) -> None:
        self.holds(self.door.sync(user, serial, self.typed(first), self.typed(second)), expected)

    def holds(self, said: tuple[str, str, str], expected: tuple[str, ...]) -> None:
        verdict, reason, serial = said
        count, devices = self.door.failures("alice")
        seen = (verdict, reason or expected[1], serial or expected[2], str(count))
        assert (*seen, "+".join(map(str, devices))) == expected

    def row(self, line: str) -> None:
        second, verb, *words = line.split()
        self.door.now_s = self.door.begins_s + second_of(second)
        if verb.isupper():
            self.door.act(verb, *words)
        else:
            getattr(self, verb)(*words)


def played(door: Any, title: str) -> None:
    devices, _, rows = TABLES[title]
    door.title = title
    play(Told(door, devices[0]), rows, alice=devices)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("rules"))
    with started.ended():
        yield started


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@DOORS
def test_table(title: str, door: Any) -> None:
    played(door(**TABLES[title][1]), title)


@DOORS
def test_table_through_a_daemon(title: str, daemons: Daemons) -> None:
    served: Served = daemons.of({n: 0 if v is None else v for n, v in TABLES[title][1].items()})
    played(DaemonDoor(served, APART_S * (1 + list(TABLES).index(title))), title)


def test_every_device_and_every_verdict_is_in_a_table() -> None:
    """EXPIRED, and reasons of what is asked or given out, are in the tables of those."""
    words = {word for _, _, rows in TABLES.values() for word in rows.split()}
    assert {serial for devices, _, _ in TABLES.values() for serial in devices} == set(DEVICES)
    elsewhere = {Verdict.EXPIRED}
    assert words >= {verdict.name for verdict in Verdict if verdict not in elsewhere}
    asked = {Reason.NO_CHALLENGE, Reason.OVERDUE, Reason.SCOPE, Reason.LOAD}
    asked |= {Reason.PIN, Reason.PASSWORD, Reason.PENDING, Reason.DENIED, Reason.MISMATCHED}
    asked |= {Reason.CANCELLED, Reason.ENDED}
    # those of test_entry.py
    asked |= {Reason.ADDRESS, Reason.IDENTITY, Reason.TEMPORARY, Reason.LESS_SECURE, Reason.LIMIT}
    assert words >= {reason.name for reason in Reason if reason not in asked}
