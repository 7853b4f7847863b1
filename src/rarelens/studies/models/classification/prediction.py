"""A trained classifier applied to new images: in memory, or in files to a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.prepared import normalise
from rarelens.studies.data.classification.reading import read_picture
from rarelens.studies.data.classification.resizing import plan_resizing, prepare_pixels
from rarelens.studies.files import write_text
from rarelens.studies.models.batch import each_case, refuse_existing
from rarelens.studies.models.classification.inference import outputs
from rarelens.studies.models.classification.model import load_classifier
from rarelens.studies.models.storage import refuse_not_finite
from rarelens.studies.spreadsheet import to_csv

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
TABLE = "probabilities.csv"


class Classifier:
    """A trained classifier; `rarelens.load_model` makes one.

    Pictures are (H, W) or (H, W, 3) of uint8, uint16 or float32, of any size; they are prepared
    as in training.

    Args:
        folder: with ``model.json`` and ``weights.safetensors``.

    Attributes:
        network: in evaluation mode, on the GPU where there is one.
        card: what it was trained on, and how.

    Raises:
        RarelensError: if the folder holds no model, or a broken one.
    """

    def __init__(self, folder: Path) -> None:
        self.network, self.card = load_classifier(folder)

    def logits(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """A logit of each class (C,).

        Raises:
            RarelensError: if one is not finite.
        """
        card = self.card
        resizing = plan_resizing(picture.shape[1], picture.shape[0], card.preprocess)
        stored = prepare_pixels(picture, resizing, card.preprocess)
        image = normalise(stored, card.mean, card.std)[None]
        logits: NDArray[np.float32] = outputs(self.network, self.network, lambda _: image, [0])[0]
        refuse_not_finite(logits)
        return logits

    def probabilities(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """A probability of each class (C,): the sigmoid of its logit, not calibrated."""
        values: NDArray[np.float32] = expit(self.logits(picture))
        return values


def classify(
    model: Classifier,
    images: Sequence[Path],
    output: Path,
    *,
    overwrite: bool = False,
    bar: bool = False,
    written: Callable[[Path], object] = lambda _: None,
) -> None:
    """Write ``probabilities.csv``: a row for each image, a column for each class; see `predict`.

    Raises:
        RarelensError: before anything is written, if there is no image or the table is there
            already; at the end, with a sentence for each image that is unreadable, when the table
            of all others is written.
    """
    files = {str(file): file for path in images for file in _files(path)}
    if not files:
        raise RarelensError(f"{images[0]}: no image ({', '.join(SUFFIXES)}) in it")
    target = output / TABLE
    refuse_existing(output, [target], overwrite)
    rows: dict[str, NDArray[np.float32]] = {}

    def work(name: str) -> None:
        picture = read_picture(files[name])
        try:
            rows[name] = model.probabilities(picture)
        except RarelensError as error:
            raise RarelensError(f"{files[name]}: {error}") from error

    try:
        each_case(files, work, bar)
    finally:
        if rows:
            table = pd.DataFrame.from_dict(rows, "index", columns=list(model.card.classes))
            write_text(target, to_csv(table, index_label="image", float_format="%.6g"))
            written(target)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        return [file for file in inside if file.suffix.lower() in SUFFIXES]
    if not path.is_file():
        raise RarelensError(f"{path}: no such image, or folder of images")
    return [path]
