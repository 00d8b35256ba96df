"""Broken stores: bits flip, files are cut, go, or come from elsewhere.

One law: what was acknowledged is there, or opening refuses and says what is damaged. Never less in
silence, never anything that was not written. The one thing no store can see is a last commit that
looks torn, as a crash leaves it; it may be missing only as long as nothing else knew of it.
"""

import contextlib
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest
from conftest import Seeded
from faults import KEY, Contents, append, contents, copy, quick, write

from watchword.errors import StoreDamaged
from watchword.store import journal, open_store, wal

SMALL = 40_000
WAL_HEADER, FRAME_HEADER, PAGE = 32, 24, 4096


class Wreck(NamedTuple):
    """A store as kill -9 left it, and what it had acknowledged."""

    path: Path
    held: Contents
    live: str  # the segment that was being written
    noted: int  # a row that pages.db knows of


@pytest.fixture(scope="module")
def wreck() -> Iterator[Wreck]:
    """Rows 1 to 20 in ended segments, 21 to 32 in the live one; pages.db-wal holds two writes."""
    rng = random.Random(2)
    with quick() as place:
        path = place / "store"
        store = open_store(path, KEY, segment_bytes=SMALL)
        rows = append(store, 20, rng)
        write(store, {("identity", number): (20, rng.randbytes(30_000)) for number in range(3)})
        store.close()
        store = open_store(path, KEY)
        rows |= append(store, 4, rng)
        write(store, {("state", number): (22, rng.randbytes(9_000)) for number in range(3)})
        rows |= append(store, 8, rng, size=6000)
        killed = copy(path, place / "killed")
        store.close()
        held = Contents(rows, contents(path).pages)
        live = max(file.name for file in killed.glob("journal/*-wal"))
        yield Wreck(killed, held, live, 24)


@pytest.fixture
def broken(wreck: Wreck) -> Iterator[Path]:
    """A copy of the wreck, to be broken."""
    with quick() as place:
        yield copy(wreck.path, place / "store")


def flip(file: Path, at: int, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        (old,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([old ^ 1 << bit]))


class Frame(NamedTuple):
    at: int
    page: int
    commit: bool


def frames(file: Path, page: int = PAGE) -> list[Frame]:
    content = file.read_bytes()
    found = []
    for at in range(WAL_HEADER, len(content), FRAME_HEADER + page):
        number, size = struct.unpack_from(">II", content, at)
        found.append(Frame(at, number, size != 0))
    return found


def prefix(rows: dict[int, bytes], through: int) -> dict[int, bytes]:
    return {turn: plain for turn, plain in rows.items() if turn <= through}


# ---- bits ------------------------------------------------------------------------------------


def test_the_wreck_is_whole(wreck: Wreck, broken: Path) -> None:
    assert contents(broken) == wreck.held
    assert len(list(wreck.path.glob("journal/*.db"))) >= 4


@pytest.mark.parametrize("name", ["pages.db", "pages.db-wal", "journal", "live", "closed pages.db"])
def test_a_flipped_bit_is_harmless_or_named(wreck: Wreck, rng: Seeded, name: str) -> None:
    with quick() as place:
        whole = copy(wreck.path, place / "whole")
        if name.startswith("closed"):  # everything folded into the database
            contents(whole)
        for _ in range(60):
            path = copy(whole, place / "store")
            files = {
                "journal": sorted(f for f in path.glob("journal/*.db*") if f.name != wreck.live),
                "live": [path / "journal" / wreck.live],
            }.get(name, [path / name.split()[-1]])
            file = rng.choice(files)
            size = file.stat().st_size
            if not size:
                continue
            # The first bytes of files and frames decide the most: a third of the flips go there.
            at = rng.choice(
                [rng.randrange(size), rng.randrange(size), rng.randrange(min(size, 200))]
            )
            bit = rng.randrange(8)
            flip(file, at, bit)
            where = f"bit {bit} of byte {at} of {file.name}: {rng}"
            try:
                found = contents(path)
            except StoreDamaged as error:
                assert str(error), where
                continue
            allowed = [wreck.held]
            if name == "live":
                allowed.append(wreck.held._replace(rows=prefix(wreck.held.rows, 31)))
            if name == "pages.db-wal":  # its last transaction may look torn
                before = {k: v for k, v in wreck.held.pages.items() if k[0] != "state"}
                allowed.append(wreck.held._replace(pages=before))
            assert found in allowed, where


@pytest.mark.parametrize("file", ["pages.db", "journal/00000001.db"])
def test_a_flipped_bit_in_a_name_is_named(wreck: Wreck, rng: Seeded, file: str) -> None:
    """Names of tables and columns: no seal covers them, each is asked for somewhere else."""
    with quick() as place:
        whole = copy(wreck.path, place / "whole")
        contents(whole)
        text = (whole / file).read_bytes()
        at, end = text.index(b"CREATE"), text.rindex(b"CREATE") + 60
        while (at := at + rng.randrange(1, 6)) < end:
            path = copy(whole, place / "store")
            bit = rng.randrange(8)
            flip(path / file, at, bit)
            with contextlib.suppress(StoreDamaged):
                assert contents(path) == wreck.held, f"bit {bit} of byte {at}: {rng}"


def test_a_flipped_bit_before_the_last_commit_is_never_a_torn_tail(
    wreck: Wreck, broken: Path, rng: Seeded
) -> None:
    """SQLite drops, without a word, whatever follows a frame that does not check."""
    file = broken / "journal" / wreck.live
    found = frames(file)
    last = max(at for at, frame in enumerate(found[:-1]) if frame.commit)
    assert last > 12
    for at, frame in enumerate(found[: last + 1]):
        offsets = [rng.randrange(FRAME_HEADER) for _ in range(4)]
        for offset in [*offsets, rng.randrange(FRAME_HEADER, FRAME_HEADER + PAGE)]:
            bit = rng.randrange(8)
            copy(wreck.path, broken)
            flip(file, frame.at + offset, bit)
            with pytest.raises(StoreDamaged) as caught:
                contents(broken)
            words = str(caught.value)
            assert wreck.live[:8] in words, (at, offset, bit, words, rng)


def test_damage_to_the_live_segment_says_after_which_row(
    wreck: Wreck, broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = broken / "journal" / wreck.live
    commits = [frame for frame in frames(file) if frame.commit]
    flip(file, commits[6].at + 100, 3)  # 0: the tables, then one for each row from 21
    with pytest.raises(StoreDamaged, match=rf"{wreck.live} is damaged after row 25: "):
        contents(broken)
    monkeypatch.setattr(wal, "lost_commit", lambda *_: False)
    assert contents(broken).rows == prefix(wreck.held.rows, 25)  # what SQLite alone would do


@pytest.mark.parametrize("at", range(WAL_HEADER))
def test_the_head_of_a_wal_is_believed_or_named(wreck: Wreck, broken: Path, at: int) -> None:
    file = broken / "journal" / wreck.live
    flip(file, at, at % 8)
    if 12 <= at < 16:  # the count of checkpoints is under the checksum like the rest
        assert file.read_bytes() != (wreck.path / "journal" / wreck.live).read_bytes()
    with pytest.raises(StoreDamaged, match=wreck.live[:8]):
        contents(broken)


# ---- files that are cut or gone --------------------------------------------------------------


def test_a_cut_wal_gives_the_rows_before_the_cut_or_is_refused(
    wreck: Wreck, broken: Path, rng: Seeded
) -> None:
    """As a crash would: whole commits stand, a torn one is gone, and none that pages.db knew."""
    file = broken / "journal" / wreck.live
    found = frames(file)
    cuts = {0, 1, WAL_HEADER - 1, WAL_HEADER, file.stat().st_size}
    for frame in found:
        end = frame.at + FRAME_HEADER + PAGE
        cuts |= {frame.at, frame.at + 23, frame.at + 24, rng.randrange(frame.at, end), end - 1, end}
    for cut in sorted(cuts):
        copy(wreck.path, broken)
        os.truncate(file, cut)
        whole = [f for f in found if f.commit and f.at + FRAME_HEADER + PAGE <= cut]
        through = 20 + max(0, len(whole) - 1)
        if through < wreck.noted:
            with pytest.raises(StoreDamaged):
                contents(broken)
        else:
            wanted = wreck.held._replace(rows=prefix(wreck.held.rows, through))
            assert contents(broken) == wanted, (cut, through, rng)
            # What the cut left is a store like any other.
            store = open_store(broken, KEY)
            more = append(store, 2, random.Random(1))
            store.close()
            assert contents(broken).rows == wanted.rows | more, (cut, through, rng)


def test_a_journal_cut_after_a_clean_close_is_refused(broken: Path, rng: Seeded) -> None:
    contents(broken)
    store = open_store(broken, KEY)
    append(store, 3, rng, size=6000)
    store.close()
    file = max(broken.glob("journal/*-wal"))
    for cut in (0, 32, file.stat().st_size // 2, file.stat().st_size - 1):
        os.truncate(file, cut)
        with pytest.raises(StoreDamaged, match=file.name[:8]):
            contents(broken)


def test_every_file_that_is_gone_is_missed(wreck: Wreck, broken: Path) -> None:
    for file in sorted(f.relative_to(wreck.path) for f in wreck.path.rglob("*.db*")):
        copy(wreck.path, broken)
        (broken / file).unlink()
        with pytest.raises(StoreDamaged) as caught:
            contents(broken)
        assert file.name in str(caught.value) or file.name == "pages.db-wal", file
    copy(wreck.path, broken)
    for side in broken.glob(f"journal/{wreck.live[:8]}*"):
        side.unlink()
    with pytest.raises(StoreDamaged, match=wreck.live[:8]):
        contents(broken)


def test_pages_older_than_the_journal_are_refused(wreck: Wreck, broken: Path, rng: Seeded) -> None:
    """Half of a backup: pages.db of yesterday, the journal of today."""
    old = copy(broken, broken.with_name("old"))
    store = open_store(broken, KEY)
    append(store, 3, rng)
    store.close()
    for file in broken.glob("pages.db*"):
        file.unlink()
    for file in old.glob("pages.db*"):
        shutil.copy2(file, broken)
    with pytest.raises(StoreDamaged, match=r"pages\.db is older than the journal"):
        contents(broken)


def test_a_journal_older_than_the_pages_is_refused(wreck: Wreck, broken: Path, rng: Seeded) -> None:
    old = copy(broken, broken.with_name("old"))
    store = open_store(broken, KEY)
    append(store, 3, rng)
    store.close()
    shutil.rmtree(broken / "journal")
    shutil.copytree(old / "journal", broken / "journal")
    with pytest.raises(StoreDamaged, match="is missing"):
        contents(broken)


def test_a_page_from_beyond_the_journal_is_refused(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where pages.db noted no row as durable."""
    monkeypatch.setattr(journal.Journal, "note_head", lambda _: None)
    store = open_store(broken, KEY)
    append(store, 3, random.Random(1))
    write(store, {("state", 1): (34, b"image")})
    killed = copy(broken, broken.with_name("cut"))
    store.close()
    file = max(killed.glob("journal/*-wal"))
    os.truncate(file, frames(file)[-2].at)
    with pytest.raises(StoreDamaged, match=r"table state, page 1 is from turn 34, .* row 33"):
        contents(killed)


# ---- rows and pages that are moved -----------------------------------------------------------


def sql(file: Path, *statements: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        connection = apsw.Connection(str(path / file))
        for statement in statements:
            list(connection.execute(statement))
        connection.close()

    return run


def exchange(one: str, other: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        (path / one).rename(path / "between")
        (path / other).rename(path / one)
        (path / "between").rename(path / other)

    return run


def foreign(path: Path) -> None:
    """The same segment of another store under the same key."""
    other = path.with_name("other")
    store = open_store(other, KEY, segment_bytes=SMALL)
    append(store, 20, random.Random(2))
    store.close()
    shutil.copy2(other / SECOND, path / SECOND)


FIRST, SECOND = Path("journal/00000001.db"), Path("journal/00000002.db")
PAGES = Path("pages.db")
SWAP = (
    "UPDATE {0} SET {1} = (SELECT {1} FROM {0} AS o WHERE o.{2} = 3 - {0}.{2}) WHERE {2} IN (1, 2)"
)

MOVED = [
    ("rows swapped", sql(FIRST, SWAP.format("j", "b", "seq")), "00000001.db: row 1 was altered"),
    ("row altered", sql(FIRST, "UPDATE j SET b = zeroblob(116) WHERE seq=3"), "row 3 was altered"),
    ("row cut", sql(FIRST, "UPDATE j SET b = substr(b, 1, 9) WHERE seq=3"), "row 3 was altered"),
    ("row gone", sql(FIRST, "DELETE FROM j WHERE seq=3"), "00000001.db: row 3 is missing"),
    ("first row gone", sql(FIRST, "DELETE FROM j WHERE seq=1"), "00000001.db: row 1 is missing"),
    ("last row gone", sql(FIRST, "DELETE FROM j WHERE seq=6"), "00000001.db: row 6 is missing"),
    ("row added", sql(FIRST, "INSERT INTO j SELECT 7, b FROM j WHERE seq=6"), "row 7 was altered"),
    ("row a text", sql(FIRST, "UPDATE j SET b = 'text' WHERE seq=2"), "00000001.db"),
    ("no rows", sql(FIRST, "DELETE FROM j"), "00000001.db: row 1 is missing"),
    ("no header", sql(FIRST, "DELETE FROM meta"), "00000001.db: the segment's header is missing"),
    ("two headers", sql(FIRST, "INSERT INTO meta SELECT b FROM meta"), "header is damaged"),
    ("no table", sql(FIRST, "DROP TABLE j"), "00000001.db is damaged"),
    ("segments swapped", exchange(str(FIRST), str(SECOND)), "is in truth segment 2"),
    ("segment of another store", foreign, "00000002.db belongs to another store"),
    ("images swapped", sql(PAGES, SWAP.format("identity", "image", "number")), "identity, page 1"),
    ("page cut", sql(PAGES, "UPDATE state SET image = x'00' WHERE number=2"), "state, page 2"),
    ("page renamed", sql(PAGES, "UPDATE state SET number = 9 WHERE number=2"), "state, page 9"),
    ("page aged", sql(PAGES, "UPDATE state SET generation = 9 WHERE number=2"), "state, page 2"),
    ("page from beyond", sql(PAGES, "UPDATE state SET turn = 99 WHERE number=2"), "state, page 2"),
    ("page of no key", sql(PAGES, "UPDATE state SET key_id = 9 WHERE number=2"), "data key 9"),
    ("page a text", sql(PAGES, "UPDATE state SET nonce = 'text' WHERE number=2"), "pages.db"),
    ("page gone", sql(PAGES, "DELETE FROM state WHERE number=1"), "2 pages of 3; page 1"),
    ("last page gone", sql(PAGES, "DELETE FROM state WHERE number=2"), "2 pages of 3; page 2"),
    (
        "page of another table",
        sql(PAGES, "INSERT INTO tombstones SELECT * FROM state WHERE number=0"),
        "tombstones, page 0",
    ),
    ("no key", sql(PAGES, "DELETE FROM key WHERE id=1"), "keys are missing"),
    ("no secret", sql(PAGES, "DELETE FROM key WHERE id=0"), "keys are missing"),
    ("key altered", sql(PAGES, "UPDATE key SET wrapped = zeroblob(48)"), "key 0 was altered"),
    ("no segment known", sql(PAGES, "DELETE FROM segment"), "does not know it"),
    ("segment altered", sql(PAGES, "UPDATE segment SET mac = zeroblob(32)"), "segment 1 was"),
    ("format", sql(PAGES, "PRAGMA user_version = 7"), "contradicts itself about its format"),
    *(
        (f"note {name} {what}", sql(PAGES, statement.format(name)), f"note {name} {words}")
        for name in ("check", "head", "anchor", "pages")
        for what, statement, words in (
            ("gone", "DELETE FROM note WHERE name='{}'", "is missing"),
            ("altered", "UPDATE note SET mac = zeroblob(32) WHERE name='{}'", "was altered"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "change", "words"), MOVED, ids=[row[0] for row in MOVED])
def test_what_was_moved_is_named(
    broken: Path, _what: str, change: Callable[[Path], None], words: str
) -> None:
    contents(broken)  # a clean life, so that everything lies in the databases
    change(broken)
    with pytest.raises(StoreDamaged) as caught:
        contents(broken)
    assert words in str(caught.value)


def test_an_older_page_put_back_is_seen(broken: Path) -> None:
    contents(broken)
    with apsw.Connection(str(broken / PAGES)) as connection:
        old = list(connection.execute("SELECT * FROM state WHERE number=1"))
    connection.close()
    store = open_store(broken, KEY)
    write(store, {("state", 1): (30, b"newer")})
    store.close()
    connection = apsw.Connection(str(broken / PAGES))
    connection.executemany("INSERT OR REPLACE INTO state VALUES(?,?,?,?,?,?)", old)
    connection.close()
    with pytest.raises(StoreDamaged, match="table state holds a page that is not its latest"):
        contents(broken)
