"""What the verbs of an engine need of the engine they belong to.

The verbs are mixed into Engine from a file for each noun: logins.py, acts.py, bulk.py; the keeper
works beside them. This is the one list of what they share, so that a type checker holds both sides
to it.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from watchword._engine import Batch, Core, Gate, Gather, Split
from watchword.delivery import Courier, Delivery
from watchword.devices.device import Device
from watchword.hashing import Fact, Figures, Hasher
from watchword.policy import Policy
from watchword.push_texts import PushTexts
from watchword.store import Page, Store
from watchword.store.commits import Commits
from watchword.tombs import Tombs
from watchword.views import Challenge, User

__all__ = ["Parts"]


class _Parts(Protocol):
    _lock: Gate
    _core: Core
    _batch: Batch
    _one: Batch
    _splits: dict[int, Split]
    _names: bytes
    _tombs: Tombs
    _policy: Policy
    _policy_kept: Policy | None
    _policy_given: bool
    _policy_dirty: bool
    _mark_key: bytes
    _passcode_key: bytes
    _kept_key_of_pins: bytes
    _hasher: Hasher
    _entropy: Callable[[int], bytes]
    _courier: Courier | None
    _push_texts: PushTexts
    _path: str
    _turn: int
    _covered: int
    _row_bytes: int
    _covered_bytes: int
    _gathers: Any
    _keeper: Any
    _copying: threading.Lock
    _store: Store
    _commits: Commits
    _gone: Any
    _pid: int
    _watched: Callable[[int, bytes], None] | None

    def _alive(self) -> None: ...
    def _now(self) -> int: ...
    def _shed(self) -> bool: ...
    def _ask(
        self, user: str, platform: str, purpose: str | None, device: str | None,
        gateway: str | None, sms: bool, posed: tuple[bytes | None, bytes | None] = (None, None),
        *, phone: bool = False,
    ) -> tuple[Challenge | None, int, Delivery | None]: ...  # fmt: skip
    async def _wait_soon(self, turn: int) -> None: ...
    def _expect_pin(self, device: Device) -> None: ...
    def _bury(self, number: int, serial: str) -> bytes: ...
    @property
    def busy_because(self) -> str: ...
    @property
    def clock_doubt(self) -> str: ...
    def _uncovered(self) -> int: ...
    def _catch_up(self) -> None: ...
    def _submit(self, row: bytes) -> int: ...
    def _take(self, batch: Batch | Split, now_ms: int, names: bytes, gateways: int) -> int: ...
    def _wait(self, turn: int) -> None: ...
    def _when_durable(
        self, turn: int, tell: Callable[[BaseException | None], None]
    ) -> None: ...
    def _kept_key(self, device: Device, now_ms: int) -> bytes: ...
    def _user(self, name: str) -> tuple[int, User]: ...
    def _legal(self, name: str) -> bytes: ...
    def _device(self, name: str, serial: str) -> int: ...
    def _slot(self, name: str) -> int: ...
    def _due(self, number: int, now_ms: int) -> bytes: ...
    def _vetted(
        self, device: Device, personal: Sequence[str] = ()
    ) -> tuple[Device, bytes]: ...
    def _enrolling(
        self, number: int, user: User, device: Device, serial: str | None, pin: bytes, now_ms: int,
        by: str, state: str = "active", dates: bytes = b"", ahead: int = 0,
    ) -> tuple[str, bytes]: ...  # fmt: skip
    def _act(self, acts: bytes, now_ms: int | None = None) -> int: ...
    def _gather(self) -> Gather: ...
    def _figures(self, salt: bytes) -> Figures: ...
    def _fact(self, user: str, password: str | None, vouched: bool) -> Fact | None: ...
    async def _fact_soon(
        self, user: str | bytes, password: str | bytes | None, vouched: bool
    ) -> Fact | None: ...
    def _password_acts(self, number: int, kept: bytes) -> bytes: ...
    def _kept_pin(self, device: Device, personal: Sequence[str] = ()) -> bytes: ...
    def _under_policy(self, device: Device) -> Device: ...
    def _expect_suite(self, device: Device) -> None: ...
    def _deciding(self) -> AbstractContextManager[None]: ...
    def _policy_pages(self, turn: int) -> list[Page]: ...
    def close(self) -> None: ...
    def _retain(self) -> None: ...
    def _end(self, error: BaseException) -> None: ...


if TYPE_CHECKING:
    Parts = _Parts
else:
    Parts = object
