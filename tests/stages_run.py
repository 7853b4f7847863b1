"""A tiny finished project, made without DVC: the `main` of every stage, in this process."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rarelens.pipeline.lineage.damage import damage_told
from working_copy import ROOT, shrink

VOLUMES = ("embedded", "unet")
IMAGES = ("embedded_findings", "light_cnn")
CELL = ("1", "0")
# In the order in which they depend on one another; those of a retraining take its name apart.
STAGES: dict[str, tuple[str, ...]] = {
    "fingerprint": ("fingerprint",),
    "simulate volumes": ("simulate", VOLUMES[0]),
    "simulate images": ("simulate", IMAGES[0]),
    "preprocess volumes": ("preprocess_segmentation", VOLUMES[0]),
    "preprocess images": ("preprocess_classification", IMAGES[0]),
    "cells of volumes": ("cells", "segmentation"),
    "cells of images": ("cells", "classification"),
    "train volumes": ("train_segmentation", *VOLUMES, "cross_entropy", *CELL),
    "train others": ("train_segmentation", *VOLUMES, "focal", *CELL),
    "train images": ("train_classification", *IMAGES, "bce", *CELL),
    "train more images": ("train_classification", *IMAGES, "weighted_bce", *CELL),
    "retrain": ("retrain_classification", *IMAGES, "bce", "classifier_retraining", *CELL),
}
for part in ("extract", "analyse"):
    for method in ("cross_entropy", "focal"):
        STAGES[f"{part} {method}"] = (f"{part}_segmentation", *VOLUMES, method, *CELL)
    for method in ("bce", "weighted_bce", "bce+classifier_retraining"):
        STAGES[f"{part} {method}"] = (f"{part}_classification", *IMAGES, method, *CELL)
STAGES["extract adjusted"] = (*STAGES["extract cross_entropy"], "threshold")
STAGES["analyse adjusted"] = (
    "analyse_segmentation", *VOLUMES, "cross_entropy+threshold", *CELL)  # fmt: skip
STAGES["compare volumes"] = ("compare_segmentation",)
STAGES["browse volumes"] = ("browse_segmentation",)
STAGES["compare images"] = ("compare_classification",)
STAGES["report"] = ("report",)


def action(name: str) -> Callable[[], None]:
    """What a stage does in the working directory, without the guard around it, MLflow or the
    comparison of the code with its fingerprints.
    """
    script, *arguments = STAGES[name]
    module: Any = importlib.import_module(script)
    for attribute in ("LiveRun", "sync_if_possible"):
        if hasattr(module, attribute):
            from rarelens.studies.training.run import Unobserved

            setattr(module, attribute, Unobserved if attribute == "LiveRun" else _nothing)
    main = inspect.unwrap(module.main)
    bound = inspect.signature(main).bind_partial(*arguments)
    more = {"code": ""} if "code" in inspect.signature(main).parameters else {}

    def run() -> None:
        with damage_told(bound.arguments):
            main(*arguments, **more)

    return run


def _nothing(_: Any) -> None:
    return


def finish(folder: Path) -> None:
    """Make the project in an empty folder; takes half a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("src", "stages", "weights", "requirements.lock"):
        (folder / name).symlink_to(ROOT / name)
    yaml = YAML()
    parameters = yaml.load(ROOT / "params.yaml")
    _shrink(parameters)
    yaml.dump(parameters, folder / "params.yaml")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for name in STAGES:
            action(name)()
    finally:
        os.chdir(before)


def _shrink(parameters: Any) -> None:
    shrink(parameters)
    study, datasets = parameters["study"], parameters["datasets"]
    volumes, images = datasets["embedded"], datasets["embedded_findings"]
    study["simulated"] = [VOLUMES[0], IMAGES[0]]
    study["segmentation"]["datasets"] = [VOLUMES[0]]
    study["classification"]["datasets"] = [IMAGES[0]]
    volumes["simulate"] |= {"subjects": 7, "spacing": 6.0}
    volumes["split"] |= {"test": 2, "validation": 1, "pool": 4}
    volumes["patch_size"] = [16, 16, 16]
    images["simulate"] |= {"subjects": 12, "spacing": 6.0}
    findings = images["simulate"]["findings"]
    images["simulate"]["findings"] = {name: findings[name] for name in ("mass", "shadow")}
    images["preprocess"]["image_size"] = [32, 32]
    parameters["train"]["segmentation"] |= {"steps": 4, "epoch_steps": 2}
    parameters["train"]["classification"] |= {"steps": 6, "epoch_steps": 3}
