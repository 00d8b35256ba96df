"""Three ways into the same rules for the tables of tests/test_push.py: the slow twin, the engine
and the daemon. A door pushes, answers as a phone, lists and claims, and says what the state is
after it.

The phones here are keys alone, so that what they sign is spelt out by the tests and not by the
reference phone: tests/test_phone.py has that one's.
"""

import hashlib
from typing import Any

import challenge_doors
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from served import KEY, ReplyError

import watchword
from watchword import reference
from watchword.reference import Challenge, Figures, Reference

PIN = "4711"
SUITE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
PASSWORD = "correct horse"
COSTS = {"password_memory_kib": 32, "password_passes": 1}   # the smallest legal ones
PRIVATE: dict[str, Any] = {
    "phone": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
    "phone2": ec.derive_private_key(123_456_789, ec.SECP256R1()),
}


def public(serial: str) -> bytes:
    """As DER, which is what a phone's system gives."""
    return bytes(
        PRIVATE[serial].public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def device_of(serial: str) -> watchword.Device:
    if serial in ("gold", "dsc"):
        return watchword.Device.of(serial, KEY)
    phone = None if serial == "manual" else public(serial)
    return watchword.Device.ib_key(KEY + serial.encode(), PIN, phone)


def signed(serial: str, *fields: str) -> bytes:
    """Length and field, one after another, under this phone's key."""
    message = b"".join(len(f.encode()).to_bytes(2, "big") + f.encode() for f in fields)
    if serial == "phone":
        return bytes(PRIVATE[serial].sign(message))
    return bytes(PRIVATE[serial].sign(message, ec.ECDSA(hashes.SHA256())))


class Asked:
    """A push as a table knows it: what the gateway was told, and what the phone is shown."""

    def __init__(self, user: str, found: Any, platform: str, purpose: str, text: str) -> None:
        self.id, self.number, self.prompt, self.expires_ms = found
        self.user, self.platform, self.purpose, self.text = user, platform, purpose, text

    def answer(self, serial: str, decision: str, number: int | None, unlocked: str) -> bytes:
        shown = "" if number is None else str(number)
        return signed(
            serial, "watchword push answer 1", self.id, shown, self.user, self.platform,
            self.purpose, self.text, decision, unlocked,
        )  # fmt: skip


class TwinDoor(challenge_doors.TwinDoor):
    """The slow twin. It takes the signer's word for who it is."""

    def __init__(self, **figures: Any) -> None:
        self.now_s, self.count = 0, 0
        self.twin = Reference(Figures(**figures))

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial)
        self.twin.add_device(
            name,
            reference.Device(
                made.mechanism, made.key, serial, algorithm=made.algorithm, digits=made.digits,
                look_ahead=made.look_ahead, back=0, forward=0, suite=made.suite, label=made.kind,
                pin_hash=made.pin_hash, phone=made.phone,
            ),
            self.now_s * 1000,
        )  # fmt: skip

    def set_password(self, user: str) -> None:
        self.twin.set_password(user, PASSWORD, self.now_s * 1000)

    def push(self, user: str, text: str = "", **options: Any) -> Asked:
        self.count += 1
        id, number = hashlib.md5(b"%d" % self.count).hexdigest(), 10 + self.count % 90
        now_ms, shown = self.now_s * 1000, (options["platform"], options.get("purpose") or "", text)
        found = self.twin.push(user, now_ms, id=id, number=number, **options)
        assert found is not None
        if isinstance(found, Challenge):
            return Asked(user, (found.id, 0, found.prompt, found.expires_ms), *shown)
        return Asked(user, (id, number, "", found.until_ms), *shown)

    def tell(self, asked: Asked, serial: str, *answer: Any) -> str | None:
        return self.twin.decide_push(asked.id, device_of(serial).phone, *answer, self.now_s * 1000)

    def remove(self, user: str, serial: str) -> None:
        self.twin.remove_device(user, serial, self.now_s * 1000)

    def listed(self, user: str, serial: str) -> list[tuple[str, str]] | None:
        at_ms = max(self.now_s * 1000, self.twin.latest_ms)
        devices = self.twin.users[user].devices if user in self.twin.users else []
        number = next((d.number for d in devices if (d.serial, d.state) == (serial, "active")), 0)
        if not number:
            return None
        found = [p for p in reversed(self.twin.pushes.all) if p.device == number]
        return [
            (p.id, p.state) for p in found
            if at_ms < p.until_ms and not p.is_claimed and p.state in ("pending", "cancelled")
        ]  # fmt: skip

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        said = self.twin.attempt(reference.Attempt(user, response, **options), self.now_s * 1000)
        return said.verdict.name, said.reason.name, said.device or "-", str(said.session_ms)


class EngineDoor(challenge_doors.EngineDoor):
    """The engine, one call at a time."""

    def __init__(self, **figures: Any) -> None:
        self.now_s, self.count = 0, 0
        self.engine = watchword.Engine.open(
            policy=watchword.Policy(**COSTS, **figures), clock=lambda: self.now_s * 1000,
            entropy=self.random,
        )  # fmt: skip

    def random(self, n: int) -> bytes:
        self.count += 1
        return hashlib.shake_128(b"%d" % self.count).digest(n)

    def add_device(self, name: str, serial: str) -> None:
        self.engine.add_device(name, device_of(serial), serial=serial)

    def set_password(self, user: str) -> None:
        self.engine.set_password(user, PASSWORD)

    def push(self, user: str, text: str = "", **options: Any) -> Asked:
        p = self.engine.push(user, text=text, **options)
        found = p.id, p.number, p.prompt, p.expires_ms
        return Asked(user, found, options["platform"], options.get("purpose") or "", text)

    def tell(
        self, asked: Asked, serial: str, decision: str, number: int | None, unlocked: str
    ) -> str | None:
        signature = asked.answer(serial, decision, number, unlocked)
        try:
            return self.engine.decide_push(
                asked.id, decision=decision, number=number, unlocked=unlocked, signature=signature
            )
        except watchword.NotFound:
            return None

    def remove(self, user: str, serial: str) -> None:
        self.engine.remove_device(user, serial)

    def listed(self, user: str, serial: str) -> list[tuple[str, str]] | None:
        now_ms = self.now_s * 1000
        signature = signed(serial, "watchword push list 1", user, serial, str(now_ms))
        try:
            found = self.engine.pushes(user, serial, time_ms=now_ms, signature=signature)
        except watchword.NotFound:
            return None
        return [(shown.id, shown.state) for shown in found]

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        verdict = self.engine.verify(user, response, **options)
        device = None if verdict.code.name == "LOCKED" else verdict.device
        return verdict.code.name, verdict.reason.name, device or "-", str(verdict.session_ms)


class DaemonDoor(challenge_doors.DaemonDoor):
    """The daemon: a gateway asks and claims on its port, and brings what phones say by it."""

    def add_device(self, name: str, serial: str) -> None:
        made = device_of(serial)
        words = ["SERIAL", serial, "KEY", made.key.hex()]
        words += ["PIN", PIN] if made.kind == "ib-key" else []
        words += ["PHONE", public(serial).hex()] if made.phone else []
        self._acts.ask("DEVICE", "ADD", self._prefix + name, made.kind, *words)

    def set_password(self, user: str) -> None:
        self._acts.ask("USER", "PASSWORD", self._prefix + user, "SET", PASSWORD)

    def push(self, user: str, text: str = "", **options: Any) -> Asked:
        name = self._prefix + user
        words = [word for pair in options.items() for word in pair]
        found = self._tcp.ask("PUSH", name, *words, *(["TEXT", text] if text else []))
        told = found["id"], found["number"], found["prompt"], found["expires_ms"]
        return Asked(name, told, options["platform"], options.get("purpose") or "", text)

    def tell(
        self, asked: Asked, serial: str, decision: str, number: int | None, unlocked: str
    ) -> str | None:
        signature = asked.answer(serial, decision, number, unlocked).hex()
        words = [] if number is None else [number]
        try:
            reply = self._tcp.ask(
                "PHONE", "ANSWER", asked.id, decision, *words, unlocked, signature
            )
        except ReplyError as error:
            assert str(error).startswith("NOTFOUND "), error
            return None
        return str(reply).lower()

    def remove(self, user: str, serial: str) -> None:
        self._acts.ask("DEVICE", "REMOVE", self._prefix + user, serial)

    def listed(self, user: str, serial: str) -> list[tuple[str, str]] | None:
        name, now_ms = self._prefix + user, self.now_s * 1000
        signature = signed(serial, "watchword push list 1", name, serial, str(now_ms)).hex()
        try:
            found = self._tcp.ask("PHONE", "PUSHES", name, serial, now_ms, signature)
        except ReplyError as error:
            assert str(error).startswith("NOTFOUND "), error
            return None
        return [(shown["id"], shown["state"]) for shown in found]

    def say(self, user: str, response: str, **options: Any) -> tuple[str, str, str, str]:
        words = [word for pair in options.items() for word in pair]
        told = self._tcp.ask("VERIFY", self._prefix + user, response, *words, "DETAIL")
        silent = told["verdict"] in ("EXPIRED", "NOT_PERMITTED")
        device = "" if silent else told["device"] or "-"
        return told["verdict"], "", device, str(told["session_ms"])
