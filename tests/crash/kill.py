"""kill -9 of the daemon at random moments under load: while it serves, starts, stops, rotates keys.

The oracle lives here and in account.py, outside the process that dies. It knows for each user what
was sent, what was answered, and so every state the store may have come back in. Whatever carried a
request id is sent again afterwards: what was answered is answered so once more, what was not is
answered with what it came to, or is decided now, and once.
"""

import base64
import contextlib
import hashlib
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyotp

from tests.served import Client, Served, frame

from .account import CAP, LOCKOUT, LOOK_AHEAD, Account

__all__ = ["FORGETFUL", "HASTY", "Kill"]

GATEWAYS = 3
USERS_EACH = 6
LOAD_SECONDS_MAX = 0.25
ROUNDS_PER_STORE = 50


class Shared:
    """One user whom every gateway asks about with the same codes, all at once."""

    def __init__(self) -> None:
        self.name = "shared"
        self.key = hashlib.sha256(b"shared").digest()
        self._codes = pyotp.HOTP(base64.b32encode(self.key).decode(), digits=8)
        self.accepted: list[int] = []
        self.counter = 0

    def command(self) -> tuple[int, bytes]:
        """Every gateway moves to the next counter now and then, and all send what it is now."""
        counter = self.counter
        return counter, frame("VERIFY", self.name, self._codes.at(counter))

    def answered(self, counter: int, verdict: str) -> None:
        if verdict == "ACCEPTED":
            self.accepted.append(counter)
            self.counter = max(self.counter, counter + 1)


def gateway(daemon: Served, mine: list[Account], shared: Shared, rng: random.Random) -> None:
    """Bursts of attempts until the daemon is gone; every answer goes to the oracle."""
    with contextlib.suppress(OSError, EOFError), daemon.client() as client:
        while True:
            burst: list[tuple[Account | None, int]] = []
            sent = b""
            for _ in range(rng.randrange(1, 25)):
                if rng.random() < 0.2:
                    counter, command = shared.command()
                    burst.append((None, counter))
                else:
                    account = rng.choice(mine)
                    burst.append((account, 0))
                    command = account.attempt(rng)
                sent += command
            client.send(sent)
            for asked, counter in burst:
                verdict = client.read()
                if asked is None:
                    shared.answered(counter, verdict)
                else:
                    asked.answered(verdict)


def operator(daemon: Served) -> None:
    with contextlib.suppress(OSError, EOFError), daemon.acts() as acts:
        while True:
            assert acts.ask("KEY", "ROTATE") == "OK"


class Watched(threading.Thread):
    """A thread whose failure is the test's."""

    def run(self) -> None:
        self.error: BaseException | None = None
        try:
            super().run()
        except BaseException as error:
            self.error = error

    def ended(self) -> None:
        self.join(30)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error


def flat(reply: list[object]) -> dict[object, object]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def inspect(acts: Client, name: str) -> tuple[int, int, int, bool]:
    user, device = flat(acts.ask("USER", "GET", name)), flat(acts.ask("DEVICE", "LIST", name)[0])
    locked = user["locked_until_ms"]
    assert isinstance(locked, int)
    moving, failures, charged = device["moving"], user["failures"], device["failures"]
    assert (device["state"] == "suspended") == (charged == CAP), device
    assert isinstance(moving, int)
    assert isinstance(failures, int)
    assert isinstance(charged, int)
    return moving, failures, charged, locked > time.time() * 1000


def enrol(daemon: Served, name: str, key: bytes, look_ahead: int) -> None:
    daemon.enrol(name, "DIGITS", 8, "LOOKAHEAD", look_ahead, key=key)


def kill(daemon: Served, rng: random.Random) -> None:
    """At a random moment; now and then in the middle of an orderly stop."""
    time.sleep(rng.uniform(0.005, LOAD_SECONDS_MAX))
    ends = {-signal.SIGKILL}
    if rng.random() < 0.2:
        daemon.send_signal(signal.SIGTERM)
        time.sleep(rng.uniform(0, 0.05))
        ends.add(0)
    code = daemon.stop(signal.SIGKILL)
    assert code in ends, f"the daemon ended by itself, with {code}"


def kill_while_starting(daemon: Served, rng: random.Random) -> None:
    process = daemon.launch()
    time.sleep(rng.uniform(0.1, 1.0))
    process.kill()
    process.communicate()


def play(daemon: Served, accounts: list[Account], shared: Shared, rng: random.Random) -> None:
    """One round of load that ends in a kill."""
    threads = [
        Watched(target=gateway, args=(daemon, accounts[i::GATEWAYS], shared, random.Random(seed)))
        for i, seed in enumerate(rng.randbytes(8) for _ in range(GATEWAYS))
    ]
    if rng.random() < 0.4:
        threads.append(Watched(target=operator, args=(daemon,)))
    for thread in threads:
        thread.start()
    kill(daemon, rng)
    for thread in threads:
        thread.ended()


def check(daemon: Served, accounts: list[Account], shared: Shared) -> None:
    """What came back is what was promised; then every promise is tried once more by itself."""
    with daemon.acts() as acts, daemon.client() as client:
        for account in accounts:
            account.found(*inspect(acts, account.name))
            for command in account.sent_again():
                client.send(command)
                account.answered_again(client.read())
            account.stands(*inspect(acts, account.name))
            if account.known.failures >= LOCKOUT:
                client.send(account.command(None))
                account.answered(client.read())
                assert acts.ask("USER", "UNLOCK", account.name, "BY", "the test") == "OK"
                account.unlocked()
            if account.known.moving:
                client.send(account.command(account.used(account.known.moving - 1)))
                account.answered(client.read())
        moving, _, _, _ = inspect(acts, shared.name)
        back = [counter for counter in shared.accepted if counter >= moving]
        assert not back, f"{back} were accepted and would be once more"
        assert len(shared.accepted) == len(set(shared.accepted)), "a code was accepted twice"
        shared.counter = moving
        acts.ask("USER", "UNLOCK", shared.name, "BY", "the test")


# A daemon that answers first and commits later, for those who watch the watchers.
HASTY = ["-c", """
import sys
from watchword.engine import Engine
from watchword.serve.config import Config
from watchword.serve.daemon import run
Engine._when_durable = lambda engine, turn, tell: tell(None)
sys.exit(run(Config.load(sys.argv[1])))
"""]

# A daemon that knows no request id of a row whose users' pages were written.
FORGETFUL = ["-c", """
import sys
from watchword import engine
from watchword.serve.config import Config
from watchword.serve.daemon import run
engine.remember_ids = lambda *what: None
sys.exit(run(Config.load(sys.argv[1])))
"""]


class Kill:
    """One run: daemons over stores of their own, killed so many times."""

    def __init__(self, seed: str, *, settings: str = "page_interval_ms = 20\n",
                 driver: Sequence[str] = ()) -> None:
        self._rng = random.Random(seed)
        self._seed = seed
        self._settings, self._driver = settings, driver
        self.rounds = self.accepted = self.again = 0
        self.failures: list[str] = []

    def run(self, rounds: int, told: Callable[["Kill"], object] = lambda kill: None,
            *, failures_max: int = 1) -> None:
        while self.rounds < rounds and len(self.failures) < failures_max:
            with tempfile.TemporaryDirectory(prefix="watchword-kill-") as folder:
                self._one_store(Path(folder), rounds, told)

    def _one_store(self, folder: Path, rounds: int, told: Callable[["Kill"], object]) -> None:
        """A store that outlives some daemons, then one that is stopped in order."""
        daemon = Served(folder, self._settings, driver=self._driver).start()
        try:
            accounts, shared = self._enlist(daemon)
            for _ in range(min(ROUNDS_PER_STORE, rounds - self.rounds)):
                self.rounds += 1
                self._round(daemon, accounts, shared)
                told(self)
            assert shared.accepted, "no code was accepted at all"
            self.again += sum(account.again for account in accounts)
            self.accepted += sum(account.known.moving for account in accounts) + shared.counter
            assert daemon.stop() == 0, "it did not stop in order"
            assert daemon.healthy(), "its log holds what only a bug can put there"
        except AssertionError as error:
            said = daemon.said()[-2000:]
            self.failures.append(f"seed {self._seed}, round {self.rounds}: {error}\n{said}")
        finally:
            daemon.stop(signal.SIGKILL)

    def _enlist(self, daemon: Served) -> tuple[list[Account], Shared]:
        accounts, shared = [Account(f"user{i}") for i in range(GATEWAYS * USERS_EACH)], Shared()
        for account in accounts:
            enrol(daemon, account.name, account.key, LOOK_AHEAD)
        enrol(daemon, shared.name, shared.key, 50)
        return accounts, shared

    def _round(self, daemon: Served, accounts: list[Account], shared: Shared) -> None:
        play(daemon, accounts, shared, self._rng)
        if self._rng.random() < 0.25:
            kill_while_starting(daemon, self._rng)
        daemon.start()
        check(daemon, accounts, shared)
