"""The access list as it is written: a [[gateway]] of the settings for each, and its token.

The rules: a token is 256 random bits, told once and kept as its SHA-256, so that the settings hold
no secret; a gateway that is not said to have a right has none; whatever is misspelt is refused with
what is legal. Who speaks for a gateway, and what may then be asked, is roll.py's.
"""

import hashlib
import re
import secrets
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from watchword._engine import PLATFORMS, REALMS
from watchword.errors import InvalidArgument
from watchword.serve.knowing import VERBS as KNOWN

__all__ = ["GATEWAYS_MAX", "RATE", "RATE_MAX", "RIGHTS", "VERBS", "Access", "digest", "new_token"]

GATEWAYS_MAX: Final = 64  # names of all stand in every row of the journal
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
RESERVED: Final = ("tcp", "admin", "unix", "default")  # doors' names; what clients say for nobody
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
TOKEN_BYTES: Final = 32
TOKEN_BYTES_MAX: Final = 512  # of what AUTH is given; longer is no token of ours
RATE: Final = 10_000
RATE_MAX: Final = 10_000_000
VERBS: Final = (*KNOWN, "VERIFYMANY", "CHALLENGE", "PUSH", "PHONE")
VERBS_UNSAID: Final = ("VERIFY", "VERIFYMANY", "CHALLENGE")
RIGHTS: Final = ("reasons", "first-factor")
ADMIN_WORDS: Final = re.compile(r"[A-Z]+( [A-Z]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One gateway of the list. Errors: InvalidArgument names gateway, field, and what it may be.

    token_sha256, certificate and local_user say who speaks for it: whoever knows the token; whose
    client certificate has this subject (RFC 4514); which user of this machine is at the other end
    of `listen_unix`. Where several are given all must hold.
    """

    name: str
    token_sha256: str = ""
    certificate: str = ""
    local_user: str = ""
    verbs: tuple[str, ...] = VERBS_UNSAID
    rights: tuple[str, ...] = ()
    users: str = ""
    realm: str = ""
    platforms: tuple[str, ...] = ()
    rate: int = RATE
    admin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise InvalidArgument(
                "a gateway's name must be 1 to 32 of a-z, 0-9, '.', '_' and '-'"
            )
        if self.name in RESERVED:
            raise InvalidArgument(f"no gateway may be named {', '.join(RESERVED)}")
        for field in ("token_sha256", "certificate", "local_user", "users", "realm"):
            if not isinstance(getattr(self, field), str):
                raise self.wrong(f"{field} must be text")
        if not (self.token_sha256 or self.certificate or self.local_user):
            raise self.wrong(
                "it needs token_sha256, certificate or local_user",
                hint=f"`watchword gateway token {self.name}` makes a token and prints the line",
            )
        if self.token_sha256 and not DIGEST.fullmatch(self.token_sha256):
            raise self.wrong("token_sha256 must be 64 hex digits, in lower case")
        self.lists()
        if self.realm not in ("", *REALMS):
            raise self.wrong(f"realm must be one of {', '.join(REALMS)}")
        rate = self.rate
        if isinstance(rate, bool) or not isinstance(rate, int) or not 0 <= rate <= RATE_MAX:
            raise self.wrong(f"rate must be 0 to {RATE_MAX} attempts a second; 0 is any number")

    def lists(self) -> None:
        for field, legal in (("verbs", VERBS), ("rights", RIGHTS), ("platforms", PLATFORMS)):
            words = getattr(self, field)
            if not isinstance(words, tuple) or any(word not in legal for word in words):
                raise self.wrong(f"{field} must be a list of any of {', '.join(legal)}")
        words = self.admin
        if not isinstance(words, tuple) or any(
            not isinstance(word, str) or not ADMIN_WORDS.fullmatch(word) for word in words
        ):
            raise self.wrong(
                'admin must be a list of commands in capitals, as "USER GET", or "USER" for all'
            )

    def wrong(self, what: str, hint: str = "") -> InvalidArgument:
        return InvalidArgument(f"gateway {self.name}: {what}", hint=hint)

    @property
    def known_by(self) -> tuple[str, str, str]:
        """What says who it is. Whoever spoke under another no longer speaks for it."""
        return self.token_sha256, self.certificate, self.local_user

    @classmethod
    def from_table(cls, table: Any) -> Self:
        """One [[gateway]]."""
        if not isinstance(table, dict):
            raise InvalidArgument("gateway must be tables: [[gateway]]")
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(table) - set(known))
        if unknown or "name" not in table:
            raise InvalidArgument(
                f"a gateway has no {', '.join(map(repr, unknown))}" if unknown else
                "a gateway needs a name",
                hint=f"it takes {', '.join(known)}",
            )  # fmt: skip
        listed: dict[str, Any] = {
            name: tuple(said) if isinstance(said, list) else said for name, said in table.items()
        }
        return cls(**listed)

    @classmethod
    def from_tables(cls, tables: Any) -> tuple[Self, ...]:
        """Every [[gateway]] of the settings: names, tokens and bare certificates once each."""
        if not isinstance(tables, list):
            raise InvalidArgument("gateway must be tables: [[gateway]]")
        if len(tables) > GATEWAYS_MAX:
            raise InvalidArgument(f"the access list holds at most {GATEWAYS_MAX} gateways")
        found = tuple(cls.from_table(table) for table in tables)
        for what in ("name", "known_by"):
            said = Counter(getattr(access, what) for access in found)
            for access in found:
                if said[getattr(access, what)] > 1:
                    raise access.wrong(
                        "it is listed twice" if what == "name" else "another is known by the same"
                    )
        return found


def digest(token: bytes) -> bytes:
    """What is kept of a token. It is random, so one hash suffices."""
    return hashlib.sha256(token).digest()


def new_token() -> tuple[str, str]:
    """A token, and the token_sha256 of its gateway."""
    token = "wwt_" + secrets.token_urlsafe(TOKEN_BYTES)
    return token, digest(token.encode()).hex()
