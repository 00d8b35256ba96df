"""The engine against its slow twin: the same random histories through both, step by step.

After every step the verdicts, the whole state of the users and the journal's records must be the
same, and at the end the journal alone must give the engine's state again. A history is made from
its seed (tests/histories.py); when one disagrees, steps are taken out while it still disagrees, and
what is left is the failure's message. WATCHWORD_HISTORIES says how many run: 2,000 by default,
which is what a merge needs; a long run takes as many as there is time for.
"""

import ipaddress
import os
import random
import struct
from array import array
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
from histories import COINCIDENT_KEYS, History, Step, figures_of, history, shorter

import watchword
from watchword import _engine, reference
from watchword.reference import Answer, Attempt, Device, Effect, Event, Figures, Reference

HISTORIES = int(os.environ.get("WATCHWORD_HISTORIES", "2000"))
SHORTENING_TRIES_MAX = 500      # a failure is to be seen soon, not to be as short as can be
DEVICES_MAX = 16                # of one user
CHUNK_HISTORIES = 50            # on one engine, under names of their own: opening one costs more

# ---- both engines, and a step through each -------------------------------------------------------

HEADER = struct.Struct("<IHHIIqq")      # ww_row
RECORD = struct.Struct("<7BbQQII")      # ww_record
UNKNOWN = 0x80                          # in place: user is the keyed hash of a name nobody has
ATTEMPTS = (Event.ATTEMPT, Event.ALSO, Event.RESYNC)


def records_of(row: bytes) -> list[tuple[Any, ...]]:
    """A journal row's records: the fields of ww_record, and the tail's bytes in tail's place."""
    _, _, _, names_bytes, units, _, _ = HEADER.unpack_from(row)
    at = HEADER.size + names_bytes
    assert len(row) == at + units * RECORD.size
    records = []
    while at < len(row):
        fields = RECORD.unpack_from(row, at)
        end = at + RECORD.size * (1 + fields[3])
        records.append((*fields[:3], row[at + RECORD.size : end], *fields[4:]))
        at = end
    return records


class Both:
    """An engine and its twin. Names and addresses carry the number of the history under way."""

    def __init__(self, figures: Figures) -> None:
        policy = dict(vars(figures))
        policy["names"] = "any" if policy.pop("names_any") else "sls"
        self.now_ms = self.number = self.serials = self.rows_seen = self.turns_seen = 0
        self.engine = watchword.Engine.open(
            ":memory:", policy=watchword.Policy(**policy), clock=lambda: self.now_ms
        )
        self.engine.tap = []
        self.twin = Reference(figures)
        self.ids: dict[Any, Any] = {}   # the twin's user and device numbers -> the engine's
        self.seen: set[str] = set()     # verdicts and reasons

    def disagreement(self, number: int, told: History) -> str:
        """Runs one history through both; says where they part, or nothing."""
        self.number, (self.now_ms, steps) = number, told
        rng = random.Random(number)
        self.keys = [rng.randbytes(rng.choice([10, 20, 64, 65, 128])) for _ in range(3)]
        self.keys.append(rng.choice(COINCIDENT_KEYS))
        for at, step in enumerate(steps):
            difference = self.step(step)
            if difference:
                return f"step {at} {step}: {difference}"
        return ""

    # -- words of a history -> what is really said

    def name(self, word: str) -> str:
        """alice is a short name, bob one that does not fit a user's own lines."""
        word = "bob" * 15 if word == "bob" else word
        return f"{word}n{self.number}" if 0 < len(word) < 129 else word

    def devices(self, who: str) -> list[Device]:
        user = self.twin.users.get(self.name(who))
        return user.devices if user else []

    def serial(self, who: str, word: Any) -> str | None:
        devices = self.devices(who)
        if isinstance(word, int):
            return devices[word].serial if word < len(devices) else "none-such"
        return word

    def typed(self, who: str, word: Any, further: int = 0) -> str:
        if isinstance(word, str):
            return word
        index, near = word
        devices = self.devices(who)
        if index >= len(devices):
            return "314159"
        position = devices[index].expected(self.now_ms) + near + further
        return devices[index].code(position) if 0 <= position < 2**64 else "271828"

    def attempt(self, who: str, word: Any, options: dict[str, Any]) -> Attempt:
        address = options["address"]
        if address is not None:
            net = f"2001:db8:{self.number:x}" if ":" in address else f"10.{self.number >> 8}."
            address = net + (address if ":" in address else f"{self.number & 255}.{address}")
        return Attempt(
            self.name(who), self.typed(who, word), options["platform"], options["realm"],
            self.serial(who, options["device"]), address,
        )  # fmt: skip

    # -- steps: each returns what the engine said and what the twin said

    def verify(self, who: str, word: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        a = self.attempt(who, word, options)
        verdict = self.engine.verify(
            a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
            address=a.address,
        )  # fmt: skip
        return answer_of(verdict), tuple(self.ask(a))

    def ask(self, attempt: Attempt) -> Answer:
        answer = self.twin.attempt(attempt, self.now_ms)
        self.seen |= {repr(answer.verdict), repr(answer.reason)}
        return answer

    def verify_many(self, words: list[Any]) -> tuple[Any, Any]:
        platform = words[0][2]["platform"]
        shared = {"platform": platform, "realm": "live"}
        attempts = [self.attempt(who, word, {**own, **shared}) for who, word, own in words]
        users: Any = [a.name for a in attempts]
        responses: Any = [a.response for a in attempts]
        columns: dict[str, Any] = {
            "devices": [a.device for a in attempts], "addresses": [a.address for a in attempts]
        }  # fmt: skip
        if not any(columns["devices"]) and not any(columns["addresses"]):
            users, responses, columns = encoded(users), encoded(responses), {}
        codes = self.engine.verify_many(users, responses, platform=platform, **columns)
        said = [int(self.ask(a).verdict) for a in attempts]
        return [int(code) for code in codes], said

    def resync(
        self, who: str, word: Any, second: Any, options: dict[str, Any]
    ) -> tuple[Any, Any]:
        serial = self.serial(who, options["device"] or 0)
        first = self.typed(who, word)
        second = second if isinstance(second, str) else self.typed(who, word, second)
        address = self.attempt(who, word, options).address
        verdict = self.engine.resync(
            self.name(who), first, second, device=serial, address=address
        )
        attempt = Attempt(
            self.name(who), first, device=serial, address=address, second=second
        )
        return answer_of(verdict), tuple(self.ask(attempt))

    def act(self, verb: str, who: str, *words: Any) -> None:
        """An administrative act, where it is legal."""
        name, now_ms = self.name(who), self.now_ms
        there = name in self.twin.users
        if (verb == "add_user") == there:
            return
        if verb in ("add_user", "set_user"):
            named = {"state": words[0], "realm": words[1]}
            getattr(self.engine, verb)(name, **named)
            getattr(self.twin, verb)(name, now_ms=now_ms, **named)
        elif verb in ("remove_user", "unlock"):
            named = {"by": "client services"} if verb == "unlock" else {}
            getattr(self.engine, verb)(name, **named)
            getattr(self.twin, verb)(name, now_ms, **named)
        elif verb == "add_device":
            if len(self.devices(who)) < DEVICES_MAX:
                self.add_device(name, now_ms, dict(words[0]))
        elif verb == "enrol_again":
            self.enrol_again(who, *words)
        elif words[0] < len(self.devices(who)):
            serial = self.devices(who)[words[0]].serial
            if verb == "set_device":
                self.engine.set_device(name, serial, state=words[1])
                self.twin.set_device(name, serial, words[1], now_ms)
            else:
                self.engine.remove_device(name, serial)
                self.twin.remove_device(name, serial, now_ms)

    def add_device(self, name: str, now_ms: int, words: dict[str, Any]) -> None:
        self.serials += 1
        serial = f"{'qzajm'[self.serials % 5]}{self.number}x{self.serials}"
        kind, key = words.pop("kind"), self.keys[words.pop("key")]
        self.twin.add_device(name, Device(kind, key, serial, **words), now_ms)
        if kind == "totp":
            words["window"] = (words.pop("back"), words.pop("forward"))
        else:
            words["counter"] = words.pop("moving")
        device = getattr(watchword.Device, kind)(key, **words)
        assert self.engine.add_device(name, device, serial=serial) == serial

    def enrol_again(self, who: str, index: int, whole_user: bool, words: dict[str, Any]) -> None:
        """The same key in another device, after the old one or the whole user has gone."""
        if index >= len(self.devices(who)):
            return
        gone = self.devices(who)[index]
        if whole_user:
            self.act("remove_user", who)
            self.act("add_user", who, "open", "live")
        else:
            self.act("remove_device", who, index)
        words = {**words, "key": self.keys.index(gone.key)}
        self.act("add_device", who, words)

    def step(self, step: Step) -> str:
        """Takes one step; says what differs, or nothing."""
        wait_ms, verb, *words = step
        self.now_ms = max(0, self.now_ms + wait_ms)
        self.rows_seen, self.turns_seen = len(self.engine.tap), len(self.twin.journal)
        if verb in ("verify", "verify_many", "resync"):
            mine, twins = getattr(self, verb)(*words)
            if mine != twins:
                return f"said {mine}, twin {twins}"
        else:
            self.act(verb, *words)
        return self.records_differ() or self.states_differ()

    # -- comparison

    def states_differ(self) -> str:
        for who in ("alice", "bob"):
            mine, twins = self.view(self.name(who)), self.twins_view(self.name(who))
            if mine != twins:
                return f"{who} is {mine}, twin {twins}"
        return ""

    def view(self, name: str) -> Any:
        try:
            user = self.engine.user(name)
        except watchword.NotFound:
            return None
        devices = [
            (d.serial, d.kind, d.state, d.moving, d.drift, d.failures) for d in user.devices
        ]
        return user.state, user.realm, user.failures, user.locked_until_ms or 0, devices

    def twins_view(self, name: str) -> Any:
        user = self.twin.users.get(name)
        if user is None:
            return None
        streak = user.streak
        devices = [
            (d.serial, d.kind, d.state, d.moving, d.drift, d.failures) for d in user.devices
        ]
        return user.account, user.realm, streak.count, streak.lock_until_ms, devices

    def records_differ(self) -> str:
        mine = [r for row in self.engine.tap[self.rows_seen :] for r in records_of(row)]
        twins = [r for _, records in self.twin.journal[self.turns_seen :] for r in records]
        for engines, own in zip_longest(mine, twins):
            if engines is None or own is None or not self.same_record(engines, own):
                return f"record {engines}, twin {own}"
        return ""

    def same_record(self, engines: tuple[Any, ...], own: reference.Record) -> bool:
        event, verdict, reason, tail, effects, _, place, drift = engines[:8]
        user, moving, device, lock_ms = engines[8:]
        fields = (event, verdict, reason, effects, place, drift, moving)
        own_place = own.place | (UNKNOWN if isinstance(own.user, str) else 0)
        if fields != (
            own.event, own.verdict, own.reason, own.effects, own_place, own.drift, own.moving,
        ):  # fmt: skip
            return False
        if own.event in ATTEMPTS:
            if lock_ms != own.lock_ms or bool(tail) != (own.tail is not None):
                return False
            if own.tail and address_bytes(str(own.tail)) != tail[:16]:
                return False
        if verdict == watchword.Code.BAD_CHARACTER:
            return True     # a name too long to copy has no hash of its own
        return self.same_id("user", own.user, user) and self.same_id("device", own.device, device)

    def same_id(self, what: str, own: Any, engines: int) -> bool:
        """The engine's numbers and the twin's stand for each other, one to one."""
        if what == "device" and 0 in (own, engines):
            return bool(own == engines)
        known = self.ids.setdefault((what, "twin", own), engines)
        return bool(known == engines and self.ids.setdefault((what, "engine", engines), own) == own)


def encoded(texts: list[str]) -> Any:
    """A column of bytes, as numpy has them."""
    return np.array([text.encode() for text in texts], dtype="S")


def address_bytes(address: str) -> bytes:
    """An address as a record holds it: 16 bytes, IPv4 mapped into IPv6."""
    ip = ipaddress.ip_address(address)
    return bytes(10) + b"\xff\xff" + ip.packed if ip.version == 4 else ip.packed


def answer_of(verdict: Any) -> tuple[Any, ...]:
    """What was said. RULES 7 gives LOCKED the time left and no word on what was typed."""
    device, offset = verdict.device, verdict.offset
    if verdict.code == watchword.Code.LOCKED:
        device, offset = None, 0
    return int(verdict.code), int(verdict.reason), device, offset, verdict.retry_after_ms


def shortened(figures: Figures, number: int, told: History) -> str:
    """A disagreement with everything taken out that it does not need, on an engine of its own."""
    begin_ms, steps = told
    said, further, tries = "not on an engine of its own", True, 0
    while further and tries < SHORTENING_TRIES_MAX:
        further = False
        for fewer in shorter(steps):
            tries += 1
            both = Both(figures)
            with both.engine:
                still = both.disagreement(number, (begin_ms, fewer))
            if still:
                steps, said, further = fewer, still, True
                break
    return "\n".join([f"begin {begin_ms}", *map(str, steps), said])


def slots(core: Any) -> list[Any]:
    return [core.user(slot) for slot in range(core.slots_used())]


def recovered(rows: list[bytes]) -> list[Any]:
    """What the journal alone makes of an empty engine: recovery is apply, under any policy."""
    core, never = _engine.Core(bytes(16)), array("q")
    core.set_policy(
        lockout_failures=100, lockout_window_ms=1, lockout_extend=False, failures_cap=0,
        source_failures=0, names_any=False,
    )  # fmt: skip
    for row in rows:
        assert core.replay(row, never, never) is not None
    return slots(core)


@pytest.mark.parametrize("chunk", range(-(-HISTORIES // CHUNK_HISTORIES)))
def test_histories(chunk: int) -> None:
    figures = figures_of(chunk)
    both = Both(figures)
    with both.engine:
        for number in range(min(CHUNK_HISTORIES, HISTORIES - chunk * CHUNK_HISTORIES)):
            seed = chunk * CHUNK_HISTORIES + number
            told = history(seed, figures)
            said = both.disagreement(number, told)
            if said:
                short = shortened(figures, number, told)
                pytest.fail(f"seed {seed}, {figures}\n{said}\nshortened:\n{short}")
        assert recovered(both.engine.tap) == slots(both.engine._core)


# What no history brings about: only a daemon and the engine's own clock shed load, and what
# expires does not exist in this release.
UNREACHED = {reference.Reason.LOAD, reference.Verdict.EXPIRED, Event.NOTE}
ALSO_EFFECTS = {Effect.ADVANCE, Effect.FORGIVE, Effect.SUSPEND}


def test_histories_reach_everything() -> None:
    """Agreement on a road that nobody takes would prove nothing."""
    seen: set[str] = set()
    touched: dict[Event, Effect] = dict.fromkeys(ATTEMPTS, Effect(0))
    for seed in range(0, 6000, 40):
        figures = figures_of(seed)
        both = Both(figures)
        with both.engine:
            assert both.disagreement(seed, history(seed, figures)) == ""
        seen |= both.seen
        for _, records in both.twin.journal:
            for record in records:
                seen.add(repr(record.event))
                if record.event in touched:
                    touched[record.event] |= record.effects
    everything = [*reference.Verdict, *reference.Reason, *Event]
    missing = {repr(word) for word in everything} - seen
    assert missing == {repr(word) for word in UNREACHED}
    assert set(touched[Event.ATTEMPT]) == set(touched[Event.RESYNC]) == set(Effect)
    assert set(touched[Event.ALSO]) == ALSO_EFFECTS
