"""Bugs planted where devices are asked: challenges, what is posed, pushes; plants.py has others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from watchword import _engine, challenges, engine, logins, pushes

__all__ = ["ASKED", "Put"]

Put = Callable[[Any, str, Any], None]
ASKED: Final[list[Callable[[Put], None]]] = []


def asked(bug: Callable[[Put], None]) -> Callable[[Put], None]:
    ASKED.append(bug)
    return bug


@asked
def challenge_good_twice(put: Put) -> None:
    """What was right for a challenge is remembered, and said again whoever asks again."""
    real = logins.Logins.verify
    right: dict[Any, Any] = {}

    def verify(self: Any, user: str, response: str, **words: Any) -> Any:
        named = user, response, words.get("challenge")
        if named not in right:
            verdict = real(self, user, response, **words)
            if not verdict or not named[2]:
                return verdict
            right[named] = verdict
        else:
            self.checker.asking = None
        return right[named]

    put(logins.Logins, "verify", verify)


@asked
def question_of_another_case(put: Put) -> None:
    """What is posed is signed and answered as if it were written in capitals."""
    real = challenges._posed

    def posed(*questions: str | None) -> Any:
        return tuple(text and text.upper() for text in real(*questions))

    put(challenges, "_posed", posed)


@asked
def answer_left_out(put: Put) -> None:
    """Where no more answers are given, a challenge without one is shown."""
    real = _engine.ask

    def ask(core: Any, name: bytes, platform: int, *words: Any, **named: Any) -> Any:
        shown = real(core, name, platform, *words, **named)
        return shown or real(core, name, platform, *words[:-1], None, **named)

    put(_engine, "ask", ask)


@asked
def any_signature_approves(put: Put) -> None:
    """A phone's answer is believed, whoever signed it."""
    put(pushes, "is_signed", lambda phone, message, signature: True)


@asked
def any_number_approves(put: Put) -> None:
    """The number that a person typed is not held against the one that was shown."""
    real = _engine.push_decide

    def decide(core: Any, id: bytes, phone: bytes, to: str, biometric: bool, now_ms: int) -> Any:
        return real(core, id, phone, to.replace("mismatched", "approved"), biometric, now_ms)

    put(pushes._engine, "push_decide", decide)


@asked
def push_outlives_its_time(put: Put) -> None:
    """What a policy says of how long a push is open is taken for ten times as much."""
    real = engine.told_to

    def told_to(core: Any, figures: Any) -> None:
        real(core, replace(figures, push_ms=10 * figures.push_ms))

    put(engine, "told_to", told_to)
