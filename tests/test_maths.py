"""The formulas of docstrings as the site shows them: MathML of each, whole after Markdown."""

from __future__ import annotations

import runpy
import tomllib
from collections.abc import Iterator
from xml.etree import ElementTree

import griffe
import pytest
from markdown import markdown

from working_copy import ROOT

MATHML = "{http://www.w3.org/1998/Math/MathML}"
EXTENSION = "docs/reference/maths.py"


@pytest.fixture(scope="module")
def rewritten():
    return runpy.run_path(str(ROOT / EXTENSION))["rewritten"]


@pytest.fixture(scope="module")
def docstrings() -> list[str]:
    """Of everything in src, as the site's extensions leave them."""
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    named = site["plugins"]["mkdocstrings"]["handlers"]["python"]["options"]["extensions"]
    extensions = griffe.load_extensions(*(str(ROOT / path) for path in named))
    package = griffe.load("rarelens", search_paths=[ROOT / "src"], extensions=extensions)
    assert isinstance(package, griffe.Module)

    def found(owner: griffe.Object) -> Iterator[str]:
        if owner.docstring:
            yield owner.docstring.value
        for member in owner.members.values():
            if isinstance(member, griffe.Object):
                yield from found(member)

    return list(found(package))


def test_every_formula_of_the_code_is_mathml(docstrings: list[str]) -> None:
    written = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    number = written.count(":math:`") + written.count(".. math::")
    formulas = [
        found
        for text in docstrings
        if "<math" in text
        for found in ElementTree.fromstring(f"<page>{markdown(text)}</page>").iter(f"{MATHML}math")
    ]
    assert len(formulas) == number > 60
    assert not any(":math:" in text or ".. math::" in text for text in docstrings)
    for formula in formulas:
        text = "".join(formula.itertext())
        assert not set(text) & set("\\_`$&{}"), text  # LaTeX that was not understood.
        assert {part.tag.removeprefix(MATHML) for part in formula.iter()} <= {
            *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle"),
            *("msub", "msup", "msubsup", "munder", "mover", "mfrac", "msqrt"),
        }  # Markdown has put none of its own in.


def test_a_formula_within_a_line(rewritten) -> None:
    start = '<span class="math"><math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">'
    assert rewritten("Of :math:`y_c\n    \\log p`, say.") == (
        f"Of {start}<mrow><msub><mi>y</mi><mi>c</mi></msub>"
        '<mo lspace="0.167em" rspace="0.167em">log</mo><mi>p</mi></mrow></math>,</span> say.'
    )
    assert "<mo>&#x0223C;</mo>" in rewritten(r":math:`\lambda \sim Beta`")
    assert "<mo>&#x0003C;</mo>" in rewritten(":math:`a < b`")
    paragraph = markdown(rewritten(":math:`n_c`, of which :math:`n_k` count.\n\nNext."))
    assert paragraph.count("<p>") == 2


def test_a_formula_on_lines_of_its_own(rewritten) -> None:
    text = "Before.\n\n.. math::\n    \\frac12 +\n    x\n\nAfter."
    before, block, after = rewritten(text).split("\n\n")
    assert (before, after) == ("Before.", "After.")
    assert block == (
        '<div class="math"><math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
        "<mrow><mfrac><mn>1</mn><mn>2</mn></mfrac>"
        "<mo>&#x0002B;</mo><mi>x</mi></mrow></math></div>"
    )
    assert rewritten(".. math:: x\n    + y") == rewritten(".. math::\n\n    x + y")
