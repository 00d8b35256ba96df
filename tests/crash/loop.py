"""A real ext4 that is shut down without flushing: the second opinion on what a crash leaves.

The file system lies in an image on a loop device. A load runs on it until, at a random moment,
EXT4_IOC_SHUTDOWN throws away all that is not on the device; then it is mounted anew, which replays
its journal, and the store is opened and held to what was answered. Only the image made here is ever
attached, and it is unmounted and detached however the run ends.
"""

import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from watchword import Error

from .witness import LostError, Witness, answered, standing
from .workload import Work, abandon, reopen

__all__ = ["Loop", "why_not"]

SHUTDOWN: Final = 0x8004587D  # _IOR('X', 125, __u32)
WITHOUT_FLUSH: Final = struct.pack("=I", 2)
IMAGE_BYTES: Final = 512 << 20  # more than the keeper's reserve; the image is sparse
LOAD_SECONDS_MAX: Final = 0.25
CUTS_PER_STORE: Final = 25
SECONDS_MAX: Final = 30.0


def why_not(folder: Path) -> str:
    """Why no loop device can be used here; nothing when it can."""
    missing = [name for name in ("mkfs.ext4", "losetup", "mount", "umount")
               if not shutil.which(name, path=_PATH)]
    if missing:
        return f"{', '.join(missing)} not found"
    if os.geteuid() != 0:
        return "only root may attach a loop device"
    try:
        with _mounted(folder):
            return ""
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return " ".join(said.split())


class Loop:
    """One run: stores on a file system that is cut off again and again."""

    def __init__(self, folder: Path, seed: str, plant: Callable[[], Any] | None = None) -> None:
        self._folder = folder
        self._rng = random.Random(seed)
        self._seed = seed
        self._plant = plant or contextlib.nullcontext
        self.cuts = self.turns = 0
        self.failures: list[str] = []

    def run(self, cuts: int, told: Callable[["Loop"], object] = lambda loop: None,
            *, failures_max: int = 1) -> None:
        with _mounted(self._folder) as place:
            while self.cuts < cuts and len(self.failures) < failures_max:
                self._one_store(place, cuts, told)

    def _one_store(self, place: "Mount", cuts: int, told: Callable[["Loop"], object]) -> None:
        """A store that lives through some cuts, until it has not kept a promise."""
        witness = Witness()
        store = place.path / f"store{self.cuts}"
        work = Work(random.Random(self._rng.random()), str(store), witness)
        for _ in range(CUTS_PER_STORE):
            if self.cuts >= cuts:
                break
            self.cuts += 1
            count = self._load(work, place)
            place.again()
            try:
                self._expect(work, witness, count)
            except (Error, LostError) as error:
                self.failures.append(f"seed {self._seed}, cut {self.cuts}: {error}")
                break
            told(self)
        shutil.rmtree(store, ignore_errors=True)

    def _load(self, work: Work, place: "Mount") -> int:
        """A life that ends when the file system does; how many answers came before that.

        Answers that come while the file system is going do not count: an fsync that meets the end
        of the very transaction it waits for may return 0, where no machine would be left to tell.
        """
        failed: list[BaseException] = []
        cut = threading.Event()

        def live() -> None:
            try:
                while True:
                    work.live(10)
            except BaseException as error:
                if not (cut.is_set() and isinstance(error, (Error, OSError))):
                    failed.append(error)  # a disk that is not gone yet is no excuse

        with self._plant():
            thread = threading.Thread(target=live)
            thread.start()
            time.sleep(self._rng.uniform(0.002, LOAD_SECONDS_MAX))
            count = len(work.witness.promises)
            cut.set()
            place.cut()
            thread.join(SECONDS_MAX)
        assert not thread.is_alive(), "the load goes on without a disk"
        if work.engine is not None:
            with contextlib.suppress(Error, OSError):
                abandon(work.engine)
            work.engine = None
        if failed:
            raise failed[0]
        return count

    def _expect(self, work: Work, witness: Witness, count: int) -> None:
        """The store opens and keeps the first `count` promises."""
        engine = reopen(work.path)
        try:
            del witness.promises[count:]
            if witness.states:
                witness.judge(engine._turn, standing(engine), *answered(witness.promises))
            self.turns += engine._turn
        finally:
            abandon(engine)


class Mount:
    """The image's file system at a place of its own."""

    def __init__(self, device: str, path: Path) -> None:
        self.path = path
        self._device = device
        _run("mount", "-t", "ext4", "-o", "noatime", device, str(path))

    def cut(self) -> None:
        """From now on nothing reaches the device, and what did not is gone."""
        file = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(file, SHUTDOWN, WITHOUT_FLUSH)
        finally:
            os.close(file)

    def again(self) -> None:
        self.leave()
        _run("mount", "-t", "ext4", "-o", "noatime", self._device, str(self.path))

    def leave(self) -> None:
        """Unmounts; somebody who looks at every mount may keep it busy for a moment."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                _run("umount", str(self.path))
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/sbin", "/usr/sbin"])


def _run(*command: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "PATH": _PATH}
    ).stdout.strip()


@contextlib.contextmanager
def _mounted(folder: Path) -> Iterator[Mount]:
    """An image below `folder`, made, attached and mounted; all undone at the end."""
    image, path = folder / "ext4.image", folder / "mounted"
    with contextlib.ExitStack() as undo:
        path.mkdir()
        undo.callback(path.rmdir)
        with image.open("wb") as file:
            undo.callback(image.unlink)
            file.truncate(IMAGE_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(image))
        device = _run("losetup", "--find", "--show", str(image))
        undo.callback(_run, "losetup", "--detach", device)
        mount = Mount(device, path)
        undo.callback(mount.leave)
        yield mount
