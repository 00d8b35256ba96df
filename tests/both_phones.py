"""Phones in the engine and its slow twin, side by side: pushes, what phones say, and enrolments.

A part of Both, for tests/test_agreement.py: each verb returns what the engine said and what the
twin said.
"""

import contextlib
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from histories import PIN
from said import answer_of, made_of

import watchword
from watchword import reference
from watchword.devices.phone import answer_message, public_key
from watchword.reference import Device

SECRET = bytes(32)                      # of every engine here
DEVICES_MAX = 16                        # of one user
PUSH_BYTES = 24                         # of entropy: an id and a number
SUITE = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
KEYS_OF_PHONES = [ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
PHONES = [public_key(key.public_key().public_bytes_raw()) for key in KEYS_OF_PHONES]


class Phones:
    """Steps of a history that push, decide and enrol."""

    if TYPE_CHECKING:
        engine: watchword.Engine
        twin: reference.Reference
        now_ms: int
        randoms: int
        serials: int
        seen: set[str]
        asked: dict[str, list[str]]
        pushed: dict[str, list[tuple[str, int]]]
        name: Callable[[str], str]
        serial: Callable[[str, Any], str | None]
        devices: Callable[[str], list[Device]]

    def random(self, n: int) -> bytes:
        """Entropy: of a push's id and number no two are the same, all else is known."""
        self.randoms += n == PUSH_BYTES
        return hashlib.sha256(b"%d" % self.randoms).digest()[:n] if n == PUSH_BYTES else SECRET[:n]

    def push_id(self, who: str, word: Any) -> str | None:
        """A push's id: so many pushes back, of somebody else, or a text that is none."""
        if word == "another's":
            others = [ids for name, ids in self.pushed.items() if ids and name != self.name(who)]
            return others[0][0][0] if others else "0" * 32
        pushed = self.pushed.get(self.name(who), [])
        return (pushed[word][0] if word < len(pushed) else "1" * 32) if word in (0, 1) else word

    def push(self, who: str, options: dict[str, Any]) -> tuple[Any, Any]:
        named = {**options, "device": self.serial(who, options["device"])}
        name, found = self.name(who), None
        found = self.engine.push(name, **named)
        random = self.last_random()
        id, number = random[:16].hex(), 10 + int.from_bytes(random[16:], "little") % 90
        twins = self.twin.push(name, self.now_ms, id=id, number=number, **named)
        assert twins is not None
        if isinstance(twins, reference.Challenge):
            self.seen.add("too many pushes")
            self.asked.setdefault(name, []).insert(0, twins.id)
            said = twins.id, 0, twins.prompt, twins.expires_ms
        else:
            self.pushed.setdefault(name, []).insert(0, (id, number))
            said = id, number, "", twins.until_ms
        return (found.id, found.number, found.prompt, found.expires_ms), said

    def last_random(self) -> bytes:
        return hashlib.sha256(b"%d" % self.randoms).digest()[:PUSH_BYTES]

    def decide_push(
        self, who: str, back: int, decision: str, wrong_by: int, unlocked: str, phone: str
    ) -> tuple[Any, Any]:
        """The phone that was asked answers, or another does."""
        pushed = self.pushed.get(self.name(who), [])
        if back >= len(pushed):
            return None, None
        (id, right), asked = pushed[back], self.twin.pushes.of(pushed[back][0])
        number = None if decision == "deny" else 10 + (right - 10 + wrong_by) % 90
        devices = [d for u in self.twin.users.values() for d in u.devices]
        asks = [d.phone for d in devices if asked and d.number == asked.device and d.phone]
        which = PHONES.index(asks[0]) if asks else 0
        which = 1 - which if phone == "another's" else which
        a = self.engine._push_texts.get(id)
        message = answer_message(
            id, number, a.user, a.platform, a.purpose, a.text, decision, unlocked
        ) if a else b""  # fmt: skip
        signature, said = KEYS_OF_PHONES[which].sign(message), None
        with contextlib.suppress(watchword.NotFound):
            said = self.engine.decide_push(
                id, decision=decision, number=number, unlocked=unlocked, signature=signature
            )
        twins = self.twin.decide_push(
            id, PHONES[which], decision, number, unlocked, self.now_ms
        )
        self.seen.add(f"push {twins}")
        return said, twins if a else None

    def enrol_phone(self, who: str, which: int, pin: str, is_right: bool) -> tuple[Any, Any]:
        """A token is sent, and shown by a phone."""
        name, now_ms = self.name(who), self.now_ms
        if sum(d.label != "ib-key" for d in self.devices(who)) >= DEVICES_MAX:
            return None, None
        try:
            sent = self.engine.send_code(name, purpose="activate ib-key")
        except watchword.Busy:
            sent = None
        twins = self.twin.challenge(name, now_ms, purpose="activate ib-key", sends=True, sms=True)
        if sent is None or twins is None:
            return sent, twins
        token = (self.twin.sent_code if is_right else None) or "wrong"
        self.serials += 1
        serial = f"p{self.serials}"
        said: Any = None
        with contextlib.suppress(watchword.Exists):
            made = self.engine.enrol_phone(name, sent.id, token, PHONES[which], pin, serial=serial)
            said = answer_of(made.verdict)
        device = made_of("ocra", SECRET, {"label": "ib-key", "pin": pin, "suite": SUITE})
        own = Device(
            "ocra", SECRET, serial, algorithm="sha256", digits=8, label="ib-key", look_ahead=0,
            suite=SUITE, pin_hash=device.pin_hash, phone=PHONES[which], back=0, forward=0,
        )  # fmt: skip
        answer = self.twin.enrol_phone(name, twins.id, token, own, now_ms)
        self.seen.add("another PIN" if answer is None else f"enrolled {answer.verdict.name}")
        return said, answer and tuple(answer)

    def may_have(self, name: str, which: int) -> bool:
        """Whether a phone with the usual PIN may be this user's: one a user, one PIN a phone."""
        pin_hash = hashlib.sha256(PIN.encode()).digest()
        users = self.twin.users.values()
        others = [d.pin_hash for u in users for d in u.devices if d.phone == PHONES[which]]
        taken = any(d.phone for d in self.twin.users[name].devices)
        return not taken and all(other == pin_hash for other in others)
