"""Watchword verifies one-time codes, challenge-responses and lockouts: in bulk, exactly once."""

from watchword._engine import Code, Reason, Verdict
from watchword.audit import Entry, Wanted
from watchword.delivery import Delivery, Webhook
from watchword.devices.card import Card
from watchword.devices.device import Device
from watchword.devices.oath import hotp, totp
from watchword.devices.ocra import ocra
from watchword.engine import Engine
from watchword.errors import (
    Busy,
    Error,
    Exists,
    InvalidArgument,
    NotFound,
    Refused,
    StoreDamaged,
    StoreFailed,
    StoreOwned,
    Unanswered,
    WrongKey,
)
from watchword.events import Event, Subscription
from watchword.explain import Explanation
from watchword.intake import Imported
from watchword.policy import Policy
from watchword.restores import Lost, Restored, restore
from watchword.retention import Retention
from watchword.sharing import Shared
from watchword.store import Backup, Head
from watchword.views import (
    Challenge,
    DeviceView,
    Enrolment,
    EntryView,
    OpenChallenge,
    Passcode,
    Push,
    PushShown,
    Question,
    Replacement,
    User,
)
from watchword.whatif import Report, WhatIf
from watchword.withdrawals import Limits, Withdrawal

__all__ = [
    "Backup",
    "Busy",
    "Card",
    "Challenge",
    "Code",
    "Delivery",
    "Device",
    "DeviceView",
    "Engine",
    "Enrolment",
    "Entry",
    "EntryView",
    "Error",
    "Event",
    "Exists",
    "Explanation",
    "Head",
    "Imported",
    "InvalidArgument",
    "Limits",
    "Lost",
    "NotFound",
    "OpenChallenge",
    "Passcode",
    "Policy",
    "Push",
    "PushShown",
    "Question",
    "Reason",
    "Refused",
    "Replacement",
    "Report",
    "Restored",
    "Retention",
    "Shared",
    "StoreDamaged",
    "StoreFailed",
    "StoreOwned",
    "Subscription",
    "Unanswered",
    "User",
    "Verdict",
    "Wanted",
    "Webhook",
    "WhatIf",
    "Withdrawal",
    "WrongKey",
    "hotp",
    "ocra",
    "restore",
    "totp",
]
