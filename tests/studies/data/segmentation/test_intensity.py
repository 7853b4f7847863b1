from __future__ import annotations

import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.intensity import normalise
from rarelens.studies.settings.segmentation.datasets import Clip, ZScore

ZSCORE = ZScore(method="zscore")
CT = Clip(method="clip", lower=-100, upper=300)


def row(*values) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def test_zscore_is_taken_over_the_voxels_that_are_not_zero():
    found = normalise(row(0, 2, 4, 0, 6), (ZSCORE,))
    high = np.sqrt(1.5)  # (6 - 4) / sqrt(8 / 3)
    np.testing.assert_allclose(found.ravel(), [0, -high, 0, 0, high], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("values", [(5, 5, 0), (0, 0, 0), (0, 0.1, 0), (1e8, 1e8, 1e8)])
def test_constant_channel_becomes_zero(values):
    assert not normalise(row(*values), (ZSCORE,)).any()


def test_large_offset_does_not_spoil_the_variance():
    values = 1e6 + np.random.default_rng(0).integers(0, 100, 5000)
    found = normalise(row(*values), (ZSCORE,))
    assert abs(found.mean()) < 1e-5
    assert found.std() == pytest.approx(1, abs=1e-5)


def test_clip_scales_its_bounds_to_zero_and_one():
    found = normalise(row(-1000, -100, 100, 300, 5000), (CT,))
    np.testing.assert_allclose(found.ravel(), [0, 0, 0.5, 1, 1])


def test_one_entry_serves_all_channels_and_several_serve_one_each():
    image = np.concatenate([row(0, 100, 300), row(1, 2, 3)])
    both = normalise(image, (CT,))
    np.testing.assert_allclose(both[1].ravel(), (np.array([1, 2, 3]) + 100) / 400)
    mixed = normalise(image, (CT, ZSCORE))
    np.testing.assert_allclose(mixed[0], both[0])
    assert mixed[1].std() == pytest.approx(1)


def test_count_that_fits_no_channels_is_refused():
    with pytest.raises(RarelensError, match="2 entries for images of 3 channels"):
        normalise(np.ones((3, 2, 2, 2), np.float32), (CT, ZSCORE))


def test_input_is_left_alone():
    image = row(1, 2, 3)
    normalise(image, (CT,))
    assert image.ravel().tolist() == [1, 2, 3]
