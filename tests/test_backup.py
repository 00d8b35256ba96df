"""A backup of a store at work: whole, of one moment, and nobody waits for it; through the library
and through the daemon.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import quick
from lost import KEY, SEED, Day
from served import ReplyError, Served

import watchword
from watchword import Device, Engine, Exists, InvalidArgument, NotFound, StoreFailed, hotp
from watchword.keys import RawKey
from watchword.store import backup as copying
from watchword.store import load_head, prove_files


@pytest.fixture
def day() -> Iterator[Day]:
    with quick() as place:
        made = Day(place)
        yield made
        made.engine.close()


def users(engine: Engine, count: int = 3_000) -> None:
    engine.add_users([f"user{number}" for number in range(count)], [SEED] * count,
                     device=Device.hotp(SEED))  # fmt: skip


def test_logins_go_on_while_a_copy_is_made(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest steps there are, and a login is answered between each two."""
    monkeypatch.setattr(copying, "STEP_PAGES", 1)
    monkeypatch.setattr(copying, "SLICE_BYTES", 1_000)
    users(day.engine)
    assert day.engine._keeper is not None
    day.engine._keeper.pass_seconds, day.engine._keeper.pass_ticks = 0.001, 1
    day.engine._keeper._end.put(None)
    stop, answered = threading.Event(), []

    def log_in() -> None:
        counter = 0
        while not stop.is_set():
            name = f"user{counter % 3_000}"
            assert day.engine.verify(name, hotp(SEED, counter // 3_000))
            answered.append(counter)
            counter += 1

    thread = threading.Thread(target=log_in)
    thread.start()
    while len(answered) < 10:
        time.sleep(0.001)
    begun = day.engine.counters()["head"]
    steps = []

    def progress(done: int, total: int) -> None:
        steps.append(done)
        before = len(answered)
        while len(answered) == before and thread.is_alive():
            time.sleep(0.0001)

    made = day.engine.backup(day.place / "backup", pace=0.0, progress=progress)
    during = len(answered)
    assert thread.is_alive(), "every login was right"
    stop.set()
    thread.join()
    assert during > len(steps) > 20
    assert made.turn > begun, "rows that came meanwhile are in it"
    proof = prove_files(made.path, RawKey(KEY))
    assert proof.faults == []
    assert proof.turn == made.turn
    assert made.bytes == sum(p.stat().st_size for p in Path(made.path).rglob("*") if p.is_file())
    assert sorted(os.listdir(made.path)) == ["journal", "pages.db"]
    assert not list(Path(made.path).rglob("*-wal"))


def test_a_copy_goes_on_through_segments_that_end_and_are_packed(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchword.store.SEGMENT_BYTES", 40_000)
    day.lose()
    day.open("store")
    for number in range(60):
        day.engine.add_user(f"user{number}")
    told = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        day.engine.add_user(f"later{len(told)}")
        day.engine._store.tick()

    made = day.engine.backup(day.place / "backup", pace=0.0, progress=progress)
    assert prove_files(made.path, RawKey(KEY)).faults == []
    assert made.segments > 5
    assert told == sorted(told)
    assert all(done <= total for done, total in told)


def test_who_made_it_is_recorded_and_the_key_is_not_in_it(day: Day) -> None:
    day.engine.backup(day.place / "backup", by="desk 4")
    (entry,) = [entry for entry in day.engine.audit() if entry.text.startswith("backup")]
    assert entry.by == "desk 4"
    assert all(KEY not in path.read_bytes() for path in (day.place / "backup").rglob("*.db"))
    modes = {path.stat().st_mode & 0o77 for path in (day.place / "backup").rglob("*")}
    assert modes == {0}


@pytest.mark.parametrize("to", ["store", "store/within", "full", "file", "no/such/place"])
def test_a_place_that_cannot_be_is_refused_and_nothing_is_left(day: Day, to: str) -> None:
    (day.place / "full").mkdir()
    (day.place / "full" / "something").touch()
    (day.place / "file").touch()
    before = sorted(day.place.rglob("*"))
    with pytest.raises((Exists, InvalidArgument, NotFound)):
        day.engine.backup(day.place / to)
    assert sorted(day.place.rglob("*")) == before


def test_another_disk_that_refuses_does_not_end_the_engine(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    day.engine.add_user("alice")

    def refuse(part: str, to: str) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(copying, "_finish", refuse)
        with pytest.raises((OSError, StoreFailed), match="No space left"):
            day.engine.backup(day.place / "backup")
    assert not (day.place / "backup").exists()
    day.engine.add_user("bob")
    day.engine.backup(day.place / "backup")  # over what the first one left
    assert not (day.place / "backup.part").exists()


def test_closing_ends_a_copy(day: Day) -> None:
    users(day.engine)
    reached, go_on = threading.Event(), threading.Event()
    said: list[BaseException] = []

    def progress(done: int, total: int) -> None:
        reached.set()
        go_on.wait(10)

    def copy() -> None:
        try:
            day.engine.backup(day.place / "backup", progress=progress)
        except watchword.Error as error:
            said.append(error)

    thread = threading.Thread(target=copy)
    thread.start()
    reached.wait(10)
    closing = threading.Thread(target=day.engine.close)
    closing.start()
    while not day.engine._store._closing:  # type: ignore[attr-defined]
        time.sleep(0.001)
    go_on.set()
    closing.join(10)
    thread.join(10)
    assert "is being closed" in str(said[0])
    assert not (day.place / "backup").exists()


def test_a_rotation_waits_for_a_copy(day: Day) -> None:
    """Or rows would be in it under a key that is not."""
    users(day.engine)
    keys = []
    made = day.engine.backup(
        day.place / "backup", progress=lambda done, total: keys.append(day.engine.counters()["key"])
    )
    day.engine.rotate_key()
    assert set(keys) == {1}
    assert prove_files(made.path, RawKey(KEY)).faults == []


# ---- the daemon ------------------------------------------------------------------------------


def told(flat: list[object]) -> dict[object, object]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_daemon_copies_proves_and_knows_its_head(tmp_path: Path) -> None:
    archive, head = tmp_path / "archive", tmp_path / "head.json"
    archive.mkdir()
    settings = f'[journal]\ndays = 3\narchive = "{archive}"\nknown_head = "{head}"\n'
    served = Served(tmp_path, settings).start()
    try:
        with served.acts() as acts:
            assert acts.ask("USER", "ADD", "alice") == "OK"
            for words, refusal in (
                (("BACKUP", "TO", "relative"), "INVALID path is absolute"),
                (("BACKUP", "TO"), "ERR wrong number"),
                (("BACKUP", "TO", "/x", "BYE", "me"), "ERR syntax error"),
                (("AUDIT", "KNOWN", "{}"), "INVALID that is no journal head"),
                (("AUDIT", "VERIFYROWS", "x"), "INVALID after is a whole number"),
            ):
                with pytest.raises(ReplyError, match=refusal):
                    acts.ask(*words)
            assert told(acts.ask("BACKUP", "STATUS")) == {"state": "none"}
            assert acts.ask("BACKUP", "TO", str(tmp_path / "copy"), "BY", "desk 4") == "OK"
            while (status := told(acts.ask("BACKUP", "STATUS")))["state"] == "running":
                time.sleep(0.01)
            assert (status["state"], status["error"]) == ("done", "")
            assert acts.ask("BACKUP", "TO", str(tmp_path / "copy")) == "OK"
            while (status := told(acts.ask("BACKUP", "STATUS")))["state"] == "running":
                time.sleep(0.01)
            assert status["state"] == "failed"
            assert "is not empty" in str(status["error"])
            rows = told(acts.ask("AUDIT", "VERIFYROWS", 0))
            assert (rows["faults"], rows["turn"]) == ([], rows["head"])
            assert told(acts.ask("AUDIT", "VERIFYPAGES", 0))["faults"] == []
            assert told(acts.ask("AUDIT", "KEPT"))["warning"] == ""
            acts.ask("DEVICE", "ADD", "alice", "HOTP", "KEY", SEED.hex(), "SERIAL", "H1")
            assert acts.ask("BACKUP", "FLOORS", "ENDED", 0, "BY", "desk 4") == 1
            with pytest.raises(ReplyError, match="INVALID ended_ms is 0 to"):
                acts.ask("BACKUP", "FLOORS", "ENDED", -1)
            assert told(acts.ask("DEVICE", "GET", "alice", "H1"))["resync"] == 1
            assert acts.ask("AUDIT", "KNOWN", acts.ask("AUDIT", "SIGNED")) == "OK"
        with served.client() as client, pytest.raises(ReplyError, match=r"^NOPERM"):
            client.ask("BACKUP", "STATUS")
        assert served.stop() == 0
        known = load_head(head)
        assert known.turn >= 2
        served.start()
        assert served.stop() == 0
        assert load_head(head).turn >= known.turn
    finally:
        served.stop(9)
