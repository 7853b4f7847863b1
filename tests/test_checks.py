"""A study's problems are found, and told, before anything runs."""

from __future__ import annotations

import copy
import json
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rarelens.checks import check_prepared, check_study
from rarelens.config.whole import Parameters
from rarelens.errors import RarelensError
from rarelens.parameters import check, read_yaml

RAW = read_yaml(Path(__file__).parents[1] / "params.yaml")
STUDY = {
    "datasets": ["embedded"],
    "networks": ["unet"],
    "methods": ["cross_entropy", "asymmetric_focal"],
    "baseline": "cross_entropy",
    "adjusted": [],
    "adjustments": [],
    "fractions": [1],
    "seeds": [0],
}
METHODS = "methods.segmentation"
TASK = "segmentation"


def parameters(**changes: Any) -> Parameters:
    """The repository's parameters with a small study; `__` in a name stands for a dot."""
    raw = copy.deepcopy(RAW)
    off = raw["study"]["classification"] | {"datasets": []}
    raw["study"] = {
        "simulated": ["embedded"],
        "segmentation": dict(STUDY),
        "classification": off,
    }
    for path, value in changes.items():
        *above, last = path.split("__")
        reduce(lambda section, step: section[step], above, raw)[last] = value
    read: Parameters = check(raw, Parameters, "")
    return read


def test_the_repository_s_study_has_no_problem():
    assert check_study(check(RAW, Parameters, "")) == []


def test_every_network_is_tried_on_the_patches_of_every_dataset():
    networks = ["unet", "unet_large", "segresnet"]
    volumes = [name for name, values in RAW["datasets"].items() if "patch_size" in values]
    every = {"datasets": volumes, "networks": networks}
    study = STUDY | every | {"methods": list(RAW["methods"]["segmentation"])}
    told = check_study(parameters(study__segmentation=study))
    # Only the deep network does not fit the two small patches.
    assert len(told) == 2
    assert all("networks.unet_large does not take patches" in sentence for sentence in told)


@pytest.mark.parametrize("kind", ["datasets", "networks", "methods"])
def test_an_unknown_name_lists_the_choices(kind):
    known = list(RAW["methods"]["segmentation"] if kind == "methods" else RAW[kind])
    if kind == "datasets":
        known = [name for name in known if "patch_size" in RAW[kind][name]]
    changes = {f"study__segmentation__{kind}": [*STUDY[kind], "nowhere"]}
    assert check_study(parameters(**changes)) == [
        f"params.yaml: study.segmentation.{kind}: there is no 'nowhere'; choose one of "
        + ", ".join(known)
    ]


def test_unknown_names_are_told_together():
    changes = {
        "study__segmentation__datasets": ["nowhere"],
        "study__segmentation__networks": ["nothing"],
        "study__segmentation__methods": ["cross_entropy", "nohow"],
    }
    told = check_study(parameters(**changes))
    assert [
        any(f"there is no '{name}'" in t for t in told) for name in ("nowhere", "nothing", "nohow")
    ] == [True] * 3


@pytest.mark.parametrize(
    ("method", "where", "words"),
    [
        ({"objective": "focal", "gama": 2}, ".gama", "unknown key"),
        ({"objective": "focal", "gamma": -1}, ".gamma", "greater than or equal to 0, not -1"),
        ({"objective": "focal", "gamma": "2"}, ".gamma", "valid number, not '2'"),
        ({"objective": "focal", "rare_classes": [1]}, ".rare_classes", "unknown key"),
        ({"objective": "focal", "reduction": "sum"}, ".reduction", "unknown key"),
        (
            {"objective": "cross_entropy", "asymmetric": True},
            ".asymmetric",
            "cross_entropy has no asymmetric form; set false",
        ),
        ({"objective": "compound"}, ".losses", "missing; compound needs at least one"),
        (
            {"objective": "compound", "losses": [{"objective": "dice"}, {"objective": "compound"}]},
            ".losses.1.objective",
            "compound within a compound; name its losses here instead",
        ),
        (
            {"objective": "focal", "losses": [{"objective": "dice"}]},
            ".losses",
            "focal takes no losses; remove them, or choose the objective compound",
        ),
        (
            {"objective": "focal", "base": "compound"},
            ".base",
            "compound needs losses; choose a single loss",
        ),
        (
            {"objective": "compound", "losses": [{"objective": "focal"}], "weights": [1, 2]},
            "",
            "compound: there are 1 losses and 2 weights",
        ),
        (
            {
                "objective": "compound",
                "losses": [{"objective": "focal_margin"}, {"objective": "ldam"}],
            },
            "",
            "FocalMarginLoss, LDAMLoss modify the logits; one loss of a compound may",
        ),
    ],
)
def test_a_method_s_wrong_option_is_told(method, where, words):
    changes = {"methods__segmentation__asymmetric_focal": method}
    (sentence,) = check_study(parameters(**changes))
    assert sentence.startswith(f"params.yaml: {METHODS}.asymmetric_focal{where}: ")
    assert words in sentence


def test_an_unknown_objective_lists_the_choices():
    changes = {"methods__segmentation__asymmetric_focal": {"objective": "focall"}}
    (sentence,) = check_study(parameters(**changes))
    assert "there is no 'focall'; choose one of " in sentence
    assert "cross_entropy, " in sentence


@pytest.mark.parametrize(
    ("network", "where", "words"),
    [
        ({"network": "unet", "chanels": [8, 8]}, ".chanels", "unknown key"),
        ({"network": "unet", "in_channels": 3}, ".in_channels", "unknown key"),
        ({"network": "unet", "channels": [8]}, ".channels", "at least 2 items"),
        ({"network": "unet", "dropout": 1.5}, ".dropout", "less than 1"),
        ({"network": "segresnet", "filters": 12}, ".filters", "multiple of 8"),
    ],
)
def test_a_network_s_wrong_option_is_told_once(network, where, words):
    changes = {
        "networks__unet": network,
        "study__segmentation__datasets": ["embedded", "hippocampus"],
    }
    (sentence,) = check_study(parameters(**changes))
    assert sentence.startswith(f"params.yaml: networks.unet{where}: ")
    assert words in sentence


@pytest.mark.parametrize("patch", [[40, 40, 41], [12, 40, 40], [1, 1, 1]])
def test_a_patch_that_the_network_does_not_take_is_told(patch):
    (sentence,) = check_study(parameters(datasets__embedded__patch_size=patch))
    assert sentence == (
        "params.yaml: datasets.embedded.patch_size: networks.unet does not take patches of "
        f"{patch} voxels; choose multiples of its total stride"
    )


def test_problems_of_methods_and_patches_are_told_together():
    changes = {
        "datasets__embedded__patch_size": [9, 9, 9],
        "methods__segmentation__asymmetric_focal": {"objective": "focal", "bogus": 1},
    }
    told = check_study(parameters(**changes))
    assert len(told) == 2
    assert "bogus" in told[0]
    assert "[9, 9, 9]" in told[1]


def test_a_dataset_that_is_to_be_simulated_needs_a_section():
    changes = {"study__simulated": ["embedded", "hippocampus"]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: study.simulated: datasets.hippocampus has no section simulate; add it"
    ]


def test_a_simulated_dataset_of_the_study_must_be_named():
    assert check_study(parameters(study__simulated=[])) == [
        "params.yaml: study.simulated: 'embedded' is simulated; name it here"
    ]
    others = {"study__simulated": [], "study__segmentation__datasets": ["hippocampus"]}
    assert check_study(parameters(**others)) == []


WITHOUT = {"datasets__embedded__split__validation": 0}
GIVE = "or give it some by datasets.embedded.split"
BEST = (
    "params.yaml: train.segmentation.select: best needs validation cases, and embedded has none; "
    f"set last, {GIVE}"
)
PATIENCE = (
    "params.yaml: train.segmentation.patience: 3 needs validation cases, and embedded has none; "
    f"set null, {GIVE}"
)
UNFITTED = (
    "params.yaml: adjustments.segmentation.threshold: a threshold is fitted on validation cases, "
    "and there are none; give embedded some by datasets.embedded.split"
)
FITTED = {
    "study__segmentation__adjusted": ["cross_entropy"],
    "study__segmentation__adjustments": ["threshold", "logit_adjustment"],
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train__segmentation__select": "best"}, BEST),
        ({"train__segmentation__patience": 3}, PATIENCE),
        (FITTED, UNFITTED),
    ],
    ids=["best", "patience", "threshold"],
)
def test_what_needs_validation_cases_is_refused_without_any(changes, sentence):
    assert check_study(parameters(**changes)) == []
    assert check_study(parameters(**changes, **WITHOUT)) == [sentence]
    # A split file may name validation cases: the data decides.
    file = {"datasets__embedded__split__file": "split.csv"}
    assert check_study(parameters(**changes, **WITHOUT, **file)) == []


def test_without_validation_cases_the_rest_is_fine():
    changes = FITTED | {"study__segmentation__adjustments": ["logit_adjustment"]}
    assert check_study(parameters(**changes, **WITHOUT)) == []


@pytest.mark.parametrize("gpu", [True, False])
def test_fp16_is_refused_without_a_gpu(monkeypatch, gpu):
    monkeypatch.setattr("rarelens.checks.common.torch.cuda.is_available", lambda: gpu)
    told = check_study(parameters(train__segmentation__precision="fp16"))
    sentence = (
        "params.yaml: train.segmentation.precision: fp16 needs a GPU, and there is none; use bf16 "
        "or no"
    )
    assert told == [] if gpu else told == [sentence]


def test_what_a_component_refuses_when_it_is_built_is_told(monkeypatch):
    def refuse(self, *_: object, **__: object) -> None:
        raise ValueError("not\n today")

    for file, name in (("objectives.ldam", "LDAMLoss"), ("regularisers.mixup", "Mixup")):
        monkeypatch.setattr(import_module(f"rarelens.{file}").__dict__[name], "__init__", refuse)
    monkeypatch.setattr("rarelens.adjustments.threshold.Threshold.__init__", refuse)
    changes = FITTED | {
        "study__segmentation__methods": ["cross_entropy", "ldam", "mixup"],
        "methods__segmentation__ldam": {"objective": "ldam"},
        "methods__segmentation__mixup": {"objective": "focal", "regularisers": {"mixup": {}}},
        "adjustments__segmentation__threshold": {"adjustment": "threshold"},
    }
    assert check_study(parameters(**changes)) == [
        f"params.yaml: {METHODS}.ldam: ldam: not today",
        f"params.yaml: {METHODS}.mixup.regularisers.mixup: mixup: not today",
        "params.yaml: adjustments.segmentation.threshold: threshold: not today",
    ]


@pytest.fixture
def prepared(tmp_path):
    """Writes ``prepared/embedded`` with a pool of so many cases and voxels per class."""

    def make(pool: int = 8, voxels: tuple[int, ...] = (980, 20), others: str = "test") -> Path:
        folder = tmp_path / "embedded"
        folder.mkdir()
        splits = ["pool"] * pool + others.split()
        pd.DataFrame(
            {
                "case": [f"s{n}" for n in range(len(splits))],
                "group": [f"s{n}" for n in range(len(splits))],
                "split": splits,
                "spacing": [[1.0, 1.0, 1.0]] * len(splits),
                "voxels": [list(voxels)] * len(splits),
            }
        ).to_parquet(folder / "cases.parquet")
        description = {"name": "embedded", "channels": ["a"], "classes": ["b", "c"]}
        (folder / "dataset.json").write_text(json.dumps(description | {"spacing": None}))
        return tmp_path

    return make


def test_prepared_cases_that_suffice_have_no_problem(prepared):
    changes = {"study__segmentation__fractions": [1, 0.5, 0.125]}
    assert check_prepared(parameters(**changes), prepared(), TASK) == []


def test_a_fraction_that_leaves_no_case_is_told_once(prepared):
    changes = {
        "study__segmentation__fractions": [1, 0.05],
        "study__segmentation__seeds": [0, 1, 2],
    }
    (sentence,) = check_prepared(parameters(**changes), prepared(), TASK)
    assert "fraction 0.05 of a pool of 8 cases leaves no training case" in sentence
    assert "raise the fraction" in sentence


def test_a_dataset_without_a_rare_class_is_told_once(prepared):
    changes = {"study__segmentation__seeds": [0, 1]}
    (sentence,) = check_prepared(parameters(**changes), prepared(voxels=(600, 400)), TASK)
    assert "no foreground class has a share of voxels below rare_threshold 0.05" in sentence
    assert "shares: 0.4" in sentence


def test_a_named_rare_class_must_exist(prepared):
    folder = prepared()
    (sentence,) = check_prepared(parameters(datasets__embedded__rare_classes=[1, 2]), folder, TASK)
    assert sentence.startswith("params.yaml: datasets.embedded.rare_classes: [1, 2]: ")
    assert "from 0 to 1" in sentence
    assert check_prepared(parameters(datasets__embedded__rare_classes=[1]), folder, TASK) == []


def test_prepared_cases_without_validation_cases_are_told(prepared):
    changes = {"train__segmentation__select": "best", "train__segmentation__patience": 3} | FITTED
    study = parameters(**changes, datasets__embedded__split__file="split.csv")
    folder = prepared()
    assert check_prepared(study, folder, TASK) == [BEST, PATIENCE, UNFITTED]


def test_prepared_validation_cases_suffice(prepared):
    changes = {"train__segmentation__select": "best", "train__segmentation__patience": 3} | FITTED
    assert check_prepared(parameters(**changes), prepared(others="test validation"), TASK) == []


def test_a_dataset_that_is_not_prepared_is_told(tmp_path):
    with pytest.raises(RarelensError, match=r"embedded: no prepared dataset; run"):
        check_prepared(parameters(), tmp_path, TASK)


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
    names = ["unet", "unet_large", "segresnet", "deepmedic", "deepmedic_small"]
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
