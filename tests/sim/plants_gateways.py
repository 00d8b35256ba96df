"""Bugs planted where gateways ask, and phones speak through the daemon; plants.py has others."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.sim.engine import SimEngine
from tests.sim.planting import Put, plant
from watchword import sharing
from watchword.push_texts import PushTexts
from watchword.serve import entering
from watchword.serve.knowing import Knowing


@contextlib.contextmanager
def waiting_for_nothing(engine: Any) -> Iterator[None]:
    """What is said meanwhile is not waited for."""

    async def soon(turn: int) -> None:
        pass

    engine._wait, engine._wait_soon = lambda turn: None, soon
    try:
        yield
    finally:
        del engine._wait, engine._wait_soon


@plant
def push_told_before_its_turn(put: Put) -> None:
    """A gateway is told of a push while what it shows is still on its way."""
    real = SimEngine.apush

    async def apush(self: Any, user: str, **words: Any) -> Any:
        with waiting_for_nothing(self):
            return await real(self, user, **words)

    put(SimEngine, "apush", apush)


@plant
def phone_told_before_its_turn(put: Put) -> None:
    """A phone is told what became of its answer, or of its list, while that is still on its way."""

    def soon(real: Any) -> Any:
        def call(self: Any, *words: Any, **named: Any) -> Any:
            with waiting_for_nothing(self):
                return real(self, *words, **named)

        return call

    put(SimEngine, "decide_push", soon(SimEngine.decide_push))
    put(SimEngine, "pushes", soon(SimEngine.pushes))


@plant
def nobody_is_woken(put: Put) -> None:
    """Whoever waits for a push hears of it when the time is up."""
    put(PushTexts, "woken", lambda self, id: [])


@plant
def awaited_push_told_before_its_turn(put: Put) -> None:
    """A program that waits for a push is told how it stands while what it saw is on its way."""
    real = SimEngine._is_pending

    def is_pending(self: Any, id: str) -> bool:
        with waiting_for_nothing(self):
            return real(self, id)

    put(SimEngine, "_is_pending", is_pending)


@plant
def awaited_push_hears_its_time_alone(put: Put) -> None:
    """Whoever awaits a push in a program hears of it when the time is up."""
    real = SimEngine._watch

    def watch(self: Any, id: str, wake: Any) -> Any:
        return real(self, id, lambda: None if "await_push" in wake.__qualname__ else wake())

    put(SimEngine, "_watch", watch)


@plant
def claimed_push_is_open(put: Put) -> None:
    """A claim by id that was accepted is told so again, whatever its id."""
    real = SimEngine.verify
    right: dict[Any, Any] = {}

    def verify(self: Any, user: str, response: str, **words: Any) -> Any:
        if response or not words.get("challenge"):
            return real(self, user, response, **words)
        named = user, words["challenge"]
        if named in right:
            self.checker.asking = None
            return right[named]
        verdict = real(self, user, response, **words)
        if verdict:
            right[named] = verdict
        return verdict

    put(SimEngine, "verify", verify)


@plant
def lent_to_whoever_vouches(put: Put) -> None:
    """A gateway's word stands for the owner's password, when a device is shared."""

    def share(engine: Any, words: list[bytes], given: dict[str, bytes], gateway: str) -> Any:
        user, owner, serial, response = (word.decode() for word in words)
        named = entering.of_attempt({name: word for name, word in given.items()
                                     if name != "PASSWORD"})  # fmt: skip
        return engine.share_device(
            user, owner, serial, response, gateway=gateway, first_factor=True, **named
        )

    put(entering, "CHANGES", {**entering.CHANGES, "SHARE": share})


@plant
def taken_back_from_one(put: Put) -> None:
    """An owner's device is taken back from the first who was lent it, and from no other."""
    real = sharing.sharers_of

    def sharers_of(core: Any, slot: int, number: int) -> Any:
        role, sharers = real(core, slot, number)
        return role, sharers[:1]

    put(sharing, "sharers_of", sharers_of)


@plant
def lost_for_one_alone(put: Put) -> None:
    """A shared device that one of its users reports is lost for that one."""
    put(sharing.Sharing, "_gone_for_all", lambda self, *words: b"")


@plant
def lost_again_for_one_alone(put: Put) -> None:
    """What its user had reported before is not lost for who found it since."""
    real = sharing.Sharing._gone_for_all

    def gone_for_all(self: Any, slot: int, number: int, state: str, *more: Any) -> bytes:
        own = next(one for one in self._devices_of(slot) if one[sharing.NUMBER] == number)
        is_so = sharing.DEVICE_STATES[own[sharing.STATE]] == state
        return b"" if is_so else real(self, slot, number, state, *more)

    put(sharing.Sharing, "_gone_for_all", gone_for_all)


@plant
def pin_left_out_beside_a_password(put: Put) -> None:
    """A PIN that comes apart is not looked at where a password is hashed first."""
    real = Knowing._verify

    def verify(self: Any, words: Any, given: dict[str, bytes], *more: Any) -> Any:
        return real(self, words, {k: v for k, v in given.items() if k != "PIN"}, *more)

    put(Knowing, "_verify", verify)


@plant
def pin_left_out_of_a_change(put: Put) -> None:
    """A PIN that comes apart is not looked at where something follows from the attempt."""
    real = SimEngine._attempt_then

    def attempt_then(self: Any, *words: Any) -> Any:
        return real(self, *words[:7], None, *words[8:])

    put(SimEngine, "_attempt_then", attempt_then)
