from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.studies.extraction.arrays import ArrayWriter, batches, half


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.bool_])
def test_rows_written_in_parts_are_the_array_that_numpy_saves(tmp_path, dtype) -> None:
    whole = (np.random.default_rng(0).normal(size=(7, 2, 3)) * 3).astype(dtype)
    with ArrayWriter(tmp_path / "new" / "a.npy", whole.shape, dtype) as file:
        for some in batches(whole.swapaxes(1, 2).copy(), 3):
            file.append(some.swapaxes(1, 2))
    np.save(tmp_path / "b.npy", whole)
    assert (tmp_path / "new" / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_an_array_without_rows_keeps_its_shape(tmp_path) -> None:
    with ArrayWriter(tmp_path / "a.npy", (0, 4, 5), np.float16):
        pass
    assert np.load(tmp_path / "a.npy").shape == (0, 4, 5)


def test_a_missing_row_is_noticed(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match="1 rows in an array of 2"),
        ArrayWriter(tmp_path / "a.npy", (2, 3), np.float32) as file,
    ):
        file.append(np.zeros((1, 3)))


def test_rows_of_another_shape_are_refused(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match=r"rows of \(4,\)"),
        ArrayWriter(tmp_path / "a.npy", (2, 3), np.float32) as file,
    ):
        file.append(np.zeros((1, 4)))


def test_half_clips_to_its_finite_range_and_counts() -> None:
    values, clipped = half(torch.tensor([1.5, 1e6, -7e4, 65504.0, -65504.0]))
    np.testing.assert_array_equal(values, np.array([1.5, 65504, -65504, 65504, -65504], np.float16))
    assert clipped == 2
