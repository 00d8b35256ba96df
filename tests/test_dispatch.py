"""ext/dispatch.c: which rows there are, forcing one, and the scalar pieces beside the table."""

import hashlib
import hmac
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import watchword
from watchword import _engine

ROOT = Path(__file__).parents[1]

# Rows of x86-64, and what Linux calls the features each needs. It leaves out those whose registers
# the system does not save.
X86_ROWS = {
    "portable": set(),
    "sse2": set(),
    "shani": {"sha_ni", "ssse3", "sse4_1"},
    "avx2": {"avx2"},
    "avx512vl": {"avx512f", "avx512vl"},
    "avx512": {"avx512f"},
    "best": set(),
}  # type: dict[str, set[str]]


@pytest.fixture(autouse=True)
def row_restored() -> Iterator[None]:
    before = _engine.kernel_in_use()
    yield
    _engine.kernel_force(before)


# ---- the table ----------------------------------------------------------------------------------


def test_rows_are_what_the_machine_has() -> None:
    rows = _engine.kernels()
    if platform.machine() == "x86_64":
        text = Path("/proc/cpuinfo").read_text()
        flags = set(re.search(r"^flags\s*:(.*)$", text, re.M)[1].split())  # type: ignore[index]
        assert rows == [name for name, needs in X86_ROWS.items() if needs <= flags]
    else:
        assert rows[0] == "portable"
        assert rows[-1] == "best"


def test_force_takes_every_row_and_none_is_the_best_again() -> None:
    for name in _engine.kernels():
        _engine.kernel_force(name)
        assert _engine.kernel_in_use() == name
    _engine.kernel_force(None)
    assert _engine.kernel_in_use() == "best"


@pytest.mark.parametrize("name", ["", "avx", "AVX2", "portable ", "avx1024"])
def test_force_refuses_what_is_no_row(name: str) -> None:
    _engine.kernel_force("portable")
    with pytest.raises(watchword.InvalidArgument, match="portable"):
        _engine.kernel_force(name)
    assert _engine.kernel_in_use() == "portable"


def imported(kernel: str) -> subprocess.CompletedProcess[str]:
    code = "from watchword import _engine; print(_engine.kernel_in_use())"
    environment = {**os.environ, "WATCHWORD_KERNEL": kernel}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def test_environment_forces_a_row() -> None:
    assert imported("portable").stdout.split() == ["portable"]
    assert imported("").stdout.split() == ["best"]


def test_environment_refuses_what_is_no_row() -> None:
    done = imported("abacus")
    assert done.returncode != 0
    assert "abacus" in done.stderr


# ---- one message at a time ----------------------------------------------------------------------

LENGTHS = [0, 1, 8, 19, 20, 55, 56, 63, 64, 65, 111, 112, 119, 120, 127, 128, 129, 255, 256, 1000]

# RFC 2202 and RFC 4231, test cases 2 and 6.
PUBLISHED = [
    ("sha1", b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (
        "sha1",
        b"\xaa" * 80,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ),
    (
        "sha256",
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        "sha256",
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        "sha512",
        b"Jefe",
        b"what do ya want for nothing?",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    (
        "sha512",
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
        "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ),
]


@pytest.mark.parametrize(("algorithm", "key", "text", "mac"), PUBLISHED)
def test_hmac_gives_the_published_answers(
    algorithm: str, key: bytes, text: bytes, mac: str
) -> None:
    assert _engine.hmac(algorithm, key, text).hex() == mac


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_hmac_takes_any_key_and_any_text(algorithm: str, rng: Any) -> None:
    for key_len in LENGTHS:
        for text_len in LENGTHS:
            key, text = rng.randbytes(key_len), rng.randbytes(text_len)
            right = hmac.digest(key, text, algorithm)
            assert _engine.hmac(algorithm, key, text) == right, (key_len, text_len, rng)


# ---- codes --------------------------------------------------------------------------------------


def test_truncate_reads_at_every_offset(rng: Any) -> None:
    for size in (20, 32, 64):
        for offset in range(16):
            mac = rng.randbytes(size - 1) + bytes([rng.randrange(16) << 4 | offset])
            right = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
            assert _engine.truncate(mac) == right, (size, offset, rng)


@pytest.mark.parametrize("digits", range(4, 11))
def test_reduce_is_the_remainder(digits: int, rng: Any) -> None:
    """At every multiple of the power where a quotient changes, or many of them, and at random."""
    power, most = 10**digits, 2**31 - 1
    quotients = range(most // power + 2)
    if len(quotients) > 4000:
        quotients = sorted({*quotients[:1000], *quotients[-1000:], *rng.sample(quotients, 2000)})
    edges = {q * power + step for q in quotients for step in (-1, 0, 1)}
    values = {x for x in edges if 0 <= x <= most} | {0, 1, most - 1, most}
    values |= {rng.getrandbits(31) for _ in range(2000)}
    for value in values:
        assert _engine.reduce(value, digits) == value % power, (value, digits, rng)


# ---- what the compiler made of it ---------------------------------------------------------------

PROBES = """
#include "secret.h"
uint32_t probe_eq(uint32_t a, uint32_t b);
uint32_t probe_eq(uint32_t a, uint32_t b) { return ww_eq_u32(a, b); }
uint64_t probe_select(uint32_t bit, uint64_t a, uint64_t b);
uint64_t probe_select(uint32_t bit, uint64_t a, uint64_t b) { return ww_select_u64(bit, a, b); }
uint32_t probe_equal(const uint8_t *a, const uint8_t *b);
uint32_t probe_equal(const uint8_t *a, const uint8_t *b) { return ww_equal(a, b, 128); }
uint32_t control_divides(uint32_t a, uint32_t b);
uint32_t control_divides(uint32_t a, uint32_t b) { return a % b; }
uint32_t control_branches(uint32_t a, const uint32_t *b);
uint32_t control_branches(uint32_t a, const uint32_t *b) { return a == 7 ? 1 : *b; }
"""


def disassembled(compiler: str, source: Path, folder: Path) -> dict[str, list[str]]:
    """Function name -> its mnemonics."""
    out = str(folder / "core.o")
    flags = ["-std=c11", "-O2", f"-I{ROOT / 'ext'}"]
    subprocess.run([compiler, *flags, "-c", str(source), "-o", out], check=True)
    command = ["objdump", "-d", "--no-show-raw-insn", out]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if opened := re.fullmatch(r"[0-9a-f]+ <(\S+)>:", line):
            mnemonics = found.setdefault(opened[1], [])
        elif step := re.match(r"\s+[0-9a-f]+:\s+(\S+)", line):
            mnemonics.append(step[1])
    return found


def divides(mnemonics: list[str]) -> bool:
    return any("div" in m for m in mnemonics)


def branches(mnemonics: list[str]) -> bool:
    """x86 jumps but for plain jmp; AArch64 conditional branches."""
    return any(re.match(r"j(?!mp)|b\.|cbn?z|tbn?z", m) for m in mnemonics)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_codes_are_reduced_without_division(compiler: str, tmp_path: Path) -> None:
    """How long a division takes depends on its operands; these would be codes."""
    found = disassembled(compiler, ROOT / "ext" / "dispatch.c", tmp_path)
    assert found["ww_reduce"]
    assert found["ww_truncate"]
    public = {"kernels_fill", "choice_weigh", "kernel_offer"}  # numbers of lanes, at load
    assert [name for name in found if divides(found[name]) and name not in public] == []


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_secrets_are_compared_without_a_branch(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "probes.c"
    source.write_text(PROBES)
    found = disassembled(compiler, source, tmp_path)
    for name in ("probe_eq", "probe_select"):
        assert found[name]
        assert not branches(found[name]), (name, found[name])
    assert not divides([m for name in found if name.startswith("probe") for m in found[name]])
    assert divides(found["control_divides"])
    assert branches(found["control_branches"])


def test_hash_sizes_are_those_of_the_standard() -> None:
    for algorithm in ("sha1", "sha256", "sha512"):
        mac = _engine.hmac(algorithm, b"key", b"text")
        assert len(mac) == hashlib.new(algorithm).digest_size
