"""Cases that the page lets its reader browse: how they are packed, and what draws volumes."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.typing import NDArray

_NIIVUE = Path(__file__).parent / "niivue"


@dataclass(frozen=True)
class Browser:
    """What ``cases.html.j2`` shows and ``cases_script.html.j2`` unpacks.

    Attributes:
        kind: "volumes" or "pictures".
        rule: which cases they are, as a sentence or some.
        about: what the script reads, JSON.
        packed: of each case its arrays, `pack`.
    """

    kind: str
    rule: str
    about: dict[str, Any]
    packed: list[str]


def pack(arrays: Sequence[NDArray[np.uint8]]) -> str:
    """Arrays of bytes, one after the other, the first axis fastest."""
    content = b"".join(array.tobytes(order="F") for array in arrays)
    # Of the same bytes always, whatever the time.
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")


def colours(name: str, number: int) -> list[str]:
    """Colours of one of matplotlib's maps, from its lowest to its highest, as CSS has them."""
    return [to_hex(colormaps[name](value)) for value in np.linspace(0, 1, number)]


@cache
def niivue() -> tuple[str, str, str]:
    """NiiVue, what it is packed to, and the licence that goes with it."""
    content = (_NIIVUE / "niivue.umd.js.gz").read_bytes()
    script = gzip.decompress(content).decode()
    licence = (_NIIVUE / "LICENSE").read_text("utf-8")
    return script, base64.b64encode(content).decode("ascii"), licence
