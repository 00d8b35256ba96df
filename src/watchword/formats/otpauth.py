"""otpauth:// addresses: what an authenticator app reads from a QR code.

`build` writes them and `parse` reads them; what one writes the other reads back unchanged, but for
spaces before an account, which may stand after an issuer for looks. The form is the one apps agree
on (Google's Key URI Format); where apps differ, `build` writes the plainest thing. The address
holds the key, so a Token does not show it in its repr, and no message here repeats any part of an
address.
"""

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from watchword.errors import InvalidArgument

__all__ = ["ADDRESS_CHARS_MAX", "Token", "build", "key_from_text", "parse"]

ADDRESS_CHARS_MAX = 2048  # a longer one is no address; a version 40 QR code holds hardly more
KINDS = ("totp", "hotp")
ALGORITHMS = ("sha1", "sha256", "sha512")
FIELDS = ("secret", "issuer", "algorithm", "digits", "period", "counter", "image")


@dataclass(frozen=True)
class Token:
    """What an address says: the device as an authenticator holds it.

    period is in seconds and means something for totp alone, counter for hotp alone.
    """

    kind: str
    account: str
    key: bytes = field(repr=False)
    issuer: str = ""
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 30
    counter: int = 0


def build(token: Token) -> str:
    """The otpauth:// address of a token.

    Raises InvalidArgument for a kind that has no such address, an empty account, or a colon that
    the label could not carry: in an issuer, or in an account that stands there without one.
    """
    if token.kind not in KINDS:
        raise InvalidArgument(f"kind must be one of {', '.join(KINDS)}")
    if not token.account:
        raise InvalidArgument("account must not be empty")
    if ":" in token.issuer:
        raise InvalidArgument("issuer must not hold a colon")
    if ":" in token.account and not token.issuer:
        raise InvalidArgument("account must not hold a colon where there is no issuer")
    label = quote(token.account, safe="")
    if token.issuer:
        label = f"{quote(token.issuer, safe='')}:{label}"
    fields = [("secret", base64.b32encode(token.key).decode().rstrip("="))]
    if token.issuer:
        fields.append(("issuer", token.issuer))
    fields += [("algorithm", token.algorithm.upper()), ("digits", str(token.digits))]
    fields.append(
        ("period", str(token.period)) if token.kind == "totp" else ("counter", str(token.counter))
    )
    # quote, not urlencode: apps read a plus sign as a plus sign.
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in fields)
    return f"otpauth://{token.kind}/{label}?{query}"


def parse(address: str) -> Token:
    """The token an otpauth:// address describes.

    Raises InvalidArgument, naming the field, for anything that is not such an address: a field
    that is unknown or stands twice is refused, since guessing would enrol another device.
    """
    if not isinstance(address, str) or len(address) > ADDRESS_CHARS_MAX:
        raise InvalidArgument(f"address must be text of at most {ADDRESS_CHARS_MAX} characters")
    try:
        split = urlsplit(address)
        pairs = parse_qsl(
            split.query, keep_blank_values=True, strict_parsing=True, errors="strict"
        )
        label = unquote(split.path.removeprefix("/"), errors="strict")
    except ValueError:
        raise InvalidArgument("address must be an otpauth:// address") from None
    kind = split.netloc.lower()  # a host, in which case does not count
    if split.scheme != "otpauth" or kind not in KINDS or split.fragment:
        raise InvalidArgument("address must begin with otpauth://totp/ or otpauth://hotp/")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidArgument("address must hold each field once")
    if unknown := fields.keys() - set(FIELDS):
        raise InvalidArgument(f"address holds {len(unknown)} unknown field(s)")
    if "secret" not in fields:
        raise InvalidArgument("secret is missing from the address")
    issuer, account = parties(label, split.query, fields.get("issuer"))
    if not account:
        raise InvalidArgument("account must not be empty")
    algorithm = fields.get("algorithm", "SHA1").lower()
    if algorithm not in ALGORITHMS:
        raise InvalidArgument(f"algorithm must be one of {', '.join(ALGORITHMS)}")
    if kind == "hotp" and "counter" not in fields:
        raise InvalidArgument("counter is missing from the address")
    return Token(
        kind=kind,
        account=account,
        key=key_from_text(fields["secret"]),
        issuer=issuer,
        algorithm=algorithm,
        digits=number(fields, "digits", 6, 1, 10),
        period=number(fields, "period", 30, 1, 3600),
        counter=number(fields, "counter", 0, 0, 2**64 - 1),
    )


def parties(label: str, query: str, issuer: str | None) -> tuple[str, str]:
    """Issuer and account. An issuer says itself where it ends in the label; some write its plus
    signs as they are, which in a query is a space to everybody else."""
    literal = dict(parse_qsl(query.replace("+", "%2B"))).get("issuer", "")
    for known in filter(None, (issuer, literal)):
        if label.startswith(f"{known}:"):
            return known, label[len(known) + 1 :].lstrip(" ")
    prefix, colon, account = label.rpartition(":")
    if not colon:
        return issuer or "", label
    if prefix and issuer is not None:
        raise InvalidArgument("issuer and the label's prefix must be the same")
    return issuer or prefix, account.lstrip(" ")


def number(fields: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = fields.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise InvalidArgument(f"{name} must be a decimal number")
    value = int(text)
    if not least <= value <= most:
        raise InvalidArgument(f"{name} must be between {least} and {most}")
    return value


def key_from_text(text: str) -> bytes:
    """A key typed or pasted by a person: base32 as apps show it, or hex after "hex:".

    Spaces, hyphens, lower case and missing padding are forgiven in base32. Hex must be marked: a
    run of digits and letters can be both, and the wrong guess would enrol a device nobody holds.
    So would a letter beyond ASCII whose upper case is one of base32's. Raises InvalidArgument
    without repeating the text.
    """
    plain = "".join(text.split()).replace("-", "")
    try:
        if plain[:4].lower() == "hex:" and len(plain) > 4:
            return binascii.unhexlify(plain[4:])
        bare = plain.upper().rstrip("=")
        if not bare or not plain.isascii() or len(bare) % 8 in (1, 3, 6):
            raise ValueError
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except ValueError:  # binascii.Error is one
        raise InvalidArgument("key must be base32, or hex after 'hex:'") from None
