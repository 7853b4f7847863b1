"""What the pooled features of one cell are like, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.measures.linear_probe import linear_probe
from rarelens.measures.similarity import effective_rank, nc1
from rarelens.studies.analysis.classification.scores import Array, Scores, read_scores
from rarelens.studies.settings.classification.stages import AnalyseClassification

ALL = -1  # The class index of what is said of all classes together.


def write_representation(
    extract: Path,
    classes: Sequence[str],
    layers: Sequence[str],
    target: Path,
    settings: AnalyseClassification,
) -> None:
    """Write ``representation.parquet``.

    Effective rank is that of the test images' features; NC1, a measure of training, that of the
    training images; the linear probe is trained on these and judged on the test images. NC1 and
    the probe have a row for each class, and one for the mean over classes that are defined.
    """
    table = read_scores(extract)
    sides = table["side"].to_numpy(object)
    rows: list[dict[str, Any]] = []
    for layer in layers:
        features = np.load(extract / "features" / f"{layer}.npy", mmap_mode="r")
        train, test = (
            (np.asarray(features[sides == side]), Scores.of(table[sides == side], len(classes)))
            for side in ("train", "test")
        )
        rows += [{"layer": layer, **row} for row in _rows(*train, *test, settings)]
    found = pd.DataFrame(rows, columns=["layer", "measure", "class", "value"])
    # The last digits of linear algebra depend on the number of cores.
    found["value"] = [float(f"{value:.9g}") for value in found["value"]]
    found["defined"] = np.isfinite(found["value"])
    found.to_parquet(target / "representation.parquet", index=False)


def _rows(
    train_x: Array, train: Scores, test_x: Array, test: Scores, settings: AnalyseClassification
) -> Iterator[dict[str, Any]]:
    yield {"measure": "effective_rank", "class": ALL, "value": effective_rank(test_x)}
    probe = linear_probe(train_x, train.labels, test_x, test.labels, settings.probe_regularisation)
    by_class = {
        "nc1": nc1(train_x, train.labels),
        "linear_probe_auroc": probe.auroc,
        "linear_probe_average_precision": probe.average_precision,
    }
    for measure, values in by_class.items():
        defined = values[np.isfinite(values)]
        mean = float(defined.mean()) if defined.size else float("nan")
        yield {"measure": measure, "class": ALL, "value": mean}
        for index, value in enumerate(values):
            yield {"measure": measure, "class": index, "value": float(value)}
