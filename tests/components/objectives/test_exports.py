"""The public names, and that importing one loss does not import them all."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
from torch import nn

from rarelens.components import objectives

FILES = [m.name for m in pkgutil.iter_modules(objectives.__path__) if not m.name.startswith("_")]


@pytest.mark.parametrize("file", FILES)
def test_every_file_exports_the_class_of_its_name(file):
    module = import_module(f"rarelens.components.objectives.{file}")
    name = module.__all__[0]
    assert issubclass(getattr(objectives, name), nn.Module)
    assert getattr(objectives, name) is getattr(module, name)


def test_the_names_of_the_issues_are_exported():
    names = [
        "LargeMarginLoss", "FocalLoss", "FocalMarginLoss", "FocalDiceLoss", "TopKCrossEntropyLoss",
        "AsymmetricUnifiedFocalLoss", "LogitAdjustedLoss", "LDAMLoss", "VectorScalingLoss",
        "CompoundLoss", "CrossEntropyLoss", "WeightedCrossEntropyLoss", "DiceLoss",
        "DiceCrossEntropyLoss", "GeneralisedDiceLoss", "TverskyLoss", "FocalTverskyLoss",
        "BoundaryLoss", "HausdorffLoss", "BinaryCrossEntropyLoss", "WeightedBCELoss",
        "InterClassWeightedBCELoss", "SigmoidFocalLoss", "ClassBalancedFocalLoss",
        "AsymmetricMultiLabelLoss", "MultiTaskLoss", "SigmoidLogitAdjustedLoss", "SigmoidLDAMLoss",
        "DistributionBalancedLoss",
    ]  # fmt: skip
    assert len(names) == len(FILES)
    assert {getattr(objectives, name).__name__ for name in names} == set(names)


@pytest.mark.parametrize("name", ["NoSuchLoss", "Focalloss", "focalLoss", "_VoxelsLoss"])
def test_another_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=name):
        getattr(objectives, name)


@pytest.mark.slow  # Starts another Python.
def test_one_loss_is_imported_without_the_others():
    code = (
        "import sys; from rarelens.components.objectives import FocalLoss; "
        "package = 'rarelens.components.objectives.'; "
        "loaded = {m.removeprefix(package) for m in sys.modules if m.startswith(package)}; "
        "assert loaded == {'focal', '_voxels'}, loaded; "
        "assert 'monai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_base_of_the_classification_objectives_is_exported():
    assert issubclass(objectives.SigmoidFocalLoss, objectives.LabelLoss)
    assert not issubclass(objectives.FocalLoss, objectives.LabelLoss)
