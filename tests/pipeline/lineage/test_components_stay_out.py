"""No stage's code holds a component: an edit of one reruns the cells that name it, no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.pipeline.lineage.closures import Closures

SCRIPTS = sorted((Path(__file__).parents[3] / "stages").glob("[!_]*.py"))
KINDS = ("objectives", "regularisers", "sampling", "networks", "adjustments", "retraining")


@pytest.fixture(scope="module")
def closures() -> Closures:
    return Closures()


def components(modules: set[str]) -> list[str]:
    split = (module.split(".") for module in modules)
    return sorted(
        ".".join(parts)
        for parts in split
        if parts[:2] == ["rarelens", "components"]
        and len(parts) == 4
        and parts[2] in KINDS
        and not parts[3].startswith("_")
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_no_component_is_in_a_stage(closures, script):
    assert components(closures.of_script(script).modules) == []


def test_what_components_share_is_in_the_stages_that_train(closures):
    found = closures.of_script(SCRIPTS[0].with_name("train_segmentation.py")).modules
    assert {"rarelens.components.contracts", "rarelens.components.objectives._labels"} <= found


def test_a_component_would_be_seen(closures):
    module = "rarelens.components.objectives.dice_cross_entropy"
    found = closures.of_names({f"{module}.DiceCrossEntropyLoss"}).modules
    expected = ("cross_entropy", "dice", "dice_cross_entropy")
    assert components(found) == [f"rarelens.components.objectives.{name}" for name in expected]
