"""The other side of a login: an authenticator app in a few lines, for the demo.

It is not the engine's arithmetic but a second one, as on a user's phone: standard library alone,
RFC 6238 as written, from nothing but the otpauth:// address that enrolment printed.
"""

import hashlib
import hmac

from watchword.formats import otpauth

__all__ = ["Authenticator"]


class Authenticator:
    """What scanned the QR code."""

    def __init__(self, address: str) -> None:
        self._token = otpauth.parse(address)

    def code(self, time_s: int) -> str:
        """The code this device shows at a time, in seconds since 1970."""
        token = self._token
        text = (time_s // token.period).to_bytes(8, "big")
        mac = hmac.digest(token.key, text, getattr(hashlib, token.algorithm))
        at = mac[-1] & 15
        truncated = int.from_bytes(mac[at : at + 4], "big") & 0x7FFFFFFF
        return f"{truncated % 10**token.digits:0{token.digits}d}"

    def wrong_code(self, time_s: int) -> str:
        """A code that no step near this time shows."""
        near = {self.code(time_s + k * self._token.period) for k in range(-12, 13)}
        tries = (f"{n:0{self._token.digits}d}" for n in range(len(near) + 1))
        return next(code for code in tries if code not in near)
