"""The crash rigs in their short forms, and every bug planted for them (tests/crash)."""

import base64
import json
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyotp
import pytest
from conftest import Seeded

from tests.crash.account import CAP, LOCKOUT, Account, State
from tests.crash.disk import SECTOR, Disk, File, draws
from tests.crash.loop import Loop, why_not
from tests.crash.plants import LOOP, REPLAY
from tests.crash.preload import Event, Kind, build, preloaded
from watchword import Device, Engine

STATES = 1_000
STATES_PLANT_MAX = 20_000
CUTS = 5
SEEN_AT_ONCE = {  # the next opening does not know a thing, or the load's own restore
    "key_retired_early", "segment_noted_late", "copied_without_the_live_segment",
    "cut_into_the_rows",
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("preload"))


# ---- the model of a user ----


def test_the_oracle_of_the_kill_rig_knows_what_an_engine_does(rng: Seeded) -> None:
    """It once did not know the cap, and took codes that a suspended device never tried for codes
    that had been forgotten."""
    key, state, capped = rng.randbytes(20), State(), 0
    codes = pyotp.HOTP(base64.b32encode(key).decode(), digits=8)
    with Engine.open(clock=lambda: 0) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.hotp(key=key, digits=8, look_ahead=3))
        for _ in range(2_000):
            counter = rng.choice([None, state.moving, rng.randrange(state.moving + 1)])
            if state.failures > 2 and rng.random() < 0.3:
                counter = None
            code = "wrong" if counter is None else codes.at(counter)
            verdict, state = state.after(counter)
            assert engine.verify("alice", code).code.name == verdict
            user = engine.user("alice")
            locked = (user.locked_until_ms or 0) > 0
            charged = user.devices[0].failures
            assert State(user.devices[0].moving, LOCKOUT if locked else user.failures, charged) == (
                state
            )
            capped += state.charged == CAP
            if rng.random() < 0.005:
                engine.unlock("alice", by="the test")
                state = state.unlocked()
    assert capped


def test_a_used_code_that_comes_again_is_not_played() -> None:
    """Counters 490 and 1493 of this user have one code; a run of the rig once came upon them."""
    account = Account("user8")
    account.known = account._hoped = State(1490)
    assert account.used(490) is None
    assert account.used(489) == 489


# ---- the model of a disk ----


def play(*events: tuple[Any, ...]) -> Disk:
    """A disk below /r after events written short."""
    disk = Disk("/r")
    for kind, path, inode, offset, written in events:
        disk.apply(Event(kind, path, inode, offset, written))
    return disk


MADE = (Kind.CREATE, "/r/a", 1, 0, b"")
NAMED = (Kind.SYNC, "/r", 0, 0, b"")
SYNCED = (Kind.SYNC, "", 1, 0, b"")


def test_what_was_synced_is_in_every_state(rng: Seeded) -> None:
    """A file and its name, each once its own sync was answered."""
    disk = play(MADE, (Kind.WRITE, "", 1, 0, b"x" * 600), SYNCED, NAMED)
    assert [state for _, state in draws(disk, rng)] == [{"a": b"x" * 600}]
    disk.apply(Event(Kind.WRITE, "", 1, 600, b"y" * 2000))
    for policy, state in draws(disk, rng):
        held = state["a"]
        assert held is not None and held[:600] == b"x" * 600, policy


def test_a_name_without_its_directory_and_bytes_without_their_sync(rng: Seeded) -> None:
    """Each alone may survive; a rename may leave an empty file."""
    disk = play(MADE, (Kind.WRITE, "", 1, 0, b"x"), (Kind.RENAME, "/r/a", 0, 0, b"/r/b"))
    states = dict(draws(disk, rng))
    assert states["lost"] == {}
    assert states["names without data"] == {"b": b""}
    assert states["kept"] == {"b": b"x"}


def test_names_become_durable_in_the_order_they_were_given() -> None:
    """Syncing a directory takes along what was done before, wherever it was."""
    disk = play((Kind.MKDIR, "/r/d", 0, 0, b""), MADE, (Kind.CREATE, "/r/d/c", 2, 0, b""),
                (Kind.SYNC, "/r/d", 0, 0, b""), (Kind.UNLINK, "/r/a", 0, 0, b""))  # fmt: skip
    assert disk.state(File.lost, 0) == {"d": None, "a": b"", "d/c": b""}
    assert disk.state(File.lost) == {"d": None, "d/c": b""}


def test_a_torn_write_is_torn_at_sectors(rng: Seeded) -> None:
    """Any of them may be there; a hole before one that is reads as zeros."""
    disk = play(MADE, NAMED, (Kind.WRITE, "", 1, 100, b"x" * 3 * SECTOR))
    seen = set()
    for _ in range(100):
        for _, state in draws(disk, rng):
            held = state["a"] or b""
            ends = [100, *range(SECTOR, 4 * SECTOR, SECTOR)]
            pieces = [held[at:end] for at, end in pairwise(ends)]
            assert all(len(set(piece)) <= 1 for piece in pieces)
            seen.add(tuple(piece[:1] for piece in pieces))
    assert len(seen) > 8
    assert (b"\0", b"x") in {pieces[:2] for pieces in seen}


# ---- recorded writes ----


def test_every_disk_a_crash_may_leave_opens_and_keeps_what_was_answered(
    library: Path, rng: Seeded
) -> None:
    done = preloaded(library, "replay", "--states", STATES, "--seed", rng.text, quiet=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{STATES:,} states" in done.stdout
    assert "0 failures" in done.stdout


@pytest.fixture(scope="module")
def planted(library: Path) -> dict[str, list[Any]]:
    """What the replay said to each planted bug, all in one process and from one seed: that each is
    found is the point, and how long that takes should not depend on the day."""
    done = preloaded(library, "plants", "--states", STATES_PLANT_MAX, "--seed", 11, quiet=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", REPLAY)
def test_the_replay_finds_what_was_planted(name: str, planted: dict[str, list[Any]]) -> None:
    states, *failures = planted[name]
    assert len(failures) == 1, f"not found in {states} states"
    # A load that cannot open its own store has shown nothing of cuts and tears.
    assert states > 0 or name in SEEN_AT_ONCE, failures


# ---- a real file system ----


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="watchword-loop-") as place:
        yield Path(place)


def test_a_real_file_system_that_is_cut_off_keeps_what_was_answered(
    folder: Path, rng: Seeded
) -> None:
    """Where a loop device may be attached; elsewhere the rig says why it may not."""
    why = why_not(folder)
    assert "not found" not in why, f"{why}: tests/tools.sh brings it"
    loop = Loop(folder, rng.text)
    if not why:
        loop.run(CUTS)
    assert loop.failures == []
    assert (loop.cuts, bool(why)) in [(CUTS, False), (0, True)], why


@pytest.mark.parametrize("name", LOOP)
def test_a_real_file_system_finds_what_was_planted(name: str, folder: Path, rng: Seeded) -> None:
    why = why_not(folder)
    loop = Loop(folder, rng.text, LOOP[name])
    if not why:
        loop.run(40)
    assert bool(loop.failures) != bool(why), why
