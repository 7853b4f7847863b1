"""The examples of the measures' docstrings hold."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from rarelens import measures

MODULES = [
    module.name
    for module in pkgutil.walk_packages(measures.__path__, f"{measures.__name__}.")
    if not module.ispkg
]
ACCUMULATORS = {
    "logit_shift": "LogitShift",
    "subject_overlap": "SubjectOverlap",
    "dissection.unit_dissection": "UnitDissection",
    "saliency_alignment": "SaliencyAlignment",
    "linear_cka": "LinearCKA",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize(("module", "name"), ACCUMULATORS.items())
def test_every_accumulator_has_an_example(module: str, name: str) -> None:
    accumulator = getattr(importlib.import_module(f"rarelens.measures.{module}"), name)
    (found,) = doctest.DocTestFinder(recurse=False).find(accumulator, name)
    assert len(found.examples) > 2
