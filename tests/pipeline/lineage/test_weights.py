"""The file that a network starts from stands in its fingerprint, on which its trainings depend."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rarelens.pipeline.lineage.entries import Entries
from rarelens.pipeline.lineage.fingerprints import write_fingerprints
from rarelens.pipeline.lineage.weights import is_watched
from rarelens.pipeline.parameters.reading import read_yaml
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.settings.methods import Network

ROOT = Path(__file__).parents[3]
FILE = "weights/start.safetensors"
NETWORKS = {
    "with": Network(network="resnet50", weights=FILE),
    "without": Network(network="resnet50"),
    "absent": Network(network="resnet50", weights="weights/nowhere.safetensors"),
}


def networks(root: Path, take: str) -> dict[str, dict[str, str]]:
    """The files in the fingerprints of `NETWORKS`."""
    whole = read_parameters(ROOT / "params.yaml")
    entries = Entries({}, NETWORKS, whole.methods, whole.adjustments)
    target = root / take
    target.mkdir()
    write_fingerprints(target, root / "no scripts", root / "requirements.lock", entries)
    files = (target / "networks").iterdir()
    return {file.stem: json.loads(file.read_text())["files"] for file in files}


def test_another_file_of_weights_changes_the_fingerprint_of_its_network_alone(tmp_path):
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / FILE).write_bytes(b"one")
    before = networks(tmp_path, "before")
    assert before["absent"] == before["without"] == _without(before["with"])
    (tmp_path / FILE).write_bytes(b"two")
    after = networks(tmp_path, "after")
    assert after["with"][FILE] != before["with"][FILE]
    assert _without(after["with"]) == _without(before["with"])
    assert after["without"] == before["without"]


def _without(code: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in code.items() if name != FILE}


def test_the_stage_reruns_for_them_and_every_training_follows():
    assert "weights" in read_yaml(ROOT / "dvc.yaml")["stages"]["fingerprint"]["deps"]
    for task in ("segmentation", "classification"):
        train = read_yaml(ROOT / f"studies/{task}/dvc.yaml")["stages"]["train"]
        assert "fingerprints/networks/${item.network}.json" in train["deps"]


@pytest.mark.parametrize(
    ("file", "watched"),
    [
        (FILE, True),
        ("./weights/a/b", True),
        ("/weights/a", False),
        ("weights/../a", False),
        ("elsewhere/a", False),
    ],
)
def test_only_what_is_in_the_folder_is_watched(file, watched):
    assert is_watched(Path(file)) is watched
