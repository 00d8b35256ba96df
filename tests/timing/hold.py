"""A daemon over an engine that keeps nothing, with as many users as are asked for.

`python -m tests.timing.hold FOLDER USERS`: users k0000000000 and on, each with an 8-digit TOTP
device under a key of its own. The lockout window is a millisecond, so that nobody is ever locked.
The folder takes the administration socket. Says on standard error where it serves.
"""

import sys

import numpy as np

from watchword import Device, Engine, Policy
from watchword.serve.config import Config
from watchword.serve.daemon import Daemon, protect, raise_file_limit

ROWS = 1 << 20  # users added together


def main() -> int:
    folder, users = sys.argv[1], int(sys.argv[2])
    protect()
    policy = Policy(lockout_window_ms=1, failures_cap=None, source_failures=None)
    device = Device.totp(bytes(20), digits=8)
    with Engine.open(policy=policy) as engine:
        rng = np.random.default_rng(users)
        for start in range(0, users, ROWS):
            count = min(ROWS, users - start)
            names = np.char.mod("k%010d", np.arange(start, start + count)).astype("S11")
            keys = rng.integers(0, 256, (count, 20), dtype=np.uint8)
            engine.add_users(names, keys, device=device)
        config = Config(listen="127.0.0.1:0", store=folder, unlocked_memory=True)
        return 1 if Daemon(config, engine, raise_file_limit()).run(None) else 0


if __name__ == "__main__":
    sys.exit(main())
