"""A code card as a picture: SVG for the screen, and a PDF page to print and cut out.

One layout for both, in millimetres from the top left: a front with cells 1 to 112 and a back with
the rest, each the size of a credit card (ISO/IEC 7810 ID-1). The characters are those of the PDF's
own fonts, so that nothing has to be embedded. Rule: a picture holds what is on the card alone.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from reportlab.pdfgen.canvas import Canvas

from watchword.devices.card import CELLS, Card

__all__ = ["pdf", "svg"]

WIDTH_MM, HEIGHT_MM, CORNER_MM = 85.6, 53.98, 3.18
PAGE_MM = (210.0, 297.0)
PAGE_AT_MM = ((210.0 - WIDTH_MM) / 2, 30.0)
COLUMNS, FACES = 8, 2
ROWS = CELLS // COLUMNS // FACES
SIDE_MM, TOP_MM, BOTTOM_MM = 3.2, 6.6, 2.0
CELL_MM = (WIDTH_MM - 2 * SIDE_MM) / COLUMNS
ROW_MM = (HEIGHT_MM - TOP_MM - BOTTOM_MM) / ROWS
POINTS_PER_MM = 72 / 25.4
INDEX_PT, CODE_PT, TITLE_PT, NOTE_PT = 5.0, 7.6, 6.0, 9.0
GREY = 0.93
FONTS = {  # of a PDF, and the same in SVG
    "Helvetica": "font-family='Helvetica,Arial,sans-serif'",
    "Helvetica-Bold": "font-family='Helvetica,Arial,sans-serif' font-weight='bold'",
    "Courier-Bold": "font-family='Courier,Courier New,monospace' font-weight='bold'",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Text whose baseline begins, or with `right` ends, at a place."""

    x: float
    y: float
    text: str
    font: str
    size_pt: float
    right: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A grey band behind every other row."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """The outline of a face: where it is cut."""

    x: float
    y: float


Mark = Words | Band | Edge


def face(card: Card, number: int) -> Iterator[Mark]:
    """The front (0) or the back (1), one below the other, so that a sheet is folded between."""
    top, first = number * HEIGHT_MM, number * CELLS // FACES
    for row in range(1, ROWS, 2):
        y = top + TOP_MM + row * ROW_MM
        yield Band(SIDE_MM - 1, y, WIDTH_MM - 2 * SIDE_MM + 2, ROW_MM)
    yield Edge(0, top)
    title = top + TOP_MM - 2.0
    yield Words(SIDE_MM, title, card.serial, "Helvetica-Bold", TITLE_PT)
    span = f"{card.kind}   {first + 1} to {first + CELLS // FACES}"
    yield Words(WIDTH_MM - SIDE_MM, title, span, "Helvetica", TITLE_PT, right=True)
    for at in range(CELLS // FACES):
        row, column = divmod(at, COLUMNS)
        x, y = SIDE_MM + column * CELL_MM, top + TOP_MM + (row + 1) * ROW_MM - 0.85
        yield Words(x + 3.3, y, str(first + at + 1), "Helvetica", INDEX_PT, right=True)
        yield Words(x + 3.95, y, card.cells[first + at], "Courier-Bold", CODE_PT)


def marks(card: Card) -> Iterator[Mark]:
    for number in range(FACES):
        yield from face(card, number)


def svg(card: Card) -> str:
    """Both faces, in their true size where a program honours millimetres."""
    size = f"{WIDTH_MM}mm' height='{FACES * HEIGHT_MM}mm"
    drawn = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{size}' "
        f"viewBox='-0.2 -0.2 {WIDTH_MM + 0.4} {FACES * HEIGHT_MM + 0.4}'>",
        f"<title>{escape(card.kind)} {escape(card.serial)}</title>",
    ]
    for mark in marks(card):
        where = f"x='{mark.x:.2f}' y='{mark.y:.2f}'"
        if isinstance(mark, Edge):
            drawn.append(
                f"<rect {where} width='{WIDTH_MM}' height='{HEIGHT_MM}' rx='{CORNER_MM}' "
                "fill='none' stroke='black' stroke-width='0.15'/>"
            )
        elif isinstance(mark, Band):
            grey = round(255 * GREY)
            drawn.append(
                f"<rect {where} width='{mark.width:.2f}' height='{mark.height:.2f}' "
                f"fill='rgb({grey},{grey},{grey})'/>"
            )
        else:
            anchor = " text-anchor='end'" if mark.right else ""
            drawn.append(
                f"<text {where} {FONTS[mark.font]} font-size='{mark.size_pt / POINTS_PER_MM:.2f}'"
                f"{anchor}>{escape(mark.text)}</text>"
            )
    return "\n".join([*drawn, "</svg>", ""])


def pdf(card: Card) -> bytes:
    """An A4 page, to be printed at 100 %, cut along the outline and folded in the middle."""
    page = io.BytesIO()
    canvas = Canvas(page, pagesize=tuple(side * POINTS_PER_MM for side in PAGE_MM), invariant=1)
    canvas.setTitle(f"{card.kind} {card.serial}")
    canvas.setFont("Helvetica", NOTE_PT)
    note = "Print at 100 %, cut along the outline, fold between the halves. Keep it like a key."
    canvas.drawCentredString(PAGE_MM[0] / 2 * POINTS_PER_MM, points_up(PAGE_AT_MM[1] - 6), note)
    canvas.setLineWidth(0.4)
    for mark in marks(card):
        x, y = PAGE_AT_MM[0] + mark.x, PAGE_AT_MM[1] + mark.y
        if isinstance(mark, Edge):
            canvas.roundRect(
                x * POINTS_PER_MM, points_up(y + HEIGHT_MM), WIDTH_MM * POINTS_PER_MM,
                HEIGHT_MM * POINTS_PER_MM, CORNER_MM * POINTS_PER_MM,
            )  # fmt: skip
        elif isinstance(mark, Band):
            canvas.setFillGray(GREY)
            canvas.rect(
                x * POINTS_PER_MM, points_up(y + mark.height), mark.width * POINTS_PER_MM,
                mark.height * POINTS_PER_MM, stroke=0, fill=1,
            )  # fmt: skip
            canvas.setFillGray(0)
        else:
            canvas.setFont(mark.font, mark.size_pt)
            draw = canvas.drawRightString if mark.right else canvas.drawString
            draw(x * POINTS_PER_MM, points_up(y), mark.text)
    canvas.showPage()
    canvas.save()
    return page.getvalue()


def points_up(y_mm: float) -> float:
    """A PDF counts points from the bottom."""
    return (PAGE_MM[1] - y_mm) * POINTS_PER_MM
