"""The two clocks of a simulated machine: the wall's, which may jump, and the one since boot."""

__all__ = ["BEGIN_MS", "SimClock"]

BEGIN_MS = 1_700_000_000_000


class SimClock:
    """Time moves when a story says so, and not otherwise."""

    def __init__(self) -> None:
        self._wall = BEGIN_MS
        self._boot = 1_000_000

    def wall_ms(self) -> int:
        return self._wall

    def boot_ms(self) -> int:
        return self._boot

    def wait(self, ms: int) -> None:
        """Both go on."""
        self._wall += ms
        self._boot += ms

    def jump(self, ms: int) -> None:
        """Somebody set the wall's, forward or back."""
        self._wall = max(0, self._wall + ms)
