"""Temporary passcodes and codes that are sent, RULES sections 3 to 7, as tables: a row is an act at
a time, then what is said and the state after it. Every table goes through the slow twin, the engine
and a daemon.

A row: a time; then one of
  send USER PLATFORM OPTIONS -> NAME: a code is asked for by kind; BUSY: it is refused
  ask  USER PLATFORM OPTIONS -> NAME: a challenge is asked for, of whatever kind
  say  USER TYPED PLATFORM OPTIONS -> verdict, reason, serial, scope; the user's failures, devices'
  CAPITALS ...                  an act of administration
A time is seconds, or days as 2d, or both as 2d+1. TYPED: wrong, - for nothing, a passcode's serial,
lower: one in lower case, cut: one without its last character, more: with one too many, or the NAME
of a code. OPTIONS: - or several of purpose=, device=, id=, realm=, joined by commas.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from code_doors import DEVICES, WEBHOOK_SECRET, DaemonDoor, EngineDoor, Hook, TwinDoor
from code_told import DAY_S, Told
from daemons import APART_S, Daemons
from plays import play
from served import KEY

import watchword
from watchword import reference

# What alice has; further policy figures; rows.
TABLES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "a passcode: both platforms for two days, the portal for ten, then nothing": (["pass"], {}, """
        0        say alice pass  trading -               ACCEPTED NONE pass full 0 0
        1        say alice pass  trading -               ACCEPTED NONE pass full 0 0
        1        say alice pass  portal  device=pass     ACCEPTED NONE pass full 0 0
        2d-1     say alice pass  trading -               ACCEPTED NONE pass full 0 0
        2d       say alice pass  trading -               NOT_PERMITTED SCOPE pass - 0 0
        2d       say alice pass  portal  -               ACCEPTED NONE pass card 0 0
        12d-1    say alice pass  portal  -               ACCEPTED NONE pass card 0 0
        12d-1    say alice wrong portal  -               REJECTED WRONG - - 1 1
        12d      say alice pass  portal  -               EXPIRED OVERDUE pass - 1 1
        12d      say alice pass  trading -               EXPIRED OVERDUE pass - 1 1
        12d      say alice wrong portal  -               REJECTED WRONG - - 2 2
        """),
    "a passcode is compared as received": (["pass"], {}, """
        0        say alice lower:pass portal -           REJECTED WRONG - - 1 1
        0        say alice cut:pass   portal -           REJECTED WRONG - - 2 2
        0        say alice more:pass  portal -           REJECTED WRONG - - 3 3
        0        say alice pass2      portal -           REJECTED WRONG - - 4 4
        0        say alice -          portal -           CHALLENGE EMPTY - - 4 4
        0        say alice pass       portal id=forged   REJECTED NO_CHALLENGE - - 5 4
        0        say alice pass       portal device=none REJECTED DEVICE_UNKNOWN - - 6 4
        0        say bob   pass       portal -           REJECTED WRONG - - 6 4
        0        say nobody pass      portal -           REJECTED UNKNOWN_USER - - 6 4
        0        say alice pass       portal -           ACCEPTED NONE pass full 0 0
        """),
    "a passcode locks, is suspended by the cap, and comes back by hand": (
        ["pass"], {"lockout_failures": 3, "failures_cap": 2}, """
        0        say alice wrong trading -               REJECTED WRONG - - 1 1
        1        say alice wrong trading -               REJECTED WRONG - - 2 2
        2        say alice pass  trading device=pass     REJECTED DEVICE_INACTIVE - - 3 2
        3        say alice pass  trading -               LOCKED LOCKED - - 4 2
        4        UNLOCK alice
        5        say alice pass  trading -               ACCEPTED NONE pass full 0 0
        6        DEVICE alice pass lost
        7        say alice pass  trading -               REJECTED NO_DEVICE - - 1 0
        """),
    "account, realm and scope": (["pass"], {}, """
        0        ACCOUNT alice closed
        0        say alice pass  trading -               NOT_PERMITTED ACCOUNT pass - 0 0
        0        say alice pass  portal  -               ACCEPTED NONE pass full 0 0
        0        say alice pass  portal  realm=paper     NOT_PERMITTED REALM pass - 0 0
        2d       say alice pass  trading -               NOT_PERMITTED SCOPE pass - 0 0
        2d       say alice pass  portal  realm=paper     NOT_PERMITTED REALM pass - 0 0
        2d       say alice pass  portal  -               ACCEPTED NONE pass card 0 0
        12d      say alice pass  portal  realm=paper     EXPIRED OVERDUE pass - 0 0
        """),
    "what ran out stays so when time goes back": (["pass"], {}, """
        2d       say alice wrong portal  -               REJECTED WRONG - - 1 1
        0        say alice pass  portal  -               ACCEPTED NONE pass card 0 0
        12d      say alice wrong portal  -               REJECTED WRONG - - 1 1
        1        say alice pass  portal  -               EXPIRED OVERDUE pass - 1 1
        """),
    "a policy of its own": (["pass"], {"passcode_ms": 60_000, "passcode_card_ms": 0}, """
        59       say alice pass  trading -               ACCEPTED NONE pass full 0 0
        60       say alice pass  portal  -               EXPIRED OVERDUE pass - 0 0
        """),
    "two passcodes, each with a life of its own": (["pass"], {}, """
        1d       ADD alice pass2
        2d       say alice pass  trading -               NOT_PERMITTED SCOPE pass - 0 0+0
        2d       say alice pass2 trading -               ACCEPTED NONE pass2 full 0 0+0
        3d       say alice pass2 portal  -               ACCEPTED NONE pass2 card 0 0+0
        12d      say alice pass  portal  -               EXPIRED OVERDUE pass - 0 0+0
        12d      say alice wrong portal  -               REJECTED WRONG - - 1 1+1
        """),
    "a code is good for ten minutes, once": (["phone"], {}, """
        0        say  alice wrong trading -              REJECTED NO_CHALLENGE - - 1 0
        0        send alice trading -                    a
        1        say  alice wrong trading -              REJECTED WRONG - - 2 1
        2        say  alice a     trading -              ACCEPTED NONE phone full 0 0
        3        say  alice a     trading -              REJECTED NO_CHALLENGE - - 1 0
        4        say  alice a     trading id=a           REJECTED NO_CHALLENGE - - 2 0
        5        send alice trading -                    b
        604      say  alice b     trading device=phone   ACCEPTED NONE phone full 0 0
        605      send alice trading -                    c
        1205     say  alice c     trading -              REJECTED NO_CHALLENGE - - 1 0
        1205     say  alice wrong trading id=c           REJECTED WRONG - - 2 1
        1205     say  alice c     trading id=c           EXPIRED OVERDUE phone - 2 1
        1205     say  alice c     trading id=c           REJECTED NO_CHALLENGE - - 3 1
        """),
    "a new code voids the older one, and resets no failure": (["phone"], {}, """
        0        send alice trading -                    a
        1        say  alice wrong trading -              REJECTED WRONG - - 1 1
        2        send alice trading -                    b
        3        say  alice a     trading -              REJECTED WRONG - - 2 2
        4        say  alice a     trading id=a           REJECTED NO_CHALLENGE - - 3 2
        5        send alice portal  -                    c
        6        say  alice b     trading -              REJECTED NO_CHALLENGE - - 4 2
        7        say  alice b     trading id=b           REJECTED NO_CHALLENGE - - 5 2
        8        say  alice c     trading -              REJECTED NO_CHALLENGE - - 6 2
        9        say  alice c     trading id=c           REJECTED NO_CHALLENGE - - 7 2
        10       say  alice -     portal  id=c           CHALLENGE EMPTY - - 7 2
        11       say  alice c     portal  id=c           ACCEPTED NONE phone full 0 0
        """),
    "three within any hour, for every name alike; asking is no failure": (["phone"], {}, """
        1        send alice trading -                    a
        100      send alice trading -                    b
        200      send alice portal  -                    c
        300      send alice trading -                    BUSY
        300      ask  alice trading -                    BUSY
        300      say  alice c     portal -               ACCEPTED NONE phone full 0 0
        301      send nobody trading -                   n
        302      send nobody trading purpose=p           o
        303      send nobody portal -                    p
        304      send nobody trading -                   BUSY
        305      send bob    trading -                   q
        305      send bob    trading -                   r
        305      send bob    portal  -                   s
        305      send bob    trading -                   BUSY
        3600     send alice trading -                    BUSY
        3601     send alice trading -                    d
        3602     send alice trading -                    BUSY
        3700     send alice trading -                    e
        3601     send alice trading -                    BUSY
        3701     say  alice e     trading -              ACCEPTED NONE phone full 0 0
        3901     send nobody trading -                   t
        3901     send nobody trading -                   BUSY
        """),
    "a policy's own limit and time": (["phone"], {"sms_per_hour": 1, "sms_ms": 60_000}, """
        1        send alice trading -                    a
        2        send alice trading -                    BUSY
        60       say  alice wrong trading id=a           REJECTED WRONG - - 1 1
        61       say  alice a     trading id=a           EXPIRED OVERDUE phone - 1 1
        3601     send alice trading -                    b
        3660     say  alice b     trading -              ACCEPTED NONE phone full 0 0
        """),
    "the limit is the user's, however many phones": (["phone", "phone2"], {}, """
        0        send alice trading -                    a
        1        send alice trading device=phone2        b
        2        say  alice a     trading -              ACCEPTED NONE phone full 0 0+0
        3        send alice trading device=phone         c
        4        send alice trading device=phone2        BUSY
        5        say  alice b     trading device=phone   REJECTED WRONG - - 1 1+0
        6        say  alice b     trading id=b           ACCEPTED NONE phone2 full 0 1+0
        7        say  alice wrong trading -              REJECTED WRONG - - 1 2+0
        """),
    "a purpose is answered by its id alone": (["phone"], {}, """
        0        send alice portal  purpose=wire-100     a
        1        say  alice a     portal -               REJECTED NO_CHALLENGE - - 1 0
        2        say  alice a     portal id=forged       REJECTED NO_CHALLENGE - - 2 0
        3        say  alice a     portal id=a            ACCEPTED NONE phone full 0 0
        """),
    "locked: refused, right or not, and right is used up; sent to all the same": (
        ["phone"], {"lockout_failures": 2, "lockout_window_ms": 100_000}, """
        0        send alice portal  -                    a
        1        say  alice wrong portal -               REJECTED WRONG - - 1 1
        2        say  alice wrong portal -               REJECTED WRONG - - 2 2
        3        say  alice a     portal -               LOCKED LOCKED - - 3 3
        4        UNLOCK alice
        5        say  alice a     portal -               REJECTED NO_CHALLENGE - - 1 3
        6        say  alice a     portal id=a            REJECTED NO_CHALLENGE - - 2 3
        7        send alice portal  -                    b
        8        say  alice b     portal -               LOCKED LOCKED - - 3 4
        """),
    "account and realm say no to a right code, and it is used up": (["phone"], {}, """
        0        ACCOUNT alice pending
        0        send alice trading -                    a
        1        say  alice a     trading -              NOT_PERMITTED ACCOUNT phone - 0 0
        2        say  alice a     trading -              REJECTED NO_CHALLENGE - - 1 0
        3        send alice portal  -                    b
        4        say  alice b     portal realm=paper     NOT_PERMITTED REALM phone - 1 0
        5        say  alice b     portal -               REJECTED NO_CHALLENGE - - 2 0
        """),
    "several devices: what was not sent is passed over, the highest in rank is asked": (
        ["hotp", "phone", "gold", "pass"], {}, """
        0        say  alice wrong trading -              REJECTED WRONG - - 1 1+0+0+1
        1        send alice trading -                    a
        2        say  alice wrong trading -              REJECTED WRONG - - 2 2+1+0+2
        3        ask  alice trading -                    g
        4        say  alice wrong trading -              REJECTED WRONG - - 3 3+2+1+3
        5        ask  alice trading device=phone         b
        6        say  alice pass  trading -              ACCEPTED NONE pass full 0 3+2+1+0
        7        say  alice b     trading -              ACCEPTED NONE phone full 0 3+0+1+0
        8        DEVICE alice gold lost
        9        ask  alice trading -                    c
        10       say  alice c     trading id=c           ACCEPTED NONE phone full 0 3+0+1+0
        """),
    "no phone that is active: as plausible as no such name": (["phone", "pass"], {}, """
        0        send alice trading -                    a
        1        DEVICE alice phone suspended
        2        say  alice a     trading id=a           REJECTED NO_CHALLENGE - - 1 0+0
        3        say  alice a     trading device=phone   REJECTED DEVICE_INACTIVE - - 2 0+0
        4        DEVICE alice phone active
        5        say  alice a     trading -              ACCEPTED NONE phone full 0 0+0
        """),
    "enrolled again under the same key it begins where it ended": (["phone"], {}, """
        0        send alice trading -                    a
        1        say  alice a     trading -              ACCEPTED NONE phone full 0 0
        2        AGAIN alice phone
        3        say  alice a     trading -              REJECTED NO_CHALLENGE - - 1 0
        4        send alice trading -                    b
        5        say  alice a     trading -              REJECTED WRONG - - 2 1
        6        say  alice b     trading -              ACCEPTED NONE phone full 0 0
        """),
}


def played(door: Any, title: str) -> None:
    devices, _, rows = TABLES[title]
    play(Told(door), rows, alice=devices, bob=["hotp"])


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@pytest.mark.parametrize("title", TABLES)
def test_table(title: str, door: Any) -> None:
    played(door(**TABLES[title][1]), title)


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_an_hour_of_deliveries_is_no_part_of_a_second_short(name: str) -> None:
    now = [1_700_000_000_999]
    twin = reference.Reference(reference.Figures())
    twin.add_user("alice", now[0])
    twin.add_device(
        "alice", reference.Device("passcode", KEY, "phone", digits=6, label="sms"), now[0]
    )
    with watchword.Engine.open(clock=lambda: now[0], deliver=lambda _: None) as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.sms(KEY))
        begun, sent = now[0], []
        for after_ms in (0, 0, 1, 3_599_000, 3_599_001, 3_600_001, 3_600_002):
            now[0] = begun + after_ms
            try:
                engine.send_code(name)
                sent.append(after_ms)
            except watchword.Busy:
                pass
            same = twin.challenge(name, now[0], sends=True, sms=True) is not None
            assert same == (sent[-1:] == [after_ms]), after_ms
    assert sent == [0, 0, 1, 3_600_001, 3_600_002]


def test_every_device_and_every_word_is_in_a_table() -> None:
    words = {word for _, _, rows in TABLES.values() for word in rows.split()}
    enrolled = {serial for devices, _, _ in TABLES.values() for serial in devices}
    assert enrolled | {"pass2"} == set(DEVICES)
    assert words >= {"SCOPE", "OVERDUE", "NO_CHALLENGE", "LOCKED", "BUSY", "CHALLENGE", "card"}


# ---- the same through a daemon -------------------------------------------------------------------


class HookedDaemons(Daemons):
    """One webhook serves them all."""

    hook: Hook


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HookedDaemons]:
    folder, hook = tmp_path_factory.mktemp("codes"), Hook()
    (folder / "webhook.secret").write_bytes(WEBHOOK_SECRET + b"\n")
    settings = f'[delivery]\nwebhook = "{hook.url}"\nsecret_file = "../webhook.secret"\n'
    started = HookedDaemons(folder, settings)
    started.hook = hook
    try:
        with started.ended():
            yield started
        assert hook.bodies.empty()
    finally:
        hook.close()


@pytest.mark.parametrize("title", TABLES)
def test_table_through_a_daemon(title: str, daemons: HookedDaemons) -> None:
    begins_s = APART_S * (1 + list(TABLES).index(title))
    played(DaemonDoor(daemons.of(TABLES[title][1]), begins_s, daemons.hook), title)


def test_a_daemon_issues_and_shows_once(daemons: HookedDaemons) -> None:
    """The admin socket's own verbs, and what their replies hold."""
    with daemons.of({}).acts() as acts:
        acts.ask("HELLO", 3)
        acts.ask("USER", "ADD", "issued")
        told = acts.ask("DEVICE", "PASSCODE", "issued", "SERIAL", "T1")
        assert set(told) == {"serial", "passcode"} and told["serial"] == "T1"
        assert acts.ask("VERIFY", "issued", told["passcode"]) == "ACCEPTED"
        assert acts.ask("DEVICE", "ADD", "issued", "SMS").startswith("W")
        views = {view["kind"]: view for view in acts.ask("DEVICE", "LIST", "issued")}
        assert told["passcode"] not in str(views)
        own = views["temporary-passcode"]
        assert own["until_ms"] - own["full_until_ms"] == 10 * DAY_S * 1000
        assert (own["mechanism"], views["sms"]["mechanism"]) == ("passcode", "passcode")
        for words, said in (
            (("DEVICE", "PASSCODE", "nosuchuser"), "NOTFOUND"),
            (("DEVICE", "PASSCODE"), "ERR wrong number"),
            (("DEVICE", "PASSCODE", "issued", "SERIAL", "T1"), "EXISTS"),
            (("DEVICE", "PASSCODE", "issued", "KEY", "00"), "ERR syntax"),
            (("DEVICE", "ADD", "issued", "TEMPORARY-PASSCODE"), "ERR syntax"),
            (("DEVICE", "ADD", "issued", "TEMPORARY-PASSCODE", "KEY", "00" * 10), "INVALID pass"),
            (("DEVICE", "ADD", "issued", "SMS", "DIGITS", "8"), "ERR syntax"),
            (("CHALLENGE", "issued", "KIND", "card"), "ERR KIND is sms"),
            (("CHALLENGE", "is/sued", "KIND", "sms"), "INVALID user"),
        ):
            with pytest.raises(Exception, match=f"^{said}"):
                acts.ask(*words)


def test_a_policy_is_refused_by_name() -> None:
    for name, figure in (
        ("passcode_ms", 0), ("passcode_card_ms", -1), ("sms_ms", 600_001), ("sms_ms", 999),
        ("sms_per_hour", 0), ("sms_per_hour", 7), ("passcode_ms", None),
    ):  # fmt: skip
        with pytest.raises(watchword.InvalidArgument, match=f"policy {name} is"):
            watchword.Policy(**{name: figure})
