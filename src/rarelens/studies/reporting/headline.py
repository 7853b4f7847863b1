"""Sentences that the paragraphs at the head of both tasks' sections share."""

from __future__ import annotations

from collections.abc import Sequence

from rarelens.studies.catalogue import Measure
from rarelens.studies.reporting.number_text import number, relation, signed, words
from rarelens.studies.reporting.results import Results

Measured = tuple[str, Measure]


def clear_differences(
    start: str, results: Results, measures: Sequence[Measured], class_name: str = "mean"
) -> str:
    """Which methods differ from the baseline after the page's correction, measure by measure.

    Args:
        start: of the sentence, up to ``methods``.
        results: of all methods.
        measures: by which they are compared.
        class_name: of a class, or a mean over classes.
    """
    found = []
    for name, measure in measures:
        entries = {m: results.entry(m, name, class_name) for m in results.others}
        clear = [
            f"{words(method)} ({signed(entry['baseline_difference'], measure.digits)}, "
            f"{relation(entry['p_holm'])})"
            for method, entry in entries.items()
            if entry["p_holm"] < 1 - results.confidence
        ]
        baseline = results.entry(results.baseline, name, class_name)["mean"]
        listed = ", ".join(clear) or "none"
        found.append(f"in {measure.title} (baseline {number(baseline, measure.digits)}): {listed}")
    return (
        f"{start} that differ from the baseline after Holm's correction over all claims of this "
        f"page: {'; '.join(found)}."
    )


def no_claim(seeds: int) -> str:
    """The sentence of a study with too few seeds."""
    return (
        f"Only {seeds} seed{'s' if seeds > 1 else ''}; fewer than three seeds: no claim. The "
        "numbers above and in the table describe these runs."
    )
