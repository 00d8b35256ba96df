"""The demo's phone: a login put before it, approved, denied, and answered by hand.

Like the rest of the demo it asks a real daemon over TCP; the phone is the reference phone.
"""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from watchword import Code, Device, Push
from watchword.cli.connection import Connection
from watchword.cli.phones import Phones
from watchword.cli.remote import RemoteDoor
from watchword.enrolment import ACTIVATION
from watchword.errors import Error
from watchword.phone import Phone

if TYPE_CHECKING:
    from watchword.cli.demo import Daemon, Story

__all__ = ["play_phone"]

USER, PIN = "fay", "4711"
PUSHES_MAX = 20  # until we stop believing in the limit


def play_phone(story: "Story", daemon: "Daemon", phones: Phones) -> None:
    """Four scenes, each with an end as told, or an Error."""
    port, held = daemon.port, Phone.new(Path(daemon.store).parent / "fay.phone")
    story.scene(f"{USER}'s phone makes a key of its own, and shows the token it was sent")
    with daemon.administration() as door:
        door.add_user(USER, "open", "live")
        door.add_device(USER, Device.sms(), None)
    with talking(port) as door:
        sent = door.challenge(USER, "trading", None, ACTIVATION, True)
        made = door.enrol_phone(USER, sent.id, phones.code(), held.public, PIN, "trading", None)
    held.enrolled(USER, made)
    story.line(f"enrolled as {made.serial}; its public key is {held.public[:18]}...")

    story.scene(f"{USER}'s phone is asked to approve a login, and shows what for")
    asked = push(story, port)
    claim(story, port, asked.id, Code.CHALLENGE, "nobody has answered yet")
    answer(story, port, held, "approve", asked.number)
    claim(story, port, asked.id, Code.ACCEPTED, "approved, under the number shown at the login")
    claim(story, port, asked.id, Code.REJECTED, "an approval lets in once")

    story.scene("somebody else asks, and the phone denies")
    asked = push(story, port)
    answer(story, port, held, "deny", None)
    claim(story, port, asked.id, Code.REJECTED, "a failure like a wrong code")

    story.scene("a phone asked too often is left in peace: it answers by hand")
    for _ in range(PUSHES_MAX):
        asked = push(story, port)
        if not asked.number:
            break
    response = held.response(USER, asked.prompt, PIN)
    claim(story, port, asked.id, Code.ACCEPTED, "what the phone makes of it, and the PIN", response)


def push(story: "Story", port: int) -> Push:
    with talking(port) as door:
        asked = door.push(USER, "trading", None, "a login from the demo")
    said = f"the number is {asked.number}" if asked.number else f"by hand: {asked.prompt}"
    story.line(f"> PUSH {USER}: {said}")
    return asked


def answer(story: "Story", port: int, held: Phone, decision: str, number: int | None) -> None:
    now_ms, serial = time.time_ns() // 1_000_000, held.serial(USER)
    with talking(port) as door:
        shown = door.pushes(USER, serial, now_ms, held.list_signature(USER, now_ms))[0]
        signature = held.answer_signature(shown, decision, number, "pin")
        said = door.decide_push(shown.id, decision, number, "pin", signature)
    story.line(f"the phone shows: {shown.platform}, {shown.text}; {said}")


def claim(
    story: "Story", port: int, id: str, expected: Code, why: str, response: str = ""
) -> None:
    with contextlib.closing(Connection(port)) as connection:
        began = time.perf_counter()
        got = Code[str(connection.ask("VERIFY", USER, response, "CHALLENGE", id))]
        took_ms = (time.perf_counter() - began) * 1000
    story.verdict(f"VERIFY {USER} {response or '(push)'}", got, took_ms, why)
    if got is not expected:
        raise Error(f"the demo expected {expected.name} and got {got.name}")


def talking(port: int) -> "contextlib.closing[RemoteDoor]":
    """The gateway's own connection, over TCP like any."""
    return contextlib.closing(RemoteDoor(port))
