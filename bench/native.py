"""Builds the C that benchmarks need, once for each content, into build/bench/.

A driver or a peer is one C file of bench/peers/, loaded with ctypes. The core is compiled beside it
with the flags of setup.py, so that what is timed is what is shipped. Rule: a library whose header
is not installed is said to be missing and left out; any other failure of the compiler ends the run.
"""

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
BUILT = ROOT / "build" / "bench"

CC = shlex.split(os.environ.get("CC", "cc"))
FLAGS = "-std=c11 -O3 -flto=auto -DNDEBUG -fno-strict-aliasing -fPIC -Wall -Wextra".split()


class MissingError(Exception):
    """A peer's library is not installed; the text says which Debian package brings it."""


@functools.cache
def load(name: str, header: str = "", package: str = "", *, links: str = "") -> ctypes.CDLL:
    """bench/peers/<name>.c as a library. header: what must be installed, from package.

    Errors: MissingError; SystemExit with the compiler's words.
    """
    if header and not _has(header):
        raise MissingError(f"{name}: not installed (Debian package {package})")
    return ctypes.CDLL(str(_built(name, [PEERS / f"{name}.c"], links.split())))


def path_of(name: str) -> Path:
    """bench/peers/<name>.c as a library that others preload."""
    return _built(name, [PEERS / f"{name}.c"], [])


@functools.cache
def load_with_core(name: str) -> ctypes.CDLL:
    """bench/peers/<name>.c together with the whole C core."""
    core = [*ROOT.glob("ext/*.c"), *ROOT.glob("ext/isa/*.c")]
    return ctypes.CDLL(str(_built(name, [PEERS / f"{name}.c", *sorted(core)], [])))


def _has(header: str) -> bool:
    command = [*CC, "-E", "-x", "c", "-o", os.devnull, "-"]
    text = f"#include <stddef.h>\n#include <stdint.h>\n#include <time.h>\n#include <{header}>\n"
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


def _built(name: str, sources: list[Path], links: list[str]) -> Path:
    """The library's path, compiled if nothing of that content stands there."""
    seen = hashlib.sha256(repr((CC, FLAGS, links)).encode())
    for path in [*sources, *sorted(ROOT.glob("ext/*.h")), *sorted(ROOT.glob("ext/lanes/*.h"))]:
        seen.update(path.read_bytes())
    out = BUILT / f"{name}-{seen.hexdigest()[:16]}.so"
    if out.exists():
        return out
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        objects = [f"{folder}/{path.stem}.o" for path in sources]
        compile_one = [*CC, *FLAGS, f"-I{ROOT / 'ext'}", "-c"]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda source, made: _run([*compile_one, str(source), "-o", made]),
                          sources, objects))  # fmt: skip
        _run([*CC, *FLAGS, "-shared", *objects, *links, "-o", f"{folder}/made.so"])
        Path(folder, "made.so").replace(out)
    return out


def _run(command: list[str]) -> None:
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}\n{done.stderr}")
