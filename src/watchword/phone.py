"""A reference phone: what an ib-key's app holds and computes, for tests and demos.

Rule: it uses the library's public pieces alone and keeps its keys in one file of mode 0600. A PIN
is typed each time and kept nowhere; the number of a push is typed by whoever reads it at the login.
"""

import json
import os
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from watchword import PushShown, ocra
from watchword.devices.phone import answer_message, list_message, public_key
from watchword.errors import Exists, InvalidArgument, NotFound

__all__ = ["KEY_KINDS", "Phone"]

KEY_KINDS = ("ed25519", "p256")

Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class Enrolled(Protocol):
    """What an accepted enrolment tells the phone, this once."""

    @property
    def serial(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def suite(self) -> str: ...


class Phone:
    """One phone: a key pair, and what it was given for each user it serves."""

    def __init__(self, private: Private, users: dict[str, dict[str, str]], path: Path) -> None:
        self._private = private
        self._users = users
        self._path = path

    @classmethod
    def new(cls, path: str | os.PathLike[str], kind: str = "ed25519") -> Self:
        """A phone with a new key, kept at `path`. Errors: InvalidArgument, Exists."""
        if kind not in KEY_KINDS:
            raise InvalidArgument(f"kind is one of {', '.join(KEY_KINDS)}")
        private: Private = (
            ed25519.Ed25519PrivateKey.generate() if kind == "ed25519"
            else ec.generate_private_key(ec.SECP256R1())
        )
        phone = cls(private, {}, Path(path))
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise Exists(f"there is a file at {os.fspath(path)} already") from None
        try:
            phone._keep()
        except BaseException:
            os.unlink(path)
            raise
        return phone

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The phone kept at `path`. Errors: NotFound, InvalidArgument."""
        try:
            kept: dict[str, Any] = json.loads(Path(path).read_text())
            private = serialization.load_der_private_key(bytes.fromhex(kept["private"]), None)
            users = dict(kept["users"])
        except FileNotFoundError:
            raise NotFound(
                f"there is no phone at {os.fspath(path)}", hint="watchword phone new FILE"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise InvalidArgument(f"{os.fspath(path)} holds no phone") from None
        if not isinstance(private, Private):
            raise InvalidArgument(f"{os.fspath(path)} holds no phone")
        return cls(private, users, Path(path))

    def _keep(self) -> None:
        der = self._private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )  # fmt: skip
        beside = self._path.with_name(self._path.name + ".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(file, "w") as text:
                json.dump({"private": der.hex(), "users": self._users}, text)
            os.replace(beside, self._path)
        except BaseException as error:
            os.unlink(beside)
            if isinstance(error, OSError):
                error.filename = error.filename or str(self._path)
            raise

    @property
    def public(self) -> str:
        """Its public key, in hex, as a store keeps it."""
        der = self._private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public_key(der).hex()

    @property
    def users(self) -> tuple[str, ...]:
        return tuple(self._users)

    def serial(self, user: str) -> str:
        return self._of(user)["serial"]

    def enrolled(self, user: str, made: Enrolled) -> None:
        """Keeps what an accepted enrolment gave."""
        self._users[user] = {"serial": made.serial, "key": made.key.hex(), "suite": made.suite}
        self._keep()

    def _of(self, user: str) -> dict[str, str]:
        if user not in self._users:
            raise NotFound(f"this phone does not serve {user!r}")
        return self._users[user]

    # ---- what it says

    def _signed(self, message: bytes) -> str:
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message).hex()
        return self._private.sign(message, ec.ECDSA(hashes.SHA256())).hex()

    def list_signature(self, user: str, time_ms: int) -> str:
        """Asks for this user's pushes."""
        return self._signed(list_message(user, self.serial(user), time_ms))

    def answer_signature(
        self, push: PushShown, decision: str, number: int | None, unlocked: str
    ) -> str:
        """Approves or denies a push, exactly as it was shown."""
        return self._signed(
            answer_message(
                push.id, number, push.user, push.platform, push.purpose, push.text, decision,
                unlocked,
            )
        )  # fmt: skip

    def response(self, user: str, question: str, pin: str) -> str:
        """The response to a manual challenge; nobody here knows whether the PIN is right."""
        own = self._of(user)
        return ocra(own["suite"], bytes.fromhex(own["key"]), question, pin=pin)
