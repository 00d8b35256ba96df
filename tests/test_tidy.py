"""Tidiness is a test: the linter, the types, the C compilers at their strictest, and our own laws.

The laws are those no linter knows: words that may not be merged, heads that say what a file is for,
what the C core may call, and how long a file may grow before somebody says why.
"""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COLUMNS_MAX = 100
LINES_MAX = 400

STRICT = (
    "-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes "
    "-Wmissing-prototypes -Wundef -Wvla -Wwrite-strings -Wcast-qual -Wdouble-promotion -Werror"
).split()

# Words that may not be merged, and what to write instead. Split, or this file would hold them.
BANNED = {
    "TO" + "DO": "an issue",
    "FIX" + "ME": "the fix",
    "XX" + "X": "a sentence that says why",
    "pytest.sk" + "ip": "a test that runs, or none",
    "mark.sk" + "ip": "a test that runs, or none",
    "mark.xf" + "ail": "the fix",
    "import" + "orskip": "a dependency of the test extra",
    "unittest.m" + "ock": "the real thing, or a fault that is injected",
    "# type: ig" + "nore\n": "the code of the error that is ignored, in brackets",
}

# Files past LINES_MAX, and why each is one sitting all the same.
LONG = {
    "ext/watchword.h": "the whole C surface, read as one contract",
    "src/watchword/reference.py": "the oracle: one file that leans on nothing of ours",
    "src/watchword/_engine.pyi": "the one compiled module's one stub",
    "ext/core.pxi": "one cdef class, which Cython cannot take from two files",
    "ext/connection.pxi": "one cdef class, which Cython cannot take from two files",
}

# What the C core may take from outside: values, widths, intrinsics, and moving bytes.
INCLUDES = {
    "arm_neon.h", "assert.h", "cpuid.h", "emmintrin.h", "immintrin.h", "limits.h", "stdalign.h",
    "stdbool.h", "stddef.h", "stdint.h", "string.h", "valgrind/memcheck.h",
}  # fmt: skip
CALLS = {
    "bcmp", "memchr", "memcmp", "memcpy", "memmove", "memset", "strchr", "strcmp", "strlen",
    "__assert_fail", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
}  # fmt: skip


def written(*patterns: str) -> list[Path]:
    """Files of the tree that people wrote."""
    found = {p for pattern in patterns for p in ROOT.glob(pattern) if p.is_file()}
    return sorted(p for p in found if not {"build", "__pycache__"} & set(p.parts[:-1]))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


PYTHON = written("src/**/*.py", "src/**/*.pyi", "tests/**/*.py", "bench/**/*.py", "setup.py")
CORE = written("ext/*.c", "ext/isa/*.c")
HEADERS = written("ext/*.h", "ext/lanes/*.h")
CYTHON = written("ext/*.pyx", "ext/*.pxd", "ext/*.pxi")
TEXT = written("*.md", "*.toml", "MANIFEST.in", ".ci/*", "ext/*.md", "tests/**/*.md", "bench/*.md")
CODE = PYTHON + CORE + HEADERS + CYTHON


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: tests/tools.sh brings it (Debian package {package})"
    return found


def run(*command: str) -> str:
    """The output of a command that must succeed; it stands in the failure when it does not."""
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_ruff() -> None:
    run(sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", ".")


def test_mypy_is_strict() -> None:
    run(sys.executable, "-m", "mypy", "--strict", "src")


# gcc finds some of its warnings while it optimises; clang has said all of its before it begins to.
LEVELS = {"gcc": "-O1", "clang": "-O0"}


@pytest.mark.parametrize("compiler", LEVELS)
@pytest.mark.parametrize("path", CORE, ids=short)
def test_core_compiles_without_a_warning(path: Path, compiler: str, tmp_path: Path) -> None:
    """Each file alone, and then what it leaves for a linker to find."""
    out = tmp_path / "core.o"
    command = [tool(compiler, compiler), *STRICT, LEVELS[compiler], "-Iext", "-c", str(path)]
    run(*command, "-o", str(out))
    symbols = run(tool("nm", "binutils"), "--undefined-only", "--format=posix", str(out))
    names = {line.split()[0] for line in symbols.splitlines()}
    outside = {name for name in names if not name.startswith("ww_")} - CALLS
    assert not outside, f"{short(path)} calls {', '.join(sorted(outside))}"


@pytest.mark.parametrize("path", CORE + HEADERS, ids=short)
def test_core_includes_no_outside_world(path: Path) -> None:
    for name in re.findall(r"^\s*#\s*include\s*<([^>]+)>", path.read_text(), re.M):
        assert name in INCLUDES, f"{short(path)} includes <{name}>"


@pytest.mark.parametrize("path", CODE + TEXT, ids=short)
def test_no_banned_word(path: Path) -> None:
    text = path.read_text()
    for word, instead in BANNED.items():
        assert word not in text, f"{short(path)} says {word.strip()}; write {instead}"


@pytest.mark.parametrize("path", CODE, ids=short)
def test_lines_and_files_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        assert len(line) <= COLUMNS_MAX, f"{short(path)}:{number} is {len(line)} columns wide"
        assert line == line.rstrip(), f"{short(path)}:{number} ends in spaces"
        assert "\t" not in line, f"{short(path)}:{number} holds a tab"
    if short(path) not in LONG:
        assert len(lines) <= LINES_MAX, f"{short(path)} has {len(lines)} lines: split it by noun"


def test_the_list_of_long_files_is_true() -> None:
    for name, reason in LONG.items():
        lines = len((ROOT / name).read_text().splitlines())
        assert lines > LINES_MAX, f"{name} has {lines} lines and needs no excuse ({reason})"


@pytest.mark.parametrize("path", CODE, ids=short)
def test_the_head_says_what_the_file_is_for(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".py":
        assert ast.get_docstring(ast.parse(text)), f"{short(path)} opens without a docstring"
    else:
        assert text.startswith(("/*", '"""', "#")), f"{short(path)} opens without a comment"


@pytest.mark.parametrize("path", PYTHON, ids=short)
def test_names_say_something(path: Path) -> None:
    """Nouns that fit anything name nothing: a second job hides behind them."""
    nodes = ast.walk(ast.parse(path.read_text()))
    defs = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = [path.stem] + [node.name for node in nodes if isinstance(node, defs)]
    for name in names:
        vague = re.search(r"manager|util|common|misc|helper", name, re.I)
        assert not vague, f"{short(path)}: {name} says {vague[0]}, which is no noun of ours"


def test_the_table_of_cases_names_tests_that_exist() -> None:
    """tests/README.md: a row is a promise, so it names tests, or says what it waits for."""
    table = (ROOT / "tests" / "README.md").read_text().partition("## Cases")[2]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if re.match(r"\| +\d", line)]
    assert [int(row[0]) for row in rows] == list(range(1, 26))
    source = "\n".join(path.read_text() for path in written("tests/**/*.py"))
    for number, _, said in rows:
        names = re.findall(r"`(test_\w+)`", said)
        assert names or "waits for" in said, f"case {number.strip()} names no test"
        for name in names:
            assert f"def {name}(" in source, f"case {number.strip()}: there is no {name}"
