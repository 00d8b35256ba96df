"""The engine against its slow twin: the same random histories through both, step by step.

After every step the verdicts, the whole state of the users and the journal's records must be the
same. A history is made from its seed alone; when one disagrees, steps are taken out of it while it
still disagrees, and what is left is the failure's message. WATCHWORD_HISTORIES says how many run
(2,000 by default, which is what a merge needs; a long run takes as many as there is time for).
"""

import ipaddress
import os
import random
import struct
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import pytest

import watchword
from watchword import reference
from watchword.reference import Attempt, Device, Event, Figures, Reference

HISTORIES = int(os.environ.get("WATCHWORD_HISTORIES", "2000"))
CHUNK_HISTORIES = 50            # on one engine, under names of their own: opening one costs more
STEPS_MAX = 40
DAY_MS = 86_400_000

Step = tuple[Any, ...]          # milliseconds since the step before, verb, arguments


# ---- histories: made from a seed; which code is typed, only the state at its step can say -------


def pick(rng: random.Random) -> Any:
    """What is typed: a position of a device relative to the expected one, or plain text."""
    if rng.random() < 0.75:
        near = rng.choice([0] * 4 + [1, 1, -1, -1, 2, -2, 3, 5, 10, 11, -10, 19, 20, 21, 100, 101])
        return (rng.randrange(3), near)
    return rng.choice(["", "", "000000", "wrong", "12345", "1234567", "x" * 129, "\u0661" * 6])


def attempt_step(rng: random.Random) -> Step:
    who = rng.choice(["alice"] * 6 + ["bob"] * 3 + ["nobody", "Alice", "al_ice", "", "a" * 65])
    options = {
        "platform": rng.choice(["trading"] * 3 + ["portal"]),
        "realm": rng.choice(["live"] * 5 + ["paper"]),
        "device": rng.choice([None] * 5 + [0, 0, 1, 2, "unheard-of"]),
        "address": rng.choice([None] * 3 + ["1", "2", "::1", "::2", ":1::1"]),
    }
    return (who, pick(rng), options)


def act_step(rng: random.Random) -> Step:
    who = rng.choice(["alice", "alice", "bob"])
    verb = rng.choice(
        ["unlock"] * 4 + ["set_user"] * 3 + ["set_device"] * 3 + ["add_device"] * 2
        + ["remove_device", "remove_user", "add_user"]
    )  # fmt: skip
    if verb in ("set_user", "add_user"):
        states = ["open", "open", "pending", "closed"]
        return (verb, who, rng.choice(states), rng.choice(["live", "live", "paper"]))
    if verb == "set_device":
        return (verb, who, rng.randrange(3), rng.choice(["active", "active", "lost", "suspended"]))
    if verb == "remove_device":
        return (verb, who, rng.randrange(3))
    if verb == "add_device":
        return (verb, who, device_words(rng))
    return (verb, who)


def device_words(rng: random.Random) -> dict[str, Any]:
    """A device; the three keys are few so that several devices share one and match together."""
    words: dict[str, Any] = {
        "kind": rng.choice(["totp", "hotp"]),
        "key": rng.randrange(3),
        "algorithm": rng.choice(["sha1", "sha1", "sha256", "sha512"]),
        "digits": rng.choice([6, 6, 6, 7, 8]),
    }
    if words["kind"] == "hotp":
        words["moving"] = rng.choice([0, 0, 1, 5, 2**32 - 2, 2**64 - 4, 2**64 - 2])
        words["look_ahead"] = rng.choice([0, 1, 3, 10, 100])
    else:
        words["period"] = rng.choice([1, 30, 30, 30, 60, 3600])
        words["t0"] = rng.choice([0, 0, 0, 7, 1000, 2**40])
        windows = [(1, 1), (1, 1), (0, 0), (2, 0), (0, 3), (10, 10)]
        words["back"], words["forward"] = rng.choice(windows)
        words["drift_max"] = rng.choice([0, 0, 1, 3, 10])
    return words


def history(seed: int, window_ms: int) -> tuple[int, list[Step]]:
    """The time it begins at, and its steps."""
    rng = random.Random(seed)
    waits = [0] * 6 + [1, 500, 1000, 15_000, 29_999, 30_000, 60_000, 3_600_000]
    waits += [-1, -30_000, -DAY_MS, window_ms - 1, window_ms, window_ms + 1, window_ms // 3]
    steps: list[Step] = [(0, "add_user", "alice", "open", "live")]
    steps += [(0, "add_device", "alice", device_words(rng)) for _ in range(rng.randint(0, 3))]
    steps += [(0, "add_user", "bob", "open", "live"), (0, "add_device", "bob", device_words(rng))]
    for _ in range(rng.randint(5, STEPS_MAX)):
        wait, dice = rng.choice(waits), rng.random()
        if dice < 0.55:
            steps.append((wait, "verify", *attempt_step(rng)))
        elif dice < 0.75:
            many = [attempt_step(rng) for _ in range(rng.randint(1, 12))]
            steps.append((wait, "verify_many", many))
        elif dice < 0.85:
            who, first, options = attempt_step(rng)
            second = rng.choice([1, 1, 1, 0, 2, "", "000000"])
            steps.append((wait, "resync", who, first, second, options))
        else:
            steps.append((wait, *act_step(rng)))
    return rng.choice([0, 59_000, 1_000_000, 1_700_000_000_000]), steps


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
    """An engine and the twin of one history. Names and addresses carry the history's number."""

    def __init__(self, engine: Any, clock: "Clock", figures: Figures, number: int) -> None:
        self.engine, self.clock, self.number = engine, clock, number
        self.twin = Reference(figures)
        self.serials = 0
        rng = random.Random(number)
        self.keys = [rng.randbytes(rng.choice([10, 20, 64, 65, 128])) for _ in range(3)]
        self.ids: dict[Any, Any] = {}   # the twin's user and device numbers -> the engine's
        self.engine.tap = []

    # -- words of a history -> what is really said

    def name(self, word: str) -> str:
        return f"{word}n{self.number}" if word.isalpha() and len(word) < 60 else word

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
        position = devices[index].expected(self.clock.now_ms) + near + further
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
        return answer_of(verdict), tuple(self.twin.attempt(a, self.clock.now_ms))

    def verify_many(self, words: list[Any]) -> tuple[Any, Any]:
        platform = words[0][2]["platform"]
        shared = {"platform": platform, "realm": "live"}
        attempts = [self.attempt(who, word, {**own, **shared}) for who, word, own in words]
        codes = self.engine.verify_many(
            [a.name for a in attempts], [a.response for a in attempts], platform=platform,
            devices=[a.device for a in attempts], addresses=[a.address for a in attempts],
        )  # fmt: skip
        said = [int(self.twin.attempt(a, self.clock.now_ms).verdict) for a in attempts]
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
        return answer_of(verdict), tuple(self.twin.attempt(attempt, self.clock.now_ms))

    def act(self, verb: str, who: str, *words: Any) -> None:
        """An administrative act, where it is legal."""
        name, now_ms = self.name(who), self.clock.now_ms
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
            self.add_device(name, now_ms, dict(words[0]))
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

    def step(self, step: Step) -> str:
        """Takes one step; says what differs, or nothing."""
        wait_ms, verb, *words = step
        self.clock.now_ms = max(0, self.clock.now_ms + wait_ms)
        self.engine.tap.clear()
        self.twin.journal.clear()
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
        mine = [record for row in self.engine.tap for record in records_of(row)]
        twins = [record for _, records in self.twin.journal for record in records]
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
            if own.tail and source_bytes(str(own.tail)) != tail[:16]:
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


def source_bytes(address: str) -> bytes:
    """An address as a record holds it: IPv4 mapped into IPv6, IPv6 to its /64."""
    ip = ipaddress.ip_address(address)
    if ip.version == 4:
        return bytes(10) + b"\xff\xff" + ip.packed
    return ip.packed[:8] + bytes(8)


def answer_of(verdict: Any) -> tuple[Any, ...]:
    """What was said. RULES 7 gives LOCKED the time left and no word on what was typed."""
    device, offset = verdict.device, verdict.offset
    if verdict.code == watchword.Code.LOCKED:
        device, offset = None, 0
    return int(verdict.code), int(verdict.reason), device, offset, verdict.retry_after_ms


class Clock:
    """The time both are told."""

    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def opened(figures: Figures) -> tuple[Any, Clock]:
    clock = Clock()
    policy = watchword.Policy(
        lockout_failures=figures.lockout_failures,
        lockout_window_ms=figures.lockout_window_ms,
        lockout_extend=figures.lockout_extend,
        failures_cap=figures.failures_cap,
        source_failures=figures.source_failures,
    )
    return watchword.Engine.open(":memory:", policy=policy, clock=clock), clock


def disagreement(engine: Any, clock: Clock, figures: Figures, number: int, told: Any) -> str:
    """Runs one history through both; says where they part, or nothing."""
    clock.now_ms, steps = told
    both = Both(engine, clock, figures, number)
    for at, step in enumerate(steps):
        difference = both.step(step)
        if difference:
            return f"step {at} {step}: {difference}"
    return ""


def shorter(steps: list[Step]) -> Iterator[list[Step]]:
    """The same steps without one of them, or without one attempt of one batch, the last first.

    The wait of a step taken out goes to the one after it, so that times stay as they were.
    """
    for at in reversed(range(len(steps))):
        fewer = steps[:at] + steps[at + 1 :]
        if at < len(fewer):
            fewer[at] = (fewer[at][0] + steps[at][0], *fewer[at][1:])
        yield fewer
        if steps[at][1] == "verify_many":
            wait_ms, verb, attempts = steps[at]
            for one in range(len(attempts)):
                rest = attempts[:one] + attempts[one + 1 :]
                if rest:
                    yield [*steps[:at], (wait_ms, verb, rest), *steps[at + 1 :]]


def shortened(figures: Figures, number: int, told: Any) -> str:
    """A disagreement with everything taken out that it does not need, on an engine of its own."""
    begin_ms, steps = told
    said = "not on an engine of its own"
    further = True
    while further:
        further = False
        for fewer in shorter(steps):
            engine, clock = opened(figures)
            with engine:
                still = disagreement(engine, clock, figures, number, (begin_ms, fewer))
            if still:
                steps, said, further = fewer, still, True
                break
    return "\n".join([f"begin {begin_ms}", *map(str, steps), said])


def figures_of(chunk: int) -> Figures:
    rng = random.Random(chunk)
    return Figures(
        lockout_failures=rng.choice([1, 2, 3, 5, 10, 12, 13, 20, 100]),
        lockout_window_ms=rng.choice([60_000, DAY_MS, 1, 3_600_000, 2**32 - 1]),
        lockout_extend=rng.random() < 0.7,
        failures_cap=rng.choice([None, 1, 3, 5, 100]),
        source_failures=rng.choice([None, 2, 5, 1000]),
    )


@pytest.mark.parametrize("chunk", range(-(-HISTORIES // CHUNK_HISTORIES)))
def test_histories(chunk: int) -> None:
    figures = figures_of(chunk)
    first = chunk * CHUNK_HISTORIES
    engine, clock = opened(figures)
    with engine:
        for number in range(min(CHUNK_HISTORIES, HISTORIES - first)):
            seed = first + number
            told = history(seed, figures.lockout_window_ms)
            said = disagreement(engine, clock, figures, number, told)
            if said:
                short = shortened(figures, number, told)
                pytest.fail(f"seed {seed}, {figures}\n{said}\nas short as it gets:\n{short}")
