"""Builds the fuzz targets with clang: libFuzzer, address and undefined behaviour sanitizers.

Objects are kept (tests/kept.py), so that a run after the first one only links, and of that a plant
alone. The rows of the kernel table are compiled plainly: their rounds take minutes under
sanitizers, tests/lanes.c runs them sanitized at every size, and fuzz_kernels.c looks at the memory
around what they write. A plant is a target with one bug sewn in at build time; a row with a bug is
not optimised as well, for that takes longer than finding it.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.kept import compiled, digest, said, tool

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OUT = ROOT / "build" / "fuzz"
SANITIZERS = "-fsanitize=address,undefined"
ROWS = ["-std=c11", "-O2"]
PLANTED_ROW = ["-std=c11", "-O0"]
CHECKED = ["-std=c11", "-O2", "-g", SANITIZERS, "-fno-sanitize-recover=all"]
COVERED = [*CHECKED, "-fsanitize-coverage=inline-8bit-counters,pc-table"]
TRACED = [*CHECKED, "-fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp"]


class Target(NamedTuple):
    """What one fuzzer is about, and how long its inputs grow."""

    about: str
    max_len: int
    core: bool = True  # links the whole core; the parser stands alone


TARGETS = {
    "wire": Target("the RESP parser, whole against cut in pieces", 64, core=False),
    "rows": Target("journal rows: needed, replayed, kept as pages", 256),
    "pages": Target("identity and state pages: needed, decoded, encoded again", 384),
    "kernels": Target("every kernel row at every ragged size against libcrypto", 200),
    "turn": Target("whole turns of any asks and attempts against recovery from their records", 384),
}


class Plant(NamedTuple):
    """One bug: in which target, in which file, what is written instead, what is compiled anew."""

    target: str
    path: str
    old: str
    new: str
    compiled: str = ""


PLANTS = {
    "wire reads one byte too far": Plant(
        "wire", "ext/wire.c", "    if (p + 1 == len)\n        return 0;\n", ""),
    "wire forgets where a line was looked at": Plant(
        "wire", "ext/wire.c", "w->end = w->scan = 0;", "w->end = 0;"),
    "wire runs past a backslash at a line's end": Plant(
        "wire", "ext/wire.c", "buf[p] != '\\\\' || p + 1 == end", "buf[p] != '\\\\'"),
    "a page's reader is one byte too trusting": Plant(
        "pages", "ext/cursor.h", "if ((size_t)(r->end - r->at) < n)",
        "if ((size_t)(r->end - r->at) + 1 < n)", "ext/pages.c"),
    "a page's key may be longer than any key": Plant(
        "pages", "ext/cursor.h", "    r->bad |= len > most;\n", "", "ext/pages.c"),
    "a page asks for too little": Plant(
        "pages", "ext/pages.c", "needs->cold_bytes = 2 * len + 8;", "needs->cold_bytes = len / 4;"),
    "a row asks for no device": Plant(
        "rows", "ext/rows.c", "needs->wides += r[n].event", "needs->wides += 0 & r[n].event"),
    "a row asks for a quarter of the arena it needs": Plant(
        "rows", "ext/rows.c", "(uint32_t)WW_RECORD_BYTES : 0;",
        "(uint32_t)WW_RECORD_BYTES / 4 : 0;"),
    "a what-if reads past its row": Plant(
        "rows", "ext/whatif.c", "while (f.end < end && f.end->event", "while (f.end->event"),
    "an enrolment's key reaches past its record": Plant(
        "rows", "ext/acts.c", "s->pin_len > room)", "s->pin_len > room + 64)"),
    "one kernel row is wrong at one ragged size": Plant(
        "kernels", "ext/lanes/many.h", "    memcpy(out + i, tail_out,",
        "    tail_out[1] ^= n == 7;\n    memcpy(out + i, tail_out,", "ext/isa/v128.c"),
    "a kernel row writes one answer too many": Plant(
        "kernels", "ext/lanes/many.h", "(n - i) * sizeof *out);", "(n - i + 1) * sizeof *out);",
        "ext/isa/v128.c"),
    "a row of long messages is wrong at one ragged size": Plant(
        "kernels", "ext/lanes/many.h", "    memcpy(&out[i], tail_out,",
        "    tail_out[0] ^= n == 7;\n    memcpy(&out[i], tail_out,", "ext/isa/v128.c"),
    "a row of long messages leaves its last block out": Plant(
        "kernels", "ext/lanes/sha256.h", "    } while (++b < blocks);",
        "    } while (++b < blocks - (blocks > 2));", "ext/isa/v128.c"),
    "a shared step gets the wrong device at one ragged size": Plant(
        "kernels", "ext/lanes/sha1.h", "    sha1_totp(tail_mids, shared, steps, tail_out, LANES);",
        "    if (n == 5)\n        tail_mids[0] = tail_mids[LANES - 1] = mids[0];\n"
        "    sha1_totp(tail_mids, shared, steps, tail_out, LANES);", "ext/isa/v128.c"),
    "a code of the wrong length fits": Plant(
        "kernels", "ext/dispatch.c", "^ want[i]) | misfit[i];", "^ want[i]);"),
    "a used step is open once more": Plant(
        "turn", "ext/state.c", "? d->moving - y->base : 0;", "? d->moving - y->base - 1 : 0;"),
    "an id that comes again is decided again": Plant(
        "turn", "ext/ids.c", "    g->outcome = WW_ID_AGAIN;\n",
        "    g->outcome = WW_ID_AGAIN;\n    return 0;\n"),
    "an id is remembered with another verdict": Plant(
        "turn", "ext/ids.c", "told->verdict = r->verdict;", "told->verdict = WW_REJECTED;"),
    "a challenge stands after its answer": Plant(
        "turn", "ext/apply.c", "ww_device_issue(d)->open[r->place & 1u].stands = 0;",
        "ww_device_issue(d)->open[~r->place & 1u].stands = 0;"),
    "a challenge that has run out is good": Plant(
        "turn", "ext/answers.c", "!ww_open_current(&open, ww_epoch(t, now_ms)), now_ms);",
        "0, now_ms);"),
    "a push is claimed again": Plant(
        "turn", "ext/push.c", "        push->claimed = 1;\n", ""),
    "a lock's effect is in no record": Plant(
        "turn", "ext/verify.c", "    b->units += units;",
        "    if (u && a->verdict == WW_LOCKED)\n        u->streak.count = 1;\n"
        "    b->units += units;"),
    "an address is written past its room": Plant(
        "turn", "ext/verify.c", "    b->units += units;",
        "    if (a->has_address)\n        b->units += 20;\n    b->units += units;"),
}  # fmt: skip


def build(target: str, plant: str = "") -> Path:
    """The fuzzer of a target, with a plant's bug in it if one is named."""
    sewn = PLANTS[plant] if plant else None
    assert sewn is None or sewn.target == target
    tree = planted(sewn) if sewn else ROOT
    sources = [(HERE / f"fuzz_{target}.c", CHECKED if target == "wire" else TRACED)]
    if TARGETS[target].core:
        sources += [(path, TRACED) for path in sorted(ROOT.glob("ext/*.c"))]
        sources += [(path, ROWS) for path in sorted(ROOT.glob("ext/isa/*.c"))]
    else:
        sources.append((ROOT / "ext" / f"{target}.c", COVERED))
    if sewn:
        anew = ROOT / (sewn.compiled or sewn.path)
        flags = PLANTED_ROW if anew.parent.name == "isa" else dict(sources)[anew]
        sources = [(p, f) for p, f in sources if p != anew]
        sources.append((tree / anew.relative_to(ROOT), flags))
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda source: object_of(*source), sources))
    out = OUT / f"{target}-{digest(*map(str, objects))}"
    if not out.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        libraries = ["-lcrypto"] if target == "kernels" else []
        part = part_of(out)
        said(tool("clang"), "-fsanitize=fuzzer,address,undefined", "-o", part, *objects, *libraries)
        part.replace(out)
    return out


def object_of(source: Path, flags: list[str]) -> Path:
    ext = next((p for p in source.parents if p.name == "ext"), ROOT / "ext")
    return compiled("clang", flags, source, [ext, HERE])


def part_of(out: Path) -> Path:
    """What is being made: two rigs side by side may make the same, each its own."""
    return out.with_suffix(f".{os.getpid()}.part")


def planted(plant: Plant) -> Path:
    """A copy of ext with the bug in it."""
    tree = OUT / f"planted-{digest(*plant, (ROOT / plant.path).read_bytes())}"
    shutil.copytree(ROOT / "ext", tree / "ext", dirs_exist_ok=True)
    text = (ROOT / plant.path).read_text()
    assert text.count(plant.old) == 1, f"{plant.path} holds {plant.old!r} {text.count(plant.old)}x"
    (tree / plant.path).write_text(text.replace(plant.old, plant.new))
    return tree
