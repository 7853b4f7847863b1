"""How much one file may claim to hold, lest a small one fill the memory (a bomb).

No result depends on these bounds, so that they stand in the environment and not in
``params.yaml``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable

from rarelens.errors import RarelensError

VOLUME, PICTURE = "RARELENS_LARGEST_VOLUME", "RARELENS_LARGEST_PICTURE"
_DEFAULTS = {VOLUME: 4.0, PICTURE: 100.0}
_UNITS = {VOLUME: (2**30, "GiB of values"), PICTURE: (10**6, "megapixels")}


def refuse_larger(amount: float, name: str, what: str) -> None:
    """Refuse what would be larger than a bound.

    Args:
        amount: bytes of a volume's values in memory, or pixels of a picture.
        name: of the bound: `VOLUME` (GiB) or `PICTURE` (megapixels).
        what: the file and what of it, the beginning of a sentence.

    Raises:
        RarelensError: if it is larger, or the environment sets the bound to no number.
    """
    unit, words = _UNITS[name]
    most = positive(name) or _DEFAULTS[name]
    if not amount <= most * unit:
        raise RarelensError(
            f"{what} claims {amount / unit:.3g} {words}; no more than {most:g} are read. If it is "
            f"right, set {name}={math.ceil(amount / unit) if amount < 1e300 else 'more'}"
        )


def how_many(sizes: Iterable[int]) -> int:
    """Of sizes of any kind, in whole numbers without end."""
    return math.prod(int(size) for size in sizes)


def positive(name: str) -> float | None:
    """The number above 0 that a variable of the environment is set to; None where it is not set.

    Raises:
        RarelensError: if it is set to anything else.
    """
    text = os.environ.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise RarelensError(f"{name}={text}: no number above 0; correct or unset it")
    return number
