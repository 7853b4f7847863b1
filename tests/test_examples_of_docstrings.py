"""The examples of docstrings hold; those of trained models are run in studies/models."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import rarelens
from rarelens.studies.settings.base import modules_of

SOURCE = Path(rarelens.__file__).parent
KINDS = ("objectives", "regularisers", "sampling", "networks", "adjustments", "retraining")
ACCUMULATORS = {
    "logit_shift": "LogitShift",
    "lesion_detection": "LesionDetection",
    "subject_overlap": "SubjectOverlap",
    "dissection.unit_dissection": "UnitDissection",
    "saliency_alignment": "SaliencyAlignment",
    "linear_cka": "LinearCKA",
}
EXAMPLES = [
    ".".join(["rarelens", *file.relative_to(SOURCE).with_suffix("").parts])
    for file in sorted(SOURCE.rglob("*.py"))
    if ">>>" in file.read_text("utf-8")
]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if ".studies.models." not in name])
def test_examples_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


def test_no_example_is_skipped() -> None:
    assert not [file for file in SOURCE.rglob("*.py") if "doctest: +SKIP" in file.read_text()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_component_has_an_example(kind: str) -> None:
    package = f"rarelens.components.{kind}"
    assert {f"{package}.{name}" for name in modules_of(package)} & set(EXAMPLES)


@pytest.mark.parametrize(("module", "name"), ACCUMULATORS.items())
def test_every_accumulator_has_an_example(module: str, name: str) -> None:
    accumulator = getattr(importlib.import_module(f"rarelens.measures.{module}"), name)
    (found,) = doctest.DocTestFinder(recurse=False).find(accumulator, name)
    assert len(found.examples) > 2
