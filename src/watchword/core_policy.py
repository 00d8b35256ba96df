"""The policy's figures as the core takes them: one list, for an engine and for a what-if."""

from watchword._engine import LABELS, Core
from watchword.policy import Policy

__all__ = ["told_to"]


def told_to(core: Core, figures: Policy) -> None:
    """Sets what the core decides by."""
    core.set_policy(
        lockout_failures=figures.lockout_failures,
        lockout_window_ms=figures.lockout_window_ms,
        lockout_extend=figures.lockout_extend,
        failures_cap=figures.failures_cap or 0,
        source_failures=figures.source_failures or 0,
        names_any=figures.names == "any",
        ranks=bytes((0, figures.rank_totp, figures.rank_hotp, figures.rank_ocra, 0, 0, 0, 0)),
        card_shown_percent=figures.card_shown_percent,
        push_ms=figures.push_ms,
        push_per_window=figures.push_per_window,
        push_window_ms=figures.push_window_ms,
        session_pin_ms=figures.session_pin_ms,
        session_biometric_ms=figures.session_biometric_ms,
        session_ms=figures.session_ms,
        allow_no_device=figures.allow_no_device,
        challenge_labels=bytes(LABELS.index(kind) for kind in figures.challenge_kinds),
        sms_per_hour=figures.sms_per_hour,
        sms_seconds=figures.sms_ms // 1000,
    )
