"""Bugs planted where devices are asked: challenges, what is posed, pushes; plants.py has others."""

from dataclasses import replace
from typing import Any

from tests.sim.planting import Put, plant
from watchword import _engine, challenges, engine, keeper, logins, pushes


@plant
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


@plant
def question_of_another_case(put: Put) -> None:
    """What is posed is signed and answered as if it were written in capitals."""
    real = challenges._posed

    def posed(*questions: str | None) -> Any:
        return tuple(text and text.upper() for text in real(*questions))

    put(challenges, "_posed", posed)


@plant
def answer_left_out(put: Put) -> None:
    """Where no more answers are given, a challenge without one is shown."""
    real = _engine.ask

    def ask(core: Any, name: bytes, platform: int, *words: Any, **named: Any) -> Any:
        shown = real(core, name, platform, *words, **named)
        return shown or real(core, name, platform, *words[:-1], None, **named)

    put(_engine, "ask", ask)


@plant
def any_signature_approves(put: Put) -> None:
    """A phone's answer is believed, whoever signed it."""
    put(pushes, "is_signed", lambda phone, message, signature: True)


@plant
def any_number_approves(put: Put) -> None:
    """The number that a person typed is not held against the one that was shown."""
    real = _engine.push_decide

    def decide(core: Any, id: bytes, phone: bytes, to: str, biometric: bool, now_ms: int) -> Any:
        return real(core, id, phone, to.replace("mismatched", "approved"), biometric, now_ms)

    put(pushes._engine, "push_decide", decide)


@plant
def push_outlives_its_time(put: Put) -> None:
    """What a policy says of how long a push is open is taken for ten times as much."""
    real = engine.told_to

    def told_to(core: Any, figures: Any) -> None:
        real(core, replace(figures, push_ms=10 * figures.push_ms))

    put(engine, "told_to", told_to)


@plant
def told_again_before_its_turn(put: Put) -> None:
    """What is told again is told at once, though the first telling may not be durable yet."""
    real = logins.Logins.verify

    def verify(self: Any, user: str, response: str, **words: Any) -> Any:
        if words.get("request_id") is None:
            return real(self, user, response, **words)
        before, wait = self._turn, self._wait
        self._wait = lambda turn: None if turn == before else wait(turn)
        try:
            return real(self, user, response, **words)
        finally:
            del self._wait

    put(logins.Logins, "verify", verify)


@plant
def id_forgotten_at_reopen(put: Put) -> None:
    """The pages do not say from which row on request ids were live."""
    put(keeper, "ids_from", lambda core: (0, 0))
