"""The store while the disk does as it is told: what goes in comes out, in order, and only as told.

Opening a store, and who may, is in test_store_opening.py; broken ones are in test_store_damage.py.
"""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Seeded
from faults import KEY, append, contents, copy, keep_house, quick, read, row, write

from watchword.errors import (
    InvalidArgument,
    NotFound,
    StoreDamaged,
    StoreFailed,
)
from watchword.store import Page, open_store, pages

SMALL = 40_000  # bytes of a segment: seven rows of 100 bytes


@pytest.fixture
def path() -> Iterator[Path]:
    with quick() as place:
        yield place / "store"


def names(path: Path) -> set[str]:
    return {str(name.relative_to(path)) for name in path.rglob("*")}


# ---- what goes in comes out -----------------------------------------------------------------


def test_a_new_store_is_empty_and_keeps_its_secret(path: Path) -> None:
    store = open_store(path, KEY)
    assert store.created
    assert (store.head, store.last_time_ms, len(store.secret)) == (0, 0, 32)
    secret = store.secret
    assert read(store) == ({}, {})
    store.close()
    store = open_store(path, KEY)
    assert not store.created
    assert store.secret == secret
    store.close()


def test_rows_and_pages_come_back_as_they_were(path: Path, rng: Seeded) -> None:
    sizes = [32, 33, 100, 4064, 4096, 33_000, 300_000]
    rows = {turn: row(turn, size, rng) for turn, size in enumerate(sizes, 1)}
    rows |= {8: b"", 9: b"x", 10: b"\0" * 31}
    plain = {
        ("tombstones", 3): (10, b""),
        ("covered", 0): (9, b""),
        ("identity", 0): (2, rng.randbytes(60_000)),
        ("state", 10_000): (7, rng.randbytes(40_000)),
        ("state", 1): (0, b"1"),
    }
    store = open_store(path, KEY)
    store.append([(turn, rows[turn]) for turn in (1, 2, 3)])
    for turn in range(4, 11):
        store.append([(turn, memoryview(rows[turn]))])
    store.append([])
    assert store.head == 10
    write(store, plain)
    store.close()
    for _ in range(2):
        store = open_store(path, KEY)
        assert store.head == 10, rng
        assert read(store) == (rows, plain), rng
        store.close()


def test_pages_come_table_by_table_and_numbers_ascend(path: Path) -> None:
    store = open_store(path, KEY)
    places = [(table, number) for table in ("covered", "identity", "state") for number in (0, 9)]
    write(store, dict.fromkeys(reversed(places), (0, b"image")))
    assert [(page.table, page.number) for page in store.pages()] == places
    store.close()


def test_the_last_rows_time_is_known(path: Path) -> None:
    store = open_store(path, KEY)
    append(store, 3, random.Random(1))
    assert store.last_time_ms == 3000
    store.close()
    store = open_store(path, KEY)
    assert store.last_time_ms == 3000
    store.append([(4, b"a row without a header")])
    assert store.last_time_ms == 0
    store.close()


@pytest.mark.parametrize("ticks", [False, True], ids=["without ticks", "with ticks"])
def test_a_journal_of_many_segments_is_one_journal(path: Path, rng: Seeded, ticks: bool) -> None:
    store = open_store(path, KEY, segment_bytes=SMALL)
    rows = {}
    for _ in range(10):
        rows |= append(store, 3, rng)
        if ticks:
            store.tick()
    assert store.counters()["segments"] > 3
    store.close()
    store = open_store(path, KEY, segment_bytes=SMALL)
    for after in (0, 1, 6, 7, 8, 9, 29, 30):
        wanted = {turn: plain for turn, plain in rows.items() if turn > after}
        assert read(store, after).rows == wanted, (after, rng)
    store.close()


def test_a_busy_journal_writes_its_next_files_ahead(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY, segment_bytes=SMALL)
    rows = append(store, 1, rng, size=10)
    keep_house(store)  # a row is far more than a sixty-fourth of so small a segment
    first, *ahead = sorted(path.glob("journal/*-wal"))
    assert first.stat().st_size < SMALL
    assert [file.stat().st_size for file in ahead] == [SMALL] * 2
    rows |= append(store, 2, rng, size=10)  # into what was written ahead
    keep_house(store)
    rows |= append(store, 1, rng, size=10)  # and it stays there
    assert store.counters()["segments"] == 2
    assert [file.stat().st_size for file in ahead] == [SMALL] * 2
    killed = copy(path, path.with_name("killed"))
    assert contents(killed).rows == rows, rng
    for at in (SMALL - 1, SMALL - 5000):  # beyond the rows nothing says anything
        flip = copy(path, path.with_name(f"flipped-{at}"))
        with (flip / ahead[0].relative_to(path)).open("r+b") as file:
            file.seek(at)
            file.write(b"\x40")
        assert contents(flip).rows == rows, (at, rng)
    store.close()
    left = {file: file.stat().st_size for file in path.glob("journal/*-wal")}
    assert all(left.get(file, 0) < SMALL for file in ahead), left
    assert contents(path).rows == rows, rng


def test_a_journal_that_is_not_busy_takes_no_room_ahead(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY)
    for _ in range(3):
        append(store, 3, rng)
        keep_house(store)
    assert sum(file.stat().st_size for file in path.glob("journal/*")) < 1 << 20
    store.close()


def test_every_life_goes_on_where_the_last_one_ended(path: Path, rng: Seeded) -> None:
    rows = {}
    for life in range(6):
        store = open_store(path, KEY)
        assert store.head == len(rows)
        assert read(store).rows == rows, rng
        rows |= append(store, life, rng)
        store.close()
    assert contents(path).rows == rows, rng


def test_openings_that_write_nothing_leave_nothing(path: Path) -> None:
    store = open_store(path, KEY)
    append(store, 1, random.Random(1))
    store.close()
    before = names(path)
    for _ in range(3):
        store = open_store(path, KEY)
        store.tick()
        store.close()
    assert names(path) == before


def test_a_killed_owner_loses_nothing_it_had_acknowledged(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY, segment_bytes=SMALL)
    rows = append(store, 20, rng)
    store.tick()
    rows |= append(store, 3, rng)
    killed = copy(path, path.with_name("killed"))
    store.close()
    assert contents(killed).rows == rows, rng
    assert contents(killed).rows == rows, rng


def test_small_rows_do_not_keep_a_page_of_disk_each(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY, segment_bytes=500_000)
    rows = append(store, 200, rng)
    store.tick()
    store.close()
    size = sum(file.stat().st_size for file in (path / "journal").iterdir())
    assert size < 200 * 400
    assert contents(path).rows == rows, rng


def test_two_threads_share_a_store_as_the_seam_says(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY, segment_bytes=SMALL)
    stop, failed = threading.Event(), []

    def keep() -> None:
        try:
            while not stop.is_set():
                store.tick()
                turn = store.head
                write(store, {("state", turn % 5): (turn, b"%d" % turn)})
                store.counters()
                store.drop_before(store.head - 60)
        except Exception as error:
            failed.append(error)

    keeper = threading.Thread(target=keep)
    keeper.start()
    rows = append(store, 150, rng)
    stop.set()
    keeper.join()
    assert not failed
    first = next(turn for turn in rows if turn > store.counters()["dropped_through"])
    store.close()
    kept = {turn: plain for turn, plain in rows.items() if turn >= first}
    assert contents(path, first - 1).rows == kept, rng


def test_pages_written_in_a_stream_do_not_pile_up_in_the_wal(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY)
    for number in range(16):
        write(store, {("state", number): (0, rng.randbytes(1 << 20))})
    assert (path / "pages.db-wal").stat().st_size < 8 << 20
    store.close()
    assert len(contents(path).pages) == 16


# ---- what a store refuses -------------------------------------------------------------------


@pytest.mark.parametrize("turns", [[0], [2], [1, 1], [1, 3], [-1]])
def test_turns_leave_no_gap(path: Path, turns: list[int]) -> None:
    for place in (path, ":memory:"):
        store = open_store(place, KEY)
        with pytest.raises(InvalidArgument, match="cannot follow turn"):
            store.append([(turn, b"row") for turn in turns])
        store.append([(1, b"row")])  # misuse does not end the store
        assert store.head == 1
        store.close()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Page("state", 0, 4, b""), "page 0 is from turn 4, but the journal is durable through 3"),
        (Page("users", 0, 1, b""), "table must be one of"),
        (Page("state", -1, 1, b""), "page number -1"),
        (Page("state", 1 << 31, 1, b""), "page number 2147483648"),
    ],
)
def test_pages_follow_the_journal(path: Path, page: Page, words: str) -> None:
    for place in (path, ":memory:"):
        store = open_store(place, KEY)
        append(store, 3, random.Random(1))
        with pytest.raises(InvalidArgument, match=words):
            store.write_pages([Page("state", 0, 3, b""), page])
        write(store, {("state", 0): (3, b"good")})
        store.close()
    assert contents(path).pages == {("state", 0): (3, b"good")}


def test_replay_comes_first_and_from_where_rows_are(path: Path) -> None:
    store = open_store(path, KEY)
    append(store, 2, random.Random(1))
    with pytest.raises(InvalidArgument, match="before the first append"):
        next(store.replay(0))
    store.close()
    store = open_store(path, KEY)
    with pytest.raises(InvalidArgument, match="beyond the journal's end"):
        next(store.replay(3))
    store.close()


def test_a_closed_store_takes_nothing(path: Path) -> None:
    store = open_store(path, KEY)
    store.close()
    store.close()
    for use in (
        lambda: store.append([(1, b"row")]),
        lambda: write(store, {("state", 0): (0, b"")}),
        store.tick,
        store.rotate,
        store.retire,
        lambda: store.drop_before(1),
    ):
        with pytest.raises(StoreFailed, match="is closed"):
            use()


def test_a_store_in_memory_keeps_the_head_alone() -> None:
    store = open_store(":memory:")
    assert store.created
    assert len(store.secret) == 32
    rows = append(store, 5, random.Random(1))
    assert (store.head, store.last_time_ms) == (5, 5000)
    assert (list(store.pages()), list(store.replay(5))) == ([], [])
    with pytest.raises(NotFound):
        store.replay(len(rows) - 1)
    assert (store.rotate(), store.retire(), store.stale_pages(), store.drop_before(9)) == (
        2,
        [],
        0,
        0,
    )
    assert store.counters()["head"] == 5
    store.tick()
    store.close()
    with pytest.raises(StoreFailed):
        store.append([(6, b"row")])


# ---- dropping and rotating ------------------------------------------------------------------


def test_dropped_rows_leave_an_anchor(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY, segment_bytes=SMALL)
    rows = append(store, 30, rng)
    assert store.drop_before(1) == 0
    gone = store.drop_before(20)
    assert gone >= 2
    assert store.drop_before(20) == 0
    through = store.counters()["dropped_through"]
    assert 12 < through < 20
    store.tick()
    assert len(list((path / "journal").glob("*.db"))) <= 7 - gone + 2
    store.close()
    kept = {turn: plain for turn, plain in rows.items() if turn > through}
    assert contents(path, through).rows == kept, rng
    with pytest.raises(StoreDamaged, match=f"begins with row {through + 1}, row 1 was dropped"):
        contents(path, 0)


def test_a_journal_may_be_dropped_whole(path: Path, rng: Seeded) -> None:
    store = open_store(path, KEY)
    append(store, 5, rng)
    store.close()
    store = open_store(path, KEY)
    assert store.drop_before(6) == 1
    store.close()
    store = open_store(path, KEY)
    assert (store.head, store.last_time_ms) == (5, 5000)
    more = append(store, 2, rng)
    store.close()
    assert contents(path, 5).rows == more, rng


def test_a_rotation_reseals_what_is_rewritten_and_forgets_the_old_key(
    path: Path, rng: Seeded
) -> None:
    store = open_store(path, KEY)
    rows = append(store, 5, rng)
    write(store, {("state", number): (5, b"old") for number in range(3)})
    assert store.rotate() == 2
    rows |= append(store, 5, rng)
    assert (store.stale_pages(), store.retire()) == (3, [])
    write(store, {("state", number): (6, b"new") for number in range(3)})
    assert (store.stale_pages(), store.retire()) == (0, [])  # the first segment needs key 1 yet
    assert store.drop_before(6) == 1
    assert store.retire() == [1]
    assert store.counters()["keys"] == 1
    killed = copy(path, path.with_name("killed"))
    store.close()
    for place in (path, killed):
        found = contents(place, 5)
        assert found.rows == {turn: rows[turn] for turn in range(6, 11)}, rng
        assert found.pages == {("state", number): (6, b"new") for number in range(3)}


def test_rotations_may_follow_one_another(path: Path, rng: Seeded) -> None:
    rows = {}
    for life in range(3):
        store = open_store(path, KEY)
        assert store.rotate() == 2 + 2 * life
        assert store.rotate() == 3 + 2 * life
        rows |= append(store, 2, rng)
        write(store, {("state", life): (store.head, b"%d" % life)})
        store.close()
    assert contents(path).rows == rows, rng
    store = open_store(path, KEY)
    assert store.retire() == [1, 2, 4, 6]
    store.close()
    assert contents(path).rows == rows, rng


def test_a_key_seals_so_many_pages_and_no_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_SEALS_MAX", 5)
    store = open_store(path, KEY)
    write(store, {("state", number): (0, b"") for number in range(3)})
    store.close()
    store = open_store(path, KEY)
    assert store.counters()["seals"] == 3
    write(store, {("state", number): (0, b"") for number in range(2)})
    with pytest.raises(InvalidArgument, match="data key 1 has sealed 5 pages"):
        write(store, {("state", 0): (0, b"")})
    store.rotate()
    write(store, {("state", 0): (0, b"")})
    assert store.counters()["seals"] == 1
    store.close()
