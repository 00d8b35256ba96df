"""`watchword demo`: the whole road of a login in a few seconds, on a store that goes away after.

Everything here happens for real: a daemon in a process of its own, enrolment over its socket, a
code computed as an authenticator would, logins over TCP, kill -9, and the lock. A step that does
not go as told ends the demo with exit code 1: it is a promise, not a picture.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.panel import Panel
from rich.text import Text

from watchword import Code
from watchword.cli.connection import Connection
from watchword.cli.day import play_day
from watchword.cli.diary import COLOURS, Diary
from watchword.cli.doors import ADMIN_SOCKET
from watchword.cli.phones import Phones
from watchword.cli.remote import RemoteDoor
from watchword.cli.scenes import play
from watchword.cli.words import Verb, console
from watchword.errors import Error, NotFound

__all__ = ["demo"]

START_SECONDS_MAX = 20.0
CONFIG = """\
store = "{store}"
listen = "127.0.0.1:{port}"
unlocked_memory = true

[policy]
security_questions = true

[delivery]
webhook = "http://127.0.0.1:{phones}/codes"
"""
NEXT = """\
watchword init
watchword user add alice
watchword device add totp alice      # scan the QR code with a phone
watchword serve &
redis-cli -p 4001 VERIFY alice 123456"""


class Daemon:
    """`watchword serve` in a process of its own, to be killed without a word and started again."""

    def __init__(self, folder: Path, phones: int) -> None:
        self.store = folder / "store"
        self._config = folder / "watchword.toml"
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        config = CONFIG.format(store=self.store, port=self.port, phones=phones)
        self._config.write_text(config)

    def start(self) -> None:
        command = [sys.executable, "-m", "watchword", "serve", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(NotFound):
                Connection(self.port).close()
                return
            time.sleep(0.01)
        raise Error(f"the daemon did not start: {self._log.read_text().strip() or 'no word of it'}")

    @contextlib.contextmanager
    def administration(self) -> Iterator[RemoteDoor]:
        with contextlib.closing(RemoteDoor(self.store / ADMIN_SOCKET)) as door:
            yield door

    def warnings(self) -> list[str]:
        """What the daemon has to say about this machine."""
        words = self._log.read_text().splitlines()
        return sorted({word.partition("warning: ")[2] for word in words if "warning: " in word})

    def end(self, how: signal.Signals) -> None:
        """Sends a signal and waits until the process is gone."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stage() -> Iterator[tuple[Daemon, Phones]]:
    """A daemon on a temporary store, and phones; gone at the end however the demo went."""
    with tempfile.TemporaryDirectory(prefix="watchword-demo-") as folder, Phones() as phones:
        daemon = Daemon(Path(folder), phones.port)
        try:
            yield daemon, phones
        finally:
            daemon.end(signal.SIGTERM)


class Story:
    """What is drawn: a numbered line a scene, and under it every command with its verdict."""

    def __init__(self) -> None:
        self._console = console()
        self._began = time.monotonic()
        self._scene = 0

    def title(self) -> None:
        self._console.print()
        self._console.print(Text("watchword demo", style="bold"), "logins, from end to end")

    def scene(self, text: str) -> None:
        self._scene += 1
        passed = time.monotonic() - self._began
        self._console.print(f"\n[bold cyan]{self._scene}[/] {text} [dim]{passed:.1f} s[/]")

    def line(self, text: str) -> None:
        self._console.print(f"    [dim]{text}[/]", soft_wrap=True)

    def verdict(self, command: str, code: Code, took_ms: float, why: str) -> None:
        self._console.print(
            Text.assemble(
                ("    > ", "dim"), (f"{command:<26} ", ""), (f"{code.name:<10}", COLOURS[code]),
                (f"{took_ms:6.1f} ms  ", "dim"), (why, "dim"),
            )
        )  # fmt: skip

    def close(self) -> None:
        self._console.print()
        panel = Panel.fit(Text(NEXT), title="try next", title_align="left", border_style="dim")
        self._console.print(panel)
        passed = time.monotonic() - self._began
        self._console.print(f"[dim]done in {passed:.1f} s; nothing of it is left on the disk[/]")


@click.command(cls=Verb)
@click.option("--story", "days", is_flag=True)
def demo(days: bool) -> None:
    """
    usage: watchword demo [--story]

    Shows the whole road of a login, on a temporary store: a daemon starts, a user is enrolled, a
    code is accepted once, refused the second time and after kill -9; a device of every kind logs
    in; wrong codes lock the user. Takes a few seconds, and leaves nothing behind.

    --story         a day at client services instead, and those that follow it: a lost device, a
                    passcode, an online card, another device; sharing refused and granted; out of
                    a device and back; why each attempt went as it did. Days pass at once

    try:
        watchword demo
        watchword demo --story
    """
    if days:
        diary = Diary()
        diary.title()
        play_day(diary)
        diary.close()
        return
    story = Story()
    story.title()
    with stage() as (daemon, phones):
        play(story, daemon, phones)
    story.close()
