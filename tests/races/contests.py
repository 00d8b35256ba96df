"""The contests: in every round all contenders send one code at the same moment.

Codes of even rounds are HOTP, of odd ones TOTP where the contest sets the clock. The user has the
same key on two devices, and contenders name one of them, the other or none: the code is one all the
same. Windows are one position wide, and no two neighbouring codes are equal, so that a second
acceptance is never right.
"""

import asyncio
import contextlib
import multiprocessing
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest import mock

from tests.served import Client, Served
from watchword import Code, Device, Engine, Policy, hotp, logins, totp

__all__ = ["CONTESTS", "Contest", "CountError"]

CONTENDERS = 8
CLIENTS = 4  # processes
SECONDS_MAX = 60.0  # for a round; beyond it something hangs
T = 1_700_000_000_000
POLICY = Policy(lockout_failures=100, failures_cap=None)
SETTINGS = "[policy]\nlockout_failures = 100\nfailures_cap = 0\n"
STORE_KEY = b"r" * 32

Open = Callable[..., Engine]


class CountError(Exception):
    """A round in which not exactly one was let in."""


class Codes:
    """The right code of every round."""

    def __init__(self, rng: random.Random, rounds: int, timed: bool) -> None:
        self.timed = timed
        while True:
            self.key = rng.randbytes(20)
            self.list = [self._code(nth) for nth in range(rounds + 2)]
            if all(a not in (b, c) for a, b, c in
                   zip(self.list, self.list[1:], self.list[2:], strict=False)):  # fmt: skip
                return

    def _code(self, nth: int) -> str:
        if self.timed and nth % 2:
            return totp(self.key, T // 1000 + 30 * nth, digits=8)
        return hotp(self.key, nth // 2 if self.timed else nth, digits=8)

    def enrol(self, engine: Engine) -> None:
        """Each kind twice, under one key."""
        engine.add_user("alice")
        for serial in ("H1", "H2"):
            device = Device.hotp(self.key, digits=8, look_ahead=0)
            engine.add_device("alice", device, serial=serial)
        for serial in ("T1", "T2") if self.timed else ():
            device = Device.totp(self.key, digits=8, window=0)
            engine.add_device("alice", device, serial=serial)

    def serial(self, nth: int, contender: int) -> str | None:
        kind = "T" if self.timed and nth % 2 else "H"
        return (None, f"{kind}1", f"{kind}2")[contender % 3]


class Contest(ABC):
    """Rounds of one kind. `play` returns how many were let in, round by round."""

    name = ""

    def __init__(self, folder: Path, rng: random.Random, rounds: int) -> None:
        self.folder, self.rng, self.rounds = folder, rng, rounds

    @abstractmethod
    def play(self) -> list[int]: ...

    def judge(self) -> None:
        for nth, accepted in enumerate(self.play()):
            if accepted != 1:
                raise CountError(f"{self.name}: in round {nth} {accepted} were let in")


# ---- in one process ----


class Threads(Contest):
    """Threads of one engine, some alone, some with a batch in which the code stands thrice."""

    name = "threads"
    path: str | None = None

    def __init__(self, folder: Path, rng: random.Random, rounds: int,
                 opened: Open = Engine.open) -> None:
        super().__init__(folder, rng, rounds)
        self.opened = opened
        self.codes = Codes(rng, rounds, timed=True)
        self.now = T

    def play(self) -> list[int]:
        path = ":memory:" if self.path is None else self.folder / self.path
        split = mock.patch.object(logins, "SPLIT_ATTEMPTS_MIN", 3)  # so that a few are in parts
        with split, self.opened(path, STORE_KEY, POLICY, lambda: self.now) as engine:
            self.codes.enrol(engine)
            counts = [[0] * self.rounds for _ in range(CONTENDERS)]
            self.starting = -1
            barrier = threading.Barrier(CONTENDERS, self._next)
            threads = [
                threading.Thread(target=self._contend, args=(engine, barrier, nth, counts[nth]))
                for nth in range(CONTENDERS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if barrier.broken:
            raise CountError(f"{self.name}: a contender failed in round {self.starting}")
        return [sum(column) for column in zip(*counts, strict=True)]

    def _next(self) -> None:
        """While everyone waits: time goes on by a step."""
        self.starting += 1
        self.now = T + 30_000 * self.starting

    def _contend(self, engine: Engine, barrier: threading.Barrier, contender: int,
                 counts: list[int]) -> None:
        try:
            for nth in range(self.rounds):
                code = self.codes.list[nth]
                serial = self.codes.serial(nth, contender)
                barrier.wait(SECONDS_MAX)
                if contender % 4 == 3:
                    codes = engine.verify_many(["alice"] * 3, [code] * 3, threads=2)
                    counts[nth] = int((codes == Code.ACCEPTED).sum())
                else:
                    counts[nth] = bool(engine.verify("alice", code, device=serial))
        except BaseException:
            barrier.abort()
            raise


class Disk(Threads):
    """The same on a store that is on the disk: threads share its commits."""

    name = "threads, on disk"
    path = "store"


class Loop(Contest):
    """Coroutines of one loop, and a thread beside it."""

    name = "coroutines"

    def play(self) -> list[int]:
        return asyncio.run(self._play())

    async def _play(self) -> list[int]:
        codes = Codes(self.rng, self.rounds, timed=False)
        counts = []
        with Engine.open(self.folder / "store", STORE_KEY, POLICY, lambda: T) as engine:
            codes.enrol(engine)
            for nth in range(self.rounds):
                code = codes.list[nth]
                beside = asyncio.to_thread(engine.verify, "alice", code)
                asked = [
                    engine.averify("alice", code, device=codes.serial(nth, contender))
                    for contender in range(CONTENDERS)
                ]
                answers = await asyncio.gather(*asked, beside)
                counts.append(sum(map(bool, answers)))
        return counts


# ---- over sockets ----


def enrol_over(daemon: Served, codes: Codes) -> None:
    with daemon.acts() as acts:
        assert acts.ask("USER", "ADD", "alice") == "OK"
        for serial in ("H1", "H2"):
            acts.ask("DEVICE", "ADD", "alice", "HOTP", "KEY", codes.key.hex(), "DIGITS", 8,
                     "LOOKAHEAD", 0, "SERIAL", serial)  # fmt: skip


@contextlib.contextmanager
def held(folder: Path, driver: Sequence[str] = ()) -> Iterator[Served]:
    daemon = Served(folder, SETTINGS, driver=driver)
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def words(codes: Codes, nth: int, contender: int) -> tuple[object, ...]:
    code, serial = codes.list[nth], codes.serial(nth, contender)
    if contender % 4 == 3:
        return ("VERIFYMANY", 3, *("alice", code) * 3)
    return ("VERIFY", "alice", code, *(("DEVICE", serial) if serial else ()))


def accepted(answer: Any) -> int:
    """Of one reply, or of a reply of many."""
    answers = answer if isinstance(answer, list) else [answer]
    assert set(answers) <= {"ACCEPTED", "REJECTED"}, answers
    return answers.count("ACCEPTED")


class Connections(Contest):
    """Connections to one daemon, written to in any order before any is read."""

    name = "connections"
    driver: Sequence[str] = ()

    def play(self) -> list[int]:
        codes = Codes(self.rng, self.rounds, timed=False)
        counts = []
        with contextlib.ExitStack() as stack:
            daemon = stack.enter_context(held(self.folder, self.driver))
            enrol_over(daemon, codes)
            clients = [stack.enter_context(daemon.client()) for _ in range(CONTENDERS)]
            for nth in range(self.rounds):
                order = self.rng.sample(range(CONTENDERS), CONTENDERS)
                for contender in order:
                    clients[contender].send(_frame(*words(codes, nth, contender)))
                counts.append(sum(accepted(clients[at].read()) for at in order))
        return counts


def _frame(*said: object) -> bytes:
    texts = [str(word).encode() for word in said]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


class Processes(Contest):
    """Processes, each a client of the daemon."""

    name = "processes"

    def play(self) -> list[int]:
        codes = Codes(self.rng, self.rounds, timed=False)
        with held(self.folder) as daemon:
            enrol_over(daemon, codes)
            return contended(codes, [daemon.port] * CLIENTS, self.rounds)


def contended(codes: Codes, ports: Sequence[int], rounds: int) -> list[int]:
    """A process for each port; how many were let in, by round."""
    spawn = multiprocessing.get_context("spawn")
    barrier, columns, children = spawn.Barrier(len(ports)), [], []
    for contender, port in enumerate(ports):
        mine, theirs = spawn.Pipe()
        work = [words(codes, nth, contender) for nth in range(rounds)]
        child = spawn.Process(target=_client, args=(port, work, barrier, theirs))
        child.start()
        theirs.close()
        children.append((child, mine))
    for child, pipe in children:
        columns.append(pipe.recv())
        child.join()
    return [sum(column) for column in zip(*columns, strict=True)]


def _client(port: int, work: list[tuple[object, ...]], barrier: Barrier, out: Connection) -> None:
    counts = []
    with Client(port) as client:
        for said in work:
            barrier.wait(SECONDS_MAX)
            counts.append(accepted(client.ask(*said)))
    out.send(counts)


CONTESTS: tuple[type[Contest], ...] = (Threads, Disk, Loop, Connections, Processes)
