"""Bugs planted where phones approve logins; plants.py has the others, and how they are planted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.sim.engine import SimEngine
from watchword import _engine, pushes

__all__ = ["BUGS"]

Put = Callable[[Any, str, Any], None]


def any_signature_approves(put: Put) -> None:
    """A phone's answer is believed, whoever signed it."""
    put(pushes, "is_signed", lambda phone, message, signature: True)


def any_number_approves(put: Put) -> None:
    """The number that a person typed is not held against the one that was shown."""
    real = _engine.push_decide

    def decide(core: Any, id: bytes, phone: bytes, to: str, biometric: bool, now_ms: int) -> Any:
        return real(core, id, phone, to.replace("mismatched", "approved"), biometric, now_ms)

    put(pushes._engine, "push_decide", decide)


def push_outlives_its_time(put: Put) -> None:
    """What a policy says of how long a push is open is taken for ten times as much."""
    put(SimEngine, "_set_core_policy", _longer(SimEngine._set_core_policy))


def _longer(real: Callable[[Any], None]) -> Callable[[Any], None]:
    def set_policy(self: Any) -> None:
        real_policy = self._policy
        self._policy = replace(real_policy, push_ms=10 * real_policy.push_ms)
        real(self)
        self._policy = real_policy

    return set_policy


BUGS: Final = (any_signature_approves, any_number_approves, push_outlives_its_time)
