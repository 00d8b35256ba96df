"""RULES section 6, devices that come and go: every table of life_tables.py through the slow twin,
the engine and a daemon; then what a table cannot say: misuse, reopening, passwords, what is shown.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import push_doors
import pytest
from daemons import Daemons
from life_doors import DAYS_TO_TABLES, DaemonDoor, EngineDoor, TwinDoor, device_of
from life_tables import TABLES
from plays import play
from served import Served
from standing import KEY, STORE_KEY, Bench, T, on_disk

import watchword
from watchword import Code, Device, Engine, InvalidArgument, Policy, Reason, hotp, lifecycle, totp
from watchword.audit import iso
from watchword.life import NEW_DEVICE, TRANSITIONS, Dates

DAY_MS = 86_400_000
T_21 = T + 21 * DAY_MS
LETTERS = {"S": "shipped", "A": "active", "U": "suspended", "L": "lost", "R": "returned",
           "E": "expired"}  # fmt: skip
DOORS = pytest.mark.parametrize("title", TABLES)


def ms_of(text: str) -> int:
    days, _, rest = text.rpartition("d")
    return int(days or 0) * DAY_MS + int(rest or 0)


class Told:
    """One table on its way through one door."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.cards: dict[str, watchword.Card] = {}
        self.asked: dict[str, Any] = {}

    def dates(self, words: tuple[str, ...]) -> dict[str, int]:
        pairs = (word.split("=") for word in words)
        return {f"{name}_ms": self.door.begins_ms + ms_of(text) for name, text in pairs}

    def typed(self, word: str) -> str:
        serial, _, count = word.partition("+")
        if word == "wrong":
            return "0"
        if serial in self.cards:
            return self.cards[serial].answer(self.asked[serial].prompt)
        device = device_of(serial)
        if device.mechanism == "hotp":
            return hotp(device.key, int(count))
        if device.mechanism == "totp":
            return totp(device.key, self.door.now_ms // 1000)
        if device.mechanism == "ocra":
            return watchword.ocra(device.suite, device.key, self.asked[serial].prompt)
        return device.key.decode()

    def options(self, text: str) -> dict[str, str]:
        if text == "id":
            return {"challenge": self.asked["last"].id}
        return {} if text == "-" else dict([text.split("=")])

    def row(self, line: str) -> None:
        moment, verb, *words = line.split()
        self.door.now_ms = self.door.begins_ms + ms_of(moment)
        if verb == "add":
            self.door.add(words[0])
        elif verb == "ship":
            self.door.ship(words[0], **self.dates(tuple(words[1:])))
        elif verb == "card":
            self.cards[words[0]] = self.door.card(words[0])
        elif verb == "replace":
            until_ms = self.door.begins_ms + ms_of(words[3]) if len(words) > 3 else 0
            self.door.replace(*words[:3], until_ms)
        elif verb == "dates":
            self.door.dates(words[0], **self.dates(tuple(words[1:])))
        elif verb == "unlock":
            self.door.unlock()
        elif verb == "set":
            assert self.door.becomes(*words) == ""
        elif verb == "not":
            was, said = self.stands()[0], self.door.becomes(*words)
            assert said == "illegal" or (LETTERS[was] in said and words[1] in said)
        elif verb in ("ask", "new"):
            purpose = {"purpose": NEW_DEVICE} if verb == "new" else {}
            asked = self.door.ask(device=words[0], platform=words[1], **purpose)
            self.asked[words[0]] = self.asked["last"] = asked
        elif verb == "say":
            said = self.door.say(self.typed(words[0]), platform=words[1], **self.options(words[2]))
            self.holds(said, words[3:])
        elif verb == "try":
            said = self.door.activate(words[0], self.typed(words[1]), **self.options(words[2]))
            self.holds(said, words[3:])
        else:
            assert verb == "see", verb
            assert self.stands() == words[0]

    def stands(self) -> str:
        known = {state: letter for letter, state in LETTERS.items()}
        return "+".join(known[state] for state in self.door.states())

    def holds(self, said: tuple[str, str, str], expected: list[str]) -> None:
        verdict, reason, serial = said
        seen = [verdict, reason or expected[1], serial or expected[2], self.stands()]
        assert seen == expected


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("life"))
    with started.ended():
        yield started


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@DOORS
def test_table(title: str, door: Any) -> None:
    figures, rows = TABLES[title]
    play(Told(door(**figures)), rows)


@DOORS
def test_table_through_a_daemon(title: str, daemons: Daemons) -> None:
    figures, rows = TABLES[title]
    served: Served = daemons.of({name: figure or 0 for name, figure in figures.items()})
    at = list(TABLES).index(title)
    play(Told(DaemonDoor(served, DAYS_TO_TABLES * DAY_MS * (1 + at))), rows)


def test_every_state_and_every_word_of_it_is_in_a_table() -> None:
    words = {word for _, rows in TABLES.values() for word in rows.split()}
    assert {state for word in words for state in word.split("+")} >= set(LETTERS)
    assert words >= {"ENDED", "OVERDUE", "SCOPE", "DEVICE_INACTIVE", "NO_CHALLENGE"}
    assert set(TRANSITIONS) == set(LETTERS.values())


# ---- what is written


def test_a_moment_is_one_record_before_the_attempt_that_sees_it() -> None:
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.issue_passcode("alice")
    bench.engine.ship_device("alice", Device.hotp(KEY), "N1", activates_ms=bench.now + DAY_MS)
    bench.now += DAY_MS
    assert bench.engine.verify("alice", "000000").code is Code.REJECTED
    came, attempt = bench.last()
    assert (came.event, came.moving) == (lifecycle.DUE, bench.now)
    assert attempt.event == lifecycle.ATTEMPT
    bench.engine.verify("alice", "000000")
    assert [record.event for record in bench.last()] == [lifecycle.ATTEMPT]


def test_in_a_batch_it_comes_for_each_user_once() -> None:
    bench = Bench()
    users = [f"user{n}" for n in range(150)]
    for name in users:
        bench.engine.add_user(name)
        bench.engine.ship_device(
            name, Device.hotp(KEY + name.encode()), activates_ms=bench.now + DAY_MS
        )
    bench.now += DAY_MS
    codes = [hotp(KEY + name.encode(), n) for n in (0, 1) for name in users]
    found = bench.engine.verify_many(users * 2, codes, threads=2)
    assert set(found) == {Code.ACCEPTED}
    events = [record.event for record in bench.last()]
    assert events.count(lifecycle.DUE) == 150
    assert events.count(lifecycle.ATTEMPT) == 300


def test_what_comes_due_claims_no_push_and_is_no_verdict() -> None:
    """BUSY looked at nothing, though what had come due was recorded: the approval still stands."""
    now, policy = [T], Policy(source_failures=10)
    with Engine.open(clock=lambda: now[0], policy=policy) as engine:
        engine.add_user("ann")
        engine.add_device("ann", push_doors.device_of("phone"), serial="phone")
        engine.ship_device("ann", Device.hotp(KEY), activates_ms=T + 5_000)
        for _ in range(10):
            engine.verify("nobody", "000000", address="192.0.2.7")
        asked = engine.push("ann")
        answer = push_doors.Asked(
            "ann", (asked.id, asked.number, "", asked.expires_ms), "trading", "", ""
        ).answer("phone", "approve", asked.number, "biometric")
        engine.decide_push(
            asked.id, decision="approve", unlocked="biometric", signature=answer,
            number=asked.number,
        )  # fmt: skip
        now[0] = T + 5_000
        busy = engine.verify("ann", "", challenge=asked.id, address="192.0.2.7")
        assert (busy.code, busy.reason) == (Code.BUSY, Reason.SOURCE)
        assert [device.state for device in engine.user("ann").devices][1] == "active"
        assert engine.stats()["verdicts"]["BUSY"] == {"SOURCE": 1}
        claim = engine.verify("ann", "", challenge=asked.id)
        assert claim
        assert engine.stats()["verdicts"] == {
            "ACCEPTED": {"NONE": 1}, "REJECTED": {"UNKNOWN_USER": 10}, "BUSY": {"SOURCE": 1},
        }  # fmt: skip


def test_what_is_told_again_while_something_comes_due_is_counted_as_it_was() -> None:
    now = [T]
    with Engine.open(clock=lambda: now[0]) as engine:
        engine.add_user("ann")
        engine.add_device("ann", Device.hotp(KEY))
        engine.ship_device("ann", Device.hotp(KEY + b"s"), activates_ms=T + 5_000)
        for _ in range(3):
            assert engine.verify("ann", hotp(KEY, 0), request_id="login-0001")
            now[0] += 5_000
        stats = engine.stats()
        assert stats["verdicts"] == {"ACCEPTED": {"NONE": 1}}


def test_a_wrong_activation_names_nobody_and_seems_to_lock() -> None:
    bench = Bench(lockout_failures=2)
    for _ in range(2):
        refused = bench.engine.activate("nobody", "N1", "000000")
        assert (refused.code, refused.reason) == (Code.REJECTED, Reason.UNKNOWN_USER)
    assert bench.engine.activate("nobody", "N1", "000000").code is Code.LOCKED


def test_unlocking_does_not_wake_what_has_run_out() -> None:
    bench = Bench(failures_cap=5)
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.hotp(KEY), "T1")
    bench.engine.set_dates("alice", "T1", expires_ms=bench.now + DAY_MS)
    issued = bench.engine.issue_passcode("alice")
    for _ in range(5):
        bench.engine.verify("alice", "000000", device="T1")
    bench.now += DAY_MS
    bench.engine.unlock("alice", by="desk")
    assert [d.state for d in bench.engine.user("alice").devices] == ["expired", "active"]
    assert bench.engine.verify("alice", issued.passcode)


def test_a_user_with_a_password_gives_it() -> None:
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.set_password("alice", "correct horse")
    bench.engine.ship_device("alice", Device.hotp(KEY), "N1")
    refused = bench.engine.activate("alice", "N1", hotp(KEY, 0))
    assert refused.reason is Reason.PASSWORD
    refused = bench.engine.activate("alice", "N1", hotp(KEY, 1), password="battery staple")
    assert refused.reason is Reason.PASSWORD
    assert bench.engine.user("alice").devices[0].state == "shipped"
    assert bench.engine.activate("alice", "N1", hotp(KEY, 2), password="correct horse")
    bench.engine.ship_device("alice", Device.hotp(KEY + b"2"), "N2")
    assert bench.engine.activate("alice", "N2", hotp(KEY + b"2", 0), first_factor=True)


def test_what_was_used_before_stays_used() -> None:
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.hotp(KEY), "N1")
    assert bench.engine.verify("alice", hotp(KEY, 4))
    bench.engine.remove_device("alice", "N1")
    bench.engine.ship_device("alice", Device.hotp(KEY), "N2")
    assert not bench.engine.activate("alice", "N2", hotp(KEY, 4))
    assert bench.engine.activate("alice", "N2", hotp(KEY, 5))


@pytest.mark.parametrize("whole", [True, False])
def test_a_store_comes_back_as_it_was(tmp_path: Path, whole: bool) -> None:
    """Through the pages of a store that was closed, and through the journal of one that was not."""
    now = [1_700_000_000_000]
    path = tmp_path / "store"

    def opened() -> Engine:
        return Engine.open(path, STORE_KEY, clock=lambda: now[0])

    with opened() as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY), "old")
        engine.issue_passcode("alice", "pass")
        engine.set_dates("alice", "old", expires_ms=now[0] + 30 * DAY_MS)
        engine.replace_device("alice", "old", Device.hotp(KEY, algorithm="sha512"), "new",
                              state="active", delivery="2023-12-01")  # fmt: skip
        engine.issue_online_card("alice", "card")
        engine.add_user("bob")
        engine.add_device("bob", Device.totp(KEY), "plain")
        if whole:
            assert engine._keeper is not None
            engine._keeper.write()
        before = engine.user("alice"), engine.user("bob")
    with opened() as engine:
        assert (engine.user("alice"), engine.user("bob")) == before
        now[0] += 21 * DAY_MS
        states = [d.state for d in engine.user("alice").devices]
        assert states == ["expired", "expired", "active", "expired"]
        assert engine.verify("alice", hotp(KEY, 0, algorithm="sha512")).device == "new"
    with opened() as engine:
        assert [d.state for d in engine.user("alice").devices] == states
        assert engine.user("alice").devices[2].replaces == "old"
        assert engine.user("alice").devices[2].delivery == "2023-12-01"


# ---- misuse


def test_misuse_is_named() -> None:
    bench = Bench()
    engine = bench.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY), "T1")
    device = Device.hotp(KEY)
    for call, said in (
        (lambda: engine.ship_device("alice", device, delivery="soon"), "delivery is a day"),
        (lambda: engine.ship_device("alice", device, delivery="1969-12-31"), "delivery is a day"),
        (lambda: engine.ship_device("alice", device, activates_ms=-1), "activates_ms is milli"),
        (lambda: engine.ship_device("alice", device, expires_ms=1), "expires_ms is a moment"),
        (lambda: engine.ship_device("alice", Device.sms()), "device is one that is shipped"),
        (lambda: engine.ship_device("alice", "x"), "device is a watchword.Device"),
        (lambda: engine.replace_device("alice", "T1", device, state="gone"), "state is one of"),
        (lambda: engine.replace_device("alice", "T1", device, until_ms=bench.now + 1), "until_ms"),
        (lambda: engine.set_dates("alice", "T1", expires_ms=True), "expires_ms is milliseconds"),
        (lambda: engine.activate("alice", None, "0"), "serial is str"),
        (lambda: engine.set_device("alice", "T1", state="shipped"),
         "active cannot become shipped; it can become suspended or lost or returned or expired"),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match=re.escape(said)):
            call()  # type: ignore[no-untyped-call]
    assert [d.serial for d in engine.user("alice").devices] == ["T1"]
    with pytest.raises(watchword.NotFound):
        engine.replace_device("alice", "none", device)
    with pytest.raises(watchword.Exists):
        engine.ship_device("alice", device, "T1")
    with pytest.raises(watchword.Exists, match="passcode"):
        engine.replace_device("alice", "T1", device, "W00000003", passcode=True)
    assert [d.serial for d in engine.user("alice").devices] == ["T1"]


def test_dates_are_days_and_moments() -> None:
    assert Dates().delivery == ""
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.ship_device("alice", Device.hotp(KEY), "N1", delivery="2023-12-01")
    view = bench.engine.user("alice").devices[0]
    assert (view.delivery, view.activates_ms) == ("2023-12-01", bench.now + 21 * DAY_MS)
    bench.engine.set_dates("alice", "N1", delivery="", activates_ms=0)
    view = bench.engine.user("alice").devices[0]
    assert (view.delivery, view.activates_ms, view.expires_ms) == ("", 0, 0)


def test_it_is_explained(tmp_path: Path) -> None:
    with on_disk(tmp_path / "store") as engine:
        engine.add_user("alice")
        engine.ship_device("alice", Device.hotp(KEY), "N1", delivery="2023-12-01")
        told = engine.explain("alice")
        said = "shipped, which verifies nothing yet, expected 2023-12-01, active of itself"
        assert said in " ".join(told.standing)
        assert any("device activate alice N1" in words for words in told.remedies)
        assert engine.activate("alice", "N1", hotp(KEY, 0))
        assert engine.explain("alice").attempts[-1].why == "activated: N1 (hotp) was right"
        acts = [(entry.event, entry.text) for entry in engine.audit(only="acts")]
        assert acts[-1] == ("device add", f"shipped, expected 2023-12-01, active from {iso(T_21)}")


def test_a_plain_device_is_as_small_as_before() -> None:
    """And one with dates is a wide one: 256 bytes where it would have stood in its user's line."""
    bench = Bench()
    bench.engine.add_user("alice")
    before = bench.engine._core.memory_bytes
    bench.engine.add_device("alice", Device.totp(KEY), "T1")
    plain = bench.engine._core.memory_bytes - before
    bench.engine.set_dates("alice", "T1", expires_ms=bench.now + 1)
    assert bench.engine._core.memory_bytes - before - plain == 256
