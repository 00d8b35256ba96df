"""A real daemon in a process of its own, and a plain client that shows every byte it answers.

The client is ours and small so that it can send what no library would: cut, glued and broken
frames. What libraries send is tests/test_clients.py's.
"""

import base64
import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyotp

SECONDS_MAX = 30.0  # for anything that must happen soon, on a machine with other work
KEY = b"12345678901234567890"
SERVING = re.compile(r"^watchword: serving (.*) on ([0-9.:\[\]]+):(\d+)$")

Reply = str | int | None | list[Any] | dict[str, Any]


class ReplyError(Exception):
    """An error reply, whole."""


def frame(*words: object) -> bytes:
    """A command as an array of bulk strings."""
    texts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


class Client:
    """One connection. `error` replies are returned as ReplyError by read, raised by ask."""

    def __init__(self, to: int | Path, tls: ssl.SSLContext | None = None) -> None:
        self.socket: socket.socket
        if isinstance(to, int):
            self.socket = socket.create_connection(("127.0.0.1", to), SECONDS_MAX)
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(SECONDS_MAX)
            self.socket.connect(str(to))
        self._stream = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, sent: bytes) -> None:
        self.socket.sendall(sent)

    def ask(self, *words: object) -> Any:
        self.send(frame(*words))
        reply = self.read()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def read(self) -> Any:
        """The next reply. EOFError when the connection closes instead."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(line)
        sign, rest = line[:1], line[1:-2]
        if sign == b"+":
            return rest.decode()
        if sign == b"-":
            return ReplyError(rest.decode("utf-8", "surrogateescape"))
        if sign == b":":
            return int(rest)
        if sign == b"_":
            return None
        if sign == b"$":
            return None if rest == b"-1" else self._stream.read(int(rest) + 2)[:-2].decode()
        if sign == b"*":
            return [self.read() for _ in range(int(rest))]
        if sign == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise AssertionError(f"no reply begins like {line!r}")

    def rest(self) -> bytes:
        """Everything until the connection closes."""
        return self._stream.read()


class Served:
    """`watchword serve` over a store; to be stopped, killed and started again."""

    def __init__(self, folder: Path, settings: str = "", *, driver: Sequence[str] = ()) -> None:
        self.store = folder / "store"
        self.admin = self.store / "admin.sock"
        self.log: list[str] = []
        self.port = 0
        self._driver = list(driver) or ["-m", "watchword", "serve", "--config"]
        self._config = folder / "watchword.toml"
        common = 'listen = "127.0.0.1:0"\nunlocked_memory = true\n'
        self.configure(f'{common}store = "{self.store}"\n{settings}')
        self._process: subprocess.Popen[str] | None = None

    def configure(self, text: str) -> None:
        self._config.write_text(text)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self, **env: str) -> "subprocess.Popen[str]":
        """The process, with no word from it yet."""
        return subprocess.Popen(
            [sys.executable, *self._driver, str(self._config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **env},
        )  # fmt: skip

    def start(self, **env: str) -> "Served":
        """Returns once it accepts connections."""
        self._process = self.launch(**env)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log.append(line)
            found = SERVING.match(line.rstrip("\n"))
            if found:
                self.port = int(found[3])
                reader = threading.Thread(target=self._follow, args=(self._process,), daemon=True)
                reader.start()
                self._reader = reader
                return self
        self._process.stderr.close()
        self._process.wait()
        self._process = None
        raise AssertionError(f"the daemon did not start:\n{''.join(self.log)}")

    def _follow(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            self.log.extend(lines)

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once the process and its log have ended."""
        assert self._process is not None
        code = self._process.wait(SECONDS_MAX)
        self._reader.join(SECONDS_MAX)
        self._process = None
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self.send_signal(number)
        return self.wait()

    def said(self) -> str:
        return "".join(self.log)

    def healthy(self) -> bool:
        """Whether its log is free of what only a bug of ours can put there."""
        bugs = ("Traceback", "runtime error:", "AddressSanitizer", "Fatal Python error")
        return not any(bug in self.said() for bug in bugs)

    # ---- short cuts ----

    def client(self, tls: ssl.SSLContext | None = None) -> Client:
        return Client(self.port, tls)

    def acts(self) -> Client:
        return Client(self.admin)

    def enrol(self, user: str, *words: object, key: bytes = b"") -> "pyotp.HOTP":
        """A user with an HOTP device under a key of its own, unless one is given; codes come from
        pyotp, which is not ours."""
        key = key or hashlib.sha1(user.encode()).digest()
        with self.acts() as acts:
            assert acts.ask("USER", "ADD", user) == "OK"
            acts.ask("DEVICE", "ADD", user, "HOTP", "KEY", key.hex(), *words)
        return pyotp.HOTP(base64.b32encode(key).decode())


@contextlib.contextmanager
def serving(folder: Path, settings: str = "") -> Iterator[Served]:
    """A daemon that is stopped however the test went."""
    daemon = Served(folder, settings)
    try:
        yield daemon.start()
    finally:
        daemon.stop(signal.SIGKILL)


@contextlib.contextmanager
def ended_well(folder: Path, settings: str = "") -> Iterator[Served]:
    """The same, and a daemon whose tests went well has to end well."""
    with serving(folder, settings) as daemon:
        yield daemon
        assert daemon.stop() == 0
        assert daemon.healthy(), daemon.said()
