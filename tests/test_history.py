"""Rows as audit takes them apart: any bytes at all, and rows without a secret in them."""

import contextlib
import hashlib
import random
from pathlib import Path
from typing import Any

import pytest

from watchword import Device, Engine, InvalidArgument, Policy, _engine
from watchword import audit as told

KEY = b"12345678901234567890"


def test_bytes_that_are_no_row_are_refused() -> None:
    for row in (b"", b"x" * 64, bytes(32)):
        with pytest.raises(InvalidArgument, match="no journal row"):
            _engine.row_records(row, 1)
        with pytest.raises(InvalidArgument, match="no journal row"):
            _engine.bare_row(row, lambda key: key)
        with pytest.raises(InvalidArgument, match="no journal row"):
            _engine.row_gateways(row)


def test_altered_rows_harm_nobody() -> None:
    """A row of any lengths is read within its bytes or refused."""
    with Engine.open() as engine:
        engine.tap = []
        engine.add_user("alice", by="me")
        engine.add_device("alice", Device.gold(KEY))
        engine.verify("alice", "1", address="::1")
        engine.remove_user("alice")
        rows = engine.tap
    refused = 0
    for seed in range(3_000):
        rng = random.Random(seed)
        row = bytearray(rng.choice(rows))
        for _ in range(rng.randrange(1, 4)):
            row[rng.randrange(len(row))] = rng.choice([0, 1, 8, 13, 127, 255])
        for read in (
            lambda row=row: _engine.row_records(row, told.EVERY),
            lambda row=row: _engine.row_gateways(row),
            lambda row=row: _engine.bare_row(row, lambda key: key),
            lambda row=row: _engine.row_records(row, told.EVERY, 0, None, None, b"alice"),
        ):
            refused += 1
            with contextlib.suppress(InvalidArgument):
                read()
                refused -= 1
    assert 0 < refused < 12_000


def test_bare_rows_hold_no_secret_and_keep_twins_alike(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "store")
    engine.add_user("alice")
    engine.add_device("alice", Device.hotp(KEY), serial="H1")
    engine.add_device("alice", Device.totp(KEY), serial="T1")
    suite = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256"
    engine.add_device("alice", Device.ocra(KEY, suite, pin="4711"), serial="O1")
    issued = engine.issue_passcode("alice", "P1")
    engine.remove_device("alice", "H1")
    whole = b"".join(row for _, row, _ in engine.bare_rows())
    plain = b"".join(bytes(row) for _, row, _ in engine._store.history(0, 99))
    assert len(whole) == len(plain) and KEY in plain and KEY not in whole
    digest = hashlib.sha256(b"4711").digest()
    assert digest in plain and digest not in whole and issued.passcode.encode() not in whole
    keys = []
    for _, row, _ in engine.bare_rows():
        for _, r, _ in _engine.row_records(row, 1 << 8):
            tail = r[11]
            keys.append(tail[24 : 24 + tail[10]])
    assert keys[0] == keys[1] == keys[2] != KEY and len(keys[0]) == len(KEY)
    assert keys[3][:48] == bytes(48) and keys[3][48:] != bytes(16)
    engine.close()


def test_what_users_know_stays_here(tmp_path: Path) -> None:
    """Of passwords, PINs and answers not even what is kept of them leaves."""
    with Engine.open(tmp_path / "store", policy=Policy(security_questions=True)) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.hotp(KEY, pin="4711"), serial="H1")
        engine.set_password("alice", "correct horse battery")
        pools = [(f"pool{at}", f"what is {at}?", f"answer {at}") for at in range(3)]
        engine.set_questions("alice", pools)
        engine.change_pin("alice", "4711", "755224", "0815", device="H1")
        plain = b"".join(bytes(row) for _, row, _ in engine._store.history(0, 99))
        bare = b"".join(row for _, row, _ in engine.bare_rows())
        kept = [r[11] for r in rows_of(engine, 1 << 14)] + [
            r[11][24 : 24 + r[11][10]] for r in rows_of(engine, 1 << 8)
        ]
        entries = repr(list(engine.audit()))
    assert len(kept) == 6 and all(text in plain and text not in bare for text in kept)
    for text in ("4711", "0815", "correct horse", "answer 1", "what is"):
        assert text not in entries


def rows_of(engine: Engine, events: int) -> list[tuple[Any, ...]]:
    """The records of these events, as they are kept."""
    found = []
    for _, row, _ in engine._store.history(0, 99):
        found += [r for _, r, _ in _engine.row_records(row, events)]
    return found
