"""What users know, for tests/both.py: passwords, PINs and questions through engine and twin.

Random numbers of the engine are the history's: which question is picked is one of them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from histories_knowing import NOTHING, PASSWORDS, POOLS
from histories_phones import PINS
from said import answer_of

import watchword
from watchword import _engine, reference
from watchword.reference import Attempt, Reference, User

PUSH_ID_CHARS = 32


class Knowing:
    """Steps of a history, each returns what the engine said and what the twin said; and states."""

    engine: watchword.Engine
    twin: Reference
    now_ms: int
    seen: set[str]
    dice = 0

    if TYPE_CHECKING:   # Both has these
        name: Callable[[str], str]
        devices: Callable[[str], list[reference.Device]]
        attempt: Callable[[str, Any, dict[str, Any]], Attempt]
        entered: Callable[[int], Any]
        twins_entered: Callable[[User], Any]

    def __init__(self) -> None:
        self.questions: dict[str, list[tuple[str, str]]] = {}   # of a user, the newest first

    def entropy(self, count: int) -> bytes:
        return self.dice.to_bytes(count, "little")

    def password(self, name: str, word: Any) -> str | None:
        """The user's own, another one, or none."""
        if word == "own":
            known = self.twin.users[name].known if name in self.twin.users else []
            return next((d.key.decode() for d in known if d.kind == "password"), None)
        return PASSWORDS[word] if isinstance(word, int) else None

    def set_password(self, name: str, word: int | None) -> None:
        password = None if word is None else PASSWORDS[word]
        if password is None:
            self.engine.clear_password(name)
        else:
            self.engine.set_password(name, password)
        self.twin.set_password(name, password, self.now_ms)

    def set_questions(self, name: str) -> None:
        self.engine.set_questions(name, POOLS)
        self.twin.set_questions(name, POOLS, self.now_ms)

    def change_pin(
        self, who: str, word: Any, old: str, new: str, options: dict[str, Any]
    ) -> tuple[Any, Any]:
        old = self.phones_pin(who) if old == "own" else old
        a = self.attempt(who, word, {**options, "pin": old, "realm": "live", "session": None})
        verdict = self.engine.change_pin(
            a.name, old, a.response, new, platform=a.platform, device=a.device,
            challenge=a.challenge, address=a.address,
        )  # fmt: skip
        answer = self.twin.change_pin(replace(a, password=None, vouched=False), new, self.now_ms)
        self.seen |= {repr(answer.verdict), repr(answer.reason)}
        if answer.verdict is reference.Verdict.ACCEPTED:
            changed = [r for r in self.twin.journal[-1][1] if r.event is reference.Event.PIN]
            self.seen |= {"a PIN for every user of a phone"} if len(changed) > 1 else set()
        return answer_of(verdict), tuple(answer)

    def change_password(
        self, who: str, word: Any, new: int, options: dict[str, Any]
    ) -> tuple[Any, Any]:
        a = self.attempt(who, word, options)
        a = replace(a, password=a.password or "none of his", vouched=False)
        verdict = self.engine.change_password(
            a.name, str(a.password), a.response, PASSWORDS[new], pin=a.pin, device=a.device,
            challenge=a.challenge, platform=a.platform, address=a.address,
        )  # fmt: skip
        answer = self.twin.change_password(a, PASSWORDS[new], self.now_ms)
        self.seen |= {repr(answer.verdict), repr(answer.reason)}
        self.seen |= {f"a change of password: {answer.verdict.name}"}
        if a.challenge and len(a.challenge) == PUSH_ID_CHARS:
            self.seen |= {f"a change of password by push: {answer.verdict.name}"}
        return answer_of(verdict), tuple(answer)

    def phones_pin(self, who: str) -> str:
        """That of the first phone there is."""
        digests = [d.pin_hash for d in self.devices(who) if d.phone]
        kept = {hashlib.sha256(pin.encode()).digest(): pin for pin in PINS}
        return kept[digests[0]] if digests else PINS[0]

    def question(self, who: str, dice: int) -> tuple[Any, Any]:
        self.dice, name = dice, self.name(who)
        if not reference.name_is_legal(name, self.twin.figures.names_any):
            return None, None
        found = self.engine.question(name)
        twins = self.twin.question(name, dice, self.now_ms)
        self.questions.setdefault(name, []).insert(0, twins)
        return (found.id, found.question), twins

    def answer(self, who: str, which: Any, said: str, address: str | None) -> tuple[Any, Any]:
        name = self.name(who)
        mine = self.questions.get(name, [])
        others = [asked for other, asked in self.questions.items() if other != name]
        if which == "another's":
            id, text = others[0][0] if others else ("f00", "")
        elif isinstance(which, int):
            id, text = mine[which] if which < len(mine) else ("0" * 96, "")
        else:
            id, text = which, ""
        right = next((answer for _, question, answer in POOLS if question == text), "?")
        answer = {"right": right, "wrong": right.lower()}.get(said, said)
        options = {**NOTHING, "address": address, "platform": "trading", "realm": "live"}
        address = self.attempt(who, "", options).address
        verdict = self.engine.answer(name, id, answer, address=address)
        twins = self.twin.answer(name, id, answer, self.now_ms, address=address)
        self.seen |= {repr(twins.verdict), repr(twins.reason)}
        return answer_of(verdict), tuple(twins)

    def known(self, slot: int) -> Any:
        password, questions, wrong = _engine.secrets_kept(self.engine._core, slot)
        entered = self.entered(slot)
        return password is not None, [question[1:] for question in questions], wrong, entered

    def twins_known(self, user: User) -> Any:
        return (
            any(d.kind == "password" for d in user.known),
            [(d.serial, d.suite, d.issued, 0 in d.standing)
             for d in user.known if d.kind == "question"],
            user.wrong_answers,
            self.twins_entered(user),
        )  # fmt: skip
