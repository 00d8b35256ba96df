"""Attempts from which something follows in the same turn, in a world: another PIN or password, an
activation, opting in, a device that is shared. A program makes one, or a gateway has it made.

What a gateway asks is done by a thread of changes, when a story has it do one. Rule: the attempt
and what follows are one row, durable before anyone hears of it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from tests.sim.network import Gateway, frame, options_of
from watchword.errors import Error, StoreFailed
from watchword.reference import Answer, Attempt

__all__ = ["Changing"]

Act = Callable[[Attempt, int], Answer]      # what the twin makes of an attempt at a time
Told = Callable[[bool], None]               # whether it was done


class Changing:
    """What steps of a world share."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        address: Callable[[], str]
        asked: Callable[..., Any]
        gateway: Callable[..., Gateway]
        changing: dict[str, tuple[Asked, Gateway, Told]]    # by the address of who asked

    def acted_on(self, a: Attempt, act: Act | None) -> Asked:
        """act: where more follows than from any attempt."""
        asked = Asked(a)
        if act is not None:
            asked.play = lambda now_ms, busy: act(
                replace(self.checker.as_held(asked), shed=busy), now_ms
            )
        return asked

    def changed_by_program(
        self, a: Attempt, act: Act | None, call: Callable[[], Any], told: Told | None = None
    ) -> None:
        asked = self.acted_on(a, act)
        self.checker.hold(asked)
        self.checker.asking = [asked]
        verdict = self.asked(call)
        if verdict is not None:
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)
            if told is not None:
                told(bool(verdict))

    def changed_by_gateway(
        self, number: int, a: Attempt, act: Act | None, words: tuple[str, ...],
        options: tuple[str, ...], told: Told, owed: Callable[[Asked], Any] | None = None,
    ) -> None:  # fmt: skip
        """options: what the command says of the attempt behind its words. owed: what holds the
        reply against the attempt, where it is more than a verdict."""
        client = self.gateway(number)
        if client.ended:
            return
        asked = self.acted_on(replace(a, address=self.address()), act)
        self.changing[str(asked.attempt.address)] = asked, client, told
        said = options_of(asked.attempt, "ADDRESS", *options)
        client.say(frame(*words, *said), owed(asked) if owed is not None else [asked])
        client.deliver(10_000)

    def work_of_change(self, future: Any, run: Callable[[], Any], address: str) -> None:
        """The thread of changes does one that a gateway asked for."""
        asked, client, told = self.changing.pop(address)
        ended = self.engine._ended is not None
        self.checker.hold(asked)
        self.checker.asking = [asked]
        made: Any = None
        try:
            made = run()
        except StoreFailed:
            if not (self.machine.disk.off or ended or self.engine._ended is not None):
                raise
            client.lose(None)
            return
        except Error as refused:
            made = refused
        finally:
            self.checker.asking = None
        if ended:
            self.checker.fail(f"an engine that ended answered {made}")
        if self.machine.disk.off:
            return
        if isinstance(made, Error):
            future.set_exception(made)
        else:
            told(bool(made))
            future.set_result(made)
