from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from rarelens.measures.dissection import Dissection, dissect
from rarelens.measures.dissection.pixels_above import pixels_above

MODES = {2: "bilinear", 3: "trilinear"}
FIELDS = (
    "thresholds",
    "coverage",
    "iou",
    "ceiling",
    "null",
    "p",
    "p_corrected",
    "detected",
    "dead",
)


def straightforward(activations, masks, quantile, maps="native"):
    """Unit by unit, image by image: thresholds, coverage and IoU."""
    size = masks.shape[2:]
    thresholds, coverage, ious = [], [], []
    for unit in range(activations.shape[1]):
        own = torch.from_numpy(activations[:, unit].astype(np.float64))
        upsampled = [
            F.interpolate(one[None, None], size=size, mode=MODES[len(size)])[0, 0].numpy()
            for one in own
        ]
        values = own.numpy() if maps == "native" else np.stack(upsampled)
        threshold = np.quantile(values, 1 - quantile)
        shared, either, pixels = np.zeros(masks.shape[1]), np.zeros(masks.shape[1]), 0
        for image, one in enumerate(upsampled):
            active = one > threshold
            pixels += active.sum()
            for concept, mask in enumerate(masks[image]):
                shared[concept] += (active & mask).sum()
                either[concept] += (active | mask).sum()
        thresholds.append(threshold)
        coverage.append(pixels / masks[:, 0].size)
        ious.append(np.divide(shared, either, out=np.zeros_like(shared), where=either > 0))
    return np.array(thresholds), np.array(coverage), np.array(ious)


def same(first: Dissection, second: Dissection) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field), field)


def random_data(grid, size, images=20, seed=0):
    """Rectified activations, some units dead or rare; overlapping concepts, some absent."""
    rng = np.random.default_rng(seed)
    activations = np.maximum(rng.standard_normal((images, 9, *grid)) - 0.5, 0).astype(np.float16)
    activations[:, 2] = 0
    activations[:, 3] *= rng.random(activations[:, 3].shape) < 0.01
    masks = rng.random((images, 4, *size)) < 0.2
    masks[5:, 1] = False
    masks[:, 3] = False
    return activations, masks


# Sizes that are powers of two times the grid interpolate float16 without rounding in float64, so
# that ties of upsampled values with their quantile are ties for both.
EXACT = [((7, 6), (28, 24)), ((4, 3, 2), (8, 6, 4)), ((8, 8), (8, 8))]
ROUNDED = [((6, 5), (17, 19)), ((4, 3, 2), (9, 8, 3)), ((9, 9), (5, 4))]


@pytest.mark.parametrize("quantile", [0.005, 0.05, 0.4])
@pytest.mark.parametrize(
    ("grid", "size", "maps"),
    [(*pair, maps) for pair in EXACT for maps in ("native", "upsampled")]
    + [(*pair, "native") for pair in ROUNDED],
)
def test_equals_straightforward_loop(grid, size, quantile, maps):
    activations, masks = random_data(grid, size)
    thresholds, coverage, iou = straightforward(activations, masks, quantile, maps)
    found = dissect(activations, masks, quantile, maps=maps)
    np.testing.assert_allclose(found.thresholds, thresholds, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.coverage, coverage, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.iou, iou, rtol=0, atol=1e-6)


def blood(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations of random filters on real tiles, and real boxes of three kinds of cell."""
    import json

    about = json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8"))
    chosen = [image["id"] for image in about["images"]][:number]
    files = {image["id"]: image["file_name"] for image in about["images"]}
    pictures = [next(folder.rglob(Path(files[own]).name)) for own in chosen]
    stack = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in pictures])
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, 4, 2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 12, 3, 2, 1),
        torch.nn.ReLU(),
    )
    with torch.no_grad():
        found = layers(torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255 - 0.5)
    masks = np.zeros((number, len(about["categories"]), 96, 96), bool)
    places = {own["id"]: place for place, own in enumerate(about["categories"])}
    for box in about["annotations"]:
        if box["image_id"] in chosen:
            x, y, width, height = (round(side) for side in box["bbox"])
            concept = places[box["category_id"]]
            masks[chosen.index(box["image_id"]), concept, y : y + height, x : x + width] = True
    return found.numpy().astype(np.float16), masks


@pytest.mark.parametrize("maps", ["native", "upsampled"])
def test_equals_straightforward_loop_on_real_activations(real_data, maps):
    activations, masks = blood(real_data / "bccd_tiles_96px", 60)
    thresholds, _, iou = straightforward(activations, masks, 0.005, maps)
    found = dissect(activations, masks, maps=maps, permutations=9)
    assert iou.max() > 0.01
    np.testing.assert_allclose(found.thresholds, thresholds, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.iou, iou, rtol=0, atol=1e-6)


@pytest.mark.parametrize("maps", ["native", "upsampled"])
def test_batches_and_counted_quantiles_change_nothing(maps):
    activations, masks = random_data((7, 7), (21, 21))
    settings = {"quantile": 0.05, "maps": maps, "permutations": 45}
    whole = dissect(activations, masks, **settings)
    for chunk in (1, 700, 30_000):
        same(whole, dissect(activations, masks, chunk=chunk, **settings))
    same(whole, dissect(activations, masks, exact_quantile_values=10, **settings))
    same(whole, dissect(activations, lambda images: masks[images], **settings))


def test_order_of_images_changes_nothing_not_even_the_null():
    activations, masks = random_data((7, 7), (14, 14))
    mixed = np.random.default_rng(3).permutation(len(masks))
    settings = {"quantile": 0.05, "permutations": 30}
    same(
        dissect(activations, masks, **settings),
        dissect(activations[mixed], masks[mixed], **settings),
    )


def test_iou_never_exceeds_its_ceiling():
    activations, masks = random_data((7, 7), (14, 14))
    found = dissect(activations, masks, 0.1)
    assert (found.iou <= found.ceiling).all()
    areas = masks.mean(axis=(0, 2, 3))
    expected = np.minimum(found.coverage[0], areas) / np.maximum(found.coverage[0], areas)
    np.testing.assert_allclose(found.ceiling[0], expected)


def test_unit_that_is_the_concept_reaches_its_ceiling():
    rng = np.random.default_rng(0)
    masks = np.zeros((30, 2, 8, 8), bool)
    masks[:3, 0, 2:4, 2:4] = True
    masks[:, 1, 4:] = True
    activations = rng.random((30, 2, 8, 8)).astype(np.float32)
    activations[:, 0] += 9 * masks[:, 0]
    found = dissect(activations, masks, 12 / 1920, permutations=29)
    assert found.iou[0, 0] == pytest.approx(found.ceiling[0, 0], abs=0.2)
    assert found.detected.tolist() == [0, -1]
    assert found.detects[0].tolist() == [True, False]
    assert found.detects_beyond_null[0].tolist() == [True, False]
    assert found.p[0, 0] == pytest.approx(1 / 30)
    # The other concept covers half of the pixels: its ceiling is below the published threshold.
    assert found.ceiling[0, 1] < 0.04


def test_large_concept_is_found_beyond_the_null_only():
    rng = np.random.default_rng(0)
    masks = np.zeros((40, 1, 16, 16), bool)
    masks[::2, 0, :, 4:] = True
    activations = (rng.random((40, 1, 16, 16)) + masks).astype(np.float32)
    found = dissect(activations, masks, permutations=39)
    assert found.detected.tolist() == [-1]
    assert found.detects_beyond_null.tolist() == [[True]]


def test_dead_unit_and_strict_threshold():
    activations = np.zeros((4, 3, 2, 2), np.float32)
    activations[0, 1, 0, 0] = 1
    activations[:, 2] = 7
    masks = np.ones((4, 1, 2, 2), bool)
    found = dissect(activations, masks, 0.25)
    assert found.dead.tolist() == [True, True, False]
    # A constant unit ties with its threshold everywhere, and so is nowhere above it.
    assert found.coverage.tolist() == [0, 1 / 16, 0]
    assert found.detected.tolist() == [-1, 0, -1]


def test_unit_that_exceeds_its_threshold_between_pixels_only():
    activations = np.zeros((1, 1, 8, 8), np.float32)
    activations[0, 0, 3, 4] = 1
    # Four pixels of 8² are left, none at the peak.
    found = dissect(activations, np.ones((1, 1, 2, 2), bool), 0.01)
    assert found.thresholds[0] > 0
    assert found.coverage.tolist() == [0]


def test_plateau_at_the_threshold_does_not_fire_after_upsampling():
    activations = np.full((3, 1, 3, 3), np.float32(0.1))
    masks = np.ones((3, 1, 7, 11), bool)
    assert dissect(activations, masks).coverage.tolist() == [0]


def test_null_is_that_of_exchanged_masks():
    """Of five images on a circle, whose order is tried out, each meets each other once."""
    activations, masks = random_data((6, 6), (12, 12), images=5)
    found = dissect(activations, masks, 0.1, permutations=4, null_level=1.0)
    pixels = pixels_above(activations, found.thresholds, (12, 12))
    active = np.zeros((5 * 9, 144))
    active[pixels.item, pixels.pixel] = 1
    flat = masks.reshape(5, 4, 144).astype(float)
    shared = np.einsum("ikp,jcp->ijkc", active.reshape(5, 9, 144), flat)
    areas = active.reshape(5, 9, 144).sum((0, 2))[:, None] + flat.sum((0, 2))

    def largest(order):
        sums = [sum(shared[order[i], order[(i + s) % 5]] for i in range(5)) for s in range(1, 5)]
        return max_iou(np.stack(sums), areas)

    def max_iou(shared, areas):
        return np.divide(shared, areas - shared, np.zeros_like(shared), where=areas > shared).max(0)

    matches = [np.allclose(found.null, largest(order)) for order in permutations(range(5))]
    # The five rotations and the mirror images of a circle give the same exchanges.
    assert 10 <= sum(matches) < 120
    assert (found.null > 0).any()


def test_more_exchanges_than_images_draw_further_circles():
    activations, masks = random_data((6, 6), (12, 12), images=5)
    few = dissect(activations, masks, 0.1, permutations=4)
    many = dissect(activations, masks, 0.1, permutations=399)
    assert few.p.min() >= 1 / 5
    assert 1 / 400 <= many.p.min() < 1 / 5
    np.testing.assert_array_equal(few.iou, many.iou)


def test_p_is_uniform_where_units_know_nothing():
    rng = np.random.default_rng(0)
    masks = np.zeros((60, 3, 16, 16), bool)
    for image, concept in enumerate(rng.integers(3, size=60)):
        y, x = rng.integers(0, 8, size=2)
        masks[image, concept, y : y + 8, x : x + 8] = True
    p = []
    for draw in range(20):
        activations = rng.standard_normal((60, 20, 8, 8)).astype(np.float32)
        p.append(
            dissect(activations, masks[rng.permutation(60)], 0.2, permutations=19, seed=draw).p
        )
    shares = [(np.stack(p) <= level).mean() for level in (0.1, 0.25, 0.5, 0.75)]
    np.testing.assert_allclose(shares, [0.1, 0.25, 0.5, 0.75], atol=0.05)


def test_without_exchanges_there_is_no_null():
    activations, masks = random_data((4, 4), (8, 8))
    found = dissect(activations, masks)
    assert np.isnan(found.null).all()
    assert np.isnan(found.p).all()
    assert not found.detects_beyond_null.any()


def test_one_image_has_nothing_to_exchange():
    activations, masks = random_data((4, 4), (8, 8), images=1)
    assert np.isnan(dissect(activations, masks, permutations=5).p).all()


def test_table_has_a_row_per_unit_and_class():
    activations, masks = random_data((4, 4), (8, 8))
    found = dissect(activations, masks, permutations=3)
    table = found.table().set_index(["unit", "class"])
    assert len(table) == 9 * 4
    assert table.loc[(4, 2), "iou"] == found.iou[4, 2]
    assert table.loc[(4, 2), "threshold"] == found.thresholds[4]
    # No unit detects more than one concept by the published rule; the absent one has no ceiling.
    assert table.groupby("unit")["detects"].sum().max() <= 1
    assert table.xs(3, level="class")["iou_over_ceiling"].isna().all()


def test_bad_input_is_refused():
    activations, masks = random_data((4, 4), (8, 8))
    with pytest.raises(ValueError, match="same number of images"):
        dissect(activations, masks[:-1])
    activations[2, 1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        dissect(activations, masks)
