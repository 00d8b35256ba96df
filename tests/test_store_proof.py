"""The proof of a store: whatever bit is flipped, whatever row, segment or page is taken out, put
elsewhere or put back, it is named, in a store at work and in one at rest; and a sound one is sound.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from conftest import Seeded
from faults import KEY, append, copy, quick, write

from watchword.errors import InvalidArgument, StoreDamaged
from watchword.keys import RawKey
from watchword.store import Proof, Store, backup, load_head, open_store, prove_files, save_head
from watchword.store.restore import staged
from watchword.store.sqlite import SqliteStore

SMALL = 40_000  # bytes of a segment: seven rows
ROWS = 30


def filled(path: Path, rng: Seeded) -> Store:
    store = open_store(path, KEY, segment_bytes=SMALL)
    append(store, ROWS, rng)
    write(store, {("state", number): (ROWS - 5, rng.randbytes(3_000)) for number in range(3)})
    return store


@pytest.fixture
def copied(rng: Seeded) -> Iterator[Path]:
    """A backup: every byte of every row stands in one file of its own segment."""
    with quick() as place:
        store = filled(place / "store", rng)
        store.backup(str(place / "copy"), 0.0)
        save_head(store.known_head(), place / "head.json")
        store.close()
        yield place / "copy"


def proven(path: Path, head: bool = False) -> Proof:
    known = load_head(path.parent / "head.json") if head else None
    return prove_files(str(path), RawKey(KEY), known)


def segments(path: Path) -> list[Path]:
    return sorted((path / "journal").glob("*.db"))


def told(store: Store) -> Proof:
    """A store at work, step by step."""
    proof = Proof(head=1, pages_of=1)
    while proof.turn < proof.head:
        proof.add(store.prove_rows(proof.turn))
    while proof.page < proof.pages_of:
        step = store.prove_pages(proof.page)
        proof.pages_of = step.pages_of
        proof.add(step)
    return proof


def test_a_sound_store_is_sound(copied: Path) -> None:
    proof = proven(copied, head=True)
    assert proof.faults == []
    assert (proof.rows, proof.turn, proof.pages) == (ROWS, ROWS, 3)
    assert proof.segments == len(segments(copied)) >= 4


def test_looking_changes_nothing(copied: Path) -> None:
    before = {p: p.read_bytes() for p in copied.rglob("*") if p.is_file()}
    os.chmod(copied, 0o500)
    try:
        assert proven(copied).faults == []
    finally:
        os.chmod(copied, 0o700)
    assert {p: p.read_bytes() for p in copied.rglob("*") if p.is_file()} == before


def test_a_store_at_work_and_as_a_kill_leaves_it(rng: Seeded) -> None:
    with quick() as place:
        store = filled(place / "store", rng)
        killed = copy(place / "store", place / "killed")
        files = [path for path in killed.rglob("*.db*") if path.is_file()]
        before = {path: path.read_bytes() for path in files}
        for proof in (told(store), proven(killed)):
            assert proof.faults == []
            assert (proof.rows, proof.turn, proof.pages) == (ROWS, ROWS, 3)
        assert all(path.read_bytes() == text for path, text in before.items())
        store.close()
        assert proven(place / "store").rows == ROWS


Break = Callable[[apsw.Connection], object]


def broken(path: Path, how: Break) -> None:
    """A change that SQLite itself makes, so that no checksum of its own shows it."""
    connection = apsw.Connection(str(path))
    how(connection)
    connection.pragma("wal_checkpoint", "TRUNCATE")
    connection.close()


def flip_bit(turn: int, bit: int) -> Break:
    def change(connection: apsw.Connection) -> None:
        ((blob,),) = list(connection.execute("SELECT b FROM j WHERE seq=?", (turn,)))
        other = bytearray(blob)
        other[bit // 8] ^= 1 << bit % 8
        connection.execute("UPDATE j SET b=? WHERE seq=?", (bytes(other), turn))

    return change


def test_every_flipped_bit_of_a_row_names_the_row(copied: Path) -> None:
    target = segments(copied)[1]
    whole = target.read_bytes()
    ((first, last, size),) = list(
        apsw.Connection(str(target)).execute("SELECT min(seq), max(seq), length(b) FROM j")
    )
    for at, bit in enumerate(range(0, 8 * size, 13)):
        turn = first + at % (last - first + 1)
        broken(target, flip_bit(turn, bit))
        (fault,) = proven(copied).faults
        assert fault.startswith(f"journal/{target.name}: row {turn} was altered"), (turn, bit)
        target.write_bytes(whole)


def test_any_flipped_bit_of_a_file_is_harmless_or_named(copied: Path, rng: Seeded) -> None:
    sound = proven(copied)
    named = 0
    for path in [*segments(copied), copied / "pages.db"]:
        whole = path.read_bytes()
        for _ in range(60):
            other = bytearray(whole)
            other[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            path.write_bytes(bytes(other))
            try:
                proof = proven(copied)
            except (InvalidArgument, StoreDamaged):  # of another format, by its bytes
                named += 1
                continue
            named += bool(proof.faults)
            assert proof.faults or proof == sound, rng
        path.write_bytes(whole)
    assert named >= 10  # the rest of most files is air


@pytest.mark.parametrize("place", ["first", "within", "last"])
def test_a_removed_row_is_named(copied: Path, place: str) -> None:
    target = segments(copied)[1]
    (ends,) = list(apsw.Connection(str(target)).execute("SELECT min(seq), max(seq) FROM j"))
    turn = {"first": ends[0], "within": ends[0] + 2, "last": ends[1]}[place]
    broken(target, lambda c: c.execute("DELETE FROM j WHERE seq=?", (turn,)))
    (fault,) = proven(copied).faults
    assert fault == f"journal/{target.name}: row {turn} is missing"


def test_two_rows_in_each_others_place_are_named(copied: Path) -> None:
    target = segments(copied)[2]

    def swap(connection: apsw.Connection) -> None:
        rows = list(connection.execute("SELECT seq, b FROM j ORDER BY seq LIMIT 2"))
        for (turn, _), (_, blob) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE j SET b=? WHERE seq=?", (blob, turn))

    broken(target, swap)
    assert "was altered, or is not in its place" in proven(copied).faults[0]


def test_rows_cut_off_the_end_are_named(copied: Path) -> None:
    target = segments(copied)[-1]
    broken(target, lambda c: c.execute("DELETE FROM j WHERE seq > ?", (ROWS - 1,)))
    assert proven(copied).faults == [f"journal/{target.name}: row {ROWS} is missing"]


def test_a_segment_that_is_gone_or_anothers_is_named(copied: Path) -> None:
    files = segments(copied)
    whole = files[1].read_bytes()
    files[1].unlink()
    assert f"journal/{files[1].name} is missing" in proven(copied).faults[0]
    files[1].write_bytes(files[2].read_bytes())
    assert "is in truth segment" in proven(copied).faults[0]
    files[1].write_bytes(whole)
    assert proven(copied).faults == []


def test_an_older_page_put_back_is_named(rng: Seeded) -> None:
    with quick() as place:
        store = filled(place / "store", rng)
        store.backup(str(place / "older"), 0.0)
        write(store, {("state", 1): (ROWS, rng.randbytes(3_000))})
        store.backup(str(place / "copy"), 0.0)
        store.close()
        old = apsw.Connection(str(place / "older" / "pages.db"))
        (page,) = list(old.execute("SELECT * FROM state WHERE number=1"))
        broken(
            place / "copy" / "pages.db",
            lambda c: c.execute("INSERT OR REPLACE INTO state VALUES(?,?,?,?,?,?)", page),
        )
        assert proven(place / "copy").faults == [
            "pages.db: table state holds a page that is not its latest version"
        ]


def test_a_copy_that_takes_the_journal_first_is_found_out(
    rng: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: its pages may know of rows that its journal lacks."""
    with quick() as place:
        store = filled(place / "store", rng)
        assert isinstance(store, SqliteStore)
        before = store._journal.tip
        append(store, 3, rng)
        write(store, {("state", 1): (ROWS + 3, rng.randbytes(3_000))})
        monkeypatch.setattr(backup, "durable", lambda journal: before)
        store.backup(str(place / "copy"), 0.0)
        store.close()
        assert proven(place / "copy").faults == [
            f"pages.db: table state, page 1 is from turn {ROWS + 3}, "
            f"but the journal ends with row {ROWS}"
        ]
        with (
            pytest.raises(StoreDamaged, match="page 1 is from turn"),
            staged(str(place / "copy"), str(place / "again"), RawKey(KEY), None),
        ):
            raise AssertionError("nobody may restore it")


def test_a_whole_older_copy_is_named_by_a_known_head_alone(copied: Path, rng: Seeded) -> None:
    store = open_store(copied.parent / "store", KEY)
    append(store, 3, rng)
    save_head(store.known_head(), copied.parent / "head.json")
    store.close()
    assert proven(copied).faults == []
    (fault,) = proven(copied, head=True).faults
    assert fault.startswith(f"the journal ends with row {ROWS}, but row {ROWS + 3} with tag")


def test_a_store_at_work_names_what_is_damaged_under_it(rng: Seeded) -> None:
    with quick() as place:
        store = filled(place / "store", rng)
        store.tick()
        store.close()
        store = open_store(place / "store", KEY, segment_bytes=SMALL)
        append(store, 3, rng)
        target = sorted((place / "store" / "journal").glob("*.db"))[1]
        ((turn,),) = list(apsw.Connection(str(target)).execute("SELECT min(seq) FROM j"))
        broken(target, flip_bit(turn, 5))
        proof = told(store)
        assert [fault.partition(" was")[0] for fault in proof.faults] == [
            f"journal/{target.name}: row {turn}"
        ]
        assert proof.turn == proof.head == ROWS + 3
        append(store, 1, rng)  # it is at work as before
        store.close()
