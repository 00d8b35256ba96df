"""Becoming another user, once what only root can do is done. Where the tests are not root, the user
is the one that they run as, and nothing changes.
"""

import getpass
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from papers import listed
from served import Served

from watchword.errors import Error, InvalidArgument
from watchword.serve.config import Config
from watchword.serve.privileges import become, expect_no_root
from watchword.store.owner import Owner

ROOT = os.geteuid() == 0
USER = "nobody" if ROOT else getpass.getuser()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user may enter and write, unlike those that pytest makes."""
    made = Path(tempfile.mkdtemp())
    if ROOT:
        entry = pwd.getpwnam(USER)
        os.chown(made, entry.pw_uid, entry.pw_gid)
    yield made
    shutil.rmtree(made)


def test_the_daemon_becomes_the_user_it_is_told(folder: Path) -> None:
    sock = folder / "gateways.sock"
    daemon = Served(folder, f'user = "{USER}"\nlisten_unix = "{sock}"\n')
    daemon.start()
    try:
        uid = pwd.getpwnam(USER).pw_uid
        said = Path(f"/proc/{daemon.pid}/status").read_text()
        assert re.search(rf"^Uid:\t{uid}\t{uid}\t{uid}\t{uid}$", said, re.M)
        assert re.search(r"^CapEff:\t0+$", said, re.M)
        assert re.search(r"^CapPrm:\t0+$", said, re.M)
        assert re.search(r"^NoNewPrivs:\t1$", said, re.M)
        assert daemon.store.stat().st_uid == uid
        assert sock.stat().st_uid == uid
        with daemon.client() as client:
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
    finally:
        assert daemon.stop() == 0
    assert daemon.healthy(), daemon.said()


def test_a_user_that_there_is_not_is_named(folder: Path) -> None:
    with pytest.raises(AssertionError, match="this machine has no such user"):
        Served(folder, 'user = "nosuchuser"\n').start()
    with pytest.raises(InvalidArgument, match="no such user"):
        become("nosuchuser")


def test_only_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(Error, match="only root can become root"):
        become("root")
    assert not expect_no_root(True, False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(Error, match="root does not serve a network"):
        expect_no_root(True, False)
    assert not expect_no_root(True, True)
    assert expect_no_root(False, False)


def test_an_access_list_that_others_may_write_is_none(tmp_path: Path) -> None:
    settings = tmp_path / "watchword.toml"
    settings.write_text(listed("portal"))
    settings.chmod(0o666)
    with pytest.raises(InvalidArgument, match="others may write it"):
        Config.load(settings)
    settings.chmod(0o664)
    assert Config.load(settings).gateway[0].name == "portal"


def test_files_of_the_daemon_are_for_its_user_alone(folder: Path) -> None:
    """A store or a key that others can read is refused, with the word that mends it."""
    daemon = Served(folder)
    daemon.start()
    assert daemon.stop() == 0
    key = Path(f"{daemon.store}.key")
    for path, mode in ((daemon.store, 0o750), (key, 0o640), (key, 0o604)):
        kept = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(AssertionError, match="chmod"):
            daemon.start()
        path.chmod(kept)
    daemon.start()
    assert daemon.stop() == 0


def watchword(*words: str) -> tuple[int, str]:
    """The command line, as whoever the tests are."""
    done = subprocess.run(
        [sys.executable, "-m", "watchword", *words], stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def owners(folder: Path) -> set[str]:
    return {path.owner() for path in (folder, *folder.rglob("*"))}


def test_root_leaves_nothing_in_a_store_that_its_owner_cannot_open(folder: Path) -> None:
    """While the daemon is down root's own command would begin a segment that is root's: the daemon
    would not start again."""
    daemon = Served(folder, f'user = "{USER}"\n')
    settings = str(folder / "watchword.toml")
    code, said = watchword("init", "--config", settings)
    assert code == 0, said
    key = Path(f"{daemon.store}.key")
    assert owners(daemon.store) | {key.owner()} == {USER}, "as if the daemon had made it"
    if ROOT:
        os.chown(key, 0, 0)  # as with a credential, which has no owner
        refused = f"watchword: store {daemon.store} belongs to {USER}, and this is root\n"
        for words in ("user list", "user add alice", "audit"):
            code, said = watchword(*words.split(), "--config", settings)
            assert (code, refused in said, f"sudo -u {USER} " in said) == (2, True, True), said
        assert owners(daemon.store) == {USER}
        code, said = watchword("audit", "verify", "--config", settings)
        assert code == 0, said
        assert owners(daemon.store) == {USER}, "who only looks makes nothing"
        shutil.chown(key, USER)
    daemon.start()
    assert daemon.stop() == 0


def test_who_is_kept_out_is_told_whose_the_store_is(folder: Path) -> None:
    store = folder / "store"
    Owner(str(store)).release()
    store.chmod(0)
    said = subprocess.run(
        [sys.executable, "-c", KEPT_OUT, store, USER], text=True, stdout=subprocess.PIPE,
        timeout=120, check=True,
    ).stdout  # fmt: skip
    store.chmod(0o700)
    whose = f"it belongs to root, and this is {USER}\n" if ROOT else "\n"
    assert said == f"store {store} cannot be opened: Permission denied {whose}"


KEPT_OUT = """
import sys
from watchword.errors import StoreFailed
from watchword.serve.privileges import become
from watchword.store.owner import Owner
become(sys.argv[2])
try:
    Owner(sys.argv[1])
except StoreFailed as error:
    print(error.args[0], error.hint)
"""
