"""Training patches: what is drawn, how often, and from where."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.segmentation.inference import dense_logits

SHAPE = (12, 10, 8)


def write(folder: Path, volumes: dict[str, np.ndarray], classes: int = 3) -> PreparedDataset:
    """A prepared dataset of these label maps; a voxel's image values are unique to it.

    Channel 0 is the voxel's flat index + 1, channel 1 its negative, so that a patch shows where
    it comes from, and padding (0) is told from image.
    """
    rows = []
    for kind in ("images", "labels", "foreground"):
        (folder / kind).mkdir(parents=True)
    for case, labels in volumes.items():
        place = np.arange(labels.size, dtype=np.float32).reshape(labels.shape) + 1
        np.save(folder / "images" / f"{case}.npy", np.stack([place, -place]))
        np.save(folder / "labels" / f"{case}.npy", labels.astype(np.uint8))
        index = [np.flatnonzero(labels == label) for label in range(1, classes)]
        np.save(folder / "foreground" / f"{case}.npy", np.concatenate(index).astype(np.int32))
        voxels = np.bincount(labels.ravel(), minlength=classes).tolist()
        rows.append({"case": case, "voxels": voxels})
    pd.DataFrame(rows).to_parquet(folder / "cases.parquet", index=False)
    description = {
        "name": "d",
        "channels": ["a", "b"],
        "classes": [f"c{n}" for n in range(classes)],
        "spacing": None,
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    return PreparedDataset(folder)


@pytest.fixture
def volumes() -> dict[str, np.ndarray]:
    """Two volumes with little foreground: class 1 large, class 2 a single voxel in s0."""
    first, second = np.zeros(SHAPE, int), np.zeros((9, 9, 9), int)
    first[2:5, 2:5, 2:5] = 1
    first[9, 7, 5] = 2
    second[4, 4, 4] = 1
    return {"s0": first, "s1": second}


@pytest.fixture
def sampler(tmp_path, volumes) -> Callable[..., PatchSampler]:
    def make(**changes: object) -> PatchSampler:
        settings = {
            "cases": ["s0", "s1"],
            "patch_size": (5, 4, 3),
            "batch_size": 4,
            "foreground_share": 0.5,
            "seed": 7,
        }
        known = changes.pop("volumes", volumes)
        data = write(tmp_path / "prepared" / str(len(list(tmp_path.rglob("*")))), known)
        return PatchSampler(data, **(settings | changes))

    return make


def corners(image: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where in its volume a patch (channels, *patch) without padding begins."""
    return tuple(int(n) for n in np.unravel_index(int(image[0].flat[0]) - 1, shape))


def test_a_batch_has_the_promised_shapes_and_types(sampler):
    batch = sampler().batch(0)
    assert batch.images.shape == (4, 2, 5, 4, 3)
    assert batch.images.dtype == np.float32
    assert batch.labels.shape == (4, 5, 4, 3)
    assert batch.labels.dtype == np.uint8  # As they are kept.
    assert set(batch.cases) <= {"s0", "s1"}
    assert len(batch.cases) == 4


def test_a_batch_depends_on_seed_and_step_alone(sampler):
    one, two, other = sampler(), sampler(), sampler(seed=8)
    for step in (3, 0, 1):  # in another order than below
        one.batch(step)
    seen = set()
    for step in range(4):
        first, second = one.batch(step), two.batch(step)
        assert first.cases == second.cases
        assert first.images.tobytes() == second.images.tobytes()
        assert first.labels.tobytes() == second.labels.tobytes()
        assert other.batch(step).images.tobytes() != first.images.tobytes()
        seen.add(first.images.tobytes())
    assert len(seen) == 4


def test_patches_are_equal_to_slices_of_their_volume(sampler, volumes):
    drawn = sampler(batch_size=20)
    for step in range(5):
        batch = drawn.batch(step)
        for image, labels, case in zip(batch.images, batch.labels, batch.cases, strict=True):
            volume = volumes[case]
            start = corners(image, volume.shape)
            cut = tuple(slice(a, a + n) for a, n in zip(start, (5, 4, 3), strict=True))
            place = np.arange(volume.size).reshape(volume.shape) + 1
            np.testing.assert_array_equal(image[0], place[cut])
            np.testing.assert_array_equal(image[1], -place[cut])
            np.testing.assert_array_equal(labels, volume[cut])


def test_every_case_is_drawn_alike(sampler):
    drawn = sampler(batch_size=50)
    cases = Counter(case for step in range(40) for case in drawn.batch(step).cases)
    # 2000 draws: 5 standard deviations are 112.
    assert abs(cases["s0"] - 1000) < 112
    assert sum(cases.values()) == 2000


def forced(drawn: PatchSampler, step: int) -> list[bool]:
    """Which patches of a batch of 1-voxel patches lie on foreground."""
    return [bool(label) for label in drawn.batch(step).labels.ravel()]


def lone() -> dict[str, np.ndarray]:
    """One voxel of foreground, which a patch of one voxel hardly hits unless it is forced."""
    labels = np.zeros((60, 60, 60), int)
    labels[3, 3, 3] = 1
    return {"s": labels}


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.25, 2), (0.5, 4), (1, 8)])
def test_a_share_of_whole_patches_is_met_in_every_batch(sampler, share, count):
    drawn = sampler(
        volumes=lone(), cases=["s"], patch_size=(1, 1, 1), batch_size=8, foreground_share=share
    )
    for step in range(50):
        assert forced(drawn, step) == [True] * count + [False] * (8 - count)


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.7])
def test_a_share_between_whole_patches_is_met_on_average(sampler, share):
    drawn = sampler(
        volumes=lone(), cases=["s"], patch_size=(1, 1, 1), batch_size=4, foreground_share=share
    )
    counts = [sum(forced(drawn, step)) for step in range(2000)]
    assert set(counts) <= {int(4 * share), int(4 * share) + 1}
    # The fraction between has a standard deviation of at most 0.5 / √2000 = 0.011.
    assert np.mean(counts) == pytest.approx(4 * share, abs=0.05)


def test_forced_patches_have_foreground_at_their_centre_or_as_near_as_the_edge_allows(sampler):
    rng = np.random.default_rng(0)
    labels = {"s": (rng.random(SHAPE) < 0.02).astype(int)}
    labels["s"][0, 0, 0] = labels["s"][11, 9, 7] = 1
    size = (5, 4, 3)
    drawn = sampler(volumes=labels, cases=["s"], batch_size=30, foreground_share=1.0)
    allowed = set()
    for voxel in np.argwhere(labels["s"]):
        start = [
            min(max(at - n // 2, 0), whole - n)
            for at, n, whole in zip(voxel, size, SHAPE, strict=True)
        ]
        allowed.add(tuple(start))
    found = {corners(image, SHAPE) for step in range(20) for image in drawn.batch(step).images}
    assert found == allowed
    assert all(patch.any() for patch in drawn.batch(0).labels)


def test_a_forced_patch_draws_its_class_evenly_however_rare_it_is(sampler):
    drawn = sampler(cases=["s0"], patch_size=(1, 1, 1), batch_size=50, foreground_share=1.0)
    labels = Counter(int(n) for step in range(40) for n in drawn.batch(step).labels.ravel())
    assert set(labels) == {1, 2}
    assert abs(labels[2] - 1000) < 112  # 27 voxels against one


def test_every_foreground_voxel_is_drawn(sampler, volumes):
    drawn = sampler(cases=["s0"], patch_size=(1, 1, 1), batch_size=50, foreground_share=1.0)
    places = {int(v) - 1 for step in range(20) for v in drawn.batch(step).images[:, 0].ravel()}
    assert places == set(np.flatnonzero(volumes["s0"]))


def test_a_case_without_foreground_gives_any_patch(sampler):
    empty = {"s": np.zeros((4, 4, 4), int)}
    drawn = sampler(volumes=empty, cases=["s"], patch_size=(4, 4, 3), foreground_share=1.0)
    starts = {corners(i, (4, 4, 4)) for step in range(20) for i in drawn.batch(step).images}
    assert starts == {(0, 0, 0), (0, 0, 1)}


def test_every_place_is_reached_and_evenly(sampler):
    shape = (6, 5, 4)
    drawn = sampler(
        volumes={"s": np.zeros(shape, int)},
        cases=["s"],
        patch_size=(5, 3, 4),
        batch_size=60,
        foreground_share=0.0,
    )
    starts = Counter(corners(i, shape) for step in range(50) for i in drawn.batch(step).images)
    assert set(starts) == {(x, y, 0) for x in range(2) for y in range(3)}
    # 3000 draws of 6 places: 500 each, 5 standard deviations are 103.
    assert max(abs(n - 500) for n in starts.values()) < 103


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_small_volume_lies_in_the_middle_of_zeros(sampler, share):
    labels = np.ones((2, 3, 8), int)
    drawn = sampler(
        volumes={"s": labels}, cases=["s"], patch_size=(6, 6, 4), foreground_share=share
    )
    batch = drawn.batch(0)
    inside = np.zeros((6, 6, 4), bool)
    inside[2:4, 1:4] = True  # 6 − 2 = 4: 2 on either side; 6 − 3 = 3: 1 before and 2 after
    for image, label in zip(batch.images, batch.labels, strict=True):
        np.testing.assert_array_equal(image[0] != 0, inside)
        np.testing.assert_array_equal(image[1], -image[0])
        np.testing.assert_array_equal(label, inside.astype(int))
        along = image[0][2, 2]
        np.testing.assert_array_equal(np.diff(along), 1)  # the long axis is cut, not padded


def test_only_the_given_cases_are_drawn(sampler):
    drawn = sampler(cases=["s1"])
    assert {case for step in range(20) for case in drawn.batch(step).cases} == {"s1"}


def test_small_volume_lies_in_patch_as_in_inference(tmp_path):
    """By an odd and by an even number of voxels: the very patch that the predictor is given."""
    data = write(tmp_path, {"s0": np.ones((5, 6, 7), int)}, classes=2)
    seen = []

    class Recording(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, patch: torch.Tensor) -> torch.Tensor:
            seen.append(patch.numpy()[0].copy())
            return patch

    dense_logits(Recording(), data.image("s0"), (8, 8, 8))
    trained = PatchSampler(data, ["s0"], (8, 8, 8), 1, 1.0, 0).batch(0).images[0]
    np.testing.assert_array_equal(trained, seen[0])


@pytest.mark.parametrize(
    ("jitter", "places"),
    [
        (0.0, [{2}, {2}, {1}]),
        (0.5, [{1, 2}, {1, 2}, {0, 1}]),  # widths 2.5 → 2, 2 and 1.5 → 2
        (1.0, [set(range(5)), set(range(4)), set(range(3))]),
    ],
)
def test_a_forced_voxel_lies_evenly_within_the_jitter(sampler, jitter, places):
    labels = np.zeros((20, 20, 20), int)
    labels[10, 9, 11] = 1  # far from every edge
    drawn = sampler(
        volumes={"s": labels},
        cases=["s"],
        batch_size=60,
        foreground_share=1.0,
        foreground_jitter=jitter,
    )
    found = np.array(
        [np.argwhere(one)[0] for step in range(50) for one in drawn.batch(step).labels]
    )
    for axis, expected in enumerate(places):
        counts = Counter(found[:, axis].tolist())
        assert set(counts) == expected
        share = 1 / len(expected)
        # 5 standard deviations of a count among 3000.
        limit = 5 * np.sqrt(3000 * share * (1 - share))
        assert max(abs(n - 3000 * share) for n in counts.values()) <= limit


def test_a_voxel_at_the_edge_is_in_its_jittered_patch(sampler):
    labels = np.zeros(SHAPE, int)
    labels[0, 9, 7] = labels[11, 0, 3] = 1
    drawn = sampler(
        volumes={"s": labels},
        cases=["s"],
        batch_size=50,
        foreground_share=1.0,
        foreground_jitter=1.0,
    )
    for step in range(20):
        batch = drawn.batch(step)
        assert batch.labels.any(axis=(1, 2, 3)).all()
        assert (batch.images[:, 0] > 0).all()  # the patch is not moved off the volume


def test_without_jitter_no_further_numbers_are_drawn(sampler):
    def digest(**changes: float) -> str:
        drawn = sampler(batch_size=8, **changes)
        batches = (drawn.batch(step).images.tobytes() for step in range(3))
        return hashlib.sha256(b"".join(batches)).hexdigest()

    # As drawn before there was a jitter.
    before = "db2613d3f3e9236228dda2938219d321a5d1c9edd9329fbb2459da4e30567158"
    assert digest(foreground_jitter=0.0) == before
    assert digest(foreground_jitter=1.0) != before
