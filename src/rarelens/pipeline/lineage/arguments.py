"""What a stage script may be given: DVC fills its arguments in, but anybody may run it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rarelens.errors import RarelensError

NAME = re.compile(r"[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)?")
KINDS = {
    "seed": (re.compile(r"\d{1,10}"), "a whole number"),
    "fraction": (
        re.compile(r"1|0\.\d*[1-9]\d*|[1-9](\.\d+)?e-0?[1-9]\d{0,2}"),
        "a share above 0, up to 1",
    ),
    "task": (re.compile("segmentation|classification"), "segmentation or classification"),
}


def check_arguments(script: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of a stage that stand for no cell; paths are made of them.

    Raises:
        RarelensError: a sentence for each.
    """
    wrong = [
        f"stages/{script}.py: {name} is {str(value)[:100]!r}; give {what}"
        for name, value in arguments.items()
        for pattern, what in [KINDS.get(name, (NAME, "a name of params.yaml"))]
        if name != "code" and not pattern.fullmatch(str(value))
    ]
    if wrong:
        raise RarelensError(*wrong)
