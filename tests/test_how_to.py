"""The Python of docs/how-to/own-method.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from rarelens import components, objectives
from rarelens.config.methods import Method
from rarelens.training.segmentation.builders import build_terms

PAGE = Path(__file__).parents[1] / "docs/how-to/own-method.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def patch() -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    return {
        "network": torch.nn.Conv3d(1, 2, 1),
        "images": torch.randn(2, 1, 4, 4, 4, generator=generator),
        "labels": torch.randint(0, 2, (2, 4, 4, 4), generator=generator),
    }


def test_a_new_file_and_an_entry_are_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log_cosh_dice.py").write_text(BLOCKS[0])
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    components.find.cache_clear()
    method = Method(objective="log_cosh_dice", smooth=1e-5)
    loss = build_terms("log_cosh_dice", method, [9, 1], [1]).objective
    components.find.cache_clear()
    logits = torch.zeros(1, 2, 2, 2, 2)
    target = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    target[0, 0] = 1
    # Dice loss 1 − 2·2/(4 + 4) = 0.5 at p = 0.5 on half of eight voxels.
    assert loss(logits, target).item() == pytest.approx(0.1201, abs=1e-3)


def test_plain_loop_gives_gradients(patch: dict[str, object]) -> None:
    exec(BLOCKS[1], patch)
    assert patch["network"].weight.grad.abs().sum() > 0
    clean = patch["value"].item()
    exec(BLOCKS[2], patch)
    assert patch["value"].item() > clean
