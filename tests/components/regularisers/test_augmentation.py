from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rarelens.components.regularisers.augmentation import (
    Augmentation,
    Changes,
    Strength,
    augment,
    changed,
    drawn,
)

NOTHING = Strength(0, 0, (), 0, 0, 0, 0)
EVERYTHING = Strength(30, 0.2, (0, 1, 2), 0.1, 0.1, 0.2, 0.3)


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Four patches with blobs of classes 1 to 3; channel 0 shows the labels."""
    rng = seeded(0)
    labels = torch.zeros(4, 20, 20, 20, dtype=torch.long)
    for patch in labels:
        for label in (1, 2, 3):
            x, y, z = rng.integers(3, 12, 3)
            patch[x : x + 5, y : y + 6, z : z + 4] = label
    noise = torch.from_numpy(rng.normal(size=labels.shape))
    return torch.stack([labels, noise], 1).float(), labels


def by_monai(image: Tensor, label: Tensor, changes: Changes, i: int) -> tuple[Tensor, Tensor]:
    """One patch, by MONAI's transforms of the same numbers, one after the other; no noise."""
    from monai.transforms import (
        AdjustContrast,
        AffineGrid,
        Compose,
        Flip,
        Resample,
        ScaleIntensity,
        ShiftIntensity,
    )

    axes = np.flatnonzero(changes.mirrored[i]).tolist()
    flip = Flip(axes) if axes else Compose([])
    rotation, scaling = changes.rotation[i].tolist(), changes.scaling[i].tolist()
    grid, _ = AffineGrid(rotate_params=rotation, scale_params=scaling)(image.shape[1:])
    intensities = Compose(
        [
            AdjustContrast(float(changes.gamma[i]), retain_stats=True),
            ScaleIntensity(None, None, factor=float(changes.contrast[i])),
            ShiftIntensity(float(changes.brightness[i])),
        ]
    )
    image = intensities(Resample("bilinear", "border")(flip(image), grid))
    label = Resample("nearest", "border")(flip(label[None].double()), grid)
    return torch.as_tensor(image), torch.as_tensor(label)[0].round().long()


@pytest.mark.parametrize("shape", [(20, 20, 20), (23, 16, 9), (12, 1, 31)])
@pytest.mark.parametrize(
    "strength",
    [
        Strength(180, 0, (), 0, 0, 0, 0),
        Strength(0, 0.5, (0, 1, 2), 0, 0, 0, 0),
        Strength(0, 0, (), 0, 0, 0, 0.6),
        Strength(0, 0, (), 0, 0.5, 0.5, 0),
        Strength(45, 0.3, (0, 2), 0, 0.2, 0.3, 0.3),
    ],
    ids=["rotation", "scaling-mirroring", "gamma", "contrast-brightness", "all"],
)
def test_equals_monais_transforms_of_the_same_numbers(shape, strength: Strength) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(5, 2, *shape, generator=generator) * 3 + 1
    labels = torch.randint(-100, 500, (5, *shape), generator=generator)
    changes = drawn(strength, 5, seeded(7))
    new_images, new_labels = changed(images.clone(), labels.clone(), changes)
    assert not torch.equal(new_images, images)
    for i in range(5):
        image, label = by_monai(images[i], labels[i], changes, i)
        torch.testing.assert_close(new_images[i], image, rtol=0, atol=2e-4)
        # A voxel between two others is of either, by the last bit.
        assert (new_labels[i] != label).float().mean() < 1e-3


def test_numbers_are_drawn_evenly_up_to_the_largest() -> None:
    strength = Strength(40, 0.3, (0, 2), 0.5, 0.2, 0.4, 0.6)
    changes = drawn(strength, 20_000, seeded(3))
    even = [
        (changes.rotation, 0, np.radians(40)), (changes.scaling, 1, 0.3), (changes.gamma, 1, 0.6),
        (changes.contrast, 0, 0.4), (changes.brightness, 0, 0.2), (changes.noise, 0.25, 0.25),
    ]  # fmt: skip
    for values, middle, half in even:
        scaled = (values - middle) / half
        assert np.abs(scaled).max() <= 1
        assert np.abs(scaled).max() > 0.999
        np.testing.assert_allclose(scaled.mean(0), 0, atol=0.025)
        np.testing.assert_allclose(scaled.std(0), 3**-0.5, atol=0.01)
    np.testing.assert_allclose(changes.mirrored.mean(0), [0.5, 0, 0.5], atol=0.02)
    every = np.column_stack([np.stack([*changes[3:7]], 1), changes.rotation, changes.scaling])
    assert np.abs(np.corrcoef(every.T) - np.eye(10)).max() < 0.05
    assert len(set(changes.keys.tolist())) > 19_900


def test_what_is_switched_off_does_not_alter_the_others() -> None:
    one = drawn(Strength(15, 0.1, (0,), 0.1, 0.1, 0.1, 0.1), 4, seeded(3))
    other = drawn(Strength(15, 0, (), 0.1, 0, 0.1, 0), 4, seeded(3))
    for name in ("rotation", "contrast", "noise", "keys"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert not other.mirrored.any()
    assert (other.scaling == 1).all()
    assert (other.gamma == 1).all()


def test_labels_follow_the_image_when_mirrored(batch) -> None:
    images, labels = batch
    strength = Strength(0, 0, (0, 2), 0, 0, 0, 0)
    seen = set()
    for seed in range(4):
        new_images, new_labels = augment(images, labels, strength, seeded(seed))
        assert torch.equal(new_images[:, 0], new_labels.float())
        for i in range(4):
            for axes in ((), (0,), (2,), (0, 2)):
                if torch.equal(new_images[i], images[i].flip([a + 1 for a in axes])):
                    seen.add(axes)
    assert seen == {(), (0,), (2,), (0, 2)}


def test_labels_follow_the_image_when_turned() -> None:
    labels = torch.zeros(6, 24, 24, 24, dtype=torch.long)
    labels[:, 13:19, 4:10, 14:18] = 3
    images = labels[:, None].float()
    strength = Strength(30, 0.2, (), 0, 0, 0, 0)
    new_images, new_labels = augment(images, labels, strength, seeded(1))
    assert new_labels.dtype == torch.long
    assert set(new_labels.unique().tolist()) == {0, 3}
    for i in range(6):
        moved = centre(new_images[i, 0]) - centre(images[i, 0])
        assert np.linalg.norm(moved) > 0.5
        np.testing.assert_allclose(centre(new_images[i, 0]), centre(new_labels[i]), atol=0.15)
        assert new_images[i].sum().item() == pytest.approx(new_labels[i].sum().item(), rel=0.1)


def centre(blob: Tensor) -> NDArray[np.float64]:
    return np.array([np.average(axis, weights=blob) for axis in np.indices(blob.shape)])


def test_a_quarter_turn_about_each_axis_by_hand() -> None:
    """About the first axis by 90°: the value at (y, z) off the middle comes from (−z, y)."""
    images = torch.arange(125.0).view(1, 1, 5, 5, 5)
    for axis in range(3):
        changes = drawn(NOTHING, 1, seeded(0))
        changes.rotation[0, axis] = np.pi / 2
        new, labels = changed(images.clone(), images[:, 0].long(), changes)
        plane = [2 + (axis + 1) % 3, 2 + (axis + 2) % 3]
        torch.testing.assert_close(new, images.rot90(-1, plane), rtol=0, atol=1e-3)
        assert torch.equal(labels, images[:, 0].rot90(-1, [each - 1 for each in plane]).long())


def test_what_comes_in_over_the_border_repeats_it() -> None:
    x = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(1, 1, 16, 4, 4)
    changes = drawn(NOTHING, 1, seeded(0))
    changes.scaling[:] = [2, 1, 1]
    new, labels = changed(x.clone(), x[:, 0].long(), changes)
    expected = (2 * (torch.arange(16.0) - 7.5) + 7.5).clamp(0, 15)
    torch.testing.assert_close(new[0, 0, :, 1, 1], expected, rtol=0, atol=1e-5)
    assert (labels[0, :, 1, 1] - expected).abs().max() <= 0.5
    assert labels[0, :4, 1, 1].tolist() == [0, 0, 0, 0]
    assert labels[0, 12:, 1, 1].tolist() == [15] * 4


def test_labels_are_kept_exactly() -> None:
    """Ignored ones, more classes than a byte holds, and the largest numbers that float32 tells."""
    values = torch.tensor([-100, 0, 1, 255, 256, 999, 65_535, 2**24 - 1])
    for dtype in (torch.int64, torch.int32):
        labels = values[torch.arange(2 * 12**3).view(2, 12, 12, 12) * 5 // 7 % 8].to(dtype)
        images = torch.zeros(2, 1, 12, 12, 12)
        _, new = augment(images, labels, EVERYTHING, seeded(4))
        assert new.dtype == dtype
        assert not torch.equal(new, labels)
        assert set(new.unique().tolist()) <= set(values.tolist())


def test_intensity_changes_leave_the_labels(batch) -> None:
    images, labels = batch
    strength = Strength(0, 0, (), 0.1, 0.1, 0.2, 0.3)
    new_images, new_labels = augment(images, labels, strength, seeded(1))
    assert torch.equal(new_labels, labels)
    assert (new_images != images).float().mean() > 0.99
    assert new_images.dtype == torch.float32


@pytest.mark.parametrize(
    ("strength", "holds"),
    [
        (Strength(0, 0, (), 0, 0.5, 0, 0), lambda old, new: np.ptp(new - old) < 1e-5),
        (Strength(0, 0, (), 0, 0, 0.5, 0), lambda old, new: np.ptp(new[2:] / old[2:]) < 1e-4),
    ],
    ids=["brightness adds", "contrast multiplies"],
)
def test_what_intensity_changes_are(batch, strength: Strength, holds) -> None:
    images, labels = batch
    new, _ = augment(images, labels, strength, seeded(1))
    for i in range(4):
        old_voxels, new_voxels = images[i, 1].flatten().numpy(), new[i, 1].flatten().numpy()
        assert holds(old_voxels, new_voxels)
        assert np.abs(new_voxels - old_voxels).max() > 0.01


def test_gamma_keeps_mean_deviation_and_order(batch) -> None:
    images, labels = batch
    new, _ = augment(images, labels, Strength(0, 0, (), 0, 0, 0, 0.6), seeded(1))
    for old, own in zip(images, new, strict=True):
        assert (own - old).abs().max() > 0.01
        torch.testing.assert_close(own.mean(), old.mean(), rtol=0, atol=1e-5)
        torch.testing.assert_close(own.std(), old.std(), rtol=1e-5, atol=0)
        assert (own.flatten()[old.flatten().argsort()].diff() >= 0).all()


def test_an_even_patch_stays_finite() -> None:
    images, labels = torch.full((2, 1, 6, 6, 6), 3.0), torch.zeros(2, 6, 6, 6, dtype=torch.long)
    new, _ = augment(images, labels, Strength(15, 0.1, (), 0, 0, 0, 0.5), seeded(1))
    torch.testing.assert_close(new, images)


def test_noise_has_the_drawn_deviation(batch) -> None:
    images, labels = batch
    strength = Strength(0, 0, (), 0.5, 0, 0, 0)
    expected = drawn(strength, 4, seeded(5)).noise
    new, _ = augment(images, labels, strength, seeded(5))
    found = (new - images).flatten(1).std(1)
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_largest_changes_are_kept(batch) -> None:
    images, labels = batch
    for seed in range(8):
        new, _ = augment(images, labels, Strength(0, 0, (), 0, 0.5, 0, 0), seeded(seed))
        assert (new - images).abs().max() <= 0.5 + 1e-6


def test_no_strength_changes_nothing(batch) -> None:
    new_images, new_labels = augment(*batch, NOTHING, seeded(1))
    assert torch.equal(new_images, batch[0])
    assert torch.equal(new_labels, batch[1])
    new_images += 1
    new_labels += 1
    assert not torch.equal(new_images, batch[0])
    assert not torch.equal(new_labels, batch[1])


@pytest.mark.parametrize("strength", [EVERYTHING, Strength(), EVERYTHING.weakened(0.5)])
@pytest.mark.parametrize("chosen", [[True, False, False, True], [False, True, False, False]])
def test_patches_not_chosen_are_untouched_and_do_not_change_the_others(
    batch, strength: Strength, chosen: list[bool]
) -> None:
    images, labels = batch
    before = images.clone(), labels.clone()
    some = augment(images, labels, strength, seeded(1), np.array(chosen))
    every = augment(images, labels, strength, seeded(1))
    for old, new, new_all in zip(batch, some, every, strict=True):
        for i in range(4):
            assert torch.equal(new[i], new_all[i] if chosen[i] else old[i])
            assert not torch.equal(new_all[i], old[i])
    for old, kept in zip(batch, before, strict=True):
        assert torch.equal(old, kept)


def test_none_chosen(batch) -> None:
    new = augment(*batch, EVERYTHING, seeded(1), np.zeros(4, bool))
    assert all(torch.equal(a, b) for a, b in zip(new, batch, strict=True))


def test_what_is_drawn_from_the_generator_does_not_depend_on_choice_or_size(batch) -> None:
    """What draws after it, as mixup, draws the same."""
    states = []
    for images, chosen in ((batch[0], None), (batch[0][..., :7], np.array([True] + [False] * 3))):
        rng = seeded(9)
        augment(images, batch[1][..., : images.shape[-1]], EVERYTHING, rng, chosen)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]
    assert states[0] != seeded(9).bit_generator.state


def test_same_generator_same_patches(batch) -> None:
    a, b, c = (augment(*batch, Strength(), seeded(s))[0] for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_global_generators_are_left_alone(batch) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    augment(*batch, EVERYTHING, seeded(1))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_mixed_precision_and_memory_format_do_not_change_it_and_no_graph_is_kept(batch) -> None:
    images, labels = batch
    plain = augment(images, labels, EVERYTHING, seeded(1))
    with torch.autocast("cpu", torch.bfloat16):
        inside = augment(images, labels, EVERYTHING, seeded(1))
    last = images.to(memory_format=torch.channels_last_3d).requires_grad_()
    other = augment(last, labels, EVERYTHING, seeded(1))
    assert not other[0].requires_grad
    assert inside[0].dtype == torch.float32
    for one in (inside, other):
        assert torch.equal(one[1], plain[1])
    assert torch.equal(inside[0], plain[0])
    torch.testing.assert_close(other[0], plain[0], rtol=0, atol=1e-5)


def test_asymmetric_form_augments_patches_centred_on_rare_classes(batch) -> None:
    images, labels = batch
    centres = np.array([3, -1, 1, 2])
    asymmetric = Augmentation(rare_classes=[2, 3])
    new_images, _ = asymmetric.prepare(images, labels, centres, seeded(1))
    others = [not torch.equal(new_images[i], images[i]) for i in range(4)]
    assert others == [True, False, False, True]
    symmetric = Augmentation()
    every, _ = symmetric.prepare(images, labels, centres, seeded(1))
    assert torch.equal(every[[0, 3]], new_images[[0, 3]])
    assert all(not torch.equal(every[i], images[i]) for i in range(4))


def test_weak_augmentation_of_the_others_is_weaker(batch) -> None:
    images, labels = batch
    centres = np.array([3, -1, 1, 2])
    options = {"rotation": 0.0, "scaling": 0.0, "noise": 0.0, "gamma": 0.0, "contrast": 0.0}
    weak = Augmentation(**options, brightness=1.0, weak=0.1, rare_classes=[2, 3])
    new, _ = weak.prepare(images, labels, centres, seeded(3))
    change = (new - images).abs().flatten(1).amax(1)
    assert (change[1:3] > 0).all()
    assert (change[1:3] <= 0.1 + 1e-6).all()
    assert change[[0, 3]].max() > 0.1


def test_weak_of_the_rare_is_that_without_weak(batch) -> None:
    images, labels = batch
    centres = np.array([3, -1, 1, 2])
    with_weak, without = (
        Augmentation(weak=weak, flip_axes=(0,), rare_classes=[3]) for weak in (0.3, 0.0)
    )
    one = with_weak.prepare(images, labels, centres, seeded(3))
    other = without.prepare(images, labels, centres, seeded(3))
    for own, same, old in zip(one, other, batch, strict=True):
        assert torch.equal(own[0], same[0])
        assert torch.equal(same[1:], old[1:])
    assert all(not torch.equal(one[0][i], images[i]) for i in range(4))


def test_empty_rare_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="no patch would be augmented"):
        Augmentation(rare_classes=[])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_what_a_cpu_gives(batch) -> None:
    images, labels = augment(*batch, EVERYTHING, seeded(1))
    moved = augment(*(each.cuda() for each in batch), EVERYTHING, seeded(1))
    torch.testing.assert_close(moved[0].cpu(), images, rtol=0, atol=1e-3)
    assert (moved[1].cpu() != labels).float().mean() < 1e-3
