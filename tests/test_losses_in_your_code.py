"""The Python of docs/how-to/losses-in-your-code.md does what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pages import blocks
from rarelens.components import objectives
from rarelens.studies import building as components
from rarelens.studies.settings.methods import Method
from rarelens.studies.training.segmentation.builders import build_losses


def python_of(page: str) -> list[str]:
    return [content for kind, _, content in blocks(f"how-to/{page}") if kind == "python"]


BLOCKS = python_of("losses-in-your-code.md")


@pytest.fixture
def patch() -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    return {
        "network": torch.nn.Conv3d(1, 2, 1),
        "images": torch.randn(2, 1, 4, 4, 4, generator=generator),
        "labels": torch.randint(0, 2, (2, 4, 4, 4), generator=generator),
    }


def test_the_loss_that_is_added_has_its_value_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log_cosh_dice.py").write_text(python_of("add-a-loss.md")[0])
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    components.find.cache_clear()
    method = Method(objective="log_cosh_dice", smooth=1e-5)
    loss = build_losses("log_cosh_dice", method, [9, 1], [1]).objective
    components.find.cache_clear()
    logits = torch.zeros(1, 2, 2, 2, 2)
    target = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    target[0, 0] = 1
    # Dice loss 1 − 2·2/(4 + 4) = 0.5 at p = 0.5 on half of eight voxels.
    assert loss(logits, target).item() == pytest.approx(0.1201, abs=1e-3)


def test_plain_loop_gives_gradients(patch: dict[str, object]) -> None:
    exec(BLOCKS[0], patch)
    assert patch["network"].weight.grad.abs().sum() > 0
    clean = patch["value"].item()
    exec(BLOCKS[1], patch)
    assert patch["value"].item() > clean


def test_monai_s_loss_takes_labels_with_a_channel(patch: dict[str, object]) -> None:
    received: dict[str, object] = {}
    names = {
        "SupervisedTrainer": received.update,
        "FocalMarginLoss": objectives.FocalMarginLoss,
    }
    exec(BLOCKS[2].replace("...,", ""), names)
    logits, labels = patch["network"](patch["images"]), patch["labels"]
    with_channel = labels[:, None].float()
    expected = objectives.FocalMarginLoss(gamma=2.0, margin=1.0, rare_classes=[1])(logits, labels)
    assert received["loss_function"](logits, with_channel).item() == pytest.approx(expected.item())


def test_nnunet_s_trainer_builds_a_loss_of_several_resolutions(
    monkeypatch: pytest.MonkeyPatch, patch: dict[str, object]
) -> None:
    class DeepSupervision(torch.nn.Module):
        """As nnU-Net's: the weighted sum of the loss over resolutions."""

        def __init__(self, loss: torch.nn.Module, weights: list[float]) -> None:
            super().__init__()
            self.loss, self.weights = loss, weights

        def forward(self, outputs: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
            pairs = zip(self.weights, outputs, targets, strict=True)
            return sum(w * self.loss(o, t) for w, o, t in pairs if w)

    class Trainer:
        enable_deep_supervision = True

        def _get_deep_supervision_scales(self) -> list[list[float]]:
            return [[1.0] * 3, [0.5] * 3, [0.25] * 3]

    for name, content in (
        ("nnunetv2.training.loss.deep_supervision", {"DeepSupervisionWrapper": DeepSupervision}),
        ("nnunetv2.training.nnUNetTrainer.nnUNetTrainer", {"nnUNetTrainer": Trainer}),
    ):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
    made: dict[str, object] = {}
    exec(BLOCKS[3], made)
    loss = made["nnUNetTrainerAsymmetric"]()._build_loss()
    logits, labels = patch["network"](patch["images"]), patch["labels"][:, None].float()
    fine = [logits, logits[..., ::2, ::2, ::2], logits[..., ::4, ::4, ::4]]
    coarse = [labels, labels[..., ::2, ::2, ::2], labels[..., ::4, ::4, ::4]]
    single = [loss.loss(o, t).item() for o, t in zip(fine, coarse, strict=True)]
    # Weights 1, 1/2 and none, normalised.
    assert loss(fine, coarse).item() == pytest.approx(2 / 3 * single[0] + 1 / 3 * single[1])
