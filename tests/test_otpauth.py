"""otpauth:// addresses: pyotp reads what we write and writes what we read; the rest is refused."""

import pyotp
import pytest

from watchword import InvalidArgument
from watchword.formats.otpauth import Token, build, key_from_text, parse

KEY = b"12345678901234567890"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

TOKENS = [
    Token("totp", "alice", KEY),
    Token("totp", "alice", KEY, "Example Bank"),
    Token("totp", "alice@example.com", KEY, "A & B = C?", "sha256", 8, 60),
    Token("totp", "al/ice%3A", KEY + b"\x00\xff", "50% + 1", "sha512", 7),
    Token("totp", "Žofie", KEY[:14], "Žižkov", "sha1", 6, 15),
    Token("totp", "a:b+c:", KEY, "Example+1"),
    Token("hotp", "alice", KEY, "Example", counter=0),
    Token("hotp", "alice", KEY, "Example", digits=8, counter=2**40),
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.account)
def test_what_is_written_reads_back(token: Token) -> None:
    assert parse(build(token)) == token


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token.account)
def test_pyotp_makes_the_same_codes_from_it(token: Token) -> None:
    device = pyotp.parse_uri(build(token))
    assert device.byte_secret() == token.key
    assert device.digits == token.digits
    assert device.digest().name == token.algorithm
    assert (device.name, device.issuer or "") == (token.account, token.issuer)
    if token.kind == "totp":
        assert device.interval == token.period
    else:
        assert device.initial_count == token.counter


def test_what_pyotp_writes_is_read() -> None:
    written = pyotp.totp.TOTP(SECRET, name="alice@example.com", issuer="Example Bank")
    assert parse(written.provisioning_uri()) == Token(
        "totp", "alice@example.com", KEY, "Example Bank"
    )
    counted = pyotp.hotp.HOTP(SECRET, name="alice", digits=8, initial_count=7)
    assert parse(counted.provisioning_uri()) == Token("hotp", "alice", KEY, digits=8, counter=7)


@pytest.mark.parametrize(
    ("address", "issuer", "account"),
    [
        ("otpauth://TOTP/alice?secret=", "", "alice"),
        ("otpauth://totp/Example:alice?secret=", "Example", "alice"),
        ("otpauth://totp/Example%3A%20alice?issuer=Example&secret=", "Example", "alice"),
        ("otpauth://totp/My%20Bank:alice?issuer=My+Bank&secret=", "My Bank", "alice"),
        ("otpauth://totp/A+B:alice?issuer=A+B&secret=", "A+B", "alice"),
        ("otpauth://totp/A%2BB:alice?issuer=A%2BB&secret=", "A+B", "alice"),
        ("otpauth://totp/alice?issuer=A+B&secret=", "A B", "alice"),
    ],
)
def test_issuers_as_others_write_them(address: str, issuer: str, account: str) -> None:
    assert parse(address + SECRET.lower()) == Token("totp", account, KEY, issuer)


REFUSED = [
    ("", "otpauth"),
    ("https://totp/alice?secret=" + SECRET, "otpauth"),
    ("otpauth://push/alice?secret=" + SECRET, "otpauth"),
    ("otpauth://totp/alice", "address"),
    ("otpauth://totp/alice?issuer=A", "secret"),
    ("otpauth://totp/?secret=" + SECRET, "account"),
    ("otpauth://totp/alice?secret=" + SECRET + "&secret=" + SECRET, "once"),
    ("otpauth://totp/alice?secret=" + SECRET + "&lock=1", "unknown"),
    ("otpauth://totp/A:alice?secret=" + SECRET + "&issuer=B", "issuer"),
    ("otpauth://totp/alice?secret=" + SECRET + "&algorithm=MD5", "algorithm"),
    ("otpauth://totp/alice?secret=" + SECRET + "&digits=0", "digits"),
    ("otpauth://totp/alice?secret=" + SECRET + "&digits=%EF%BC%96", "digits"),
    ("otpauth://totp/alice?secret=" + SECRET + "&digits=six", "digits"),
    ("otpauth://totp/alice?secret=" + SECRET + "&period=0", "period"),
    ("otpauth://totp/alice?secret=" + SECRET + "&period=" + "9" * 30, "period"),
    ("otpauth://hotp/alice?secret=" + SECRET, "counter"),
    ("otpauth://totp/alice?secret=SECRET89", "key"),
    ("otpauth://totp/%FF?secret=" + SECRET, "otpauth"),
    ("otpauth://totp/alice?issuer=%FF&secret=" + SECRET, "otpauth"),
    ("otpauth://totp/alice?secret=hex:", "key"),
    ("otpauth://totp/alice?secret=" + "A" * 3000, "characters"),
]


@pytest.mark.parametrize(("address", "word"), REFUSED)
def test_what_is_not_such_an_address_is_refused(address: str, word: str) -> None:
    with pytest.raises(InvalidArgument, match=word) as caught:
        parse(address)
    assert SECRET not in str(caught.value)
    assert "SECRET89" not in str(caught.value)


@pytest.mark.parametrize(
    "token",
    [
        Token("push", "alice", KEY), Token("totp", "", KEY), Token("totp", "alice", KEY, "a:b"),
        Token("totp", "a:b", KEY),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(token: Token) -> None:
    with pytest.raises(InvalidArgument):
        build(token)


def test_a_token_does_not_show_its_key() -> None:
    assert "1234567890" not in repr(Token("totp", "alice", KEY))


@pytest.mark.parametrize(
    "text",
    [SECRET, SECRET.lower(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", "GEZD-GNBV-GY3T-QOJQ"
     "-GEZD-GNBV-GY3T-QOJQ", "hex:3132333435363738393031323334353637383930",
     "HEX: 31323334 35363738 39303132 33343536 37383930"],
)  # fmt: skip
def test_keys_as_people_type_them(text: str) -> None:
    assert key_from_text(text) == KEY


@pytest.mark.parametrize(
    "text",
    ["", "=", "A", "AAA", "AAAAAA", "0189", "hex:", "hex:abc", "hex:zz", "ÄÖ", "\u017f" * 16,
     "\u0131" * 8, "\u00df" * 8, "\ufb01" * 4, "\uff12" * 8],
)  # fmt: skip
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgument, match="base32"):
        key_from_text(text)
