"""Imports run one way: down. Python is read by ast, C by its #include lines, and a child process
shows what `import watchword` really brings in.

A layer may use those below it and, without a cycle, its neighbours. A third-party library is
named with the layers it belongs to, so that the second place that wants it is a decision.
"""

import ast
import json
import re
import subprocess
import sys
import types
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import watchword

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "watchword"
EXT = ROOT / "ext"

LAYERS = [
    ["errors"],
    ["_engine"],
    ["store", "keys", "policy", "gentle"],
    ["figures"],
    ["life", "lifecycle", "devices", "formats", "ranges"],
    ["tombs", "clock", "views", "delivery", "costs", "hashing", "push_texts", "audit",
     "core_policy"],
    ["explain", "whatif"],
    ["parts"],
    ["keeper", "acts", "logins", "confining"],
    ["bulk", "cards", "challenges", "passwords", "pushes", "questions", "enrolment", "history",
     "intake", "exports", "policies", "withdrawals", "stats", "events", "backups", "floors",
     "retention", "rotation", "activation", "issuing"],
    ["changes"],
    ["entry", "sharing"],
    ["engine"],
    ["restores"],
    ["__init__"],
    ["serve", "client", "phone"],
    ["cli"],
    ["__main__"],
]
# The slow twin: no layer, and nothing leans on it.
ORACLE = {
    "reference", "reference_card", "reference_life", "reference_ocra", "reference_posed",
    "reference_push",
    "reference_secrets",
    "reference_rows", "reference_floors", "reference_ids", "reference_entry", "reference_shares",
}  # fmt: skip
ORACLES_OWN = {
    ("reference", "reference_ocra"), ("reference", "reference_card"),
    ("reference", "reference_life"), ("reference_life", "reference"),
    ("reference_card", "reference_ocra"), ("reference", "reference_push"),
    ("reference", "reference_posed"), ("reference_posed", "reference_ocra"),
    ("reference", "reference_secrets"), ("reference_secrets", "reference"),
    ("reference_secrets", "reference_ocra"),
    ("reference_rows", "reference"), ("reference", "reference_floors"),
    ("reference_floors", "reference_card"), ("reference_floors", "reference"),
    ("reference_ids", "reference"),
    ("reference", "reference_entry"), ("reference_entry", "reference"),
    ("reference_shares", "reference_life"), ("reference_shares", "reference"),
    ("reference_shares", "reference_entry"),
}  # fmt: skip
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

LIBRARIES = {
    "apsw": {"store"},
    "cryptography": {"store", "keys", "devices", "hashing", "phone", "serve"},
    "numpy": {"logins", "bulk", "whatif"},
    "uvloop": {"serve"},
    "hiredis": {"client"},
    "click": {"cli"},
    "rich": {"cli"},
    "segno": {"cli"},
    "prometheus_client": {"serve"},
    "reportlab": {"formats"},
}

MODULES = sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.pyi")])


def dotted(path: Path) -> str:
    """src/watchword/store/journal.py -> store.journal; a package's __init__ is the package."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def part(name: str) -> str:
    """The name on the floor plan: the first noun of a dotted name."""
    return name.split(".")[0]


def for_types_alone(tree: ast.AST) -> set[ast.AST]:
    """What stands under `if TYPE_CHECKING:`, and so never runs."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return {
        inner
        for block in blocks
        if isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        for inner in ast.walk(statement)
    }


def imports(path: Path, *, types_too: bool = True) -> set[str]:
    """Absolute dotted names that a file imports."""
    tree = ast.parse(path.read_text())
    left_out = set() if types_too else for_types_alone(tree)
    here = dotted(path).split(".")
    package = here if path.stem == "__init__" and here != ["__init__"] else here[:-1]
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package[: len(package) - node.level + 1]
                base = ".".join(["watchword", *up, *([base] if base else [])])
            if base == "watchword" or base in PACKAGES:
                found |= {f"{base}.{alias.name}" for alias in node.names}
            else:
                found.add(base)
    return found


PACKAGES = {f"watchword.{dotted(path)}" for path in SOURCE.rglob("*/__init__.py")}
KNOWN = {dotted(path) for path in MODULES}


def ours(name: str) -> str | None:
    """The module of ours that an import reaches, or None for somebody else's."""
    if name == "watchword":
        return "__init__"
    if not name.startswith("watchword."):
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in KNOWN:
        parts.pop()
    return ".".join(parts) or "__init__"


def test_every_module_stands_on_the_floor_plan() -> None:
    assert {part(name) for name in KNOWN} <= set(RANK) | ORACLE


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_run_down(path: Path) -> None:
    me = part(dotted(path))
    for name in imports(path):
        target = ours(name)
        if target is None:
            library = name.split(".")[0]
            if library in LIBRARIES:
                assert me in LIBRARIES[library], f"{dotted(path)} imports {library}"
            else:
                assert library in sys.stdlib_module_names, f"{dotted(path)} imports {library}"
        else:
            if (me, target) in ORACLES_OWN:
                continue
            assert me not in ORACLE, f"{me} imports {target}: it is a witness of its own"
            assert part(target) not in ORACLE, f"{dotted(path)} leans on the oracle"
            assert RANK[part(target)] <= RANK[me], f"{dotted(path)} imports {target}, above it"


def test_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        targets = {ours(name) or "" for name in imports(path, types_too=False)}
        graph.setdefault(dotted(path), set()).update(targets - {"", dotted(path)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which shows the ring


def test_reference_imports_the_standard_library_alone() -> None:
    for part_of_it in sorted(ORACLE):
        for name in imports(SOURCE / f"{part_of_it}.py"):
            if ours(name) not in ORACLE:
                assert name.split(".")[0] in sys.stdlib_module_names, f"{part_of_it} imports {name}"


def test_import_brings_in_no_daemon_and_no_command_line() -> None:
    script = "import json, sys, watchword; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    for library in ("click", "rich", "segno", "uvloop"):
        assert library not in loaded, f"import watchword loads {library}"


def test_all_is_what_is_visible() -> None:
    visible = {
        name
        for name, value in vars(watchword).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert sorted(visible) == sorted(watchword.__all__)
    assert list(watchword.__all__) == sorted(watchword.__all__)


# Which of our headers a C file may include. A name ending in / is a folder.
BASE = {"watchword.h", "secret.h", "texts.h", "internal.h"}
C_ARROWS: dict[str, set[str]] = {
    "watchword.h": set(),
    "secret.h": set(),
    "texts.h": set(),
    "internal.h": {"watchword.h", "secret.h", "texts.h"},
    "cursor.h": set(),
    "match.h": BASE,
    "lanes/": BASE | {"lanes/"},
    "isa/": BASE | {"isa/", "lanes/"},
    # A noun of the core: none leans on another but through watchword.h; a turn and its windows
    # share their scratch.
    "*.c": BASE | {"match.h", "cursor.h"},
}
C_FILES = sorted(p for p in EXT.rglob("*") if p.suffix in (".c", ".h"))


def under_ext(path: Path) -> str:
    return str(path.relative_to(EXT))


def place(path: Path) -> str:
    """A C file's key in C_ARROWS: its name, the folder it stands in, or *.c for the core."""
    first, *rest = path.relative_to(EXT).parts
    return f"{first}/" if rest else "*.c" if path.suffix == ".c" else first


@pytest.mark.parametrize("path", C_FILES, ids=under_ext)
def test_c_includes_run_down(path: Path) -> None:
    assert place(path) in C_ARROWS, f"ext/{under_ext(path)} is not on the floor plan"
    for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.M):
        target = (path.parent / name).resolve()
        if not target.exists():
            target = EXT / name
        assert place(target) in C_ARROWS[place(path)], f"ext/{under_ext(path)} includes {name}"


@pytest.mark.parametrize("name", ["engine.pyx", "connection.pxi"])
def test_cython_crosses_by_one_declaration_file(name: str) -> None:
    """The .pxd alone declare the core; the door adds only what the system itself offers."""
    text = (EXT / name).read_text()
    headers = re.findall(r'^\s*cdef extern from "([^"]+)"', text, re.M)
    assert not [h for h in headers if h in ("watchword.h", "internal.h", "secret.h")]
