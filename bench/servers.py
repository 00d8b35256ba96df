"""The servers of `python -m bench daemon`, each a process of its own on one core.

`watchword serve` on a store that the benchmark made, and redis-server as people run it who want
their writes on the disk (appendfsync always) or not at all. Both are told their core before they
start, so that every thread of theirs stays there; the processor time they took is read from the
kernel's own count of it, thread by thread, in nanoseconds.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.attempts import digits
from bench.native import MissingError, path_of
from watchword import Device, Engine, totp

KEY, OTHER_KEY = b"\x5a" * 20, b"\xa5" * 20
PERIOD_S = 3600         # one code is right for as long as a run takes
NAME_DIGITS = 12        # as redis-benchmark writes __rand_int__
START_SECONDS_MAX = 120.0
PORTS = (20_000, 32_000)
SHARE = 0.5             # of the users whose device has KEY: for them the one code is right, once
# Nobody is locked: ten failures, as everywhere, but within a millisecond. More than twelve would
# have the engine keep the times of a hundred for every user, which is another table.
FIGURES = {"lockout_window_ms": 1, "failures_cap": 0, "source_failures": 0}
CONFIG = """\
store = "{store}"
listen = "127.0.0.1:{port}"
unlocked_memory = true
page_interval_ms = {page_interval_ms}

[policy]
"""

TLS = """
[tls]
certificate = "{paper}.pem"
key = "{paper}.key"
"""


def paper(folder: Path) -> Path:
    """A certificate and its key, as openssl makes them; the path without what follows the dot."""
    if not shutil.which("openssl"):
        raise MissingError("openssl: not installed (Debian package openssl)")
    made = folder / "paper"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", f"{made}.key",
         "-out", f"{made}.pem"], check=True, capture_output=True,
    )  # fmt: skip
    os.chmod(f"{made}.key", 0o600)
    return made


def device() -> Device:
    return Device.totp(KEY, period=PERIOD_S)


def code_now() -> str:
    """What half of the users' devices show, for an hour."""
    return totp(KEY, int(time.time()), period=PERIOD_S)


def make_store(folder: Path, users: int) -> Path:
    """A store of so many users, u000000000000 and on, each with a TOTP device."""
    store = folder / f"store-{users}"
    if store.exists():
        return store
    names = np.char.add(b"u", digits(np.arange(users, dtype=np.uint32), NAME_DIGITS))
    keys = np.empty((users, len(KEY)), np.uint8)
    keys[0::2] = np.frombuffer(KEY, np.uint8)
    keys[1::2] = np.frombuffer(OTHER_KEY, np.uint8)
    with Engine.open(store) as engine:
        engine.add_users(names, keys, device=device())
    return store


class Server:
    """A process that serves, from start to end of a with block."""

    def __init__(
        self, command: list[str], port: int, cpu: int, log: Path, sync_us: int | None = None
    ) -> None:
        self.port, self._command, self._cpu, self._log = port, command, cpu, log
        self._env = dict(os.environ)
        if sync_us is not None:
            self._env |= {"LD_PRELOAD": str(path_of("sync")), "WATCHWORD_SYNC_US": str(sync_us)}

    def __enter__(self) -> "Server":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(self._cpu), *self._command], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self._env,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", self.port), 1
            ):
                return self
            time.sleep(0.02)
        raise SystemExit(f"{self._command[0]} did not start:\n{self._log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """Processor time of all its threads that live."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self) -> int:
        statm = Path(f"/proc/{self._process.pid}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """Below those that connections leave from, or one of a loader's would take it meanwhile."""
    while True:
        port = random.randrange(*PORTS)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def watchword(
    folder: Path, store: Path, cpu: int, *, page_interval_ms: int = 1000, tls: bool = False,
    sync_us: int | None = None,
) -> Iterator[Server]:  # fmt: skip
    """The daemon on a copy of a store of make_store, so that every run finds codes that nobody has
    used. tls: 1.3, under a certificate made for the run. sync_us: how long a sync takes, instead of
    the disk's own time."""
    port, made = free_port(), store
    store = folder / "serving"
    for path in (store, Path(f"{store}.key")):
        subprocess.run(["rm", "-rf", str(path)], check=True)
    subprocess.run(["cp", "-a", str(made), str(store)], check=True)
    shutil.copy2(f"{made}.key", f"{store}.key")
    os.sync()  # or the copy is still being written while syncs are timed
    path = folder / "watchword.toml"
    text = CONFIG.format(store=store, port=port, page_interval_ms=page_interval_ms)
    text += "".join(f"{name} = {figure}\n" for name, figure in FIGURES.items())
    if tls:
        text += TLS.format(paper=paper(folder))
    path.write_text(text)
    command = [sys.executable, "-m", "watchword", "serve", "--config", str(path)]
    with Server(command, port, cpu, folder / "watchword.log", sync_us) as server:
        yield server


@contextlib.contextmanager
def redis(
    folder: Path, cpu: int, *, durable: bool, sync_us: int | None = None
) -> Iterator[Server]:
    """redis-server: every write on the disk before its answer, or none ever."""
    if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
        raise MissingError("redis: not installed (Debian packages redis-server, redis-tools)")
    port, data = free_port(), folder / f"redis-{'aof' if durable else 'memory'}"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data),
               "--save", "", "--appendonly", "yes" if durable else "no", "--appendfsync", "always",
               "--auto-aof-rewrite-percentage", "0"]  # fmt: skip
    with Server(command, port, cpu, folder / "redis.log", sync_us) as server:
        yield server
    shutil.rmtree(data)
