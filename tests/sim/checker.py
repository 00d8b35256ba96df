"""Holds every answer of an engine against the slow twin, and every promise against every answer.

The twin takes an attempt at the moment the engine's turn does, so both stand at the same state at
all times; what of it must outlive a crash is what was answered. `acked` is the last turn that an
answer could have shown: recovery must know it. Beyond it recovery may know more, a turn whole or
not at all, and the twin is set back to the very turn that the recovered store names.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.sim.guard import Guard
from tests.sim.rows import (
    address_bytes,
    events_of,
    first_of,
    kept_cents,
    keys_of,
    known_of,
    mains_of,
)
from watchword.reference import (
    ACCOUNTS,
    DEVICE_STATES,
    REALMS,
    Answer,
    Attempt,
    Event,
    Figures,
    Reason,
    Reference,
    Verdict,
)
from watchword.reference_ids import Ids
from watchword.reference_life import stands

__all__ = ["Asked", "BrokenError", "Checker", "answer_of"]

BUSY = Answer(Verdict.BUSY, Reason.LOAD)
NONE_ANY_MORE = ""  # which no password may be


class BrokenError(AssertionError):
    """A promise was broken, or the engine and its twin disagree."""


@dataclass(eq=False)
class Asked:
    """One attempt on its way: what must be answered, once its turn has been."""

    attempt: Attempt
    answer: Answer | None = None
    turn: int = 0
    play: Callable[[int, bool], Answer] | None = None  # where it is more than an attempt
    used: list[tuple[Any, ...]] = field(default_factory=list)
    again: bool = False  # it was told what was told before
    misused: bool = False  # its request id was another's
    held: int | None = None  # the number of the password that its own was held against; 0: of none


@dataclass(eq=False)
class Silent:
    """A turn's attempts that left no record: how many, at most until the others are known; and what
    those were told who they may be."""

    count: int
    turn: int
    answers: dict[Asked, Answer] = field(default_factory=dict)


def answer_of(verdict: Any) -> tuple[Any, ...]:
    """What an engine said, as the twin says it: LOCKED has no word on what was typed."""
    device, offset = verdict.device, verdict.offset
    if int(verdict.code) == Verdict.LOCKED:
        device, offset = None, 0
    said = int(verdict.code), int(verdict.reason), device, offset, verdict.retry_after_ms
    return (*said, verdict.scope)


class Checker:
    """The twin of one store through all its lives."""

    def __init__(self, figures: Figures, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.figures = figures
        self.twin = Reference(figures)
        self.ids = Ids()
        self.marks = [0]  # turn -> how much of the twin's journal it closed
        self.times_ms = [0]
        self.acked = 0
        self.used: set[tuple[Any, ...]] = set()
        self.guard: Guard | None = None
        self.asking: list[Asked] | None = None  # of the embedded call under way
        self.acting: Callable[[int], object] | None = None
        self.pending: dict[bytes, deque[Asked]] = {}  # of gateways and awaits, by their address
        self.silent: list[Silent] = []
        self.shed_owed = 0
        self.answers = self.accepted = self.turns = self.lives = 0
        self.broken = ""

    def fail(self, said: str) -> None:
        self.broken = self.broken or said
        raise BrokenError(said)

    # ---- as the engine goes on

    def taken(self, engine: Any, now_ms: int, row: bytes | None, count: int) -> None:
        """The engine has taken a turn of `count` attempts at `now_ms`; `row`: what it recorded."""
        assert self.guard is not None
        busy, done = self.guard.busy, list(self.asking or ())
        if self.asking is not None:
            self.asking = None
            for asked in done:
                self._decide(asked, now_ms, busy)
        else:
            silent = Silent(0 if busy else count - len(mains_of(row) if row else []), engine._turn)
            done = self._gathered(row, now_ms, busy, silent)
            self.shed_owed += (count - len(done)) * busy
            silent.count = 0 if busy else count - len(done)
            if silent.count > 0:
                self._unrecorded(silent, now_ms, events_of(row) if row else [])
                count = len(done)
        if len(done) != count and not (busy and len(done) < count):
            self.fail(f"a turn of {count} attempts, {len(done)} of them asked")
        told = [r.event for _, turn in self.twin.journal[self.marks[-1] :] for r in turn]
        if (events_of(row) if row else []) != told:
            self.fail(f"a row of {events_of(row) if row else []}, the twin's has {told}")
        self._mark(engine, now_ms)
        for asked in done:
            asked.turn = engine._turn
        self.compare(engine, {asked.attempt.name for asked in done})

    def _gathered(
        self, row: bytes | None, now_ms: int, busy: bool, silent: Silent
    ) -> list[Asked]:
        """The attempts of a gathered turn, in the order in which the row has them: every command
        of a gateway has an address of its own. What is BUSY has no record."""
        done: list[Asked] = []
        behind = b""  # whose command it was: what is left of it was BUSY, before the next began
        self._may_be_silent(silent, now_ms)
        for address in mains_of(row) if row else []:
            done += self._rest_of(behind, now_ms, busy) if behind != address else []
            behind, waiting = address, self.pending.get(address)
            if not waiting:
                self.fail("a row holds an attempt that nobody made")
            while waiting:
                asked = waiting.popleft()
                done.append(asked)
                if self._decide(asked, now_ms, busy).verdict is not Verdict.BUSY:
                    break
            self._may_be_silent(silent, now_ms)
        return done + self._rest_of(behind, now_ms, busy)

    def _rest_of(self, address: bytes, now_ms: int, busy: bool) -> list[Asked]:
        rest = list(self.pending.pop(address, ()))
        for asked in rest:
            if self._decide(asked, now_ms, busy).verdict is not Verdict.BUSY:
                self.fail(f"no record of {asked.attempt}")
        return rest

    def _may_be_silent(self, silent: Silent, now_ms: int) -> None:
        """Claims of what is pending leave no record, wherever in a turn they came. Which of those
        on their way they were is known when they are answered."""
        if silent.count <= 0:
            return
        for asked in (asked for waiting in self.pending.values() for asked in waiting):
            if asked.attempt.challenge is not None and asked not in silent.answers:
                answer, records = self.twin.decide(self.as_held(asked), now_ms)
                if not records:
                    silent.answers[asked] = answer

    def _unrecorded(self, silent: Silent, now_ms: int, events: list[int]) -> None:
        """Nothing is changed by them, but for what came due."""
        if len(silent.answers) < silent.count:
            self.fail(f"{silent.count} attempts left no record, {len(silent.answers)} may have")
        for asked in silent.answers:
            told = [r.event for _, turn in self.twin.journal[self.marks[-1] :] for r in turn]
            if told.count(Event.DUE) < events.count(Event.DUE):
                self.twin._turn([], now_ms, self.twin._come_due(asked.attempt, now_ms))
        self.silent.append(silent)

    def password_of(self, name: str) -> int:
        """The number of a user's password; without one 0."""
        user = self.twin.users.get(name)
        return next((d.number for d in user.known if d.kind == "password"), 0) if user else 0

    def hold(self, asked: Asked) -> None:
        """From here on its password is hashed: whatever stands later, it was held against this."""
        asked.held = self.password_of(asked.attempt.name)

    def as_held(self, asked: Asked) -> Attempt:
        """What an attempt says, once it is hashed: of a password that stands no longer nothing is
        right, though the same text may be right again."""
        a = asked.attempt
        if a.password is None or asked.held in (None, self.password_of(a.name)):
            return a
        return replace(a, password=NONE_ANY_MORE)

    def _decide(self, asked: Asked, now_ms: int, busy: bool) -> Answer:
        a = asked.attempt
        user = self.twin.users.get(a.name)
        expected = {d.serial: (d, first_of(d, a, now_ms)) for d in user.devices} if user else {}
        if asked.play is not None:
            asked.answer = answer = asked.play(now_ms, busy)
        else:
            said = replace(self.as_held(asked), shed=busy or a.shed)
            asked.answer = answer = self.twin.attempt(said, now_ms)
        if answer.verdict is Verdict.ACCEPTED and answer.device in expected and not asked.again:
            device, at = expected[answer.device]
            what = (a.name, device.key, device.algorithm, device.kind, device.period, device.t0)
            if a.challenge is not None and len(a.challenge) == 32:
                asked.used = [("push", a.challenge)]
                return answer
            if device.kind == "ocra":  # a challenge, whatever its counter or step
                asked.used = [(a.name, device.number, a.platform, at)]
                return answer
            if device.label == "temporary-passcode":  # static, and may be used again
                return answer
            if device.kind in ("card", "passcode"):  # one answer, or one code, whatever its id
                asked.used = [(*what, device.label, device.once, at)]
                return answer
            last = at + answer.offset + (a.second is not None)
            asked.used = [(*what, position) for position in range(at + answer.offset, last + 1)]
        return answer

    def acted(self, engine: Any, now_ms: int) -> None:
        """The engine has recorded an act; a note of the store's own has no twin."""
        act, self.acting = self.acting, None
        if act is None:
            self.marks.append(self.marks[-1])
            self.times_ms.append(now_ms)
            self.twin.latest_ms = max(self.twin.latest_ms, now_ms)  # a note has a time as well
            self.turns += 1
        else:
            act(now_ms)
        self._mark(engine, now_ms)

    def _mark(self, engine: Any, now_ms: int) -> None:
        """A turn is a turn of both, or of none: what changes nothing leaves no record."""
        if len(self.twin.journal) > self.marks[-1]:
            self.marks.append(len(self.twin.journal))
            self.times_ms.append(now_ms)
            self.turns += 1
        if engine._turn != len(self.marks) - 1:
            self.fail(f"the engine is at turn {engine._turn}, its twin at {len(self.marks) - 1}")

    # ---- answers

    def waits(self, asked: Asked) -> None:
        """An attempt on its way through a gathered turn."""
        address = address_bytes(str(asked.attempt.address))
        self.pending.setdefault(address, deque()).append(asked)

    def heard(self, asked: Asked, told_to_ask: bool = False) -> Answer:
        """The answer that a gathered attempt must have got: what left no record is BUSY, or was
        told that it is pending still."""
        if asked.answer is None and told_to_ask:
            silent = next((one for one in self.silent if one.count and asked in one.answers), None)
            if silent is None:
                self.fail(f"{asked.attempt} was told that it is pending before its turn")
            else:
                silent.count -= 1
                asked.answer, asked.turn = silent.answers[asked], silent.turn
                self.pending.pop(address_bytes(str(asked.attempt.address)), None)
        if asked.answer is None:
            if self.shed_owed <= 0:
                self.fail(f"{asked.attempt} was answered before its turn")
            self.shed_owed -= 1
            asked.answer = BUSY
            self.pending.pop(address_bytes(str(asked.attempt.address)), None)
        return asked.answer

    def answered(self, asked: Asked, said: tuple[Any, ...], turn: int) -> None:
        """An attempt was answered, by what was visible up to `turn`."""
        expected = tuple(self.heard(asked, said[0] == Verdict.CHALLENGE))[: len(said)]
        if tuple(said) != expected:
            self.fail(f"{asked.attempt} was answered {said}, its twin says {expected}")
        self.answers += 1
        if said[0] == Verdict.ACCEPTED:
            self.accepted += 1
            for what in asked.used:
                if what in self.used:
                    self.fail(f"{asked.attempt} was accepted at a position used before")
                self.used.add(what)
        self.acknowledge(turn)

    def acknowledge(self, turn: int) -> None:
        self.acked = max(self.acked, turn)

    # ---- states

    def compare(self, engine: Any, names: Iterable[str]) -> None:
        for name in names:
            user = self.twin.users.get(name)
            twins = None
            if user is not None:
                twins = (
                    user.account, user.realm, user.streak.count, user.streak.lock_until_ms,
                    [(d.serial, stands(user, d, self.twin.latest_ms), d.capped, d.moving, d.drift,
                      d.failures, d.issued,
                      tuple(d.standing[at].n if at in d.standing else None for at in (0, 1)),
                      d.pin_hash)
                     for d in user.devices],
                    [(d.kind, d.suite, d.issued, 0 in d.standing) for d in user.known],
                    user.wrong_answers,
                    (user.opted_out, len(user.addresses), bool(user.identity), kept_cents(user)),
                )  # fmt: skip
            mine = self._view(engine._core, name)
            if mine != twins:
                self.fail(f"user {name!r} is {mine}, its twin {twins}")

    @staticmethod
    def _view(core: Any, name: str) -> Any:
        slot = core.find(name.encode())
        found = None if slot is None else core.user(slot)
        if found is None:
            return None
        _, _, account, realm, failures, lock_until, _, devices = found
        return (
            ACCOUNTS[account], REALMS[realm], failures, lock_until,
            [(d[1], DEVICE_STATES[d[3]], bool(d[4]), *d[13:16], d[18],
              tuple(stands and stands[0] for stands in d[19]), core.device_pin(slot, d[0]))
             for d in devices],
            *known_of(core, slot),
        )  # fmt: skip

    # ---- lives

    def recovered(self, engine: Any) -> None:
        """A new life: what was answered is there, and nothing that was never taken."""
        head, taken = engine._turn, len(self.marks) - 1
        self.lives += 1
        if head < self.acked:
            self.fail(f"turn {self.acked} was answered, the recovered store ends with {head}")
        if head > taken:
            self.fail(f"the recovered store ends with turn {head}, only {taken} were taken")
        if head < taken:
            del self.marks[head + 1 :], self.times_ms[head + 1 :]
            self._set_back(self.twin.journal[: self.marks[-1]])
            self.ids.forget(self.marks[-1])
        self.twin.keys = keys_of(engine)
        self.twin.decoys.clear()  # these live in memory only
        self.twin.sources.clear()
        self.twin.plausible.clear()
        self.twin.answered.clear()
        self.twin.wrongly.clear()
        self.twin.pushes.all.clear()
        self.twin.plausibly_sent.clear()
        self.twin.plausible_answers.clear()
        self.twin.plausibly_issued.clear()
        self.twin.latest_ms = max(self.times_ms)  # not the last row's: time may have gone back
        self.pending.clear()
        self.silent.clear()
        self.asking = self.acting = None
        self.shed_owed = 0
        known = {found[1] for slot in range(engine._core.slots_used())
                 if (found := engine._core.user(slot)) is not None}
        if known != set(self.twin.users):
            self.fail(f"the recovered users are {sorted(known)}, not {sorted(self.twin.users)}")
        policy, figures = engine.policy, vars(self.twin.figures)
        if any(getattr(policy, name) != figures[name] for name in figures if name != "names_any"):
            self.fail(f"the recovered policy is {policy}, not {figures}")
        self.compare(engine, self.twin.users)
        self.acknowledge(head)  # from here on it is visible

    def _set_back(self, journal: list[Any]) -> None:
        """The twin as the journal alone makes it."""
        twin = Reference(self.figures)
        for now_ms, records in journal:
            for record in records:
                twin.apply(record, now_ms)
        twin.journal = journal
        self.twin = twin
