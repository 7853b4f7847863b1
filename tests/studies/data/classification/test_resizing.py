"""Pixels at prepared size, against Pillow on single channels and hand-computed values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from rarelens.studies.data.classification.resizing import plan_resizing, prepare_pixels
from rarelens.studies.settings.classification.datasets import ImagePreprocess

Settings = Callable[..., ImagePreprocess]


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng([1]).integers(10, 200, (24, 32)).astype(np.uint8)


def prepared(picture: np.ndarray, settings: ImagePreprocess) -> np.ndarray:
    resizing = plan_resizing(picture.shape[1], picture.shape[0], settings)
    return prepare_pixels(picture, resizing, settings)


def test_same_size_and_type_change_nothing(settings: Settings, grey: np.ndarray) -> None:
    np.testing.assert_array_equal(prepared(grey, settings(image_size=(24, 32)))[0], grey)


def test_16_bits_are_kept(settings: Settings) -> None:
    picture = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    same = settings(image_size=(256, 256), dtype="uint16")
    np.testing.assert_array_equal(prepared(picture, same)[0], picture)
    small = prepared(picture, settings(image_size=(256, 256)))[0]
    np.testing.assert_array_equal(small, np.rint(picture / 257))


def test_shrinking_averages_as_pillow_does(settings: Settings, grey: np.ndarray) -> None:
    expected = Image.fromarray(grey).resize((16, 8), Image.Resampling.BILINEAR)
    found = prepared(grey, settings(image_size=(8, 16)))[0].astype(int)
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 1
    assert found.std() < 0.6 * grey.std()  # without antialiasing noise keeps its spread


def test_each_image_can_be_stretched_to_its_own_range(settings: Settings, grey: np.ndarray) -> None:
    found = prepared(grey, settings(image_size=(24, 32), intensity="per_image"))[0]
    low, high = int(grey.min()), int(grey.max())
    np.testing.assert_allclose(found, (grey.astype(float) - low) / (high - low) * 255, atol=0.51)


def test_colours_share_one_range(settings: Settings) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 1], picture[:4, :, 2] = 50, 100
    found = prepared(picture, settings(image_size=(8, 8), channels="rgb", intensity="per_image"))
    assert [channel.max() for channel in found] == [0, 128, 255]


@pytest.mark.parametrize("intensity", ["full_range", "per_image"])
def test_pictures_of_32_bits_are_taken_from_smallest_to_largest(
    settings: Settings, intensity: str
) -> None:
    picture = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
    found = prepared(picture, settings(image_size=(8, 8), intensity=intensity))[0]
    assert (found[0, 0], found[-1, -1]) == (0, 255)


def test_constant_picture_becomes_0_by_its_own_range(settings: Settings) -> None:
    picture = np.full((8, 8), 77, np.uint8)
    assert not prepared(picture, settings(image_size=(8, 8), intensity="per_image")).any()


def test_grey_of_colours_is_their_luma(settings: Settings) -> None:
    picture = np.zeros((8, 24, 3), np.uint8)
    for channel in range(3):
        picture[:, channel * 8 : channel * 8 + 8, channel] = 255
    found = prepared(picture, settings(image_size=(8, 24)))[0]
    assert found[0, ::8].tolist() == [76, 150, 29]


def test_grey_is_repeated_for_colour(settings: Settings, grey: np.ndarray) -> None:
    found = prepared(grey, settings(image_size=(24, 32), channels="rgb"))
    assert found.shape == (3, 24, 32)
    np.testing.assert_array_equal(found[0], found[2])


def test_padding_keeps_the_aspect_ratio_and_is_0(settings: Settings) -> None:
    picture = np.full((20, 40), 255, np.uint8)
    resizing = plan_resizing(40, 20, settings(image_size=(16, 16), resize="pad"))
    assert (resizing.left, resizing.top) == (0, 4)
    assert (resizing.scale_x, resizing.scale_y) == (0.4, 0.4)
    found = prepared(picture, settings(image_size=(16, 16), resize="pad"))[0]
    assert found[4:12].min() == 255
    assert not found[:4].any()
    assert not found[12:].any()


def test_thin_picture_keeps_a_pixel(settings: Settings) -> None:
    resizing = plan_resizing(1000, 3, settings(image_size=(16, 16), resize="pad"))
    assert (resizing.columns, resizing.rows) == (16, 1)
