"""Every key of a store and every seal made with them; no file is touched here.

    master key (the operator's)
    |-- notes key        HMAC-SHA256 over small facts that are no secret
    `-- wrapping key     AES-256-GCM over
        |-- the store's secret (id 0), from which the engine derives what must never change
        `-- data keys (id 1, 2, ...)
            |-- page key       one a data key; a random nonce a page
            `-- segment key    one a journal segment, by random salt; nonces are counted

HKDF-SHA256 makes each from the one above. A key is used for one purpose and never twice with the
same nonce: a page key seals far fewer than 2^32 pages (PAGE_SEALS_MAX), a segment key counts.
"""

import hashlib
import hmac
import secrets
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.errors import StoreDamaged
from watchword.keys import KEY_BYTES, derive

__all__ = ["LIFE_BITS", "NONCE_BYTES", "PAGE_SEALS_MAX", "SECRET_ID", "TAG_BYTES", "Keyring"]

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SECRET_ID: Final = 0
LIFE_BITS: Final = 32  # an incarnation is how often the store was restored, and so many random bits
# Random 96-bit nonces may seal 2^32 times under one key (NIST SP 800-38D section 8.3). Here a page
# is refused long before, when two equal nonces are 2^-37 likely: rotate the key.
PAGE_SEALS_MAX: Final = 1 << 30


class Keyring:
    """The keys of one store, as far as they have been unwrapped."""

    def __init__(self, master: bytes) -> None:
        self._notes_key = derive(master, "watchword notes")
        self._wrapping = AESGCM(derive(master, "watchword wrapping"))
        self._data: dict[int, bytes] = {}
        self._page_ciphers: dict[int, AESGCM] = {}
        self.store_id = bytes(16)
        self.incarnation = 0
        self.lives: list[tuple[int, int]] = []  # each with its first turn, where it was restored

    @property
    def newest(self) -> int:
        """Id of the data key that seals whatever is written now."""
        return max(self._data)

    @property
    def ids(self) -> list[int]:
        return sorted(self._data)

    def life_of(self, turn: int) -> int:
        """In which incarnation that turn's row was written."""
        own = [incarnation for incarnation, first in self.lives if first <= turn]
        return own[-1] if own else self.incarnation

    def mac(self, name: str, body: bytes, *, of_store: bool = True) -> bytes:
        """HMAC of a small fact; `of_store` binds it to this store and incarnation."""
        whose = self.store_id + struct.pack(">Q", self.incarnation) if of_store else b""
        text = struct.pack(">BB", len(whose), len(name)) + whose + name.encode() + body
        return hmac.digest(self._notes_key, text, "sha256")

    def mac_holds(self, name: str, body: bytes, mac: bytes, *, of_store: bool = True) -> bool:
        return hmac.compare_digest(self.mac(name, body, of_store=of_store), mac)

    def make(self, key_id: int) -> tuple[bytes, bytes]:
        """A new random key under that id: the nonce and the wrapped key, to be stored."""
        key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
        return nonce, self._wrapping.encrypt(nonce, key, self._wrapping_for(key_id))

    def unwrap(self, key_id: int, nonce: bytes, wrapped: bytes) -> bytes:
        """The key of that id. Raises InvalidTag when it is not what was wrapped."""
        key = self._wrapping.decrypt(nonce, wrapped, self._wrapping_for(key_id))
        if len(key) != KEY_BYTES:
            raise InvalidTag
        return key

    def admit(self, key_id: int, nonce: bytes, wrapped: bytes) -> None:
        """Unwraps a data key and keeps it."""
        key = self.unwrap(key_id, nonce, wrapped)
        self._data[key_id] = key
        self._page_ciphers[key_id] = AESGCM(derive(key, "watchword pages", salt=self.store_id))

    def forget(self, key_id: int) -> None:
        del self._data[key_id], self._page_ciphers[key_id]

    def page_cipher(self, key_id: int, what: str) -> AESGCM:
        """Raises StoreDamaged naming `what` when there is no such key."""
        if key_id not in self._page_ciphers:
            raise StoreDamaged(f"{what} is sealed with data key {key_id}, which the store lacks")
        return self._page_ciphers[key_id]

    def segment_cipher(self, key_id: int, number: int, salt: bytes, what: str) -> AESGCM:
        """As page_cipher, for segment `number`, whose header holds `salt`."""
        if key_id not in self._data:
            raise StoreDamaged(f"{what} is sealed with data key {key_id}, which the store lacks")
        label = f"watchword segment {self.store_id.hex()} {number}"
        return AESGCM(derive(self._data[key_id], label, salt=salt))

    def page_aad(self, table: int, number: int, generation: int, turn: int, key_id: int) -> bytes:
        """What a page's seal is bound to, so that it cannot be moved, aged or mixed."""
        return struct.pack(
            ">4s16sQBQQQI",
            b"WWPG",
            self.store_id,
            self.incarnation,
            table,
            number,
            generation,
            turn,
            key_id,
        )

    def page_mark(self, place: bytes, nonce: bytes) -> int:
        """A page version as one number; their sum says which versions a table must hold."""
        mark = hashlib.blake2b(place + nonce, digest_size=32, key=self._notes_key)
        return int.from_bytes(mark.digest())

    def _wrapping_for(self, key_id: int) -> bytes:
        return b"watchword key" + self.store_id + struct.pack(">I", key_id)
