"""``dataset.json`` of nnU-Net, versions 1 and 2, and of the Decathlon: what label values mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.studies.data.files import read_json
from rarelens.studies.data.segmentation.description import FILE, numbered_classes
from rarelens.studies.diagnosis.scheme import Scheme

IGNORE = "ignore"


def read_scheme(file: Path) -> Scheme:
    """The classes, regions and ignore label of a ``dataset.json``.

    Raises:
        RarelensError: if it is missing, no JSON, or names no classes; or if the ignore label is
            not above all others, as nnU-Net wants it.
    """
    content = read_json(file)
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not labels:
        raise RarelensError(f"{file}: labels: missing; name the classes")
    if all(isinstance(name, str) for name in labels.values()):  # Of version 1: names by number.
        return Scheme(numbered_classes(file, labels.items()))
    values = {name: value for name, value in labels.items() if name != IGNORE}
    try:
        ignore = int(labels[IGNORE]) if IGNORE in labels else None
        _check_highest(ignore, values)
        if any(isinstance(value, list) for value in values.values()):
            return _regions(values, ignore, content)
        pairs = [(int(value), name) for name, value in values.items()]
    except (TypeError, ValueError, OverflowError) as error:
        raise RarelensError(f"{file}: labels: {error}; correct it") from error
    return Scheme(numbered_classes(file, pairs), ignore=ignore)


def find_description(*folders: Path) -> Path:
    """The first ``dataset.json`` in one of these folders.

    Raises:
        RarelensError: if there is none.
    """
    for folder in folders:
        if (folder / FILE).is_file():
            return folder / FILE
    raise RarelensError(
        f"{folders[0]}: there is no {FILE} that names the classes, here or in "
        f"{', '.join(map(str, folders[1:]))}; copy it from nnUNet_raw"
    )


def _check_highest(ignore: int | None, values: Mapping[str, Any]) -> None:
    """Refuse an ignore label that is not above the values of all classes."""
    listed = [value if isinstance(value, list) else [value] for value in values.values()]
    highest = max((int(value) for own in listed for value in own), default=0)
    if ignore is not None and ignore <= highest:
        raise ValueError(f"{IGNORE} is {ignore}, but must be above every class (up to {highest})")


def _regions(values: Mapping[str, Any], ignore: int | None, content: Mapping[str, Any]) -> Scheme:
    """Channels are the regions in the order of the file, without the background."""
    regions = {
        name: tuple(map(int, value if isinstance(value, list) else [value]))
        for name, value in values.items()
    }
    foreground = {name: region for name, region in regions.items() if any(region)}
    background = next((name for name in regions if name not in foreground), "background")
    order = content.get("regions_class_order")
    paint = None if order is None else tuple(int(value) for value in order)
    return Scheme((background, *foreground), tuple(foreground.values()), ignore, paint)
