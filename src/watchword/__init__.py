"""Watchword verifies one-time codes, challenge-responses and lockouts: in bulk, exactly once."""

from watchword._engine import Code, Reason, Verdict
from watchword.devices.device import Device
from watchword.devices.oath import hotp, totp
from watchword.devices.ocra import ocra
from watchword.engine import Engine
from watchword.errors import (
    Error,
    Exists,
    InvalidArgument,
    NotFound,
    StoreDamaged,
    StoreFailed,
    StoreOwned,
    WrongKey,
)
from watchword.policy import Policy
from watchword.views import DeviceView, User

__all__ = [
    "Code",
    "Device",
    "DeviceView",
    "Engine",
    "Error",
    "Exists",
    "InvalidArgument",
    "NotFound",
    "Policy",
    "Reason",
    "StoreDamaged",
    "StoreFailed",
    "StoreOwned",
    "User",
    "Verdict",
    "WrongKey",
    "hotp",
    "ocra",
    "totp",
]
