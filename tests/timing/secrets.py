"""Branches and indices made from secrets: whole turns under valgrind (`secrets.c`), the kernel's
rows at every ragged size (`tests/lanes.c`), and leaks planted in the core that must be reported.

Valgrind knows no SHA extensions and no AVX-512: it hides those rows and runs the others. `code.py`
reads the rows it cannot run.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.timing.built import HERE, Plant, Tree, ran, tool

__all__ = [
    "COMPILERS",
    "LANES",
    "PLANTS",
    "WRAP",
    "leaks",
    "matrix",
    "planted_leaks",
    "release_tree",
    "sound_tree",
]

LANES = HERE.parent / "lanes.c"
WRAP = "-Wl,--wrap=ww_decide"  # the one place where a secret becomes public: see secrets.c
COMPILERS = ("gcc", "clang")
LEVELS = ("-O1", "-O2", "-O3", "-Os")

PLANTS = (
    Plant(
        "early_exit", "secret.h",
        "differ |= (uint32_t)(a[i] ^ b[i]);", "if (a[i] != b[i]) return 0;",
    ),
    Plant(
        "window_stops_at_a_match", "match.c",
        "if (resync)\n                ww_mask_set(",
        "if (y->mask.lo) break;\n            if (resync)\n                ww_mask_set(",
    ),
    Plant(
        "digits_are_looked_at", "verify.c",
        "uint32_t *value, uint32_t *digits)\n{\n",
        "uint32_t *value, uint32_t *digits)\n{\n    if (len && text[0] > '9') len = 0;\n",
    ),
    Plant(
        "offset_is_an_index", "dispatch.c",
        "uint32_t word = 0;", "uint32_t word = ww_load_be32(mac + offset);",
    ),
    Plant(
        "code_is_recorded", "verify.c",
        "b->units += units;", "out->device += s->out[0];\n    b->units += units;",
    ),
    Plant(
        "answers_stop_at_a_match", "answers.c",
        "        uint32_t code = ww_reduce(s->out[lane], suite->digits);",
        "        if (y->mask.lo) continue;\n"
        "        uint32_t code = ww_reduce(s->out[lane], suite->digits);",
    ),
    Plant(
        "suite_looks_at_hits", "alike.c",
        "        ww_mask_set(&s->tries[s->text_try[lane]]",
        "        if (hit[lane]) ww_mask_set(&s->tries[s->text_try[lane]]",
    ),
    Plant(
        "pin_is_looked_at", "answers.c",
        "        ww_text_put(s, words, s->pin_at, pin, len);",
        "        if (pin[0]) ww_text_put(s, words, s->pin_at, pin, len);",
    ),
    Plant(
        "passcode_is_compared_by_bytes", "codes.c",
        "ww_equal(digest, kept->digest, sizeof digest) & fits",
        "(uint32_t)!memcmp(digest, kept->digest, sizeof digest) & fits",
    ),
    Plant(
        "kept_is_compared_by_bytes", "pins.c",
        "uint32_t same = ww_equal(mac, kept + 16, sizeof mac);",
        "uint32_t same = !memcmp(mac, kept + 16, sizeof mac);",
    ),
    Plant(
        "signed_pin_is_compared_by_bytes", "pins.c",
        "uint32_t same = ww_equal(digest, kept, kept_len);",
        "uint32_t same = !memcmp(digest, kept, kept_len);",
    ),
    Plant(
        "pair_is_looked_at", "card.c",
        "        s->tries[s->cards[i]].mask.lo = ww_eq_u32((uint32_t)typed[i], both) &",
        "        if (typed[i] == both) __asm__ volatile(\"\");\n"
        "        s->tries[s->cards[i]].mask.lo = ww_eq_u32((uint32_t)typed[i], both) &",
    ),
    Plant(
        "sent_code_is_looked_at", "codes.c",
        "    ww_wipe(mac, sizeof mac);\n    return code;",
        "    if (code < 100000) __asm__ volatile(\"\");\n"
        "    ww_wipe(mac, sizeof mac);\n    return code;",
    ),
    Plant(
        "spoiled_is_looked_at", "pins.c",
        "        s->tries[n].spoiled = pin_is(t, b, a, d) ^ 1u;",
        "        s->tries[n].spoiled = pin_is(t, b, a, d) ^ 1u;\n"
        "        if (s->tries[n].spoiled) continue;",
    ),
    Plant(
        "letters_are_looked_at", "card.c",
        "    uint64_t bad = (~(known",
        "    if (low >> 40 == 48) __asm__ volatile(\"\");\n    uint64_t bad = (~(known",
    ),
    Plant(
        "whole_is_compared_by_bytes", "whole.c",
        "ww_equal(typed, right, len) & fits", "(uint32_t)!memcmp(typed, right, len) & fits",
    ),
    Plant(
        "hex_is_an_index", "secret.h",
        "(uint8_t)('0' + nibble + (39u & (0u - ((nibble + 6) >> 4))));",
        "(uint8_t)\"0123456789abcdef\"[nibble];",
    ),
    Plant(
        "phones_pin_is_compared_by_bytes", "phones.c",
        "1u ^ ww_equal(own, pin, pin_len)", "memcmp(own, pin, pin_len) != 0",
    ),
    Plant(
        "id_is_compared_by_bytes", "challenge.c",
        "uint32_t ours = ww_equal(mac, bytes, 16);",
        "uint32_t ours = 1;\n"
        "    for (size_t i = 0; i < 16 && ours; i++)\n        ours = mac[i] == bytes[i];",
    ),
)  # fmt: skip


def sound_tree(folder: Path, compiler: str, level: str = "-O3") -> Tree:
    return Tree(folder / f"{compiler}{level}", compiler, (level, "-DWATCHWORD_CHECK_SECRETS"))


@cache
def release_tree(compiler: str) -> Tree:
    """The core at the release's level, made once in a process and gone with it."""
    folder = tempfile.mkdtemp(prefix="watchword-core-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return sound_tree(Path(folder), compiler)


def leaks(program: Path, *words: str) -> str:
    """What valgrind reports, or nothing. Raises when the program itself finds a verdict wrong."""
    done = ran(tool("valgrind"), "--quiet", "--error-exitcode=9", program, *words)
    assert done.returncode in (0, 9), done.stdout + done.stderr
    assert done.stdout.startswith("portable"), done.stdout
    return done.stderr if done.returncode else ""


def planted_leaks(tree: Tree, plant: Plant) -> str:
    """What is reported of a tree with a leak in it. The plainest row shows it as well as any."""
    return leaks(tree.planted(plant).program(HERE / "secrets.c", WRAP), "portable")


def matrix(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The long form, every compiler at every level: (name, reports of turns, reports of rows)."""
    for compiler in COMPILERS:
        for level in LEVELS:
            tree = sound_tree(folder, compiler, level)
            turns = leaks(tree.program(HERE / "secrets.c", WRAP))
            yield f"{compiler} {level}", turns, leaks(tree.program(LANES, core=["dispatch.c"]))
