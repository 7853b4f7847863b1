"""What is wrong with a study of images is found, and told, before anything runs."""

from __future__ import annotations

import pytest

from pipeline.checks.studies import CLASSIFICATION as STUDY
from pipeline.checks.studies import IMAGES, RAW, VOLUMES
from pipeline.checks.studies import classification as parameters
from rarelens.pipeline.checks import check_study

AT = "study__classification__"
METHODS = "methods.classification"
TASK = "classification"
RETRAINED = {f"{AT}adjusted": ["bce"], f"{AT}adjustments": ["classifier_retraining"]}


def test_a_study_without_problems_beside_one_that_is_switched_off():
    assert check_study(parameters(**RETRAINED)) == []


def test_a_study_that_is_switched_off_is_not_looked_at():
    changes = {
        f"{AT}datasets": [],
        f"{AT}networks": ["nothing"],
        "study__segmentation__datasets": ["hippocampus"],
    }
    # Of names in lists, though, a slip is told.
    (sentence,) = check_study(parameters(**changes))
    assert "study.classification.networks: there is no 'nothing'" in sentence
    # What only its datasets would need is not.
    changes[f"{AT}networks"] = ["light_cnn"]
    unneeded = {"layers__light_cnn": {"units": ["stage9"], "saliency": "stage9"}}
    assert check_study(parameters(**changes, **unneeded)) == []


def test_initial_weights_that_dvc_would_not_watch_are_refused():
    network = {"network": "resnet50", "weights": "../resnet50.safetensors"}
    changes = {"networks__resnet50": network, f"{AT}networks": ["resnet50"]}
    told = check_study(parameters(**changes))
    assert (
        "params.yaml: networks.resnet50.weights: ../resnet50.safetensors is not in the folder "
        "weights, which DVC watches; put it, or a link to it, there"
    ) in told


@pytest.mark.parametrize("kind", ["networks", "methods"])
def test_an_unknown_name_lists_the_choices(kind):
    known = list(RAW["methods"][TASK] if kind == "methods" else RAW["networks"])
    (sentence,) = check_study(parameters(**{f"{AT}{kind}": [*STUDY[kind], "nowhere"]}))
    assert sentence == (
        f"params.yaml: study.classification.{kind}: there is no 'nowhere'; choose one of "
        + ", ".join(known)
    )


def test_an_unknown_adjustment_lists_those_of_the_task():
    changes = RETRAINED | {f"{AT}adjustments": ["threshold"]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: study.classification.adjustments: there is no 'threshold'; choose one of "
        + ", ".join(RAW["adjustments"][TASK])
    ]


@pytest.mark.parametrize("name", ["nowhere", "hippocampus"])
def test_a_study_of_images_takes_no_volumes(name):
    assert check_study(parameters(**{f"{AT}datasets": ["blood_cells", name]})) == [
        f"params.yaml: study.classification.datasets: there is no {name!r}; choose one of "
        + ", ".join(IMAGES)
    ]


def test_a_study_of_volumes_takes_no_images():
    changes = {"study__segmentation__datasets": ["hippocampus", "blood_cells"]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: study.segmentation.datasets: there is no 'blood_cells'; choose one of "
        + ", ".join(VOLUMES)
    ]


def test_problems_of_both_studies_are_told_together():
    changes = {
        "study__segmentation__datasets": ["hippocampus"],
        "methods__segmentation__focal": {"objective": "focal", "gama": 1},
        "methods__classification__bce": {"objective": "bce", "bogus": 1},
        "study__segmentation__methods": ["cross_entropy", "focal"],
    }
    told = check_study(parameters(**changes))
    assert [sentence.split(": ")[1] for sentence in told] == [
        "methods.segmentation.focal.gama",
        f"{METHODS}.bce.bogus",
    ]


def test_a_network_whose_layers_are_not_named_is_told_once():
    layers = {name: named for name, named in RAW["layers"].items() if name != "light_cnn"}
    changes = {"layers": layers, f"{AT}datasets": ["blood_cells", "chexpert"]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: layers.light_cnn: missing; name the modules of light_cnn that are looked into"
    ]


@pytest.mark.parametrize(
    "layers",
    [
        {"units": ["stage3", "stage5"], "saliency": "stage4"},
        {"units": ["stage3"], "saliency": "stage5"},
        {"units": ["stage5"], "saliency": "stage5"},
    ],
    ids=["units", "saliency", "both"],
)
def test_an_unknown_layer_is_told_once_with_those_that_there_are(layers):
    (sentence,) = check_study(parameters(layers__light_cnn=layers))
    assert sentence.startswith("params.yaml: layers.light_cnn: 'stage5' is no layer with maps of ")
    assert "choose one of stage1, stage2, stage3, stage4, " in sentence


def test_a_layer_without_maps_is_told():
    layers = {"units": ["stage3"], "saliency": "head"}
    (sentence,) = check_study(parameters(layers__light_cnn=layers))
    assert "'head' is no layer with maps" in sentence


@pytest.mark.parametrize("name", ["light_cnn", "densenet121", "densenet121_cut", "resnet50"])
def test_the_layers_of_params_yaml_are_there_in_grey_and_in_colour(name):
    both = {f"{AT}datasets": ["blood_cells", "embedded_findings"], f"{AT}networks": [name]}
    assert check_study(parameters(**both, study__simulated=["embedded_findings"])) == []


@pytest.mark.parametrize(
    ("method", "where", "words"),
    [
        ({"objective": "sigmoid_focal", "gama": 2}, ".gama", "unknown key"),
        ({"objective": "bce", "positives": [1]}, ".positives", "unknown key"),
        ({"objective": "bce", "asymmetric": True}, ".asymmetric", "unknown key"),
        ({"objective": "weighted_bce", "source": "epoch"}, ".source", "'dataset' or 'batch'"),
        ({"objective": "asymmetric_multi_label", "clip": -1.0}, ".clip", "not -1.0"),
        ({"objective": "bce", "sampling": "none"}, "", "there is no 'none'; choose one of class"),
    ],
)
def test_a_method_s_wrong_option_is_told(method, where, words):
    (sentence,) = check_study(parameters(methods__classification__weighted_bce=method))
    assert sentence.startswith(f"params.yaml: {METHODS}.weighted_bce{where}: ")
    assert words in sentence


@pytest.mark.parametrize("objective", ["cross_entropy", "focal", "dice", "compound", "hausdorff"])
def test_a_loss_of_voxels_is_refused(objective):
    method = {"objective": objective}
    assert check_study(parameters(methods__classification__weighted_bce=method)) == [
        f"params.yaml: {METHODS}.weighted_bce.objective: {objective} is for the segmentation "
        "study; choose an objective for classification"
    ]


@pytest.mark.parametrize(
    ("method", "key", "objective"),
    [
        ({"objective": "bce"}, "objective", "bce"),
        (
            {"objective": "asymmetric_multi_label"},
            "objective",
            "asymmetric_multi_label",
        ),
        ({"objective": "multi_task"}, "objective", "multi_task"),
        (
            {
                "objective": "compound",
                "losses": [{"objective": "dice"}, {"objective": "sigmoid_focal"}],
            },
            "losses.1.objective",
            "sigmoid_focal",
        ),
        ({"objective": "dice", "base": "weighted_bce"}, "base", "weighted_bce"),
    ],
)
def test_a_loss_of_labels_is_refused_by_the_study_of_volumes(method, key, objective):
    changes = {
        f"{AT}datasets": [],
        "study__segmentation__datasets": ["hippocampus"],
        "study__segmentation__methods": ["cross_entropy", "focal"],
        "methods__segmentation__focal": method,
    }
    assert check_study(parameters(**changes)) == [
        f"params.yaml: methods.segmentation.focal.{key}: {objective} is for the classification "
        "study; choose an objective for segmentation"
    ]


@pytest.mark.parametrize(
    ("network", "where", "words"),
    [
        ({"network": "light_cnn", "chanels": [8, 8]}, ".chanels", "unknown key"),
        ({"network": "light_cnn", "channels": [8, 8, 8, 9]}, ".channels.3", "multiple of 8"),
        ({"network": "light_cnn", "in_channels": 3}, ".in_channels", "unknown key"),
    ],
)
def test_a_network_s_wrong_option_is_told_once(network, where, words):
    changes = {"networks__light_cnn": network, f"{AT}datasets": ["blood_cells", "chexpert"]}
    (sentence,) = check_study(parameters(**changes))
    assert sentence.startswith(f"params.yaml: networks.light_cnn{where}: ")
    assert words in sentence


@pytest.mark.parametrize("name", ["unet", "segresnet", "deepmedic"])
def test_a_network_for_volumes_is_told_once(name):
    changes = {
        f"{AT}networks": [name],
        f"{AT}datasets": ["blood_cells", "chexpert"],
        f"layers__{name}": {"units": ["model"], "saliency": "model"},
    }
    assert check_study(parameters(**changes)) == [
        f"networks: {name} gives no logits of whole images; choose a network for classification"
    ]


@pytest.mark.parametrize("name", ["light_cnn", "densenet121"])
def test_a_network_for_images_is_refused_by_the_study_of_volumes(name):
    changes = {
        f"{AT}datasets": [],
        "study__segmentation__datasets": ["hippocampus"],
        "study__segmentation__networks": [name],
    }
    assert check_study(parameters(**changes)) == [
        f"networks: {name} gives no logits of voxels; choose a network for segmentation"
    ]


def test_images_too_small_for_a_network_are_told():
    size = "datasets__blood_cells__preprocess__image_size"
    changes = {f"{AT}networks": ["densenet121"], size: [8, 8]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: datasets.blood_cells.preprocess.image_size: networks.densenet121 "
        "does not take images of [8, 8] pixels; enlarge them"
    ]


@pytest.mark.parametrize(
    ("options", "where", "words"),
    [
        ({"rate": 1}, ".rate", "unknown key"),
        ({"steps": 0}, ".steps", "not 0"),
        ({"adjustment": "threshold"}, "", "there is no 'threshold'; choose one of classifier_ret"),
    ],
)
def test_a_retraining_s_wrong_option_is_told(options, where, words):
    settings = {"adjustment": "classifier_retraining"} | options
    changes = RETRAINED | {"adjustments__classification__classifier_retraining": settings}
    (sentence,) = check_study(parameters(**changes))
    assert words in sentence
    if where:
        place = f"adjustments.classification.classifier_retraining{where}"
        assert sentence.startswith(f"params.yaml: {place}: ")


def test_a_simulated_dataset_of_the_study_must_be_named():
    changes = {f"{AT}datasets": ["embedded_findings"]}
    assert check_study(parameters(**changes)) == [
        "params.yaml: study.simulated: 'embedded_findings' is simulated; name it here"
    ]


@pytest.mark.parametrize("gpu", [True, False])
def test_fp16_is_refused_without_a_gpu(monkeypatch, gpu):
    monkeypatch.setattr("rarelens.pipeline.checks.study.torch.cuda.is_available", lambda: gpu)
    told = check_study(parameters(train__classification__precision="fp16"))
    sentence = (
        "params.yaml: train.classification.precision: fp16 needs a GPU, and there is none; use "
        "bf16 or no"
    )
    assert told == ([] if gpu else [sentence])
