"""One interface, two ways in: the engine itself, or the daemon that owns the store.

A verb never knows which one it has. Whoever owns the store does the work: we open it when nobody
does, and ask through STORE/admin.sock when a daemon does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from watchword import Code, Device, Engine, User, Verdict
from watchword.cli.options import store_path
from watchword.cli.replies import Answer, Socket
from watchword.errors import NotFound, StoreOwned

__all__ = ["ADMIN_SOCKET", "Answer", "Door", "enter"]
