"""Formulas of docstrings as MathML, which a page shows without a script.

An extension of griffe, named in ``zensical.toml``; docstrings themselves keep their LaTeX, as
``:math:`…``` and ``.. math::``, which ``help()`` shows.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object
from latex2mathml.converter import convert

INLINE = re.compile(r":math:`([^`]+)`([,.;:)]*)")
BLOCK = re.compile(r"^( *)\.\. math::(.*(?:\n+\1 +\S.*)*)", re.MULTILINE)
NAME = re.compile(r"<(m[io])>([a-z]{2,})</\1>")  # \log, \max.


class Maths(Extension):
    """Rewrites every docstring that is loaded."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """One object, once its package is loaded."""
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """A docstring, its formulas in MathML.

    Within an element of HTML: Markdown takes a line that starts with ``<math`` for a block. The
    mark after a formula stands in it too, lest it start a line.
    """
    text = BLOCK.sub(lambda own: f'{own[1]}<div class="math">{mathml(own[2], "block")}</div>', text)
    return INLINE.sub(
        lambda own: f'<span class="math">{mathml(own[1], "inline")}{own[2]}</span>', text
    )


def mathml(formula: str, display: str) -> str:
    r"""A formula of LaTeX in MathML, with what the library leaves out: ``\sim``, space by names."""
    text = convert(" ".join(formula.split()), display=display)
    text = text.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")
    return NAME.sub(r'<mo lspace="0.167em" rspace="0.167em">\2</mo>', text)
