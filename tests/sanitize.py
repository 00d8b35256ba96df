"""python -m tests.sanitize: the whole suite over an extension built with ASan and UBSan.

The tree is copied, built with WATCHWORD_SANITIZE=1 and tested there by two pytest processes, each
taking the next files from one queue. Python's own small-object allocator is switched off, so that a
byte read past a bytes object is seen as well. Leak detection at exit is off: the interpreter and
numpy keep memory by design; tests/test_leaks.py counts instead.

    python -m tests.sanitize                  everything
    python -m tests.sanitize tests/test_x.py  these files
    python -m tests.sanitize --planted        a read past a batch's end must be reported
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import totals

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "sanitize"  # by what it was made of: nothing is compiled twice
LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", "build", "*.so", "__pycache__", ".*_cache", ".benchmarks", ".hypothesis")
PROCESSES = 2
CHUNK = 5

# What does not run so, and why. Everything else does.
APART = {
    "tests/test_crash.py": "preloads a library of its own, and this runtime has to be the first",
    "tests/test_faults.py": "preloads a library of its own, and this runtime has to be the first",
    "tests/test_fuzz.py": "builds programs of its own, sanitized already",
    "tests/test_lanes.py": "builds programs of its own, one of them sanitized, or uses valgrind",
    "tests/test_timing.py": "valgrind and sanitizers want the same memory",
    "tests/test_races.py": "builds programs of its own, under the thread sanitizer",
    "tests/test_tidy.py": "reads the tree and runs none of it",
    "tests/test_bench.py": "measures, which means nothing here",
    "tests/test_bench_daemon.py": "measures, and by programs that are built without this runtime",
    "tests/test_leaks.py": "freed memory stands in quarantine here, so sizes say nothing",
}
# The same of single tests.
APART_TESTS = {
    "tests/test_serve_life.py::test_a_disk_that_refuses_ends_the_daemon_and_loses_nothing_answered":
        "preloads a library of its own, and this runtime has to be the first",
    "tests/test_canaries.py::test_no_secret_is_in_a_crash":
        "crashes a daemon by a signal, which this runtime would report as a finding",
}  # fmt: skip
# Long files go first, alone; the others follow in chunks.
LONG = ("tests/test_agreement.py", "tests/test_sim.py", "tests/test_store_damage.py",
        "tests/test_serve_kill.py", "tests/test_doors.py", "tests/test_vectors.py",
        "tests/test_reference.py")  # fmt: skip

# A look past the last attempt of a batch, sewn into the door.
PLANT = ("ext/batch.pxi", "    cdef void clear(self) noexcept:\n",
         "    cdef void clear(self) noexcept:\n"
         "        ww_wipe(self.b.attempts + self.cap, 8)\n")  # fmt: skip


def built(place: Path, plant: bool) -> Path:
    """A copy of the tree with the sanitized extension in it."""
    tree = place / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_BEHIND)
    if plant:
        path, old, new = PLANT
        text = (tree / path).read_text()
        assert old in text
        (tree / path).write_text(text.replace(old, new))
    made_of = [tree / "setup.py", *sorted(p for p in (tree / "ext").rglob("*") if p.is_file())]
    name = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()[:16]
    kept = BUILT / name
    if not kept.exists():
        # As it is installed: pip brings what a build needs, and the tests' own environment may not.
        site = place / "site"
        env = dict(os.environ) | {"WATCHWORD_SANITIZE": "1", "WATCHWORD_STRICT": "0"}
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps",
                        "--disable-pip-version-check", "--target", site, "."],
                       cwd=tree, env=env, check=True)  # fmt: skip
        shutil.rmtree(tree / "build", ignore_errors=True)
        (module,) = (site / "watchword").glob("_engine*.so")
        part = BUILT / f"{name}.part"
        part.mkdir(parents=True, exist_ok=True)
        shutil.copy2(module, part)
        part.rename(kept)
    for module in kept.iterdir():
        shutil.copy2(module, tree / "src" / "watchword")
    return tree


def environment(tree: Path) -> dict[str, str]:
    """Both runtimes before anything else; a report ends the process and goes to a file, for what a
    process says while pytest captures it ends with it."""
    log = f"log_path={tree / 'report'}"
    runtimes = [
        subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True,
                       check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]  # fmt: skip
    return dict(os.environ) | {
        "LD_PRELOAD": " ".join(runtimes),
        "ASAN_OPTIONS": f"detect_leaks=0:strict_string_checks=1:{log}",
        "UBSAN_OPTIONS": f"halt_on_error=1:print_stacktrace=1:{log}",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(tree / "src"),
        "WATCHWORD_SANITIZED": "1",
    }


def chunks(files: list[str]) -> list[list[str]]:
    first = [[name] for name in LONG if name in files]
    rest = [name for name in files if name not in LONG]
    return first + [rest[at : at + CHUNK] for at in range(0, len(rest), CHUNK)]


def tested(tree: Path, files: list[str]) -> tuple[list[str], int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--deselect={name}" for name in APART_TESTS] + files
    done = subprocess.run(command, cwd=tree, env=environment(tree), text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return files, done.returncode, done.stdout


def reports(tree: Path) -> str:
    """Whatever the sanitizers have reported, of any process."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(tree.glob("report.*")))


def suite(tree: Path, files: list[str]) -> tuple[int, int]:
    """How many tests passed, and how many files did not."""
    passed = failed = 0
    with ThreadPoolExecutor(PROCESSES) as pool:
        for names, code, said in pool.map(lambda some: tested(tree, some), chunks(files)):
            counted = re.search(r"(\d+) passed", said)
            passed += int(counted[1]) if counted else 0
            failed += code != 0
            last = (said.strip().splitlines() or ["ended without a word"])[-1]
            print(f"{last}: {' '.join(names)}", flush=True)
            if code != 0:
                print(said[-20_000:], flush=True)
    if said := reports(tree):
        print(said[-20_000:], flush=True)
        failed += 1
    return passed, failed


def planted(tree: Path) -> int:
    _, code, said = tested(tree, ["tests/test_engine.py"])
    said += reports(tree)
    seen = code != 0 and "AddressSanitizer: heap-buffer-overflow" in said
    print("the planted overflow is reported" if seen else f"{said}\nthe plant is NOT reported")
    return 0 if seen else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sanitize", description=__doc__)
    parser.add_argument("files", nargs="*", help="test files; without them all but those apart")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--keep", action="store_true", help="add up in tests/totals.jsonl")
    given = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="watchword-sanitize-") as place:
        tree = built(Path(place), given.planted)
        print(f"built in {time.monotonic() - start:.0f} s", flush=True)
        if given.planted:
            return planted(tree)
        found = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("tests/**/test_*.py"))
        passed, failed = suite(tree, given.files or [f for f in found if f not in APART])
    apart = APART_TESTS if given.files else APART | APART_TESTS
    for name, why in apart.items():
        print(f"not here: {name}, which {why}")
    print(f"{passed} tests under ASan and UBSan, {failed} files with failures, "
          f"{time.monotonic() - start:.0f} s")  # fmt: skip
    if given.keep and not given.files:
        totals.add("sanitize", runs=1, tests=passed, failures=failed)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
