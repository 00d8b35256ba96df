"""Recorded writes of the real store, cut anywhere: every disk a crash may leave is opened again.

A recording is one load over one store (workload.py) with a mark for each answer. It is played into
a model of the disk (disk.py), and at a cut each policy of tearing makes a state, which the real
engine opens. Some states live on: their recovery and next life are recorded and cut in turn, so
that a crash in a recovery is one like any other.
"""

import contextlib
import gc
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from watchword import Error

from .copies import AGAIN, BACKUP, copies_kept
from .disk import Disk, File, State, draws
from .preload import Event, Kind, Recorder
from .witness import LostError, Standing, Witness, answered, standing
from .workload import Work, abandon, reopen

__all__ = ["Figures", "Replay"]

COPIES = (BACKUP, AGAIN)
STATES_PER_RECORDING = 800
GENERATIONS = 3  # a load, the next life of a state of it, and the next of one of that
LIVES_ON = {"kept": 1 / 40, "torn": 1 / 80, "reordered": 1 / 80, "cut": 1 / 80}
ENGINES_COLLECTED = 100  # an engine is a ring of objects that holds a lot of addresses


class Recording(NamedTuple):
    """What one load did to the disk, and what it was told; `before`: what was there and promised
    when it began; `left`: what was really there when it ended."""

    seed: str
    witness: Witness
    events: Sequence[Event]
    disk: Disk
    turn: int
    used: dict[bytes, int]
    generation: int
    left: State


class Figures(NamedTuple):
    """What a run came to."""

    states: int
    disks: int
    recordings: int
    failures: list[str]
    policies: Counter[str]


class Replay:
    """One run: recordings from a seed until so many states were tried."""

    def __init__(self, folder: str, seed: str, plant: Callable[[], Any] | None = None) -> None:
        """`plant`: a bug to load with (plants.py)."""
        self._rng = random.Random(seed)
        self._seed = seed
        self._plant = plant or contextlib.nullcontext
        self._recorder = Recorder()
        self._store = os.path.join(folder, "recorded")
        self._work = os.path.join(folder, "crashed")
        self.states = self.disks = self.recordings = self._opened = 0
        self.failures: list[str] = []
        self.policies: Counter[str] = Counter()
        self._promised = 0  # how many promises of the recording were made by the cut
        self._sound: set[int] = set()

    def run(self, states: int, told: Callable[["Replay"], object] = lambda replay: None,
            *, failures_max: int = 1) -> Figures:
        """Until so many states were tried, or so many have failed."""
        gc.disable()
        gc.freeze()
        try:
            number = 0
            while self.states < states and len(self.failures) < failures_max:
                number += 1
                seed = f"{self._seed}/{number}"
                try:
                    recording = self._record(seed)
                except (Error, LostError) as error:
                    self._failed(f"recording {seed}: the load itself failed: {error}", {})
                    continue
                self._cut(recording, states, failures_max, told)
        finally:
            gc.unfreeze()
            gc.enable()
            shutil.rmtree(self._store, ignore_errors=True)
        return Figures(self.states, self.disks, self.recordings, self.failures, self.policies)

    # ---- recording ----

    def _record(self, seed: str) -> Recording:
        """A load over a new store: some lives, of which the last does not end."""
        rng = random.Random(seed)
        _lay(self._store, {})
        witness, disk = Witness(self._recorder.mark), Disk(self._store)
        work = Work(rng, os.path.join(self._store, "store"), witness)
        lives = [rng.choice([10, 30, 60]) for _ in range(rng.choice([1, 2, 4]))]
        events = self._recorded(work, lives)
        return Recording(seed, witness, events, disk, 0, {}, 1, _found(self._store))

    def _recorded(self, work: Work, lives: list[int]) -> Sequence[Event]:
        self.recordings += 1
        self._collect(len(lives))
        with self._plant():
            self._recorder.start(self._store)
            try:
                for steps in lives:
                    work.live(steps)
            finally:
                if work.engine is not None:
                    abandon(work.engine)
                events = self._recorder.stop()
        return events

    def _live_on(self, of: Recording, policy: str, state: State, turn: int,
                 used: dict[bytes, int]) -> Recording:
        """The recovery and a short life of a state a crash left; after a kill what is not synced
        yet can still be lost."""
        seed = f"{of.seed}+{self.states}"
        rng = random.Random(seed)
        _lay(self._store, state)
        killed = policy == "kept"
        disk = of.disk.after_kill(self._store) if killed else Disk(self._store, state)
        witness = Witness(self._recorder.mark)
        witness.states, witness.keys = dict(of.witness.states), dict(of.witness.keys)
        work = Work(rng, os.path.join(self._store, "store"), witness)
        work.serials = 500
        events = self._recorded(work, [rng.choice([0, 0, 0, 5])])
        return Recording(seed, witness, events, disk, turn, used, of.generation + 1,
                         _found(self._store))

    # ---- cutting ----

    def _cut(self, recording: Recording, states: int, failures_max: int,
             told: Callable[["Replay"], object]) -> None:
        """Every cut, or as many as fit a recording's share; and those of states that live on."""
        rng = random.Random(recording.seed + " cuts")
        share = STATES_PER_RECORDING // 15 ** (recording.generation - 1)
        often = min(1.0, share / (6 * len(recording.events)))
        known: dict[int, tuple[int, Standing] | str] = {}
        self._promised, self._sound = 0, set()
        turn, used = recording.turn, recording.used
        for at, event in enumerate(recording.events):
            if event.kind is Kind.MARK:
                promise = recording.witness.promises[event.offset]
                turn, used = answered([promise], turn, used)
                self._promised = event.offset + 1
            else:
                recording.disk.apply(event)
            weight = _weight(recording, at)
            if rng.random() >= weight * often:
                continue
            for policy, state in draws(recording.disk, rng):
                self.states += 1
                self.policies[policy] += 1
                what = f"recording {recording.seed}, cut after call {at}, {policy}"
                if (self._kept(recording, state, turn, used, known, what)
                        and self.states < states
                        and rng.random() < weight * LIVES_ON.get(policy, 0.0)):
                    after = self._after(recording, policy, state, turn, used)
                    if after is not None:
                        before = self._promised, self._sound
                        self._cut(after, states, failures_max, told)
                        self._promised, self._sound = before
                if self.states >= states or len(self.failures) >= failures_max:
                    return
            told(self)
        if recording.disk.state(File.kept) != recording.left:
            raise AssertionError(f"recording {recording.seed} is not what happened to the disk")

    def _after(self, recording: Recording, policy: str, state: State, turn: int,
               used: dict[bytes, int]) -> Recording | None:
        if recording.generation == GENERATIONS:
            return None
        try:
            return self._live_on(recording, policy, state, turn, used)
        except (Error, LostError, AssertionError, KeyError) as error:
            self._failed(f"recording {recording.seed}: a recovered store cannot go on: {error!r}",
                         state)
            return None

    def _kept(self, recording: Recording, state: State, turn: int, used: dict[bytes, int],
              known: dict[int, tuple[int, Standing] | str], what: str) -> bool:
        """Opens a state, unless the same bytes were opened before, and holds it to the promises."""
        digest = hash(tuple((path, state[path]) for path in sorted(state)))
        found = known.get(digest)
        if found is None:
            self.disks += 1
            self._collect(1)
            _lay(self._work, state)
            found = known[digest] = _reopened(os.path.join(self._work, "store"))
        try:
            if isinstance(found, str):
                raise LostError(f"the store does not open: {found}")
            recording.witness.judge(*found, turn, used)
            self._copies_kept(recording, state)
        except LostError as error:
            self._failed(f"{what}: {error}", state)
            return False
        return True

    def _copies_kept(self, recording: Recording, state: State) -> None:
        """The copies in a state, unless the same bytes were looked at before."""
        held = {path: text for path, text in state.items() if path.split("/")[0] in COPIES}
        known = hash((self._promised, tuple(sorted(held.items(), key=lambda one: one[0]))))
        if known in self._sound or (not held and not recording.witness.copies):
            return
        _lay(self._work, held)
        said = copies_kept(self._work, recording.witness, self._promised)
        if said:
            raise LostError(said)
        self._sound.add(known)

    def _collect(self, engines: int) -> None:
        self._opened += engines
        if self._opened >= ENGINES_COLLECTED:
            gc.collect()
            self._opened = 0

    def _failed(self, what: str, state: State) -> None:
        self.failures.append(what)
        keep = os.environ.get("WATCHWORD_CRASH_KEEP")
        if keep:
            _lay(os.path.join(keep, f"failure{len(self.failures)}"), state)


def _weight(recording: Recording, at: int) -> float:
    """How much a cut after a call is worth."""
    ahead = [event.kind for event in recording.events[at + 1 : at + 3]]
    if ahead == [Kind.SYNC, Kind.MARK]:
        return 8.0  # somebody waits for this: after a kill only recovery can make it durable
    if ahead[:1] == [Kind.SYNC]:
        return 2.0  # most is pending here
    if recording.events[at].kind is Kind.MARK:
        return 3.0 if recording.generation == 1 else 100.0  # what recovery has shown stays
    # A name that goes has to be the last to know.
    return 4.0 if recording.events[at].kind in (Kind.UNLINK, Kind.RENAME) else 1.0


def _reopened(path: str) -> tuple[int, Standing] | str:
    """The last row and all that stands after recovery; what the store said when it refused."""
    try:
        engine = reopen(path)
    except Error as error:
        return f"{type(error).__name__}: {error}"
    try:
        return engine._turn, standing(engine)
    finally:
        abandon(engine)


def _found(root: str) -> State:
    """Every file below a directory, and every directory."""
    state: State = {}
    for place, folders, files in os.walk(root):
        below = os.path.relpath(place, root)
        state |= {os.path.normpath(os.path.join(below, name)): None for name in folders}
        for name in files:
            with open(os.path.join(place, name), "rb") as file:
                state[os.path.normpath(os.path.join(below, name))] = file.read()
    return state


def _lay(root: str, state: State) -> None:
    """Makes a directory hold exactly these files."""
    _clear(root)
    for path, held in sorted(state.items()):
        place = os.path.join(root, path)
        if held is None:
            os.mkdir(place, 0o700)
        else:
            file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                assert os.write(file, held) == len(held)
            finally:
                os.close(file)


def _clear(root: str) -> None:
    os.makedirs(root, exist_ok=True)
    for entry in list(os.scandir(root)):
        if entry.is_dir(follow_symlinks=False):
            _clear(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
