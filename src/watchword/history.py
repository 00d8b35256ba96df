"""The looking-back verbs of an engine: the journal as entries, and as rows without secrets.

Rule: what is shown is durable, and is read while logins go on, in bounded memory: a page holds so
many entries and has gone through so many bytes. Names of users and serials of devices that are
gone are looked up in the enrolments that the journal holds.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from watchword import _engine, lifecycle
from watchword.acts import utf8
from watchword.audit import LOGINS, UNKNOWN, Entry, Page, Wanted, enrolled, entry_of
from watchword.errors import InvalidArgument
from watchword.explain import Explanation, explained
from watchword.parts import Parts
from watchword.store.row import row_time_ms
from watchword.views import user_of

__all__ = ["History", "Names"]

ENTRIES_PER_PAGE_MAX = 1_000
BYTES_PER_PAGE = 16 << 20           # of rows gone through
ATTEMPTS_TOLD, ATTEMPTS_MAX = 5, 100
TURNS_BACK = 4_096                  # where explain begins to look for a user's last attempts
NAMES_MAX = 65_536                  # of users and devices that are gone, remembered
ADDS = 1 << lifecycle.USER_ADD | 1 << lifecycle.DEVICE_ADD


class Names:
    """What the journal was once searched for, so that the next page need not search again."""

    def __init__(self) -> None:
        self.users: dict[int, str] = {}
        self.devices: dict[int, tuple[str, str]] = {}
        self.numbers: dict[tuple[int, bytes], tuple[set[int], int]] = {}
        # Of what was removed a moment ago, for those who are told of it; audit asks the journal.
        self.users_left: dict[int, str] = {}
        self.devices_left: dict[int, tuple[str, str]] = {}

    def user_left(self, number: int, name: str) -> None:
        self.trim()
        self.users_left[number] = name

    def device_left(self, number: int, serial: str, kind: str) -> None:
        self.trim()
        self.devices_left[number] = serial, kind

    def trim(self) -> None:
        for known in (
            self.users, self.devices, self.numbers, self.users_left, self.devices_left
        ):  # fmt: skip
            if len(known) > NAMES_MAX:
                known.clear()


class History(Parts):
    """audit, audit_page, explain, bare_rows."""

    def audit(
        self,
        *,
        user: str | None = None,
        device: str | None = None,
        verdict: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        gateway: str | None = None,
        only: str | None = None,
    ) -> Iterator[Entry]:
        """Who did what, when, to whom: the entries of the kept journal, the oldest first.

        The filters are those of watchword.Wanted. Errors: InvalidArgument, StoreDamaged names the
        row that cannot be believed, NotFound when the store keeps nothing.
        """
        wanted = Wanted(
            user=user, device=device, verdict=verdict, since_ms=since_ms, until_ms=until_ms,
            gateway=gateway, only=only,
        )  # fmt: skip
        return self._entries(wanted)

    def _entries(self, wanted: Wanted) -> Iterator[Entry]:
        page = self.audit_page(wanted)
        head = page.head
        while True:
            yield from page.entries
            if page.turn >= head:
                return
            page = self.audit_page(wanted, page.turn, page.place)

    def audit_page(
        self, wanted: Wanted, turn: int = 0, place: int = -1, count: int = ENTRIES_PER_PAGE_MAX
    ) -> Page:
        """At most `count` entries after record `place` of row `turn` + 1, and where to go on.

        `turn` is the last row that was gone through whole. Errors: as audit.
        """
        if not 1 <= count <= ENTRIES_PER_PAGE_MAX:
            raise InvalidArgument(f"count is 1 to {ENTRIES_PER_PAGE_MAX}")
        self._alive()
        head = self._store.head
        users = None if wanted.user is None else self._users_named(wanted.user, head)
        devices = None if wanted.device is None else self._devices_named(wanted.device, head)
        found: list[tuple[int, int, tuple[str, ...], Any]] = []
        size = 0
        for at, row, _ in self._store.history(turn, head):
            time_ms, size = row_time_ms(row), size + len(row)
            if wanted.holds(time_ms):
                gateways: tuple[str, ...] | None = None
                for one in _engine.row_records(
                    row, wanted.events, wanted.verdicts, users, devices
                ):
                    if at == turn + 1 and one[0] <= place:
                        continue
                    if gateways is None:
                        gateways = _engine.row_gateways(row)
                    if not _suits(one, wanted, gateways):
                        continue
                    if len(found) == count:
                        return self._page(found, wanted, at - 1, found[-1], head)
                    found.append((at, time_ms, gateways, one))
            last = at
            if size >= BYTES_PER_PAGE:
                return self._page(found, wanted, last, None, head)
        return self._page(found, wanted, head, None, head)

    def _page(
        self, found: list[Any], wanted: Wanted, turn: int, cut: Any, head: int
    ) -> Page:
        """cut: the last entry taken, where there were more in its row or after it."""
        users, devices = self._named(found, head)
        entries = [
            entry_of(at, time_ms, gateways, one, users, devices)
            for at, time_ms, gateways, one in found
        ]
        if wanted.user is not None:  # a note says its user in words
            entries = [e for e in entries if e.event != "note" or e.user == wanted.user]
        if wanted.device is not None:
            entries = [e for e in entries if e.event != "note" or e.device == wanted.device]
        place = -1
        if cut is not None:  # the next page begins within or after the row of the last entry
            turn, place = cut[0] - 1, cut[3][0]
        return Page(tuple(entries), turn, place, head)

    def explain(self, user: str, *, last: int = ATTEMPTS_TOLD) -> Explanation:
        """Why a user's last attempts went as they did, and what would let the user in; of a name
        that nobody has, that too. For operators: it tells what gateways are not told.

        Errors: InvalidArgument, StoreDamaged, NotFound when the store keeps nothing.
        """
        if isinstance(last, bool) or not isinstance(last, int) or not 0 <= last <= ATTEMPTS_MAX:
            raise InvalidArgument(f"last is 0 to {ATTEMPTS_MAX}")
        wanted = Wanted(user=user, only="logins")
        self._alive()
        with self._lock:
            turn, slot = self._turn, self._core.find(utf8("user", user))
            known = None if slot is None else self._core.user(slot)
            entry = None if slot is None else self._entry_of(slot)
            now_ms = self._now()
        self._wait(turn)  # what is shown is durable too
        entries = self._last(wanted, last) if last else []
        standing = None if known is None else user_of(known)
        return explained(user, standing, entries, self._policy, now_ms, entry)

    def _last(self, wanted: Wanted, count: int) -> list[Entry]:
        """The newest `count` attempts: from the journal's end, going further back as need be."""
        head, back = self._store.head, TURNS_BACK
        while True:
            start = max(0, head - back)
            newest: deque[Entry] = deque(maxlen=count)
            page = self.audit_page(wanted, start)
            while True:
                newest.extend(entry for entry in page.entries if entry.verdict)
                if page.turn >= head:
                    break
                page = self.audit_page(wanted, page.turn, page.place)
            if len(newest) == count or not start:
                return list(newest)
            back *= 8

    def bare_rows(
        self, after: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[tuple[int, bytes, int]]:
        """Turn, row and file number of every kept row after `after`, without a secret in it.

        Keys are replaced by others of the same length, the same for the same key, so that what is
        decided from a row is decided from its copy. progress: called with turn and head.
        """
        self._alive()
        head = self._store.head
        for turn, row, number in self._store.history(after, head):
            yield turn, _engine.bare_row(row, self._stand_in), number
            if progress is not None:
                progress(turn, head)

    def _stand_in(self, key: bytes) -> bytes:
        mark = hmac.digest(self._mark_key, b"stand-in" + key, hashlib.sha512)
        return (mark * 2)[: len(key)]

    # -- names

    def _named(
        self, found: list[Any], head: int, *, search: bool = True
    ) -> tuple[Callable[[int], str], Callable[[int], tuple[str, str]]]:
        """What users and devices of these records are called. search: those that are gone are
        looked for in the journal; else they have their numbers, unless they went just now."""
        users: dict[int, str] = {}
        devices: dict[int, tuple[str, str]] = {}
        wanted_users: set[int] = set()
        wanted_devices: set[int] = set()
        for _, _, _, (_, record, also) in found:
            r = lifecycle.Record._make(record)
            if not (r.place & UNKNOWN and r.event in LOGINS) and r.event != lifecycle.NOTE:
                wanted_users.add(r.user)
            if r.event == lifecycle.SHARE:
                wanted_users.add(r.moving)
            wanted_devices.update([r.device, *(number for number, _, _ in also)])
        wanted_devices.discard(0)
        with self._lock:
            for number in wanted_users:
                known = self._core.user(number & 0xFFFFFFFF)
                if known is not None and known[0] == number:
                    users[number] = known[1]
                    views = user_of(known).devices
                    for device, view in zip(known[-1], views, strict=True):
                        devices[device[0]] = view.serial, view.kind
        if search:
            self._find_gone(wanted_users - set(users), wanted_devices - set(devices), head)
        gone = self._gone
        users = {**(gone.users if search else gone.users_left), **users}
        devices = {**(gone.devices if search else gone.devices_left), **devices}
        return (
            lambda number: users.get(number, f"#{number}"),
            lambda number: devices.get(number, (f"#{number}", "")),
        )

    def _find_gone(self, users: set[int], devices: set[int], head: int) -> None:
        """Enrolments of users and devices that are no more."""
        self._gone.trim()
        users, devices = users - set(self._gone.users), devices - set(self._gone.devices)
        if not users and not devices:
            return
        for _, row, _ in self._store.history(0, head):
            for _, r, _ in _engine.row_records(row, 1 << lifecycle.USER_ADD, 0, users):
                self._gone.users[r[7]] = r[11][: r[10]].decode("utf-8", "replace")
                users.discard(r[7])
            for _, r, _ in _engine.row_records(row, 1 << lifecycle.DEVICE_ADD, 0, None, devices):
                self._gone.devices[r[9]] = enrolled(r[11])[:2]
                devices.discard(r[9])
            if not users and not devices:
                return
        # The enrolment was dropped with old rows: they are called by their numbers for good.
        self._gone.users |= {number: f"#{number}" for number in users}
        self._gone.devices |= {number: (f"#{number}", "") for number in devices}

    def _users_named(self, name: str, head: int) -> set[int]:
        """Every id that this name ever had, and its keyed hash."""
        text = utf8("user", name)
        with self._lock:
            slot = self._core.find(text)
            known = None if slot is None else self._core.user(slot)
            ids = {self._core.name_hash(text)} | ({known[0]} if known is not None else set())
        return ids | self._enrolled_as(lifecycle.USER_ADD, 7, text, head)

    def _devices_named(self, serial: str, head: int) -> set[int]:
        """The number of every device that ever had this serial."""
        return self._enrolled_as(lifecycle.DEVICE_ADD, 9, utf8("device", serial), head)

    def _enrolled_as(self, event: int, field: int, text: bytes, head: int) -> set[int]:
        numbers, through = self._gone.numbers.get((event, text), (set(), 0))
        for _, row, _ in self._store.history(through, head):
            for _, record, _ in _engine.row_records(row, 1 << event, 0, None, None, text):
                numbers.add(record[field])
        self._gone.numbers[event, text] = numbers, head
        return set(numbers)


def _suits(one: Any, wanted: Wanted, gateways: tuple[str, ...]) -> bool:
    """What the record's own bytes could not say."""
    if wanted.gateway is None:
        return True
    index = one[1][4]
    return bool(index < len(gateways) and gateways[index] == wanted.gateway)
