"""A phone's public key, and what a phone signs.

Rule: a message begins with what it is, and every field of it has its length before it, so that no
two messages have the same bytes. A signature that is none, or of somebody else, is simply wrong.

    length   2 bytes, big-endian, of the field behind it; all fields are UTF-8
    answer   "watchword push answer 1", id (32 hex digits), number ("10" to "99", "" with deny),
             user, platform, purpose (or ""), text (or ""), approve | deny,
             pin | biometric | none: what unlocked the phone
    list     "watchword push list 1", user, serial, time in milliseconds since 1970
"""

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from watchword.errors import InvalidArgument

__all__ = [
    "DECISIONS", "NOBODY", "UNLOCKED", "answer_message", "is_signed", "list_message", "public_key",
    "signature_bytes",
]  # fmt: skip

DECISIONS: Final = ("approve", "deny")
UNLOCKED: Final = ("pin", "biometric", "none")
ED25519: Final = 0xED               # before 32 bytes; a compressed point of P-256 begins 2 or 3
SIGNATURE_BYTES_MAX: Final = 80     # two numbers of 32 bytes in DER take at most 72
RAW_BYTES: Final = 64               # Ed25519's own; or r and s of ECDSA, big-endian
KEY_CHARS_MAX: Final = 400
KEY_SORTS = (
    "an Ed25519 key of 32 bytes, a P-256 point of 33 or 65, or either as DER SubjectPublicKeyInfo; "
    "as bytes, hex or base64"
)
# A key that nobody has: whoever answers for no phone is held against it, at the same cost.
NOBODY: Final = bytes([ED25519]) + bytes.fromhex(
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
)


def public_key(given: object) -> bytes:
    """A phone's public key as it is kept: 33 bytes. Errors: InvalidArgument."""
    text = given_bytes("public_key", given, KEY_SORTS)
    if len(text) == 33 and text[0] == ED25519:
        text = text[1:]
    try:
        if len(text) == 32:
            ed25519.Ed25519PublicKey.from_public_bytes(text)
            return bytes([ED25519]) + text
        key = (
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), text)
            if len(text) in (33, 65) and text[0] in (2, 3, 4)
            else serialization.load_der_public_key(text)
        )
    except Exception:  # a parser's, and of any kind
        raise InvalidArgument(f"public_key is {KEY_SORTS}") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return bytes([ED25519]) + key.public_bytes_raw()
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
    raise InvalidArgument(f"public_key is {KEY_SORTS}")


def signature_bytes(given: object) -> bytes:
    """A signature's bytes, whatever they are worth. Errors: InvalidArgument."""
    sort = f"bytes, hex or base64, of 1 to {SIGNATURE_BYTES_MAX} bytes"
    text = given_bytes("signature", given, sort)
    if not 1 <= len(text) <= SIGNATURE_BYTES_MAX:
        raise InvalidArgument(f"signature is {sort}")
    return text


def given_bytes(name: str, given: object, sort: str) -> bytes:
    """Bytes as they are, or out of hex or base64 of either alphabet."""
    if isinstance(given, (bytes, bytearray)) and len(given) <= KEY_CHARS_MAX:
        return bytes(given)
    if isinstance(given, str) and given.isascii() and 0 < len(given) <= KEY_CHARS_MAX:
        try:
            return bytes.fromhex(given) if not given.isspace() else b""
        except ValueError:
            pass
        try:
            plain = given.replace("-", "+").replace("_", "/").rstrip("=")
            return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except binascii.Error:
            pass
    raise InvalidArgument(f"{name} is {sort}")


def _message(*fields: str) -> bytes:
    encoded = [field.encode() for field in fields]
    return b"".join(len(field).to_bytes(2, "big") + field for field in encoded)


def answer_message(
    id: str, number: int | None, user: str, platform: str, purpose: str | None, text: str,
    decision: str, unlocked: str,
) -> bytes:  # fmt: skip
    """What a phone signs to approve or deny a push. number: None with deny."""
    return _message(
        "watchword push answer 1", id, "" if number is None else str(number), user, platform,
        purpose or "", text, decision, unlocked,
    )  # fmt: skip


def list_message(user: str, serial: str, time_ms: int) -> bytes:
    """What a phone signs to be told its pushes."""
    return _message("watchword push list 1", user, serial, str(time_ms))


def is_signed(phone: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the phone with this key, as it is kept, signed this: Ed25519, or ECDSA over SHA-256
    with the signature in DER or as its two numbers."""
    try:
        if phone[0] == ED25519:
            ed25519.Ed25519PublicKey.from_public_bytes(phone[1:]).verify(signature, message)
            return True
        if len(signature) == RAW_BYTES:
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            signature = encode_dss_signature(r, s)
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), phone)
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
