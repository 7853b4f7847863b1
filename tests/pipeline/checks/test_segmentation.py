"""A study's problems are found, and told, before anything runs."""

from __future__ import annotations

from functools import wraps

import pytest

from pipeline.checks.studies import FITTED, RAW, VOLUMES
from pipeline.checks.studies import SEGMENTATION as STUDY
from pipeline.checks.studies import segmentation as parameters
from rarelens.components.adjustments.threshold import Threshold
from rarelens.components.objectives.ldam import LDAMLoss
from rarelens.components.regularisers.mixup import Mixup
from rarelens.pipeline.checks import check_study
from rarelens.pipeline.parameters.reading import check
from rarelens.pipeline.parameters.whole import Parameters

METHODS = "methods.segmentation"


def test_the_repository_s_study_has_no_problem():
    assert check_study(check(RAW, Parameters, "")) == []


def test_every_network_is_tried_on_the_patches_of_every_dataset():
    networks = ["unet", "unet_large", "segresnet"]
    every = {"datasets": VOLUMES, "networks": networks}
    study = STUDY | every | {"methods": list(RAW["methods"]["segmentation"])}
    told = check_study(parameters(study__segmentation=study))
    # Only the deep network does not fit the small and the thin patches.
    found = [sentence.split(": ")[1] for sentence in told]
    small = ("embedded", "hippocampus", "emidec", "acdc")
    assert found == [f"datasets.{name}.patch_size" for name in small]
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


@pytest.mark.parametrize(("patch", "near"), [
    ([40, 40, 41], [40, 40, 40]), ([12, 40, 40], [16, 40, 40]), ([1, 1, 1], [8, 8, 8]),
])  # fmt: skip
def test_a_patch_that_the_network_does_not_take_is_told(patch, near):
    (sentence,) = check_study(parameters(datasets__embedded__patch_size=patch))
    assert sentence == (
        "params.yaml: datasets.embedded.patch_size: networks.unet does not take patches of "
        f"{patch} voxels; choose multiples of 8, such as {near}"
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


@pytest.mark.parametrize("gpu", [True, False])
def test_fp16_is_refused_without_a_gpu(monkeypatch, gpu):
    monkeypatch.setattr("rarelens.pipeline.checks.study.torch.cuda.is_available", lambda: gpu)
    told = check_study(parameters(train__segmentation__precision="fp16"))
    sentence = (
        "params.yaml: train.segmentation.precision: fp16 needs a GPU, and there is none; use bf16 "
        "or no"
    )
    assert told == [] if gpu else told == [sentence]


def test_what_a_component_refuses_when_it_is_built_is_told(monkeypatch):
    for component in (LDAMLoss, Mixup, Threshold):

        @wraps(component.__init__)  # Of the same signature, which is kept for later tests.
        def refuse(self, *_: object, **__: object) -> None:
            raise ValueError("not\n today")

        monkeypatch.setattr(component, "__init__", refuse)
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
