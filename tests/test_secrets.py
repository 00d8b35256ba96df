"""What users know, RULES sections 3 to 7, as tables: PINs before codes, passwords, security
questions. A row is an act at a time, then what is said and the state after it. Every table goes
through the slow twin, the engine and a daemon.

A row: second; then one of
  say USER TYPED PLATFORM OPTIONS    -> verdict, reason, serial; the user's failures, its devices'
  pin USER OLD TYPED NEW             -> the same: a PIN is changed
  ask USER PLATFORM                  -> NAME of a challenge
  question USER                      -> NAME of a question, the same for one seen before
  answer USER NAME right|wrong|lower|padded|closed|- -> verdict, reason, serial; the user's failures
  PASSWORD USER text|-               a password is set, or taken away
  QUESTIONS USER                     three questions are set
  ENROL USER SERIAL                  another device
  CAPITALS ...                       another act of administration
TYPED: wrong, - for nothing, or PIN/SERIAL:N, that device's code N (a counter, or a challenge's
NAME) behind a PIN; SERIAL~PIN:N is signed with another PIN than its first. OPTIONS: - or several of
pin=, password=, vouched=, device=, id=, by commas.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from daemons import APART_S, Daemons
from plays import play
from secret_doors import ANSWERS, DEVICES, POLICY, DaemonDoor, EngineDoor, TwinDoor, key_of

import watchword

SUITES = {"gold": "OCRA-1:HOTP-SHA1-6:QN06", "ib-key": "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"}

# What alice has; further policy figures; rows.
TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a PIN before the code": (["card"], {}, """
        0   say alice 4711/card:0  trading -               ACCEPTED NONE card 0 0
        0   say alice 4711/card:0  trading -               REJECTED WRONG - 1 1
        1   say alice 4712/card:1  trading -               REJECTED PIN - 2 2
        2   say alice 4711/card:1  trading -               REJECTED WRONG - 3 3
        3   say alice /card:2      trading -               REJECTED PIN - 4 4
        4   say alice 47114/card:3 trading -               REJECTED PIN - 5 5
        5   say alice 471/card:4   trading -               REJECTED PIN - 6 6
        6   say alice 4711/card:99 trading -               REJECTED WRONG - 7 7
        7   say alice -            trading -               CHALLENGE EMPTY - 7 7
        8   say alice -            trading pin=0000        CHALLENGE EMPTY - 7 7
        9   say alice /card:5      trading pin=0000        REJECTED PIN - 8 8
        10  say alice /card:6      trading pin=4711        ACCEPTED NONE card 0 0
        11  say alice 4711/card:7  trading device=card     ACCEPTED NONE card 0 0
        12  say alice 4712/card:8  trading device=card     REJECTED PIN - 1 1
        13  say alice 4711/card:9  trading device=card     ACCEPTED NONE card 0 0
        """),
    "letters and specials, and a code of the time": (["app"], {}, """
        30  say alice p.I-n_8255/app:0 trading -           ACCEPTED NONE app 0 0
        60  say alice P.I-n_8255/app:0 trading -           REJECTED PIN - 1 1
        61  say alice p.I-n_8255/app:0 trading -           REJECTED REPLAYED - 2 2
        90  say alice p.I-n_8255/app:0 trading -           ACCEPTED NONE app 0 0
        """),
    "a PIN before the answer to a challenge": (["gold"], {}, """
        0   ask alice trading                              a
        1   say alice 2581/gold:a  trading -               REJECTED PIN - 1 1
        2   say alice 2580/gold:a  trading id=a            REJECTED NO_CHALLENGE - 2 1
        3   ask alice trading                              b
        4   say alice 2580/gold:b  trading id=b            ACCEPTED NONE gold 0 0
        5   ask alice trading                              c
        6   say alice /gold:c      trading pin=2580        ACCEPTED NONE gold 0 0
        """),
    "a PIN that the device signs, given apart as well": (["key"], {}, """
        0   ask alice trading                              a
        1   say alice /key:a       trading pin=a1.c        REJECTED PIN - 1 1
        2   ask alice trading                              b
        3   say alice /key:b       trading pin=a1.b        ACCEPTED NONE key 0 0
        4   ask alice trading                              c
        5   say alice a1.b/key:c   trading -               REJECTED WRONG - 1 1
        6   say alice /key:c       trading -               ACCEPTED NONE key 0 0
        """),
    "one key, with a PIN and without: what one used up the other did": (["card", "plain"], {}, """
        0   say alice /plain:0     trading -               ACCEPTED NONE plain 0 0+0
        1   say alice 4711/card:0  trading -               REJECTED WRONG - 1 1+1
        2   say alice 4711/card:1  trading -               ACCEPTED NONE card 0 0+1
        3   say alice /plain:1     trading -               REJECTED WRONG - 1 1+2
        4   say alice 0000/card:2  trading device=card     REJECTED PIN - 2 2+2
        5   say alice /plain:2     trading -               REJECTED WRONG - 3 3+3
        """),
    "a wrong PIN locks, and while locked nothing is told": (["card"], {"lockout_failures": 3}, """
        0   say alice 0000/card:0  trading -               REJECTED PIN - 1 1
        1   say alice 0001/card:1  trading -               REJECTED PIN - 2 2
        2   say alice 0002/card:2  trading -               REJECTED PIN - 3 3
        3   say alice 4711/card:3  trading -               LOCKED LOCKED - 4 4
        4   UNLOCK alice
        5   say alice 4711/card:3  trading -               REJECTED WRONG - 1 5
        6   say alice 4711/card:4  trading -               ACCEPTED NONE card 0 0
        """),
    "a wrong PIN counts for the cap": (["card"], {"failures_cap": 2}, """
        0   say alice 0000/card:0  trading -               REJECTED PIN - 1 1
        1   say alice 0000/card:1  trading -               REJECTED PIN - 2 2
        2   say alice 4711/card:2  trading device=card     REJECTED DEVICE_INACTIVE - 3 2
        """),
    "a PIN is changed by an attempt": (["card"], {}, """
        0   pin alice 0000 /card:0 8255                    REJECTED PIN - 1 1
        1   pin alice 4711 /card:0 8255                    REJECTED WRONG - 2 2
        2   pin alice 4711 /card:1 8255                    ACCEPTED NONE card 0 0
        3   say alice 4711/card:2  trading -               REJECTED PIN - 1 1
        4   say alice 8255/card:3  trading -               ACCEPTED NONE card 0 0
        5   pin nobody 4711 /card:4 8255                   REJECTED UNKNOWN_USER - 0 0
        6   ACCOUNT alice pending
        7   pin alice 8255 /card:4 1793                    ACCEPTED NONE card 0 0
        8   say alice 1793/card:5  portal  -               ACCEPTED NONE card 0 0
        """),
    "a device without a PIN gets none, and its code is used up": (["plain"], {}, """
        0   pin alice 4711 /plain:0 8255                   REJECTED WRONG - 1 1
        1   say alice /plain:0     trading -               ACCEPTED NONE plain 0 0
        """),
    "a PIN that is signed is changed": (["key"], {}, """
        0   ask alice portal                               a
        1   pin alice a1.c /key:a z9_z                     REJECTED PIN - 1 1
        2   ask alice portal                               b
        3   pin alice a1.b /key:b z9_z                     ACCEPTED NONE key 0 0
        4   ask alice portal                               c
        5   say alice /key:c       portal  -               REJECTED WRONG - 1 1
        6   say alice z9_z/key:c   portal  -               REJECTED WRONG - 2 2
        """),
    "a phone has one PIN, whoever it serves and whoever changes it": (["phone"], {}, """
        0   ENROL bob phone2
        1   ask alice portal                               a
        2   pin alice a1.c /phone:a z9_z                   REJECTED PIN - 1 1
        3   ask bob portal                                 b
        4   say bob /phone2:b      portal  -               ACCEPTED NONE phone2 1 1
        5   ask alice portal                               c
        6   pin alice a1.b /phone:c z9_z                   ACCEPTED NONE phone 0 0
        7   ask alice portal                               d
        8   say alice /phone:d     portal  -               REJECTED WRONG - 1 1
        9   say alice /phone~z9_z:d portal -               ACCEPTED NONE phone 0 0
        10  ask bob portal                                 e
        11  say bob /phone2:e      portal  -               REJECTED WRONG - 0 0
        12  pin bob a1.b /phone2~z9_z:e q7.q               REJECTED PIN - 0 0
        13  ask bob portal                                 f
        14  DEVICE alice phone suspended
        15  pin bob z9_z /phone2~z9_z:f q7.q               ACCEPTED NONE phone2 0 0
        16  DEVICE alice phone active
        17  ask alice portal                               g
        18  say alice /phone~z9_z:g portal -               REJECTED WRONG - 1 1
        19  say alice /phone~q7.q:g portal pin=q7.q        ACCEPTED NONE phone 0 0
        """),
    "a password stands before every login": (["card", "plain"], {}, """
        0   PASSWORD alice horse-battery
        1   say alice /plain:0     trading -                       REJECTED PASSWORD - 1 1+1
        2   say alice /plain:0     trading password=horse-battery  REJECTED WRONG - 2 2+2
        3   say alice /plain:1     trading password=Horse-battery  REJECTED PASSWORD - 3 3+3
        4   say alice /plain:2     trading password=horse-battery  ACCEPTED NONE plain 0 3+0
        5   say alice wrong        trading password=horse-battery  REJECTED WRONG - 1 4+1
        6   say alice 4711/card:3  trading password=horse-battery  ACCEPTED NONE card 0 0+1
        7   say alice 4712/card:4  trading password=horse-battery  REJECTED PIN - 1 1+2
        8   say alice 4712/card:5  trading password=wrong          REJECTED PIN - 2 2+3
        9   say alice 4711/card:6  trading password=wrong          REJECTED PASSWORD - 3 3+4
        10  PASSWORD alice other-horses
        11  say alice /plain:7     trading password=horse-battery  REJECTED PASSWORD - 4 4+5
        12  say alice /plain:8     trading password=other-horses   ACCEPTED NONE plain 0 4+0
        13  PASSWORD alice -
        14  say alice /plain:9     trading password=other-horses   REJECTED PASSWORD - 1 5+1
        15  say alice /plain:10    trading -                       ACCEPTED NONE plain 0 5+0
        """),
    "a password without a response": (["plain"], {}, """
        0   say alice -            trading password=horse-battery  REJECTED PASSWORD - 1 0
        1   say nobody -           trading password=horse-battery  REJECTED UNKNOWN_USER - 1 0
        2   say nobody -           trading -                       CHALLENGE EMPTY - 1 0
        3   PASSWORD alice horse-battery
        4   say alice -            trading -                       CHALLENGE EMPTY - 1 0
        5   say alice -            trading password=horse-battery  CHALLENGE EMPTY - 1 0
        6   say alice -            trading password=horse          REJECTED PASSWORD - 2 0
        7   say alice -            trading password=horse,device=plain  REJECTED PASSWORD - 3 0
        8   say alice /plain:0     trading password=horse-battery  ACCEPTED NONE plain 0 0
        """),
    "locked comes before a password": (["plain"], {"lockout_failures": 2}, """
        0   PASSWORD alice horse-battery
        1   say alice -            trading password=wrong          REJECTED PASSWORD - 1 0
        2   say alice -            trading password=wrong          REJECTED PASSWORD - 2 0
        3   say alice /plain:0     trading password=horse-battery  LOCKED LOCKED - 3 1
        4   UNLOCK alice
        5   say alice /plain:0     trading password=horse-battery  REJECTED WRONG - 1 2
        """),
    "a password before an answer": (["gold"], {}, """
        0   PASSWORD alice horse-battery
        1   ask alice trading                              a
        2   say alice 2580/gold:a  trading id=a            REJECTED PASSWORD - 1 1
        3   ask alice trading                              b
        4   say alice 2580/gold:b  trading id=b,password=horse-battery  ACCEPTED NONE gold 0 0
        5   ask alice trading                              c
        6   say alice 2580/gold:c  trading device=gold     REJECTED PASSWORD - 1 1
        """),
    "right, but overdue: a wrong password is told, and it is used up": (["gold"], {}, """
        0   PASSWORD alice horse-battery
        1   ask alice trading                              a
        700 say alice 2580/gold:a  trading id=a,password=wrong          REJECTED PASSWORD - 1 1
        701 say alice 2580/gold:a  trading id=a,password=horse-battery  REJECTED NO_CHALLENGE - 2 1
        702 ask alice trading                              b
        1400 say alice 2581/gold:b trading id=b,password=horse-battery  REJECTED PIN - 3 2
        1401 ask alice trading                             c
        2100 say alice 2580/gold:c trading id=c,password=horse-battery  EXPIRED OVERDUE gold 3 2
        """),
    "a question sticks until it is answered": ([], {}, """
        0   QUESTIONS alice
        1   question alice                                 a
        2   question alice                                 a
        3   answer alice a right                           ACCEPTED NONE - 0
        4   answer alice a right                           REJECTED NO_CHALLENGE - 1
        5   question alice                                 b
        6   answer alice a right                           REJECTED NO_CHALLENGE - 2
        7   answer alice b right                           ACCEPTED NONE - 0
        """),
    "an answer is right exactly as it is": ([], {}, """
        0   QUESTIONS alice
        1   question alice                                 a
        2   answer alice a lower                           REJECTED WRONG - 1
        3   question alice                                 b
        4   answer alice b -                               REJECTED WRONG - 2
        5   question alice                                 c
        6   answer alice c right                           ACCEPTED NONE - 0
        7   question alice                                 d
        8   answer alice d padded                          REJECTED WRONG - 1
        """),
    "spaces are part of an answer": ([], {}, """
        0   QUESTIONS alice
        1   question alice                                 a
        2   answer alice a closed                          REJECTED WRONG - 1
        """),
    "three wrong answers in a row lock": (["plain"], {}, """
        0   QUESTIONS alice
        1   question alice                                 a
        2   answer alice a wrong                           REJECTED WRONG - 1
        3   question alice                                 b
        4   answer alice b wrong                           REJECTED WRONG - 2
        5   say alice /plain:0     trading -               ACCEPTED NONE plain 0 0
        6   question alice                                 c
        7   answer alice c wrong                           REJECTED WRONG - 1
        8   say alice /plain:1     trading -               LOCKED LOCKED - 2 1
        9   UNLOCK alice
        10  question alice                                 d
        11  answer alice d wrong                           REJECTED WRONG - 1
        12  question alice                                 e
        13  answer alice e wrong                           REJECTED WRONG - 2
        14  question alice                                 f
        15  answer alice f right                           ACCEPTED NONE - 0
        """),
    "a lock that ran out leaves no wrong answers": ([], {}, """
        0   QUESTIONS alice
        1   answer alice - wrong                           REJECTED NO_CHALLENGE - 1
        2   answer alice - wrong                           REJECTED NO_CHALLENGE - 2
        3   answer alice - wrong                           REJECTED NO_CHALLENGE - 3
        86402 answer alice - wrong                         LOCKED LOCKED - 4
        172802 answer alice - wrong                        REJECTED NO_CHALLENGE - 1
        """),
    "names without questions are asked as well, and lock": ([], {}, """
        1   question nobody                                a
        2   question nobody                                a
        3   answer nobody a wrong                          REJECTED UNKNOWN_USER - 0
        4   question nobody                                b
        5   answer nobody b wrong                          REJECTED UNKNOWN_USER - 0
        6   answer nobody b wrong                          REJECTED UNKNOWN_USER - 0
        7   answer nobody b wrong                          LOCKED LOCKED - 0
        8   question alice                                 c
        9   answer alice c wrong                           REJECTED NO_CHALLENGE - 1
        """),
}
VOUCHED = (["plain"], {}, """
        0   PASSWORD alice horse-battery
        1   say alice /plain:0     trading vouched=yes                      ACCEPTED NONE plain 0 0
        2   say alice /plain:1     trading vouched=yes,password=wrong       REJECTED PASSWORD - 1 1
        3   say alice -            trading vouched=yes                      CHALLENGE EMPTY - 1 1
        4   say alice /plain:2     trading vouched=1,password=horse-battery ACCEPTED NONE plain 0 0
        """)  # fmt: skip


class Told:
    """A table as it is played."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.given: dict[str, Any] = {}     # names of a table -> challenges and questions

    def row(self, line: str) -> None:
        words = line.split()
        self.door.now_s = int(words[0]) + self.door.begins_s
        if words[1] == "PASSWORD":
            self.door.set_password(words[2], None if words[3] == "-" else words[3])
        elif words[1] == "QUESTIONS":
            self.door.set_questions(words[2])
        elif words[1] == "ENROL":
            self.door.add_device(words[2], words[3])
        elif words[1].isupper():
            self.door.act(words[1], *words[2:])
        else:
            getattr(self, words[1])(*words[2:])

    def typed(self, word: str) -> str:
        if "/" not in word:
            return {"-": "", "wrong": "314159"}[word]
        pin, _, code = word.partition("/")
        serial, _, what = code.partition(":")
        serial, _, signed = serial.partition("~")
        kind, key = DEVICES[serial][0], key_of(serial)
        if kind == "dsc":
            return pin + watchword.hotp(key, int(what))
        if kind == "totp":
            return pin + watchword.totp(key, self.door.now_s)
        own = DEVICES[serial][1]["pin"] if kind == "ib-key" else None
        return pin + watchword.ocra(
            SUITES[kind], key, self.given[what].prompt, pin=signed or own
        )

    def same(self, said: tuple[str, ...], told: tuple[str, ...]) -> None:
        """The daemon gives no reasons."""
        assert [b if b == "" else a for a, b in zip(said, told, strict=True)] == list(told)

    def failed(self, failures: tuple[str, ...]) -> None:
        count, devices = self.door.failures("alice")
        said = [str(count)] + ["+".join(map(str, devices)) or "0"] * (len(failures) - 1)
        assert list(failures) == said

    def say(self, user: str, word: str, platform: str, options: str, *said: str) -> None:
        named = dict(one.split("=") for one in options.split(",") if one != "-")
        if "id" in named:
            named["challenge"] = self.given[named.pop("id")].id
        self.same(
            said[:3], self.door.say(user, self.typed(word), platform=platform, **named)
        )
        self.failed(said[3:])

    def pin(self, user: str, old: str, word: str, new: str, *said: str) -> None:
        self.same(said[:3], self.door.change_pin(user, old, self.typed(word), new))
        self.failed(said[3:])

    def ask(self, user: str, platform: str, name: str) -> None:
        self.given[name] = self.door.ask(user, platform=platform)

    def question(self, user: str, name: str) -> None:
        found = self.door.question(user)
        assert found == self.given.setdefault(name, found)
        assert sum(found == other for other in self.given.values()) == 1, "it is another"

    def answer(self, user: str, name: str, word: str, *said: str) -> None:
        id, text = self.given.get(name, ("0" * 96, ""))
        right = ANSWERS.get(text, "?")
        answer = {
            "right": right, "lower": right.lower(), "wrong": "Hm", "-": "", "padded": right + " ",
            "closed": right.replace(" ", ""),
        }[word]  # fmt: skip
        verdict, reason, _ = self.door.answer(user, id, answer)
        self.same((said[0], said[1]), (verdict, reason))
        self.failed(said[3:])


def played(door: Any, table: tuple[list[str], dict[str, Any], str]) -> None:
    devices, _, rows = table
    door.now_s = door.begins_s
    play(Told(door), rows, alice=devices, bob=())


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@pytest.mark.parametrize("title", TABLES)
def test_table(title: str, door: Any) -> None:
    played(door(**TABLES[title][1]), TABLES[title])


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
def test_a_gateway_vouches(door: Any) -> None:
    """What an embedding caller may say; no door of the daemon may."""
    played(door(**VOUCHED[1]), VOUCHED)


def test_every_device_is_in_a_table() -> None:
    enrolled = {serial for devices, _, _ in TABLES.values() for serial in devices}
    assert enrolled | {"phone2"} == set(DEVICES)


# ---- the same through a daemon -------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("secrets"))
    with started.ended():
        yield started


@pytest.mark.parametrize("title", TABLES)
def test_table_through_a_daemon(title: str, daemons: Daemons) -> None:
    begins_s = APART_S * (1 + list(TABLES).index(title))
    played(DaemonDoor(daemons.of({**POLICY, **TABLES[title][1]}), begins_s), TABLES[title])
