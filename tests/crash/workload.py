"""The load of the crash rigs: everything a store is ever asked to do, drawn from a seed.

Batches of attempts, administration, users in bulk, a crowd of threads, pages, housekeeping, new
keys, dropped segments, and lives that end in order or as a kill would end them. Stores are small:
segments of a few rows, a few dozen users, so that a recording passes every seam many times.
"""

import os
import random
import threading
from collections.abc import Callable

from watchword import Device, Engine, Error, Policy, bulk, hotp, restore
from watchword.life import TRANSITIONS
from watchword.store import open_store, recovery
from watchword.store.sqlite import SqliteStore

from .copies import AGAIN, BACKUP
from .witness import DEVICE_NUMBER, Witness, standing

__all__ = ["KEY", "Work", "abandon", "reopen"]

KEY = bytes(range(1, 33))
BEGIN_MS = 1_700_000_000_000
DIGITS = 8
SEGMENT_BYTES = 40_000
ROWS_USERS = 8  # of a bulk row, so that a bulk is several
USERS_MAX = 24
LOCKOUT = 4
WRONG = "wrong"

Attempt = tuple[str, str, bytes, int]  # user, code, key and position of the code


def reopen(path: str, clock: Callable[[], int] = lambda: BEGIN_MS) -> Engine:
    """An engine over a store with small segments; its keeper rests until it is started."""
    store = open_store(path, KEY, segment_bytes=SEGMENT_BYTES)
    assert isinstance(store, SqliteStore)
    try:
        return Engine(path, store, Policy(lockout_failures=LOCKOUT), clock, os.urandom)
    except BaseException:
        store._dead = "did not open"
        store.close()
        raise


def abandon(engine: Engine) -> None:
    """Lets go of the files and writes nothing, as a kill does."""
    assert engine._keeper is not None
    assert isinstance(engine._store, SqliteStore)
    engine._keeper.close()
    engine._store._dead = "was abandoned"
    engine._commits.close()
    engine._store.close()


class Work:
    """One load over one store. `witness` sees every turn and hears every answer."""

    def __init__(self, rng: random.Random, path: str, witness: Witness) -> None:
        self.witness = witness
        self.path = path
        self.now_ms = BEGIN_MS
        self.serials = self._lives = 0
        self.copy_errors: tuple[type[Error], ...] = ()  # with which a backup alone may end
        self._rng = rng
        self._gone: list[bytes] = []  # keys of devices that were removed
        self.engine: Engine | None = None

    # ---- lives ----

    def open(self, kept: float = 0.25) -> Engine:
        """kept: how likely a keeper works beside it."""
        engine = self.engine = reopen(self.path, lambda: self.now_ms)
        self.witness.watch(engine)
        there = {self.witness.keys.get(device[DEVICE_NUMBER])
                 for user in standing(engine).users if user for device in user[-1]}
        self._gone = [key for key in self._gone if key not in there]  # a removal that was lost
        if self._rng.random() < kept:
            assert engine._keeper is not None
            engine._keeper.pass_seconds, engine._keeper.pass_ticks = 0.002, 1
            engine._keeper.start()
        return engine

    def live(self, steps: int) -> None:
        """Opens the store, does so many things to it, and lets go of it one way or the other."""
        self._lives += 1
        # Rows this small are always folded; every other life leaves them, as it does a crowd's.
        before, recovery.PACK_FACTOR = recovery.PACK_FACTOR, 4 if self._lives % 2 else 1 << 20
        try:
            engine = self.open()
            for _ in range(steps):
                self.step(engine)
            self.end(engine)
        finally:
            recovery.PACK_FACTOR = before

    def end(self, engine: Engine) -> None:
        if self._rng.random() < 0.5:
            engine.close()
        else:
            abandon(engine)
        self.engine = None

    def step(self, engine: Engine) -> None:
        self.now_ms += self._rng.choice([0, 1, 500, 10_000, 40_000])
        acts: list[tuple[int, Callable[[Engine], None]]] = [
            (40, self.attempts), (8, self.crowd), (14, self.administer), (4, self.enlist),
            (6, self.write_pages), (8, self.keep_house), (3, self.rotate), (12, self.drop),
            (8, self.copy),
        ]  # fmt: skip
        (act,) = self._rng.choices([act for _, act in acts], [weight for weight, _ in acts])
        act(engine)

    # ---- logins ----

    def attempt(self, engine: Engine, name: str = "") -> Attempt:
        """A code that is right, used, ahead or wrong, for some user."""
        rng = self._rng
        names = [user[1] for user in self.witness.states[engine._turn].users if user]
        name = name or rng.choice([*names, *names, *names, "nobody"])
        user = engine.user(name) if name in names else None
        if user is None or not user.devices or rng.random() < 0.25:
            return name, WRONG, b"", 0
        device = rng.choice(user.devices)
        number = int(device.serial[1:])
        expected = device.moving if device.kind == "hotp" else self.now_ms // 30_000
        position = max(0, expected + rng.choice([0, 0, 0, 0, 1, -1]))
        key = self.witness.keys[number]
        return name, hotp(key, position, digits=DIGITS), key, position

    def attempts(self, engine: Engine) -> None:
        batch = [self.attempt(engine) for _ in range(self._rng.choice([1, 1, 2, 5, 30]))]
        if len(batch) == 1:
            self.ask(engine, batch[0])
            return
        codes = engine.verify_many([one[0] for one in batch], [one[1] for one in batch])
        used = [one[2:] for one, code in zip(batch, codes, strict=True) if code == 1 and one[2]]
        self.witness.promise(_floors(used))

    def ask(self, engine: Engine, one: Attempt) -> None:
        name, code, key, position = one
        accepted = bool(engine.verify(name, code))
        self.witness.promise(_floors([(key, position)] if accepted else []))

    def crowd(self, engine: Engine) -> None:
        """Several threads at once, so that a commit carries several rows."""
        shares = [[self.attempt(engine) for _ in range(2)] for _ in range(3)]
        failures: list[BaseException] = []

        def some(share: list[Attempt]) -> None:
            try:
                for one in share:
                    self.ask(engine, one)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=some, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    # ---- administration ----

    def administer(self, engine: Engine) -> None:
        rng = self._rng
        names = engine.users()
        if len(names) < 4 or (len(names) < USERS_MAX and rng.random() < 0.3):
            name = f"user{self._serial()}"
            engine.add_user(name, state=rng.choice(["open", "open", "pending"]))
            self.witness.promise()
            self.enrol(engine, name)
            return
        name = rng.choice(names)
        devices = engine.user(name).devices
        dice = rng.random()
        if dice < 0.3 and len(devices) < 4:
            self.enrol(engine, name)
        elif dice < 0.5 and devices:
            gone = rng.choice(devices).serial
            engine.remove_device(name, gone)
            self._gone.append(self.witness.keys[int(gone[1:])])
        elif dice < 0.6:
            engine.remove_user(name)
            self._gone += [self.witness.keys[int(device.serial[1:])] for device in devices]
        elif dice < 0.75:
            engine.unlock(name, by="the rig")
        elif dice < 0.9 or not devices:
            engine.set_user(name, state=rng.choice(["open", "pending", "closed"]))
        else:
            device = rng.choice(devices)
            states = {"active", "lost", "suspended"} & {device.state, *TRANSITIONS[device.state]}
            engine.set_device(name, device.serial, state=rng.choice(sorted(states)))
        self.witness.promise()

    def enrol(self, engine: Engine, name: str) -> None:
        """A new key, or one whose device was removed: it keeps what it had used."""
        again = self._gone and self._rng.random() < 0.5
        key = self._gone.pop() if again else self._rng.randbytes(20)
        kind = Device.hotp if key[0] & 1 else Device.totp
        number = engine._core.next_device()
        self.witness.enrolled(f"W{number:08d}", key)
        engine.add_device(name, kind(key, digits=DIGITS))
        self.witness.promise()

    def enlist(self, engine: Engine) -> None:
        """Users in bulk, and room for them: several rows, of which all but the last wait."""
        names = engine.users()
        for name in names[: max(0, len(names) - 8)]:
            engine.remove_user(name)
            self.witness.promise()
        count = self._rng.choice([1, ROWS_USERS, 2 * ROWS_USERS + 1])
        fresh = [f"bulk{self._serial()}" for _ in range(count)]
        engine.add_users(fresh[:1], None)
        self.witness.promise()
        before, bulk.USERS_PER_ROW = bulk.USERS_PER_ROW, ROWS_USERS
        try:
            engine.add_users(fresh[1:])
        finally:
            bulk.USERS_PER_ROW = before
        self.witness.promise()

    # ---- the store's own ----

    def write_pages(self, engine: Engine) -> None:
        assert engine._keeper is not None
        engine._keeper.write()

    def keep_house(self, engine: Engine) -> None:
        assert engine._keeper is not None
        with engine._keeper.resting():
            engine._store.tick()
            engine._store.write_ahead(0.02)

    def rotate(self, engine: Engine) -> None:
        engine.rotate_key()
        self.witness.promise()

    def drop(self, engine: Engine) -> None:
        """Drops the segments that the pages have made unnecessary."""
        assert engine._keeper is not None
        if self._rng.random() < 0.3:
            engine._keeper.write()
        with engine._keeper.resting(), engine._lock:
            engine._store.drop_before(engine._covered + 1)
            engine._store.tick()

    def copy(self, engine: Engine) -> None:
        """A backup beside the store, and now and then a store made of it beside that."""
        place = os.path.dirname(self.path)
        left = {name.removesuffix(".part") for name in os.listdir(place)}
        if self.witness.copies or len(self.witness.promises) < 15 or left & {BACKUP, AGAIN}:
            return  # none yet; or a crash left the beginnings of one
        try:
            engine.backup(os.path.join(place, BACKUP), pace=0.0)
        except self.copy_errors:
            self.attempts(engine)  # not made, and nothing has ended: else this says so
            assert not os.path.exists(os.path.join(place, BACKUP)), "half a backup is there"
            return
        self.witness.copied(BACKUP)
        self.witness.promise()
        for _ in range(3):
            self.attempts(engine)  # what the backup does not know
        if self._rng.random() < 0.8:
            restore(
                os.path.join(place, BACKUP), os.path.join(place, AGAIN), KEY, by="the rig",
                acknowledge=lambda lost: True, clock=lambda: self.now_ms,
            )  # fmt: skip
            self.witness.copied(AGAIN)
            self.witness.promise()

    def _serial(self) -> int:
        self.serials += 1
        return self.serials + self._rng.randrange(1 << 20) * 1000


def _floors(used: list[tuple[bytes, int]]) -> tuple[tuple[bytes, int], ...]:
    return tuple((key, position + 1) for key, position in used if key)
