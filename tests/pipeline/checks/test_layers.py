"""The layers of a study's networks that are looked into."""

from __future__ import annotations

import pytest

from pipeline.checks.studies import RAW
from pipeline.checks.studies import segmentation as parameters
from rarelens.pipeline.checks import check_study


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_a_network_without_layers_is_told_once(task):
    network, dataset = {
        "segmentation": ("unet", "hippocampus"),
        "classification": ("light_cnn", "blood_cells"),
    }[task]
    study = RAW["study"][task] | {"datasets": [dataset]}
    layers = {name: own for name, own in RAW["layers"].items() if name != network}
    changes = {"study__segmentation__datasets": [], "study__simulated": [], "layers": layers}
    changes |= {f"study__{task}": study}
    assert check_study(parameters(**changes)) == [
        f"params.yaml: layers.{network}: missing; name the modules of {network} that are looked "
        "into"
    ]


def test_a_layer_that_a_segmentation_network_has_not_is_told_once_with_those_it_has():
    changes = {
        "layers__unet__units": ["model.1.submodule.0", "model.7"],
        "study__segmentation__datasets": ["embedded", "hippocampus"],
    }
    (sentence,) = check_study(parameters(**changes))
    assert sentence.startswith("params.yaml: layers.unet: 'model.7' is no layer with maps of UNet")
    assert "model.1.submodule.2" in sentence


def test_a_network_that_pads_nothing_may_have_no_units():
    changes = {"study__segmentation__networks": ["deepmedic_small"]}
    assert check_study(parameters(**changes)) == []
    (sentence,) = check_study(parameters(**changes, layers__deepmedic_small__units=["normal.0"]))
    assert sentence == (
        "params.yaml: layers.deepmedic_small.units: DeepMedic pads nothing, so that its layers do "
        "not cover what it labels; look into the units of another network"
    )


def test_every_segmentation_network_of_the_repository_has_the_layers_it_names():
    names = ["unet", "unet_instance", "unet_large", "segresnet", "deepmedic", "deepmedic_small"]
    changes = {
        "study__segmentation__networks": names,
        "study__segmentation__datasets": ["brats"],
    }
    assert check_study(parameters(**changes)) == []


def test_a_segmentation_network_need_not_be_looked_into():
    changes = {"layers__unet__units": [], "layers__unet__saliency": None}
    assert check_study(parameters(**changes)) == []


def test_a_classifier_needs_units_and_saliency():
    study = RAW["study"]["classification"] | {"datasets": ["blood_cells"]}
    changes = {"layers__light_cnn": {"units": [], "saliency": None}, "study__classification": study}
    assert check_study(parameters(**changes)) == [
        "params.yaml: layers.light_cnn.units: a classifier needs some; name at least one of its "
        "modules",
        "params.yaml: layers.light_cnn.saliency: a classifier needs one; name the module for "
        "Grad-CAM",
    ]
