"""Welch's t between classes of measurements, cropped at many percentiles, as dudect does it.

A slow measurement is one that something interrupted, and a few of those hide any leak: so the test
is made over all that is faster than each of many thresholds, and the largest |t| counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONTROL", "GOAL", "Weighed", "weighed"]

GOAL = 4.5  # |t| above it is a difference
CONTROL = 10.0  # a planted leak must come above it, or the tool sees nothing
CROPS = 100
FEWEST = 1_000  # measurements of a class, for a threshold to count

Column = NDArray[Any]


@dataclass(frozen=True)
class Weighed:
    """One class against another: the largest |t| with its sign, and what the medians are."""

    name: str
    against: str
    count: int
    t: float
    median_ns: float
    apart_ns: float

    def said(self) -> str:
        return (f"{self.name:>10} against {self.against}: |t| {abs(self.t):8.2f}, median "
                f"{self.median_ns:9.1f} ns, {self.apart_ns:+8.2f} ns, {self.count:,} measurements")


def weighed(ns: Column, classes: Column, names: Sequence[str]) -> list[Weighed]:
    """Every class against the first one."""
    at = [1 - 0.5 ** (10 * (crop + 1) / CROPS) for crop in range(CROPS)]
    thresholds = np.append(np.unique(np.quantile(ns[: 1 << 20], at)), np.inf)
    groups = [ns[classes == number] for number in range(len(names))]
    sums = [_cropped(group, thresholds) for group in groups]
    medians = [float(_middle(group)) for group in groups]
    found = []
    for number in range(1, len(names)):
        t = max(_welch(sums[number], sums[0]), key=abs, default=0.0)
        found.append(Weighed(names[number], names[0], len(groups[0]) + len(groups[number]), t,
                             medians[number], medians[number] - medians[0]))  # fmt: skip
    return found


def _middle(group: Column) -> float:
    """The median, within the step of the clock: values that are equal lie evenly in their step."""
    median = float(np.median(group))
    below, equal = int((group < median).sum()), int((group == median).sum())
    steps = np.unique(group[: 1 << 16])
    step = float(np.min(np.diff(steps))) if len(steps) > 1 else 0.0
    return median + step * ((len(group) / 2 - below) / max(equal, 1) - 0.5)


def _cropped(group: Column, thresholds: Column) -> Column:
    """Count, sum and sum of squares of what is below each threshold."""
    group = np.sort(group)
    base = group[len(group) // 2]
    apart = group - base  # or the squares would lose what is looked for
    ends = np.searchsorted(group, thresholds)
    one = np.concatenate(([0.0], np.cumsum(apart)))
    two = np.concatenate(([0.0], np.cumsum(apart * apart)))
    return np.stack([ends, one[ends] + base * ends, two[ends], one[ends]])


def _welch(mine: Column, other: Column) -> list[float]:
    found = []
    for (n, total, squares, offset), (m, total2, squares2, offset2) in zip(
        mine.T, other.T, strict=True
    ):
        if n < FEWEST or m < FEWEST:
            continue
        spread = (squares - offset * offset / n) / (n - 1) / n
        spread += (squares2 - offset2 * offset2 / m) / (m - 1) / m
        if spread > 0:
            found.append(float((total / n - total2 / m) / spread**0.5))
    return found
