from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from rarelens.components.retraining.classifier_retraining import ClassifierRetraining
from rarelens.components.sampling.class_balanced import weights


def features(number: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes that overlap in two features; the second class is rare, some labels ignored."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(number, 2, generator=generator) < torch.tensor([0.5, 0.1])).float()
    values = labels + torch.randn(number, 2, generator=generator)
    labels[::7, 0] = torch.nan
    return values, labels


def test_the_head_is_that_of_class_balanced_cross_entropy() -> None:
    values, labels = features()
    head, _ = ClassifierRetraining(steps=3000, batch_size=300)(values, labels, 0)
    shares = weights(labels.numpy())
    for index in range(2):
        known = ~torch.isnan(labels[:, index]).numpy()
        # Not regularised: what the head tends to.
        expected = LogisticRegression(C=1e6, tol=1e-8).fit(
            values[known], labels[known, index], sample_weight=shares[known] * known.sum()
        )
        found = torch.cat([head.weight[index], head.bias[index, None]]).detach().numpy()
        wanted = np.append(expected.coef_[0], expected.intercept_)
        assert np.abs(found - wanted).max() < 0.1


def test_the_seed_decides_the_head_and_nothing_else_does() -> None:
    values, labels = features()
    retraining = ClassifierRetraining(steps=20)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, _ = retraining(values, labels, 0)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, _ = retraining(values, labels, 0)
    other, _ = retraining(values, labels, 1)
    assert torch.equal(one.weight, again.weight)
    assert not torch.equal(one.weight, other.weight)


def test_history_has_the_mean_loss_of_at_most_ten_stretches() -> None:
    values, labels = features()
    for steps, rows in ((25, [3, 6, 9, 12, 15, 18, 21, 24, 25]), (2, [1, 2])):
        _, history = ClassifierRetraining(steps=steps, learning_rate=0.1)(values, labels, 0)
        assert [row["step"] for row in history] == rows
        assert history[-1]["learning_rate"] == 0
        assert history[-1]["loss"] > 0
