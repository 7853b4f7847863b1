"""Modules of rarelens and their files."""

from __future__ import annotations

from pathlib import Path

import rarelens

PACKAGE = "rarelens"


def is_own(module: str) -> bool:
    """Whether a module of a closure is of rarelens."""
    return module.startswith(f"{PACKAGE}.")


def source_of(module: str, root: Path | None = None) -> Path:
    """The file of a module of rarelens."""
    base = (root or Path(rarelens.__file__).parent).joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
