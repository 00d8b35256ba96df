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

from watchword import Code, Device, ocra
from watchword.cli.authenticator import Authenticator
from watchword.cli.connection import Connection
from watchword.cli.demo_phone import play_phone
from watchword.cli.devices import new_key
from watchword.cli.doors import ADMIN_SOCKET
from watchword.cli.remote import RemoteDoor
from watchword.cli.words import Verb, console, duration
from watchword.errors import Error, NotFound
from watchword.formats import otpauth

__all__ = ["demo"]

START_SECONDS_MAX = 20.0
USER = "alice"
OTHER = "bob"
PURPOSE = "withdraw 500"
CARD_SUITE = "OCRA-1:HOTP-SHA1-8:QN06"
FAILURES_MAX = 30  # wrong codes until we stop believing in the lock
COLOURS = {
    Code.ACCEPTED: "bold green", Code.REJECTED: "yellow", Code.LOCKED: "bold red",
    Code.CHALLENGE: "cyan",
}  # fmt: skip
CONFIG = """\
store = "{store}"
listen = "127.0.0.1:{port}"
unlocked_memory = true
"""
NEXT = """\
watchword init
watchword user add alice
watchword device add totp alice      # scan the QR code with a phone
watchword serve &
redis-cli -p 4001 VERIFY alice 123456"""


class Daemon:
    """`watchword serve` in a process of its own, to be killed without a word and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self._config = folder / "watchword.toml"
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._config.write_text(CONFIG.format(store=self.store, port=self.port))

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
def stage() -> Iterator[Daemon]:
    """A daemon on a temporary store, gone at the end however the demo went."""
    with tempfile.TemporaryDirectory(prefix="watchword-demo-") as folder:
        daemon = Daemon(Path(folder))
        try:
            yield daemon
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
                ("    > ", "dim"), (f"{command:<24}", ""), (f"{code.name:<10}", COLOURS[code]),
                (f"{took_ms:6.1f} ms  ", "dim"), (why, "dim"),
            )
        )  # fmt: skip

    def close(self) -> None:
        self._console.print()
        panel = Panel.fit(Text(NEXT), title="try next", title_align="left", border_style="dim")
        self._console.print(panel)
        passed = time.monotonic() - self._began
        self._console.print(f"[dim]done in {passed:.1f} s; nothing of it is left on the disk[/]")


class Gateway:
    """A login gateway: it asks over TCP, and the story shows what it heard."""

    def __init__(self, story: Story, daemon: Daemon) -> None:
        self._story = story
        self._daemon = daemon

    def verify(self, code: str, expected: Code, why: str, user: str = USER,
               challenge: str = "") -> None:
        got = self.ask(code, why, user, challenge)
        if got is not expected:
            raise Error(f"the demo expected {expected.name} and got {got.name}")

    def ask(self, code: str, why: str, user: str = USER, challenge: str = "") -> Code:
        """A connection an attempt, so that a restart in between is none of its business."""
        words = ("CHALLENGE", challenge) if challenge else ()
        with contextlib.closing(Connection(self._daemon.port)) as connection:
            began = time.perf_counter()
            got = Code[str(connection.ask("VERIFY", user, code, *words))]
            took_ms = (time.perf_counter() - began) * 1000
        self._story.verdict(f"VERIFY {user} {code}", got, took_ms, why)
        return got

    def challenge(self, user: str, *words: str) -> tuple[str, str]:
        """The id and the prompt of what the user is asked."""
        with contextlib.closing(Connection(self._daemon.port)) as connection:
            reply = connection.ask("CHALLENGE", user, *words)
        assert isinstance(reply, list)
        asked = dict(zip(reply[::2], reply[1::2], strict=True))
        command = " ".join(("CHALLENGE", user, *words))
        self._story.line(f"> {command}: {asked['kind']} {asked['prompt']}")
        return str(asked["id"]), str(asked["prompt"])


@click.command(cls=Verb)
def demo() -> None:
    """
    usage: watchword demo

    Shows the whole road of a login, on a temporary store: a daemon starts, a user is enrolled, a
    code is accepted once, refused the second time and after kill -9; a card answers what it is
    asked; a phone approves a login and denies one; wrong codes lock the user. Takes a few seconds,
    and leaves nothing behind.

    try:
        watchword demo
    """
    story = Story()
    story.title()
    with stage() as daemon:
        play(story, daemon)
    story.close()


def play(story: Story, daemon: Daemon) -> None:
    gateway = Gateway(story, daemon)

    story.scene("a daemon starts on a store of its own")
    daemon.start()
    story.line(f"watchword serve, on 127.0.0.1:{daemon.port}")
    for warning in daemon.warnings():
        story.line(f"warning: {warning}")

    story.scene(f"{USER} is enrolled, and scans a QR code")
    address = enrol(daemon)
    phone = Authenticator(address)
    story.line(f"{address.partition('secret=')[0]}secret=...")

    story.scene("the phone shows a code; the gateway asks")
    code = phone.code(now_s())
    gateway.verify(code, Code.ACCEPTED, "the right code")
    gateway.verify(code, Code.REJECTED, "the same code again: once means once")

    story.scene("kill -9, and a new daemon on the same store")
    daemon.end(signal.SIGKILL)
    daemon.start()
    gateway.verify(code, Code.REJECTED, "still used: nothing is answered before it is durable")

    story.scene(f"{OTHER} has a card with a key pad: it is asked a number and shows the answer")
    key = enrol_card(daemon)
    _, prompt = gateway.challenge(OTHER)
    answer = ocra(CARD_SUITE, key, prompt)
    gateway.verify(answer, Code.ACCEPTED, "what the card makes of it", OTHER)
    gateway.verify(answer, Code.REJECTED, "answered: no question comes twice", OTHER)
    asked, prompt = gateway.challenge(OTHER, "PURPOSE", PURPOSE)
    answer = ocra(CARD_SUITE, key, prompt)
    gateway.verify(answer, Code.REJECTED, "a login is not what it was asked for", OTHER)
    gateway.verify(answer, Code.ACCEPTED, "with its id: for this purpose alone", OTHER, asked)

    play_phone(story, daemon.port, daemon.store / ADMIN_SOCKET, daemon.folder)

    story.scene("somebody guesses")
    wrong = phone.wrong_code(now_s())
    for _ in range(FAILURES_MAX):
        if gateway.ask(wrong, "a wrong code") is Code.LOCKED:
            break
    gateway.verify(phone.code(now_s() + 30), Code.LOCKED, "a right code; the lock comes first")
    with contextlib.closing(RemoteDoor(daemon.store / ADMIN_SOCKET)) as door:
        seen = door.user(USER)
    left_ms = (seen.locked_until_ms or 0) - time.time_ns() // 1_000_000
    story.line(f"failures in a row: {seen.failures}; locked for {duration(left_ms)}")


def enrol(daemon: Daemon) -> str:
    """The otpauth:// address of a new user's new device."""
    token = otpauth.Token("totp", USER, new_key("sha1", False), "watchword demo")
    with contextlib.closing(RemoteDoor(daemon.store / ADMIN_SOCKET)) as door:
        door.add_user(USER, "open", "live")
        door.add_device(USER, Device.totp(token.key), None)
    return otpauth.build(token)


def enrol_card(daemon: Daemon) -> bytes:
    """The key of another user's card."""
    key = new_key("sha1", False)
    with contextlib.closing(RemoteDoor(daemon.store / ADMIN_SOCKET)) as door:
        door.add_user(OTHER, "open", "live")
        door.add_device(OTHER, Device.dsc_plus(key), None)
    return key


def now_s() -> int:
    return int(time.time())
