"""The tables that a stage has written are as they were declared, or the stage has failed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

# By the first word of a stage's script: where its outputs lie, and which tables are among them.
OUTPUTS = {
    "preprocess": ("data/prepared/{dataset}", "PREPARED"),
    "cells": ("cells/{task}", "CELLS"),
    "train": ("models/{task}/{cell}", "MODEL"),
    "retrain": ("models/{task}/{cell}", "MODEL"),
    "extract": ("extracts/{task}/{cell}", "EXTRACT"),
    "analyse": ("analyses/{task}/{cell}", "ANALYSIS"),
    "compare": ("metrics", "METRICS"),
    "report": ("reports/plots", "PLOTS"),
}
CELL = "{dataset}/{network}/{method}/{fraction}/{seed}"


def check_written(script: str, arguments: Mapping[str, Any]) -> None:
    """Check the tables among a stage's outputs.

    Args:
        script: of the stage, without ending.
        arguments: of its ``main``, by name.

    Raises:
        RarelensError: for each table that is not as it was declared.
    """
    stage, _, task = script.partition("_")
    if stage not in OUTPUTS:
        return
    # Here, once the stage's work is done: it takes its time, and is in no fingerprint.
    from rarelens.studies.tables import classification, segmentation, shared
    from rarelens.studies.tables.check import check_tables

    folder, tables = OUTPUTS[stage]
    names = {"task": task, **arguments}
    if names.get("adjustment"):
        names["method"] += f"+{names['adjustment']}"
    if "seed" in names:
        names["cell"] = CELL.format_map(names)
    known = {"segmentation": segmentation, "classification": classification}
    declared = getattr(shared, tables, None) or getattr(known[task], tables)
    check_tables(Path(folder.format_map(names)), declared)
