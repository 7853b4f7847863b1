"""For one parameter of each kind of stage: what really runs is what depends on it, by definition.

`rarelens plan` says so before. For trainings, adjustments and retrainings see test_pipeline.py; for
all parameters, by plan, tests/lineage/plan.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.lineage.plan.definition import Graph
from rarelens.pipeline.lineage.plan.project import Project as Stages
from working_copy import Project

CHECKED = {"cells@segmentation", "cells@classification"}
# Both studies at once. Each value changes what its stage writes.
CHANGES: dict[str, dict[str, Any]] = {
    "report": {"report.dpi": 60},
    "compare": {"compare.confidence": 0.9},  # one seed: draws would change nothing
    "analyse": {"analyse.segmentation.bootstrap": 30, "analyse.classification.quantile": 0.05},
    "extract": {"extract.segmentation.bin_width": 0.125, "extract.classification.probe_images": 30},
    "preprocess": {
        "datasets.hippocampus.split.seed": 1,
        "datasets.blood_cells.preprocess.image_size": [36, 32],
    },
}

# By hand: of these, none reruns for a parameter of a later one.
ORDER = (
    *("simulate", "preprocess", "train", "retrain", "extract", "adjust", "analyse"),
    *("compare", "report"),
)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_parameter_reruns_what_depends_on_it_all_of_it_and_nothing_else(
    kind: str, clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(parameters: Any) -> None:
        for leaf, value in CHANGES[kind].items():
            *above, last = leaf.split(".")
            section = parameters
            for key in above:
                section = section[key]
            assert section[last] != value
            section[last] = value

    # Addresses are relative to the working directory.
    monkeypatch.chdir(clone.folder)
    graph = Graph(Stages(Path()))
    expected = graph.with_descendants(
        {name for leaf in CHANGES[kind] for name in graph.declaring(leaf)}
    )
    assert any(f":{kind}@" in name or name.rpartition(":")[2] == kind for name in expected)
    assert not [
        name for name in expected if name.rpartition(":")[2].startswith(ORDER[: ORDER.index(kind)])
    ]
    clone.change(edit)
    planned = json.loads(clone.run("rarelens", "plan", "--json").stdout)
    # Their outputs are the same, which plan knows.
    assert {stage["name"] for stage in planned["stages"]} == expected | CHECKED
    assert len(planned["stages"]) + planned["unchanged"] == len(graph.stages)
    assert all(stage["reasons"] for stage in planned["stages"])
    # That it follows from the first and the last kind of stage is enough to see.
    repro = clone.repro if kind in ("preprocess", "report") else clone.repro_but_report
    assert repro() == expected | CHECKED
