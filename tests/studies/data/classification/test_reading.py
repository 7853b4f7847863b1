"""Each kind of picture comes out as it was put in; each kind of damage is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import Source
from rarelens.studies.data.classification.reading import NpzMember, Pictures, read_picture

RNG = np.random.default_rng([3])
GREY = RNG.integers(0, 256, (9, 11), np.uint8)
COLOUR = RNG.integers(0, 256, (9, 11, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (9, 11), np.uint16)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR, DEEP], ids=["grey", "colour", "16 bits"])
def test_pixels_come_out_as_they_were(tmp_path: Path, pixels: np.ndarray, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(file)
    found = read_picture(file)
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)


def test_big_endian_16_bits(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    Image.frombytes("I;16B", (11, 9), DEEP.astype(">u2").tobytes()).save(file)
    np.testing.assert_array_equal(read_picture(file), DEEP)


def test_transparency_is_dropped(tmp_path: Path) -> None:
    for pixels, name in ((COLOUR, "RGBA"), (GREY[..., None], "LA")):
        alpha = RNG.integers(0, 256, (9, 11, 1), np.uint8)
        file = tmp_path / f"{name}.png"
        Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(file)
        assert Image.open(file).mode == name
        np.testing.assert_array_equal(read_picture(file), pixels.squeeze())


def test_palette_is_looked_up(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    image = Image.fromarray(GREY % 4, "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    image.save(file)
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], np.uint8)
    np.testing.assert_array_equal(read_picture(file), palette[GREY % 4])


def test_black_and_white_has_the_full_range(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(GREY > 99).save(file)
    np.testing.assert_array_equal(read_picture(file), np.where(GREY > 99, 255, 0))


def test_nan_is_refused(tmp_path: Path) -> None:
    pixels = np.ones((4, 4), np.float32)
    pixels[1, 2] = np.nan
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(RarelensError, match=r"a\.tif: 1 pixels are NaN or infinite"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_truncated_picture_is_refused(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    Image.fromarray(RNG.integers(0, 256, (64, 64), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:-600])
    with pytest.raises(RarelensError, match=rf"a\.{ending}: not readable as an image"):
        read_picture(file)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n"])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RarelensError, match="not readable as an image"):
        read_picture(tmp_path / "a.png")


def test_missing_picture_is_told(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match="no such file"):
        read_picture(tmp_path / "a.png")


def test_several_pictures_in_a_file_are_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(RarelensError, match="holds 2 pictures"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_of_an_npz_in_any_order(tmp_path: Path, save: object) -> None:
    images = RNG.integers(0, 256, (5, 4, 6), np.uint8)
    save(tmp_path / "a.npz", x=images)
    with Pictures() as pictures:
        for row in (0, 1, 4, 2, 0, 3):
            found = pictures.read(Source(tmp_path / "a.npz", "x", row))
            np.testing.assert_array_equal(found, images[row])


def test_damaged_npz_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, x=np.asfortranarray(np.zeros((3, 4))))
    with pytest.raises(RarelensError, match="x is in Fortran order"):
        NpzMember(file, "x")
    with pytest.raises(RarelensError, match=r"a\.npz: there is no array y"):
        NpzMember(file, "y")
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(RarelensError, match=re.escape(f"{file}: x: not readable")):
        NpzMember(file, "x")
    with pytest.raises(RarelensError, match="no such file"):
        NpzMember(tmp_path / "b.npz", "x")
