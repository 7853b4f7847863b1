"""Volumes of a page: few voxels, the sign of every margin, nothing that names a case."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rarelens.studies.browsing.segmentation.volumes import (
    GREYS,
    MOST_VALUES,
    PADDING,
    STEPS,
    shown,
    write_case,
)


def written(folder, shape, classes=3, rare=(2,), methods=2, spacing=(1.0, 1.0, 1.0), labelled=None):
    rng = np.random.default_rng(3)
    truth = np.zeros(shape, np.uint8)
    truth[labelled or np.s_[:]] = rng.integers(1, classes, truth[labelled or np.s_[:]].shape)
    logits = [rng.normal(0, 3, (classes, *shape)).astype(np.float32) for _ in range(methods)]
    for own in logits:
        own[0] += 99 * (truth == 0)
    image = rng.normal(size=shape).astype(np.float32)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = 12.5, -7, 3
    own = {f"method_{place}": shown(each, rare) for place, each in enumerate(logits)}
    write_case(folder / "worst.npz", image, truth, affine, own, rare)
    with np.load(folder / "worst.npz") as arrays:
        return image, truth, logits, dict(arrays)


def test_what_is_few_is_kept_voxel_by_voxel_around_the_labels(tmp_path):
    inside = np.s_[10:20, 12:25, 8:9]
    image, truth, logits, found = written(tmp_path, (40, 40, 30), labelled=inside)
    box = tuple(slice(own.start - PADDING, own.stop + PADDING) for own in inside)
    assert_array_equal(found["truth"], truth[box])
    assert_array_equal(found["turned"], np.eye(3))
    low, high = np.percentile(image, [0.5, 99.5])
    grey = np.clip((image[box] - low) / (high - low), 0, 1)
    assert_allclose(found["image"] / (GREYS - 1), grey, atol=0.5 / (GREYS - 1) + 1e-6)
    limit = found["limit"]
    margins = [own[2] - own[:2].max(0) for own in logits]
    known = np.abs(np.concatenate([own[truth == 2] for own in margins]))
    assert limit == pytest.approx(np.percentile(known, 98))
    for place, own in enumerate(logits):
        assert_array_equal(found["prediction"][place], own.argmax(0)[box])
        margin = margins[place][box]
        assert_array_equal(np.sign(found["margin"][place]), np.sign(margin))
        within = np.abs(margin) < limit
        read = found["margin"][place] / STEPS * limit
        assert np.abs(read - margin)[within].max() <= limit / STEPS
        assert_allclose(np.abs(read[~within]), limit)
    assert set(found) == {"image", "truth", "prediction", "margin", "limit", "turned"}


@pytest.mark.parametrize(("methods", "classes"), [(2, 37), (20, 5)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.5, 4.0)])
def test_what_is_many_becomes_coarse(tmp_path, methods, classes, spacing):
    _, truth, logits, found = written(
        tmp_path, (96, 90, 60), classes=classes, methods=methods, spacing=spacing, rare=(2, 4)
    )
    values = sum(found[name].size for name in ("image", "truth", "prediction", "margin"))
    assert MOST_VALUES / 4 < values <= MOST_VALUES
    strides = np.diag(found["turned"]) / spacing
    if spacing[2] == 4:
        # The coarse axis stays as it is.
        assert strides[2] == 1
    x, y, z = (slice(int(s) // 2, None, int(s)) for s in strides)
    assert_array_equal(found["truth"], truth[x, y, z])
    assert_array_equal(found["prediction"][0], logits[0].argmax(0)[x, y, z])


def test_a_case_in_which_nothing_is_labelled_is_shown_whole(tmp_path):
    nothing = np.s_[:0]
    _, truth, _, found = written(tmp_path, (12, 10, 8), labelled=nothing)
    assert found["truth"].shape == truth.shape
    assert found["limit"] == 1
