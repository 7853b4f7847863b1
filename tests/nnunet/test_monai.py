"""docs/how-to/monai.md with MONAI's engines, Ignite and Lightning themselves."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pages import blocks
from rarelens.components.objectives import FocalDiceLoss
from rarelens.monai import MonaiLoss
from shell import command

PAGE = blocks("how-to/monai.md")
LOSS, IGNITE, LIGHTNING = (text for kind, _, text in PAGE if kind == "python")


@pytest.fixture
def surroundings() -> dict[str, Any]:
    from monai.data import DataLoader

    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 2, 1)

    def loader(number: int) -> Any:
        labels = [torch.rand(1, 4, 4, 4) > 0.7 for _ in range(number)]
        images = [label + 0.5 * torch.randn(1, 4, 4, 4) for label in labels]
        cases = [{"image": i, "label": y.float()} for i, y in zip(images, labels, strict=True)]
        return DataLoader(cases, batch_size=2)

    return {
        "device": torch.device("cpu"),
        "network": network,
        "optimiser": torch.optim.SGD(network.parameters(), 0.1),
        "train_loader": loader(4),
        "unseen_loader": loader(3),
        "history": [],
    }


def shift_by_hand(around: dict[str, Any]) -> float:
    means = []
    for loader in (around["train_loader"], around["unseen_loader"]):
        own = []
        for case in loader.dataset:
            background, lesion = around["network"](case["image"][None])[0]
            own.append((lesion - background)[case["label"][0] == 1].mean().item())
        means.append(sum(own) / len(own))
    return means[1] - means[0]


def test_ignite_has_the_shift_of_every_epoch(surroundings: dict[str, Any]) -> None:
    exec(LOSS + IGNITE, surroundings)
    before = surroundings["network"].weight.detach().clone()
    surroundings["trainer"].run()
    assert not torch.equal(before, surroundings["network"].weight)
    first, second = surroundings["history"]
    assert first["shift_lesion"] != second["shift_lesion"]
    assert second["shift_lesion"] == pytest.approx(shift_by_hand(surroundings), abs=1e-5)
    margins = second["test_margin_lesion"] - second["train_margin_lesion"]
    assert second["shift_lesion"] == pytest.approx(margins)


def test_lightning_logs_the_shift(surroundings: dict[str, Any], tmp_path: Any) -> None:
    from pytorch_lightning import LightningModule, Trainer

    trainer = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, num_sanity_val_steps=0, default_root_dir=tmp_path,
    )  # fmt: skip
    surroundings |= {"LightningModule": LightningModule, "trainer": trainer}
    exec(LOSS + LIGHTNING, surroundings)
    shift = trainer.callback_metrics["shift_lesion"].item()
    assert shift == pytest.approx(shift_by_hand(surroundings), abs=1e-5)


def test_a_bundle_s_probabilities_are_diagnosed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monai.bundle import ConfigParser
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Spacingd

    ((postprocessing,), (commands,)) = (
        [text for kind, _, text in PAGE if kind == wanted] for wanted in ("json", "sh")
    )
    monkeypatch.chdir(tmp_path)
    rng, affine = np.random.default_rng(0), np.diag([2.0, 1, 1, 1])
    for side, number in ((side, n) for side in ("train", "test") for n in range(3)):
        label = np.zeros((8, 12, 10), np.uint8)
        label[2:5, 3:9, 2 : 6 + number] = 1
        image = (2.0 * label - 1 + rng.normal(0, 0.1, label.shape)).astype(np.float32)
        for folder, array in (("images", image), ("labels", label)):
            (tmp_path / folder).mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, affine), tmp_path / f"{folder}/{side}{number}.nii.gz")
        parser = ConfigParser({
            "imports": ["$import numpy"],
            "preprocessing": Compose(
                [LoadImaged("image"), EnsureChannelFirstd("image"), Spacingd("image", (1, 1, 1))]
            ),
            "postprocessing": {
                "_target_": "Compose",
                "transforms": json.loads(postprocessing.replace('"test"', f'"{side}"')),
            },
        })  # fmt: skip
        case = parser["preprocessing"]({"image": tmp_path / f"images/{side}{number}.nii.gz"})
        assert tuple(case["image"].shape) == (1, 15, 12, 10)
        case["pred"] = torch.cat([-case["image"], case["image"]])
        parser.get_parsed_content("postprocessing")(case)
    assert command(monkeypatch, *shlex.split(commands)[1:]) == 0
    lesion = json.loads((tmp_path / "diagnosis/diagnosis.json").read_text())["classes"][1]
    assert (lesion["train"]["cases"], lesion["unseen"]["cases"]) == (3, 3)
    assert lesion["unseen"]["dice"] > 0.95
    # Of the images' own values, ±1, through softmax and back: 2 logits, less on the edges.
    assert 1.5 < lesion["unseen"]["margin_median"] < 2.2


def test_index_and_one_hot_targets_give_monai_s_dice() -> None:
    from monai.losses import DiceLoss

    torch.manual_seed(0)
    logits, index = torch.randn(2, 3, 4, 4, 4), torch.randint(0, 3, (2, 1, 4, 4, 4))
    hot = F.one_hot(index[:, 0], 3).movedim(-1, 1)
    loss = MonaiLoss(FocalDiceLoss(gamma=0.0))
    theirs = DiceLoss(
        include_background=False, softmax=True, to_onehot_y=True, smooth_nr=0, smooth_dr=1e-5
    )(logits, index)
    assert loss(logits, index.float()).item() == pytest.approx(theirs.item(), abs=1e-6)
    assert loss(logits, hot).item() == pytest.approx(theirs.item(), abs=1e-6)


@pytest.mark.parametrize("shapes", [((2, 1, 4, 4), (2, 1, 4, 4)), ((2, 3, 4, 4), (2, 2, 4, 4)),
                                    ((2, 3, 4, 4), (2, 4, 4))])  # fmt: skip
def test_other_shapes_are_refused(shapes: Any) -> None:
    with pytest.raises(ValueError, match="channels of logits are expected"):
        MonaiLoss(FocalDiceLoss())(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
