from __future__ import annotations

from pathlib import Path

import numpy as np

from rarelens.studies.extraction.segmentation.panels import write_panel


def test_the_slice_with_most_rare_voxels_is_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 4, 5, 6)).astype(np.float16)
    logits = rng.normal(size=(4, 4, 5, 6)).astype(np.float32)
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[:, :, 1] = 1  # A frequent class does not count.
    labels[0, :2, 3] = 2
    labels[0, 3, 3] = 3
    labels[1, :2, 4] = 3
    write_panel(tmp_path / "1.npz", image, labels, logits, (2, 3))
    with np.load(tmp_path / "1.npz") as panel:
        assert sorted(panel) == ["image", "margin", "prediction", "truth"]
        np.testing.assert_array_equal(panel["image"], image[0, :, :, 3].astype(np.float32))
        np.testing.assert_array_equal(panel["truth"], labels[:, :, 3])
        np.testing.assert_array_equal(panel["prediction"], logits[:, :, :, 3].argmax(0))
        z = logits[:, :, :, 3]
        expected = np.maximum(z[2], z[3]) - np.maximum(z[0], z[1])
        np.testing.assert_array_equal(panel["margin"], expected)
        assert {panel[key].dtype.name for key in ("image", "margin")} == {"float32"}
