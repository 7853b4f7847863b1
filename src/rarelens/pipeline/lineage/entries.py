"""Which files the entries of ``params.yaml`` are made of: components are found by their names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.modules import source_of
from rarelens.pipeline.lineage.syntax import parse
from rarelens.pipeline.parameters.whole import Adjustments, AnyDataset, Methods
from rarelens.studies.data.layout import layout_module
from rarelens.studies.settings.base import Name, modules_of
from rarelens.studies.settings.classification.datasets import ImageDataset
from rarelens.studies.settings.methods import Network
from rarelens.studies.settings.segmentation.datasets import Dataset


@dataclass(frozen=True)
class Entries:
    """The sections of ``params.yaml`` whose entries name components."""

    datasets: Mapping[str, Dataset | ImageDataset]
    networks: Mapping[str, Network]
    methods: Methods
    adjustments: Adjustments


def read_entries(get: Callable[[str, Any], Any]) -> Entries:
    """The sections, validated.

    Args:
        get: the section of a name, as a type.

    Raises:
        RarelensError: for each value that is not possible.
    """
    return Entries(
        get("datasets", dict[Name, AnyDataset]),
        get("networks", dict[Name, Network]),
        get("methods", Methods),
        get("adjustments", Adjustments),
    )


def components(entries: Entries) -> dict[str, set[str]]:
    """The modules that each entry names, by ``<section>/<name>`` or ``<section>/<task>/<name>``.

    Raises:
        RarelensError: for each module that does not exist.
    """
    found = dict(_components(entries))
    problems = [
        f"params.yaml: {name.replace('/', '.')}: {_unknown(module)}"
        for name, modules in found.items()
        for module in sorted(modules)
        if not source_of(module).is_file()
    ]
    if problems:
        raise RarelensError(*problems)
    return found


def check_exports(entries: Entries) -> None:
    """Refuse entries whose component's file is no Python, or does not define what it names first.

    Raises:
        RarelensError: for the first such file.
    """
    modules = {module for _, own in _components(entries) for module in own}
    roots({module for module in modules if source_of(module).is_file()})


def roots(modules: Collection[str], package: Path | None = None) -> set[str]:
    """What is asked of these modules: the first name that a component exports, a layout's `read`.

    ``package``: the folder of their rarelens; of the imported one if not given.

    Raises:
        RarelensError: if a module is no Python, or is not as its kind is.
    """
    found = set()
    for module in modules:
        if not module.startswith("rarelens.components."):
            found.add(f"{module}.read")
            continue
        file = source_of(module, package)
        body = parse(file).body
        exported = [
            ast.literal_eval(each.value)
            for each in body
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
        ]
        if not (exported and exported[0]):
            raise RarelensError(f"{file}: no __all__; name the component first in it")
        name = exported[0][0]
        if not any(_defines(each, name) for each in body):
            raise RarelensError(
                f"{file}: __all__ names {name!r} first, and the file defines nothing of this name"
            )
        found |= {f"{module}.__all__", f"{module}.{name}"}
    return found


def _defines(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return statement.name == name
    # Bound by an assignment, or imported.
    return any(
        (isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each.id == name)
        or (isinstance(each, ast.alias) and (each.asname or each.name) == name)
        for each in ast.walk(statement)
    )


def _components(entries: Entries) -> Iterator[tuple[str, set[str]]]:
    for name, dataset in entries.datasets.items():
        yield f"datasets/{name}", {layout_module(dataset.layout)}
    for name, network in entries.networks.items():
        yield f"networks/{name}", {_module("networks", network.network)}
    for name, method in entries.methods.segmentation.items():
        modules = {_module("objectives", each) for each in method.objectives.values()}
        modules |= {_module("regularisers", each) for each in method.regularisers}
        yield f"methods/segmentation/{name}", modules
    for name, own in entries.methods.classification.items():
        modules = {_module("objectives", own.objective), _module("sampling", own.sampling)}
        yield f"methods/classification/{name}", modules
    for name, control in entries.adjustments.segmentation.items():
        yield f"adjustments/segmentation/{name}", {_module("adjustments", control.adjustment)}
    for name, control in entries.adjustments.classification.items():
        yield f"adjustments/classification/{name}", {_module("retraining", control.adjustment)}


def _module(package: str, name: str) -> str:
    return f"rarelens.components.{package}.{name}"


def _unknown(module: str) -> str:
    package, _, name = module.rpartition(".")
    kind, known = package.rpartition(".")[2], ", ".join(modules_of(package))
    return f"{kind}: there is no {name!r}; choose one of {known}"
