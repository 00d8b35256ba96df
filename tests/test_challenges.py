"""Challenges, RULES sections 4 and 7, as tables: a row is an act at a time, then what is said and
the state after it. Every table goes through the slow twin and through the engine.

A row: second; then one of
  ask USER PLATFORM OPTIONS          -> NAME: the challenge given, the same for a name seen before
  say USER TYPED PLATFORM OPTIONS    -> verdict, reason, serial; the user's failures, its devices'
  CAPITALS ...                       an act of administration
TYPED: wrong, - for nothing, or SERIAL:NAME, that device's response to that challenge; SERIAL:NAME+n
is with the counter n past its first or, for time, n steps from now. OPTIONS: - or several of
purpose=, device=, id=, realm=, session=, joined by commas.
"""

import re
from typing import Any

import pytest
from card_tables import CARD_TABLES
from challenge_doors import (
    DEVICES,
    EngineDoor,
    TwinDoor,
    answer_to,
    device_of,
    response_to,
)
from plays import play
from posed_tables import POSED_TABLES

from watchword.reference_ocra import suite_of

# What alice has; further policy figures; rows.
TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "one stands; asked again it is the same; a right response ends it": (["plus"], {}, """
        0    ask  alice portal  -                            a
        1    ask  alice portal  -                            a
        299  ask  alice portal  -                            a
        300  ask  alice portal  -                            a
        301  say  alice plus:a  portal  -                    ACCEPTED NONE plus 0 0
        301  say  alice plus:a  portal  -                    REJECTED NO_CHALLENGE - 1 0
        302  say  alice plus:a  portal  id=a                 REJECTED NO_CHALLENGE - 2 0
        303  ask  alice portal  -                            b
        304  say  alice plus:a  portal  -                    REJECTED WRONG - 3 1
        305  say  alice plus:b  portal  id=b                 ACCEPTED NONE plus 0 0
        306  ask  alice portal  -                            c
        """),
    "a wrong response counts and leaves it standing": (["gold"], {}, """
        0    ask  alice trading -                            a
        1    say  alice wrong   trading -                    REJECTED WRONG - 1 1
        2    say  alice wrong   trading id=a                 REJECTED WRONG - 2 2
        3    ask  alice trading -                            a
        4    say  alice gold:a  trading -                    ACCEPTED NONE gold 0 0
        """),
    "good in the epoch of issue and in the next; then right is EXPIRED, and used up": (
        ["gold"], {}, """
        299  ask  alice portal  -                            a
        599  say  alice wrong   portal  id=a                 REJECTED WRONG - 1 1
        600  say  alice wrong   portal  id=a                 REJECTED WRONG - 2 2
        601  say  alice gold:a  portal  -                    REJECTED NO_CHALLENGE - 3 2
        602  say  alice gold:a  portal  id=a                 EXPIRED  OVERDUE gold 3 2
        603  say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 4 2
        604  ask  alice portal  -                            b
        1199 say  alice gold:b  portal  -                    ACCEPTED NONE gold 0 0
        """),
    "what has run out is replaced, and stays run out when time goes back": (["gold"], {}, """
        10   ask  alice portal  -                            a
        700  ask  alice portal  -                            b
        700  say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        1300 say  alice wrong   portal  id=b                 REJECTED WRONG - 2 1
        700  say  alice gold:b  portal  id=b                 EXPIRED  OVERDUE gold 2 1
        700  ask  alice portal  -                            c
        10   ask  alice portal  -                            c
        10   say  alice gold:c  portal  -                    ACCEPTED NONE gold 0 0
        """),
    "another purpose replaces it, and is answered by its id alone": (["plus"], {}, """
        0    ask  alice portal  -                            a
        1    ask  alice portal  purpose=wire-100             b
        2    ask  alice portal  purpose=wire-100             b
        3    say  alice plus:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        4    say  alice plus:b  portal  -                    REJECTED NO_CHALLENGE - 2 0
        5    ask  alice portal  purpose=wire-200             c
        6    say  alice plus:b  portal  id=b                 REJECTED NO_CHALLENGE - 3 0
        7    say  alice plus:c  portal  id=c                 ACCEPTED NONE plus 0 0
        """),
    "one for each platform, and each for its own": (["gold"], {}, """
        0    ask  alice portal  -                            a
        0    ask  alice trading -                            b
        1    say  alice gold:a  trading -                    REJECTED WRONG - 1 1
        2    say  alice gold:a  trading id=a                 REJECTED NO_CHALLENGE - 2 1
        3    say  alice gold:a  portal  id=b                 REJECTED NO_CHALLENGE - 3 1
        4    say  alice gold:a  portal  -                    ACCEPTED NONE gold 0 0
        5    say  alice gold:b  trading -                    ACCEPTED NONE gold 0 0
        """),
    "forged, foreign, another device's: a failure that costs no device": (
        ["gold", "plus", "totp"], {}, """
        0    ask  alice portal  device=gold                  a
        0    ask  bob   portal  -                            b
        1    say  alice gold:b  portal  id=b                 REJECTED NO_CHALLENGE - 1 0+0+0
        2    say  alice gold:a  portal  id=forged            REJECTED NO_CHALLENGE - 2 0+0+0
        3    say  alice gold:a  portal  id=short             REJECTED NO_CHALLENGE - 3 0+0+0
        4    say  alice gold:a  portal  id=a,device=plus     REJECTED NO_CHALLENGE - 4 0+0+0
        4    say  alice gold:a  portal  id=a,device=none     REJECTED NO_CHALLENGE - 5 0+0+0
        5    say  alice totp:a  portal  id=a                 REJECTED WRONG - 6 1+0+0
        6    say  alice gold:a  portal  id=a,device=gold     ACCEPTED NONE gold 0 0+0+0
        """),
    "nothing typed: ask first, whatever is named": (["gold"], {}, """
        0    say  alice -       portal  -                    CHALLENGE EMPTY - 0 0
        1    ask  alice portal  -                            a
        2    say  alice -       portal  id=a                 CHALLENGE EMPTY - 0 0
        2    say  alice -       portal  id=forged            CHALLENGE EMPTY - 0 0
        3    say  alice gold:a  portal  id=a                 ACCEPTED NONE gold 0 0
        """),
    "no challenge asked, no device active, none at all": (["gold"], {}, """
        0    say  alice wrong   portal  -                    REJECTED NO_CHALLENGE - 1 0
        1    say  alice wrong   portal  device=gold          REJECTED NO_CHALLENGE - 2 0
        2    ask  alice portal  -                            a
        3    DEVICE alice gold suspended
        4    say  alice gold:a  portal  -                    REJECTED NO_DEVICE - 3 0
        5    say  alice gold:a  portal  device=gold          REJECTED DEVICE_INACTIVE - 4 0
        6    say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 5 0
        7    ask  alice portal  -                            b
        8    say  alice gold:b  portal  id=b                 REJECTED NO_CHALLENGE - 6 0
        9    DEVICE alice gold active
        10   say  alice gold:a  portal  -                    ACCEPTED NONE gold 0 0
        11   say  nobody wrong  portal  -                    REJECTED UNKNOWN_USER - 0 0
        12   say  alice wrong   portal  device=none          REJECTED DEVICE_UNKNOWN - 1 0
        """),
    "a name nobody has, and a user without a device, are asked alike": (["totp"], {}, """
        0    ask  nobody portal -                            a
        1    ask  nobody portal -                            a
        2    ask  nobody portal purpose=p                    b
        3    say  nobody wrong  portal  id=b                 REJECTED UNKNOWN_USER - 0 0
        4    ask  alice portal  -                            c
        5    ask  alice portal  -                            c
        6    say  alice wrong   portal  id=c                 REJECTED NO_CHALLENGE - 1 0
        599  ask  alice portal  -                            c
        600  ask  alice portal  -                            d
        601  ask  alice portal  device=totp                  d
        602  ask  alice portal  device=none                  d
        """),
    "locked: refused, right or not, and right is used up; asked all the same": (
        ["gold"], {"lockout_failures": 2, "lockout_window_ms": 100_000}, """
        0    ask  alice portal  -                            a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1
        2    say  alice wrong   portal  -                    REJECTED WRONG - 2 2
        3    ask  alice portal  -                            a
        4    say  alice gold:a  portal  id=a                 LOCKED LOCKED - 3 3
        5    ask  alice portal  -                            b
        105  say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 3
        106  say  alice gold:b  portal  -                    ACCEPTED NONE gold 0 0
        """),
    "locked and overdue: used up as well": (
        ["gold"], {"lockout_failures": 1, "lockout_window_ms": 900_000}, """
        0    ask  alice portal  -                            a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1
        700  say  alice gold:a  portal  id=a                 LOCKED LOCKED - 2 2
        700  UNLOCK alice
        701  say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 1 2
        """),
    "the account and the realm say no to a right response, and it is used up": (["gold"], {}, """
        0    ask  alice trading -                            a
        0    ACCOUNT alice closed
        1    say  alice wrong   trading -                    REJECTED WRONG - 1 1
        2    say  alice gold:a  trading id=a                 NOT_PERMITTED ACCOUNT gold 1 1
        3    say  alice gold:a  trading id=a                 REJECTED NO_CHALLENGE - 2 1
        4    ask  alice portal  -                            b
        5    say  alice gold:b  portal  realm=paper          NOT_PERMITTED REALM gold 2 1
        6    ask  alice trading -                            c
        700  say  alice gold:c  trading id=c                 EXPIRED OVERDUE gold 2 1
        700  ask  alice portal  -                            d
        701  say  alice gold:d  portal  -                    ACCEPTED NONE gold 0 0
        """),
    "several devices: those under a challenge and those that show a code": (
        ["hotp", "gold", "plus"], {}, """
        0    say  alice wrong   portal  -                    REJECTED WRONG - 1 1+0+0
        1    ask  alice portal  device=gold                  a
        2    say  alice wrong   portal  -                    REJECTED WRONG - 2 2+1+0
        3    ask  alice portal  -                            a
        3    ask  alice portal  device=plus                  b
        4    say  alice wrong   portal  -                    REJECTED WRONG - 3 3+2+1
        5    say  alice wrong   trading -                    REJECTED WRONG - 4 4+2+1
        6    say  alice gold:a  portal  device=plus          REJECTED WRONG - 5 4+2+2
        7    say  alice gold:a  portal  device=gold          ACCEPTED NONE gold 0 4+0+2
        8    say  alice hotp:a  portal  -                    ACCEPTED NONE hotp 0 0+0+2
        9    say  alice plus:b  portal  -                    ACCEPTED NONE plus 0 0+0+0
        """),
    "the device asked is the highest in rank, then the lowest serial": (
        ["key", "gold2", "gold", "hotp"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice gold:a  portal  id=a                 ACCEPTED NONE gold 0 0+0+0+0
        2    DEVICE alice gold lost
        3    ask  alice portal  -                            b
        4    say  alice gold2:b portal  id=b                 ACCEPTED NONE gold2 0 0+0+0+0
        5    DEVICE alice gold2 lost
        6    ask  alice portal  -                            c
        7    say  alice key:c   portal  id=c                 ACCEPTED NONE key 0 0+0+0+0
        """),
    "the cap suspends the device that was tried": (["gold"], {"failures_cap": 2}, """
        0    ask  alice portal  -                            a
        1    say  alice wrong   portal  -                    REJECTED WRONG - 1 1
        2    say  alice wrong   portal  id=a                 REJECTED WRONG - 2 2
        3    say  alice gold:a  portal  id=a                 REJECTED NO_CHALLENGE - 3 2
        4    UNLOCK alice
        5    say  alice gold:a  portal  id=a                 ACCEPTED NONE gold 0 0
        """),
    "removed and enrolled again it answers nothing old": (["any"], {}, """
        0    ask  alice portal  -                            a
        1    AGAIN alice any
        2    say  alice any:a   portal  id=a                 REJECTED NO_CHALLENGE - 1 0
        3    ask  alice portal  -                            b
        4    say  alice any:a   portal  -                    REJECTED WRONG - 2 1
        5    say  alice any:b   portal  -                    ACCEPTED NONE any 0 0
        """),
    "with C: look-ahead, never back, also when enrolled again": (["count"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice count:a+3 portal -                   REJECTED WRONG - 1 1
        2    say  alice count:a+2 portal -                   ACCEPTED NONE count 0 0
        3    ask  alice portal  -                            b
        4    say  alice count:b+2 portal -                   REJECTED WRONG - 1 1
        5    say  alice count:b+3 portal id=b                ACCEPTED NONE count 0 0
        6    AGAIN alice count
        7    ask  alice portal  -                            c
        8    say  alice count:c+3 portal -                   REJECTED WRONG - 1 1
        9    say  alice count:c+4 portal -                   ACCEPTED NONE count 0 0
        """),
    "with T: a step either side, drift remembered; a step may answer two challenges": (
        ["time"], {}, """
        600  ask  alice portal  -                            a
        600  ask  alice trading -                            b
        600  say  alice time:a+2 portal -                    REJECTED WRONG - 1 1
        600  say  alice time:a+1 portal -                    ACCEPTED NONE time 0 0
        600  say  alice time:b+1 trading -                   ACCEPTED NONE time 0 0
        601  ask  alice portal  -                            c
        602  say  alice time:c-1 portal -                    REJECTED WRONG - 1 1
        602  say  alice time:c+2 portal -                    ACCEPTED NONE time 0 0
        """),
    "with C and T: both windows": (["both"], {}, """
        300  ask  alice portal  -                            a
        300  say  alice both:a+2 portal -                    REJECTED WRONG - 1 1
        329  say  alice both:a+1 portal -                    ACCEPTED NONE both 0 0
        330  ask  alice portal  -                            b
        331  say  alice both:b+1 portal -                    REJECTED WRONG - 1 1
        331  say  alice both:b+2 portal -                    ACCEPTED NONE both 0 0
        """),
    "with S: the session's own text, zeros on its left": (["session"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice session:a portal -                   REJECTED WRONG - 1 1
        2    say  alice session:a portal session=beef        REJECTED WRONG - 2 2
        3    say  alice session:a portal session=0073657373  ACCEPTED NONE session 0 0
        4    ask  alice portal  -                            b
        5    say  alice session:b portal session=000000000000000073657373   REJECTED WRONG - 1 1
        6    say  alice session:b portal session=73657373    ACCEPTED NONE session 0 0
        """),
    "with everything": (["sign"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice sign:a+1 portal session=73657373     ACCEPTED NONE sign 0 0
        2    say  alice sign:a+1 portal session=73657373     REJECTED NO_CHALLENGE - 1 0
        """),
    "with P: the PIN is in the response": (["key"], {}, """
        0    ask  alice portal  -                            a
        1    say  alice key:a   portal  -                    ACCEPTED NONE key 0 0
        """),
    **CARD_TABLES,
    **POSED_TABLES,
}

SESSION = b"sess"
DOORS = pytest.mark.parametrize("door", [TwinDoor, EngineDoor])


class Told:
    """One table on its way through one door."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.known: dict[str, Any] = {}
        self.clients: dict[str, str] = {}       # what was asked of us first

    def options(self, text: str) -> dict[str, Any]:
        pairs = dict(word.split("=") for word in text.split(",")) if text != "-" else {}
        found: dict[str, Any] = dict(pairs)
        if "id" in pairs:
            forged = {"forged": "0" * 96, "short": "00"}
            named = found.pop("id")
            found["challenge"] = forged.get(named) or self.known[named].id
        if "session" in pairs:
            found["session"] = bytes.fromhex(pairs["session"])
        if "client" in pairs:
            found["client_question"] = found.pop("client")
        return found

    def typed(self, word: str) -> str:
        if word in ("wrong", "-"):
            return "0" if word == "wrong" else ""
        found = re.fullmatch(r"(?:(turned|upper|cut):)?(\w+):(\w+?)([+-]\d+)?", word)
        assert found is not None, word
        how, serial, name, further = found.groups()
        device, steps = device_of(serial), int(further or 0)
        now_s, counter = self.door.now_s, device.counter
        suite = suite_of(device.suite) if device.suite else None
        if suite and suite.counter:
            counter += steps
        elif suite:
            now_s += steps * suite.period
        prompt, client = self.known[name].prompt, self.clients.get(name, "")
        prompt = client + prompt if how == "turned" else prompt + client
        response = response_to(serial, prompt, counter, SESSION, now_s)
        return {"upper": response.upper(), "cut": response[:-1]}.get(how, response)

    def ask(self, user: str, platform: str, options: str, name: str) -> None:
        given = self.options(options)
        found = self.door.ask(user, platform=platform, **given)
        if name == "BUSY":
            assert found is None, "it was not refused"
            return
        assert found is not None, "it was refused"
        self.clients[name] = given.get("client_question", "")
        assert bool(found.answer) == bool(self.clients[name])
        assert found.prompt == given.get("question", found.prompt)
        same = {known for known, challenge in self.known.items() if challenge.id == found.id}
        assert same == ({name} if name in self.known else set()), f"{name} is {same or 'new'}"
        if name in self.known:
            before = self.known[name]
            assert (found.prompt, found.expires_ms) == (before.prompt, before.expires_ms)
        self.known[name] = found

    def say(
        self, user: str, word: str, platform: str, options: str, *expected: str
    ) -> None:
        said = self.door.say(user, self.typed(word), platform=platform, **self.options(options))
        verdict, reason, serial = said
        count, devices = self.door.failures("alice")
        seen = [verdict, reason or expected[1], serial or expected[2]]
        assert [*seen, str(count), "+".join(map(str, devices))] == list(expected)

    def told(self, name: str, serial: str) -> None:
        questions = self.clients[name] + self.known[name].prompt
        counter = device_of(serial).counter
        expected = answer_to(serial, questions, counter, self.door.now_s)
        assert self.known[name].answer == expected

    def row(self, line: str) -> None:
        second, verb, *words = line.split()
        self.door.now_s = self.door.begins_s + int(second)
        if verb.isupper():
            self.door.act(verb, *words)
        else:
            getattr(self, verb)(*words)


def played(door: Any, title: str) -> None:
    devices, _, rows = TABLES[title]
    play(Told(door), rows, alice=devices, bob=["gold"])


@DOORS
@pytest.mark.parametrize("title", TABLES)
def test_table(title: str, door: Any) -> None:
    played(door(**TABLES[title][1]), title)


def test_every_device_and_every_word_is_in_a_table() -> None:
    words = {word for _, _, rows in TABLES.values() for word in rows.split()}
    assert {serial for devices, _, _ in TABLES.values() for serial in devices} == set(DEVICES)
    assert words >= {"EXPIRED", "OVERDUE", "NO_CHALLENGE", "LOCKED", "NOT_PERMITTED", "CHALLENGE"}
