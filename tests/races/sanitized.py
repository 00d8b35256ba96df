"""The core under ThreadSanitizer: `threads.c` over a build of its own, and races planted in it."""

import shutil
from pathlib import Path

from tests.timing.built import Tree, ran

__all__ = ["PLANTED", "reported"]

SOURCE = Path(__file__).with_name("threads.c")
FLAGS = ("-O1", "-fsanitize=thread", "-pthread")
PLANTED = (("-DPLANT_PAGE",), ("-DPLANT_PARTS",))


def reported(folder: Path, rounds: int, planted: tuple[str, ...] = (),
             rows: Tree | None = None) -> str:
    """What the sanitizer says of so many rounds; nothing when it has nothing to say.

    rows: a tree whose kernel rows will do, which only read midstates and write to their caller's
    stack; without it they are compiled for the sanitizer like the rest.
    """
    tree = Tree(folder, "gcc", FLAGS)
    for made in rows.rows() if rows else ():
        shutil.copy(made, folder)
    program = tree.program(SOURCE, *FLAGS, given=planted)
    done = ran(program, str(rounds))
    assert done.returncode in (0, 66), done.stdout + done.stderr
    assert (done.returncode == 66) == ("ThreadSanitizer" in done.stderr), done.stderr
    return done.stderr
