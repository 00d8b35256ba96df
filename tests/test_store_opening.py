"""Opening a store: what its files show, whose it is, and what is not a store at all."""

import contextlib
import hashlib
import hmac
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from faults import KEY, append, contents, copy, quick, write

from watchword.errors import (
    Error,
    InvalidArgument,
    NotFound,
    StoreDamaged,
    StoreOwned,
    WrongKey,
)
from watchword.store import Store, catalog, disk, open_store


@pytest.fixture
def path() -> Iterator[Path]:
    with quick() as place:
        yield place / "store"


def names(path: Path) -> set[str]:
    return {str(name.relative_to(path)) for name in path.rglob("*")}


def test_a_path_that_is_not_utf8_is_refused_and_nothing_is_made(path: Path) -> None:
    """SQLite would take no file there, and say that what is new was damaged."""
    path.parent.mkdir(exist_ok=True)
    before = os.listdir(path.parent)
    with pytest.raises(InvalidArgument, match=r"path '.*\\udcff' is not UTF-8"):
        open_store(path.with_name(os.fsdecode(b"\xff")))
    assert os.listdir(path.parent) == before


# ---- what the files show --------------------------------------------------------------------


def test_files_are_for_their_owner_alone(path: Path) -> None:
    mask = os.umask(0)
    try:
        store = open_store(path)  # the key file beside it, too
        append(store, 3, random.Random(1))
        write(store, {("state", 0): (1, b"image")})
        store.tick()
        for name in [path, path.with_name("store.key"), *path.rglob("*")]:
            mode = stat.S_IMODE(name.stat().st_mode)
            assert mode == (0o700 if name.is_dir() else 0o600), (name, oct(mode))
        store.close()
    finally:
        os.umask(mask)


def test_files_show_nothing_that_was_put_in(path: Path) -> None:
    canary = b"a seed that nobody may see"
    store = open_store(path, KEY)
    store.append([(1, canary * 3)])
    write(store, {("identity", 0): (1, canary * 400)})
    secret = store.secret
    store.tick()
    killed = copy(path, path.with_name("killed"))
    store.close()
    for file in [*path.rglob("*"), *killed.rglob("*")]:
        if file.is_file():
            for plain in (canary, secret, KEY):
                assert plain not in file.read_bytes(), file


def test_no_two_seals_are_alike(path: Path) -> None:
    """The same rows and pages again, and a copy that goes its own way: never the same bytes."""
    seen: set[bytes] = set()
    for _ in range(2):
        store = open_store(path, KEY)
        append(store, 3, random.Random(1), size=32)
        write(store, {("state", 0): (0, b"image"), ("state", 1): (0, b"image")})
        store.close()
    twin = copy(path, path.with_name("twin"))
    for place in (path, twin):
        store = open_store(place, KEY)
        store.append([(7, b"the same row")])
        store.close()
    for place in (path, twin):
        connection = apsw.Connection(str(place / "journal" / "00000003.db"))
        for (blob,) in connection.execute("SELECT b FROM j"):
            assert blob not in seen
            seen.add(blob)
        connection.close()


def hkdf(secret: bytes, label: str, salt: bytes = b"") -> bytes:
    """RFC 5869 for one block of SHA-256, from the standard library."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, label.encode() + b"\1", hashlib.sha256)


def test_the_format_is_the_one_that_is_written_down(path: Path) -> None:
    """Opens a row and a page by hand, from the master key and the files alone."""
    store = open_store(path, KEY)
    store.append([(1, b"first")])
    store.append([(2, b"second")])
    write(store, {("state", 7): (2, b"image")})
    store.close()
    pages_db = apsw.Connection(str(path / "pages.db"))
    ((body,),) = pages_db.execute("SELECT body FROM note WHERE name='store'")
    store_id = body[4:20]
    ((nonce, wrapped),) = pages_db.execute("SELECT nonce, wrapped FROM key WHERE id=1")
    wrapping = AESGCM(hkdf(KEY, "watchword wrapping"))
    data_key = wrapping.decrypt(nonce, wrapped, b"watchword key" + store_id + b"\0\0\0\1")

    journal = apsw.Connection(str(path / "journal" / "00000001.db"))
    ((header,),) = journal.execute("SELECT b FROM meta")
    salt = header[-32:]
    rows = [blob for (blob,) in journal.execute("SELECT b FROM j ORDER BY seq")]
    cipher = AESGCM(hkdf(data_key, f"watchword segment {store_id.hex()} 1", salt))
    assert cipher.decrypt(bytes(12), rows[0], header) == b"first"
    assert cipher.decrypt(bytes(11) + b"\1", rows[1], rows[0][-16:]) == b"second"

    ((nonce, image),) = pages_db.execute("SELECT nonce, image FROM state WHERE number=7")
    cipher = AESGCM(hkdf(data_key, "watchword pages", store_id))
    place = b"WWPG" + store_id + (1).to_bytes(8) + b"\2"  # incarnation, the third table
    place += (7).to_bytes(8) + (1).to_bytes(8) + (2).to_bytes(8) + (1).to_bytes(4)
    assert cipher.decrypt(nonce, image, place) == b"image"
    journal.close()
    pages_db.close()


# ---- whose store it is ----------------------------------------------------------------------


def test_the_wrong_key_is_named_as_such(path: Path) -> None:
    open_store(path, KEY).close()
    for wrong in (bytes(31) + b"\1", KEY[:-1] + b"\0"):
        with pytest.raises(WrongKey):
            open_store(path, wrong)
    open_store(path, KEY).close()  # the refusals left no lock behind


def test_a_lost_key_file_is_not_replaced(path: Path) -> None:
    open_store(path).close()
    key = path.with_name("store.key")
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(NotFound, match="no key file"):
        open_store(path)
    assert not key.exists()
    key.write_bytes(kept)
    key.chmod(0o600)
    open_store(path).close()


def test_a_second_opener_is_told_who_owns_the_store(path: Path) -> None:
    store = open_store(path, KEY)
    with pytest.raises(StoreOwned, match=f"owned by process {os.getpid()} ") as caught:
        open_store(path, KEY)
    assert "socket" in caught.value.hint
    store.close()
    open_store(path, KEY).close()


OWNER = """
import sys
from watchword.store import open_store
store = open_store(sys.argv[1], bytes(range(1, 33)))
print("owned", flush=True)
sys.stdin.read()
"""


def test_an_owner_in_another_process_is_named_until_it_is_killed(path: Path) -> None:
    script = path.with_name("gateway.py")
    script.write_text(OWNER)
    with subprocess.Popen(
        [sys.executable, script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"owned\n"
        with pytest.raises(StoreOwned, match=rf"owned by process {owner.pid} \(gateway.py\)"):
            open_store(path, KEY)
        owner.kill()
    open_store(path, KEY).close()


@pytest.mark.parametrize("left", ["mbox", ".git/", "journal.txt", "pages.sqlite"])
def test_a_directory_of_something_else_is_not_touched(path: Path, left: str) -> None:
    path.mkdir(mode=0o700)
    (path / left).mkdir() if left.endswith("/") else (path / left).write_text("mine")
    with pytest.raises(InvalidArgument, match="neither empty nor a store"):
        open_store(path, KEY)
    assert names(path) == {left.rstrip("/")}


def test_paths_that_cannot_be_a_store(path: Path) -> None:
    with pytest.raises(NotFound, match="no directory to make"):
        open_store(path / "below" / "nothing", KEY)
    path.write_text("a file")
    with pytest.raises(InvalidArgument, match="is not a directory"):
        open_store(path, KEY)


def test_a_path_may_have_any_name_and_stays_what_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.mkdir()
    monkeypatch.chdir(path)
    name = "50%41 of #1? \u00fc&mode=memory"
    store = open_store(name, KEY, segment_bytes=1)
    monkeypatch.chdir("/")
    rows = append(store, 3, random.Random(1))  # each makes a segment of its own
    store.close()
    assert contents(path / name).rows == rows
    assert [entry.name for entry in path.iterdir()] == [name]


def test_others_may_not_enter_a_store(path: Path) -> None:
    path.mkdir(mode=0o755)
    open_store(path, KEY).close()  # it was empty: the store makes it its own
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o750)
    with pytest.raises(InvalidArgument, match="can be entered by others") as caught:
        open_store(path, KEY)
    assert caught.value.hint == f"chmod 700 {path}"


def test_an_unfinished_creation_is_begun_again(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "journal").mkdir(mode=0o700)
    for name in ("owner.lock", "pages.new", "pages.new-journal", "pages.new-wal"):
        (path / name).write_bytes(b"half of it")
    store = open_store(path, KEY)
    assert store.created
    append(store, 1, random.Random(1))
    store.close()
    assert {name.split("-")[0] for name in names(path)} == {
        "owner.lock", "pages.db", "journal", "journal/00000001.db"
    }  # fmt: skip


def test_a_journal_without_its_pages_is_no_new_store(path: Path) -> None:
    store = open_store(path, KEY)
    append(store, 1, random.Random(1))
    store.close()
    for file in path.glob("pages.db*"):
        file.unlink()
    with pytest.raises(StoreDamaged, match=r"pages\.db is missing"):
        open_store(path, KEY)


@pytest.mark.parametrize(
    ("written", "words", "hint"),
    [
        (5, "format 5, this program knows none after 4", "newer watchword"),
        (0, "format 0, this program works with 1 to 4", "watchword upgrade"),
    ],
)
def test_another_format_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: int, words: str, hint: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "FORMAT", written)
        patch.setattr(catalog, "FORMAT_OLDEST", 0)
        open_store(path, KEY).close()
    with pytest.raises(InvalidArgument, match=words) as caught:
        open_store(path, KEY)
    assert hint in caught.value.hint


@pytest.mark.parametrize("older", [1, 2, 3])
def test_a_store_of_an_older_format_is_opened_and_no_more_for_who_knows_that_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch, older: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "FORMAT", older)
        store = open_store(path, KEY)
        append(store, 3, random.Random(1))
        write(store, {("state", 0): (1, b"image")})
        store.close()
        before = contents(path)
    assert contents(path) == before
    assert contents(path) == before  # and as one of today's
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "FORMAT", older)
        with pytest.raises(InvalidArgument, match=f"format 4, .* knows none after {older}"):
            open_store(path, KEY)


@pytest.mark.parametrize("version", ["3.7.17", "3.50.4", "3.51.2"])
def test_a_sqlite_that_loses_commits_is_refused(version: str) -> None:
    with pytest.raises(Error, match=rf"SQLite {version} is older than 3.51.3"):
        disk.expect_library(version)
    for good in ("3.51.3", "3.52", "4.0.0"):
        disk.expect_library(good)


def test_the_seam_is_what_both_stores_offer(path: Path) -> None:
    seam = {name for name in vars(Store) if not name.startswith("_")}
    for place in (path, ":memory:"):
        with contextlib.closing(open_store(place, KEY)) as store:
            assert seam <= set(dir(store))


# ---- a crash amid the emptying of pages.db-wal ----------------------------------------------


def begun(path: Path, turn: int) -> bytes:
    """The -wal of pages.db after two changes of a life that found it empty, and was killed."""
    place = path / "pages.db"
    connection = disk.connect(str(place), keep_wal=True)
    try:
        disk.fold_wal(connection)
        for note in range(2):
            connection.execute(
                "INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (f"n{note}", bytes([turn]), b"")
            )
        return place.with_name("pages.db-wal").read_bytes()
    finally:
        connection.close()


def test_frames_that_were_folded_are_not_taken_for_commits_that_were_lost(path: Path) -> None:
    """A life empties the -wal and is killed; the next begins it anew and the system goes down: the
    new head may be on the disk and neither of the two truncations before it. SQLite counts its
    first salt from 1 wherever it finds no frame, so that head and old frames share it."""
    open_store(path, KEY).close()
    old = begun(path, 1)
    connection = disk.connect(str(path / "pages.db"), keep_wal=True)
    disk.fold_wal(connection)
    connection.close()
    folded = (path / "pages.db").read_bytes()
    new = begun(path, 2)
    assert old[16:20] == new[16:20] and old[20:24] != new[20:24]
    (path / "pages.db").write_bytes(folded)
    (path / "pages.db-wal").write_bytes(new[:32] + old[32:])
    with contextlib.closing(open_store(path, KEY)) as store:
        assert store.head == 0


def test_a_file_that_cannot_be_opened_is_let_go_of(tmp_path: Path) -> None:
    """However long its error is kept: whoever tries again would find it locked."""
    (tmp_path / "x.db").write_bytes(b"no database" * 1000)
    with pytest.raises(apsw.NotADBError) as kept:
        disk.connect(str(tmp_path / "x.db"), keep_wal=True)
    fds = "/proc/self/fd/"
    held = [os.readlink(fds + fd) for fd in os.listdir(fds) if os.path.islink(fds + fd)]
    assert not [name for name in held if name.endswith("x.db")], kept
