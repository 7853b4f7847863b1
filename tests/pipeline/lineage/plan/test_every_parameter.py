"""For every leaf of params.yaml, plan names the stages that depend on it by definition: all, only.

The project is the real one, its reproduction made up: no stage runs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.lineage.plan.definition import Graph
from pipeline.lineage.plan.faked_reproduction import ROOT, fake
from pipeline.lineage.plan.small_project import named
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage import fingerprints
from rarelens.pipeline.lineage.closures import Closures
from rarelens.pipeline.lineage.plan.evaluation import Fate, Prediction
from rarelens.pipeline.lineage.plan.parameters import Values
from rarelens.pipeline.lineage.plan.predictors import predictors
from rarelens.pipeline.lineage.plan.project import Project
from rarelens.pipeline.parameters.reading import read_yaml

PARAMETERS = read_yaml(ROOT / "params.yaml")
SECTIONS = [name for name in PARAMETERS if name != "study"]
# Keys that name a component, and where components are.
COMPONENTS = {
    "objective": "components/objectives",
    "network": "components/networks",
    "layout": "studies/data/classification/layouts",
    "adjustment": "components/adjustments",
    "sampling": "components/sampling",
}


class Faked:
    """The reproduced project, with parameters to change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # By way of JSON, so that what is written once and used twice by an anchor is changed once.
        self.parameters = json.loads(json.dumps(read_yaml(folder / "params.yaml")))
        self.project = Project(folder)
        self.graph = Graph(self.project)
        self.predictors = predictors(folder)
        self.prints = self.predictors["fingerprint"]("", self.parameters)

    def changed(self, leaf: str, value: Any) -> dict[str, Any]:
        parameters: dict[str, Any] = copy.deepcopy(self.parameters)
        *above, last = leaf.split(".")
        section = parameters
        for key in above:
            section = section[key]
        assert section[last] != value
        section[last] = value
        return parameters

    def plan(self, parameters: dict[str, Any], prints: Prediction) -> set[str]:
        values = Values({str(self.folder / "params.yaml"): parameters})
        own = self.predictors | {"fingerprint": lambda *_: prints}
        return named(self.project.plan(own, values), Fate.RUNS)


@pytest.fixture(scope="module")
def faked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faked]:
    """Do not change it."""
    folder = tmp_path_factory.mktemp("faked")
    closures = Closures()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # The code stays as it is here, and so it is read once.
        patch.setattr(fingerprints, "Closures", lambda: closures)
        fake(folder)
        yield Faked(folder)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path, value


def another(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, value[0] if value else "another"]
    return "another"


def another_component(faked: Faked, leaf: str, value: str) -> tuple[Any, Prediction] | None:
    """Another component that the entry may name, and the fingerprints with it."""
    section, _, key = leaf.partition(".")
    folder = COMPONENTS.get(key.rpartition(".")[2])
    if folder is None or section not in {"datasets", "networks", "methods", "adjustments"}:
        return None
    for file in sorted((ROOT / "src/rarelens" / folder).glob("[a-z]*.py")):
        try:
            prints = faked.predictors["fingerprint"]("", faked.changed(leaf, file.stem))
        except (RarelensError, AssertionError):
            continue
        if prints != faked.prints:
            return file.stem, prints
    return None


def entry_file(leaf: str) -> str:
    """The fingerprint of the entry that a leaf belongs to."""
    section, *names = leaf.split(".")
    depth = 2 if section in {"methods", "adjustments"} else 1
    return "/".join(["fingerprints", section, *names[:depth]]) + ".json"


def test_nothing_runs_without_a_change(faked: Faked) -> None:
    assert faked.plan(faked.parameters, faked.prints) == set()


# Of a setting that no stage of the study reads, the report still shows another value.
SHOWN = {"layers.unet.saliency": {"report"}}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_leaf_runs_the_stages_that_declare_it_and_what_follows(
    faked: Faked, section: str
) -> None:
    wrong = {}
    components = 0
    for leaf, value in leaves(faked.parameters[section], section):
        found = another_component(faked, leaf, value)
        new, prints = found or (another(value), faked.prints)
        own = faked.graph.declaring(leaf)
        if found:
            own |= faked.graph.using(entry_file(leaf))
            components += 1
        expected = faked.graph.with_descendants(own) | SHOWN.get(leaf, set())
        planned = faked.plan(faked.changed(leaf, new), prints)
        if planned != expected:
            wrong[leaf] = (planned - expected, expected - planned)
    assert not wrong
    assert components or section not in {"networks", "methods"}


SEGMENTATION = PARAMETERS["study"]["segmentation"]
CLASSIFICATION = PARAMETERS["study"]["classification"]
STUDY_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "simulated": lambda study: study.update(simulated=["embedded"]),
    "segmentation.datasets": lambda study: study["segmentation"].update(datasets=[]),
    "segmentation.networks": lambda study: study["segmentation"]["networks"].append("segresnet"),
    "segmentation.methods": lambda study: study["segmentation"]["methods"].append("dice"),
    "segmentation.baseline": lambda study: study["segmentation"].update(baseline="focal"),
    "segmentation.adjusted": lambda study: study["segmentation"].update(
        adjusted=["cross_entropy"], adjustments=["threshold"]
    ),
    "segmentation.fractions": lambda study: study["segmentation"].update(fractions=[0.4, 1]),
    "segmentation.seeds": lambda study: study["segmentation"].update(seeds=[0, 1]),
    "classification.datasets": lambda study: study["classification"].update(datasets=[]),
    "classification.networks": lambda study: study["classification"].update(networks=["resnet50"]),
    "classification.methods": lambda study: study["classification"]["methods"].remove("asymmetric"),
    "classification.baseline": lambda study: study["classification"].update(baseline="asymmetric"),
    "classification.adjusted": lambda study: study["classification"].update(
        adjusted=["bce"], adjustments=["classifier_retraining"]
    ),
    "classification.fractions": lambda study: study["classification"].update(fractions=[0.5]),
    "classification.seeds": lambda study: study["classification"].update(seeds=[1]),
}


def test_every_leaf_of_the_study_has_a_change() -> None:
    paths = {path for path, _ in leaves(PARAMETERS["study"])}
    # These two are filled together, or not at all.
    assert {path.replace("adjustments", "adjusted") for path in paths} == set(STUDY_CHANGES)


@pytest.mark.parametrize("leaf", STUDY_CHANGES)
def test_every_leaf_of_the_study_runs_its_new_cells_and_what_measures_them(
    faked: Faked, leaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = copy.deepcopy(faked.parameters)
    STUDY_CHANGES[leaf](parameters["study"])
    file = faked.folder / "params.yaml"
    text = file.read_text()
    try:
        write_yaml(file, parameters)
        project = Project(faked.folder)
        own = faked.predictors | {"fingerprint": lambda *_: faked.prints}
        planned = named(project.plan(own), Fate.RUNS)
    finally:
        file.write_text(text)
    graph = Graph(project)
    expected = {name for name in graph.stages if name not in faked.graph.stages}
    expected |= graph.declaring(f"study.{leaf}")
    task = leaf.partition(".")[0]
    if task in {"segmentation", "classification"} and not leaf.endswith("baseline"):
        expected |= graph.using(f"cells/{task}/cells.csv") | graph.using(f"analyses/{task}/x")
    assert planned == graph.with_descendants(expected)


def write_yaml(file: Path, value: Any) -> None:
    from ruamel.yaml import YAML

    with file.open("w") as stream:
        YAML(typ="safe").dump(value, stream)
