"""The Python of docs/how-to/losses-in-your-code.md does what it says."""

from __future__ import annotations

from pathlib import Path

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
    before = patch["images"], patch["labels"]
    exec(BLOCKS[2], patch)
    for old, new in zip(before, (patch["images"], patch["labels"]), strict=True):
        assert new.shape == old.shape
        assert not torch.equal(new, old)
