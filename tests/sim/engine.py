"""The product's engine with a checker looking over its shoulder, and its two threads taken away.

Everything is the engine's own code. Three of its steps tell the checker that they were taken; the
journal's and the keeper's turns come when a story says so, on the one thread there is.
"""

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from tests.sim.checker import Checker
from tests.sim.hasher import Hasher
from watchword import Delivery, Engine

__all__ = ["SimEngine"]


class Phone:
    """Every phone there is, in the courier's place: what was sent has been seen, so that recovery
    must know of it."""

    is_full = False

    def __init__(self, engine: "SimEngine", checker: Checker) -> None:
        self.engine, self.checker = engine, checker
        self.sent: list[Delivery] = []

    def take(self, delivery: Delivery) -> None:
        asks = self.engine.asks
        turn, _ = asks.made.get(delivery.id, (self.engine._turn, [])) if asks else (0, [])
        self.checker.acknowledge(turn)
        self.sent.append(delivery)

    def close(self) -> None:
        pass


class SimEngine(Engine):
    """`checker` is set as soon as the engine is open."""

    checker: Checker | None = None
    asks: Any = None  # the world, which is told what gateways ask for
    phone: Phone
    _hasher: Hasher  # type: ignore[assignment]

    def _take(self, batch: Any, now_ms: int, names: bytes, gateways: int) -> int:
        before = self._turn
        turn = super()._take(batch, now_ms, names, gateways)
        if self.checker is not None:
            row = self.tap[-1] if self.tap and self._turn > before else None
            self.checker.taken(self, now_ms, row, len(batch))
        return turn

    def _act(self, acts: bytes, now_ms: int | None = None) -> int:
        turn = super()._act(acts, now_ms)
        if self.checker is not None:
            self.checker.acted(self, self.checker.now_ms())
        return turn

    def _ask(self, *words: Any, **named: Any) -> Any:
        asks = None if words[4] is None else self.asks
        if asks is not None and named.get("phone"):
            asks.asks_by_hand()
        elif asks is not None:
            asks.asks(*words[:4], words[5])
        with asks.refusing() if asks is not None else nullcontext():
            found = super()._ask(*words, **named)
        if self.checker is not None:
            self.checker.acted(self, self.checker.now_ms())
        if asks is not None:
            shown = found[0]
            asks.shows(shown and (shown.id, shown.kind, shown.prompt, shown.expires_ms,
                                  shown.answer))  # fmt: skip
        return found

    def _push(self, *words: Any) -> Any:
        asks = None if words[5] is None else self.asks
        with asks.refusing() if asks is not None else nullcontext():
            found = super()._push(*words)
        if asks is not None:
            asks.opens(*words[:4], found[0])
        return found

    def _take_and(self, *words: Any) -> Any:
        before = self._turn
        found = super()._take_and(*words)
        if self.checker is not None:
            row = self.tap[-1] if self.tap and self._turn > before else None
            self.checker.taken(self, words[1], row, 1)
        return found

    def _question(self, *words: Any) -> Any:
        asks, real = None if words[1] is None else self.asks, self._entropy
        if asks is not None:
            dice = asks.asks_question(words[0])
            self._entropy = lambda count: dice.to_bytes(count, "little")
        with asks.refusing() if asks is not None else nullcontext():
            found = super()._question(*words)
        self._entropy = real
        if self.checker is not None:
            self.checker.acted(self, self.checker.now_ms())
        if asks is not None:
            asks.shows((found[0].id, found[0].question))
        return found

    def _end_renewals(self) -> None:
        """Ten seconds are enough for all that logins renew."""
        self._hasher.renew()
        super()._end_renewals()

    def _now(self) -> int:
        now_ms = super()._now()
        if self.checker is not None and self.checker.guard is not None:
            self.checker.guard.read()
        return now_ms

    def attended(self, checker: Checker) -> "deque[tuple[int, Callable[[Any], None]]]":
        """From here on the checker is told; returns the queue of who waits for the journal."""
        waiting: deque[tuple[int, Callable[[Any], None]]] = deque()

        def when_durable(turn: int, tell: Callable[[Any], None]) -> None:
            waiting.append((turn, tell))

        self.checker, self.tap = checker, []
        self._courier = self.phone = Phone(self, checker)  # type: ignore[assignment]
        self._hasher = Hasher()
        self._commits.when_durable = when_durable  # type: ignore[method-assign]
        return waiting

    def keep(self) -> None:
        """One pass of the keeper's thread, as its own loop makes it."""
        keeper = self._keeper
        assert keeper is not None
        keeper.pass_ticks, keeper.pace = 1, 0.0
        ends = iter((False, True))

        def rest(_ends: object, _seconds: float) -> None:
            while self._store.write_ahead(1.0):
                pass
            keeper._closing = next(ends)

        keeper._rest = rest  # type: ignore[method-assign]
        keeper._run()
        keeper._closing = False
