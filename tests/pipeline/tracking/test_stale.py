"""Runs that are not, or no longer, the picture of a cell that stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.tracking.project import ADJUSTED, BCE, PLAIN, RETRAINED, STUDY, leave
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.mirror import Synced, sync

Runs = Callable[..., list[Any]]
Picture = Callable[[], dict[str, Any]]


def stale(runs: Runs) -> list[str]:
    return sorted(
        run.data.tags[names.IDENTITY] for run in runs() if run.data.tags[names.STALE] == "true"
    )


def test_an_adjusted_cell_shows_its_adjustment_and_anew_when_it_changes(
    study: Path, runs: Runs
) -> None:
    sync(STUDY)

    def adjusted() -> dict[str, str]:
        """Its biases, by whether they are stale."""
        found = [run for run in runs() if run.data.tags["method"] == ADJUSTED.method]
        return {
            run.data.tags[names.STALE]: run.data.params["adjustment.logit_bias"] for run in found
        }

    assert adjusted() == {"false": "[0.0, 0.5]"}
    leave(ADJUSTED, logit_bias=[0.0, 0.75])
    assert sync(STUDY) == Synced(current=5, stale=1, absent=0)
    assert adjusted() == {"true": "[0.0, 0.5]", "false": "[0.0, 0.75]"}


def test_a_measure_that_is_gone_goes_from_the_page(study: Path, runs: Runs) -> None:
    sync(STUDY)
    leave(BCE, summary={"mean": {"auroc": 0.75}})
    assert sync(STUDY) == Synced(current=5, stale=1, absent=0)
    (run,) = [
        run
        for run in runs()
        if run.data.tags["method"] == "bce" and run.data.tags[names.STALE] == "false"
    ]
    assert [name for name in run.data.metrics if name.startswith("test")] == ["test/auroc"]


def test_runs_of_other_cells_are_stale_until_they_come_back(study: Path, runs: Runs) -> None:
    sync(STUDY)
    assert sync([BCE, RETRAINED, PLAIN, ADJUSTED]) == Synced(current=4, stale=1, absent=0)
    assert stale(runs) == ["identity-focal-0"]
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert stale(runs) == []


def test_a_study_that_is_switched_off_is_stale_with_its_cells(study: Path, runs: Runs) -> None:
    sync(STUDY)
    assert sync([PLAIN, ADJUSTED]) == Synced(current=2, stale=4, absent=0)
    marks = {run.data.tags[names.STUDY]: run.data.tags[names.STALE] for run in runs(names.STUDY)}
    assert marks == {"segmentation": "false", "classification": "true"}
    assert sync(STUDY).stale == 0


def test_another_identity_gets_its_own_run_and_the_first_comes_back(
    study: Path, runs: Runs
) -> None:
    sync([BCE])
    leave(BCE, identity="other")
    assert sync([BCE]) == Synced(current=1, stale=1, absent=0)
    assert stale(runs) == ["identity-bce-0"]
    leave(BCE)
    assert sync([BCE]) == Synced(current=1, stale=1, absent=0)
    assert stale(runs) == ["other"]


def test_of_two_runs_with_one_identity_the_older_is_kept(study: Path, runs: Runs) -> None:
    client, experiment = connect()
    doubles = [
        client.create_run(experiment, start, names.cell_tags(BCE, "identity-bce-0")).info.run_id
        for start in (2000, 1000)
    ]
    parents = [client.create_run(experiment, 1, {names.STUDY: "classification"}) for _ in range(2)]
    assert sync([BCE]) == Synced(current=1, stale=2, absent=0)
    marks = {run.info.run_id: run.data.tags[names.STALE] for run in runs()}
    assert marks == {doubles[0]: "true", doubles[1]: "false"}
    assert sorted(run.data.tags[names.STALE] for run in runs(names.STUDY)) == ["false", "true"]
    assert len(parents) == 2
    assert sync([BCE]) == Synced(current=1, stale=2, absent=0)


def test_runs_that_are_not_ours_are_left_alone(study: Path) -> None:
    client, experiment = connect()
    own = client.create_run(experiment, run_name="mine").info.run_id
    assert sync(STUDY) == Synced(current=5, stale=0, absent=0)
    assert names.STALE not in client.get_run(own).data.tags
