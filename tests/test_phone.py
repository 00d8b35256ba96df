"""Phones' keys and signatures: what a key may be, what is signed, and the reference phone."""

import base64
import os
import random
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import watchword
from watchword.devices import phone
from watchword.phone import KEY_KINDS, Phone

RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
DER = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
SHORT = serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
LONG = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
PIN = "4.?1~!"  # no text of a key holds it
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
EC = ec.derive_private_key(7, ec.SECP256R1())


def forms(private: "ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey") -> list[bytes]:
    shapes = (RAW, DER) if private is ED else (SHORT, LONG, DER)
    return [private.public_key().public_bytes(*shape) for shape in shapes]


@pytest.mark.parametrize("private", [ED, EC], ids=["ed25519", "p256"])
def test_every_form_of_a_key_is_the_same_key(
    private: "ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey",
) -> None:
    first, *others = [
        phone.public_key(written)
        for form in forms(private)
        for written in (
            form, bytearray(form), form.hex(), form.hex().upper(), base64.b64encode(form).decode(),
            base64.urlsafe_b64encode(form).decode().rstrip("="),
        )
    ]  # fmt: skip
    assert len(first) == 33 and {*others} == {first}
    assert phone.public_key(first) == first


P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
RSA = rsa.generate_private_key(65537, 2048).public_key()


@pytest.mark.parametrize(
    "given",
    [
        None, 7, "", " ", b"", b"x", bytes(31), bytes(33), bytes(34), b"\x04" + bytes(64),
        b"\x02" + b"\xff" * 32, b"\x05" + bytes(32), "zz", "0" * 399, "\u00e4", "A" * 500,
        b"0" * 500, ["x"], pytest.param(P384.public_bytes(*DER), id="p384"),
        pytest.param(RSA.public_bytes(*DER), id="rsa"),
        pytest.param(P384.public_bytes(*SHORT), id="p384 short"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_key_is_told(given: object) -> None:
    with pytest.raises(watchword.InvalidArgument, match=r"^public_key is an Ed25519 key of 32"):
        phone.public_key(given)


def test_any_bytes_at_all_are_a_key_or_told() -> None:
    rng = random.Random(4)
    for _ in range(2_000):
        given = rng.randbytes(rng.choice([0, 1, 31, 32, 33, 34, 44, 64, 65, 66, 91, 120]))
        if rng.random() < 0.3:
            given = rng.choice([b"\x02", b"\x03", b"\x04", b"0"]) + given
        try:
            kept = phone.public_key(given)
        except watchword.InvalidArgument:
            continue
        assert len(kept) == 33 and phone.public_key(kept) == kept
        assert not phone.is_signed(kept, b"x", rng.randbytes(rng.choice([0, 1, 64, 70])))


def test_what_is_signed_is_spelt_out() -> None:
    said = phone.answer_message("ab" * 16, 42, "al", "portal", None, "\u20ac", "approve", "pin")
    fields = [b"watchword push answer 1", b"ab" * 16, b"42", b"al", b"portal", b"", b"\xe2\x82\xac",
              b"approve", b"pin"]  # fmt: skip
    assert said == b"".join(len(f).to_bytes(2, "big") + f for f in fields)
    assert phone.list_message("al", "W1", 5) == (
        b"\0\x15watchword push list 1\0\x02al\0\x02W1\0\x015"
    )


@pytest.mark.parametrize("private", [ED, EC], ids=["ed25519", "p256"])
def test_one_bit_of_anything_is_another_signature(
    private: "ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey",
) -> None:
    key, message = phone.public_key(forms(private)[0]), b"a message"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        signatures = [private.sign(message)]
    else:
        der = private.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        signatures = [der, r.to_bytes(32, "big") + s.to_bytes(32, "big")]
    for signature in signatures:
        assert phone.is_signed(key, message, signature)
        assert phone.is_signed(key, message, phone.signature_bytes(signature.hex()))
        for at in range(8 * len(signature)):
            bent = bytearray(signature)
            bent[at // 8] ^= 1 << at % 8
            assert not phone.is_signed(key, message, bytes(bent)), at
        assert not phone.is_signed(key, b"b message", signature)
        assert not phone.is_signed(phone.NOBODY, message, signature)
        for cut in range(len(signature)):
            assert not phone.is_signed(key, message, signature[:cut])


@pytest.mark.parametrize("given", [None, 7, b"", "", b"x" * 81, "0" * 164, "zz!"], ids=repr)
def test_what_is_no_signature_is_told(given: object) -> None:
    with pytest.raises(watchword.InvalidArgument, match=r"^signature is bytes, hex or base64"):
        phone.signature_bytes(given)


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_the_reference_phone(tmp_path: Path, kind: str) -> None:
    path, now = tmp_path / "phone", [1_700_000_000_000]
    held = Phone.new(path, kind)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with pytest.raises(watchword.Exists):
        Phone.new(path)
    with watchword.Engine.open(clock=lambda: now[0]) as engine:
        engine.add_user("alice")
        key = bytes(range(32))
        device = watchword.Device.ib_key(key, PIN, held.public)
        serial = engine.add_device("alice", device)
        held.enrolled(
            "alice",
            watchword.Enrolment(engine.verify("x", "y"), serial, key, device.suite),
        )
        held = Phone.load(path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and held.users == ("alice",)
        assert PIN not in path.read_text()
        push = engine.push("alice", purpose="wire 100", text="to bob")
        signature = held.list_signature("alice", now[0])
        (shown,) = engine.pushes("alice", serial, time_ms=now[0], signature=signature)
        assert (shown.purpose, shown.text, shown.state) == ("wire 100", "to bob", "pending")
        signature = held.answer_signature(shown, "approve", push.number, "biometric")
        said = engine.decide_push(
            shown.id, decision="approve", number=push.number, unlocked="biometric",
            signature=signature,
        )  # fmt: skip
        assert said == "approved"
        assert engine.verify("alice", "", challenge=push.id).session_ms == 30 * 3_600_000
        asked = engine.challenge("alice")
        assert engine.verify("alice", held.response("alice", asked.prompt, PIN))
    with pytest.raises(watchword.NotFound, match="does not serve 'bob'"):
        held.serial("bob")


def test_a_file_that_is_no_phone(tmp_path: Path) -> None:
    with pytest.raises(watchword.NotFound):
        Phone.load(tmp_path / "none")
    for text in ("", "{}", '{"private": "00", "users": {}}', '{"private": 7, "users": {}}'):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(watchword.InvalidArgument, match="holds no phone"):
            Phone.load(tmp_path / "bad")
    with pytest.raises(watchword.InvalidArgument, match="kind is one of"):
        Phone.new(tmp_path / "x", "rsa")
