"""Slices: the same anatomy as a volume's, on one canvas, the right way up."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_img

from rarelens.studies.data.classification.simulation.slices import draw_slices
from rarelens.studies.data.simulation.anatomy import Template, draw_anatomy, load_template
from rarelens.studies.settings.classification.datasets import SimulateFindings


@pytest.fixture(scope="module")
def template(findings: SimulateFindings) -> Template:
    return load_template(findings.spacing)


def test_unwarped_slices_are_the_template_seen_from_below(
    template: Template, findings: SimulateFindings
) -> None:
    still = findings.model_copy(update={"rotation": 0.0, "scaling": 0.0, "warp": 0.0})
    drawn = draw_slices(template, still, 4, np.random.default_rng(0))
    fine = template.affine @ np.diag([1, 1, 1 / 16, 1])  # planes 0.25 mm apart
    shape = (*template.shape[:2], 16 * template.shape[2])
    source = nib.Nifti1Image(
        template.image, nib.affines.from_matvec(np.eye(3), template.origin.tolist())
    )
    planes = resample_img(source, fine, shape, interpolation="linear").get_fdata()
    for image, brain in zip(drawn.image, drawn.brain, strict=True):
        # Rows run from the nose (+Y) to the back of the head, columns from right (+X) to left.
        seen = planes[::-1, ::-1].transpose(2, 1, 0)
        assert np.abs(seen - image)[:, brain].mean(1).min() < 0.005
        mirrored = planes[:, ::-1].transpose(2, 1, 0)
        assert np.abs(mirrored - image)[:, brain].mean(1).min() > 0.01


def test_canvas_is_the_same_for_all_and_slices_are_large(
    template: Template, findings: SimulateFindings
) -> None:
    shape = (3, template.shape[1], template.shape[0])
    for seed in range(10):
        drawn = draw_slices(template, findings, 3, np.random.default_rng(seed))
        assert drawn.image.shape == drawn.brain.shape == drawn.tissue.shape == shape
        assert (drawn.brain.mean((1, 2)) > 0.25).all()
        assert not (drawn.tissue & ~drawn.brain).any()
        assert (drawn.image[~drawn.brain] == 0).all()


def test_elastic_displacement_is_as_large_and_smooth_as_that_of_volumes(
    template: Template, findings: SimulateFindings
) -> None:
    def change(warp: float, seed: int) -> float:
        rigid = findings.model_copy(update={"rotation": 0.0, "scaling": 0.0, "warp": warp})
        still = rigid.model_copy(update={"warp": 0.0})
        one, other = (
            draw_slices(template, s, 2, np.random.default_rng(seed)).brain for s in (rigid, still)
        )
        return float((one != other).mean())

    def change_of_volume(seed: int) -> float:
        rigid = findings.model_copy(update={"rotation": 0.0, "scaling": 0.0})
        still = rigid.model_copy(update={"warp": 0.0})
        one, other = (
            draw_anatomy(template, s, np.random.default_rng(seed)).brain for s in (rigid, still)
        )
        middle = one.shape[2] // 2
        return float((one != other)[..., middle - 5 : middle + 15 : 5].mean())

    slices = np.mean([change(findings.warp, seed) for seed in range(8)])
    volumes = np.mean([change_of_volume(seed) for seed in range(8)])
    assert slices == pytest.approx(volumes, rel=0.35)
    assert np.mean([change(2 * findings.warp, seed) for seed in range(8)]) > 1.4 * slices
