"""A trained segmentation model, applied to images that are held in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.collection import Affine, Labels
from rarelens.studies.data.segmentation.geometry import restore_labels, restore_probabilities
from rarelens.studies.data.segmentation.preprocessing import PreparedImage, prepare_image
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import OVERLAP, WINDOW_BATCH, load_segmenter
from rarelens.studies.models.storage import refuse_not_finite

Image = NDArray[np.float32]


class Segmenter:
    """A trained segmentation model; `rarelens.load_model` makes one.

    Images are (channels, X, Y, Z) with the affine (4, 4) of their grid, as nibabel has it. They
    are prepared as in training (orientation, crop, intensities, spacing), and what comes out lies
    on their own grid again: each class's logits are interpolated linearly; what the crop left out
    is background.

    Args:
        folder: with ``model.json`` and ``weights.safetensors``.
        overlap: share of a window that the next one covers again.
        window_batch: windows computed at once.

    Attributes:
        network: in evaluation mode, on the GPU where there is one.
        card: what it was trained on, and how.

    Raises:
        RarelensError: if the folder holds no model, or a broken one.

    Examples:
        >>> import nibabel, numpy as np, rarelens
        >>> model = rarelens.load_model("models/segmenter")
        >>> scan = nibabel.load("scans/patient_1.nii.gz")
        >>> image = scan.get_fdata(dtype=np.float32)[None]
        >>> model.probabilities(image, scan.affine).shape == (2, *scan.shape)
        True
    """

    def __init__(
        self, folder: Path, overlap: float = OVERLAP, window_batch: int = WINDOW_BATCH
    ) -> None:
        self.network, self.card = load_segmenter(folder)
        self.overlap, self.window_batch = overlap, window_batch

    def prepare(self, image: Image, affine: Affine) -> PreparedImage:
        """The image as the network takes it, and the way back.

        Raises:
            RarelensError: if it has other channels than the model.
        """
        if len(image) != len(self.card.channels):
            raise RarelensError(
                f"{len(image)} channels, but the model takes {len(self.card.channels)} "
                f"({', '.join(self.card.channels)}); give those"
            )
        return prepare_image(image, affine, self.card.preprocess)

    def logits(self, prepared: NDArray[Any]) -> NDArray[np.float32]:
        """Logits (C, X, Y, Z) of a prepared image (channels, X, Y, Z), on its prepared grid.

        Raises:
            RarelensError: if they are not finite.
        """
        size = self.card.patch_size
        found = dense_logits(self.network, prepared, size, self.overlap, self.window_batch)
        refuse_not_finite(found)
        return found

    def labels(self, image: Image, affine: Affine) -> Labels:
        """The label map (X, Y, Z) of an image, on its own grid; refuses as `prepare`."""
        prepared = self.prepare(image, affine)
        return restore_labels(self.logits(prepared.array), *prepared.grids)

    def probabilities(self, image: Image, affine: Affine) -> NDArray[np.float32]:
        """Probabilities (C, X, Y, Z) on the image's own grid; the largest is the label's."""
        prepared = self.prepare(image, affine)
        return restore_probabilities(self.logits(prepared.array), *prepared.grids)
