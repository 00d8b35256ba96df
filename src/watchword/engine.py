"""The engine: opens a store, takes attempts through turns, and answers what is durable.

Rule: state moves in memory under one lock, in the order of turns; nobody is answered before the
row of that turn, and so every row before it, is on the disk. The clock is read once a turn, here
and nowhere below.
"""

import asyncio
import os
import threading
import weakref
from array import array
from collections.abc import Callable
from typing import NoReturn, Self

from watchword import lifecycle
from watchword._engine import PAGE_USERS, Batch, Core, Gate, Gather, Split, password_figures
from watchword.acts import Acts
from watchword.backups import Backups
from watchword.bulk import Bulk
from watchword.cards import Cards
from watchword.challenges import Challenges
from watchword.clock import SystemClock, whole_ms
from watchword.confining import Confining
from watchword.core_policy import told_to
from watchword.costs import Costs
from watchword.delivery import Courier, Delivery
from watchword.enrolment import Enrolments
from watchword.entry import Entering
from watchword.errors import Error, InvalidArgument, StoreDamaged, StoreFailed
from watchword.events import Events, Watch
from watchword.exports import Exports
from watchword.floors import Floors
from watchword.hashing import Hasher
from watchword.history import History, Names
from watchword.intake import Intake
from watchword.issuing import Issuing
from watchword.keeper import UNCOVERED_BYTES_MAX, Keeper, covered_by, remember_ids
from watchword.keys import KeyProvider, derive
from watchword.logins import Logins
from watchword.policies import POLICY_PAGE, Policies
from watchword.policy import Policy
from watchword.push_texts import PushTexts
from watchword.pushes import Pushes
from watchword.retention import Retentions
from watchword.rotation import Rotation
from watchword.sharing import Sharing
from watchword.stats import Stats
from watchword.store import Store, load_head, open_store
from watchword.store.commits import Commits, said
from watchword.store.memory import MemoryStore
from watchword.tombs import Tombs
from watchword.withdrawals import Withdrawals

__all__ = ["Engine"]

_live: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_parents: list[Store] = []  # stores of a parent process: a child never closes them


def _after_fork() -> None:
    for engine in list(_live):
        engine._lock = Gate(engine._end)  # another thread of the parent may have held it
        _parents.append(engine._store)
        engine._ended = Error(
            "this engine was opened before a fork and belongs to the parent",
            hint="open the store after forking, or run the daemon for several workers",
        )


os.register_at_fork(after_in_child=_after_fork)


class Engine(
    Logins, Pushes, Enrolments, Challenges, Cards, Entering, Sharing, Withdrawals, Acts, Issuing,
    Bulk, History, Intake, Exports, Policies, Events, Stats, Backups, Floors, Retentions, Rotation,
    Confining,
):
    """A verification engine over one store. Thread-safe; after a fork its use raises Error.

    Open it with Engine.open, as a context manager or with close().
    """

    def __init__(
        self,
        path: str,
        store: Store,
        policy: Policy | None,
        clock: Callable[[], int] | None,
        entropy: Callable[[int], bytes],
        deliver: Callable[[Delivery], object] | None = None,
    ) -> None:
        self._lock = Gate(self._end)
        self._pid = os.getpid()
        self._path = path
        self._store = store
        self._entropy = entropy
        self._policy: Policy = policy or Policy()
        self._policy_kept: Policy | None = None
        self._policy_dirty = False
        self._durable = not isinstance(store, MemoryStore)
        secret = store.secret if self._durable else entropy(32)
        self._passcode_key = derive(secret, "watchword passcodes", 32)
        self._kept_key_of_pins = derive(secret, "watchword pins", 32)
        self._core = Core(
            derive(secret, "watchword names", 16), derive(secret, "watchword challenges", 48),
            self._passcode_key, self._kept_key_of_pins, derive(secret, "watchword request ids", 16),
        )
        self._hasher, self._renewals = Hasher(derive(secret, "watchword passwords", 32)), set()
        self._mark_key, self._tombs = derive(secret, "watchword fingerprints", 32), Tombs()
        self._gone = Names()
        told_to(self._core, self._policy)
        self._policy_given = policy is not None
        self._row_bytes = self._covered_bytes = 0  # of rows beyond the pages; what pages hold since
        self._covered = self._load()
        cost_key = derive(secret, "watchword costs of passwords", 32)
        self._costs = Costs(cost_key, password_figures(self._core))
        self._turn = store.head
        self._commits = Commits(store, store.head)
        self._courier = None if deliver is None else Courier(deliver)
        self._push_texts = PushTexts()
        self._guard: SystemClock | None = None
        if clock is None:
            clock = self._guard = SystemClock(store.last_time_ms)
        self._clock = clock if self._guard else whole_ms(clock)
        self._batch = Batch()
        self._one = Batch(1)
        self._splits: dict[int, Split] = {}  # by the number of their parts
        self._names = lifecycle.names_packed(("embedded",))
        self._confined: dict[str, int] = {}  # 1 and the realm, by the name of a gateway
        self._ended: BaseException | None = None
        self._closed = False
        self._closing = threading.RLock()
        self._copying = threading.Lock()  # of the store, while no key or row may go
        self._gathers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gather]
        self._gathers = weakref.WeakKeyDictionary()
        self._at_end: list[Callable[[BaseException], None]] = []
        self._watched: Callable[[int, bytes], None] | None = None  # sees every row as it is queued
        self._watching: Watch | None = None
        self.tap: list[bytes] | None = None
        """When a list, every journal row is appended to it before it is sealed."""
        self._keeper = Keeper(self) if self._durable else None
        _live.add(self)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] = ":memory:",
        key: KeyProvider | bytes | str | os.PathLike[str] | None = None,
        policy: Policy | None = None,
        clock: Callable[[], int] | None = None,
        entropy: Callable[[int], bytes] | None = None,
        deliver: Callable[[Delivery], object] | None = None,
        known_head: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Opens the store at `path`, made if it is not there; ":memory:" keeps nothing.

        key: 32 bytes, the path of a key file, or a provider of watchword.keys; None: the file
        `path`.key, made on first use. policy: None: the one that was set last (RULES as written in
        a new store); one that is given is in force from here on, and recorded where it differs.
        clock: () -> integer milliseconds since 1970, at most 10**15 either way, and
        entropy: n -> n random bytes, for tests and replay. deliver: takes a watchword.Delivery to
        its phone, on a thread of its own: a callable, or a watchword.Webhook; without it no code is
        sent. known_head: the file of a journal head kept elsewhere (`journal_head`): a store older
        than it, or another branch, is refused. A store of an older format is raised to this one's,
        which is nothing but a number: no page or row has another meaning in it.
        Errors: WrongKey, StoreOwned, StoreDamaged, StoreFailed, InvalidArgument, NotFound.
        """
        if policy is not None and not isinstance(policy, Policy):
            raise InvalidArgument("policy is a watchword.Policy or None")
        for name, given in (("clock", clock), ("entropy", entropy), ("deliver", deliver)):
            if given is not None and not callable(given):
                raise InvalidArgument(f"{name} is a callable or None")
        known = None if known_head is None else load_head(known_head)
        store = open_store(path, key)
        try:
            if known is not None:
                store.expect_known(known)
            engine = cls(
                os.fspath(path), store, policy, clock, entropy or os.urandom, deliver
            )
        except BaseException:
            store.close()
            raise
        if engine._keeper is not None:
            engine._policy_opened()
            engine._keeper.start()
        return engine

    # -- opening and closing

    def _load(self) -> int:
        """Pages, then whatever the journal holds beyond them. Returns the turn pages cover."""
        core, covered = self._core, 0
        turns, ids = {"identity": array("q"), "state": array("q")}, [0, 0]
        core.reserve(self._store.counters().get("pages", 0) // 2 * PAGE_USERS)
        for page in self._store.pages():
            if page.table == "covered" and page.number == POLICY_PAGE:
                self._policy_found(bytes(page.image), page.turn)
                continue
            if page.table == "covered":
                covered = page.turn
                latest_ms, *ids = covered_by(page.image)
                core.passed(latest_ms)
                continue
            if page.table == "tombstones":
                sound = self._tombs.load(page.image)
            else:
                load = core.load_identity if page.table == "identity" else core.load_state
                seen = turns[page.table]
                seen.extend([0] * (page.number + 1 - len(seen)))
                seen[page.number] = page.turn
                sound = load(page.number, page.image)
            if not sound:
                raise StoreDamaged(f"page {page.number} of table {page.table} cannot be read")
        self._tombs.loaded()
        remember_ids(core, self._store, covered, *ids)
        for turn, row in self._store.replay(covered):
            events = core.replay(row, turns["identity"], turns["state"])
            if events is None:
                raise StoreDamaged(f"journal row {turn} does not fit the pages before it")
            self._row_bytes += len(row)
            if events & 1 << lifecycle.TOMBSTONE:
                for mark, floor in lifecycle.tombstones(bytes(row)):
                    self._tombs.add(mark, floor)
            if events & 1 << lifecycle.POLICY:
                self._policy_replayed(bytes(row), turn, turns["state"])
        core.loaded()
        core.passed(self._store.last_time_ms)
        told_to(self._core, self._policy)
        return covered

    def __reduce__(self) -> NoReturn:
        raise TypeError("an engine is neither copied nor pickled: a store has one owner")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Makes all durable, writes the pages, lets go of the store. Twice is no error.

        Whoever is in a call is answered first; whoever calls later is told that it is closed. What
        logins are renewing (a password under older costs) is kept, which it waits 10 seconds for.
        """
        if self._pid != os.getpid():
            return  # the files are the parent's
        with self._closing:
            if not self._closed:
                try:
                    if self._ended is None:
                        self._end_renewals()
                finally:
                    self._close()

    def _close(self) -> None:
        with self._lock:
            failed = self._ended
            self._ended = failed or Error("the engine is closed")
            turn, woken = self._turn, self._push_texts.all_woken()
        for wake in woken:
            wake()
        try:
            if self._keeper is not None:
                self._keeper.close()
                if failed is None:
                    self._commits.wait(turn)
                    self._keeper.write()
        except StoreFailed as error:
            failed = error
        finally:  # an interrupt of a long pass, too, lets go of the store
            splits = (split.close for split in self._splits.values())
            for end in (*splits, self._hasher.close, self._unsubscribed):
                end()
            if self._courier is not None:
                self._courier.close()
            try:
                self._commits.close()
            finally:
                self._store.close()
                self._closed = True
        if isinstance(failed, StoreFailed):
            raise failed

    def _alive(self) -> None:
        if self._ended is not None:
            if isinstance(self._ended, StoreFailed) or not isinstance(self._ended, Error):
                raise StoreFailed(
                    f"the engine has ended: {said(self._ended)}",
                    hint="see to the disk, then open the store anew",
                ) from self._ended
            raise self._ended

    def _end(self, error: BaseException) -> None:
        """The disk refused: no further answer, ever. Whoever asked to be told is told."""
        self._ended = self._ended or error
        self._commits.fail(error)
        for tell in self._at_end:
            tell(error)
        for wake in self._push_texts.all_woken():
            wake()

    @property
    def memory_locked(self) -> bool:
        """Whether the system let the tables be locked into memory."""
        return self._core.memory_locked

    # -- time

    def _now(self) -> int:
        return self._clock()

    def _shed(self) -> bool:
        """Whether every attempt is BUSY. Read after _now()."""
        keeper = self._keeper
        if keeper is not None and (keeper.low_disk or self._uncovered() > UNCOVERED_BYTES_MAX):
            return True
        return bool(self._guard is not None and self._guard.doubt)

    @property
    def busy_because(self) -> str:
        """Why attempts are answered BUSY: a clock in doubt, a disk almost full; or nothing."""
        if self._keeper is not None and self._keeper.low_disk:
            return self._keeper.low_disk
        if self._uncovered() > UNCOVERED_BYTES_MAX:
            return "the pages are behind the journal by more than ten million records"
        return self.clock_doubt

    def _uncovered(self) -> int:
        """Bytes of rows whose pages are not written."""
        return self._row_bytes - self._covered_bytes

    def _catch_up(self) -> None:
        """Writes pages now where acts left so many rows without that logins would be BUSY."""
        if self._keeper is not None and self._uncovered() > UNCOVERED_BYTES_MAX // 2:
            self._keeper.write()

    @property
    def clock_doubt(self) -> str:
        """What is wrong with the clock, or nothing."""
        return self._guard.doubt if self._guard is not None else ""

    def accept_clock(self, *, by: str) -> str:
        """An operator believes the clock as it is; recorded. Returns what was in doubt."""
        with self._lock:
            self._alive()
            if self._guard is None:
                return ""
            doubted = self._guard.accept()
            turn = self._act(lifecycle.note(f"clock accepted by {by}: {doubted or 'no doubt'}"))
        self._wait(turn)
        return doubted

    # -- turns

    def _submit(self, row: bytes) -> int:
        """Queues the row of the turn just taken. The lock is held. Returns its turn."""
        if self.tap is not None:
            self.tap.append(row)
        if self._durable:
            self._row_bytes += len(row)
            self._commits.submit(self._turn, row)
        if self._watched is not None:  # now that there is something to wait for
            self._watched(self._turn, row)
        return self._turn

    def _take(self, batch: Batch | Split, now_ms: int, names: bytes, gateways: int) -> int:
        """One turn. The lock is held. Returns the turn to wait for before anyone is answered."""
        self._lock.open_turn = True
        if self._core.turn(batch, now_ms):
            self._core.passed(now_ms)
            self._turn += 1
            if self._durable or self.tap is not None or self._watched is not None:
                self._submit(self._core.row(batch, self._turn, names, gateways))
        self._lock.open_turn = False
        return self._turn

    def _wait(self, turn: int) -> None:
        if not self._durable:
            return
        try:
            self._commits.wait(turn)
        except BaseException:
            # A commit that failed ends the engine; a wait that was interrupted does not.
            if self._commits.failed is not None:
                self._end(self._commits.failed)
            raise

    def _when_durable(self, turn: int, tell: Callable[[BaseException | None], None]) -> None:
        """Calls tell(None) once `turn` is durable or tell(error), from the journal thread; at once
        when the store keeps nothing."""
        if self._durable:
            self._commits.when_durable(turn, tell)
        else:
            tell(None)
