"""MLflow's models of cells, and the registry's alias."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel

from pipeline.tracking.project import (
    ADJUSTED,
    BCE,
    FOCAL,
    PLAIN,
    RETRAINED,
    STUDY,
    VALIDATED,
    leave,
)
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.mirror import sync
from rarelens.studies.cells import Cell

Picture = Callable[[], dict[str, Any]]
SCORED = "step,loss,learning_rate,validation_average_precision\n2,0.7,0.1,0.9\n4,0.6,0.1,{}\n"
REGISTERED = "rarelens-classification-smears"


def models() -> dict[str, list[LoggedModel]]:
    """All models, the oldest first, by their cells."""
    client, experiment = connect()
    found: dict[str, list[LoggedModel]] = {}
    for each in sorted(
        client.search_logged_models([experiment]), key=lambda e: e.creation_timestamp
    ):
        found.setdefault(each.tags[names.CELL], []).append(each)
    return found


def best() -> str | None:
    """The cell's method that the alias stands for."""
    client: MlflowClient = connect()[0]
    if "best" not in client.get_registered_model(REGISTERED).aliases:
        return None
    address = str(client.get_model_version_by_alias(REGISTERED, "best").source)
    return str(client.get_logged_model(address.removeprefix("models:/")).tags["method"])


def test_each_cell_has_a_model_with_its_parameters_and_the_digest_of_its_weights(
    study: Path,
) -> None:
    sync(STUDY)
    found = models()
    assert sorted(found) == sorted(f"{cell.task}/{cell.name}" for cell in STUDY)
    (adjusted,) = found[f"segmentation/{ADJUSTED.name}"]
    assert adjusted.model_type == "segmentation"
    assert adjusted.params["settings.steps"] == "4"
    assert adjusted.params["adjustment.logit_bias"] == "[0.0, 0.5]"
    assert adjusted.tags["weights"] == f"models/segmentation/{PLAIN.name}/weights.safetensors"
    # sha256sum of the text that stands for weights here.
    assert adjusted.tags["weights.sha256"] == (
        "97e677ae3814f888efb5098aa4a7ee0d3a7970421de2ec05175b072a93e8db21"
    )
    keys = ("dataset", "network", "method", "fraction", "seed")
    assert [adjusted.tags[key] for key in keys] == [
        "brains", "unet", "cross_entropy+threshold", "1", "0",
    ]  # fmt: skip


def test_final_measures_belong_to_the_model_and_the_dataset(study: Path, picture: Picture) -> None:
    sync(STUDY)
    shown = picture()[f"classification/{BCE.name} identity-bce-0"]["model"]
    assert shown["metrics"]["test/auroc", "smears", "digest-smears"] == 0.75
    assert {place[1:] for place in shown["metrics"]} == {("smears", "digest-smears")}


def test_a_run_shows_its_model(study: Path) -> None:
    sync([BCE])
    (model,) = models()[f"classification/{BCE.name}"]
    (output,) = connect()[0].get_run(model.source_run_id).outputs.model_outputs
    assert output.model_id == model.model_id


def test_a_model_is_stale_with_its_run_and_comes_back_with_it(study: Path) -> None:
    def marks() -> list[str]:
        return [each.tags[names.STALE] for each in models()[f"classification/{BCE.name}"]]

    sync([BCE])
    leave(BCE, identity="other")
    sync([BCE])
    assert marks() == ["true", "false"]
    leave(BCE)
    sync([BCE])
    assert marks() == ["false", "true"]


def test_a_model_that_was_deleted_or_never_finished_is_made_again(study: Path) -> None:
    sync([BCE])
    (first,) = models()[f"classification/{BCE.name}"]
    client, experiment = connect()
    client.delete_logged_model(first.model_id)
    half = client.create_logged_model(experiment, "half", first.source_run_id, first.tags)
    sync([BCE])
    (again,) = models()[f"classification/{BCE.name}"]
    assert str(again.status) == "READY"
    assert again.model_id not in (first.model_id, half.model_id)
    assert {each.key for each in again.metrics} == {each.key for each in first.metrics}


def score(cell: Cell, value: str) -> None:
    leave(cell, history=SCORED.format(value))


def test_the_alias_is_the_best_in_validation_of_the_kept_weights_and_moves(study: Path) -> None:
    score(BCE, "0.25")
    score(FOCAL, "0.5")
    sync(STUDY)
    assert best() == "focal"
    score(BCE, "0.75")
    sync(STUDY)
    assert best() == "bce"
    score(FOCAL, "1.0")
    sync(STUDY)
    assert best() == "focal"
    about = connect()[0].get_registered_model(REGISTERED).description
    assert "`validation_average_precision`" in about
    focal = models()[f"classification/{FOCAL.name}"][-1]
    assert json.loads(focal.tags["mlflow.modelVersions"])[0]["name"] == REGISTERED


def test_the_alias_goes_with_what_it_stood_for(study: Path) -> None:
    score(BCE, "0.25")
    score(FOCAL, "0.5")
    sync(STUDY)
    sync([BCE, PLAIN])
    assert best() == "bce"
    sync([PLAIN])
    assert best() is None


def test_without_validation_there_is_no_best(study: Path) -> None:
    score(BCE, "")
    sync(STUDY)
    assert connect()[0].search_registered_models() == []


def test_an_adjusted_cell_is_no_candidate_for_its_weights_were_validated_without(
    study: Path,
) -> None:
    leave(PLAIN, history=VALIDATED)
    leave(ADJUSTED)
    sync(STUDY)
    client = connect()[0]
    version = client.get_model_version_by_alias("rarelens-segmentation-brains", "best")
    assert version.tags == {
        "rarelens.cell": f"segmentation/{PLAIN.name}", "validation_dice": "0.5",
    }  # fmt: skip
    assert "validation_dice" not in models()[f"segmentation/{ADJUSTED.name}"][0].tags
    assert RETRAINED.method in models()[f"classification/{RETRAINED.name}"][0].name


def test_a_deleted_database_has_the_same_models_and_alias_again(
    study: Path, picture: Picture, new_database: Callable[[], None]
) -> None:
    leave(PLAIN, history=VALIDATED)
    score(BCE, "0.5")
    sync(STUDY)
    before = picture()
    assert set(before["registry"]) == {REGISTERED, "rarelens-segmentation-brains"}
    new_database()
    sync(STUDY)
    assert picture() == before
