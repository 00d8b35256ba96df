"""What the compiler made of the code that touches secrets, read from the objects themselves.

Valgrind sees no division whose time hangs on its operands, and cannot run AVX-512 or the SHA
extensions. So: nothing in the core divides, but for the named functions that divide what is public;
the pieces that compare, reduce and fold hold no conditional jump but on a count; and neither do the
kernel's rows that valgrind cannot run, a few times in a function.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.timing.built import CORE, HERE, Plant, Tree, ran, tool

__all__ = ["PLANTS", "complaints"]

# Who divides, and why neither number is a secret.
PUBLIC_DIVISIONS = {
    "kernels_fill": "numbers of lanes, at load",
    "choice_weigh": "numbers of lanes, at load",
    "kernel_offer": "numbers of lanes, at load",
    "ww_step_now": "a time by a device's period",
    "ww_lay_answer": "a time by a suite's step",
    "step_of": "a time by a suite's step",
    "put_position": "a position of a window, each of which is laid, by the steps in it",
    "find_answer": "in decide: the position that matched, which records tell, by those steps",
    "ww_question": "an issue count; then the question, which is shown, by its alphabet's size",
}
UNSEEN = ("avx512", "avx512vl", "shani")  # rows that valgrind hides
JUMPS_PER_ROW_MAX = 14  # of one function: the loop over vectors, and the ragged end
JUMPS_PER_VECTOR_MAX = 2  # of one that takes a vector: the loop over steps
# Counts are size_t; only what a compiler makes of copying a few lanes counts in narrower ones.
# Codes and words of SHA-1 and SHA-256 are 32 bits wide, typed characters 8.
WHOLE_COUNT = r"%r(?:[abcd]x|[sd]i|[bs]p|\d+)"
ANY_COUNT = r"%[re]?(?:[abcd][xl]|[sd]il?|[bs]pl?|\d+[db]?)"

PLANTS = (
    Plant("remainder", "dispatch.c", "return truncated - (uint32_t)quotient * tens[digits].power;",
          "(void)quotient; return truncated % tens[digits].power;"),
    Plant("equal_exits_early", "secret.h",
          "differ |= (uint32_t)(a[i] ^ b[i]);", "if (a[i] != b[i]) return 0;"),
    Plant("answers_divide", "answers.c", "uint32_t code = ww_reduce(s->out[lane], suite->digits);",
          "uint32_t code = s->out[lane] % (suite->digits == 6 ? 1000000u : suite->blocks);"),
    Plant("text_row_branches", "lanes/sha1.h", "sha1_compress(mid, w);\n    } while",
          "sha1_compress(mid, w);\n        uint32_t first[LANES];\n"
          "        v_store_low32(first, mid[0]);\n        if (first[0] & 1) break;\n    } while"),
    Plant("fold_branches", "match.h", "m->lo |= j < 64 ? v : 0;",
          "if (bit) __asm__ volatile(\"\"); m->lo |= j < 64 ? v : 0;"),
    Plant("row_branches", "isa/shani.c", "out[lane] = truncate_words32(h, h[4]);",
          "if (h[4] & 1) __asm__ volatile(\"\"); out[lane] = truncate_words32(h, h[4]);"),
)  # fmt: skip


STEP = re.compile(r"\s+[0-9a-f]+:\s+(?:(?:notrack|bnd|rep\w*|lock) )?(\S+)\s*(.*)")
# What stands between a comparison and its jump and leaves the flags alone.
LEAVES_FLAGS = re.compile(r"(v?mov|lea|push|pop|vp(?!test)|nop|cs|data16|xchg|j|set|call)")


class Step(NamedTuple):
    """One instruction of a disassembly."""

    does: str
    to: str


def functions(made: Path) -> dict[str, list[Step]]:
    """Name -> instructions, of every function in an object."""
    done = ran(tool("objdump"), "-d", "--no-show-raw-insn", made)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Step]] = {}
    steps: list[Step] = []
    for line in done.stdout.splitlines():
        if opened := re.fullmatch(r"[0-9a-f]+ <(\S+)>:", line):
            steps = found.setdefault(opened[1], [])
        elif step := STEP.match(line):
            steps.append(Step(step[1], step[2].partition("#")[0].strip()))
    return found


def jumps(step: Step) -> bool:
    """A jump that may or may not be taken, on x86 or AArch64."""
    return bool(re.match(r"j(?!mp)|b\.|cbn?z|tbn?z|loop", step.does))


def divides(steps: list[Step]) -> bool:
    return any("div" in step.does for step in steps)


def on_a_count(before: list[Step], kinds: str) -> bool:
    """Whether the flags a jump reads were made from general registers of those kinds, or from one
    and a constant: never from memory, a vector, or a mask of one. Only where any count will do, it
    may have been kept on the stack meanwhile."""
    for step in reversed(before):
        if LEAVES_FLAGS.match(step.does):
            continue
        registers = re.findall(r"%\w+", step.to)
        whole = all(re.fullmatch(kinds, name) for name in registers)
        spilled = kinds == ANY_COUNT and re.search(r",\s*0x[0-9a-f]+\(%rsp\)$", step.to)
        return bool(registers) and whole and ("(" not in step.to or bool(spilled))
    return False


def jump_complaints(name: str, steps: list[Step], kinds: str, most: int) -> Iterator[str]:
    taken = [at for at, step in enumerate(steps) if jumps(step)]
    if len(taken) > most:
        yield f"{name} holds {len(taken)} conditional jumps, more than its loop needs"
    for at in taken:
        if not on_a_count(steps[:at], kinds):
            said = "; ".join(" ".join(step) for step in steps[max(0, at - 2) : at + 1])
            yield f"{name} jumps on something that is no count: {said}"


def row_complaints(name: str, steps: list[Step]) -> Iterator[str]:
    """What a row offers walks over lanes and copies what a ragged end left; it calls the others,
    which take exactly one vector and hash it."""
    if name.startswith(("ww_hotp_", "ww_totp_", "ww_text_", "ww_ocra_")):
        yield from jump_complaints(name, steps, ANY_COUNT, JUMPS_PER_ROW_MAX)
    else:
        yield from jump_complaints(name, steps, WHOLE_COUNT, JUMPS_PER_VECTOR_MAX)


def complaints(tree: Tree) -> list[str]:
    """Every instruction of a tree that may tell a secret by its time."""
    found: list[str] = []
    pieces = functions(tree.compiled(HERE / "pieces.c"))
    pieces = {name: steps for name, steps in pieces.items() if name.startswith("piece_")}
    scalar = functions(tree.compiled(tree.ext / "dispatch.c"))
    pieces |= {name: scalar[name] for name in ("ww_reduce", "ww_truncate")}
    assert len(pieces) >= 10, "the pieces are gone from the objects"
    for name, steps in pieces.items():
        found.extend(jump_complaints(name, steps, WHOLE_COUNT, 1))
    for made in tree.rows():
        for name, steps in functions(made).items():
            if made.stem in UNSEEN:
                found.extend(row_complaints(name, steps))
            if divides(steps):
                found.append(f"{name} divides")
    for source in CORE:
        apart = tree.compiled(tree.ext / source, "-fno-inline", name=f"apart_{source}")
        for name, steps in functions(apart).items():
            if divides(steps) and name.partition(".")[0] not in PUBLIC_DIVISIONS:
                found.append(f"{name} divides")
    return found
