"""Time and memory of every stage, as volumes, cohorts, classes, images and cells grow.

A project of synthetic data is made for each point of a sweep, and the ``main`` of each stage's
script is called in it, one stage in a process of its own, one thread. Each measurement is printed
as a row and added to ``--out``: ``python benchmarks/cost_curves.py`` (Linux only, 20 minutes);
``--only volumes`` measures one sweep anew and leaves the others' rows.

"Seconds" are of the CPU, for they bear other work beside them. "Own" memory is what the process
allocated beyond what it had after its imports, read every 5 ms. What a network has learnt is not
measured: its weights are of one short training, its last layer is made ten times as large, so that
logits spread as a trained network's do, and the label maps that stage analyse reads are the
reference's, moved by a voxel.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import threadpoolctl
import torch
import yaml
from extract_memory import Peak
from gpu_parts.processes import start, values

from rarelens.studies.training.run import Unobserved

ROOT = Path(__file__).resolve().parents[1]
SPREAD = 10.0
"""By which the last layer's weights are multiplied."""
COLUMNS = ["sweep", "value", "stage", "seconds", "wall", "own_mib", "load"]
TIMEOUT = 900


@dataclass(frozen=True)
class Point:
    """A study: side of the cubes or images, cases or images, classes, methods, seeds."""

    task: str
    side: int
    cases: int
    classes: int
    methods: int = 2
    seeds: int = 3


VOLUMES = Point("segmentation", 32, 10, 2)
IMAGES = Point("classification", 64, 1000, 8)
SWEEPS: dict[str, tuple[Point, str, tuple[int, ...]]] = {
    "volumes": (replace(VOLUMES, cases=5), "side", (32, 64, 96, 128, 192)),
    "cohort": (VOLUMES, "cases", (10, 30, 100, 300)),
    "classes": (VOLUMES, "classes", (2, 10, 30, 100, 300)),
    "methods": (VOLUMES, "methods", (2, 5, 10, 20, 40)),
    "seeds": (VOLUMES, "seeds", (3, 10, 30, 100)),
    "images": (IMAGES, "cases", (100, 1000, 10000)),
    "pixels": (replace(IMAGES, cases=200), "side", (64, 128, 256, 512)),
    "findings": (IMAGES, "classes", (2, 10, 50)),
}
MODELS = ("methods", "seeds")
"""Sweeps of one model's copies: only what reads all of them is measured."""


def parameters(point: Point) -> dict[str, Any]:
    """Those of the project, of the point's data and one thread."""
    from rarelens.pipeline.parameters.reading import read_yaml

    found = read_yaml(ROOT / "params.yaml")
    volumes = point.task == "segmentation"
    like = found["datasets"]["hippocampus" if volumes else "blood_cells"]
    data = json.loads(json.dumps(like))
    if volumes:
        tested, kept = round(0.4 * point.cases), max(1, round(0.1 * point.cases))
        data |= {"patch_size": [32] * 3, "rare_threshold": 0.9}
        data |= {"split": {"seed": 0, "test": tested, "validation": kept}}
    else:
        data["preprocess"] = {"image_size": [point.side] * 2}
    found["datasets"]["data"] = data
    found["study"][point.task]["baseline"] = BASELINES[point.task]
    steps = {"steps": 10, "epoch_steps": 10}
    found["train"][point.task] |= steps | {"threads": 1, "workers": 0}
    found["extract"][point.task] |= {"threads": 1}
    found["report"]["cases"] = "none"
    return found


def make_volumes(point: Point, raw: Path) -> None:
    """Cubes of noise with a block of each class, each case's moved, as MSD has them."""
    import nibabel as nib

    side, inside = point.side, np.zeros((point.side,) * 3, np.uint16)
    along = int(np.ceil(np.cbrt(point.classes - 1)))
    block = side // along
    for label in range(1, point.classes):
        corner = np.array(np.unravel_index(label - 1, (along,) * 3)) * block
        inside[tuple(slice(start, start + max(2, block * 3 // 4)) for start in corner)] = label
    names = [f"case_{number:03d}.nii.gz" for number in range(point.cases)]
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    for number, name in enumerate(names):
        rng = np.random.default_rng([0, number])
        labels = np.roll(inside, rng.integers(0, side // 8, 3), (0, 1, 2))
        image = 100 + 400 * labels / point.classes + rng.normal(0, 20, labels.shape)
        for folder, array in (("imagesTr", image.astype(np.int16)), ("labelsTr", labels)):
            nib.save(nib.Nifti1Image(array, np.eye(4)), raw / folder / name)
    listed = {str(label): f"class_{label}" for label in range(point.classes)}
    files = [{"image": f"imagesTr/{name}", "label": f"labelsTr/{name}"} for name in names]
    description = {"name": "data", "modality": {"0": "noise"}, "labels": listed, "training": files}
    (raw / "dataset.json").write_text(json.dumps(description))


def make_images(point: Point, raw: Path) -> None:
    """Images of noise, two boxes in each, of classes that take turns, as COCO has them."""
    from PIL import Image

    (raw / "images").mkdir(parents=True)
    images, found = [], []
    for number in range(point.cases):
        rng, name = np.random.default_rng([0, number]), f"{number:05d}.png"
        pixels = rng.integers(60, 120, (point.side,) * 2, np.uint8)
        for turn in (0, 1):
            label = (number + turn * (number // point.classes)) % point.classes
            size = point.side // 4
            x, y = rng.integers(0, point.side - size, 2).tolist()
            pixels[y : y + size, x : x + size] += np.uint8(10 + 100 * label // point.classes)
            box = {"image_id": number, "category_id": label, "bbox": [x, y, size, size]}
            found.append({"id": len(found), **box})
        Image.fromarray(pixels).save(raw / "images" / name, compress_level=1)
        size = {"width": point.side, "height": point.side}
        images.append({"id": number, "file_name": name, "group": f"p{number // 2}", **size})
    categories = [{"id": label, "name": f"class_{label}"} for label in range(point.classes)]
    description = {"images": images, "annotations": found, "categories": categories}
    (raw / "annotations.json").write_text(json.dumps(description))


def spread_logits(folder: Path) -> None:
    """Make a model's last layer larger."""
    from safetensors.torch import load_file

    from rarelens.studies.models.classification.model import ClassifierCard
    from rarelens.studies.models.segmentation.model import SegmenterCard
    from rarelens.studies.models.storage import CARD, WEIGHTS, read_card, write_model

    kind = SegmenterCard if '"patch_size"' in (folder / CARD).read_text() else ClassifierCard
    weights, card = load_file(folder / WEIGHTS), read_card(folder, kind)
    last = [name for name in weights if name.endswith(("weight", "bias"))][-2:]
    write_model(folder, weights | {name: SPREAD * weights[name] for name in last}, card)


def move_label_maps(extract: Path, prepared: Path) -> None:
    """In place of a network's label maps, the reference's, moved by a voxel."""
    import nibabel as nib

    for file in (extract / "predictions").iterdir():
        truth: Any = nib.load(prepared / "references" / file.name)
        moved = np.roll(np.asarray(truth.dataobj), 1, 0)
        nib.save(nib.Nifti1Image(moved, truth.affine, truth.header), file)


def make_cells(point: Point) -> None:
    """Copies of an analysis as those of other methods and seeds, overlap and margins changed."""
    from rarelens.studies.cells import Cell, write_cells

    methods = [BASELINES[point.task], *(f"method_{number}" for number in range(1, point.methods))]
    cells = [
        Cell(point.task, "data", NETWORKS[point.task], method, "1", seed)
        for method in methods
        for seed in range(point.seeds)
    ]
    for number, cell in enumerate(cells):
        folder = cell.folder("analyses")
        if folder.is_dir():
            continue
        shutil.copytree(cells[0].folder("analyses"), folder)
        rng = np.random.default_rng([1, number])
        for name, columns in (
            ("overlap", ["dice", "sensitivity", "precision", "hd95", "assd"]),
            ("shift_by_case", ["mean"]),
        ):
            file = folder / f"{name}.parquet"
            if file.is_file() and point.task == "segmentation":
                table = pd.read_parquet(file)
                noise = rng.normal(1, 0.05, (len(table), len(columns)))
                table[columns] = table[columns] * noise
                table.to_parquet(file, index=False)
    for task in ("segmentation", "classification"):
        write_cells(Path("cells") / task / "cells.csv", cells if task == point.task else [])
        (Path("cells") / task / "settings.json").write_text("{}")


def note_steps(seconds: list[float]) -> None:
    """Add to ``seconds`` what each step of a training takes from now on."""
    from rarelens.studies.training import loop

    own = loop._Trainer._step

    def step(*values: Any) -> None:
        begun = time.process_time()
        own(*values)
        seconds.append(time.process_time() - begun)

    loop._Trainer._step = step  # type: ignore[method-assign]


def measure(script: str, arguments: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """Call a stage script's ``main`` in this process and folder; what it took."""
    module = importlib.import_module(script)
    # MLflow is measured elsewhere.
    vars(module).update(LiveRun=Unobserved, sync_if_possible=len)
    main = inspect.unwrap(module.main)
    code = [""] if "code" in inspect.signature(main).parameters else []
    steps: list[float] = []
    if script.startswith("train"):
        note_steps(steps)
    before = int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])
    wall, begun = time.perf_counter(), time.process_time()
    with Peak() as peak:
        main(*arguments, *code)
    yield {
        "seconds": time.process_time() - begun,
        "wall": time.perf_counter() - wall,
        "own_mib": (max(peak.value, before) - before) / 1024,
        "step": float(np.median(steps)) if steps else math.nan,
    }


def preload() -> None:
    """Import what the stages import, before any process is forked; and keep to one thread."""
    sys.path.insert(0, str(ROOT / "stages"))
    names = [file.stem for file in sorted((ROOT / "stages").glob("[!_]*.py"))]
    # What is imported on the way only.
    for name in (*names, "monai.metrics.utils", "torch._dynamo", "matplotlib.pyplot"):
        importlib.import_module(name)
    threadpoolctl.threadpool_limits(1)
    pa.set_cpu_count(1)
    torch.set_num_threads(1)


def in_own_process(script: str, *arguments: str) -> dict[str, float]:
    """Measure a stage in the present folder; NaN if it fails or takes longer than `TIMEOUT`."""
    (found,) = values(start(measure, script, arguments), TIMEOUT)
    if "what" in found:
        print(f"{script}: {found['what']}", file=sys.stderr)
    return dict.fromkeys(("seconds", "wall", "own_mib", "step"), math.nan) | found


Measured = Iterator[tuple[str, dict[str, float]]]
NETWORKS = {"segmentation": "unet", "classification": "light_cnn"}
BASELINES = {"segmentation": "cross_entropy", "classification": "bce"}


def one_model(point: Point) -> Measured:
    """Make the point's data here, then a model and its analysis; what each took."""
    volumes = point.task == "segmentation"
    own = (NETWORKS[point.task], BASELINES[point.task], "1", "0")
    place = Path(point.task, "data", *own)
    Path("params.yaml").write_text(yaml.safe_dump(parameters(point), sort_keys=False))
    (make_volumes if volumes else make_images)(point, Path("data/raw/data"))
    yield "preprocess", in_own_process(f"preprocess_{point.task}", "data")
    took = in_own_process(f"train_{point.task}", "data", *own)
    yield "step", took | {"seconds": took["step"], "wall": math.nan}
    yield "train", took
    spread_logits("models" / place)
    yield "extract", in_own_process(f"extract_{point.task}", "data", *own)
    if volumes:
        move_label_maps("extracts" / place, Path("data/prepared/data"))
    yield "analyse", in_own_process(f"analyse_{point.task}", "data", *own)


def all_models(point: Point) -> Measured:
    """Compare and report that model's copies; what each took."""
    make_cells(point)
    Path("metrics").mkdir(exist_ok=True)
    yield "compare", in_own_process(f"compare_{point.task}")
    yield "report", in_own_process("report")
    shutil.rmtree("reports", ignore_errors=True)


def simulated(point: Point) -> Measured:
    """Stage simulate: the point's cases, its voxels as near to the side's cube as they come."""
    settings = parameters(point)
    # The template's field of view is as large as a cube of 206 mm.
    own = {"subjects": point.cases, "spacing": 206.0 / point.side}
    settings["datasets"]["embedded"]["simulate"] |= own
    Path("params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    yield "simulate", in_own_process("simulate", "embedded")


def swept(sweep: str) -> Iterator[dict[str, Any]]:
    """The rows of one sweep."""
    middle, key, several = SWEEPS[sweep]
    with tempfile.TemporaryDirectory() as folder:
        for value in several:
            point = replace(middle, **{key: value})
            os.chdir(folder)
            if sweep in MODELS:
                if value == several[0]:
                    list(one_model(point))
                found = all_models(point)
            else:
                here = Path(folder, str(value))
                here.mkdir()
                os.chdir(here)
                before = simulated(point) if sweep in ("volumes", "cohort") else iter(())
                found = chain(before, one_model(point), all_models(point))
            for stage, took in found:
                load = round(os.getloadavg()[0], 1)
                yield {"sweep": sweep, "value": value, "stage": stage, **took, "load": load}
            os.chdir(ROOT)
            if sweep not in MODELS:
                shutil.rmtree(here)


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--out", type=Path, default=Path("cost_curves.csv"))
    arguments = parser.parse_args()
    preload()
    out = arguments.out.resolve()
    rows = pd.read_csv(out).to_dict("records") if out.is_file() else []
    rows = [row for row in rows if row["sweep"] not in arguments.only]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for sweep in arguments.only:
        for row in swept(sweep):
            rows.append(row)
            shown = (
                f"{row[name]:.3g}" if isinstance(row[name], float) else row[name]
                for name in COLUMNS
            )
            print("|", *(f"{value} |" for value in shown), flush=True)
            pd.DataFrame(rows, columns=COLUMNS).round(3).to_csv(out, index=False)


if __name__ == "__main__":
    main()
