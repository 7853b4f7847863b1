"""The names under which everything stands in MLflow, equal for all cells, so that they compare."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any

from rarelens.pipeline.tracking.experiment import own_experiment
from rarelens.studies.cells import Cell

CELL, STUDY = "rarelens.cell", "rarelens.study"
IDENTITY, STALE, ORIGIN = "rarelens.identity", "rarelens.stale", "rarelens.origin"
EXPERIMENT = "dvc.experiment"
# A digest of all that a run was last brought up to date with; written last of all.
STATE = "rarelens.state"
PARENT, NAME, NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
COMMIT = "mlflow.source.git.commit"
USER, SOURCE, SOURCE_TYPE = "mlflow.user", "mlflow.source.name", "mlflow.source.type"
EXECUTED, RESTORED = "executed", "restored"

# Columns of the training history.
EPOCHS = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "validation_dice": "validation/dice",
    "validation_average_precision": "validation/average_precision",
}
_BY_CLASS = re.compile(r"(margin|misclassified)_(train|validation)_(\d+)")


def epoch_metric(column: str) -> str | None:
    """The metric of a column of the training history: margin_train_1 is ``train/margin_1``."""
    found = _BY_CLASS.fullmatch(column)
    return f"{found[2]}/{found[1]}_{found[3]}" if found else EPOCHS.get(column)


def is_final(name: str) -> bool:
    """Whether a metric is known after the training alone: no epoch's, none of the machine."""
    return not (is_epoch_metric(name) or name.startswith(SYSTEM))


def is_epoch_metric(name: str) -> bool:
    """Whether a metric is one of the training history."""
    side, _, rest = name.partition("/")
    kind, _, label = rest.rpartition("_")
    return name in EPOCHS.values() or epoch_metric(f"{kind}_{side}_{label}") == name


# What MLflow's monitor logs of the machine while a training runs.
SYSTEM = "system/"

# What a comparison looks at first; all others stand below ``test_details/``.
HEADLINE = frozenset(
    {"dice", "hd95", "sensitivity", "precision", "shift"}
    | {"auroc", "average_precision", "pointing_game"}
)
COSTS = (
    "seconds",
    "steps",
    "gradient_evaluations",
    "patches_per_second",
    "images_per_second",
    "peak_memory_mib",
    "peak_gpu_memory_mib",
)
# In a part of a name; a slash joins parts, and one of dots alone would lead elsewhere.
_FORBIDDEN = re.compile(r"[^\w.\- ]|^\.*$")


def note(cell: Cell) -> str:
    """A run's description."""
    text = (
        f"`{cell.base.method}` on {cell.dataset}, network {cell.network}, {cell.fraction} of the "
        f"training pool, seed {cell.seed}."
    )
    adjustment = cell.method.partition("+")[2]
    if adjustment and cell.task == "segmentation":
        text += (
            f" Adjusted after training by `{adjustment}`: weights, history and usage are those "
            f"of `{cell.base.method}`."
        )
    elif adjustment:
        text += f" Its classifier trained anew by `{adjustment}` on frozen features."
    return text


def run_name(cell: Cell) -> str:
    """What is looked for first stands first: the column is narrow."""
    return f"{cell.method} · seed {cell.seed} · {cell.dataset} · {cell.network} · {cell.fraction}"


def source(cell: Cell) -> str:
    """The address of the stage that made the cell, as `dvc repro` takes it."""
    made = {"segmentation": "adjust", "classification": "retrain"}
    stage = "train" if cell == cell.base else made[cell.task]
    steps = (cell.dataset, cell.network, *cell.method.split("+"), cell.fraction, str(cell.seed))
    return f"studies/{cell.task}/dvc.yaml:{stage}@{'-'.join(steps)}"


def user() -> str:
    """Who logs, as MLflow itself says it; a container's user may have no name."""
    with suppress(ImportError, KeyError, OSError):
        return getpass.getuser()
    return "unknown"


def cell_tags(cell: Cell, identity: str) -> dict[str, str]:
    """Who the run is: the cell, its identity, a tag for each dimension, its name."""
    base, _, adjustment = cell.method.partition("+")
    adjusted = {"base": base, "adjustment": adjustment} if adjustment else {}
    return {
        CELL: f"{cell.task}/{cell.name}",
        IDENTITY: identity,
        NAME: run_name(cell),
        NOTE: note(cell),
        SOURCE: source(cell),
        SOURCE_TYPE: "LOCAL",
        **{key: str(value) for key, value in vars(cell).items()},
        **adjusted,
        **experiment_tag(),
    }


def experiment_tag() -> dict[str, str]:
    """The DVC experiment that all this is of, if it runs in a working copy of its own."""
    own = own_experiment()
    return {} if own is None else {EXPERIMENT: own.name}


def measures(
    task: str, summary: Mapping[str, Any], rare_classes: Sequence[str] = ()
) -> dict[str, float]:
    """``summary.json`` under names in which the classes of a measure stand together.

    ``test/dice/<class>``, and ``test/dice`` where it is a mean: of a segmentation over the rare
    classes, unless one of them has no value; of classifiers over all.
    """
    named: dict[str, float] = {}
    for path, value in flatten(summary, "/").items():
        if value is not None:
            group, *place, measure = path.split("/")
            if task == "segmentation":  # Its groups are the classes themselves, and the layers.
                place = place or [group]
            section = "test" if measure in HEADLINE else "test_details"
            named["/".join([section, measure, *place])] = float(value)
    for measure in HEADLINE if task == "segmentation" and rare_classes else ():
        values = [summary.get(name, {}).get(measure) for name in rare_classes]
        if None not in values:
            named[f"test/{measure}"] = fmean(values)
    # As many digits as metrics/*.csv.
    return {name: float(f"{value:.6g}") for name, value in sorted(named.items())}


def costs(record: Mapping[str, Any]) -> dict[str, float]:
    """What the training took."""
    return {f"usage/{name}": float(record[name]) for name in COSTS if name in record}


def flatten(nested: Mapping[str, Any], separator: str = ".", prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, their keys joined to names that MLflow allows."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = prefix + _FORBIDDEN.sub("_", key)
        if isinstance(value, Mapping):
            flat |= flatten(value, separator, name + separator)
        else:
            flat[name] = value
    return flat


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Nested parameters under dotted keys, as MLflow keeps them."""
    return {key: str(value) for key, value in flatten(parameters).items()}
