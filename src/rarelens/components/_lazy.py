"""Exports of the packages of components: a file is imported when it is first asked for."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any


def exports(package: str, files: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """A package's ``__getattr__``, so that one component is imported without the others.

    A component is in the file of its name in snake case, without "Loss": ``FocalMarginLoss`` in
    ``focal_margin.py``, ``DeepMedic`` in ``deepmedic.py``. So a new file needs no entry. The name
    of a file is that module.

    Args:
        package: its ``__name__``.
        files: the files of names that are otherwise.
    """

    @cache
    def find(name: str) -> Any:
        wanted = (files or {}).get(name) or name.removesuffix("Loss").lower()
        for file in pkgutil.iter_modules(import_module(package).__path__):
            if wanted in (file.name, file.name.replace("_", "")):
                module = import_module(f"{package}.{file.name}")
                if name == file.name:
                    return module
                if name in getattr(module, "__all__", ()):
                    return getattr(module, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
