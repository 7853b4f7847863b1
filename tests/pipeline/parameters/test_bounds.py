"""Every number of params.yaml has bounds, and so has every option of a component."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.memory import MEMORY, machine_memory, refuse_memory
from rarelens.pipeline.parameters.reading import read_yaml
from rarelens.pipeline.parameters.whole import Parameters
from rarelens.studies.building import check_options, find

# Held against (0, 1] by a sentence of its own.
CHECKED_APART = (".study.segmentation.fractions", ".study.classification.fractions")
# What rarelens supplies.
GIVEN = ("class_priors", "class_counts", "rare_classes", "positives", "negatives", "images")
LOW, HIGH = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}


def unbounded(schema: dict[str, Any], whole: dict[str, Any], path: str = "") -> Iterator[str]:
    """Paths of numbers without a least or a greatest value."""
    if "$ref" in schema:
        yield from unbounded(whole["$defs"][schema["$ref"].split("/")[-1]], whole, path)
    if schema.get("type") in ("number", "integer") and not (
        LOW & schema.keys() and HIGH & schema.keys()
    ):
        yield path
    named = [*schema.get("properties", {}).items()]
    named += [("*", each) for each in schema.get("patternProperties", {}).values()]
    for name, below in named:
        yield from unbounded(below, whole, f"{path}.{name}")
    lists = [schema.get("items"), schema.get("additionalProperties")]
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        lists += schema.get(key, [])
    for below in lists:
        if isinstance(below, dict):
            yield from unbounded(below, whole, path)


def test_every_number_has_bounds():
    schema = Parameters.model_json_schema()
    found = set(unbounded(schema, schema)) - set(CHECKED_APART)
    assert found == set()


def test_the_walk_sees_numbers_in_every_section():
    schema = Parameters.model_json_schema()
    for name in ("exclusiveMinimum", "exclusiveMaximum", "minimum", "maximum"):
        _remove(schema, name)
    paths = set(unbounded(schema, schema))
    assert {".report.dpi", ".datasets.*.patch_size", ".datasets.*.preprocess.image_size"} <= paths
    assert len(paths) > 80


def _remove(schema: Any, name: str) -> None:
    if isinstance(schema, dict):
        schema.pop(name, None)
        for below in schema.values():
            _remove(below, name)
    elif isinstance(schema, list):
        for below in schema:
            _remove(below, name)


@pytest.mark.parametrize("package", ["networks", "objectives", "regularisers", "adjustments"])
def test_no_option_of_a_component_is_without_bounds(package):
    parent = import_module(f"rarelens.components.{package}")
    tried = 0
    for module in pkgutil.iter_modules(parent.__path__):
        component = find(package, module.name) if not module.name.startswith("_") else None
        for name in ("gamma", "margin", "tau", "scale", "smooth", "epsilon", "largest"):
            if component is not None and name in component.__init__.__annotations__:
                with pytest.raises(RarelensError, match=name):
                    check_options(component, {name: 1e30}, GIVEN, f"{package}.mine")
                tried += 1
    assert tried or package == "networks"


def test_bounds_leave_what_is_dumped_as_it_is():
    raw = read_yaml(Path(__file__).parents[3] / "params.yaml")
    parameters = Parameters.model_validate_json(json.dumps(raw))
    dumped = parameters.model_dump(mode="json", exclude_unset=True)
    for own in raw["train"].values():
        own.pop("workers", None)  # No result depends on it, and it is dumped nowhere.
    for section in ("train", "extract", "analyse", "compare", "report", "study"):
        assert dumped[section] == raw[section]


def test_memory_is_foreseen_by_weights_and_by_what_layers_give(monkeypatch):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        module = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU())
    # 80 weights of 16 bytes; of 4 images of 10 × 10, two layers give 8 channels, half counted.
    need = 80 * 16 + 4 * (2 * 8 * 100) * 2
    monkeypatch.setenv(MEMORY, str(need / 2**30))
    assert machine_memory() == need
    refuse_memory(module, (4, 1, 10, 10), "batch_size", "networks.mine")
    monkeypatch.setenv(MEMORY, str((need - 1) / 2**30))
    with pytest.raises(RarelensError, match=r"networks\.mine: a training takes at least"):
        refuse_memory(module, (4, 1, 10, 10), "batch_size", "networks.mine")
    for wrong in ("64GiB", "nan", "-1"):
        monkeypatch.setenv(MEMORY, wrong)
        with pytest.raises(RarelensError, match=f"{MEMORY}={wrong}: no number above 0"):
            machine_memory()
