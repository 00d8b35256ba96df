"""The Python doors under any input at all: an answer, or one of Watchword's errors; nothing else.

What is drawn is fuzzed.py's; phones, PINs and questions are test_doors_known.py's.
"""

import contextlib
import io
import os
import string
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzed import ADDRESSES, ANY, CODES, NAMES, PLACES, TEXT, answered, fuzzed
from hypothesis import strategies as st
from standing import KEY, T

from watchword import Code, Device, Engine, Error, InvalidArgument, ocra
from watchword.cli.main import run
from watchword.formats import otpauth
from watchword.serve.config import Config

EXITS = range(6)

# ---- texts that are parsed -----------------------------------------------------------------------

FIELDS = ["secret", "issuer", "algorithm", "digits", "period", "counter", "image", "other", ""]
VALUES = st.sampled_from(["GEZDGNBVGY3TQOJQ", "SHA1", "sha512", "6", "10", "0", "-1", "1e3", "%FF",
                          "%00", "9" * 30, "\uff16"]) | TEXT  # fmt: skip


@fuzzed(300, kind=st.sampled_from(["totp", "hotp", "TOTP", "x"]), label=TEXT,
        fields=st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=6))  # fmt: skip
def test_otpauth_addresses(kind: str, label: str, fields: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={value}" for name, value in fields)
    token = answered(lambda: otpauth.parse(f"otpauth://{kind}/{label}?{query}"))
    if token is not None and ":" not in token.issuer:
        written = otpauth.build(token)
        assert len(written) > otpauth.ADDRESS_CHARS_MAX or otpauth.parse(written) == token


@fuzzed(200, text=TEXT | st.text("otpauth:/?#[]@&=%", max_size=60))
def test_texts_that_are_no_address_or_key(text: str) -> None:
    answered(lambda: otpauth.parse(text))
    answered(lambda: otpauth.key_from_text(text))


SUITES = st.from_regex(
    r"OCRA-1:HOTP-(SHA1|SHA256|SHA512)-[0-9]{1,2}:(C-)?Q[ANHX][0-9]{1,3}(-PSHA1)?(-S[0-9]{3})?"
    r"(-T[0-9]{1,2}[SMH])?", fullmatch=True) | TEXT  # fmt: skip


@fuzzed(300, suite=SUITES, question=st.text("0123456789abcdefXYZ", max_size=130) | TEXT,
        counter=st.none() | st.integers(-2, 2**65), pin=st.none() | TEXT,
        session=st.none() | st.binary(max_size=600), step=st.none() | st.integers(-2, 2**65))
def test_ocra_suites(
    suite: str, question: str, counter: int | None, pin: str | None, session: bytes | None,
    step: int | None,
) -> None:  # fmt: skip
    code = answered(lambda: ocra(suite, KEY, question, counter=counter, pin=pin, session=session,
                                 time_step=step))  # fmt: skip
    assert code is None or isinstance(code, str)


TABLES = st.dictionaries(
    st.sampled_from(["listen", "store", "reasons", "unlocked_memory", "page_interval_ms", "key",
                     "policy", "port"]),
    ANY | st.sampled_from(["127.0.0.1:0", "[::1]:1", "0.0.0.0:1", ":", "[", "localhost:99999"])
    | st.dictionaries(st.sampled_from(["file", "fd", "credential", "profile", "lockout_failures",
                                       "names", "failures_cap", "lockout_extend"]), ANY),
)  # fmt: skip


@fuzzed(400, table=TABLES)
def test_settings(table: dict[str, Any]) -> None:
    config = answered(lambda: Config.from_table(table, folder="/nowhere"))
    assert config is None or config.address()[0] in ("127.0.0.1", "::1") or (
        config.address()[0].startswith("127."))


@fuzzed(150, written=st.binary(max_size=80) | TEXT.map(lambda t: t.encode(errors="replace")))
def test_a_settings_file(written: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(written)
        file.flush()
        answered(lambda: Config.load(file.name))


# ---- calls ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def standing() -> Any:
    with Engine.open(clock=lambda: T) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY), serial="S1")
        yield engine



@fuzzed(300, user=NAMES, response=ANY, platform=PLACES, realm=PLACES,
        device=st.sampled_from([None, "S1", "s1"]) | ANY, address=ADDRESSES,
        gateway=st.none() | TEXT | ANY)  # fmt: skip
def test_verify(standing: Engine, **said: Any) -> None:
    verdict = answered(lambda: standing.verify(**said))
    assert verdict is None or int(verdict.code) in CODES


ARRAYS = st.one_of(
    st.lists(NAMES, max_size=5),
    st.builds(lambda t, n: np.zeros(n, t), st.sampled_from(
        ["S0", "S1", "S7", "S300", "U5", "O", "f8", "i4", "u1", "?", "M8[s]", "V9"]),
        st.integers(0, 5)),
    st.builds(lambda n, step: np.array([b"alice", b"bob", b"", b"x\0y", b"\xff"] * 3)[:n][::step],
              st.integers(0, 15), st.sampled_from([1, 2, -1, -3])),
    st.builds(lambda a, b: np.zeros((a, b), "S4"), st.integers(0, 3), st.integers(0, 3)),
    st.just(np.broadcast_to(np.array([b"alice"]), (4,))),
    st.just(np.array(b"alice")),
    ANY,
)  # fmt: skip


@fuzzed(400, users=ARRAYS, responses=ARRAYS, threads=st.sampled_from([1, 2]) | ANY,
        devices=st.none() | ARRAYS, addresses=st.none() | st.lists(ADDRESSES, max_size=5))
def test_verify_many(standing: Engine, users: Any, responses: Any, **said: Any) -> None:
    codes = answered(lambda: standing.verify_many(users, responses, **said))
    if codes is not None:
        assert codes.dtype == np.uint8
        assert len(codes) == len(users)
        assert set(codes.tolist()) <= CODES


COLUMNS = st.one_of(
    st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=9) | NAMES, max_size=4),
    ARRAYS,
)
KEYS = st.one_of(
    st.none(), st.lists(st.binary(min_size=20, max_size=20) | ANY, max_size=4),
    st.builds(lambda n, m, t: np.zeros((n, m), t), st.integers(0, 4), st.integers(0, 140),
              st.sampled_from(["u1", "i1", "f8", "S1"])),
    st.builds(lambda n: np.zeros((8, 40), np.uint8)[::2, ::2][:n], st.integers(0, 4)), ANY,
)  # fmt: skip


@fuzzed(300, names=COLUMNS, keys=KEYS, state=st.sampled_from(["open", "closed"]) | ANY)
def test_add_users(standing: Engine, names: Any, keys: Any, state: Any) -> None:
    before = standing.counters()["users"]
    added = answered(lambda: standing.add_users(names, keys, state=state))
    assert standing.counters()["users"] == before + (added or 0)


WHOLE = st.integers(-2, 140) | st.integers() | ANY


@fuzzed(300, key=st.binary(min_size=10, max_size=129) | ANY, period=WHOLE, digits=WHOLE,
        window=st.tuples(WHOLE, WHOLE) | WHOLE, algorithm=st.sampled_from(
            ["sha1", "sha256", "sha512", "SHA1"]) | ANY, t0=WHOLE, drift_max=WHOLE)  # fmt: skip
def test_devices(standing: Engine, key: Any, **figures: Any) -> None:
    device = answered(lambda: Device.totp(key, **figures))
    if device is not None:
        serial = answered(lambda: standing.add_device("alice", device))
        if serial is not None:
            standing.remove_device("alice", serial)


WORDS = st.lists(st.sampled_from(
    ["user", "device", "add", "get", "set", "list", "remove", "unlock", "init", "verify", "config",
     "show", "key", "rotate", "policy", "alice", "totp", "hotp", "--store", "here", "--key",
     "--help", "--digits", "--period", "6", "-1", "--", "-", "", "\0", "clock", "accept", "--json"])
    | st.text("-abcdef\0\xe9 ", max_size=6), max_size=6)  # fmt: skip


@fuzzed(120, words=WORDS)
def test_command_lines(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(tmp_path_factory.getbasetemp())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO(""))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(words)
    finally:
        os.chdir(before)
    assert code in EXITS
    assert code == 0 or err.getvalue()


COLUMN = np.array([b"alice", b"nobody"])


@pytest.mark.parametrize("none", [np.array(b"alice"), 3, None, "alice", b"alice"])
def test_what_is_no_column_is_refused(standing: Engine, none: Any) -> None:
    for call in (
        lambda: standing.verify_many(none, COLUMN),
        lambda: standing.verify_many(COLUMN, none),
        lambda: standing.add_users(none),
    ):
        with pytest.raises(InvalidArgument, match="is a sequence of str or a numpy 'S' column"):
            call()


def test_serials_may_come_as_a_column(standing: Engine) -> None:
    standing.unlock("alice", by="a test")  # what was tried before may have locked her
    codes = standing.verify_many(COLUMN, ["000000"] * 2, devices=np.array([b"S1", b"S2"]))
    assert codes.tolist() == [Code.REJECTED, Code.REJECTED]


def test_a_door_that_lets_anything_else_through_is_seen() -> None:
    with pytest.raises(ZeroDivisionError):
        answered(lambda: 1 // 0)
    with pytest.raises(ValueError, match="plain"):
        answered(lambda: int("plain"))
    assert answered(lambda: Device.totp(b"")) is None
    assert issubclass(InvalidArgument, Error)
