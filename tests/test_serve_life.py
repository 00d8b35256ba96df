"""The daemon's life: started, refused, told to stop, killed, and let down by its disk.

Every daemon here is a process of its own over a store on disk. What was answered must be true when
the store is opened again, however the daemon ended.
"""

import base64
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from served import SECONDS_MAX, ReplyError, Served, frame, serving


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_all_that_was_answered_is_durable(
    tmp_path: Path, number: signal.Signals
) -> None:
    daemon = Served(tmp_path).start()
    codes = daemon.enrol("alice", "LOOKAHEAD", 100)
    accepted: list[int] = []
    with daemon.client() as client:
        client.send(b"".join(frame("VERIFY", "alice", codes.at(i)) for i in range(2_000)))
        for i in range(100):
            assert client.read() == "ACCEPTED"
            accepted.append(i)
        daemon.send_signal(number)
        try:
            for i in range(100, 2_000):
                assert client.read() == "ACCEPTED"
                accepted.append(i)
        except (EOFError, ConnectionError):
            pass
    assert daemon.wait() == 0
    assert daemon.said().endswith("watchword: stopped\n")
    assert not daemon.admin.exists()
    daemon.start()
    try:
        with daemon.client() as client, daemon.acts() as acts:
            moving = acts.ask("DEVICE", "LIST", "alice")[0]
            assert moving[moving.index("moving") + 1] >= len(accepted)
            assert client.ask("VERIFY", "alice", codes.at(accepted[-1])) == "REJECTED"
    finally:
        daemon.stop()


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    """A store that is owned, a port that is taken, an address others could reach."""
    (tmp_path / "second").mkdir()
    with serving(tmp_path) as daemon:
        second = Served(tmp_path / "second")
        first_store, first_port = f'store = "{daemon.store}"', f"127.0.0.1:{daemon.port}"
        for listen, store, said in (
            ("127.0.0.1:0", first_store, f"(?s)own.*{daemon.pid}|{daemon.pid}.*own"),
            (first_port, f'store = "{second.store}"', f"cannot listen on {first_port}"),
            ("0.0.0.0:4001", f'store = "{second.store}"', "loopback"),
            ("[::]:4001", f'store = "{second.store}"', "loopback"),
        ):
            second.configure(f'listen = "{listen}"\n{store}\nunlocked_memory = true\n')
            with pytest.raises(AssertionError, match=said):
                second.start()


def test_a_killed_daemons_socket_is_no_obstacle(tmp_path: Path) -> None:
    daemon = Served(tmp_path).start()
    daemon.stop(signal.SIGKILL)
    assert daemon.admin.exists()
    daemon.start()
    with daemon.acts() as acts:
        assert acts.ask("PING") == "PONG"
    assert daemon.stop() == 0


UNLOCKABLE = """
import sys
from watchword.engine import Engine
from watchword.errors import Error
from watchword.serve.config import Config
from watchword.serve.daemon import run
Engine.memory_locked = property(lambda engine: False)
try:
    run(Config(store=sys.argv[1], listen="127.0.0.1:0"))
except Error as error:
    print(error.args[0], error.hint)
"""


def test_memory_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", UNLOCKABLE, str(tmp_path / "store")]
    done = subprocess.run(command, text=True, capture_output=True, timeout=SECONDS_MAX, check=True)
    assert "memory be locked" in done.stdout
    assert "unlocked_memory" in done.stdout


DISK = """
import ctypes, errno, os, sys
from watchword.serve.config import Config
from watchword.serve.daemon import run
config = Config.load(sys.argv[1])
faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
arm = lambda host, port: faults.faults_arm(config.store.encode(), 400, errno.{error}, 1)
sys.exit(run(config, arm))
"""


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_a_disk_that_refuses_ends_the_daemon_and_loses_nothing_answered(
    tmp_path: Path, error: str
) -> None:
    """Attempts until the disk fails: exit code 1 with a word, and every answer is still true."""
    library = tmp_path / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    daemon = Served(tmp_path).start()
    codes = daemon.enrol("alice", "LOOKAHEAD", 100)
    assert daemon.stop() == 0
    broken = Served(tmp_path, driver=["-c", DISK.format(error=error)])
    broken.start(LD_PRELOAD=str(library))
    answered = 0
    with broken.client() as client:
        try:
            for i in range(100_000):
                assert client.ask("VERIFY", "alice", codes.at(i)) == "ACCEPTED"
                answered = i + 1
        except (EOFError, ConnectionError):
            pass
    assert broken.wait() == 1
    assert "watchword: the store failed" in broken.said()
    assert answered < 100_000
    daemon.start()
    try:
        with daemon.client() as client:
            if answered:
                assert client.ask("VERIFY", "alice", codes.at(answered - 1)) == "REJECTED"
            # the code that was under way when the disk failed may be used up or not, but once
            under_way = [client.ask("VERIFY", "alice", codes.at(answered)) for _ in range(2)]
            assert under_way.count("ACCEPTED") <= 1
            assert client.ask("VERIFY", "alice", codes.at(answered + 1)) == "ACCEPTED"
    finally:
        daemon.stop()


def test_nothing_secret_is_logged(tmp_path: Path) -> None:
    """A key and a code, in commands right and wrong, never reach the log or another's reply."""
    key = b"canary key of twenty"
    base32 = base64.b32encode(key).decode()
    with serving(tmp_path) as daemon:
        codes = daemon.enrol("canary", key=key)
        with daemon.acts() as acts, daemon.client() as client:
            shown = []
            for words in (
                ("DEVICE", "ADD", "canary", "HOTP", "KEY", key.hex() + "zz"),
                ("DEVICE", "ADD", "canary", "HOTP", "KEY", key.hex(), "NOSUCH", "1"),
                ("DEVICE", "ADD", "canary", "TOTP", "KEY", key.hex(), "BASE32", base32),
                ("DEVICE", "ADD", "nobody", "HOTP", "BASE32", base32),
                ("DEVICE", "ADD", "canary", "HOTP", "KEY", key.hex(), "DIGITS", "99"),
            ):
                acts.send(frame(*words))
                shown.append(acts.read())
                assert isinstance(shown[-1], ReplyError)
            shown += [acts.ask("DEVICE", "LIST", "canary"), acts.ask("USER", "GET", "canary")]
            assert client.ask("VERIFY", "canary", codes.at(0)) == "ACCEPTED"
            client.send(frame("VERIFY", "canary", codes.at(1), "NOSUCH"))
            shown.append(client.read())
        assert daemon.stop() == 0
    for secret in (key.decode(), key.hex(), base32, codes.at(0), codes.at(1)):
        assert secret not in daemon.said() + repr(shown)


def test_the_administration_socket_is_private(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        assert stat.S_IMODE(os.stat(daemon.admin).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(daemon.store).st_mode) & 0o077 == 0
