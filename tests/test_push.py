"""Pushes, RULES sections 4, 6 and 7, as tables: a row is an act at a time, then what is said and
the state after it. Every table goes through the slow twin, the engine and a daemon.

A row: a second; then one of
  push USER PLATFORM OPTIONS -> NAME; MANUAL NAME: the phone's challenge stands instead
  tell NAME PHONE HOW UNLOCKED -> what became of it, or NOBODY: it is not this phone's
  list USER PHONE -> the names that its phone is shown, the newest first, ! cancelled; NOBODY
  say  USER PLATFORM OPTIONS -> verdict, reason, serial, hours of session; alice's failures, and
       those of her devices
  CAPITALS ...                  an act of administration
HOW: right or wrong, an approval under that number; deny. OPTIONS: - or several of purpose=,
device=, id=, realm=, typed=, password=, joined by commas. typed: manual is the right response to a
manual challenge, code1 what `dsc` shows at its counter 1. password: right, or whatever is not;
PASSWORD USER gives one.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from challenge_doors import DRIVER
from plays import play
from push_doors import (
    COSTS,
    KEY,
    PASSWORD,
    PIN,
    SUITE,
    Asked,
    DaemonDoor,
    EngineDoor,
    TwinDoor,
)
from served import Served

import watchword

APART_S = 3_600_000

# What alice has; further policy figures; rows. bob has `phone2`.
TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "approved, and claimed once": (["phone"], {}, """
        0    push alice trading -                a
        1    say  alice trading id=a             CHALLENGE PENDING - 0 0 0
        2    list alice phone                    a
        3    tell a phone right pin              approved
        4    list alice phone                    -
        5    say  alice trading id=a             ACCEPTED NONE phone 12 0 0
        6    say  alice trading id=a             REJECTED NO_CHALLENGE - 0 1 0
        7    tell a phone right pin              claimed
        """),
    "a fingerprint lasts longer": (["phone"], {}, """
        0    push alice trading purpose=wire     a
        0    tell a phone right biometric        approved
        0    say  alice trading id=a             ACCEPTED NONE phone 30 0 0
        """),
    "a P-256 phone, by its serial": (["phone"], {}, """
        0    push bob trading device=phone2      a
        0    list bob phone2                     a
        0    tell a phone2 right pin             approved
        0    say  bob trading id=a,device=phone2 ACCEPTED NONE phone2 12 0 0
        """),
    "denied, or under a wrong number: a failure": (["phone"], {}, """
        0    push alice trading -                a
        1    tell a phone deny none              denied
        2    tell a phone right pin              denied
        3    say  alice trading id=a             REJECTED DENIED - 0 1 1
        4    say  alice trading id=a             REJECTED NO_CHALLENGE - 0 2 1
        5    push alice trading -                b
        6    tell b phone wrong pin              mismatched
        7    tell b phone right pin              mismatched
        8    say  alice trading id=b             REJECTED MISMATCHED - 0 3 2
        9    push alice trading -                c
        9    tell c phone right pin              approved
        9    say  alice trading id=c             ACCEPTED NONE phone 12 0 0
        """),
    "open for sixty seconds, and then nothing is counted": (["phone"], {}, """
        0    push alice trading -                a
        59   say  alice trading id=a             CHALLENGE PENDING - 0 0 0
        60   say  alice trading id=a             EXPIRED OVERDUE - 0 0 0
        61   list alice phone                    -
        62   tell a phone right pin              expired
        63   say  alice trading id=a             EXPIRED OVERDUE - 0 0 0
        100  push alice trading -                b
        159  tell b phone right pin              approved
        160  say  alice trading id=b             EXPIRED OVERDUE - 0 0 0
        161  push alice trading -                c
        162  tell c phone deny pin               denied
        221  say  alice trading id=c             EXPIRED OVERDUE - 0 0 0
        """),
    "what ran out stays so when time goes back": (["phone"], {}, """
        0    push alice trading -                a
        60   say  alice trading id=a             EXPIRED OVERDUE - 0 0 0
        5    tell a phone right pin              expired
        5    say  alice trading id=a             EXPIRED OVERDUE - 0 0 0
        """),
    "a second takes the place of the first": (["phone"], {}, """
        0    push alice trading -                a
        1    push alice portal  -                b
        2    list alice phone                    b,a!
        3    tell a phone right pin              cancelled
        4    say  alice trading id=a             EXPIRED CANCELLED - 0 0 0
        5    tell b phone right pin              approved
        6    push alice trading -                c
        7    say  alice portal  id=b             ACCEPTED NONE phone 12 0 0
        8    say  alice trading id=c             CHALLENGE PENDING - 0 0 0
        """),
    "another's, another platform's, another device's, none": (["phone", "gold"], {}, """
        0    push alice trading -                a
        0    tell a phone right pin              approved
        1    say  bob   trading id=a             REJECTED NO_CHALLENGE - 0 0 0+0
        2    say  alice portal  id=a             REJECTED NO_CHALLENGE - 0 1 0+0
        3    say  alice trading id=a,device=gold REJECTED NO_CHALLENGE - 0 2 0+0
        4    say  alice trading id=forged        REJECTED NO_CHALLENGE - 0 3 0+0
        5    say  alice trading id=a,typed=1     REJECTED NO_CHALLENGE - 0 4 0+0
        6    say  nobody trading id=a            REJECTED UNKNOWN_USER - 0 4 0+0
        7    say  alice trading id=a             ACCEPTED NONE phone 12 0 0+0
        """),
    "not this phone's, not the right signature": (["phone"], {}, """
        0    push alice trading -                a
        1    tell a phone2 right pin             NOBODY
        2    list alice phone2                   NOBODY
        3    list nobody phone                   NOBODY
        4    say  alice trading id=a             CHALLENGE PENDING - 0 0 0
        5    push nobody trading -               n
        6    tell n phone right pin              NOBODY
        7    push alice trading device=none      b
        8    tell b phone right pin              NOBODY
        9    list alice phone                    a!
        """),
    "nobody's, and that of a user without a phone: as plausible": (["gold"], {}, """
        0    push nobody trading -               n
        1    say  nobody trading id=n            CHALLENGE PENDING - 0 0 0
        60   say  nobody trading id=n            EXPIRED OVERDUE - 0 0 0
        61   push alice trading -                a
        62   push alice trading -                b
        63   say  alice trading id=a             EXPIRED CANCELLED - 0 0 0
        64   say  alice trading id=b             CHALLENGE PENDING - 0 0 0
        122  say  alice trading id=b             EXPIRED OVERDUE - 0 0 0
        """),
    "five in ten minutes without an approval, then by hand": (["phone", "gold"], {}, """
        0    push alice trading -                a
        100  push alice trading -                b
        200  push alice trading -                c
        300  push alice trading -                d
        400  push alice trading -                e
        500  push alice trading -                MANUAL m
        500  push alice trading -                MANUAL n
        501  say  alice trading id=m,typed=manual ACCEPTED NONE phone 12 0 0+0
        599  push alice trading -                MANUAL o
        600  push alice trading -                f
        601  push alice trading -                MANUAL p
        602  tell f phone right pin              approved
        603  push alice trading -                g
        604  push alice trading -                h
        """),
    "for every name alike": (["gold"], {"push_per_window": 2}, """
        0    push nobody trading -               a
        1    push nobody trading -               b
        2    push nobody trading -               MANUAL c
        3    push alice trading -                d
        4    push alice portal -                 e
        5    push alice trading -                MANUAL f
        6    say  alice trading id=f,typed=1     REJECTED NO_CHALLENGE - 0 1 0
        600  push nobody trading -               g
        """),
    "account, realm, a phone that is suspended or gone": (["phone"], {}, """
        0    ACCOUNT alice closed
        0    push alice trading -                a
        0    tell a phone right pin              approved
        1    say  alice trading id=a             NOT_PERMITTED ACCOUNT phone 0 0 0
        2    say  alice trading id=a             REJECTED NO_CHALLENGE - 0 1 0
        3    push alice portal -                 b
        3    tell b phone right pin              approved
        4    say  alice portal id=b,realm=paper  NOT_PERMITTED REALM phone 0 1 0
        5    push alice portal -                 c
        5    tell c phone right pin              approved
        6    DEVICE alice phone suspended
        7    say  alice portal id=c              REJECTED DEVICE_INACTIVE - 0 2 0
        8    push alice portal -                 d
        9    list alice phone                    NOBODY
        10   DEVICE alice phone active
        11   say  alice portal id=d              CHALLENGE PENDING - 0 2 0
        12   push alice portal -                 e
        13   tell e phone right pin              approved
        14   REMOVE alice phone
        15   say  alice portal id=e              REJECTED NO_CHALLENGE - 0 3 0
        """),
    "the lock comes first, and uses up what was approved": (
        ["phone"], {"lockout_failures": 2, "lockout_window_ms": 50_000}, """
        0    push alice trading -                a
        1    say  alice trading id=forged        REJECTED NO_CHALLENGE - 0 1 0
        2    say  alice trading id=forged        REJECTED NO_CHALLENGE - 0 2 0
        3    say  alice trading id=a             LOCKED LOCKED - 0 3 1
        4    tell a phone right pin              approved
        5    say  alice trading id=a             LOCKED LOCKED - 0 4 2
        6    UNLOCK alice
        7    say  alice trading id=a             REJECTED NO_CHALLENGE - 0 1 2
        8    push alice trading -                b
        9    tell b phone right pin              approved
        10   say  alice trading id=b             ACCEPTED NONE phone 12 0 0
        """),
    "a wrong code beside a push that is pending, or approved": (["dsc", "phone"], {}, """
        0    push alice trading -                a
        1    say  alice trading typed=000000     REJECTED WRONG - 0 1 1+0
        2    say  alice trading id=a             CHALLENGE PENDING - 0 1 1+0
        3    list alice phone                    a
        4    tell a phone right pin              approved
        5    say  alice trading typed=000000     REJECTED WRONG - 0 2 2+0
        6    say  alice trading id=a             ACCEPTED NONE phone 12 0 2+0
        7    say  alice trading typed=code0      ACCEPTED NONE dsc 12 0 0+0
        """),
    "a right code beside a push that is pending": (["dsc", "phone"], {}, """
        0    push alice trading -                a
        1    say  alice trading typed=code0      ACCEPTED NONE dsc 12 0 0+0
        2    say  alice trading id=a             CHALLENGE PENDING - 0 0 0+0
        3    tell a phone right pin              approved
        4    say  alice trading id=a             ACCEPTED NONE phone 12 0 0+0
        """),
    "a wrong password beside a push that is pending": (["dsc", "phone"], {}, """
        0    PASSWORD alice
        0    push alice trading -                a
        1    say  alice trading typed=code0,password=wrong REJECTED PASSWORD - 0 1 1+0
        2    say  alice trading typed=code1      REJECTED PASSWORD - 0 2 2+0
        3    say  alice trading typed=code0,password=right REJECTED WRONG - 0 3 3+0
        4    say  alice trading id=a,password=right CHALLENGE PENDING - 0 3 3+0
        5    say  alice trading id=a             CHALLENGE PENDING - 0 3 3+0
        6    list alice phone                    a
        7    tell a phone right pin              approved
        8    say  alice trading typed=code2,password=wrong REJECTED PASSWORD - 0 4 4+0
        9    say  alice trading id=a,password=right ACCEPTED NONE phone 12 0 4+0
        10   say  alice trading typed=code3,password=right ACCEPTED NONE dsc 12 0 0+0
        """),
    "a wrong password with the push itself: a failure, and it stays as it was": (
        ["dsc", "phone"], {}, """
        0    PASSWORD alice
        0    push alice trading -                a
        1    say  alice trading id=a,password=wrong REJECTED PASSWORD - 0 1 0+0
        2    say  alice trading id=a,password=right CHALLENGE PENDING - 0 1 0+0
        3    list alice phone                    a
        4    tell a phone right pin              approved
        5    say  alice trading id=a,password=right ACCEPTED NONE phone 12 0 0+0
        6    push alice trading -                b
        7    push alice trading -                c
        8    say  alice trading id=b,password=wrong REJECTED PASSWORD - 0 1 0+0
        9    say  alice trading id=b,password=right EXPIRED CANCELLED - 0 1 0+0
        67   say  alice trading id=c,password=wrong REJECTED PASSWORD - 0 2 0+0
        68   say  alice trading id=c,password=right EXPIRED OVERDUE - 0 2 0+0
        69   push nobody trading -               n
        70   say  nobody trading id=n,password=wrong REJECTED UNKNOWN_USER - 0 2 0+0
        71   say  nobody trading id=n            CHALLENGE PENDING - 0 2 0+0
        """),
    "a wrong password uses up what was approved": (["dsc", "phone"], {}, """
        0    PASSWORD alice
        0    push alice trading -                a
        1    tell a phone right pin              approved
        2    say  alice trading id=a,password=wrong REJECTED PASSWORD - 0 1 0+1
        3    say  alice trading id=a,password=right REJECTED NO_CHALLENGE - 0 2 0+1
        4    push alice trading -                b
        5    tell b phone right pin              approved
        6    say  alice trading id=b             REJECTED PASSWORD - 0 3 0+2
        7    say  alice trading id=b,password=right REJECTED NO_CHALLENGE - 0 4 0+2
        8    push alice trading -                c
        9    tell c phone right pin              approved
        10   say  alice trading id=c,password=right ACCEPTED NONE phone 12 0 0+0
        """),
    "the cap suspends the phone that denies": (["phone"], {"failures_cap": 2}, """
        0    push alice trading -                a
        0    tell a phone deny none              denied
        0    say  alice trading id=a             REJECTED DENIED - 0 1 1
        1    push alice trading -                b
        1    tell b phone deny none              denied
        1    say  alice trading id=b             REJECTED DENIED - 0 2 2
        2    push alice trading -                c
        2    list alice phone                    NOBODY
        3    UNLOCK alice
        4    push alice trading -                d
        4    list alice phone                    d
        """),
}


class Told:
    """One table on its way through one door."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.known: dict[str, Asked] = {}

    def options(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = dict(word.split("=") for word in text.split(",") if text != "-")
        if "id" in found:
            named = found.pop("id")
            found["challenge"] = "0" * 32 if named == "forged" else self.known[named].id
        if found.get("password") == "right":
            found["password"] = PASSWORD
        return found

    def push(self, user: str, platform: str, options: str, *expected: str) -> None:
        words = self.options(options)
        asked = self.door.push(user, text="a login", platform=platform, **words)
        life_ms = asked.expires_ms - 1000 * self.door.now_s
        if expected[0] == "MANUAL":
            assert asked.number == 0 and len(asked.prompt) == 6 and len(asked.id) == 96
        else:
            assert 10 <= asked.number <= 99 and not asked.prompt and len(asked.id) == 32
            assert life_ms == 60_000
        self.known[expected[-1]] = asked

    def tell(self, name: str, serial: str, how: str, unlocked: str, expected: str) -> None:
        asked, wrong = self.known[name], how == "wrong"
        number = None if how == "deny" else 10 + (asked.number - 10 + wrong) % 90
        decision = "deny" if how == "deny" else "approve"
        became = self.door.tell(asked, serial, decision, number, unlocked)
        assert (became or "NOBODY") == expected

    def list(self, user: str, serial: str, expected: str) -> None:
        found = self.door.listed(user, serial)
        names = {asked.id: name for name, asked in self.known.items()}
        said = "NOBODY" if found is None else ",".join(
            names[id] + ("!" if state == "cancelled" else "") for id, state in found
        )  # fmt: skip
        assert (said or "-") == expected

    def say(self, user: str, platform: str, options: str, *expected: str) -> None:
        words = self.options(options)
        typed, asked = words.pop("typed", ""), words.get("challenge")
        if typed == "manual":
            prompt = next(known.prompt for known in self.known.values() if known.id == asked)
            typed = watchword.ocra(SUITE, KEY + b"phone", prompt, pin=PIN)
        elif typed.startswith("code"):
            typed = watchword.hotp(KEY, int(typed.removeprefix("code")))
        verdict, reason, serial, session = self.door.say(user, typed, platform=platform, **words)
        count, devices = self.door.failures("alice")
        seen = [verdict, reason or expected[1], serial or expected[2]]
        seen += [f"{int(session) // 3_600_000}", str(count), "+".join(map(str, devices)) or "0"]
        assert seen == list(expected)

    def row(self, line: str) -> None:
        second, verb, *words = line.split()
        self.door.now_s = self.door.begins_s + int(second)
        if verb == "REMOVE":
            self.door.remove(*words)
        elif verb == "PASSWORD":
            self.door.set_password(*words)
        elif verb.isupper():
            self.door.act(verb, *words)
        else:
            getattr(self, verb)(*words)


def played(door: Any, name: str) -> None:
    devices, _, rows = TABLES[name]
    play(Told(door), rows, alice=devices, bob=["phone2"])


@pytest.mark.parametrize("name", TABLES)
def test_twin(name: str) -> None:
    played(TwinDoor(**TABLES[name][1]), name)


@pytest.mark.parametrize("name", TABLES)
def test_engine(name: str) -> None:
    played(EngineDoor(**TABLES[name][1]), name)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """One daemon for each policy that a table needs."""
    running: dict[str, Served] = {}
    for at, (_, figures, _) in enumerate(TABLES.values()):
        if str(figures) in running:
            continue
        folder: Path = tmp_path_factory.mktemp(f"d{at}")
        driver = folder / "driver.py"
        driver.write_text(DRIVER)
        policy = "".join(f"{name} = {is_}\n" for name, is_ in (COSTS | figures).items())
        served = Served(folder, f"[policy]\n{policy}", driver=[str(driver)])
        (folder / "watchword.toml.now").write_text("0")
        running[str(figures)] = served.start()
    yield running
    for served in running.values():
        assert served.stop(signal.SIGTERM) == 0 and served.healthy(), served.said()


@pytest.mark.parametrize("name", TABLES)
def test_daemon(name: str, daemons: dict[str, Served]) -> None:
    begins_s = APART_S * (1 + list(TABLES).index(name))
    played(DaemonDoor(daemons[str(TABLES[name][1])], begins_s), name)


def test_every_reason_and_state_is_in_a_table() -> None:
    rows = "\n".join(table for _, _, table in TABLES.values()).split()
    missing = {"PENDING", "DENIED", "MISMATCHED", "CANCELLED", "OVERDUE"} - set(rows)
    missing |= {*"approved denied mismatched cancelled expired NOBODY MANUAL".split()} - set(rows)
    assert not missing
