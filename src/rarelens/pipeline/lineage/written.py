"""The tables that a stage has written are as they were declared, or the stage has failed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from rarelens.studies.cells import Cell

# By the first word of a stage's script: where its outputs lie, and which tables are among them.
OUTPUTS = {
    "preprocess": ("data/prepared/{dataset}", "{task}.PREPARED"),
    "cells": ("cells/{task}", "shared.CELLS"),
    "train": ("models/{task}/{cell}", "{task}.MODEL"),
    "retrain": ("models/{task}/{cell}", "{task}.MODEL"),
    "extract": ("extracts/{task}/{cell}", "{task}.EXTRACT"),
    "analyse": ("analyses/{task}/{cell}", "{task}.ANALYSIS"),
    "compare": ("metrics", "{task}.METRICS"),
    "report": ("reports/plots", "shared.PLOTS"),
}


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
    # Here, for pandera takes its time to import.
    from rarelens.studies.tables.check import check_tables

    names = {"task": task, **arguments, "cell": _cell(task, arguments)}
    folder, tables = (each.format_map(names) for each in OUTPUTS[stage])
    module, _, name = tables.partition(".")
    check_tables(Path(folder), getattr(import_module(f"rarelens.studies.tables.{module}"), name))


def _cell(task: str, arguments: Mapping[str, Any]) -> str:
    if "seed" not in arguments:
        return ""
    own = {name: arguments[name] for name in ("dataset", "network", "method", "fraction", "seed")}
    if arguments.get("adjustment"):
        own["method"] += f"+{arguments['adjustment']}"
    return Cell(task, **own).name
