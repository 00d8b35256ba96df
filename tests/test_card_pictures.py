"""The pictures of a code card: every cell stands on them once, at its place and in its size.

A PDF is read back by another's program (poppler), an SVG by the standard library's XML parser.
"""

import itertools
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from standing import KEY
from test_tidy import tool

from watchword import Card
from watchword.devices.card import CELLS, cells
from watchword.formats.card import HEIGHT_MM, WIDTH_MM, pdf, svg

CARD = Card("C<1>&", "code-card", cells(KEY))
NUMBERED = [(str(index), cell) for index, cell in enumerate(CARD.cells, 1)]


def test_the_page_reads_as_the_card(tmp_path: Path) -> None:
    (tmp_path / "card.pdf").write_bytes(pdf(CARD))
    words = [tool("pdftotext", "poppler-utils"), "-layout", str(tmp_path / "card.pdf"), "-"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert text.count("\f") == 1, "one page"
    assert re.findall(r"\b(\d{1,3}) +([2-9A-HJ-NP-Z]{3})\b", text) == NUMBERED
    assert text.count("C<1>&") == 2


def test_the_page_is_a4_and_every_character_lies_on_its_face(tmp_path: Path) -> None:
    (tmp_path / "card.pdf").write_bytes(pdf(CARD))
    words = [tool("pdftotext", "poppler-utils"), "-bbox", str(tmp_path / "card.pdf"), "-"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    page = re.search(r'<page width="([\d.]+)" height="([\d.]+)"', found)
    assert page is not None
    assert [round(float(side) / 72 * 25.4) for side in page.groups()] == [210, 297]
    boxes = [
        [float(side) / 72 * 25.4 for side in box]
        for *box, text in re.findall(
            r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(\w+)<', found
        )
        if text in CARD.cells
    ]
    assert len(boxes) == CELLS
    for left, top, right, bottom in boxes:
        assert (210 - WIDTH_MM) / 2 + 2 < left < right < (210 + WIDTH_MM) / 2 - 2
        assert 30 < top < bottom < 30 + 2 * HEIGHT_MM
        assert right - left > 4.5, "three characters in 4.5 mm: legible"
    for one, two in itertools.pairwise(boxes):
        assert two[0] > one[2] or two[1] > one[1], "none lies on another"


def test_the_svg_holds_the_same_in_millimetres() -> None:
    root = ElementTree.fromstring(svg(CARD))
    name = "{http://www.w3.org/2000/svg}"
    assert (root.get("width"), root.get("height")) == (f"{WIDTH_MM}mm", f"{2 * HEIGHT_MM}mm")
    texts = [text.text for text in root.iter(f"{name}text")]
    told = [text for text in texts if text and not text.startswith(("C<1>&", "code-card"))]
    assert list(zip(told[::2], told[1::2], strict=True)) == NUMBERED
    assert len(texts) == len(told) + 4


@pytest.mark.parametrize("draw", [svg, pdf])
def test_the_same_card_is_the_same_picture(draw: object) -> None:
    assert callable(draw)
    assert draw(CARD) == draw(Card(*(getattr(CARD, name) for name in ("serial", "kind", "cells"))))
