"""A working copy of the project, for end-to-end tests: parameters to change, DVC to run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
# All that the report is made of.
TABLES = [
    f"studies/{stage}"
    for stage in (
        "segmentation/dvc.yaml:compare",
        "segmentation/dvc.yaml:browse",
        "classification/dvc.yaml:compare",
    )
]


def copy_project(folder: Path) -> None:
    """Copy what git tracks of the pipeline, without any lock: nothing has run yet."""
    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info", "tmp", "cache", "dvc.lock")
    for name in ("src", "stages", "studies", "weights", ".dvc"):
        shutil.copytree(ROOT / name, folder / name, ignore=hidden)
    for name in ("dvc.yaml", "params.yaml", "requirements.lock", ".dvcignore", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)


def link_raw(folder: Path, raw: Path) -> None:
    """Link the datasets in ``raw`` to where the project looks for them."""
    (folder / "data/raw").mkdir(parents=True, exist_ok=True)
    for dataset in raw.iterdir():
        link = folder / "data/raw" / dataset.name
        if not link.is_symlink():  # A clone has it from git.
            link.symlink_to(dataset)


class Project:
    """A working copy of the project: parameters to change, DVC to run."""

    # Commands with libraries imported beforehand (`warm.Warm`), where a session has them.
    warm: Path | None = None

    def __init__(self, folder: Path, raw: Path) -> None:
        self.folder = folder
        self.raw = raw
        commands = [str(Path(sys.executable).parent), os.environ["PATH"]]
        if self.warm is not None:
            commands.insert(0, str(self.warm))
        self.environment = os.environ | {
            "PATH": os.pathsep.join(commands),
            "PYTHONPATH": str(folder / "src"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "OMP_NUM_THREADS": "1",
        }

    def cold(self) -> Project:
        """The same working copy, whose commands start from nothing as a user's do."""
        project = Project(self.folder, self.raw)
        own, _, rest = self.environment["PATH"].partition(os.pathsep)
        if own == str(self.warm):
            project.environment = self.environment | {"PATH": rest}
        return project

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which(command[0], path=self.environment["PATH"]), *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def repro(self, *arguments: str) -> set[str]:
        """Run `rarelens repro`, a faster `dvc repro`; return the stages that ran, neither
        unchanged nor restored.
        """
        done = self.run("rarelens", "repro", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"Running stage '([^']+)'", done.stdout))

    def repro_but_report(self) -> set[str]:
        """As `repro` up to the tables; the report is left, which then alone is stale.

        To draw its figures takes longer than most studies' stages together: for tests that do not
        look at it.
        """
        ran = self.repro(*TABLES)
        left = json.loads(self.run("rarelens", "plan", "--json").stdout)["stages"]
        assert [stage["name"] for stage in left] == ["report"]
        return ran | {"report"}

    def clone(self, folder: Path) -> Project:
        """A clone that shares the cache; nothing is restored in it yet."""
        subprocess.run(["git", "clone", "-q", self.folder, folder], check=True)
        clone = Project(folder, self.raw)
        cache = str(self.folder / ".dvc/cache")
        assert clone.run("dvc", "cache", "dir", "--local", cache).returncode == 0
        return clone

    def change(self, edit: Callable[[Any], None]) -> None:
        """Edit params.yaml."""
        yaml = YAML()
        file = self.folder / "params.yaml"
        parameters = yaml.load(file.read_text())
        edit(parameters)
        with file.open("w") as stream:
            yaml.dump(parameters, stream)

    def commit(self) -> None:
        name = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        for command in (("add", "-A"), ("commit", "-qm", "state")):
            done = self.run("git", *name, *command)
            assert done.returncode == 0, done.stderr

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def shrink(parameters: Any) -> None:
    """Parameters of two studies that run in two minutes."""
    parameters["study"]["simulated"] = []
    _shrink_segmentation(parameters)
    _shrink_classification(parameters)
    parameters["compare"]["bootstrap"] = 20
    parameters["report"] |= {"dpi": 50, "classes": 1, "cases": "all"}


def _shrink_classification(parameters: Any) -> None:
    study = parameters["study"]["classification"]
    study["datasets"], study["fractions"], study["seeds"] = ["blood_cells"], [1], [0]
    study["methods"] = ["bce", "weighted_bce"]
    study["adjusted"], study["adjustments"] = ["bce"], ["classifier_retraining"]
    data = parameters["datasets"]["blood_cells"]
    data["preprocess"]["image_size"] = [32, 32]
    data["split"] |= {"test": 0.4, "validation": 0.2}
    parameters["networks"]["light_cnn"]["channels"] = [8, 8, 8, 8]
    retraining = parameters["adjustments"]["classification"]["classifier_retraining"]
    retraining |= {"steps": 20, "threads": 1}
    parameters["train"]["classification"] |= {
        "steps": 15,
        "epoch_steps": 3,
        "batch_size": 8,
        "threads": 1,
    }
    parameters["extract"]["classification"] |= {"threads": 1, "probe_images": 40}
    parameters["analyse"]["classification"] |= {
        "bootstrap": 20,
        "permutations": 19,
        "panels": 2,
    }


def _shrink_segmentation(parameters: Any) -> None:
    study = parameters["study"]["segmentation"]
    study["datasets"], study["fractions"], study["seeds"] = ["hippocampus"], [1], [0]
    study["methods"] = ["cross_entropy", "focal"]
    study["adjusted"], study["adjustments"] = ["cross_entropy"], ["threshold"]
    hippocampus = parameters["datasets"]["hippocampus"]
    hippocampus["split"] |= {"test": 3, "validation": 2, "pool": 4}
    hippocampus["patch_size"] = [16, 16, 16]
    parameters["networks"]["unet"]["channels"] = [4, 8]
    parameters["layers"]["unet"]["units"] = ["model.0", "model.1.submodule"]
    parameters["train"]["segmentation"] |= {"steps": 15, "epoch_steps": 3, "threads": 1}
    parameters["extract"]["segmentation"] |= {
        "threads": 1,
        "panels": 1,
        "units_patches": 4,
        "sample_voxels": 20,
    }
    parameters["analyse"]["segmentation"] |= {"bootstrap": 20, "permutations": 19}
