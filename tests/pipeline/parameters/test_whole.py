"""What ``params.yaml`` may say: each mistake is refused with its place, its value and the cure."""

from __future__ import annotations

import copy
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from dvc.stage.cache import _get_cache_hash
from ruamel.yaml import YAML

from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_study
from rarelens.pipeline.parameters.reading import check, read_yaml
from rarelens.pipeline.parameters.whole import UNTRACKED, Parameters, read_parameters
from rarelens.studies.settings.methods import Method
from rarelens.studies.settings.study import Study

FILE = Path(__file__).parents[3] / "params.yaml"
RAW = read_yaml(FILE)
STUDY = "study.segmentation"
TRAIN = "train.segmentation"
EMBEDDED = "datasets.embedded"
FINDINGS = "datasets.embedded_findings"
IMAGES = "datasets.blood_cells"
SIZE = f"{IMAGES}.preprocess.image_size"


def changed(path: str, value: Any) -> Any:
    """The repository's parameters with the value at ``path`` replaced."""
    raw = copy.deepcopy(RAW)
    *above, last = path.split(".")
    reduce(lambda section, step: section[step], above, raw)[last] = value
    return raw


def problems(raw: Any) -> tuple[str, ...]:
    with pytest.raises(RarelensError) as caught:
        check(raw, Parameters, "")
    return caught.value.problems


def test_the_repository_s_parameters_are_valid_and_complete():
    parameters = read_parameters(FILE)
    assert parameters.datasets["embedded"].preprocess.spacing is None
    assert parameters.datasets["atlas"].preprocess.spacing == (1, 1, 1)
    assert parameters.datasets["atlas"].preprocess.crop_margin == 2
    assert parameters.methods.segmentation["asymmetric_focal"].asymmetric
    assert parameters.methods.segmentation["focal"].options == {"gamma": 2.0}
    assert set(RAW) == set(Parameters.model_fields)


def test_parameters_cannot_be_changed_once_read():
    with pytest.raises(ValueError, match="frozen"):
        read_parameters(FILE).report.dpi = 10


@pytest.mark.parametrize(
    ("path", "value", "where", "words"),
    [
        # unknown keys
        ("bogus", 1, "bogus", ["unknown key", "remove or correct"]),
        (f"{STUDY}.bogus", 1, f"{STUDY}.bogus", ["unknown key"]),
        (f"{EMBEDDED}.simulate.bogus", 1, f"{EMBEDDED}.simulate.bogus", ["unknown key"]),
        # wrong types
        (f"{TRAIN}.steps", "800", f"{TRAIN}.steps", ["valid integer", "'800'"]),
        (f"{TRAIN}.steps", 800.0, f"{TRAIN}.steps", ["valid integer", "800.0"]),
        (f"{TRAIN}.steps", True, f"{TRAIN}.steps", ["valid integer", "True"]),
        (f"{TRAIN}.learning_rate", "1e-3", f"{TRAIN}.learning_rate", ["valid number", "'1e-3'"]),
        (
            f"{TRAIN}.precision",
            False,
            f"{TRAIN}.precision",
            ["'no', 'tf32', 'bf16' or 'fp16'", "False"],
        ),
        (f"{TRAIN}.workers", -1, f"{TRAIN}.workers", ["greater than or equal to 0", "-1"]),
        (
            "extract.segmentation.full_logits",
            1,
            "extract.segmentation.full_logits",
            ["valid boolean", "not 1"],
        ),
        ("study.simulated", "embedded", "study.simulated", ["valid array", "'embedded'"]),
        ("train", None, "train", ["object", "None"]),
        (f"{STUDY}.seeds", [0, "1"], f"{STUDY}.seeds.1", ["valid integer", "'1'"]),
        # impossible values
        (f"{TRAIN}.steps", 0, f"{TRAIN}.steps", ["greater than or equal to 1", "not 0"]),
        (f"{TRAIN}.optimiser", "adam", f"{TRAIN}.optimiser", ["'adamw' or 'sgd'", "'adam'"]),
        (f"{TRAIN}.foreground_share", 1.5, f"{TRAIN}.foreground_share", ["equal to 1", "1.5"]),
        ("analyse.segmentation.confidence", 1, "analyse.segmentation.confidence", ["less than 1"]),
        ("analyse.segmentation.quantile", 0, "analyse.segmentation.quantile", ["greater than 0"]),
        (
            "extract.segmentation.units_patches",
            -1,
            "extract.segmentation.units_patches",
            ["greater than or equal to 0", "not -1"],
        ),
        ("layers.unet.saliency", 3, "layers.unet.saliency", ["valid string", "not 3"]),
        (f"{TRAIN}.learning_rate", float("nan"), f"{TRAIN}.learning_rate", ["finite", "nan"]),
        (f"{TRAIN}.learning_rate", float("inf"), f"{TRAIN}.learning_rate", ["finite", "inf"]),
        (f"{STUDY}.seeds", [-1], f"{STUDY}.seeds.0", ["equal to 0", "-1"]),
        (f"{STUDY}.seeds", [], f"{STUDY}.seeds", ["at least 1 item", "[]"]),
        (f"{STUDY}.methods", ["A b"], f"{STUDY}.methods.0", ["pattern", "'A b'"]),
        (f"{EMBEDDED}.layout", "bids", f"{EMBEDDED}.layout", ["choose 'msd', 'nnunet'", "'bids'"]),
        (f"{EMBEDDED}.patch_size", [8, 8], f"{EMBEDDED}.patch_size.2", ["missing", "add it"]),
        (f"{EMBEDDED}.simulate.lesions", [4, 1], f"{EMBEDDED}.simulate.lesions", ["4", "1"]),
        (f"{EMBEDDED}.split.group", "(", f"{EMBEDDED}.split.group", ["'('", "expression"]),
        (f"{EMBEDDED}.split.group", "a", f"{EMBEDDED}.split.group", ["'a'", "bracket"]),
        (
            f"{EMBEDDED}.preprocess.intensity",
            [{"method": "clip", "lower": 2, "upper": 1}],
            f"{EMBEDDED}.preprocess.intensity.0",
            ["lower 2.0", "below upper 1.0"],
        ),
        (
            f"{EMBEDDED}.preprocess.intensity",
            [{"method": "zscore", "lower": 1}],
            f"{EMBEDDED}.preprocess.intensity.0.lower",
            ["unknown key"],
        ),
        (
            f"{EMBEDDED}.preprocess.intensity",
            [{"method": "log"}],
            f"{EMBEDDED}.preprocess.intensity.0.method",
            ["'log'", "'zscore', 'clip'"],
        ),
        # datasets of images
        (
            f"{IMAGES}.layout",
            "dicom",
            f"{IMAGES}.layout",
            ["'dicom'", "choose 'chexpert'"],
        ),
        (f"{IMAGES}.patch_size", [8, 8, 8], f"{IMAGES}.patch_size", ["unknown key"]),
        (SIZE, [64, 4], f"{SIZE}.1", ["equal to 8", "4"]),
        (SIZE, [64], f"{SIZE}.1", ["missing", "add it"]),
        (f"{IMAGES}.preprocess.resize", "crop", f"{IMAGES}.preprocess.resize", ["'pad'", "'crop'"]),
        (f"{IMAGES}.preprocess.channels", 3, f"{IMAGES}.preprocess.channels", ["'rgb'", "not 3"]),
        (f"{IMAGES}.preprocess.dtype", "int8", f"{IMAGES}.preprocess.dtype", ["'uint16'", "int8"]),
        (
            f"{IMAGES}.preprocess.intensity",
            [{"method": "zscore"}],
            f"{IMAGES}.preprocess.intensity",
            ["'full_range' or 'per_image'"],
        ),
        (f"{IMAGES}.preprocess.uncertain", "u", f"{IMAGES}.preprocess.uncertain", ["'ignore'"]),
        (f"{IMAGES}.preprocess.classes", [1], f"{IMAGES}.preprocess.classes.0", ["string", "1"]),
        (f"{IMAGES}.preprocess.spacing", None, f"{IMAGES}.preprocess.spacing", ["unknown key"]),
        (f"{IMAGES}.split.test", 0, f"{IMAGES}.split.test", ["greater than 0", "not 0"]),
        (f"{IMAGES}.split.test", 60, f"{IMAGES}.split.test", ["less than 1", "60"]),
        (f"{IMAGES}.split.validation", -0.1, f"{IMAGES}.split.validation", ["equal to 0", "-0.1"]),
        (f"{IMAGES}.split.official", "yes", f"{IMAGES}.split.official", ["boolean", "'yes'"]),
        (f"{IMAGES}.split.pool", 5, f"{IMAGES}.split.pool", ["unknown key"]),
        (f"{IMAGES}.split.group", "(", f"{IMAGES}.split.group", ["'('", "expression", "correct"]),
        (f"{IMAGES}.split.group", "a", f"{IMAGES}.split.group", ["'a'", "bracket", "add one"]),
        (f"{FINDINGS}.simulate.bogus", 1, f"{FINDINGS}.simulate.bogus", ["unknown key"]),
        (f"{FINDINGS}.simulate.images", [6, 4], f"{FINDINGS}.simulate.images", ["6", "4"]),
        (
            f"{FINDINGS}.simulate.findings.mass",
            None,
            f"{FINDINGS}.simulate.findings.mass",
            ["None"],
        ),
        (
            f"{FINDINGS}.simulate.findings.mass.radius",
            [9.0, 8.0],
            f"{FINDINGS}.simulate.findings.mass.radius",
            ["radius", "9.0", "8.0"],
        ),
        (
            f"{FINDINGS}.simulate.findings.mass.prevalence",
            1.0,
            f"{FINDINGS}.simulate.findings.mass.prevalence",
            ["less than 1"],
        ),
        ("networks.Unet", {"network": "unet"}, "networks.Unet", ["pattern", "'Unet'"]),
        ("networks.5", {"network": "unet"}, "networks.5", ["pattern", "'5'"]),
        # duplicates in the study's lists, and fractions
        (f"{STUDY}.seeds", [0, 1, 0], STUDY, ["seeds", "twice", "[0, 1, 0]"]),
        (f"{STUDY}.datasets", ["a", "a"], STUDY, ["datasets", "twice"]),
        (f"{STUDY}.networks", ["unet", "unet"], STUDY, ["networks", "twice"]),
        (f"{STUDY}.methods", ["cross_entropy"] * 2, STUDY, ["methods", "twice"]),
        (f"{STUDY}.fractions", [0.5, 0.5], STUDY, ["fractions", "twice"]),
        (f"{STUDY}.fractions", [1, 1.0], STUDY, ["fractions", "twice"]),
        (f"{STUDY}.fractions", [0], STUDY, ["fractions: 0 ", "(0, 1]"]),
        (f"{STUDY}.fractions", [1.5], STUDY, ["fractions: 1.5 ", "(0, 1]"]),
        (f"{STUDY}.fractions", [1.0], STUDY, ["write 1 for 1.0"]),
        (f"{STUDY}.baseline", "none", STUDY, ["'none' (baseline or adjusted)", "methods"]),
        # post-hoc cells
        (f"{STUDY}.adjusted", ["cross_entropy"], STUDY, ["['cross_entropy']", "both lists"]),
        (f"{STUDY}.adjustments", ["threshold"], STUDY, ["['threshold']", "or neither"]),
        # the classification study's own sections
        (
            "analyse.classification.tail_below",
            0.5,
            "analyse.classification",
            ["tail_below 0.5", "head_above 0.15"],
        ),
        # what no exchange could show
        (
            "analyse.segmentation.permutations",
            18,
            "analyse.segmentation",
            ["18 exchanges cannot reach null_level 0.95", "at least 19"],
        ),
    ],
)
def test_a_mistake_is_told_once_with_its_place_value_and_cure(path, value, where, words):
    (sentence,) = problems(changed(path, value))
    assert sentence.startswith(f"params.yaml: {where}: ")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (f"{STUDY}.fractions", ["1"], f"{STUDY}.fractions.0"),
        (f"{STUDY}.fractions", [True], f"{STUDY}.fractions.0"),
        (f"{STUDY}.fractions", [float("nan")], f"{STUDY}.fractions.0"),
        (f"{EMBEDDED}.rare_classes", "rare", f"{EMBEDDED}.rare_classes"),
        (f"{EMBEDDED}.rare_classes", 1, f"{EMBEDDED}.rare_classes"),
    ],
)
def test_every_choice_is_told_at_a_place_that_the_file_has(path, value, where):
    told = problems(changed(path, value))
    assert len(told) == 2
    # Each sentence points at the list or at its first item.
    assert all(t.startswith((f"params.yaml: {where}: ", f"params.yaml: {where}.0: ")) for t in told)


@pytest.mark.parametrize(
    "path",
    [
        "report",
        f"{TRAIN}.steps",
        f"{STUDY}.baseline",
        # dvc.yaml names both, even where they are empty.
        f"{STUDY}.adjusted",
        f"{STUDY}.adjustments",
    ],
)
def test_a_missing_key_is_named(path):
    raw = copy.deepcopy(RAW)
    *above, last = path.split(".")
    del reduce(lambda section, step: section[step], above, raw)[last]
    assert problems(raw) == (f"params.yaml: {path}: missing; add it",)


def test_a_dataset_without_layout_is_told_by_its_name():
    raw = copy.deepcopy(RAW)
    del raw["datasets"]["blood_cells"]["layout"]
    assert problems(raw) == ("params.yaml: datasets.blood_cells.layout: missing; add it",)


def test_keys_of_the_other_task_s_datasets_are_told_one_by_one():
    told = problems(changed(f"{IMAGES}.layout", "msd"))
    places = [sentence.split(": ")[1] for sentence in told]
    assert all(place.startswith(IMAGES) for place in places)
    assert len(places) == len(set(places))
    assert f"{IMAGES}.preprocess.image_size" in places  # of images alone
    assert f"{IMAGES}.patch_size" in places  # of volumes alone


@pytest.mark.parametrize(
    ("path", "value", "place", "known"),
    [
        (f"{FINDINGS}.simulate.findings.mass.shape", "blob", "", "cavity, mass, mottling"),
        ("extract.classification.saliency", ["lime"], ".0", "grad_cam, integrated_gradients"),
    ],
)
def test_names_that_no_section_lists_are_held_against_what_there_is(path, value, place, known):
    parameters = check(changed(path, value), Parameters, "")
    (sentence,) = check_study(parameters)
    name = value if isinstance(value, str) else value[0]
    told = f"params.yaml: {path}{place}: there is no {name!r}; choose one of {known}"
    assert sentence.startswith(told)


def test_both_studies_switched_off_are_refused():
    raw = changed(f"{STUDY}.datasets", [])
    raw["study"]["classification"]["datasets"] = []
    assert problems(raw) == (
        "params.yaml: study: both studies are switched off; name a dataset in one of them",
    )


def test_several_problems_are_told_at_once():
    raw = changed(f"{TRAIN}.steps", "800")
    raw["report"]["bogus"] = 1
    del raw["compare"]["seed"]
    told = problems(raw)
    assert len(told) == 3
    for place in (f"{TRAIN}.steps", "report.bogus", "compare.seed"):
        assert sum(f"params.yaml: {place}: " in sentence for sentence in told) == 1


@pytest.mark.parametrize("fraction", [1, 0.5, 0.05, 0.001, 1e-5])
def test_fractions_within_the_pool_are_taken_as_written(fraction):
    study: Study = check(
        changed(f"{STUDY}.fractions", [fraction]), Parameters, ""
    ).study.segmentation
    assert study.fractions == (fraction,)
    assert type(study.fractions[0]) is type(fraction)


def test_a_method_keeps_its_own_options_apart_from_the_shared_ones():
    method = check({"objective": "focal", "gamma": 4, "asymmetric": True}, Method, "here")
    assert method.options == {"gamma": 4}
    assert method.foreground_share is None


@pytest.mark.parametrize("name", UNTRACKED)
def test_a_name_that_dvc_s_run_cache_overlooks_is_refused(name: str, tmp_path: Path) -> None:
    def key(name: str, value: int) -> str:
        return _get_cache_hash({"params": {"params.yaml": {"methods": {name: value}}}}, key=True)

    # DVC takes two values for one.
    assert key(name, 1) == key(name, 2)
    assert key("width", 1) != key("width", 2)
    raw = changed("methods.segmentation.focal", {"objective": "focal", name: 1})
    raw["methods"]["segmentation"]["boundary"]["losses"][0][name] = 1
    file = tmp_path / "params.yaml"
    YAML().dump(raw, file)
    with pytest.raises(RarelensError) as caught:
        read_parameters(file)
    found = [problem.split(": ")[1] for problem in caught.value.problems]
    at = "methods.segmentation"
    assert sorted(found) == [f"{at}.boundary.losses.0.{name}", f"{at}.focal.{name}"]
