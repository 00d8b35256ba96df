"""The engine and its slow twin side by side, for tests/test_agreement.py: each step of a history
through both, and where they part.

Verdicts, the whole state of the users and the journal's records are compared after every step.
"""

import random
import struct
from itertools import zip_longest
from typing import Any

from both_devices import BothDevices
from both_entry import ENTERED, ENTERING, BothEntry
from both_files import FILED, BothFiles, policy_of, told_alike
from both_ids import BothIds, plain
from both_life import LIFE_ACTS, Living
from both_phones import SECRET, Phones
from histories import COINCIDENT_KEYS, History, Step
from knowing import Knowing
from said import address_bytes, answer_of, encoded, open_of, session_of

import watchword
from watchword import _engine, reference, reference_card, reference_ocra
from watchword.devices import passcode
from watchword.keys import derive
from watchword.reference import (
    ACCOUNTS,
    DEVICE_STATES,
    REALMS,
    Answer,
    Attempt,
    Device,
    Event,
    Figures,
    Keys,
    Reference,
)
from watchword.reference_life import stands

DEVICES_MAX = 16                        # of one user
HEADER, RECORD = struct.Struct("<IHHIIqq"), struct.Struct("<7BbQQII")     # ww_row, ww_record
UNKNOWN = 0x80                          # in place: user is the keyed hash of a name nobody has
ATTEMPTS = (Event.ATTEMPT, Event.ALSO, Event.RESYNC)
KEYS = Keys(derive(SECRET, "watchword names", 16), derive(SECRET, "watchword challenges", 48))
PASSCODES = passcode.ALPHABET
SAID = (
    "verify", "verify_many", "resync", "challenge", "push", "decide_push", "enrol_phone",
    "change_pin", "change_password", "question", "answer", "import_rows", "activate", "given",
    "again", *ENTERING,
)  # fmt: skip


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


class Both(BothIds, BothFiles, BothDevices, BothEntry, Phones, Knowing, Living):
    """An engine and its twin. Names and addresses carry the number of the history under way."""

    def __init__(self, figures: Figures) -> None:
        super().__init__()
        self.figures = figures
        self.now_ms = self.number = self.serials = self.rows_seen = self.turns_seen = 0
        self.randoms = 0
        self.engine = watchword.Engine.open(
            ":memory:", policy=policy_of(figures), clock=lambda: self.now_ms,
            entropy=lambda n: self.entropy(n) if n == 8 else self.random(n),
            deliver=lambda delivery: None,
        )  # fmt: skip
        self.engine.tap = []
        self.twin = Reference(figures, KEYS)
        self.asked: dict[str, list[str]] = {}   # the challenges of a user, the newest first
        self.pushed: dict[str, list[tuple[str, int]]] = {}     # its pushes likewise: id and number
        self.ids: dict[Any, Any] = {}   # the twin's user and device numbers -> the engine's
        self.seen: set[str] = set()     # verdicts and reasons

    def disagreement(self, number: int, told: History) -> str:
        """Runs one history through both; says where they part, or nothing."""
        self.number, (self.now_ms, steps) = number, told
        rng = random.Random(number)
        self.keys = [rng.randbytes(rng.choice([10, 20, 64, 65, 128])) for _ in range(3)]
        self.keys.append(rng.choice(COINCIDENT_KEYS))
        self.act("set_policy", "", vars(self.figures))
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
        return getattr(self.twin.users.get(self.name(who)), "devices", [])

    def serial(self, who: str, word: Any) -> str | None:
        devices = self.devices(who)
        word = self.place(who, word)
        if isinstance(word, int):
            return devices[word].serial if word < len(devices) else "none-such"
        return word

    def typed(self, who: str, word: Any, options: dict[str, Any], further: int = 0) -> str:
        if isinstance(word, str):
            return word
        index, near = word
        devices = self.devices(who)
        if index == "pinned":
            index = next((i for i, d in enumerate(devices) if d.pin or d.pin_hash), len(devices))
        index = self.place(who, index)
        sealed = reference_ocra.unseal(KEYS.token, self.id_of(who, options["challenge"]) or "")
        if sealed:  # more often than by chance the answer comes from the device that was asked
            index = next((i for i, d in enumerate(devices) if d.number == sealed.device), index)
        if index >= len(devices):
            return "314159"
        before = devices[index].pin if options["pin"] is None else ""
        before = [before, "", "0815"][options["before"]] if before else ""
        if devices[index].kind == "ocra":
            asked = sealed and sealed.device == devices[index].number
            posed = sealed.posed if sealed and asked else ""
            return before + self.answered(devices[index], near, options, posed)
        if devices[index].label == "temporary-passcode":
            text = devices[index].key.decode()
            return text if near >= 0 else text.lower() if near == -1 else text[:near]
        if devices[index].kind == "card":
            return self.cells_of(devices[index], near)
        position = devices[index].expected(self.now_ms) + near + further
        return before + devices[index].code(position) if 0 <= position < 2**64 else "271828"

    def answered(
        self, device: Device, near: int, options: dict[str, Any], posed: str = ""
    ) -> str:
        """A response: near in counter or steps, or else to a question near the one that stands; to
        what was posed, if anything was."""
        suite = device.asked
        standing = device.standing.get(reference.PLATFORMS.index(options["platform"]))
        n = standing.n if standing else max(0, device.issued - 1)
        if not suite.counter and not suite.period:
            n = max(0, n + near)
        counter = (device.moving + near if suite.counter else 0) % 2**64
        step = max(0, self.now_ms // 1000 // suite.period + near) if suite.period else 0
        question = reference_ocra.question(KEYS.question, suite, device.number, n)
        if posed:
            question = posed
        return device.response(question, counter, session_of(suite, options["session"]), step)

    def cells_of(self, device: Device, near: int) -> str:
        """The answer of a card to the pair that stands, or to one near it."""
        n = min(max(0, device.moving + near), reference_card.answers_max(device.once) - 1)
        who = reference_card.who_of(device.key)
        asked = reference_card.pair(KEYS.question, who, device.once, n)
        return reference_card.answer(device.key, asked)

    def attempt(self, who: str, word: Any, options: dict[str, Any]) -> Attempt:
        address = options["address"]
        if address is not None:
            net = f"2001:db8:{self.number:x}" if ":" in address else f"10.{self.number >> 8}."
            address = net + (address if ":" in address else f"{self.number & 255}.{address}")
        return Attempt(
            self.name(who), self.typed(who, word, options), options["platform"], options["realm"],
            self.serial(who, options["device"]), address, session=options["session"] or b"",
            challenge=self.push_id(who, options["push"]) or self.id_of(who, options["challenge"]),
            pin=options["pin"], password=self.password(self.name(who), options["first"]),
            vouched=options["first"] == "vouched",
        )  # fmt: skip

    def id_of(self, who: str, word: Any) -> str | None:
        """A challenge's id: so many asks back, of somebody else, or a text that is none."""
        if word == "another's":
            others = [ids for name, ids in self.asked.items() if ids and name != self.name(who)]
            return others[0][0] if others else "0" * 96
        if not isinstance(word, int):
            return word
        asked = self.asked.get(self.name(who), [])
        return asked[word] if word < len(asked) else None

    # -- steps: each returns what the engine said and what the twin said

    def verify(self, who: str, word: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        a = self.attempt(who, word, options)
        verdict = self.engine.verify(
            a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
            address=a.address, challenge=a.challenge, session=a.session or None, pin=a.pin,
            password=a.password, first_factor=a.vouched,
        )  # fmt: skip
        return answer_of(verdict), tuple(self.ask(a))

    def challenge(self, who: str, options: dict[str, Any]) -> tuple[Any, Any]:
        named = {**options, "device": self.serial(who, options["device"])}
        verb = self.engine.send_code if named.pop("sms", False) else self.engine.challenge
        sms, name, found = verb == self.engine.send_code, self.name(who), None
        named = {k: v for k, v in named.items() if not (sms and k.endswith("question"))}
        try:
            found = verb(name, **named)
        except watchword.Busy:
            self.seen.add("too many codes" if sms else "too many answers")
        twins = self.twin.challenge(name, self.now_ms, **named, sends=True, sms=sms)
        if found is None or twins is None:
            return found, twins
        self.asked.setdefault(self.name(who), []).insert(0, twins.id)
        self.seen |= {"posed"} if len(found.id) > 96 else set()
        self.seen |= {"answered"} if found.answer else set()
        return (found.id, found.kind, found.prompt, found.expires_ms, found.answer), tuple(twins)

    def ask(self, attempt: Attempt) -> Answer:
        answer = self.twin.attempt(attempt, self.now_ms)
        self.seen |= {repr(answer.verdict), repr(answer.reason)}
        return answer

    def verify_many(self, words: list[Any]) -> tuple[Any, Any]:
        platform = words[0][2]["platform"]
        shared = {"platform": platform, "realm": "live", "session": None, "pin": None}
        shared |= {"first": None}
        attempts = [self.attempt(who, word, {**own, **shared}) for who, word, own in words]
        users: Any = [a.name for a in attempts]
        responses: Any = [a.response for a in attempts]
        columns: dict[str, Any] = {
            "devices": [a.device for a in attempts], "addresses": [a.address for a in attempts],
            "challenges": [a.challenge for a in attempts],
        }  # fmt: skip
        if all(entry is None for column in columns.values() for entry in column):
            users, responses, columns = encoded(users), encoded(responses), {}
        codes = self.engine.verify_many(users, responses, platform=platform, **columns)
        said = [int(self.ask(a).verdict) for a in attempts]
        return [int(code) for code in codes], said

    def resync(
        self, who: str, word: Any, second: Any, options: dict[str, Any]
    ) -> tuple[Any, Any]:
        serial = self.serial(who, options["device"] or 0)
        options = {**options, "pin": None}
        first = self.typed(who, word, options)
        second = second if isinstance(second, str) else self.typed(who, word, options, second)
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
        if verb == "set_policy":
            self.set_policy(*words)
            return
        if verb == "raise_floors":
            self.engine.raise_floors(by="desk 4")
            self.twin.raise_floors("desk 4", max(now_ms, self.twin.latest_ms))
            return
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
        elif verb in ("set_password", "set_questions"):
            getattr(self, verb)(name, *words)
        elif verb == "add_device":
            if len(self.devices(who)) < DEVICES_MAX:
                self.add_device(name, now_ms, dict(words[0]))
        elif verb == "enrol_again":
            self.enrol_again(who, *words)
        elif verb in LIFE_ACTS:
            getattr(self, verb)(who, *words)
        elif words[0] < len(self.devices(who)):
            serial = self.devices(who)[words[0]].serial
            self.engine.remove_device(name, serial)
            self.twin.remove_device(name, serial, now_ms)

    def step(self, step: Step) -> str:
        """Takes one step; says what differs, or nothing."""
        wait_ms, verb, *words = step
        self.now_ms = max(0, self.now_ms + wait_ms)
        self.rows_seen, self.turns_seen = len(self.engine.tap), len(self.twin.journal)
        if verb in SAID:
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
        """Through the core, which alone says which challenges stand."""
        slot = self.engine._core.find(name.encode())
        found = None if slot is None else self.engine._core.user(slot)
        if found is None:
            return None
        _, _, account, realm, failures, lock_until, _, devices = found
        known = self.known(slot)
        return ACCOUNTS[account], REALMS[realm], failures, lock_until, [
            (d[1], DEVICE_STATES[d[3]], *d[13:-1], d[-1] if any(d[-1] or ()) else None)
            for d in devices
        ], known

    def twins_view(self, name: str) -> Any:
        user = self.twin.users.get(name)
        if user is None:
            return None
        streak = user.streak
        devices = [
            (d.serial, stands(user, d, self.twin.latest_ms), d.moving, d.drift, d.failures,
             _engine.LABELS.index(d.label), d.suite, d.issued,
             tuple(open_of(d.standing.get(place)) for place in (0, 1)), self.twin.answers_left(d),
             d.full_until_ms, d.until_ms, d.phone, d.resync, self.dates_of(d))
            for d in user.devices
        ]  # fmt: skip
        state = user.account, user.realm, streak.count, streak.lock_until_ms
        return *state, devices, self.twins_known(user)

    def records_differ(self) -> str:
        mine = [plain(r) for row in self.engine.tap[self.rows_seen :] for r in records_of(row)]
        twins = [r for _, records in self.twin.journal[self.turns_seen :] for r in records]
        if mine and mine[0][0] == Event.RESTORE:
            mine[1:] = sorted(mine[1:], key=lambda r: r[10])  # they come by slots; ours by numbers
            twins[1:] = sorted(twins[1:], key=lambda r: r.device)
        for engines, own in zip_longest(mine, twins):
            if engines is None or own is None or not self.same_record(engines, own):
                return f"record {engines}, twin {own}"
        return ""

    def same_record(self, engines: tuple[Any, ...], own: reference.Record) -> bool:
        event, verdict, reason, tail, effects, _, place, drift = engines[:8]
        user, moving, device, lock_ms = engines[8:]
        if own.event in ENTERED:
            return self.entered_alike(engines, own)
        fields = (event, verdict, reason, effects, place, drift, moving)
        own_place = own.place | (UNKNOWN if isinstance(own.user, str) else 0)
        if fields != (
            own.event, own.verdict, own.reason, own.effects, own_place, own.drift, own.moving,
        ):  # fmt: skip
            return False
        if own.event is Event.CHALLENGE:
            assert isinstance(own.tail, reference.Standing)
            said = own.tail.purpose, own.tail.epoch, own.sent_s, own.answered
            if tail != struct.pack("<QII?15x", *said):
                return False
        if own.event is Event.RESTORE:
            return tail[:lock_ms] == b"desk 4: every floor raised"
        if own.event is Event.FLOOR and lock_ms != own.lock_ms:
            return False
        if own.event in FILED:
            return told_alike(own, tail[:lock_ms])
        if own.event in (*ATTEMPTS, Event.ANSWER):
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
        back = self.ids.setdefault((what, "engine", engines), own)
        return bool(known == engines and back == own)
