"""What an engine shows of a user and of a device: everything but secrets."""

from dataclasses import dataclass
from typing import Any

from watchword._engine import ACCOUNT_STATES, DEVICE_STATES, HASH_NAMES, KINDS, REALMS

__all__ = ["DeviceView", "User", "user_of"]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as it stands; never its key. `moving`: the first position not used up."""

    serial: str
    kind: str
    state: str
    algorithm: str
    digits: int
    period: int
    t0: int
    window: tuple[int, int]
    look_ahead: int
    drift_max: int
    moving: int
    drift: int
    failures: int
    capped: bool

    @property
    def counter(self) -> int | None:
        """The HOTP counter expected next; None for other kinds."""
        return self.moving if self.kind == "hotp" else None

    @property
    def last_step(self) -> int | None:
        """The TOTP step accepted last; None before the first and for other kinds."""
        return self.moving - 1 if self.kind == "totp" and self.moving else None


@dataclass(frozen=True, slots=True)
class User:
    """A user as it stands. locked_until_ms: None when no lock was set, else when it ends."""

    name: str
    state: str
    realm: str
    failures: int
    locked_until_ms: int | None
    last_failure_ms: int | None
    devices: tuple[DeviceView, ...]


def user_of(found: tuple[Any, ...]) -> User:
    """A user from the core's tuple, without its id."""
    _, name, account, realm, failures, lock_until, last, devices = found
    return User(
        name,
        ACCOUNT_STATES[account],
        REALMS[realm],
        failures,
        lock_until or None,
        last or None,
        tuple(_device_of(device) for device in devices),
    )


def _device_of(device: tuple[Any, ...]) -> DeviceView:
    (_, serial, kind, state, capped, hash_, digits, period, back, forward, look_ahead, drift_max,
     t0, moving, drift, failures) = device
    return DeviceView(
        serial, KINDS[kind], DEVICE_STATES[state], HASH_NAMES[hash_], digits, period, t0,
        (back, forward), look_ahead, drift_max, moving, drift, failures, bool(capped),
    )
