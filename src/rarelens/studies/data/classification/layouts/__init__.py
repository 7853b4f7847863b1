"""How image datasets lie on disk: one module a layout, found by the name of its file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.raw import data_folder


def read_image_collection(layout: str, folder: Path, name: str) -> ImageCollection:
    """Read the dataset ``name`` at ``folder`` (may be a symbolic link), laid out as ``layout``.

    Simulated data are in a folder of their own there (`data_folder`). Pictures are not opened
    yet. Uncertain labels are NaN.

    Raises:
        RarelensError: for each problem in the dataset's description and list of files.
    """
    collection: ImageCollection = import_module(f"{__name__}.{layout}").read(
        data_folder(folder), name
    )
    return collection
