"""Bad model folders, prepared arrays, splits, initial weights, and arguments of stages."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from rarelens.errors import RarelensError
from rarelens.studies.building import build
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.data.splits import read_split_file
from rarelens.studies.models.prediction import load_model
from rarelens.studies.models.segmentation.model import SegmenterCard, build_segmenter
from rarelens.studies.models.storage import write_model
from rarelens.studies.settings.methods import Network
from rarelens.studies.settings.segmentation.datasets import Preprocess, Split, ZScore
from refusals.bad import BAD, Bad, bad
from refusals.of_volumes import DEEP, _entry, msd

ROOT = Path(__file__).parents[2]


def model(folder: Path) -> dict[str, Any]:
    """A small model's folder, and its card."""
    network = {"network": "unet", "channels": [4, 8]}
    card = {
        "dataset": "set", "classes": ["a", "b"], "network": network, "fraction": "1", "seed": 0,
        "steps": 1, "selected_step": 1, "channels": ["T1"], "rare_classes": [1],
        "preprocess": {"intensity": [{"method": "zscore"}]}, "patch_size": [8, 8, 8],
        "method": {"objective": "cross_entropy"}, "training_cases": [], "validation_cases": [],
        "gradient_evaluations": 1,
    }  # fmt: skip
    read = SegmenterCard.model_validate_json(json.dumps(card))
    weights = build_segmenter(Network(**network), 1, 2).state_dict()
    write_model(folder, weights, read)
    loaded: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return loaded


def _card(change: Callable[[dict[str, Any]], Any], folder: Path) -> None:
    card = model(folder)
    change(card)
    (folder / "model.json").write_text(json.dumps(card))
    load_model(folder)


CARDS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a card without classes": (lambda card: card.pop("classes"), "broken"),
    "a card with a key too many": (lambda card: card.update(extra=1), "broken"),
    "a card of a network of 60 000 channels": (
        lambda card: card["network"].update(channels=[60000, 60000]), "broken"),
    "a card of a network of 10⁹ channels": (
        lambda card: card["network"].update(channels=[10**9, 10**9]), "broken"),
    "a card of 10⁷ classes": (
        lambda card: card.update(classes=[str(n) for n in range(10**6)]), "broken"),
    "a card with a patch of 10⁶ voxels a side": (
        lambda card: card.update(patch_size=[10**6] * 3), "broken"),
    "a card with a patch of no voxel": (lambda card: card.update(patch_size=[0, 0, 0]), "broken"),
    "a card with a spacing of 1e-6": (
        lambda card: card["preprocess"].update(spacing=[1e-6] * 3), "broken"),
    "a card of a network that there is not": (
        lambda card: card["network"].update(network="../../evil"), "broken"),
    "a card of a network with odd options": (
        lambda card: card["network"].update(norm="__import__"), "broken"),
    "a card of a classifier's network": (
        lambda card: card.update(network={"network": "light_cnn"}), "broken"),
    "a card with another digest": (lambda card: card.update(weights_sha256="0" * 64), "broken"),
    "a card with a digest of 10 MB": (
        lambda card: card.update(weights_sha256="0" * 10**7), "broken"),
    "a card of a classifier with a standard deviation of 0": (
        lambda card: (card.clear(), card.update(CLASSIFIER, std=[0.0])), "broken"),
    "a card of a classifier with a size of 10⁶ pixels": (
        lambda card: (card.clear(), card.update(CLASSIFIER, size=[10**6] * 2)), "broken"),
    "a card of a classifier with two means of one channel": (
        lambda card: (card.clear(), card.update(CLASSIFIER, mean=[0.0, 0.0])), "broken"),
}  # fmt: skip
CLASSIFIER: dict[str, Any] = {
    "dataset": "set", "classes": ["a", "b"], "network": {"network": "light_cnn"}, "fraction": "1",
    "seed": 0, "steps": 1, "selected_step": 1, "channels": 1, "size": [32, 32], "mean": [0.5],
    "std": [0.2], "preprocess": {"image_size": [32, 32]}, "method": {"objective": "bce"},
    "adjustment": None, "training_images": [], "validation_images": [],
}  # fmt: skip
for given, (change, says) in CARDS.items():
    BAD.append(Bad("Model folder", given, says, partial(_card, change)))


def _weights(change: Callable[[dict[str, Any]], Any], folder: Path) -> None:
    card = model(folder)
    weights = load_file(folder / "weights.safetensors")
    change(weights)
    save_file(weights, folder / "weights.safetensors")
    card.pop("weights_sha256")
    (folder / "model.json").write_text(json.dumps(card))
    load_model(folder)


def _each(function: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda own: own.update({key: function(value) for key, value in own.items()})


WEIGHTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "weights of NaN": _each(lambda value: value.float() * torch.nan),
    "weights of infinity": _each(lambda value: value.float() * torch.inf),
    "weights of whole numbers": _each(lambda value: value.int()),
    "weights of half precision": _each(lambda value: value.half()),
    "weights of another shape": _each(lambda value: value.flatten()),
    "no weight": lambda own: own.clear(),
    "a weight too many": lambda own: own.update(more=torch.zeros(3)),
    "a weight too few": lambda own: own.pop(next(iter(own))),
}
for given, change in WEIGHTS.items():
    BAD.append(Bad("Model folder", given, "broken", partial(_weights, change)))

FILES: dict[str, tuple[str, bytes | None]] = {
    "no card": ("model.json", None),
    "no weights": ("weights.safetensors", None),
    "an empty card": ("model.json", b""),
    "a card that is null": ("model.json", b"null"),
    "a card that is a number": ("model.json", b"3"),
    "a card nested 200 000 deep": ("model.json", DEEP.encode()),
    "a card in UTF-16": ("model.json", "{}".encode("utf-16")),
    "empty weights": ("weights.safetensors", b""),
    "weights that are a pickle": ("weights.safetensors", b"\x80\x04cos\nsystem\n."),
    "weights whose header claims 10¹⁸ bytes": (
        "weights.safetensors", (10**18).to_bytes(8, "little") + b"{}"),
    "weights of zeros": ("weights.safetensors", bytes(1000)),
}  # fmt: skip


def _file(name: str, content: bytes | None, folder: Path) -> None:
    model(folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    load_model(folder)


for given, (name, content) in FILES.items():
    BAD.append(Bad("Model folder", given, "model", partial(_file, name, content)))


@bad("Model folder", "none", "no model here")
def _(folder: Path) -> None:
    load_model(folder / "absent")


def _initial(change: Callable[[dict[str, Any]], Any], folder: Path) -> None:
    """Weights for a ResNet-50 to begin with."""
    given = {"in_channels": 1, "out_channels": 2}
    weights = build("networks", "resnet50", {}, "networks.a", given).state_dict()
    change(weights)
    save_file(weights, folder / "initial.safetensors")
    options = {"weights": str(folder / "initial.safetensors")}
    build("networks", "resnet50", options, "networks.a", given)


FIRST = "body.conv1.weight"
INITIAL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "initial weights of no dimension": lambda own: own.update({FIRST: torch.tensor(1.0)}),
    "initial weights of one dimension": lambda own: own.update({FIRST: torch.zeros(3)}),
    "initial weights of five dimensions": lambda own: own.update(
        {"body.layer1.0.conv1.weight": torch.zeros(1, 1, 1, 1, 1)}),
    "initial weights of NaN": lambda own: own.update({FIRST: own[FIRST] * torch.nan}),
    "initial weights of whole numbers": lambda own: own.update({FIRST: own[FIRST].int()}),
    "initial weights of another network": lambda own: (own.clear(), own.update(a=torch.zeros(1))),
}  # fmt: skip
for given, change in INITIAL.items():
    BAD.append(Bad("Initial weights", given, "networks.a", partial(_initial, change)))


@bad("Initial weights", "no file", "no such file")
def _(folder: Path) -> None:
    given = {"in_channels": 1, "out_channels": 2}
    build("networks", "resnet50", {"weights": str(folder / "a")}, "networks.a", given)


def prepared(folder: Path) -> None:
    """A dataset of two cases, prepared in ``folder/prepared``."""
    raw = folder / "raw"
    raw.mkdir()
    entries = [_entry(f"imagesTr/{n}.nii.gz", f"labelsTr/{n}.nii.gz") for n in "ab"]
    msd(raw, training=[entry["training"][0] for entry in entries])
    image = np.random.default_rng(0).random((6, 6, 6), np.float32)
    label = (image > 0.5).astype(np.uint8)
    for kind, array in (("imagesTr", image), ("labelsTr", label)):
        for name in "ab":
            nib.save(nib.Nifti1Image(array, np.eye(4)), raw / kind / f"{name}.nii.gz")
    (folder / "prepared").mkdir()
    settings = Preprocess(intensity=(ZScore(method="zscore"),))
    split = Split(seed=0, test=1, validation=0)
    prepare_dataset("set", "msd", raw, folder / "prepared", settings, split)


def _damaged(kind: str, change: Callable[[bytes], bytes | None], folder: Path) -> None:
    prepared(folder)
    file = folder / "prepared" / kind / "a.npy"
    content = change(file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    data = PreparedDataset(folder / "prepared")
    for read in (data.image, data.label, data.foreground):
        np.asarray(read("a"))


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "an array cut short": lambda content: content[:-10],
    "an array cut within its header": lambda content: content[:20],
    "an empty array file": lambda content: b"",
    "zeros as an array": lambda content: bytes(len(content)),
    "a text as an array": lambda content: b"text",
    "an archive as an array": lambda content: b"PK\x03\x04" + content,
    "no array": lambda content: None,
}
for given, own in DAMAGES.items():
    BAD.append(Bad("Prepared data", given, "a.npy", partial(_damaged, "images", own)))
BAD.append(
    Bad(
        "Prepared data",
        "a changed voxel",
        "not those that were prepared",
        partial(_damaged, "images", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
    )
)
BAD.append(
    Bad(
        "Prepared data",
        "a changed label",
        "not those that were prepared",
        partial(_damaged, "labels", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
    )
)


@bad("Prepared data", "none", "no prepared dataset")
def _(folder: Path) -> None:
    PreparedDataset(folder / "absent")


SPLITS: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "not readable as CSV"),
    "other columns": (b"a,b\n1,2\n", "columns"),
    "a split that there is not": (b"case,split\na,training\nb,pool\n", "choose from"),
    "a case that there is not": (b"case,split\na,test\nb,pool\nc,pool\n", "not a case"),
    "a case left out": (b"case,split\na,test\n", "not listed"),
    "a case twice": (b"case,split\na,test\na,test\nb,pool\n", "listed twice"),
    "no test case": (b"case,split\na,pool\nb,pool\n", "no case in split test"),
    "UTF-16": ("case,split\na,test\n".encode("utf-16"), "not readable as CSV"),
    "zeros": (bytes(1000), "split.csv"),
    "a row of 1 000 cells": (b"case,split\na,test\n" + b"x," * 1000 + b"\n", "split.csv"),
}


def _split(content: bytes, folder: Path) -> None:
    (folder / "split.csv").write_bytes(content)
    read_split_file(["a", "b"], ["a", "b"], folder, "split.csv")


for given, (content, says) in SPLITS.items():
    BAD.append(Bad("Split file", given, says, partial(_split, content)))


@bad("Split file", "a path with ..", "outside the dataset's folder")
def _(folder: Path) -> None:
    read_split_file(["a"], ["a"], folder, "../split.csv")


@bad("Split file", "a folder", "not readable as CSV")
def _(folder: Path) -> None:
    (folder / "split.csv").mkdir()
    read_split_file(["a"], ["a"], folder, "split.csv")


@bad("Split file", "a path of 5 000 characters", "not readable as CSV")
def _(folder: Path) -> None:
    read_split_file(["a"], ["a"], folder, "a" * 5000)


def _stage(script: str, arguments: tuple[str, ...], _: Path) -> None:
    """A stage's script; one that prints a sentence and no traceback raises it here."""
    # `tried.apart` has forked for it; one is started as DVC does.
    status, said = (_started if not arguments else _run_here)(script, arguments)
    lines = said.strip().splitlines()
    if status == 1 and lines and all(line.startswith("error: ") for line in lines):
        raise RarelensError(*(line.removeprefix("error: ") for line in lines))
    raise AssertionError(said[-2000:])


def _started(script: str, arguments: tuple[str, ...]) -> tuple[int, str]:
    command = [sys.executable, f"stages/{script}.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def _run_here(script: str, arguments: tuple[str, ...]) -> tuple[object, str]:
    os.chdir(ROOT)
    sys.argv = [f"stages/{script}.py", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            return ended.code, said.getvalue()
    return 0, said.getvalue()


CELL = ("embedded", "unet", "cross_entropy", "1", "0")
STAGES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no argument": ("train_segmentation", (), "its arguments are"),
    "an argument too many": ("train_segmentation", (*CELL, "x", "y"), "its arguments are"),
    "a seed that is a word": ("train_segmentation", (*CELL[:4], "x"), "seed is 'x'"),
    "a seed below zero": ("train_segmentation", (*CELL[:4], "-1"), "seed is '-1'"),
    "a fraction that is a word": (
        "analyse_segmentation", (*CELL[:3], "half", "0"), "fraction is 'half'"),
    "a fraction above 1": ("analyse_segmentation", (*CELL[:3], "2", "0"), "fraction is '2'"),
    "a path as a dataset": (
        "analyse_segmentation", ("../../etc", *CELL[1:]), "dataset is '../../etc'"),
    "a path as a method": (
        "extract_classification", (*CELL[:2], "../x", *CELL[3:]), "method is '../x'"),
    "a task that there is not": ("cells", ("detection",), "task is 'detection'"),
    "an empty dataset": ("preprocess_segmentation", ("",), "dataset is ''"),
    "a dataset of 5 000 letters": ("simulate", ("a" * 5000,), "simulate"),
}  # fmt: skip
for given, (script, arguments, says) in STAGES.items():
    BAD.append(Bad("Stage", f"`{script}` with {given}", says, partial(_stage, script, arguments)))


def _analyse(task: str, folder: Path) -> None:
    if task == "segmentation":
        from rarelens.studies.analysis.segmentation.analyse import analyse

        analyse(folder / "extract", folder, folder, None)  # type: ignore[arg-type]
    else:
        from rarelens.studies.analysis.classification.analyse import analyse_cell

        analyse_cell(folder / "extract", None, folder, None)  # type: ignore[arg-type]


for task in ("segmentation", "classification"):
    says = "there is no extract"
    BAD.append(Bad("Stage", f"analyse of {task} without an extract", says, partial(_analyse, task)))
