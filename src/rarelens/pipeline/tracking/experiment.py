"""What the experiment's page says and shows first."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow import MlflowClient

from rarelens.pipeline.tracking.standing import Standing
from rarelens.pipeline.tracking.views import saved_views

NOTE = """\
**rarelens: what class imbalance does to a network.** One run per trained model ("cell"), below \
one run per study, which holds the report and the tables of the comparison.

- Filter out what is no longer in the study: ``tags.`rarelens.stale` = 'false'``; one dimension: \
`tags.method = 'focal'`, also `dataset`, `network`, `fraction`, `seed`, `task`.
- `test/…` are the final measures that matter, `test_details/…` the others, `usage/…` what the \
training took. The names are equal for all cells of a task.
- `rarelens.origin` says whether a training was `executed` here or its result `restored`.
- Runs mirror DVC's lock files: `rarelens sync` brings them up to date, or back.
"""
# Without the kind, the page guesses it, and asks.
TAGS = {"mlflow.note.content": NOTE, "mlflow.experimentKind": "custom_model_development"}


def describe_experiment(client: MlflowClient, experiment: str, cells: Sequence[Standing]) -> None:
    """Set the page's text and the views of each study, where they are others."""
    wanted = dict(TAGS)
    for task in dict.fromkeys(each.cell.task for each in cells):
        wanted |= saved_views(task, [each for each in cells if each.cell.task == task])
    known = client.get_experiment(experiment).tags
    for key, value in wanted.items():
        if known.get(key) != value:
            client.set_experiment_tag(experiment, key, value)
