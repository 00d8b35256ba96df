"""Another data key for a store at work: every page under it; old rows keep theirs till they go."""

import time

from watchword import lifecycle
from watchword.acts import said_by
from watchword.errors import InvalidArgument
from watchword.parts import Parts

__all__ = ["Rotation"]


class Rotation(Parts):
    """rotate_key."""

    def rotate_key(self, *, by: str | None = None) -> list[int]:
        """Re-encrypts the store under a new data key while logins go on; the keys that went.

        Every page is sealed anew; rows written from now on are under the new key. Old journal
        segments keep theirs until they are dropped. Errors: StoreFailed.
        """
        if self._keeper is None:
            raise InvalidArgument("a store in memory has no key to rotate")
        who = f" by {said_by(by)}" if by is not None else ""
        with self._copying, self._keeper.resting(), self._lock:
            self._alive()
            turn = self._act(lifecycle.note(f"data key rotated{who}"))
            self._wait(turn)
            number = self._store.rotate()
            self._act(lifecycle.note(f"data key {number} in use"))
            self._core.dirty_all()
            self._tombs.all_changed()
            self._policy_dirty = True
        while True:
            self._keeper.write()
            with self._copying, self._keeper.resting(), self._lock:
                self._wait(self._turn)
                if self._store.stale_pages() == 0:
                    return self._store.retire()
            time.sleep(0.01)
