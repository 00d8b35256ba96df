"""The core as a plain C program: compiled from ext/ as it stands, or with one fault planted in it.

A plant is a text of ext/ and what stands there instead. One whose text is gone is an error, so that
no planted fault ever stops being planted unseen.
"""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.kept import compiled, ran, tool

__all__ = ["CORE", "EXT", "HERE", "Plant", "Tree", "ran", "tool"]

HERE = Path(__file__).parent
EXT = HERE.parents[1] / "ext"
CORE = sorted(path.name for path in EXT.glob("*.c"))


@dataclass(frozen=True)
class Plant:
    """A fault: in `file` of ext/, `old` is replaced by `new`, once."""

    name: str
    file: str
    old: str
    new: str


class Tree:
    """Objects of the core in `folder`, made by one compiler with one set of flags.

    The kernel's rows take longest to compile, so a planted tree takes over every object that the
    fault does not reach.
    """

    def __init__(
        self, folder: Path, compiler: str = "gcc", flags: Sequence[str] = ("-O3",)
    ) -> None:
        self.folder = folder
        self.ext = EXT
        self._compiler = tool(compiler)
        # Debug sections in the fourth format, because valgrind 3.19 cannot read clang's fifth.
        self._flags = ["-std=gnu11", "-gdwarf-4", "-fno-strict-aliasing", "-Wall", "-Wextra"]
        self._flags += ["-Werror=implicit-function-declaration"]  # a piece that is gone is no piece
        self._flags += flags
        folder.mkdir(parents=True, exist_ok=True)

    def compiled(self, source: Path, *flags: str, name: str = "") -> Path:
        """The object of one source file, by its own name or another."""
        out = self.folder / f"{name or source.stem}.o"
        if not out.exists():
            flags = (*self._flags, *flags)
            shutil.copy(compiled(self._compiler, flags, source, [self.ext, HERE]), out)
        return out

    def rows(self) -> list[Path]:
        """The kernel's rows. Two are compiled at a time, and without what a debugger wants: they
        are most of the work."""
        with ThreadPoolExecutor(2) as pool:
            rows = sorted(self.ext.glob("isa/*.c"))
            return list(pool.map(lambda row: self.compiled(row, "-g0"), rows))

    def program(self, source: Path, *flags: str, core: Sequence[str] = tuple(CORE),
                given: Sequence[str] = ()) -> Path:
        """A program of one file, compiled with what is given, and the core."""
        name = source.stem + "".join(given)
        objects = [*self.rows(), *(self.compiled(self.ext / name) for name in core)]
        objects.append(self.compiled(source, *given, name=name))
        out = self.folder / name
        done = ran(self._compiler, *self._flags, *objects, "-o", out, *flags)
        assert done.returncode == 0, done.stderr
        return out

    def planted(self, plant: Plant) -> "Tree":
        """The same tree with one fault in it."""
        tree = Tree.__new__(Tree)
        tree.folder, tree.ext = self.folder / plant.name, self.folder / plant.name / "ext"
        tree._compiler, tree._flags = self._compiler, self._flags
        shutil.rmtree(tree.folder, ignore_errors=True)
        shutil.copytree(EXT, tree.ext)
        path = tree.ext / plant.file
        text = path.read_text()
        assert plant.old in text, f"{plant.name}: ext/{plant.file} no longer says {plant.old!r}"
        path.write_text(text.replace(plant.old, plant.new, 1))
        stale = {Path(plant.file).stem, f"apart_{plant.file}"}
        stale |= {path.stem for path in HERE.glob("*.c")}
        if plant.file.startswith("lanes"):
            stale |= {path.stem for path in EXT.glob("isa/*.c")}
        elif plant.file.endswith(".h"):
            stale |= {Path(name).stem for name in CORE} | {f"apart_{name}" for name in CORE}
        for made in self.folder.glob("*.o"):
            if made.name.removesuffix(".o") not in stale:
                shutil.copy(made, tree.folder)
        return tree
