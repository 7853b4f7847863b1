"""Every component of every kind against its Protocol: signatures, attributes, options."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, get_type_hints

import pytest
from torch import nn

from rarelens.components import contracts
from rarelens.components.objectives import LabelLoss
from rarelens.studies.building import find

GIVEN = {
    "objectives": {
        *contracts.GivenForSegmentation.__annotations__,
        *contracts.GivenForClassification.__annotations__,
        *contracts.KEPT,
    },
    "regularisers": {*contracts.GivenForSegmentation.__annotations__, *contracts.KEPT},
    "sampling": set(),
    "networks": {*contracts.GivenToNetworks.__annotations__},
    "adjustments": {*contracts.GivenToAdjustments.__annotations__},
    "retraining": set(),
}


def names(kind: str) -> list[str]:
    package = import_module(f"rarelens.components.{kind}")
    files = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [file for file in files if not file.startswith("_")]


def every() -> Iterator[tuple[str, str]]:
    for kind in GIVEN:
        assert names(kind)
        yield from ((kind, name) for name in names(kind))


def takes(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def assert_as(component: Any, protocol: type, method: str) -> None:
    """The method has the arguments of the protocol's, in its order; underscores apart."""
    found = takes(getattr(component, method))
    assert found == takes(getattr(protocol, method)), (component, method)


@pytest.mark.parametrize(("kind", "name"), every())
def test_each_option_is_annotated_and_what_is_not_supplied_has_a_default(kind, name):
    if kind == "sampling":  # a function of the labels, without options
        return
    component = find(kind, name)
    init = component.__init__ if inspect.isclass(component) else component
    hints = get_type_hints(init, include_extras=True)
    for argument, parameter in inspect.signature(component).parameters.items():
        assert argument in hints, f"{name}: {argument} has no annotation"
        if argument not in GIVEN[kind]:
            assert parameter.default is not parameter.empty, f"{name}: {argument} has no default"


@pytest.mark.parametrize(("kind", "name"), every())
def test_a_component_says_what_it_is(kind, name):
    assert len(inspect.getdoc(find(kind, name)).split()) > 5


@pytest.mark.parametrize("name", names("objectives"))
def test_objectives(name):
    component = find("objectives", name)
    assert issubclass(component, nn.Module)
    if issubclass(component, LabelLoss):
        assert_as(component, contracts.LabelObjective, "forward")
        assert_as(component, contracts.LabelObjective, "losses")
    else:
        assert_as(component, contracts.Objective, "forward")
    if hasattr(component, "progress"):
        assert_as(component, contracts.Progressive, "progress")


def test_an_objective_that_changes_as_the_training_goes_is_known_by_its_method():
    assert isinstance(find("objectives", "sigmoid_ldam")([5, 1]), contracts.Progressive)
    assert not isinstance(find("objectives", "bce")(), contracts.Progressive)


@pytest.mark.parametrize("name", names("regularisers"))
def test_regularisers(name):
    component = find("regularisers", name)
    each = component(**({"classes": 3} if "classes" in takes(component) else {}))
    prepares, adds = (isinstance(each, k) for k in (contracts.Preparing, contracts.Adding))
    assert prepares or adds
    if prepares:
        assert_as(component, contracts.Preparing, "prepare")
    if adds:
        assert_as(component, contracts.Adding, "extra")
    assert_as(component, contracts.Regulariser, "facts")
    assert isinstance(each.gradient_evaluations, int)
    assert (each.gradient_evaluations > 0) == adds
    facts = {"epsilon_per_voxel": 10 / (2 * 4**3) ** 0.5} if name == "adversarial" else {}
    assert each.facts(2, (4, 4, 4)) == pytest.approx(facts)


@pytest.mark.parametrize("name", names("sampling"))
def test_samplers(name):
    assert takes(find("sampling", name)) == takes(contracts.Sampler.__call__)


@pytest.mark.parametrize("name", names("networks"))
def test_networks(name):
    component = find("networks", name)
    assert takes(component)[:2] == list(contracts.GivenToNetworks.__annotations__)
    network = component(in_channels=1, out_channels=3)
    assert isinstance(network, nn.Module)
    if contracts.is_classifier(network):
        assert_as(component, contracts.ClassificationNetwork, "features")
        assert network.head.out_features == 3
        assert not isinstance(network, contracts.UnpaddedNetwork)
    if isinstance(network, contracts.UnpaddedNetwork):
        assert len(network.training_patch) == len(network.inference_patch) == 3
        assert isinstance(network.context, int)


def test_kinds_of_networks_are_told_apart():
    kinds = {name: find("networks", name)(1, 2) for name in ("unet", "deepmedic", "light_cnn")}
    assert [contracts.is_classifier(each) for each in kinds.values()] == [False, False, True]
    unpadded = [isinstance(each, contracts.UnpaddedNetwork) for each in kinds.values()]
    assert unpadded == [False, True, False]


@pytest.mark.parametrize("name", names("adjustments"))
def test_adjustments(name):
    assert_as(find("adjustments", name), contracts.Adjustment, "__call__")


@pytest.mark.parametrize("name", names("retraining"))
def test_retraining(name):
    component = find("retraining", name)
    assert_as(component, contracts.Retraining, "__call__")
    made = component(batch_size=7, threads=1)
    assert (made.batch_size, made.threads) == (7, 1)


def test_what_is_supplied_has_one_name_for_one_thing():
    """An argument that two kinds are supplied with means the same, and none is an option too."""
    for kind, name in every():
        component = find(kind, name)
        supplied = {key for given in GIVEN.values() for key in given} - GIVEN[kind]
        if kind != "sampling":
            assert not supplied & set(takes(component)), (kind, name)
