"""Where the 32-byte master key comes from, and how every other key is derived from it.

The rule: a key is never an argument of a program nor the value of an environment variable, for
both can be read by others. It comes from a file of its own outside the store (`KeyFile`), from an
open file descriptor (`KeyFd`), from a systemd credential (`Credential`), or as bytes from a caller
who keeps it (`RawKey`). No message and no repr here ever shows a byte of a key.
"""

import contextlib
import os
import pwd
import secrets
import stat
from typing import Final, Protocol, runtime_checkable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchword.errors import InvalidArgument, NotFound

__all__ = [
    "KEY_BYTES",
    "Credential",
    "KeyFd",
    "KeyFile",
    "KeyProvider",
    "RawKey",
    "derive",
    "provider",
]

KEY_BYTES: Final = 32


def derive(secret: bytes, label: str, length: int = KEY_BYTES, *, salt: bytes = b"") -> bytes:
    """`length` bytes (1 to 8,160) that only holders of `secret` can make: HKDF-SHA256, RFC 5869.

    `label` says what they are for; two labels give unrelated bytes. `salt` may be public.
    """
    return HKDF(SHA256(), length, salt or None, label.encode()).derive(secret)


@runtime_checkable
class KeyProvider(Protocol):
    """Anything that can bring the master key of a store."""

    def key(self, *, create: bool) -> bytes:
        """The 32 bytes. `create`: the store is being made, so a new key may be made with it."""


class RawKey:
    """A key the caller keeps: exactly 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes):
            raise InvalidArgument(f"key must be bytes, not {type(key).__name__}")
        self._key = _sound(key, "key")

    def key(self, *, create: bool) -> bytes:
        return self._key


class KeyFile:
    """A file of 32 bytes that its owner alone may read.

    With `create` (the default) it is made when the store is; never for a store that exists,
    since a new key cannot open an old store.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        self.path = os.fspath(path)
        self._create = create

    def __repr__(self) -> str:
        return f"KeyFile({self.path!r})"

    def key(self, *, create: bool) -> bytes:
        """Raises NotFound without the file, InvalidArgument when others may read it."""
        if create and self._create and not os.path.lexists(self.path):
            self._make()
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise NotFound(
                f"there is no key file {self.path}",
                hint="the store cannot be opened without the key it was made with; bring it back",
            ) from None
        except OSError as error:
            raise InvalidArgument(f"key file {self.path}: {error.strerror}") from None
        try:
            _private(os.fstat(file), self.path)
            return _sound(_read(file), f"key file {self.path}")
        finally:
            os.close(file)

    def _make(self) -> None:
        """Whole or not at all: written and synced under another name, then linked to its own."""
        part = f"{self.path}.{secrets.token_hex(8)}.new"
        folder = os.path.dirname(os.path.abspath(self.path))
        try:
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                try:
                    os.fchmod(file, 0o600)
                    os.write(file, secrets.token_bytes(KEY_BYTES))
                    os.fsync(file)
                finally:
                    os.close(file)
                with contextlib.suppress(FileExistsError):  # somebody else was first: theirs counts
                    os.link(part, self.path)
            finally:
                os.unlink(part)
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        except OSError as error:
            raise InvalidArgument(
                f"key file {self.path} cannot be made: {error.strerror}",
                hint="give the key file a place that exists and that you may write to",
            ) from error


class KeyFd:
    """An open file descriptor that yields the 32 bytes and then ends. It is closed when read."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def key(self, *, create: bool) -> bytes:
        try:
            try:
                return _sound(_read(self._fd), f"file descriptor {self._fd}")
            finally:
                os.close(self._fd)
        except OSError as error:
            raise InvalidArgument(f"file descriptor {self._fd}: {error.strerror}") from None


class Credential:
    """A systemd credential (`LoadCredentialEncrypted=name:file` in the unit): 32 bytes.

    Its mode bits are not looked at: systemd guards the directory, by access lists where it must.
    """

    def __init__(self, name: str) -> None:
        if not name or "/" in name or name in (".", ".."):
            raise InvalidArgument("credential must be the name of one file, without a slash")
        self._name = name

    def key(self, *, create: bool) -> bytes:
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            raise NotFound(
                f"there is no credential {self._name}: CREDENTIALS_DIRECTORY is not set",
                hint=f"put LoadCredentialEncrypted={self._name}:<file> into the systemd unit",
            )
        try:
            file = os.open(os.path.join(folder, self._name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound(
                f"there is no credential {self._name} in {folder}: {error.strerror}",
                hint=f"put LoadCredentialEncrypted={self._name}:<file> into the systemd unit",
            ) from None
        try:
            return _sound(_read(file), f"credential {self._name}")
        finally:
            os.close(file)


def provider(
    key: KeyProvider | bytes | str | os.PathLike[str] | None, store_path: str | os.PathLike[str]
) -> KeyProvider:
    """What brings the key: None is the file beside the store, bytes are the key, text is a path.

    Raises InvalidArgument for a key file inside the store's directory: whoever copies the store
    must not copy its key along.
    """
    store = os.path.realpath(os.fspath(store_path))
    if key is None:
        key = KeyFile(store + ".key")
    elif isinstance(key, bytes):
        key = RawKey(key)
    elif isinstance(key, str | os.PathLike):
        key = KeyFile(key)
    elif not isinstance(key, KeyProvider):
        raise InvalidArgument(
            f"key must be None, 32 bytes, a path or a key provider, not {type(key).__name__}"
        )
    if isinstance(key, KeyFile):
        file = os.path.realpath(key.path)
        if os.path.commonpath([file, store]) == store:
            raise InvalidArgument(
                f"key file {key.path} lies inside the store {store}",
                hint="keep the key elsewhere, or every copy of the store carries its own key",
            )
    return key


def _read(file: int) -> bytes:
    """All there is, but not more than one byte too many."""
    got = b""
    while len(got) <= KEY_BYTES:
        piece = os.read(file, KEY_BYTES + 1 - len(got))
        if not piece:
            break
        got += piece
    return got


def _sound(key: bytes, what: str) -> bytes:
    if len(key) != KEY_BYTES:
        held = f"more than {KEY_BYTES}" if len(key) > KEY_BYTES else str(len(key))
        raise InvalidArgument(f"{what} must hold exactly {KEY_BYTES} bytes, not {held}")
    if key == bytes(KEY_BYTES):
        raise InvalidArgument(f"{what} holds nothing but zero bytes, which is no key")
    return key


def _private(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidArgument(f"key file {path} is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        owner = user_named(status.st_uid)
        raise InvalidArgument(
            f"key file {path} belongs to another user, {owner}",
            hint=f"run it as that user: sudo -u {owner} watchword",
        )
    if status.st_mode & 0o077:
        raise InvalidArgument(
            f"key file {path} can be read or written by others (mode {status.st_mode & 0o777:o})",
            hint=f"chmod 600 {path}",
        )


def user_named(uid: int) -> str:
    """A user of this machine; a number, as sudo takes it, where nobody has that."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
