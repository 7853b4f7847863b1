"""Layouts: how a dataset lies on disk. One module each, found by the name of its file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rarelens.errors import RarelensError, refuse
from rarelens.studies.data.raw import data_folder
from rarelens.studies.settings.base import modules_of

if TYPE_CHECKING:
    from rarelens.studies.data.classification.collection import ImageCollection
    from rarelens.studies.data.segmentation.collection import Collection

TASKS = ("segmentation", "classification")
LONGEST_NAME = 200
"""Bytes of a case's id, or a class: files are named so, and systems take 255."""


class Layout(Protocol):
    """What a layout is: a module ``rarelens.studies.data.<task>.layouts.<layout>`` with `read`.

    To add one, add that file: ``datasets.<name>.layout`` in ``params.yaml`` names it, and nothing
    else does. A name is of one task alone, for it tells whether a dataset holds volumes with label
    maps (segmentation) or images with findings (classification).

    `rarelens.studies.data.files` has what layouts share: CSV and JSON files, lists, files by
    pattern, and `refuse` for what is wrong.
    """

    def read(self, folder: Path, name: str) -> Collection | ImageCollection:
        """Read what a folder's description and list of files say; open no volume, no picture.

        Args:
            folder: where the files are; it, or what is in it, may be a symbolic link.
            name: of the dataset.

        Returns:
            Of a segmentation layout a `Collection`, of a classification layout an
            `ImageCollection`: cases sorted by an id that is unique, paths that are there. Labels
            of uncertain sign are NaN. Of each image, the patient where the files say it, and what
            official list it is in.

        Raises:
            RarelensError: one sentence for each problem, with file, case and cure: a description
                that is missing or wrong, a case listed twice, a listed file that is not there.
        """


def layouts_of(task: str) -> list[str]:
    """The layouts of a task, sorted."""
    return modules_of(f"{__package__}.{task}.layouts")


def task_of(layout: object) -> str | None:
    """The task whose datasets lie so; None for what is no layout."""
    return next((task for task in TASKS if layout in layouts_of(task)), None)


def layout_module(layout: str) -> str:
    """The name of a layout's module.

    Raises:
        RarelensError: if there is no such layout.
    """
    task = task_of(layout)
    if task is None:
        known = ", ".join(name for each in TASKS for name in layouts_of(each))
        raise RarelensError(f"layouts: there is no {layout!r}; choose one of {known}")
    return f"{__package__}.{task}.layouts.{layout}"


def read_collection(layout: str, raw: Path, name: str) -> Any:
    """Read the dataset ``name`` at ``raw`` (may be a symbolic link), laid out as ``layout``.

    Simulated data are in a folder of their own there (`data_folder`).

    Returns:
        As `Layout.read`, by the layout's task.

    Raises:
        RarelensError: for each problem in the dataset's description and list of files.
    """
    module: Layout = import_module(layout_module(layout))
    collection = module.read(data_folder(raw), name)
    refuse(_name_problems(collection))
    return collection


def _name_problems(collection: Any) -> Iterator[str]:
    """Ids and classes that no table, page or file name takes: they would fail hours later."""
    cases = getattr(collection, "cases", ())
    ids = [case.case for case in cases] or [entry.image for entry in collection.images]
    for what, names in (("id", ids), ("class", collection.classes)):
        for each in names:
            if each != each.encode("utf-8", "replace").decode() or not each.strip():
                yield f"{collection.name}: {what} {each!r} is no text; rename it"
            elif any(unicodedata.category(letter) == "Cc" for letter in each):
                yield f"{collection.name}: {what} {each!r} has control characters; rename it"
            elif len(each.encode()) > LONGEST_NAME:
                yield f"{collection.name}: {what} {each[:50]}… is too long; shorten it"
