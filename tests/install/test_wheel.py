"""The wheel installed alone: beside torch, NumPy and annotated-types nothing is needed.

The environment is a fresh one, in which only the wheel is installed. Its dependencies are not
downloaded: the wheel's own metadata are followed, without extras, and each distribution that they
require, in turn, is linked in from the environment of the tests. What is not required is not there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution, distributions
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rarelens import objectives

ROOT = Path(__file__).parents[2]
ABSENT = ["pandas", "monai", "scipy", "sklearn", "pydantic", "dvc", "mlflow", "matplotlib"]
CASE = """
import torch
torch.manual_seed(3)
logits, target = 2 * torch.randn(2, 3, 4, 5, 6), torch.randint(0, 3, (2, 4, 5, 6))
"""
INSIDE = """
import inspect, json
from importlib.metadata import distributions
from importlib.util import find_spec
import numpy as np
import rarelens
from rarelens import adjustments, networks, objectives, regularisers, sampling

losses, lacking = {{}}, {{}}
given = {{
    "class_counts": [9, 3, 1], "class_priors": [0.7, 0.2, 0.1], "classes": 3, "images": 4,
    "losses": [objectives.FocalMarginLoss(rare_classes=[2]), objectives.FocalDiceLoss()],
    "positives": [3, 2, 1], "negatives": [1, 2, 3],
}}
for name in objectives.__all__:
    try:
        component = getattr(objectives, name)
    except ModuleNotFoundError as error:
        lacking[name] = error.name
        continue
    if inspect.isabstract(component):
        continue
    taken = inspect.signature(component).parameters
    loss = component(**{{key: value for key, value in given.items() if key in taken}})
    if issubclass(component, objectives.LabelLoss):
        losses[name] = loss(logits[0, :, 0, 0].T[:4], (target[0, 0, :4, :3] > 0).float()).item()
    else:
        losses[name] = loss(logits, target).item()

model, images, rng = torch.nn.Conv3d(1, 3, 1), torch.randn(2, 1, 4, 5, 6), np.random.default_rng(0)
moved = regularisers.adversarial_example(
    model, images, target, objectives.FocalLoss(), 10.0, 1e-5, [2], rng
)
mixed, _, counts = regularisers.mix_patches(images, target, 1.0, 0.2, [2], rng)
turned, labels = regularisers.augment(images, target, regularisers.Strength(), rng)
shift = rarelens.LogitShift(3)
for side in ("train", "test"):
    for subject in range(2):
        own = logits[subject] if side == "train" else logits[subject] / 2
        shift.update(own, target[subject], f"{{side}}{{subject}}", side)
print(json.dumps({{
    "shift": [[row["train_mean"], row["difference"]] for row in shift.compute()],
    "file": rarelens.__file__,
    "distributions": {{each.name: each.version for each in distributions()}},
    "importable": [name for name in {absent} if find_spec(name)],
    "losses": losses,
    "lacking": lacking,
    "moved": (moved - images).flatten(1).norm(dim=1).tolist(),
    "mixed": [list(mixed.shape), counts.float().mean().item()],
    "augmented": [(turned - images).abs().mean().item(), (labels != target).float().mean().item()],
    "logits": list(networks.LightCNN(1, 3)(torch.randn(2, 1, 32, 32)).shape),
    "bias": adjustments.LogitAdjustment([0.9, 0.1])([]).tolist(),
    "weights": sampling.weighted.weights(np.eye(3)).tolist(),
}}))
"""


def run(*command: Any) -> str:
    """What a command prints; it sees nothing of this project by way of variables."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("install")
    # Without isolation where setuptools is new enough, so that nothing is downloaded.
    have = Version(installed("setuptools")) >= Version("77") if _there("setuptools") else False
    apart = ["--no-build-isolation"] if have else []
    # From a copy, for setuptools leaves files where it builds.
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip")
    run(*pip, "wheel", "--quiet", "--no-deps", *apart, "--wheel-dir", folder, source)
    (wheel,) = folder.glob("rarelens-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv/bin/python"
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    (own,) = distributions(name="rarelens", path=[str(packages)])
    for each in _required(own):
        _link(each, packages)
    return python


def _there(name: str) -> bool:
    return any(True for _ in distributions(name=name))


def _required(of: Distribution) -> list[Distribution]:
    """All distributions that one requires, directly or not, without extras."""
    found: dict[str, Distribution] = {}
    left = [of]
    while left:
        for line in left.pop().requires or []:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and name not in found:
                found[name] = distribution(name)
                left.append(found[name])
    return list(found.values())


def _link(each: Distribution, packages: Path) -> None:
    """Link what a distribution has put into site-packages."""
    tops = {file.parts[0] for file in each.files or [] if ".." not in file.parts}
    for top in tops - {"__pycache__"}:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(each.locate_file(top))).resolve())


@pytest.fixture(scope="module")
def inside(python: Path) -> dict[str, Any]:
    """What is seen, and computed, in that environment; isolated from variables and user sites."""
    code = CASE + INSIDE.format(absent=ABSENT)
    found: dict[str, Any] = json.loads(run(python, "-I", "-c", code))
    print("\n".join(f"{name} {number}" for name, number in found["distributions"].items()))
    return found


def test_it_is_the_wheel_that_is_imported(inside, python):
    assert Path(inside["file"]).is_relative_to(python.parents[1])


def test_the_environment_holds_what_torch_and_numpy_need_and_no_more(inside):
    assert inside["importable"] == []
    assert {"rarelens", "torch", "numpy", "annotated-types"} <= inside["distributions"].keys()
    assert len(inside["distributions"]) < 40


def test_a_loss_has_the_value_that_it_has_here(inside):
    names: dict[str, Any] = {}
    exec(CASE, names)
    here = objectives.FocalLoss()(names["logits"], names["target"]).item()
    print(f"FocalLoss: {inside['losses']['FocalLoss']} there, {here} here")
    assert inside["losses"]["FocalLoss"] == here
    assert here > 0.1


def test_every_loss_that_does_not_rest_on_monai_runs(inside):
    assert set(inside["lacking"].values()) == {"monai"}
    assert sorted(inside["lacking"]) == [
        "BoundaryLoss", "DiceCrossEntropyLoss", "DiceLoss", "FocalTverskyLoss",
        "GeneralisedDiceLoss", "HausdorffLoss", "TverskyLoss",
    ]  # fmt: skip
    assert {*inside["losses"], *inside["lacking"], "LabelLoss"} == set(objectives.__all__)
    assert torch.isfinite(torch.tensor(list(inside["losses"].values()))).all()


def test_regularisers_networks_adjustments_and_samplers_run(inside):
    assert inside["moved"] == pytest.approx([10, 10], rel=1e-4)
    assert inside["mixed"][0] == [2, 1, 4, 5, 6]
    assert 0 < inside["mixed"][1] < 1
    assert all(0.01 < share < 1 for share in inside["augmented"])
    assert inside["logits"] == [2, 3]
    assert inside["bias"] == pytest.approx([0.1053605, 2.3025851])
    assert inside["weights"] == pytest.approx([1 / 3] * 3)


def test_logit_shift_runs(inside):
    for train, difference in inside["shift"]:
        assert difference == pytest.approx(-train / 2, rel=1e-6)
