"""Training curves of methods that were trained differently."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarelens.studies.reporting import curves, style
from rarelens.studies.reporting.results import Results


def history(method, steps, validated):
    step = np.linspace(1, steps, 5)
    dice = 0.5 if validated else np.nan
    table = pd.DataFrame({"method": method, "step": step, "loss": 1 / step})
    return [table.assign(validation_dice=dice, seed=seed) for seed in (0, 1)]


def results(table):
    methods = tuple(table["method"].unique())
    return Results("d", "n", "1", methods, methods[0], (0, 1), ("a",), table, (), pd.DataFrame())


def test_without_validation_only_the_loss_is_drawn():
    table = pd.concat(history("trained", 100, True)).drop(columns="validation_dice")
    with style.styled():
        figure = curves.draw(results(table))
    assert len(figure.axes) == 1


def test_a_method_without_validation_is_said_to_have_none():
    table = pd.concat(history("trained", 100, True) + history("retrained", 10, False))
    with style.styled():
        figure = curves.draw(results(table))
    axes = {axis.get_subplotspec().get_geometry()[2]: axis for axis in figure.axes}
    assert [text.get_text() for text in axes[3].texts] == ["not measured"]
    assert len(axes[2].lines) == 3
    assert axes[0].get_xlim() == (0, 100)
    assert axes[1].get_xlim() == (0, 10)
