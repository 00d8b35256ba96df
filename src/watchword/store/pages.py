"""The pages of pages.db: 1,024 users each, sealed one by one, written in small transactions.

A page's seal holds it to its store, table, number, generation, turn and key. What no seal of a
single page can show, a page that is missing or an older one put back, the note `pages` shows: for
each table how many pages there are and the sum of the marks of their present versions. The note
also counts the seals under the newest key, durably, in the same transaction.
"""

import secrets
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, NoReturn

import apsw

from watchword.errors import InvalidArgument, StoreDamaged
from watchword.store.catalog import Catalog
from watchword.store.disk import believing
from watchword.store.owner import DATABASE
from watchword.store.sealing import NONCE_BYTES, PAGE_SEALS_MAX, TAG_BYTES, Keyring
from watchword.store.seam import TABLES, Page

__all__ = ["Pages"]

_SEALS: Final = struct.Struct(">IQ")  # newest key id, seals under it
_SUM: Final = struct.Struct(">Q32s")  # pages of a table, sum of their marks
SUM_MASK: Final = (1 << 256) - 1
_SHORT: Final = "number, turn, generation, key_id, nonce"  # the image comes last, in overflow pages


class Version(NamedTuple):
    """Which version of a page is the present one."""

    turn: int
    generation: int
    key_id: int
    mark: int


class Pages:
    """The three page tables. Reading comes first; then `write` and the rest by one thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._versions: list[dict[int, Version]] = []
        self._reading: apsw.Cursor | None = None
        self._totals: list[int] = []  # a table's marks, summed
        self.under: dict[int, int] = {}  # present pages by the data key that sealed them
        body = catalog.note("pages")
        key_id, self.seals = _SEALS.unpack_from(body)
        with believing(DATABASE):
            if key_id != catalog.keys.newest:
                raise StoreDamaged(f"{DATABASE} is damaged: data key {key_id} is missing")
            for index, table in enumerate(TABLES):
                self._versions.append(self._scan(index, table))
                self._totals.append(sum(v.mark for v in self._versions[index].values()))
                noted = _SUM.unpack_from(body, _SEALS.size + index * _SUM.size)
                if noted != self._sum(index):
                    self._blame(index, noted[0])

    @property
    def count(self) -> int:
        return sum(map(len, self._versions))

    def newest_turn(self) -> tuple[int, str]:
        """The turn of the page that knows most, and which page that is."""
        newest, where = 0, ""
        for table, versions in zip(TABLES, self._versions, strict=True):
            for number, version in versions.items():
                if version.turn > newest:
                    newest, where = version.turn, f"table {table}, page {number}"
        return newest, where

    def read(self) -> Iterator[Page]:
        """Every page in the order of TABLES and numbers, opened into one buffer, wiped at the
        end.
        """
        for index in range(len(TABLES)):
            yield from self._read(index)

    def places(self) -> list[tuple[int, int]]:
        """Table, by its place among TABLES, and number of every page there is."""
        return [(index, number) for index in range(len(TABLES))
                for number in sorted(self._versions[index])]  # fmt: skip

    def prove(self, index: int, number: int, head: int) -> int:
        """Reads one page again from the disk, while others are written; its bytes. Raises
        StoreDamaged when it is not the present version, or knows of a turn beyond the head."""
        where = f"{DATABASE}: table {TABLES[index]}, page {number}"
        with self._catalog.lock:
            version, size = self._versions[index][number], 0
            for page in self._read(index, number):
                size = len(page.image)
                if page.turn != version.turn:
                    raise StoreDamaged(f"{where} is not its latest version")
                if page.turn > head:
                    raise StoreDamaged(
                        f"{where} is from turn {page.turn}, but the journal ends with row {head}"
                    )
        return size

    def expect_seals(self, count: int) -> None:
        """Raises InvalidArgument when the newest key has sealed enough."""
        if self.seals + count > PAGE_SEALS_MAX:
            raise InvalidArgument(
                f"data key {self._catalog.keys.newest} has sealed {self.seals} pages",
                hint="rotate the key: `watchword key rotate`",
            )

    def write(self, pages: Sequence[Page]) -> None:
        """Seals and replaces pages, inside the caller's transaction if there is one."""
        keys = self._catalog.keys
        key_id = keys.newest
        cipher = keys.page_cipher(key_id, "a page")
        with self._catalog.change() as cursor:
            for page in pages:
                index = TABLES.index(page.table)
                versions = self._versions[index]
                old = versions.get(page.number)
                generation = old.generation + 1 if old else 1
                place = keys.page_aad(index, page.number, generation, page.turn, key_id)
                nonce = secrets.token_bytes(NONCE_BYTES)
                cursor.execute(
                    f"INSERT OR REPLACE INTO {page.table} VALUES(?,?,?,?,?,?)",
                    (
                        page.number,
                        page.turn,
                        generation,
                        key_id,
                        nonce,
                        cipher.encrypt(nonce, page.image, place),
                    ),
                )
                mark = keys.page_mark(place, nonce)
                versions[page.number] = Version(page.turn, generation, key_id, mark)
                self._totals[index] += mark - (old.mark if old else 0)
                self._move(old.key_id if old else None, key_id)
            self.seals += len(pages)
            self.note()

    def sealed_anew(self, own: Keyring, key_id: int) -> bytes:
        """Seals every page under another keyring and key; the note `pages` as it is then. In
        between the catalog contradicts itself: only of a store that nobody may open yet."""
        cipher, totals = own.page_cipher(key_id, "a page"), []
        for index, table in enumerate(TABLES):
            total = 0
            for number in sorted(self._versions[index]):
                generation = self._versions[index][number].generation
                nonce = secrets.token_bytes(NONCE_BYTES)
                for page in self._read(index, number):
                    place = own.page_aad(index, number, generation, page.turn, key_id)
                    sealed = cipher.encrypt(nonce, page.image, place)
                    total += own.page_mark(place, nonce)
                with self._catalog.change() as cursor:
                    cursor.execute(
                        f"UPDATE {table} SET key_id=?1, nonce=?2, image=?3 "  # noqa: S608
                        "WHERE number=?4",
                        (key_id, nonce, sealed, number),
                    )
            totals.append((len(self._versions[index]), total & SUM_MASK))
        return _SEALS.pack(key_id, self.count) + b"".join(
            _SUM.pack(count, total.to_bytes(32)) for count, total in totals
        )

    def note(self) -> None:
        """Stores the sums and the count of seals."""
        body = _SEALS.pack(self._catalog.keys.newest, self.seals)
        for index in range(len(TABLES)):
            body += _SUM.pack(*self._sum(index))
        self._catalog.set_note("pages", body)

    def _move(self, old_key: int | None, key_id: int) -> None:
        self.under[key_id] = self.under.get(key_id, 0) + 1
        if old_key is not None:
            self.under[old_key] -= 1

    def _scan(self, index: int, table: str) -> dict[int, Version]:
        """Which pages a table holds, without their images (which come last, in overflow pages)."""
        keys = self._catalog.keys
        found = {}
        for number, turn, generation, key_id, nonce in self._catalog.connection.execute(
            f"SELECT {_SHORT} FROM {table} ORDER BY number"  # noqa: S608 (one of TABLES)
        ):
            place = keys.page_aad(index, number, generation, turn, key_id)
            found[number] = Version(turn, generation, key_id, keys.page_mark(place, nonce))
            self._move(None, key_id)
        return found

    def _sum(self, index: int) -> tuple[int, bytes]:
        total = self._totals[index] & SUM_MASK
        return len(self._versions[index]), total.to_bytes(32)

    def _read(self, index: int, only: int | None = None) -> Iterator[Page]:
        """The pages of a table, or one of them; each is good until the next."""
        table, keys, seen = TABLES[index], self._catalog.keys, 0
        buffer = bytearray()
        cursor = self._reading = self._catalog.connection.cursor()
        try:
            with believing(f"{DATABASE}, table {table}"):
                rows = cursor.execute(
                    f"SELECT {_SHORT}, image FROM {table} "  # noqa: S608
                    "WHERE ?1 IS NULL OR number=?1 ORDER BY number",
                    (only,),
                )
                for number, turn, generation, key_id, nonce, image in rows:
                    what = f"{DATABASE}: table {table}, page {number}"
                    size = max(0, len(image) - TAG_BYTES)
                    if size > len(buffer):
                        buffer[:] = bytes(len(buffer))
                        buffer = bytearray(size)
                    plain = memoryview(buffer)[:size]
                    place = keys.page_aad(index, number, generation, turn, key_id)
                    with believing(what):
                        cipher = keys.page_cipher(key_id, what)
                        cipher.decrypt_into(nonce, image, place, plain)
                    seen += 1
                    yield Page(table, number, turn, plain)
            if seen != (len(self._versions[index]) if only is None else 1):
                raise StoreDamaged(f"{DATABASE} is damaged: table {table} lost pages")
        finally:
            buffer[:] = bytes(len(buffer))
            cursor.close()

    def end_reading(self) -> None:
        """Ends a loading that was left half way, for it would keep the -wal from being folded."""
        if self._reading is not None:
            self._reading.close()

    def _blame(self, index: int, expected: int) -> NoReturn:
        """Finds the page that makes a table's sum wrong: altered, missing, or an older version."""
        table = TABLES[index]
        for _page in self._read(index):
            pass
        held = self._versions[index]
        if len(held) < expected:
            gap = next(number for number in range(len(held) + 1) if number not in held)
            raise StoreDamaged(
                f"{DATABASE}: table {table} holds {len(held)} pages of {expected}; "
                f"page {gap} is the first that is missing"
            )
        raise StoreDamaged(f"{DATABASE}: table {table} holds a page that is not its latest version")
