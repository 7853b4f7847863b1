"""A trained model of either task from any folder, and its predictions for new images."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rarelens.studies.models.segmentation.model import OVERLAP, WINDOW_BATCH
from rarelens.studies.models.storage import CARD

if TYPE_CHECKING:
    from rarelens.studies.models.classification.prediction import Classifier
    from rarelens.studies.models.segmentation.segmenter import Segmenter


def load_model(folder: str | Path) -> Segmenter | Classifier:
    """A trained model from a folder with ``model.json`` and ``weights.safetensors``.

    Nothing else is needed: no ``params.yaml``, no data.

    Raises:
        RarelensError: if the folder holds no model, or a broken one.
    """
    # Imported here, for either brings libraries that the other does without.
    if _is_classifier(Path(folder)):
        from rarelens.studies.models.classification.prediction import Classifier

        return Classifier(Path(folder))
    from rarelens.studies.models.segmentation.segmenter import Segmenter

    return Segmenter(Path(folder))


def predict(
    model: str | Path,
    images: str | Path | Sequence[str | Path],
    output: str | Path = "predictions",
    *,
    probabilities: bool = False,
    overwrite: bool = False,
    overlap: float = OVERLAP,
    window_batch: int = WINDOW_BATCH,
    bar: bool = False,
    written: Callable[[Path], object] = lambda _: None,
) -> list[Path]:
    """Write predictions for new, unlabelled images: label maps, or a classifier's table.

    Args:
        model: a model's folder.
        images: files, or folders of them. Of volumes: NIfTI, 4-D or ``<case>_0000.nii.gz``,
            ``<case>_0001.nii.gz``, … where the model takes several channels.
        output: folder for ``<case>.nii.gz``, on each image's own grid; of a classifier, for
            ``probabilities.csv``.
        probabilities: write ``probabilities/<case>.nii.gz``, too: float32 (X, Y, Z, C) on the same
            grid. They are the softmax of linearly interpolated logits, sum to 1, and the largest
            is the label map's class; what the crop left out is background.
        overwrite: what lies there already.
        overlap: share of a window that the next one covers again (label maps).
        window_batch: windows computed at once (label maps).
        bar: show a progress bar on standard error, if that is a terminal.
        written: called with each file once it is there.

    Returns:
        The files written.

    Raises:
        RarelensError: before anything is written, if there is no model or image, or an output is
            there already; at the end, with a sentence for each image that failed, when all others
            are written.

    Examples:
        >>> import rarelens
        >>> files = rarelens.predict("models/segmenter", "scans", "maps", probabilities=True)
        >>> [str(file) for file in files]
        ['maps/patient_1.nii.gz', 'maps/probabilities/patient_1.nii.gz']
    """
    files = [Path(each) for each in ([images] if isinstance(images, str | Path) else images)]
    folder, target, done = Path(model), Path(output), list[Path]()

    def note(file: Path) -> None:
        done.append(file)
        written(file)

    if _is_classifier(folder):
        from rarelens.studies.models.classification.prediction import Classifier, classify

        classify(Classifier(folder), files, target, overwrite=overwrite, bar=bar, written=note)
    else:
        from rarelens.studies.models.segmentation.prediction import segment
        from rarelens.studies.models.segmentation.segmenter import Segmenter

        segment(
            Segmenter(folder, overlap, window_batch),
            files,
            target,
            probabilities=probabilities,
            overwrite=overwrite,
            bar=bar,
            written=note,
        )
    return done


def _is_classifier(folder: Path) -> bool:
    """By what its card says; a card that says nothing is refused when the model is loaded."""
    with suppress(OSError, ValueError, RecursionError):
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return isinstance(card, dict) and "training_images" in card
    return False
