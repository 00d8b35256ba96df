"""What tests compile, kept in build/kept under a digest of everything it is made of: the compiler,
the flags, the source and each file it includes. So whichever rig, test or process asks, nothing is
compiled twice; whoever wants what another is making waits for it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

__all__ = ["KEPT", "compiled", "digest", "ran", "said", "tool"]

KEPT = Path(__file__).parents[1] / "build" / "kept"


def tool(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is not installed: tests/tools.sh brings it")
    return found


def ran(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command's end, whatever it was. No sanitizer that this process preloads goes with it."""
    plain = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    words = [str(word) for word in command]
    return subprocess.run(words, text=True, capture_output=True, check=False, env=plain)


def said(*command: str | Path) -> str:
    """What a command says that has to end well."""
    done = ran(*command)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr[-4000:]}"
    return done.stdout


def digest(*parts: bytes | str) -> str:
    made_of = hashlib.sha256()
    for part in parts:
        text = part.encode() if isinstance(part, str) else part
        made_of.update(len(text).to_bytes(8, "little") + text)
    return made_of.hexdigest()[:16]


@cache
def _version(compiler: str) -> str:
    return said(tool(compiler), "--version")


def compiled(compiler: str, flags: Sequence[str], source: Path, below: Sequence[Path]) -> Path:
    """The object of a source file that includes files of these directories. While this process
    runs nobody else writes them."""
    return _compiled(compiler, tuple(flags), source, tuple(below))


@cache
def _compiled(
    compiler: str, flags: tuple[str, ...], source: Path, below: tuple[Path, ...]
) -> Path:
    command = [tool(compiler), *flags, *(f"-I{place}" for place in below)]
    _, _, names = said(*command, "-MM", source).partition(":")
    parts = [Path(name).read_bytes() for name in names.replace("\\\n", " ").split()]
    out = KEPT / f"{source.stem}-{digest(_version(compiler), *flags, *parts)}.o"
    if not out.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with out.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not out.exists():
                part = out.with_suffix(".part")
                said(*command, "-c", source, "-o", part)
                part.replace(out)
    return out
