"""Backups, and stores made of them, among the files that a crash left: each is whole or not there,
and no store made of one accepts what was used before.
"""

import os

from watchword import Engine, Error
from watchword.keys import RawKey
from watchword.store import prove_files

from .witness import DEVICE_MOVING, DEVICE_NUMBER, Witness, answered

__all__ = ["AGAIN", "BACKUP", "copies_kept"]

BACKUP, AGAIN = "backup", "again"
KEY = bytes(range(1, 33))
HOTP, DEVICE_KIND, DEVICE_RESYNC = 2, 2, 24


def copies_kept(root: str, witness: Witness, promises: int) -> str:
    """What is wrong with the copies below a directory after so many promises; or nothing."""
    for name, promise in witness.copies.items():
        path = os.path.join(root, name)
        if not os.path.isdir(path):
            if promises > promise:
                return f"{name} was promised, and is not there"
            continue
        try:
            faults = prove_files(path, RawKey(KEY)).faults
        except Error as error:
            return f"{name} is there and cannot be looked at: {error}"
        if faults:
            return f"{name} is there and not whole: {faults[0]}"
        if name == AGAIN:
            said = accepts_again(path, answered(witness.promises[:promise])[1], witness.keys)
            if said:
                return said
    return ""


def accepts_again(path: str, used: dict[bytes, int], keys: dict[int, bytes]) -> str:
    """What a restored store would accept that was used before it was; or nothing."""
    try:
        engine = Engine.open(path, KEY, clock=lambda: 0)
    except Error as error:
        return f"the restored store does not open: {error}"
    try:
        for slot in range(engine._core.slots_used()):
            user = engine._core.user(slot)
            for device in user[-1] if user else ():
                floor = used.get(keys.get(device[DEVICE_NUMBER], b""), 0)
                held = device[DEVICE_RESYNC] if device[DEVICE_KIND] == HOTP else (
                    device[DEVICE_MOVING] >= floor
                )  # fmt: skip
                if floor and not held:
                    number = device[DEVICE_NUMBER]
                    return f"restored, device {number} would accept {floor - 1} again"
    finally:
        engine.close()
    return ""
