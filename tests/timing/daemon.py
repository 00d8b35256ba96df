"""Over a socket: do names that do not exist answer sooner or later than names that do?

Not whether a difference can be found (any can, with enough answers), but how large it is: the
medians are to be within a microsecond of each other. A daemon whose store is memory, and one client
that asks, waits and asks again (`loader.c`). Among many users a name's record is a cold line of
memory, so the decoy of a name that does not exist has to be one too.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.timing.built import HERE, ran, tool
from tests.timing.welch import Weighed, weighed

__all__ = ["APART_NS_MAX", "answered"]

APART_NS_MAX = 1_000.0
SERVING = "watchword: serving "


def answered(folder: Path, users: int, answers: int, seed: int) -> Weighed:
    """Names unknown against names known, each asked for in half of the answers."""
    loader = folder / "loader"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
    done = ran(tool("gcc"), *flags, HERE / "loader.c", "-o", loader)
    assert done.returncode == 0, done.stderr
    store = folder / "held"
    store.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.timing.hold", str(store), str(users)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as daemon:
        try:
            assert daemon.stderr is not None
            said = ""
            for line in daemon.stderr:
                said += line
                if line.startswith(SERVING):
                    break
            else:
                raise AssertionError(f"the daemon did not start:\n{said}")
            port = line.rstrip().rpartition(":")[2]
            command = [str(loader), port, str(answers), str(users), str(seed)]
            out = subprocess.run(command, capture_output=True, check=False)
            assert out.returncode == 0, out.stderr.decode()
        finally:
            daemon.kill()
    rows = np.frombuffer(out.stdout, np.uint32).reshape(-1, 2)
    return weighed(rows[:, 0].astype(np.float64), rows[:, 1], ("known", "unknown"))[0]
