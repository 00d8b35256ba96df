"""Bugs planted in durability, in recovery and in the transition; and where the others are.

Whoever imports PLANTS from here has them all.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from tests.sim import (
    plants_asked,
    plants_entry,
    plants_gateways,
    plants_life,
    plants_passwords,
    plants_repins,
)
from tests.sim.engine import SimEngine
from tests.sim.planting import PLANTS, Put, plant, planted
from tests.sim.plants_entry import replayed
from watchword import challenges, errors, lifecycle, logins
from watchword.acts import Acts
from watchword.challenges import Challenges
from watchword.clock import SystemClock
from watchword.devices import passcode
from watchword.intake import Intake
from watchword.keeper import Keeper
from watchword.policies import Policies
from watchword.questions import Questions
from watchword.reference import Effect, Event
from watchword.store import disk, segment, sqlite, wal
from watchword.store.journal import Journal
from watchword.tombs import Tombs

__all__ = ["PLANTS", "planted"]

# Where more of them are.
MORE: Final = (
    plants_asked, plants_entry, plants_gateways, plants_life, plants_passwords, plants_repins,
)  # fmt: skip


@plant
def last_row_not_told(put: Put) -> None:
    """Whoever looks back does not see the newest row."""
    real = Journal.history
    put(Journal, "history", lambda self, after, through: real(self, after, through - 1))


# ---- durability ---------------------------------------------------------------------------------


@plant
def answer_before_sync(put: Put) -> None:
    """A call returns when its row is queued."""
    put(SimEngine, "_wait", lambda self, turn: None)


@plant
def gathered_answer_before_sync(put: Put) -> None:
    """A gathered turn lands at once; its row follows with the next commit."""
    put(SimEngine, "_when_durable", lambda self, turn, tell: tell(None))


@plant
def refusal_before_its_turn(put: Put) -> None:
    """What is refused, and what is looked at, shows a turn that is not durable yet."""

    @contextlib.contextmanager
    def deciding(self: Any) -> Iterator[None]:
        with self._lock:
            self._alive()
            yield

    put(Acts, "_deciding", deciding)


@plant
def challenge_before_its_turn(put: Put) -> None:
    """A challenge is shown while the record of it is still on its way."""

    def challenge(
        self: Any, user: str, *, platform: str, purpose: str, device: str,
        question: str | None = None, client_question: str | None = None,
    ) -> Any:  # fmt: skip
        posed = challenges._posed(question, client_question)
        challenge, _turn, delivery = self._ask(user, platform, purpose, device, None, False, posed)
        return self._sent(challenge, delivery, posed)

    put(Challenges, "challenge", challenge)


@plant
def question_before_its_turn(put: Put) -> None:
    """A security question is asked while the record of it is still on its way."""
    put(Questions, "question", lambda self, user: self._question(user, None)[0])


@plant
def pin_change_left_out(put: Put) -> None:
    """The row of a PIN's change has the attempt alone: memory knows, the disk never will."""
    put(lifecycle, "joined", lambda image, acts: image)


@plant
def code_sent_before_its_turn(put: Put) -> None:
    """A code is handed over as soon as it is made; the answer waits."""
    real = Challenges._ask

    def ask(self: Any, *words: Any) -> Any:
        challenge, turn, delivery = real(self, *words)
        if delivery is not None:
            self._courier.take(delivery)
        return challenge, turn, None

    put(SimEngine.__mro__[1], "_ask", ask)


@plant
def sync_skipped(put: Put) -> None:
    """The journal's commits are written and not synced."""
    real = disk.connect

    def connect(path: str, *, keep_wal: bool) -> Any:
        connection = real(path, keep_wal=keep_wal)
        connection.pragma("synchronous", "normal")
        return connection

    put(segment, "connect", connect)


@plant
def segment_name_not_synced(put: Put) -> None:
    """A new segment's directory is not synced before rows go into it."""
    put(segment, "sync_directory", lambda path: None)


@plant
def tail_not_settled(put: Put) -> None:
    """What the page cache of a killed or failed process shows is taken for durable."""
    put(wal, "settle", lambda path, size: None)


@plant
def commit_tried_again(put: Put) -> None:
    """A commit that the disk refused is tried once more, as if nothing had happened."""
    real = sqlite.SqliteStore.append

    def append(self: Any, rows: Sequence[Any]) -> None:
        try:
            real(self, rows)
        except errors.StoreFailed:
            self._dead = ""
            tip = self._journal.current
            if tip.connection.in_transaction:
                tip.connection.execute("ROLLBACK")
            real(self, rows)

    put(sqlite.SqliteStore, "append", append)


@plant
def page_beyond_the_head(put: Put) -> None:
    """The keeper writes a page without waiting for the rows that are in it."""

    def write(self: Any, pace: float = 0.0) -> None:
        with self._writing:
            for pages in self._copies():
                self._engine._store.write_pages(pages)

    put(Keeper, "write", write)
    put(sqlite, "expect_written", lambda pages, head: None)


# ---- recovery -----------------------------------------------------------------------------------


def without(effect: Effect) -> Callable[[bytearray, int], None]:
    def change(image: bytearray, at: int) -> None:
        if image[at] in (Event.ATTEMPT, Event.ALSO, Event.RESYNC):
            image[at + 4] &= 255 ^ effect

    return change


@plant
def lost_ring_entry(put: Put) -> None:
    """Recovery drops a failure from the streak."""
    put(sqlite.SqliteStore, "replay", replayed(without(Effect.PUSH)))


@plant
def lock_forgotten_at_reopen(put: Put) -> None:
    """Recovery sets no lock."""
    put(sqlite.SqliteStore, "replay", replayed(without(Effect.LOCK)))


@plant
def floor_forgotten_at_reopen(put: Put) -> None:
    """Recovery moves no device on: what was used is fresh again."""
    put(sqlite.SqliteStore, "replay", replayed(without(Effect.ADVANCE)))


@plant
def last_row_ignored(put: Put) -> None:
    """Recovery takes the last row for a torn one."""
    real = sqlite.SqliteStore.replay

    def replay(self: Any, after: int) -> Iterator[Any]:
        for turn, plain in real(self, after):
            if turn < self.head:
                yield turn, plain

    put(sqlite.SqliteStore, "replay", replay)


@plant
def unlock_not_journaled(put: Put) -> None:
    """An unlock changes memory and leaves no record."""

    def unlock(self: Any, name: str, *, by: str) -> None:
        with self._deciding():
            number, _ = self._user(name)
            act = lifecycle.unlock(number, by)
            self._core.act(lifecycle.row(act, self._turn + 1, self._now()))
            turn = self._act(lifecycle.note("unlocked"))
        self._wait(turn)

    put(Acts, "unlock", unlock)


@plant
def tombstone_not_journaled(put: Put) -> None:
    """What a removed device had used is remembered in memory alone."""
    real = Acts._bury

    def bury(self: Any, number: int, serial: str) -> bytes:
        real(self, number, serial)
        return b""

    put(Acts, "_bury", bury)
    put(Tombs, "dirty_pages", lambda self, turn, most: [])


@plant
def policy_forgotten_at_reopen(put: Put) -> None:
    """Recovery reads the policy that pages hold, and not the rows after them."""
    put(Policies, "_policy_replayed", lambda self, row, turn, state_turns: None)


@plant
def policy_not_journaled(put: Put) -> None:
    """A policy is in force and leaves no record of its own."""
    put(lifecycle, "policy_set", lambda text: lifecycle.note(text[:40]))


@plant
def file_applied_unchecked(put: Put) -> None:
    """A file with wrong rows is applied without them, whatever was asked."""
    real = Intake._import_one
    put(Intake, "_import_one", lambda self, part, by, skip_bad: real(self, part, by, True))


# ---- the transition -----------------------------------------------------------------------------


@plant
def passcode_outlives_its_days(put: Put) -> None:
    """A temporary passcode opens both platforms for as long as it opens one."""
    real = passcode.kept

    def kept(secret: bytes, salt: bytes, text: bytes, full_until_ms: int, until_ms: int) -> bytes:
        return real(secret, salt, text, until_ms, until_ms)

    put(passcode, "kept", kept)


@plant
def floor_falls_at_enrolment(put: Put) -> None:
    """A key enrolled again is fresh."""
    put(Tombs, "lift", lambda self, mark, device: 0)
    put(Acts, "_twins_floor", lambda self, number, device: 0)


@plant
def window_off_by_one(put: Put) -> None:
    """A device that counts or keeps time is given one position more than its policy says."""
    real = lifecycle.device_add

    def device_add(
        user: int, number: int, device: Any, key: bytes, serial: bytes, moving: int, *rest: Any
    ) -> bytes:
        back, forward = device.window
        if device.mechanism == "totp":
            device = replace(device, window=(back, forward + 1))
        elif device.mechanism == "hotp" or ":C-" in device.suite:
            device = replace(device, look_ahead=device.look_ahead + 1)
        return real(user, number, device, key, serial, moving, *rest)

    put(lifecycle, "device_add", device_add)


@plant
def mask_from_stale_state(put: Put) -> None:
    """A batch's second attempt with a code is decided by what stood before the first."""
    real = logins.Logins.verify_many

    def verify_many(self: Any, users: Any, responses: Any, **words: Any) -> Any:
        codes = real(self, users, responses, **words)
        first: dict[Any, int] = {}
        for i, pair in enumerate(zip(users, responses, strict=True)):
            codes[i] = 1 if codes[first.setdefault(pair, i)] == 1 else codes[i]
        return codes

    put(logins.Logins, "verify_many", verify_many)


@plant
def busy_is_charged(put: Put) -> None:
    """BUSY is answered, and the attempt counted all the same."""
    real = logins.Logins.verify

    def verify(self: Any, user: str, response: str, **words: Any) -> Any:
        if not self._shed() or self._ended is not None:
            return real(self, user, response, **words)
        checker, self.checker = self.checker, None
        shed, self._shed = self._shed, lambda: False
        real(self, user, response, **words)
        self.checker, self._shed = checker, shed
        return real(self, user, response, **words)

    put(logins.Logins, "verify", verify)


@plant
def clock_back_accepted(put: Put) -> None:
    """A clock that was set back is believed."""
    real = SystemClock.__call__

    def read(self: SystemClock) -> int:
        now = real(self)
        self.doubt = "" if "stepped by -" in self.doubt else self.doubt
        return now

    put(SystemClock, "__call__", read)


@plant
def answer_after_the_end(put: Put) -> None:
    """An engine whose disk refused goes on from memory."""
    real = SimEngine._wait

    def wait(self: Any, turn: int) -> None:
        try:
            real(self, turn)
        except errors.StoreFailed:
            self._ended = None

    put(SimEngine, "_wait", wait)
    put(SimEngine, "_alive", lambda self: None)

