"""What the daemon's process may do, and gives up: dumps, new privileges, and being root.

The rule: what only root can do is done first (sockets are bound, limits raised) and what is given
up never comes back. Whoever can be reached from a network is not root, unless the settings say so.
"""

import contextlib
import ctypes
import os
import pwd
import resource
from typing import Final

from watchword.errors import Error, InvalidArgument

__all__ = ["become", "expect_no_root", "protect"]

PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38


def protect() -> None:
    """No core dump, no other process of this user may read our memory, and no program that we ran
    could be more than we are."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become(user: str) -> None:
    """From here on the process is this user's, and its groups'. Errors: InvalidArgument for a user
    that there is not, Error when we are neither root nor already that user."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise InvalidArgument(f"user names {user!r}, and this machine has no such user") from None
    if os.geteuid() == entry.pw_uid:
        return
    if os.geteuid() != 0:
        raise Error(f"only root can become {user}", hint="start it as that user, or as root")
    with contextlib.suppress(ValueError, OSError):  # a container may hold less than root would have
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
    os.initgroups(user, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir
    if os.getresuid() != (entry.pw_uid,) * 3 or os.getresgid() != (entry.pw_gid,) * 3:
        raise Error(f"could not become {user}")
    protect()  # a change of user makes a process dumpable again


def expect_no_root(reachable: bool, stay_root: bool) -> bool:
    """Whether to warn that this is root. reachable: from other machines. Errors: Error."""
    if os.geteuid() != 0 or stay_root:
        return False
    if reachable:
        raise Error(
            "root does not serve a network",
            hint='user = "watchword" in the settings has the daemon become that user once it '
            "listens; stay_root = true has it stay root all the same",
        )
    return True
