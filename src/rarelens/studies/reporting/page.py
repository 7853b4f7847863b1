"""The report: one self-contained page of both studies, with its figures beside it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rarelens.errors import RarelensError
from rarelens.studies.catalogue import Term
from rarelens.studies.cells import Cell
from rarelens.studies.files import write_text
from rarelens.studies.reporting.answer import NO_CLAIM
from rarelens.studies.reporting.browser import niivue
from rarelens.studies.reporting.classification import section as classification
from rarelens.studies.reporting.glossary import glossary
from rarelens.studies.reporting.number_text import words
from rarelens.studies.reporting.segmentation import section as segmentation
from rarelens.studies.reporting.way_back import committed, comparing, settings_of
from rarelens.studies.settings.results import Report, shows_cases
from rarelens.studies.spreadsheet import RESULTS, to_csv

TASKS = ("segmentation", "classification")
# Each has ``read_results``, ``PLOTS``, ``plots``, ``answer``, ``section`` and ``cases``.
_SECTIONS: dict[str, ModuleType] = {
    "segmentation": segmentation,
    "classification": classification,
}


def write_report(
    target: Path,
    studies: Mapping[str, Sequence[Cell]],
    analyses: Path,
    metrics: Path,
    browse: Path,
    simulated: Collection[str],
    settings: Report,
    made: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Write ``index.html``, ``figures/*.png`` and ``plots/*.csv`` into ``target``.

    The page holds its figures within itself: it can be sent by mail and opened offline. It
    holds no ids of cases or images. A study without cells has no part in it.

    Args:
        target: an existing empty folder.
        studies: by task, the models of each study, in its order.
        analyses: the folder above ``<task>/<cell>``.
        metrics: the folder that the comparisons wrote into.
        browse: the folder that stage browse wrote into.
        simulated: names of simulated datasets.
        settings: resolution of the figures, how many rare structures they show, and whose cases
            can be browsed.
        made: by task, what decided its cells, by its place in ``params.yaml``.

    Raises:
        RarelensError: one sentence for each thing that is missing, or if no study has cells.
    """
    shown = {task: cells for task, cells in studies.items() if cells}
    if not shown:
        raise RarelensError("cells: no study has any; name a dataset in one of them (params.yaml)")
    (target / "figures").mkdir()
    parts = []
    for task, own in _SECTIONS.items():
        cells = shown.get(task, [])
        if not cells:
            # DVC says of a table that is not there that it failed to load.
            _write_plots(
                target / "plots", [{n: pd.DataFrame(columns=c) for n, c in own.PLOTS.items()}]
            )
            continue
        most = {"most": settings.classes} if task == "segmentation" else {}
        read = own.read_results(cells, analyses, metrics, **most)
        _write_plots(target / "plots", [own.plots(results) for results in read])
        sections = [own.section(results, target / "figures", settings.dpi) for results in read]
        for section, results in zip(sections, read, strict=True):
            may = shows_cases(settings.cases, results.dataset, simulated)
            section["cases"] = own.cases(results, browse) if may else None
        across = (
            segmentation.across(read, target / "figures", settings.dpi)
            if task == "segmentation"
            else None
        )
        for each in sections:
            each["settings"] = settings_of(made.get(task, {}), each["results"], task)
        about = {
            "across": across,
            "answer": own.answer(read),
            "comparing": comparing(task),
            "committed": committed(task, metrics / f"{task}.csv"),
        }
        parts.append({**_part(task, cells, sections), **about})
    datasets = dict.fromkeys(cell.dataset for cells in shown.values() for cell in cells)
    drawn_by_program = [name for name in datasets if name in simulated]
    write_text(target / "index.html", _render(parts, drawn_by_program, glossary(shown)))


def _write_plots(folder: Path, tables: Sequence[Mapping[str, pd.DataFrame]]) -> None:
    """Write each of the tables for ``dvc plots show`` with the rows of all comparisons."""
    for name in tables[0]:
        rows = pd.concat([own[name] for own in tables], ignore_index=True)
        text = to_csv(rows, **RESULTS)
        write_text(folder / f"{name}.csv", text)


def _part(task: str, cells: Sequence[Cell], sections: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "task": task,
        "sections": sections,
        "models": len(cells),
        "methods": len({cell.method for cell in cells}),
        "seeds": len({cell.seed for cell in cells}),
    }


def _render(parts: list[dict[str, Any]], simulated: list[str], terms: list[Term]) -> str:
    environment = Environment(
        loader=PackageLoader("rarelens", "studies/reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"embedded": _embedded, "packed": _packed, "words": words}
    scripts = [environment.get_template("script.html.j2").render()]
    shown = {
        section["cases"].kind for part in parts for section in part["sections"] if section["cases"]
    }
    if shown:
        scripts.append(environment.get_template("cases_script.html.j2").render())
    viewer = niivue() if "volumes" in shown else None
    libraries = _libraries(environment, parts)
    page = environment.get_template("page.html.j2")
    return page.render(
        parts=parts,
        level=_level(parts),
        simulated=simulated,
        glossary=terms,
        scripts=[Markup(script) for script in scripts],
        viewer=viewer,
        libraries=libraries,
        digests=[_digest(text) for text in (*scripts, *(viewer or ())[:1], *libraries.values())],
    )


def _libraries(environment: Environment, parts: list[dict[str, Any]]) -> dict[str, str]:
    """Scripts that the page's own loads when they are asked for, by name."""
    groups = [part["across"] or {} for part in parts]
    groups += [section for part in parts for section in part["sections"]]
    figures = [f for own in groups for name in ("figures", "answers") for f in own.get(name, ())]
    if not any(figure.chart for figure in figures):
        return {}
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, "plots.html.j2")
    (licence,) = re.findall(r"<!--(.*?)-->", source, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    return {"vega": "".join([f"/*{licence}*/", *scripts])}


def _digest(script: str) -> str:
    """Of what the page may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _level(parts: list[dict[str, Any]]) -> float | None:
    """Below which p is significant; None where nothing is claimed."""
    if all(part["answer"] == [NO_CLAIM] for part in parts):
        return None
    return 1 - float(parts[0]["sections"][0]["results"].confidence)


def _packed(text: str) -> str:
    """Text that the page's script unpacks."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def _embedded(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
