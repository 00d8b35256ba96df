"""The options of DEVICE ADD and DEVICE SHIP: what each kind of device takes, and what an engine
calls it. A key is not among them: admin.py reads it, so that no message repeats it.
"""

from watchword.devices.device import GIVEN, PRESETS
from watchword.errors import InvalidArgument

__all__ = ["FIGURES", "OF_KIND", "hex_bytes"]

FIGURES = {
    "DIGITS": "digits",
    "ALGORITHM": "algorithm",
    "PERIOD": "period",
    "WINDOW": "window",
    "DRIFT": "drift_max",
    "T0": "t0",
    "COUNTER": "counter",
    "LOOKAHEAD": "look_ahead",
    "SUITE": "suite",
    "PIN": "pin",
    "PINHASH": "pin_hash",
    "PHONE": "phone",
}
OF_KIND: dict[str, tuple[str, ...]] = {
    "TOTP": ("DIGITS", "ALGORITHM", "PERIOD", "WINDOW", "DRIFT", "T0", "PIN"),
    "HOTP": ("DIGITS", "ALGORITHM", "COUNTER", "LOOKAHEAD", "PIN"),
    "OCRA": ("SUITE", "COUNTER", "LOOKAHEAD", "WINDOW", "DRIFT", "PIN", "PINHASH"),
    "CARD": ("COUNTER",),
}
OF_KIND |= {name.upper(): OF_KIND[kind.upper()] for name, (kind, _) in PRESETS.items()}
OF_KIND |= {name.upper(): () for name in GIVEN}
OF_KIND["IB-KEY"] += ("PHONE",)
del OF_KIND["CARD"]  # the two kinds of card have names of their own


def hex_bytes(name: str, digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise InvalidArgument(f"{name} is hex digits") from None
