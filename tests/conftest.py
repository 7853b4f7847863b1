"""Fixtures that all tests share."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest

from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.settings.methods import Method, Network
from rarelens.studies.settings.segmentation.datasets import Preprocess, Split, ZScore
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation, TrainSegmentation
from warm import Warm

if TYPE_CHECKING:
    from rarelens.studies.training.segmentation.job import SegmentationJob

# A shell starts what is in the background with Ctrl-C ignored, and tests of it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Axes permuted and flipped, voxels of 1.0 x 1.5 x 2.0 mm, far from the origin.
OBLIQUE = np.array([[0, -1.5, 0, 30], [0, 0, 2.0, -7], [-1.0, 0, 0, 12], [0, 0, 0, 1]])
REAL_CASES = 7
# Studies simulated by the hundred.
SIMULATIONS = (
    "measures/dissection/test_beyond_the_null.py",
    "measures/statistics/test_crossed.py::test_level_on_null_data",
    "measures/statistics/test_error.py::test_small_p_are_as_rare_as_they_say",
    "studies/diagnosis/test_diagnosis.py::test_the_interval_covers_a_known_shift_at_its_rate",
)
# Tests that train, follow pages, start DVC, MLflow or another Python, or try thousands of inputs;
# `make test-quick` is without.
SLOW = (
    *SIMULATIONS,
    "components/networks/test_classifiers.py::test_initial_weights_by_torchvisions_names",
    "components/retraining",
    "end_to_end",
    "fuzz",
    "install",
    "pipeline/checks/test_classification.py::test_the_layers_of_params_yaml",
    "pipeline/checks/test_segmentation.py::test_every_network_is_tried",
    "pipeline/launch",
    "pipeline/lineage",
    "pipeline/test_cli.py::test_a_command_that_is_ended_says_so",
    "pipeline/parameters/test_leaves.py::test_each_field_of_a_declared_section",
    "pipeline/parameters/test_written_by_dvc.py",
    "pipeline/tracking",
    "refusals",
    "studies/comparison/classification",
    "studies/data/classification/simulation/test_findings.py::test_same_seed",
    "studies/data/classification/test_real.py",
    "studies/diagnosis/test_files.py",
    "studies/diagnosis/test_pages.py",
    "studies/extraction",
    "studies/models",
    "studies/reporting",
    "studies/training",
)


def _place(path: Path) -> str:
    root = Path(__file__).parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What `make test-quick` is without is not imported there."""
    quick = config.option.markexpr == "not slow"
    return True if quick and _place(collection_path).startswith(SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First what stands on the finished study: one worker runs it while another has the rest.
    whole = {item.path for item in items if "finished" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path not in whole)
    for item in items:
        place = f"{_place(item.path)}::{item.name}"
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip that says how to get it."""
    folder = os.environ.get("RARELENS_REAL_DATA")
    if not folder:
        pytest.skip("set RARELENS_REAL_DATA to the folder with Task04_Hippocampus")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven cases as MSD: two channels in 4-D files, two rare classes, anisotropic, not RAS."""
    folder = tmp_path_factory.mktemp("raw") / "tiny"
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "labelsTr").mkdir()
    for number in range(7):
        rng = np.random.default_rng([7, number])
        labels = np.zeros((18, 20 + number % 3, 16), np.uint8)
        for label in (1, 2):
            x, y, z = rng.integers(1, 11, size=3)
            labels[x : x + 5, y : y + 5, z : z + 5] = label
        image = rng.normal(10, 1, (*labels.shape, 2)).astype(np.float32)
        image[..., 0] += 4 * (labels == 1)
        image[..., 1] -= 4 * (labels == 2)
        nib.save(nib.Nifti1Image(image, OBLIQUE), folder / f"imagesTr/tiny_{number:03d}.nii.gz")
        nib.save(nib.Nifti1Image(labels, OBLIQUE), folder / f"labelsTr/tiny_{number:03d}.nii.gz")
    names = [f"tiny_{number:03d}.nii.gz" for number in range(7)]
    _describe(folder, names, {"0": "T1", "1": "T2"}, ["left", "right"])
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """The tiny dataset, prepared: 2 test, 1 validation, 4 pool cases."""
    split = Split(seed=0, test=2, validation=1, pool=4, file=None, group=None)
    return _prepare("tiny", tiny_raw, tmp_path_factory.mktemp("prepared"), preprocess(), split)


@pytest.fixture(scope="session")
def hippocampus_raw(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few real cases as an MSD folder of links, its dataset.json cut to them."""
    source = real_data / "Task04_Hippocampus"
    folder = tmp_path_factory.mktemp("raw") / "hippocampus"
    names = sorted(file.name for file in (source / "imagesTr").glob("*.nii.gz"))[:REAL_CASES]
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True)
        for name in names:
            (folder / kind / name).symlink_to(source / kind / name)
    _describe(folder, names, {"0": "MRI"}, ["Anterior", "Posterior"])
    return folder


@pytest.fixture(scope="session")
def hippocampus(hippocampus_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    """A few real cases, prepared: 2 test, 1 validation, 4 pool cases."""
    split = Split(seed=0, test=2, validation=1, pool=4, file=None, group=None)
    target = tmp_path_factory.mktemp("prepared")
    return _prepare("hippocampus", hippocampus_raw, target, preprocess(), split)


@pytest.fixture(scope="session")
def make_job() -> Callable[..., SegmentationJob]:
    """Makes a job on the tiny dataset of 6 steps in epochs of 2; change what a test is about.

    ``seed``, ``dataset``, ``method`` (a dict), ``network`` (a dict) and any other field of a
    job; all further keys are settings of the training.
    """
    # Imported here, for it imports torch and MONAI.
    from rarelens.studies.training.segmentation.job import SegmentationJob

    def make(**changes: Any) -> SegmentationJob:
        fields = {
            "network": {"network": "unet", "channels": [4, 8]},
            "method": {"objective": "cross_entropy"},
            "preprocess": preprocess(),
            "patch_size": (16, 16, 16),
            "rare_classes": "auto",
            "rare_threshold": 0.05,
            "code": "",
        }
        names = {"dataset": "tiny", "fraction": "1", "seed": 0}
        fields |= {key: changes.pop(key) for key in list(changes) if key in fields}
        names |= {key: changes.pop(key) for key in list(changes) if key in names}
        cell = Cell("segmentation", network="unet", method=fields["method"]["objective"], **names)
        fields["network"] = Network(**fields["network"])
        fields["method"] = Method(**fields["method"])
        return SegmentationJob(
            cell=cell, settings=TrainSegmentation(**(TRAINING | changes)), **fields
        )

    return make


TRAINING = {
    "steps": 6,
    "budget": "steps",
    "epoch_steps": 2,
    "batch_size": 2,
    "foreground_share": 0.5,
    "foreground_jitter": 0.0,
    "margin_patches": 0,
    "optimiser": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.0001,
    "schedule": "polynomial",
    "gradient_clip": None,
    "precision": "no",
    "threads": 1,
    "patience": None,
    "select": "last",
    "checkpoint_epochs": 1,
}


@pytest.fixture(scope="session")
def extraction() -> Callable[..., ExtractSegmentation]:
    """Settings of extract; override what a test is about."""

    def make(**changes: Any) -> ExtractSegmentation:
        values = {
            "window_overlap": 0.25,
            "window_batch": 2,
            "bin_width": 0.0625,
            "joint_bin_width": 0.5,
            "calibration_bins": 5,
            "sample_voxels": 20,
            "panels": 3,
            "units_patches": 4,
            "full_logits": True,
            "threads": 1,
            "seed": 0,
        }
        return ExtractSegmentation(**(values | changes))

    return make


@pytest.fixture(scope="session")
def warm() -> Iterator[Path | None]:
    """The folder of commands whose libraries are imported already; None with RARELENS_COLD=1."""
    if os.environ.get("RARELENS_COLD") == "1":
        yield None
        return
    server = Warm()
    yield server.folder
    server.stop()


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, so tests copy this one."""
    file = tmp_path_factory.mktemp("mlflow") / "template.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        from rarelens.pipeline.tracking.client import connect

        connect()
    return file


@pytest.fixture
def project(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty project folder as working directory, with an MLflow database of its own."""
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    monkeypatch.delenv("RARELENS_MLFLOW_CASE_IDS", raising=False)
    return tmp_path


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as working directory; MLflow is left out (tests/tracking has it)."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_models(
    tiny: PreparedDataset,
    make_job: Callable[..., SegmentationJob],
    mlflow_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A project folder in which one cell of the tiny dataset was trained; do not change it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(mlflow_template, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        from rarelens.pipeline.tracking.live import LiveRun
        from rarelens.studies.training.segmentation.cell import train_cell

        train_cell(make_job(steps=30, epoch_steps=10), tiny, LiveRun)
    return folder


@pytest.fixture
def trained(tiny_models: Path, project: Path) -> Path:
    """A project folder of the test's own, holding the trained cell and the run of its training."""
    shutil.copytree(tiny_models, project, dirs_exist_ok=True)
    return project


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """Let each test choose its precision: Accelerate keeps the first one in a process."""
    yield
    import sys

    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)


def preprocess(**changes: Any) -> Preprocess:
    values = {
        "spacing": None,
        "image_interpolation": "linear",
        "label_interpolation": "nearest",
        "crop_foreground": False,
        "crop_margin": 0,
        "intensity": (ZScore(method="zscore"),),
        "dtype": "float16",
    }
    return Preprocess(**(values | changes))


def _prepare(
    name: str, raw: Path, parent: Path, settings: Preprocess, split: Split
) -> PreparedDataset:
    from rarelens.studies.data.segmentation.preprocessing import prepare_dataset

    target = parent / name
    target.mkdir()
    prepare_dataset(name, "msd", raw, target, settings, split)
    return PreparedDataset(target)


def _describe(folder: Path, files: list[str], channels: dict[str, str], classes: list[str]) -> None:
    labels = {str(value): name for value, name in enumerate(["background", *classes])}
    training = [{"image": f"./imagesTr/{f}", "label": f"./labelsTr/{f}"} for f in files]
    description = {"modality": channels, "labels": labels, "training": training}
    (folder / "dataset.json").write_text(json.dumps(description))
