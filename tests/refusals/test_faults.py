"""Whatever interrupts a stage, and whatever it is given: an exit status of its own, one sentence,
nothing half written.

Run again, it ends in the bytes of a run that nothing interrupted. RARELENS_FAULTS=12 tries more
places of each kind of fault, and more damaged inputs; by default each kind has one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import stages_run
from faulty import FAULTS, Fault, faults_of, run_apart
from folders import digests
from rarelens.errors import guarded

EACH = int(os.environ.get("RARELENS_FAULTS", "1"))
DAMAGED = 3
"""Inputs of a stage, times `EACH`, that are damaged one by one."""
STATUS = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}
SENTENCES = {
    "no space": "make space on this disk",
    "no permission": "give yourself permission",
    "too large": "ulimit -f",
    "SIGINT": "interrupted; run dvc repro to go on",
    "SIGTERM": "ended by SIGTERM; run dvc repro to go on",
}
VOLUMES, IMAGES = "embedded/unet/cross_entropy", "embedded_findings/light_cnn/bce"
OF_VOLUMES, OF_IMAGES = f"segmentation/{VOLUMES}/1/0", f"classification/{IMAGES}/1/0"
RETRAINED = f"classification/{IMAGES}+classifier_retraining/1/0"


class Files(NamedTuple):
    """Outputs of a stage, which DVC removes before it runs; and inputs, files and folders."""

    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()


STAGES = {
    "fingerprint": Files(("fingerprints",)),
    "simulate volumes": Files(("data/raw/embedded",)),
    "simulate images": Files(("data/raw/embedded_findings",)),
    "preprocess volumes": Files(("data/prepared/embedded",), ("data/raw/embedded",)),
    "preprocess images": Files(
        ("data/prepared/embedded_findings",), ("data/raw/embedded_findings",)
    ),
    "cells of volumes": Files(("cells/segmentation",), ("data/prepared/embedded",)),
    "cells of images": Files(("cells/classification",), ("data/prepared/embedded_findings",)),
    "train volumes": Files(
        (f"models/{OF_VOLUMES}", f"records/{OF_VOLUMES}.json"), ("data/prepared/embedded",)
    ),
    "train images": Files(
        (f"models/{OF_IMAGES}", f"records/{OF_IMAGES}.json"), ("data/prepared/embedded_findings",)
    ),
    "retrain": Files(
        (f"models/{RETRAINED}", f"records/{RETRAINED}.json"), (f"models/{OF_IMAGES}",)
    ),
    "extract cross_entropy": Files(
        (f"extracts/{OF_VOLUMES}",), ("data/prepared/embedded", f"models/{OF_VOLUMES}")
    ),
    "extract bce": Files(
        (f"extracts/{OF_IMAGES}",), ("data/prepared/embedded_findings", f"models/{OF_IMAGES}")
    ),
    "extract adjusted": Files(
        (f"extracts/segmentation/{VOLUMES}+threshold/1/0",), (f"models/{OF_VOLUMES}",)
    ),
    "analyse cross_entropy": Files((f"analyses/{OF_VOLUMES}",), (f"extracts/{OF_VOLUMES}",)),
    "analyse bce": Files((f"analyses/{OF_IMAGES}",), (f"extracts/{OF_IMAGES}",)),
    "compare volumes": Files(
        ("metrics/segmentation.csv", "metrics/segmentation_pairs.csv"),
        ("cells/segmentation", f"analyses/{OF_VOLUMES}"),
    ),
    "browse volumes": Files(
        ("browse/segmentation",),
        (
            "cells/segmentation",
            "data/prepared/embedded",
            f"models/{OF_VOLUMES}",
            f"extracts/{OF_VOLUMES}",
            f"analyses/{OF_VOLUMES}",
        ),
    ),
    "compare images": Files(
        ("metrics/classification.csv", "metrics/classification_pairs.csv"),
        ("cells/classification", f"analyses/{OF_IMAGES}"),
    ),
    "report": Files(
        ("reports",),
        ("browse", "cells", "metrics", f"analyses/{OF_VOLUMES}", f"analyses/{OF_IMAGES}"),
    ),
}


def state(project: Path) -> dict[str, str]:
    """What lies in it, without checkpoints. Records tell how long a training took."""
    return {
        name: "" if name.startswith("records/") else digest
        for name, digest in digests(project).items()
        if not name.startswith("scratch/") and not (project / name).is_symlink()
    }


def remove(outputs: tuple[str, ...]) -> None:
    for each in map(Path, outputs):
        if each.is_file():
            each.unlink()
        shutil.rmtree(each, ignore_errors=True)


@pytest.mark.parametrize("name", STAGES)
def test_faults(name: str, project: Path) -> None:
    whole, action, outputs = state(project), stages_run.action(name), STAGES[name].outputs
    remove(outputs)
    seen = set()
    for fault in faults_of(guarded(action), EACH):
        seen.add(fault.kind)
        _judge(fault)
        found = state(project)
        if fault.status == 0:
            assert found == whole, fault
        else:
            # Each file as it was, or as it is to be; none half written in its place.
            assert _without_partial(found).items() <= whole.items(), fault
        if found != _without_partial(found) or Path("scratch").exists():
            guarded(action)()
            assert state(project) == whole, fault
            assert not Path("scratch").exists()
        remove(outputs)
    assert seen == {"", *FAULTS}


def _without_partial(found: dict[str, str]) -> dict[str, str]:
    return {name: own for name, own in found.items() if ".partial" not in name}


def _judge(fault: Fault) -> None:
    # A fault where what is half written is cleared away, or where a library does without the
    # file, may end well.
    if fault.status == 0:
        return
    assert fault.status == STATUS.get(fault.kind, 1), fault
    if fault.kind != "SIGKILL":
        # Progress bars stand before.
        assert "Traceback" not in fault.said, fault
        assert SENTENCES[fault.kind] in fault.said.strip().splitlines()[-1], fault


DAMAGES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("cut short", lambda content: content[: len(content) // 2]),
    ("zeros", lambda content: bytes(len(content))),
    ("empty", lambda content: b""),
)


@pytest.mark.parametrize("name", [name for name in STAGES if STAGES[name].inputs])
def test_damaged_inputs(name: str, project: Path) -> None:
    whole, action, outputs = state(project), stages_run.action(name), STAGES[name].outputs
    files = sorted(
        file
        for each in STAGES[name].inputs
        for file in ([Path(each)] if Path(each).is_file() else Path(each).rglob("*"))
        if file.is_file() and file.stat().st_size
    )
    chosen = files[:: -(-len(files) // (DAMAGED * EACH))]
    for number, file in enumerate(chosen):
        how, damage = DAMAGES[number % len(DAMAGES)]
        if file.suffix == ".csv" and how == "cut short":
            # Rows that are missing at its end are not seen: it is a text that a user may edit.
            how, damage = DAMAGES[1]
        remove(outputs)
        content = file.read_bytes()
        file.write_bytes(damage(content))
        said = run_apart(guarded(action))
        file.write_bytes(content)
        if said.status == 0:
            # Handed on unread; it is told where it is read.
            others = {name for name in whole if Path(name).name != file.name}
            found = state(project)
            assert {name: found[name] for name in others} == {
                name: whole[name] for name in others
            }, (file, how)
        else:
            assert said.status == 1, (file, how, said)
            assert "Traceback" not in said.said, (file, how, said)
            assert "error: " in said.said, (file, how, said)
            assert state(project).items() <= whole.items(), (file, how)
