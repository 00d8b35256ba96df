"""The scenes of `watchword demo`: a login of every kind of device, and what must be refused.

A scene is a function; `play` has their order. Each enrols its user over the administration socket
and logs in over TCP; what is not answered as the scene says ends the demo.
"""

import contextlib
import secrets
import signal
import time
from typing import TYPE_CHECKING

from watchword import Code, Device, hotp, ocra, totp
from watchword.cli.answers import Change
from watchword.cli.authenticator import Authenticator
from watchword.cli.connection import Connection
from watchword.cli.demo_phone import play_phone
from watchword.cli.devices import new_key
from watchword.cli.phones import Phones
from watchword.cli.words import duration
from watchword.errors import Error
from watchword.formats import otpauth

if TYPE_CHECKING:
    from watchword.cli.demo import Daemon, Story

__all__ = ["play"]

ALICE, BOB, CAROL, DAVE, ERIN = "alice", "bob", "carol", "dave", "erin"
FRANK, GRACE, HEIDI, IVAN, JUDY = "frank", "grace", "heidi", "ivan", "judy"
DIGITS_PIN, OTHER_PIN = "4711", "8255"
PHRASE = "correct horse battery staple"
QUESTIONS = [
    ("pets", "Which pet was your first?", "Rex"), ("cities", "Where were you born?", "San Diego"),
    ("schools", "Which was your first school?", "Saint Mary's"),
]  # fmt: skip
PURPOSE = "withdraw 500"
PIN = "a1!Z"
DSC_PLUS_SUITE, GOLD_SUITE = "OCRA-1:HOTP-SHA1-8:QN06", "OCRA-1:HOTP-SHA1-6:QN06"
SIGNING_SUITE, TRANSFER = "OCRA-1:HOTP-SHA256-8:QA16", "DE89X4711USD500"
MUTUAL_SUITE = "OCRA-1:HOTP-SHA256-8:QA08"
IB_KEY_SUITE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
FAILURES_MAX = 30  # wrong codes until we stop believing in the lock


class Gateway:
    """A login gateway: it asks over TCP, and the story shows what it heard."""

    def __init__(self, story: "Story", daemon: "Daemon") -> None:
        self._story = story
        self._daemon = daemon

    def verify(self, code: str, expected: Code, why: str, user: str = ALICE,
               challenge: str = "", password: str = "") -> None:
        got = self.ask(code, why, user, challenge, password)
        if got is not expected:
            raise Error(f"the demo expected {expected.name} and got {got.name}")

    def ask(self, code: str, why: str, user: str = ALICE, challenge: str = "",
            password: str = "") -> Code:
        """A connection an attempt, so that a restart in between is none of its business."""
        words = ["CHALLENGE", challenge] if challenge else []
        words += ["PASSWORD", password] if password else []
        with contextlib.closing(Connection(self._daemon.port)) as connection:
            began = time.perf_counter()
            got = Code[str(connection.ask("VERIFY", user, code, *words))]
            took_ms = (time.perf_counter() - began) * 1000
        self._story.verdict(f"VERIFY {user} {code}", got, took_ms, why)
        return got

    def challenge(self, user: str, *words: str) -> tuple[str, str]:
        """The id and the prompt of what the user is asked; the prompt of what is sent is empty."""
        asked = self.posed(user, *words)
        return asked["id"], asked["prompt"]

    def posed(self, user: str, *words: str) -> dict[str, str]:
        """All that the gateway hears of a challenge."""
        with contextlib.closing(Connection(self._daemon.port)) as connection:
            reply = connection.ask("CHALLENGE", user, *words)
        assert isinstance(reply, list)
        asked = dict(zip(reply[::2], reply[1::2], strict=True))
        command = " ".join(("CHALLENGE", user, *words))
        answer = f", our answer {asked['answer']}" if "answer" in asked else ""
        self._story.line(f"> {command}: {asked['kind']} {asked['prompt']}".rstrip() + answer)
        return {str(name): str(value) for name, value in asked.items()}


def play(story: "Story", daemon: "Daemon", phones: Phones) -> None:
    gateway = Gateway(story, daemon)
    phone = starts(story, daemon)
    shows_a_code(story, daemon, gateway, phone)
    is_asked_a_number(story, daemon, gateway)
    has_a_card(story, daemon, gateway)
    is_given_a_passcode(story, daemon, gateway)
    is_sent_a_code(story, daemon, gateway, phones)
    signs_a_transfer(story, daemon, gateway)
    asks_us_first(story, daemon, gateway)
    play_phone(story, daemon, phones)
    has_any_other(story, daemon, gateway)
    types_a_pin(story, daemon, gateway)
    has_a_password(story, daemon, gateway)
    is_asked_a_question(story, daemon)
    is_guessed(story, daemon, gateway, phone)


def starts(story: "Story", daemon: "Daemon") -> Authenticator:
    story.scene("a daemon starts on a store of its own")
    daemon.start()
    story.line(f"watchword serve, on 127.0.0.1:{daemon.port}")
    for warning in daemon.warnings():
        story.line(f"warning: {warning}")

    story.scene(f"{ALICE} is enrolled, and scans a QR code")
    token = otpauth.Token("totp", ALICE, new_key("sha1", False), "watchword demo")
    enrol(daemon, ALICE, Device.totp(token.key))
    address = otpauth.build(token)
    story.line(f"{address.partition('secret=')[0]}secret=...")
    return Authenticator(address)


def shows_a_code(
    story: "Story", daemon: "Daemon", gateway: Gateway, phone: Authenticator
) -> None:
    story.scene("the phone shows a code; the gateway asks")
    code = phone.code(now_s())
    gateway.verify(code, Code.ACCEPTED, "the right code")
    gateway.verify(code, Code.REJECTED, "the same code again: once means once")

    story.scene("kill -9, and a new daemon on the same store")
    daemon.end(signal.SIGKILL)
    daemon.start()
    gateway.verify(code, Code.REJECTED, "still used: nothing is answered before it is durable")


def is_asked_a_number(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{BOB} has a card with a key pad: it is asked a number and shows the answer")
    key = new_key("sha1", False)
    enrol(daemon, BOB, Device.dsc_plus(key))
    _, prompt = gateway.challenge(BOB)
    answer = ocra(DSC_PLUS_SUITE, key, prompt)
    gateway.verify(answer, Code.ACCEPTED, "what the card makes of it", BOB)
    gateway.verify(answer, Code.REJECTED, "answered: no question comes twice", BOB)
    asked, prompt = gateway.challenge(BOB, "PURPOSE", PURPOSE)
    answer = ocra(DSC_PLUS_SUITE, key, prompt)
    gateway.verify(answer, Code.REJECTED, "a login is not what it was asked for", BOB)
    gateway.verify(answer, Code.ACCEPTED, "with its id: for this purpose alone", BOB, asked)


def has_a_card(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{CAROL} has a printed card: two of its 224 cells are asked for")
    serial = enrol(daemon, CAROL, Device.code_card(new_key("sha1", False)))
    with daemon.administration() as door:
        card = door.card(CAROL, serial, "the demo")
    _, prompt = gateway.challenge(CAROL)
    _, again = gateway.challenge(CAROL)
    if again != prompt:
        raise Error("the demo expected the same pair again")
    story.line("asked again, they are the same: who asks learns nothing")
    answer = card.answer(prompt)
    gateway.verify(answer, Code.ACCEPTED, "what stands in those cells", CAROL)
    gateway.verify(answer, Code.REJECTED, "the next two are others", CAROL)


def is_given_a_passcode(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{DAVE} has lost his device: client services give him a temporary passcode")
    with daemon.administration() as door:
        door.add_user(DAVE, "open", "live")
        issued = door.issue_passcode(DAVE, None)
    gateway.verify(issued.passcode, Code.ACCEPTED, "two days for everything", DAVE)
    gateway.verify(issued.passcode.lower(), Code.REJECTED, "case matters", DAVE)


def is_sent_a_code(
    story: "Story", daemon: "Daemon", gateway: Gateway, phones: Phones
) -> None:
    story.scene(f"{ERIN} is sent a code; it comes by the webhook of a provider")
    enrol(daemon, ERIN, Device.sms())
    asked, _ = gateway.challenge(ERIN, "KIND", "sms")
    code = phones.code()
    gateway.verify(code, Code.ACCEPTED, "what the phone says", ERIN, asked)
    gateway.verify(code, Code.REJECTED, "a code is good once", ERIN, asked)


def signs_a_transfer(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{FRANK} signs a transfer: what his device is asked is the transfer itself")
    key = new_key("sha256", False)
    enrol(daemon, FRANK, Device.ocra(key, SIGNING_SUITE))
    asked, _ = gateway.challenge(FRANK, "QUESTION", TRANSFER)
    other = ocra(SIGNING_SUITE, key, TRANSFER.replace("500", "900"))
    gateway.verify(other, Code.REJECTED, "a signature of another transfer", FRANK, asked)
    answer = ocra(SIGNING_SUITE, key, TRANSFER)
    gateway.verify(answer, Code.ACCEPTED, "a signature of this one", FRANK, asked)
    gateway.verify(answer, Code.REJECTED, "signed is signed: once", FRANK, asked)


def asks_us_first(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{GRACE}'s app asks us first: no answer of ours, no response of its own")
    key, client = new_key("sha256", False), secrets.token_hex(4).upper().replace("0", "Z")
    enrol(daemon, GRACE, Device.ocra(key, MUTUAL_SUITE))
    asked = gateway.posed(GRACE, "CLIENT", client)
    if asked["answer"] != ocra(MUTUAL_SUITE, key, client + asked["prompt"]):
        raise Error("the demo expected an answer that the app believes")
    story.line("the app makes the same answer: it speaks with whom it should")
    answer = ocra(MUTUAL_SUITE, key, asked["prompt"] + client)
    gateway.verify(answer, Code.ACCEPTED, "its response, over both", GRACE, asked["id"])


def has_any_other(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene("and the others: every kind has a name, a rank and figures of its own")
    key = new_key("sha1", False)
    shown = {
        "alpine": totp(key, now_s()), "dsc": hotp(key, 0), "hotp": hotp(key, 0),
    }  # fmt: skip
    for kind, code in shown.items():
        enrol(daemon, kind, Device.of(kind, key))
        gateway.verify(code, Code.ACCEPTED, "a token that shows a code", kind)
    for kind, suite in (("gold", GOLD_SUITE), ("platinum", GOLD_SUITE)):
        enrol(daemon, kind, Device.of(kind, key))
        _, prompt = gateway.challenge(kind)
        gateway.verify(ocra(suite, key, prompt), Code.ACCEPTED, "a calculator", kind)
    enrol(daemon, "ibkey", Device.ib_key(key, PIN))
    _, prompt = gateway.challenge("ibkey")
    answer = ocra(IB_KEY_SUITE, key, prompt, pin=PIN)
    gateway.verify(answer, Code.ACCEPTED, "an app, by hand, with its PIN", "ibkey")
    serial = enrol(daemon, "online", Device.online_code_card(key))
    with daemon.administration() as door:
        card = door.card("online", serial, "the demo")
    _, prompt = gateway.challenge("online")
    gateway.verify(card.answer(prompt), Code.ACCEPTED, "a card shown on the screen", "online")


def types_a_pin(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{HEIDI} types a PIN before what his token shows")
    key = new_key("sha1", False)
    enrol(daemon, HEIDI, Device.hotp(key, pin=DIGITS_PIN))
    gateway.verify(hotp(key, 0), Code.REJECTED, "without it: the code is used up", HEIDI)
    gateway.verify(DIGITS_PIN + hotp(key, 1), Code.ACCEPTED, "the PIN and the next code", HEIDI)
    with daemon.administration() as door:
        told = door.change_pin(
            HEIDI, DIGITS_PIN, hotp(key, 2), OTHER_PIN, Change(None, None, "portal")
        )
    story.line(f"> CHANGEPIN {HEIDI} ...: {told.code.name}, by a right code and the old PIN")
    gateway.verify(DIGITS_PIN + hotp(key, 3), Code.REJECTED, "the old PIN", HEIDI)
    gateway.verify(OTHER_PIN + hotp(key, 4), Code.ACCEPTED, "the new one", HEIDI)


def has_a_password(story: "Story", daemon: "Daemon", gateway: Gateway) -> None:
    story.scene(f"{IVAN} has a password, and a token besides")
    key = new_key("sha1", False)
    enrol(daemon, IVAN, Device.hotp(key))
    with daemon.administration() as door:
        door.set_password(IVAN, PHRASE)
    gateway.verify(hotp(key, 0), Code.REJECTED, "a code alone", IVAN)
    for given, expected, why in (
        ("", Code.CHALLENGE, "the password alone: now a code"),
        (hotp(key, 1), Code.ACCEPTED, "both"),
    ):
        gateway.verify(given, expected, why, IVAN, password=PHRASE)


def is_asked_a_question(story: "Story", daemon: "Daemon") -> None:
    story.scene(f"{JUDY} calls client services, who ask a security question")
    with daemon.administration() as door:
        door.add_user(JUDY, "open", "live")
        door.set_questions(JUDY, QUESTIONS)
        for case in (str.lower, str):
            asked = door.question(JUDY)
            story.line(f"> QUESTION {JUDY}: {asked.question}")
            right = next(answer for _, text, answer in QUESTIONS if text == asked.question)
            told = door.answer(JUDY, asked.id, case(right), None)
            story.line(f"> ANSWER {JUDY} {case(right)}: {told.code.name}")
            if bool(told) is not (case is str):
                raise Error("the demo expected an answer to be right exactly as it is")


def is_guessed(
    story: "Story", daemon: "Daemon", gateway: Gateway, phone: Authenticator
) -> None:
    story.scene("somebody guesses")
    wrong = phone.wrong_code(now_s())
    for _ in range(FAILURES_MAX):
        if gateway.ask(wrong, "a wrong code") is Code.LOCKED:
            break
    gateway.verify(phone.code(now_s() + 30), Code.LOCKED, "a right code; the lock comes first")
    with daemon.administration() as door:
        seen = door.user(ALICE)
    left_ms = (seen.locked_until_ms or 0) - time.time_ns() // 1_000_000
    story.line(f"failures in a row: {seen.failures}; locked for {duration(left_ms)}")


def enrol(daemon: "Daemon", user: str, device: Device) -> str:
    """The serial of a new user's new device."""
    with daemon.administration() as door:
        door.add_user(user, "open", "live")
        return door.add_device(user, device, None)


def now_s() -> int:
    return int(time.time())
