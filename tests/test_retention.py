"""How much of the journal is kept: by age and by size, never what is still needed, archived first
where that is asked; and a restore goes on from a backup with what was archived.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import quick

import watchword
from watchword import Device, Engine, InvalidArgument, Retention, hotp, retention
from watchword.serve import heads
from watchword.serve.config import Config
from watchword.store import sqlite

KEY = bytes(range(32))
SEED = b"twenty bytes of a key"
START_MS = 1_800_000_000_000
DAY_MS = 86_400_000


class Days:
    """An engine with small segments and a clock of the test's own; the keeper does as told here."""

    def __init__(self, place: Path) -> None:
        self.place, self.now_ms = place, START_MS
        self.open()

    def open(self) -> Engine:
        self.engine = Engine.open(self.place / "store", KEY, clock=lambda: self.now_ms)
        return self.engine

    def reopen(self) -> Engine:
        self.engine.close()
        return self.open()

    def look(self) -> None:
        assert self.engine._keeper is not None
        self.engine._keeper.write()
        self.engine._retained_s = 0.0
        with self.engine._keeper._writing:
            self.engine._keeper._keep_house()

    def users(self, count: int = 40) -> None:
        known = len(self.engine.users())
        for number in range(known, known + count):
            self.engine.add_user(f"user{number}")

    @property
    def since(self) -> int:
        return self.engine.counters()["dropped_through"]


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Iterator[Days]:
    monkeypatch.setattr(sqlite, "SEGMENT_BYTES", 40_000)
    monkeypatch.setattr("watchword.store.SEGMENT_BYTES", 40_000)
    with quick() as place:
        made = Days(place)
        yield made
        made.engine.close()


def test_rows_go_when_they_are_too_old(days: Days) -> None:
    days.users()
    days.now_ms += 29 * DAY_MS
    days.users()
    days.look()
    assert days.since == 0
    days.now_ms += 2 * DAY_MS
    days.users(2)
    days.look()
    assert 0 < days.since <= 40
    notes = [entry.text for entry in days.engine.audit(only="acts") if entry.event == "note"]
    assert [note[:20] for note in notes] == [f"rows before {days.since + 1} dropped"[:20]], notes
    assert len(days.reopen().users()) == 82


def test_rows_go_when_there_are_too_many(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_journal_bytes_max", lambda self: 8_000)
    days.users(60)
    days.now_ms += retention.YOUNG_MS + 1
    days.users(60)
    assert days.engine.journal_kept.percent >= retention.WARN_PERCENT
    assert "the oldest rows will go" in days.engine.journal_kept.warning
    days.look()
    kept = days.engine.journal_kept
    assert days.since > 0
    assert kept.bytes <= 400_000 + 100_000
    assert kept.since_ms >= START_MS


def test_young_rows_and_rows_without_pages_stay(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "_journal_bytes_max", lambda self: 1)
    days.users(60)
    days.look()
    assert days.since == 0, "a request id is remembered as long"
    days.now_ms += retention.YOUNG_MS + 1
    covered = days.engine._covered
    days.users(60)
    days.engine._retained_s = 0.0
    days.engine._retain()
    assert 0 < days.since <= covered, "no page holds what came after"


def test_nothing_goes_before_it_is_archived(days: Days) -> None:
    archive = days.place / "archive"
    archive.mkdir()
    days.engine.keep_journal(Retention(archive=str(archive)))
    days.users()
    days.look()
    names = sorted(path.name for path in archive.iterdir())
    assert names == [f"1-{number:08d}.db" for number in range(1, len(names) + 1)]
    assert len(names) >= 2
    assert days.since == 0
    shutil.rmtree(archive)
    days.now_ms += 40 * DAY_MS
    days.users()
    days.look()
    assert days.since == 0
    assert "there is no directory" in days.engine.journal_kept.warning
    archive.mkdir()
    days.look()
    assert days.since > 0
    assert days.engine.journal_kept.warning == ""
    assert days.engine.journal_kept.archived >= days.since


def test_an_archive_that_refuses_does_not_end_the_engine(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = days.place / "archive"
    archive.mkdir()
    days.engine.keep_journal(Retention(archive=str(archive)))
    days.users()

    def refuse(source: str, to: str) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        days.look()
    assert "No space left on device" in days.engine.journal_kept.warning
    days.users(1)
    days.look()
    assert not list(archive.glob("*.part"))
    assert list(archive.glob("*.db"))


@pytest.mark.parametrize("rotated", [False, True])
def test_a_backup_goes_on_with_what_was_archived(days: Days, rotated: bool) -> None:
    archive = days.place / "archive"
    archive.mkdir()
    days.engine.keep_journal(Retention(archive=str(archive)))
    days.engine.add_user("bob")
    days.engine.add_device("bob", Device.hotp(SEED))
    days.engine.backup(days.place / "backup")
    if rotated:
        days.engine.rotate_key()
    assert days.engine.verify("bob", hotp(SEED, 0))
    days.users(80)
    days.look()
    kept = days.engine.journal_kept.archived
    days.engine.close()
    made = watchword.restore(
        days.place / "backup", days.place / "again", KEY, by="desk 4", journal=archive,
        acknowledge=lambda lost: True, clock=lambda: days.now_ms,
    )  # fmt: skip
    assert made.turn == kept
    assert made.segments >= 2
    with Engine.open(days.place / "again", KEY, clock=lambda: days.now_ms) as engine:
        assert len(engine.users()) > 40
        assert engine.user("bob").devices[0].moving == 1
        assert not engine.verify("bob", hotp(SEED, 0))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"days": 0}, "days is 1 to 36500"), ({"days": True}, "days is 1"),
        ({"disk_percent": 101}, "disk_percent is 1 to 100"),
        ({"archive": "/nowhere/at/all"}, "archive is a directory that exists"),
    ],
)  # fmt: skip
def test_figures_are_held_to_their_limits(named: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Retention(**named)  # type: ignore[arg-type]


def test_an_archive_within_the_store_is_refused(days: Days) -> None:
    with pytest.raises(InvalidArgument, match="outside the store"):
        days.engine.keep_journal(Retention(archive=str(days.place / "store" / "journal")))


def test_a_daemon_warns_once_and_tells_its_figures(
    days: Days, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Engine, "_journal_bytes_max", lambda self: 50_000)
    config = Config(store=str(days.place / "store"))
    heads.note_head(config, days.engine)
    assert capsys.readouterr().err == ""
    days.users(12)
    for _ in range(3):
        heads.note_head(config, days.engine)
    assert capsys.readouterr().err == (
        "watchword: warning: the journal fills nearly all that it may: the oldest rows will go\n"
    )
    facts = heads.journal_facts(days.engine)
    assert facts["journal_bytes_max"] == 50_000
    assert int(str(facts["journal_percent"])) >= 80


def test_a_head_that_cannot_be_written_is_said_once_and_ends_nothing(
    days: Days, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(store=str(days.place / "store"), known_head=str(days.place / "none" / "head"))
    for _ in range(2):
        heads.note_head(config, days.engine)
    assert capsys.readouterr().err.count("is not written: No such file or directory") == 1
    (days.place / "none").mkdir()
    heads.note_head(config, days.engine)
    assert (days.place / "none" / "head").exists()
    days.engine.add_user("alice")
