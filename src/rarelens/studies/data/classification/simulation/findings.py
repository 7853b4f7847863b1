"""Write a virtual multi-label dataset: slices of virtual subjects with findings, as COCO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as rle
from scipy.ndimage import distance_transform_edt

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.simulation.presence import draw_presence
from rarelens.studies.data.classification.simulation.shapes import (
    SHAPES,
    Pattern,
    Place,
    check_shapes,
)
from rarelens.studies.data.classification.simulation.slices import draw_slices
from rarelens.studies.data.raw import GENERATOR, simulated_folder
from rarelens.studies.data.simulation.anatomy import (
    Anatomy,
    Mask,
    Template,
    draw_appearance,
    load_template,
)
from rarelens.studies.files import write_json
from rarelens.studies.settings.classification.datasets import Finding, SimulateFindings

WHITE = 1.5  # times the template's maximum: what pixel value 255 stands for
LARGEST = 0.6  # radius of a finding, at most this share of the depth of the slice's brain


@dataclass(frozen=True)
class Picture:
    """One image of a subject.

    Attributes:
        pixels: (rows, columns).
        findings: class index and mask (rows, columns) of each.
        brain: (rows, columns).
    """

    pixels: NDArray[np.uint8]
    findings: list[tuple[int, Mask]]
    brain: Mask


def simulate_findings(raw: Path, name: str, settings: SimulateFindings) -> None:
    """Write the dataset ``name`` to ``raw/simulated``: annotations.json and images/ (8-bit grey).

    What was simulated there earlier is replaced whole.

    Raises:
        RarelensError: if a finding has no shape that there is, or would be in no image, or if
            ``raw`` is a link or holds anything else; it is left untouched.
    """
    check_shapes(name, settings)
    _refuse_absent(name, settings)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with simulated_folder(raw) as folder:
        template = load_template(settings.spacing)
        (folder / "images").mkdir()
        for number in range(settings.subjects):
            group = f"{name}_{number:04d}"
            for index, picture in enumerate(draw_pictures(template, settings, number)):
                file = f"{group}_{index:02d}.png"
                image = Image.fromarray(picture.pixels)
                image.save(folder / "images" / file, format="PNG", compress_level=6)
                images.append(_image(len(images) + 1, file, group, picture))
                for found in picture.findings:
                    entry = _annotation(len(annotations) + 1, len(images), *found)
                    annotations.append(entry)
        write_json(folder / "annotations.json", _description(settings, images, annotations))


def draw_pictures(template: Template, settings: SimulateFindings, number: int) -> list[Picture]:
    """Draw the images of subject ``number``; they depend on the seed and its number alone.

    Geometry, presence, each image's appearance and each of its findings have random streams of
    their own, so that another finding leaves the same anatomy, noise and other findings.
    """
    geometry, presence, pictures = _streams(settings, number)
    present = draw_presence(settings, presence)
    anatomy = draw_slices(template, settings, len(present), geometry)
    return [
        _draw_picture(Anatomy(*plane), settings, shown, rng)
        for *plane, shown, rng in zip(
            anatomy.image,
            anatomy.brain,
            anatomy.tissue,
            present,
            pictures.spawn(len(present)),
            strict=True,
        )
    ]


def _draw_picture(
    plane: Anatomy,
    settings: SimulateFindings,
    present: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Picture:
    """Draw the findings that are ``present`` into one slice (rows, columns)."""
    appearance, *streams = rng.spawn(1 + len(present))
    changed = plane.image.astype(np.float64)
    findings: list[tuple[int, Mask]] = []
    for index, finding in enumerate(settings.findings.values()):
        if present[index]:
            for change, mask in _draw_finding(finding, plane, settings.spacing, streams[index]):
                changed += change
                findings.append((index, mask))
    image = np.maximum(changed, 0).astype(np.float32)
    seen = draw_appearance(image, plane.brain, settings, appearance)
    pixels = np.rint(np.clip(seen / WHITE, 0, 1) * 255).astype(np.uint8)
    return Picture(pixels, findings, plane.brain)


def _streams(settings: SimulateFindings, number: int) -> list[np.random.Generator]:
    """A subject's random streams: geometry, presence, pictures."""
    return np.random.default_rng([settings.seed, number]).spawn(3)


def _refuse_absent(name: str, settings: SimulateFindings) -> None:
    """Refuse a dataset that lacks one of its findings, before anything is drawn."""
    shown = [
        draw_presence(settings, _streams(settings, number)[1])
        for number in range(settings.subjects)
    ]
    counts = np.concatenate(shown).sum(0)
    images = sum(map(len, shown))
    absent = [
        finding for finding, count in zip(settings.findings, counts, strict=True) if not count
    ]
    if absent:
        raise RarelensError(
            *(
                f"datasets.{name}.simulate: {finding} (prevalence "
                f"{settings.findings[finding].prevalence}) is in none of the {images} images; "
                "raise subjects, or its prevalence"
                for finding in absent
            )
        )


def _draw_finding(
    finding: Finding, plane: Anatomy, pixel: float, rng: np.random.Generator
) -> list[tuple[Pattern, Mask]]:
    """All occurrences of one finding in an image: what each adds to it, and its mask.

    Centres lie in grey or white matter, as deep in the brain as the finding's radius, which is
    limited to what the slice can hold.
    """
    depth = distance_transform_edt(plane.brain) * pixel
    most = LARGEST * depth[plane.tissue].max()
    drawn = []
    for _ in range(rng.integers(*finding.number, endpoint=True)):
        radius = min(rng.uniform(*finding.radius), most)
        contrast = rng.uniform(*finding.contrast)
        places = np.argwhere(plane.tissue & (depth >= radius))
        centre = places[rng.integers(len(places))]
        offsets = (np.indices(plane.brain.shape) - centre.reshape(2, 1, 1)) * pixel
        place = Place(plane.brain, offsets, pixel, radius)
        pattern, mask = SHAPES[finding.shape](place, rng)
        drawn.append((contrast * pattern, mask))
    return drawn


def _image(identity: int, file: str, group: str, picture: Picture) -> dict[str, Any]:
    height, width = picture.pixels.shape
    return {"id": identity, "file_name": file, "width": width, "height": height, "group": group}


def _annotation(identity: int, image: int, category: int, mask: Mask) -> dict[str, Any]:
    """A COCO annotation; the box is the pixels' outer bounds, as pycocotools has it."""
    encoded = rle.encode(np.asfortranarray(mask, np.uint8))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    box = [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
    return {
        "id": identity,
        "image_id": image,
        "category_id": category + 1,
        "bbox": box,
        "area": int(mask.sum()),
        "segmentation": {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")},
        "iscrowd": 0,
    }


def _description(
    settings: SimulateFindings, images: list[dict[str, Any]], annotations: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "info": {
            "description": "SIMULATED: slices of the MNI152 T1 template, warped per subject, with "
            "artificial findings. No patients.",
            "generator": GENERATOR,
        },
        "categories": [
            {"id": index + 1, "name": finding} for index, finding in enumerate(settings.findings)
        ],
        "images": images,
        "annotations": annotations,
    }
