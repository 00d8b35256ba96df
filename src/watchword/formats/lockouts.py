"""A picture of lockouts over time, then and under another policy: as SVG, and as lines of blocks.

Rule: two series over one axis, the same bins for both, drawn from counts alone.
"""

from collections.abc import Sequence
from typing import Final

__all__ = ["binned", "blocks", "svg"]

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 900, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 52, 56
THEN, NOW = "#8a94a6", "#c2410c"


def binned(times_ms: Sequence[int], from_ms: int, to_ms: int, bins: int) -> list[int]:
    """How many of these times fall into each of so many equal parts."""
    counts = [0] * bins
    span = max(1, to_ms - from_ms + 1)
    for at in times_ms:
        counts[min(bins - 1, max(0, (int(at) - from_ms) * bins // span))] += 1
    return counts


def blocks(counts: Sequence[int], most: int) -> str:
    """A line of blocks as high as the counts; whatever is not nothing is seen."""
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[min(top, -(-count * top // max(1, most)))] for count in counts)


def svg(
    then: Sequence[int], now: Sequence[int], labels: tuple[str, str], title: str
) -> str:
    """The picture as text: bars side by side. labels: of the axis' two ends."""
    bins = len(then)
    most = max([1, *then, *now])
    step = (WIDTH - LEFT - RIGHT) / bins
    high = HEIGHT - TOP - BOTTOM
    base = HEIGHT - BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="15" fill="#111">{escaped(title)}</text>',
        *_legend(sum(then), sum(now)),
    ]
    for count in _ticks(most):
        y = base - high * count / most
        lines.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="#ddd"/><text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" '
            f'fill="#444">{count:,}</text>'
        )
    for at in range(bins):
        for which, (counts, colour) in enumerate(((then, THEN), (now, NOW))):
            if counts[at]:
                tall = high * counts[at] / most
                x = LEFT + at * step + which * step * 0.45 + step * 0.05
                lines.append(
                    f'<rect x="{x:.2f}" y="{base - tall:.2f}" width="{step * 0.45:.2f}" '
                    f'height="{tall:.2f}" fill="{colour}"/>'
                )
    lines += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="#444"/>',
        f'<text x="{LEFT}" y="{base + 20}" fill="#444">{escaped(labels[0])}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{base + 20}" text-anchor="end" fill="#444">'
        f"{escaped(labels[1])}</text>",
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{base + 40}" text-anchor="middle" '
        f'fill="#444">locks that began, in {bins} equal parts of the time</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend(then: int, now: int) -> list[str]:
    lines = []
    for at, (colour, words) in enumerate((
        (THEN, f"as it was: {then:,}"), (NOW, f"under the other policy: {now:,}")
    )):  # fmt: skip
        x = LEFT + at * 180
        lines.append(f'<rect x="{x}" y="30" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{x + 18}" y="40" fill="#111">{words}</text>')
    return lines


def _ticks(most: int) -> list[int]:
    """At most six round counts from 0 to the highest bar."""
    size = 1
    while most > 5 * size:
        size = size * 5 // 2 if str(size)[0] == "2" else size * 2
    return list(range(0, most + 1, size))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
