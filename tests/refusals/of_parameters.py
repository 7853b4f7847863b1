"""Bad ``params.yaml``: as text, and value by value."""

from __future__ import annotations

import copy
from functools import partial, reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

from rarelens.pipeline.checks import check_study
from rarelens.pipeline.parameters.reading import Scope, read_yaml
from rarelens.pipeline.parameters.whole import Parameters, read_parameters
from rarelens.studies.settings.checking import check
from refusals.bad import BAD, Bad

FILE = Path(__file__).parents[2] / "params.yaml"
LEVELS = "".join(f"{a}: &{a} [{', '.join([f'*{b}'] * 9)}]\n" for b, a in pairwise("abcdefghij"))
MERGES = "".join(
    f"{a}: &{a} {{<<: [{', '.join([f'*{b}'] * 9)}]}}\n" for b, a in pairwise("abcdefghij")
)
TEXTS = {
    "nothing": ("", "params.yaml"),
    "a list": ("- a\n- b\n", "params.yaml"),
    "one word": ("study\n", "params.yaml"),
    "tabs as indentation": ("study:\n\tdatasets: []\n", "not readable as YAML"),
    "an open bracket": ("study: [\n", "not readable as YAML"),
    "a key twice": ("study: {}\nstudy: {}\n", "not readable as YAML"),
    "a control character": ("study: \x07\n", "not readable as YAML"),
    "an unknown tag that would run code": (
        "study: !!python/object/apply:os.system ['touch ran']\n", "not readable as YAML"),
    "an alias of nothing": ("study: *other\n", "not readable as YAML"),
    "nine levels of aliases": (f"a: &a [x, x]\n{LEVELS}study: *j\n", "aliases"),
    "nine levels of merged aliases": (f"a: &a {{x: 1}}\n{MERGES}study: *j\n", "aliases"),
    "an anchor that holds itself": ("study: &a [*a]\n", "aliases"),
    "an anchor that holds itself as a mapping": ("study: &a {datasets: *a}\n", "aliases"),
    "lists nested 5 000 deep": ("study: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    "mappings nested 5 000 deep": ("study: " + "{a: " * 5000 + "}" * 5000, "nested too deeply"),
    "a list as a key": ("study:\n  ? [a, b]\n  : 1\n", "params.yaml"),
    "a date as a key": ("study:\n  2001-01-01: 1\n", "params.yaml"),
    "a date that there is not": ("study: 2001-13-41\n", "params.yaml"),
    "a number of 5 000 digits": (f"study: {'9' * 5000}\n", "params.yaml"),
    "binary data that is none": ("study: !!binary '='\n", "params.yaml"),
    "half a surrogate": ('study: "\\ud800"\n', "params.yaml"),
    "two documents": ("study: {}\n---\nstudy: {}\n", "not readable as YAML"),
    "9 MiB of comments": ("# x\n" * 2_400_000, "larger than"),
}  # fmt: skip
BYTES = {
    "UTF-16": ("study: {}\n".encode("utf-16"), "not readable as YAML"),
    "Latin-1": ("study: é\n".encode("latin-1"), "not readable as YAML"),
    "zeros": (bytes(4096), "params.yaml"),
    "a PNG": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not readable as YAML"),
}


def _read_bytes(content: bytes, folder: Path) -> None:
    file = folder / "params.yaml"
    file.write_bytes(content)
    read_parameters(file)


def _folder(folder: Path) -> None:
    (folder / "params.yaml").mkdir()
    read_parameters(folder / "params.yaml")


def _loop(folder: Path) -> None:
    (folder / "params.yaml").symlink_to("params.yaml")
    read_parameters(folder / "params.yaml")


def _section(folder: Path) -> None:
    (folder / "params.yaml").write_text("report: 3\n")
    Scope(["report.dpi"], folder / "params.yaml")


def _absent(folder: Path) -> None:
    read_parameters(folder / "params.yaml")


for given, (text, says) in TEXTS.items():
    content = text.encode("utf-8", "surrogatepass")
    BAD.append(Bad("params.yaml", given, says, partial(_read_bytes, content)))
for given, (raw, says) in BYTES.items():
    BAD.append(Bad("params.yaml", given, says, partial(_read_bytes, raw)))
BAD.append(Bad("params.yaml", "a folder in its place", "not readable as YAML", _folder))
BAD.append(Bad("params.yaml", "a link to itself in its place", "not readable as YAML", _loop))
BAD.append(Bad("params.yaml", "a section that is a number", "missing", _section))
BAD.append(Bad("params.yaml", "no file", "no such file", _absent))

SEGMENTATION, CLASSIFICATION = "embedded", "embedded_findings"
VALUES: list[tuple[str, Any]] = [
    ("train.segmentation.batch_size", 10**12),
    ("train.segmentation.batch_size", 0),
    ("train.segmentation.batch_size", 1.5),
    ("train.segmentation.batch_size", True),
    ("train.segmentation.batch_size", "4"),
    ("train.segmentation.steps", 10**30),
    ("train.segmentation.threads", 10**9),
    ("train.segmentation.learning_rate", float("nan")),
    ("train.segmentation.learning_rate", float("inf")),
    ("train.segmentation.learning_rate", 1e12),
    ("train.segmentation.learning_rate", -0.1),
    ("train.segmentation.weight_decay", 1e200),
    ("train.segmentation.optimiser", "adam; rm -rf /"),
    ("train.segmentation.margin_patches", 10**9),
    ("train.segmentation.foreground_share", 1.01),
    ("train.classification.threads", -1),
    ("train.classification.batch_size", 10**12),
    ("train.classification.steps", 10**30),
    ("extract.segmentation.window_batch", 10**12),
    ("extract.segmentation.bin_width", 1e-12),
    ("extract.segmentation.joint_bin_width", 1e-12),
    ("extract.segmentation.calibration_bins", 10**9),
    ("extract.segmentation.sample_voxels", 10**15),
    ("extract.segmentation.seed", 2**32),
    ("extract.classification.batch_size", 10**12),
    ("extract.classification.occlusion_window", 10**9),
    ("extract.classification.integrated_gradients_steps", 10**12),
    ("analyse.segmentation.bootstrap", 10**15),
    ("analyse.segmentation.permutations", 10**15),
    ("analyse.segmentation.seed", 2**32),
    ("analyse.segmentation.exact_quantile_values", 10**18),
    ("analyse.classification.bootstrap", 10**15),
    ("analyse.classification.calibration_bins", 10**9),
    ("analyse.classification.panels", 10**9),
    ("analyse.classification.probe_regularisation", 1e300),
    ("compare.bootstrap", 10**15),
    ("compare.seed", 2**64),
    ("compare.confidence", 1.0),
    ("report.dpi", 10**9),
    ("report.dpi", 0),
    ("report.classes", 10**30),
    ("study.segmentation.seeds", [2**32]),
    ("study.segmentation.seeds", [-1]),
    ("study.segmentation.fractions", [10**400]),
    ("study.segmentation.fractions", [1.5]),
    ("study.segmentation.datasets", ["../embedded"]),
    ("study.segmentation.methods", ["=1+1"]),
    (f"datasets.{SEGMENTATION}.patch_size", [10**6] * 3),
    (f"datasets.{SEGMENTATION}.patch_size", [0, 16, 16]),
    (f"datasets.{SEGMENTATION}.preprocess.spacing", [1e-6] * 3),
    (f"datasets.{SEGMENTATION}.preprocess.crop_margin", 10**12),
    (f"datasets.{SEGMENTATION}.split.seed", 2**32),
    (f"datasets.{SEGMENTATION}.split.group", "("),
    (f"datasets.{SEGMENTATION}.rare_classes", [10**9]),
    (f"datasets.{SEGMENTATION}.simulate.subjects", 10**12),
    (f"datasets.{SEGMENTATION}.simulate.warp", 1e12),
    (f"datasets.{SEGMENTATION}.simulate.lesions", [1, 10**12]),
    (f"datasets.{CLASSIFICATION}.preprocess.image_size", [10**6, 10**6]),
    (f"datasets.{CLASSIFICATION}.simulate.images", [1, 10**12]),
    (f"datasets.{CLASSIFICATION}.simulate.seed", 2**32),
    (f"datasets.{SEGMENTATION}.layout", "../../msd"),
]
# Found by the checks of the whole study, which look at what components take.
STUDY: list[tuple[str, Any]] = [
    ("networks.unet.channels", [10**7, 10**7]),
    ("networks.unet.channels", [60000, 60000]),
    ("networks.unet.residual_units", 10**6),
    ("networks.unet.dropout", 2.0),
    ("networks.light_cnn", {"network": "light_cnn", "channels": [10**9] * 4}),
    ("networks.light_cnn", {"network": "light_cnn", "convolutions": [10**6] * 4}),
    ("networks.unet.network", "unet.py"),
    ("methods.segmentation.asymmetric_focal.gamma", 1e30),
    ("methods.segmentation.cross_entropy.objective", "os"),
    ("adjustments.segmentation.threshold.step", 1e-12),
    ("adjustments.classification.classifier_retraining.steps", 10**30),
]


def _valued(path: str, value: Any, whole: bool, folder: Path) -> None:
    raw = copy.deepcopy(_raw())
    *above, last = path.split(".")
    section: Any = reduce(lambda own, step: own[step], above, raw)
    section[last] = value
    parameters: Parameters = check(raw, Parameters, "")
    if whole:
        from rarelens.errors import RarelensError

        problems = check_study(parameters)
        if problems:
            raise RarelensError(*problems)


_KEPT: list[Any] = []


def _raw() -> Any:
    if not _KEPT:
        raw = read_yaml(FILE)
        study = raw["study"]
        study["segmentation"] |= {"networks": ["unet"]}
        study["segmentation"] |= {"methods": ["cross_entropy", "asymmetric_focal"]}
        study["segmentation"] |= {"adjusted": ["cross_entropy"], "adjustments": ["threshold"]}
        study["classification"] |= {"networks": ["light_cnn"], "methods": ["bce"]}
        study["classification"] |= {"adjusted": ["bce"], "baseline": "bce"}
        study["classification"] |= {"adjustments": ["classifier_retraining"]}
        _KEPT.append(raw)
    return _KEPT[0]


for path, value in VALUES:
    shown = f"`{path.split('.', 1)[1]}`: {str(value)[:40]} ({path.split('.')[0]})"
    said = "study.segmentation" if path.endswith("fractions") else path
    BAD.append(Bad("values", shown, said, partial(_valued, path, value, False)))
for path, value in STUDY:
    shown = f"`{path}`: {str(value)[:60]}"
    says = ".".join(path.split(".")[:3]) if path.startswith("m") else path.split(".")[1]
    BAD.append(Bad("values", shown, says, partial(_valued, path, value, True)))
