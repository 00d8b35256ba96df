"""systemd: the unit is as tight as we say, and the daemon speaks with what starts it.

systemd's own programs judge the unit and hand over the sockets; nothing here needs it to run.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from papers import Authority, listed, token_of
from served import SECONDS_MAX, Client, Served, serving

from watchword.serve.units import Systemd, handed_over, unit

EXPOSURE_MAX = 1.5
# RELIABILITY D.4, and what stands beside it
DIRECTIVES = """
Type=notify WatchdogSec=30 NoNewPrivileges=yes CapabilityBoundingSet= UMask=0077
ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateUsers=yes
ProtectProc=invisible ProcSubset=pid ProtectKernelTunables=yes ProtectKernelModules=yes
ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes ProtectHostname=yes
RestrictNamespaces=yes RestrictRealtime=yes RestrictSUIDSGID=yes LockPersonality=yes
MemoryDenyWriteExecute=yes SystemCallArchitectures=native SystemCallFilter=@system-service
StateDirectoryMode=0700 LimitCORE=0 LimitMEMLOCK=infinity IPAddressDeny=any KeyringMode=private
Restart=on-failure
""".split()


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: tests/tools.sh brings it (Debian package systemd)"
    return found


def test_the_unit_leaves_little_open(tmp_path: Path) -> None:
    path = tmp_path / "watchword.service"
    path.write_text(unit("settings.toml"))
    done = subprocess.run(
        [program("systemd-analyze"), "security", "--offline=true", "--no-pager", path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for watchword.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= EXPOSURE_MAX


def test_the_unit_says_what_it_must() -> None:
    lines = unit("settings.toml").splitlines()
    for directive in DIRECTIVES:
        assert directive in lines
    assert "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX" in lines
    assert "SystemCallFilter=~@privileged @resources @mount @debug @obsolete" in lines
    assert any(line.startswith("LoadCredentialEncrypted=watchword-key:") for line in lines)
    started = next(line for line in lines if line.startswith("ExecStart="))
    assert started.endswith(f"serve --config {os.path.abspath('settings.toml')}")


# ---- being told ----


@contextlib.contextmanager
def told(address: str):  # type: ignore[no-untyped-def]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address[0] == "@" else address)
        listener.settimeout(SECONDS_MAX)
        yield lambda: listener.recv(4_096).decode()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_of_the_daemons_life(tmp_path: Path, abstract: bool) -> None:
    address = f"@watchword-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    daemon = Served(tmp_path)
    with told(address) as heard:
        daemon.start(NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000")
        said = [heard() for _ in range(4)]
        assert sorted(set(said)) == ["READY=1", "WATCHDOG=1"]
        daemon.send_signal(signal.SIGTERM)
        while said[-1] != "STOPPING=1":
            said.append(heard())
        assert daemon.wait() == 0


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
    quiet = Systemd()
    quiet.say("READY=1")
    quiet.alive(100.0)
    assert handed_over() == []
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))  # another's, which we were born from
    Systemd().say("READY=1")
    assert handed_over() == []


# ---- sockets that are handed over ----


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_sockets_are_taken_from_systemd(tmp_path: Path) -> None:
    """systemd-socket-activate listens on both, and starts the daemon at the first connection."""
    port, path = free_port(), tmp_path / "given.sock"
    settings = tmp_path / "watchword.toml"
    settings.write_text(f'store = "{tmp_path}/store"\nunlocked_memory = true\n')
    command = [
        program("systemd-socket-activate"), "-l", f"127.0.0.1:{port}", "-l", str(path),
        *(word for name in os.environ for word in ("-E", name)),
        sys.executable, "-m", "watchword", "serve", "--config", str(settings),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as activated:
        assert activated.stderr is not None
        while "Listening on" not in activated.stderr.readline():
            assert activated.poll() is None
        try:
            with Client(port) as client:
                assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
            with Client(path) as client:
                assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
        finally:
            activated.send_signal(signal.SIGTERM)
            said = activated.stderr.read()
    assert activated.returncode == 0, said
    assert f"on 127.0.0.1:{port}" in said
    assert path.exists()  # it is systemd's


HANDED = """
import os, socket, sys
from watchword.errors import Error
from watchword.serve.config import Config
from watchword.serve.listening import bound
family, kind, host = sys.argv[1:]
given = socket.socket(getattr(socket, family), getattr(socket, kind))
if host:
    given.bind((host, 0))
if host and kind == "SOCK_STREAM":
    given.listen()
os.dup2(given.fileno(), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
try:
    bound(Config())
except Error as error:
    print(error.args[0])
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("AF_INET", "SOCK_STREAM", "0.0.0.0"), "can be reached from other machines"),
        (("AF_INET", "SOCK_DGRAM", "127.0.0.1"), "is no listening stream socket"),
        (("AF_INET", "SOCK_STREAM", ""), "is no listening stream socket"),
        (("AF_INET", "SOCK_STREAM", "127.0.0.1"), ""),
    ],
)
def test_a_socket_that_is_handed_over_is_looked_at(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANDED, *words], capture_output=True, text=True, check=True
    )
    assert said in done.stdout
    assert bool(said) == bool(done.stdout)


# ---- what the unit forbids ----

TIGHT = """
import ctypes, sys
MDWE, REFUSE_EXEC_GAIN = 65, 1
known = ctypes.CDLL(None).prctl(MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) == 0
print("watchword-test: memory is", "tight" if known else "as this kernel has it", file=sys.stderr)
from watchword.cli.main import run
sys.exit(run(["serve", "--config", sys.argv[1]]))
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_daemon_lives_without_writable_code(tmp_path: Path, loop: str) -> None:
    """MemoryDenyWriteExecute, as the kernel does it: TLS, passwords, codes and cards all work."""
    authority = Authority(tmp_path / "papers")
    settings = authority.settings(authority.issue("server", "/CN=localhost"), "optional")
    listing = listed("one", 'verbs = ["VERIFY", "CHALLENGE", "PUSH"]')
    listing += listed("paper", 'certificate = "CN=paper"', token=False)
    daemon = Served(tmp_path, f'loop = "{loop}"\n{settings}{listing}', driver=["-c", TIGHT])
    daemon.start()
    try:
        codes = daemon.enrol("alice")
        with daemon.acts() as acts:
            assert acts.ask("USER", "PASSWORD", "alice", "SET", "correct horse") == "OK"
            acts.ask("DEVICE", "ADD", "alice", "CODE-CARD", "KEY", "11" * 20, "SERIAL", "C1")
            assert acts.ask("DEVICE", "CELLS", "alice", "C1")
            assert acts.ask("KEY", "ROTATE") == "OK"
        with daemon.client(authority.context()) as client:
            assert client.ask("AUTH", token_of("one")) == "OK"
            verdict = client.ask("VERIFY", "alice", codes.at(0), "PASSWORD", "correct horse")
            assert verdict == "ACCEPTED"
            assert client.ask("CHALLENGE", "alice")
        with daemon.client(authority.context(authority.issue("paper", "/CN=paper"))) as client:
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
    finally:
        assert daemon.stop() == 0
    assert daemon.healthy(), daemon.said()


def test_a_process_gains_nothing_and_leaves_no_core(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        said = Path(f"/proc/{daemon.pid}/status").read_text()
        limits = Path(f"/proc/{daemon.pid}/limits").read_text()
        assert re.search(r"^NoNewPrivs:\t1$", said, re.M)
        assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
