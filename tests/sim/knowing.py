"""What users know, in a world: passwords, PINs and security questions through crashes and returns.

What changes what somebody knows is one row with the attempt that allowed it: a store that knows the
one without the other has broken a promise.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from watchword.errors import Busy

__all__ = ["Knowing"]

PASSWORDS = ("correct horse", "battery staple", "glass of water")
QUESTIONS = [("pets", "Which pet?", "Rex"), ("cities", "Which city?", "San Diego"),
             ("schools", "Which school?", "Saint Mary's")]  # fmt: skip


class Knowing:
    """Steps of a world that set, ask, answer and change."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        met: Any
        asked: Callable[..., Any]
        changed_by_program: Callable[..., None]
        attempt: Callable[..., Any]
        devices: Callable[[str], list[Any]]
        _beside: Callable[..., Any]
        _done: Callable[..., None]
        questions: dict[str, tuple[str, str]]

    def own_password(self, who: str) -> str | None:
        user = self.checker.twin.users.get(who)
        known = user.known if user else []
        return next((d.key.decode() for d in known if d.kind == "password"), None)

    def on_password(self, who: str, word: int | None, amid: Sequence[Any] = ()) -> None:
        """amid: what others do while it is hashed; its user may be gone afterwards."""
        twin = self.checker.twin
        password, engine = None if word is None else PASSWORDS[word], self.engine
        if who in twin.users:
            self.checker.acting = lambda now_ms: twin.set_password(who, password, now_ms)
        with self._beside(amid):
            self._done(
                lambda: "" if who in twin.users else "-NOTFOUND",
                lambda: engine.set_password(who, password) if password is not None
                else engine.clear_password(who),
            )  # fmt: skip

    def on_questions(self, who: str) -> None:
        twin, there = self.checker.twin, who in self.checker.twin.users
        if there:
            self.checker.acting = lambda now_ms: twin.set_questions(who, QUESTIONS, now_ms)
        call = lambda: self.engine.set_questions(who, QUESTIONS)  # noqa: E731
        self._done("" if there else "-NOTFOUND", call)

    def on_question(self, who: str, dice: int) -> None:
        """What is asked is what the twin asks, and durable."""
        twins: list[tuple[str, str]] = []
        real = self.engine._entropy
        self.checker.acting = lambda now_ms: twins.append(
            self.checker.twin.question(who, dice, now_ms)
        )
        self.engine._entropy = lambda count: dice.to_bytes(count, "little")

        def told() -> Any:
            try:
                return self.engine.question(who)
            except Busy:
                return ""

        found = self.asked(told)
        self.engine._entropy = real
        if found == "" and not self.checker.guard.busy:
            self.checker.fail("a question was refused, and the engine is not busy")
        if not found:
            return
        if (found.id, found.question) != twins[0]:
            self.checker.fail(f"{who} was asked {found}, its twin says {twins[0]}")
        self.questions[who] = twins[0]
        self.met["a question"] += 1
        self.checker.acknowledge(self.engine._turn)

    def on_answer(self, who: str, said: str) -> None:
        id, text = self.questions.get(who, ("0" * 96, ""))
        right = next((answer for _, question, answer in QUESTIONS if question == text), "?")
        answer = right if said == "right" else said
        asked = Asked(
            self.attempt(who, "", {}),
            play=lambda now_ms, busy: self.checker.twin.answer(who, id, answer, now_ms, shed=busy),
        )
        self.checker.asking = [asked]
        verdict = self.asked(lambda: self.engine.answer(who, id, answer))
        if verdict is not None:
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)

    def on_change_pin(self, who: str, word: str, new: str) -> None:
        """Of the first device that has one, by its fresh code, which comes without the PIN here."""
        devices = self.devices(who)
        at = next((i for i, device in enumerate(devices) if device.pin), 0)
        own = devices[at].pin if devices else ""
        old = own or "4711" if word == "own" else word
        a = replace(self.attempt(who, (at, "fresh"), {"platform": "portal"}), pin=old)
        a = replace(a, response=a.response.removeprefix(own))
        self.changed_by_program(
            a, lambda said, now_ms: self.checker.twin.change_pin(said, new, now_ms),
            lambda: self.engine.change_pin(who, old, a.response, new), self._pin_changed,
        )  # fmt: skip

    def _pin_changed(self, changed: bool) -> None:
        self.met["a PIN changed"] += changed
