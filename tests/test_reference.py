"""The slow twin, as tables: a row is an act at a time, then the verdict and the state after it.

Codes are those of RFC 4226 Appendix D, so no row leans on our own computation: as HOTP they are
counters 0 to 9, as TOTP with 30 s and t0 = 0 they are the steps of the first five minutes of 1970.
A table runs from its own start; a second test asserts that no verdict and no reason is missing.
"""

import copy
import random
from typing import Any

import pytest

from watchword.reference import (
    Attempt,
    Device,
    Effect,
    Event,
    Figures,
    Reason,
    Record,
    Reference,
    Verdict,
)

KEY = b"12345678901234567890"
CODES = [
    "755224", "287082", "359152", "969429", "338314",
    "254676", "287922", "162583", "399871", "520489",
]  # fmt: skip

# Columns: second, who, code (- for none; a+b: two codes of a resynchronisation), options; then
# verdict, reason, time left in s; of alice's devices together moving, drift, failures; alice's own
# failures. A row with a verb in capitals in its second column is an administrative act.
TABLES: dict[str, tuple[dict[str, Any], list[Device], str]] = {
    "totp, one step either way: RFC 6238 5.2 and RULES 4": (
        {}, [Device("totp", KEY, "T1")], """
        59  alice  287082  -               ACCEPTED   NONE      0  2  0  0  0
        59  alice  287082  -               REJECTED   REPLAYED  0  2  0  1  1
        60  alice  000000  -               REJECTED   WRONG     0  2  0  2  2
        60  alice  755224  -               REJECTED   WRONG     0  2  0  3  3
        89  alice  969429  -               ACCEPTED   NONE      0  4  0  0  0
        89  alice  359152  -               REJECTED   REPLAYED  0  4  0  1  1
        30  alice  359152  -               REJECTED   REPLAYED  0  4  0  2  2
        150 alice  338314  -               ACCEPTED   NONE      0  5  0  0  0
        """),
    "totp, asymmetric window and no step below 0": (
        {}, [Device("totp", KEY, "T1", back=2, forward=0)], """
        0   alice  287082  -               REJECTED   WRONG     0  0  0  1  1
        0   alice  755224  -               ACCEPTED   NONE      0  1  0  0  0
        89  alice  969429  -               REJECTED   WRONG     0  1  0  1  1
        90  alice  287082  -               ACCEPTED   NONE      0  2  0  0  0
        """),
    "totp, before t0 nothing is right": (
        {}, [Device("totp", KEY, "T1", t0=600)], """
        0   alice  755224  -               REJECTED   WRONG     0  0  0  1  1
        569 alice  755224  -               REJECTED   WRONG     0  0  0  2  2
        570 alice  755224  -               ACCEPTED   NONE      0  1  0  0  0
        """),
    "totp, drift remembered and bounded: RFC 6238 6": (
        {}, [Device("totp", KEY, "T1", drift_max=2)], """
        30  alice  359152  -               ACCEPTED   NONE      0  3  1  0  0
        60  alice  338314  -               ACCEPTED   NONE      0  5  2  0  0
        90  alice  287922  -               ACCEPTED   NONE      0  7  2  0  0
        240 alice  162583  -               REJECTED   WRONG     0  7  2  1  1
        270 alice  520489  -               REJECTED   WRONG     0  7  2  2  2
        240 alice  520489  -               ACCEPTED   NONE      0  10 1  0  0
        """),
    "hotp, look-ahead: RFC 4226 7.4": (
        {}, [Device("hotp", KEY, "H1", look_ahead=2)], """
        1   alice  969429  -               REJECTED   WRONG     0  0  0  1  1
        1   alice  359152  -               ACCEPTED   NONE      0  3  0  0  0
        1   alice  359152  -               REJECTED   WRONG     0  3  0  1  1
        1   alice  287082  -               REJECTED   WRONG     0  3  0  2  2
        1   alice  969429  -               ACCEPTED   NONE      0  4  0  0  0
        """),
    "responses are compared exactly as received: RULES 2": (
        {}, [Device("hotp", KEY, "H1")], """
        1   alice  75522     -             REJECTED   WRONG     0  0  0  1  1
        1   alice  7552240   -             REJECTED   WRONG     0  0  0  2  2
        1   alice  0755224   -             REJECTED   WRONG     0  0  0  3  3
        1   alice  \uff1755224 -            REJECTED   WRONG     0  0  0  4  4
        1   alice  755224    -             ACCEPTED   NONE      0  1  0  0  0
        """),
    "the rows of RULES 7 in their order": (
        {"lockout_failures": 2, "source_failures": 3}, [Device("hotp", KEY, "H1")], """
        1   al_ce  755224  shed            BAD_CHARACTER NAME   0  0  0  0  0
        1   alice  755224  shed            BUSY       LOAD      0  0  0  0  0
        1   alice  -       -               CHALLENGE  EMPTY     0  0  0  0  0
        1   nobody -       -               CHALLENGE  EMPTY     0  0  0  0  0
        1   Alice  755224  -               REJECTED   UNKNOWN_USER 0 0 0 0  0
        1   alice  000000  address=::1     REJECTED   WRONG     0  0  0  1  1
        1   alice  000000  address=::2     REJECTED   WRONG     86400 0 0 2 2
        2   alice  755224  address=::3     LOCKED     LOCKED    86400 1 0 3 3
        2   alice  287082  address=::4     BUSY       SOURCE    0  1  0  3  3
        3   alice  -       -               LOCKED     LOCKED    86400 1 0 4 4
        4   UNLOCK alice
        4   alice  755224  -               REJECTED   WRONG     0  1  0  5  1
        4   SET    alice   state=pending,realm=paper
        5   alice  287082  -               NOT_PERMITTED ACCOUNT 0 2  0  5  1
        5   SET    alice   state=closed,realm=paper
        5   alice  359152  -               NOT_PERMITTED ACCOUNT 0 3  0  5  1
        5   alice  359152  -               REJECTED   WRONG     86400 3 0 6 2
        5   UNLOCK alice
        6   alice  969429  platform=portal NOT_PERMITTED REALM  0  4  0  6  0
        6   alice  338314  platform=portal,realm=paper ACCEPTED NONE 0 5 0 0 0
        """),
    "lockout: strictly inside the window, and over after exactly the window": (
        {"lockout_failures": 3, "lockout_window_ms": 60_000}, [Device("hotp", KEY, "H1")], """
        1   alice  000000  -               REJECTED   WRONG     0  0  0  1  1
        31  alice  000000  -               REJECTED   WRONG     0  0  0  2  2
        61  alice  000000  -               REJECTED   WRONG     0  0  0  3  3
        90  alice  000000  -               REJECTED   WRONG     60 0  0  4  4
        149 alice  755224  -               LOCKED     LOCKED    60 1  0  5  5
        209 alice  -       -               CHALLENGE  EMPTY     0  1  0  5  0
        209 alice  000000  -               REJECTED   WRONG     0  1  0  6  1
        210 alice  287082  -               ACCEPTED   NONE      0  2  0  0  0
        """),
    "lockout: refused attempts do not restart the wait when so told": (
        {"lockout_failures": 1, "lockout_window_ms": 60_000, "lockout_extend": False},
        [Device("hotp", KEY, "H1")], """
        1   alice  000000  -               REJECTED   WRONG     60 0  0  1  1
        31  alice  000000  -               LOCKED     LOCKED    30 0  0  2  2
        60  alice  755224  -               LOCKED     LOCKED    1  1  0  3  3
        61  alice  287082  -               ACCEPTED   NONE      0  2  0  0  0
        """),
    "lockout: time that goes back frees nobody": (
        {"lockout_failures": 2, "lockout_window_ms": 60_000}, [Device("hotp", KEY, "H1")], """
        100 alice  000000  -               REJECTED   WRONG     0  0  0  1  1
        10  alice  000000  -               REJECTED   WRONG     150 0 0  2  2
        99  alice  755224  -               LOCKED     LOCKED    61 1  0  3  3
        159 alice  287082  -               LOCKED     LOCKED    60 2  0  4  4
        """),
    "lockout: names that do not exist seem to lock as well": (
        {"lockout_failures": 2, "lockout_window_ms": 60_000}, [Device("hotp", KEY, "H1")], """
        1   nobody 000000  -               REJECTED   UNKNOWN_USER 0  0 0 0 0
        1   noone  000000  -               REJECTED   UNKNOWN_USER 0  0 0 0 0
        2   nobody 755224  -               REJECTED   UNKNOWN_USER 60 0 0 0 0
        3   nobody 755224  -               LOCKED     LOCKED       60 0 0 0 0
        3   nobody -       -               LOCKED     LOCKED       60 0 0 0 0
        63  nobody -       -               CHALLENGE  EMPTY        0  0 0 0 0
        63  nobody 755224  -               REJECTED   UNKNOWN_USER 0  0 0 0 0
        """),
    "several devices: all are tried, all that match are used up, all are charged": (
        {}, [Device("hotp", KEY, "H2"), Device("totp", KEY, "H1")], """
        30  alice  287082  -               ACCEPTED   NONE      0  2+2 0+0 0+0 0
        30  alice  000000  -               REJECTED   WRONG     0  2+2 0+0 1+1 1
        30  alice  969429  -               ACCEPTED   NONE      0  4+2 0+0 0+1 0
        60  alice  359152  device=H2       REJECTED   WRONG     0  4+2 0+0 1+1 1
        60  alice  359152  device=H1       ACCEPTED   NONE      0  4+3 0+0 1+0 0
        60  alice  338314  device=H3       REJECTED   DEVICE_UNKNOWN 0 4+3 0+0 1+0 1
        60  LOST   alice   H2
        60  alice  338314  device=H2       REJECTED   DEVICE_INACTIVE 0 4+3 0+0 1+0 2
        60  alice  000000  -               REJECTED   WRONG     0  4+3 0+0 1+1 3
        60  LOST   alice   H1
        60  alice  969429  -               REJECTED   NO_DEVICE 0  4+3 0+0 1+1 4
        60  ACTIVE alice   H2
        60  alice  338314  -               ACCEPTED   NONE      0  5+3 0+0 0+1 0
        """),
    "the cap suspends each device it reaches: RULES 5": (
        {"failures_cap": 2}, [Device("hotp", KEY, "H1"), Device("totp", KEY, "T1")], """
        30  alice  000000  device=H1       REJECTED   WRONG     0  0+0 0+0 1+0 1
        30  alice  000000  -               REJECTED   WRONG     0  0+0 0+0 2+1 2
        30  alice  755224  -               ACCEPTED   NONE      0  0+1 0+0 2+0 0
        30  alice  755224  device=H1       REJECTED   DEVICE_INACTIVE 0 0+1 0+0 2+0 1
        30  UNLOCK alice
        30  alice  755224  device=H1       ACCEPTED   NONE      0  1+1 0+0 0+0 0
        """),
    "resynchronisation: two codes in a row, forward only": (
        {}, [Device("hotp", KEY, "H1", look_ahead=0)], """
        1   alice  969429         -         REJECTED   WRONG    0  0  0  1  1
        1   alice  969429+254676  device=H1 REJECTED   WRONG    0  0  0  2  2
        1   alice  338314+969429  device=H1 REJECTED   WRONG    0  0  0  3  3
        1   alice  969429+338314  device=H1 ACCEPTED   NONE     0  5  0  0  0
        1   alice  969429+338314  device=H1 REJECTED   WRONG    0  5  0  1  1
        1   alice  254676         -         ACCEPTED   NONE     0  6  0  0  0
        1   alice  254676+287922  device=H1 REJECTED   WRONG    0  6  0  1  1
        """),
    "resynchronisation moves a token's drift, within its bound": (
        {}, [Device("totp", KEY, "T1", drift_max=5)], """
        30  alice  254676         -         REJECTED   WRONG    0  0  0  1  1
        30  alice  338314+254676  device=T1 ACCEPTED   NONE     0  6  4  0  0
        60  alice  287922         -         ACCEPTED   NONE     0  7  4  0  0
        60  alice  162583+399871  device=T1 ACCEPTED   NONE     0  9  5  0  0
        60  alice  162583+399871  device=T1 REJECTED   REPLAYED 0  9  5  1  1
        """),
    "resynchronisation while locked is refused and used up": (
        {"lockout_failures": 1}, [Device("hotp", KEY, "H1")], """
        1   alice  000000         -         REJECTED   WRONG    86400 0 0 1 1
        2   alice  755224+287082  device=H1 LOCKED     LOCKED   86400 2 0 2 2
        3   UNLOCK alice
        3   alice  755224+287082  device=H1 REJECTED   WRONG    86400 2 0 3 1
        """),
}  # fmt: skip

# What only challenges, pushes, secrets or devices that come and go bring about has its tables in
# test_challenges.py, test_push.py, test_secrets.py and test_life.py.
NOT_HERE = {
    Verdict.EXPIRED, Reason.NO_CHALLENGE, Reason.OVERDUE, Reason.SCOPE, Reason.PENDING,
    Reason.DENIED, Reason.MISMATCHED, Reason.CANCELLED, Reason.PIN, Reason.PASSWORD,
    Reason.ENDED,
    Reason.ADDRESS, Reason.IDENTITY, Reason.TEMPORARY, Reason.LESS_SECURE, Reason.LIMIT,
}  # fmt: skip


def options_of(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(",")) if text != "-" else {}


def act(twin: Reference, now: int, verb: str, name: str, *words: str) -> None:
    if verb == "UNLOCK":
        twin.unlock(name, now, by="client services")
    elif verb == "SET":
        twin.set_user(name, now, **options_of(words[0]))
    else:
        twin.set_device(name, words[0], verb.lower(), now)


def attempt_of(name: str, code: str, options: str) -> Attempt:
    response, _, second = code.partition("+")
    if options == "shed":
        return Attempt(name, response, shed=True)
    return Attempt(
        name, "" if code == "-" else response, second=second or None, **options_of(options)
    )


def seen(twin: Reference, answer: Any) -> list[str]:
    """The columns of a row that are expected, as text."""
    user = twin.users["alice"]
    devices = [[d.moving, d.drift, d.failures] for d in user.devices]
    columns = ["+".join(map(str, column)) for column in zip(*devices, strict=True)]
    left = answer.retry_after_ms // 1000
    return [answer.verdict.name, answer.reason.name, str(left), *columns, str(user.streak.count)]


@pytest.mark.parametrize("title", TABLES)
def test_table(title: str) -> None:
    figures, devices, table = TABLES[title]
    twin = Reference(Figures(**figures))
    twin.add_user("alice", 0)
    for device in devices:
        twin.add_device("alice", device, 0)
    for line in table.strip().splitlines():
        words = line.split()
        now = int(words[0]) * 1000
        if words[1].isupper():
            act(twin, now, *words[1:])
        else:
            answer = twin.attempt(attempt_of(*words[1:4]), now)
            assert seen(twin, answer) == words[4:], line
    assert state(replayed(twin)) == state(twin)


def test_no_verdict_and_no_reason_is_missing() -> None:
    words = {word for _, _, table in TABLES.values() for word in table.split()}
    assert words >= {verdict.name for verdict in set(Verdict) - NOT_HERE}
    assert words >= {reason.name for reason in set(Reason) - NOT_HERE}
    assert not words & {verdict.name for verdict in NOT_HERE}


# ---- records: what one attempt writes ------------------------------------------------------------


def records_of(twin: Reference, attempt: Attempt, now_ms: int) -> list[Record]:
    return [r._replace(user=0) for r in twin.decide(attempt, now_ms)[1]]


def test_records_say_what_apply_does() -> None:
    twin = Reference(Figures(lockout_failures=2, failures_cap=2, lockout_window_ms=5000))
    twin.add_user("alice", 0)
    twin.add_device("alice", Device("hotp", KEY, "H1"), 0)
    twin.add_device("alice", Device("totp", KEY, "T1"), 0)
    one, two = (d.number for d in twin.users["alice"].devices)
    both = Attempt("alice", CODES[0])

    assert records_of(twin, both, 0) == [
        Record(Event.ATTEMPT, 0, Verdict.ACCEPTED, 0, Effect.ADVANCE, 0, one, 1),
        Record(Event.ALSO, 0, 0, 0, Effect.ADVANCE, 0, two, 1),
    ]
    wrong = Attempt("alice", "no", platform="portal", realm="paper", address="::1")
    assert records_of(twin, wrong, 0) == [
        Record(Event.ATTEMPT, 0, Verdict.REJECTED, Reason.WRONG, Effect.PUSH | Effect.CHARGE, 5,
               tail="::1"),
    ]  # fmt: skip
    twin.attempt(wrong, 0)
    locking = Effect.PUSH | Effect.LOCK | Effect.CHARGE
    assert records_of(twin, wrong, 1)[0].effects == locking
    assert records_of(twin, wrong, 1)[0].lock_ms == 5000
    assert records_of(twin, wrong, 1)[1:] == [
        Record(Event.ALSO, 0, effects=Effect.SUSPEND, place=5, device=n) for n in (one, two)
    ]
    assert records_of(twin, both, 1)[0].effects == Effect.CLEAR | Effect.ADVANCE | Effect.FORGIVE
    assert records_of(twin, both, 1)[1].effects == Effect.ADVANCE | Effect.FORGIVE

    twin.attempt(wrong, 1)  # locks; both devices are full and suspended
    for serial in ("H1", "T1"):
        twin.set_device("alice", serial, "active", 1)
    refused = Effect.WAIT | Effect.LOCK | Effect.CHARGE
    assert records_of(twin, both, 2) == [
        Record(Event.ATTEMPT, 0, Verdict.LOCKED, Reason.LOCKED, refused, lock_ms=5000),
        Record(Event.ALSO, 0, effects=Effect.ADVANCE, device=one, moving=1),
        Record(Event.ALSO, 0, effects=Effect.ADVANCE, device=two, moving=1),
    ]
    named = Attempt("alice", CODES[0], device="T1")
    assert records_of(twin, named, 2) == [
        Record(Event.ATTEMPT, 0, Verdict.LOCKED, Reason.LOCKED, refused | Effect.ADVANCE, 32, two,
               1, lock_ms=5000),
    ]  # fmt: skip


# ---- living is decide, then apply ----------------------------------------------------------------


def replayed(twin: Reference) -> Reference:
    """Another twin that has only read the journal."""
    other = Reference(twin.figures)
    for now_ms, records in twin.journal:
        for record in records:
            other.apply(record, now_ms)
    other.journal = twin.journal
    return other


def state(twin: Reference) -> dict[str, Any]:
    return copy.deepcopy(vars(twin))


@pytest.mark.parametrize("seed", range(20))
def test_decide_changes_nothing_and_apply_alone_gives_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    twin = Reference(
        Figures(rng.choice([1, 3, 10, 13, 100]), 60_000, rng.random() < 0.5, rng.choice([None, 4]))
    )
    for name in ("alice", "bob"):
        twin.add_user(name, 0)
        twin.add_device(name, Device("hotp", KEY, f"{name}-H"), 0)
        twin.add_device(name, Device("totp", KEY, f"{name}-T", drift_max=3), 0)
    now_ms = 0
    for _ in range(60):
        now_ms += rng.choice([0, 1, 999, 30_000, 60_000, -5000])
        attempt = Attempt(
            rng.choice(["alice", "bob", "nobody", "?"]),
            rng.choice([*CODES, "", "wrong"]),
            rng.choice(["trading", "portal"]),
            rng.choice(["live", "live", "paper"]),
            rng.choice([None, None, "alice-H", "bob-T"]),
            rng.choice([None, "192.0.2.1"]),
            rng.choice([None, None, None, *CODES]),
        )
        before = state(twin)
        first = twin.decide(attempt, max(0, now_ms))
        assert state(twin) == before
        assert twin.attempt(attempt, max(0, now_ms)) == first[0]
    assert state(replayed(twin)) == state(twin)
