"""Write a virtual cohort on disk in the layout of the Medical Segmentation Decathlon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from rarelens.studies.data.raw import GENERATOR, simulated_folder
from rarelens.studies.data.segmentation.simulation.lesions import draw_lesions
from rarelens.studies.data.simulation.anatomy import (
    Mask,
    Template,
    Volume,
    draw_anatomy,
    draw_appearance,
    load_template,
)
from rarelens.studies.files import write_json
from rarelens.studies.settings.segmentation.datasets import Simulate

UNITS = 1000  # stored value of the template's maximum


@dataclass(frozen=True)
class Subject:
    """One virtual subject, all (X, Y, Z): intensity, lesion mask, grey and white matter."""

    image: Volume
    lesion: Mask
    tissue: Mask


def simulate(raw: Path, name: str, settings: Simulate) -> None:
    """Write the cohort ``name`` to ``raw/simulated``: dataset.json, imagesTr/ and labelsTr/.

    What was simulated there earlier is replaced whole.

    Raises:
        RarelensError: if ``raw`` is a link or holds anything else; it is left untouched.
    """
    with simulated_folder(raw) as folder:
        template = load_template(settings.spacing)
        (folder / "imagesTr").mkdir()
        (folder / "labelsTr").mkdir()
        cases = [f"{name}_{number:03d}" for number in range(settings.subjects)]
        for number, case in enumerate(cases):
            subject = draw_subject(template, settings, number)
            image = np.rint(subject.image * UNITS).astype(np.int16)
            _write(folder / "imagesTr" / f"{case}.nii.gz", image, template.affine)
            label = subject.lesion.astype(np.uint8)
            _write(folder / "labelsTr" / f"{case}.nii.gz", label, template.affine)
        write_json(folder / "dataset.json", _description(name, cases))


def draw_subject(template: Template, settings: Simulate, number: int) -> Subject:
    """Draw subject ``number``; it depends on the seed and its number, not on the others.

    Geometry, lesions and appearance have random streams of their own, so that other lesions
    leave the same anatomy and noise.
    """
    geometry, lesions, appearance = np.random.default_rng([settings.seed, number]).spawn(3)
    anatomy = draw_anatomy(template, settings, geometry)
    drawn = draw_lesions(anatomy.tissue, settings, lesions)
    diseased = np.maximum(anatomy.image + drawn.change, 0)
    image = draw_appearance(diseased, anatomy.brain, settings, appearance)
    return Subject(image, drawn.mask, anatomy.tissue)


def _description(name: str, cases: list[str]) -> dict[str, Any]:
    files = [f"{case}.nii.gz" for case in cases]
    return {
        "name": name,
        "description": "SIMULATED: the MNI152 T1 template, warped per subject, with artificial "
        "lesions. No patients.",
        "generator": GENERATOR,
        "tensorImageSize": "3D",
        "modality": {"0": "T1"},
        "labels": {"0": "background", "1": "lesion"},
        "numTraining": len(files),
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{f}", "label": f"./labelsTr/{f}"} for f in files],
        "test": [],
    }


def _write(path: Path, array: NDArray[Any], affine: NDArray[np.float64]) -> None:
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
