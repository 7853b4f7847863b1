"""The trainers in the real nnU-Net: two short epochs on 24 hippocampus cases."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pages import blocks
from rarelens.nnunet import PATH

DATA = Path(os.environ.get("RARELENS_REAL_DATA", "-")) / "nnunet_hippocampus"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="set RARELENS_REAL_DATA")
DATASET = "Dataset904_Hippocampus"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """nnU-Net's folders, with the cases preprocessed; rarelens's trainers are named."""
    folder = tmp_path_factory.mktemp("nnunet")
    command = [sys.executable, "-c", "from rarelens.pipeline.cli import main; main()"]
    path = subprocess.run([*command, "nnunet", "path"], capture_output=True, text=True, check=True)
    shutil.copytree(DATA / "nnUNet_preprocessed", folder / "preprocessed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("nnUNet_raw", str(DATA / "nnUNet_raw"))
        patch.setenv("nnUNet_preprocessed", str(folder / "preprocessed"))
        patch.setenv("nnUNet_results", str(folder / "results"))
        patch.setenv("nnUNet_extTrainer", path.stdout.strip())
        patch.setenv("nnUNet_n_proc_DA", "0")
        patch.setenv("nnUNet_compile", "f")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        from nnunetv2.experiment_planning.plan_and_preprocess_api import preprocess_dataset

        preprocess_dataset(904, configurations=("3d_fullres",), num_processes=(1,))
        yield folder


def make(name: str, folders: Path, **labels: Any) -> Any:
    """A trainer as `nnUNetv2_train -tr NAME` makes it."""
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    own = folders / "preprocessed" / DATASET
    dataset = json.loads((own / "dataset.json").read_text()) | labels
    plans = json.loads((own / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    found = recursive_find_trainer_class_by_name(name)
    return found(plans, "3d_fullres", 0, dataset, torch.device("cpu"))


@pytest.fixture(scope="module")
def trained(folders: Path) -> Any:
    trainer = make("nnUNetTrainerAsymmetricFocalMargin", folders)
    trainer.num_epochs, trainer.num_iterations_per_epoch = 2, 4
    trainer.num_val_iterations_per_epoch = 2
    trainer.run_training()
    return trainer


def by_formula(logits: torch.Tensor, target: torch.Tensor, rare: list[int]) -> torch.Tensor:
    """Asymmetric focal-margin and focal Dice loss of Li et al., γ = 4, m = 1, written out."""
    hot = F.one_hot(target[:, 0].long(), logits.shape[1]).movedim(-1, 1).to(logits)
    is_rare = torch.tensor([c in rare for c in range(logits.shape[1])]).view(1, -1, 1, 1, 1)
    q = (logits - hot * is_rare).softmax(1)
    factor = torch.where(is_rare, torch.ones_like(q), (1 - q) ** 4)
    focal = -(factor * hot * q.log()).sum(1).mean()
    sums = [x.sum((2, 3, 4))[:, 1:] for x in (q * (1 - hot), factor * (1 - q) * hot, q + hot)]
    return focal + ((sums[0] + sums[1]) / (sums[2] + 1e-5)).mean()


@needs_data
def test_the_loss_of_a_batch_is_the_formula_s_over_the_resolutions(trained: Any) -> None:
    assert trained.rare_classes == [1, 2]
    batch = next(trained.dataloader_val)
    trained.network.eval()
    with torch.no_grad():
        outputs = trained.network(batch["data"])
    targets = batch["target"]
    assert len(outputs) == 3  # Of which the coarsest has no weight.
    expected = sum(
        weight * by_formula(outputs[place], targets[place], [1, 2])
        for place, weight in enumerate((2 / 3, 1 / 3))
    )
    assert trained.loss(outputs, targets).item() == pytest.approx(expected.item(), rel=1e-5)

    margins = trained.loss.take()
    logits, labels = outputs[0].movedim(1, -1).numpy(), targets[0][:, 0].numpy()
    for label in range(3):
        own = logits[labels == label]
        by_hand = (own[:, label] - np.delete(own, label, 1).max(1)).mean()
        assert margins[label].item() == pytest.approx(by_hand, abs=1e-4)


@needs_data
def test_margins_are_in_nnunet_s_log_and_in_mlflow(trained: Any, folders: Path) -> None:
    import mlflow

    keys = [f"{side}_margin_{kind}" for side in ("train", "val") for kind in ("rare", "common")]
    client = mlflow.MlflowClient(f"sqlite:///{folders}/mlflow.db")
    experiment = client.get_experiment_by_name(DATASET)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["rare_classes"] == "[1, 2]"
    for key in [*keys, "train_losses", "val_losses"]:
        logged = trained.logger.get_value(key, None)
        assert len(logged) == 2
        assert np.isfinite(logged).all()
        history = [metric.value for metric in client.get_metric_history(run.info.run_id, key)]
        assert history == pytest.approx(logged)


@needs_data
def test_nnunet_s_predictor_reads_the_checkpoint(trained: Any) -> None:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=1, use_mirroring=False, perform_everything_on_device=False,
        device=torch.device("cpu"), allow_tqdm=False,
    )  # fmt: skip
    predictor.initialize_from_trained_model_folder(
        trained.output_folder_base, (0,), "checkpoint_final.pth"
    )
    weights, known = predictor.list_of_parameters[0], trained.network.state_dict()
    assert all(torch.equal(weights[key], known[key]) for key in known)
    image = torch.from_numpy(next(trained.dataloader_val)["data"][0].numpy())
    logits = predictor.predict_sliding_window_return_logits(image)
    assert logits.shape == (3, *image.shape[1:])
    assert bool(torch.isfinite(logits).all())


@needs_data
@pytest.mark.parametrize("kind", ["FocalMargin", "LargeMargin", "Focal", "UnifiedFocal"])
def test_every_trainer_counts_only_voxels_that_are_labelled(kind: str, folders: Path) -> None:
    ignore = {"labels": {"background": 0, "Anterior": 1, "Posterior": 2, "ignore": 3}}
    torch.manual_seed(0)
    outputs = [torch.randn(2, 3, *[8 // 2**i] * 3) for i in range(3)]
    targets = [torch.randint(0, 4, (2, 1, *o.shape[2:])).short() for o in outputs]
    garbled = [
        o + 9 * torch.randn_like(o) * (y == 3) for o, y in zip(outputs, targets, strict=True)
    ]
    values = {}
    for form in ("Asymmetric", "Symmetric") if kind != "UnifiedFocal" else ("Asymmetric",):
        trainer = make(f"nnUNetTrainer{form}{kind}", folders, **ignore)
        trainer.initialize()
        values[form] = trainer.loss(outputs, targets).item()
        assert trainer.loss(garbled, targets).item() == pytest.approx(values[form])
    assert len(set(values.values())) == len(values)


@needs_data
def test_classes_are_named_by_the_user_and_mistakes_have_a_sentence(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = "nnUNetTrainerAsymmetricFocal"
    for named, rare in (("Posterior", [2]), ("2, Anterior", [1, 2])):
        monkeypatch.setenv("RARELENS_RARE_CLASSES", named)
        assert make(trainer, folders).rare_classes == rare
    monkeypatch.setenv("RARELENS_RARE_CLASSES", "tail")
    with pytest.raises(Exception, match=r"tail is no label of dataset\.json; there are"):
        _ = make(trainer, folders).rare_classes
    regions = {"labels": {"background": 0, "whole": [1, 2], "Posterior": 2},
               "regions_class_order": [1, 2]}  # fmt: skip
    with pytest.raises(Exception, match="trained by regions"):
        make(trainer, folders, **regions).initialize()


@needs_data
@pytest.mark.parametrize("form", ["Asymmetric", "Symmetric"])
def test_a_step_of_mixup_adds_the_gradient_of_mixtures_to_that_of_the_batch(
    form: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RARELENS_RARE_CLASSES", "2")
    trainer = make(f"nnUNetTrainer{form}Mixup", folders)
    trainer.initialize()
    torch.manual_seed(0)
    images = torch.randn(2, 1, 32, 40, 32)
    full = torch.randint(0, 3, (2, 1, 32, 40, 32))
    targets = [full[..., :: 2**i, :: 2**i, :: 2**i].short() for i in range(3)]
    seen: list[Any] = []
    mix = trainer.mix
    monkeypatch.setattr(trainer, "mix", lambda *own: seen.append(mix(*own)) or seen[-1])
    monkeypatch.setattr(trainer.optimizer, "step", lambda: None)
    trainer.network.train()
    loss = trainer.train_step({"data": images, "target": targets})["loss"]
    gradients = [p.grad.clone() for p in trainer.network.parameters() if p.grad is not None]
    assert trainer.loss.sums[1].sum() == full.numel()  # Of real patches, not of mixtures.

    # By hand: images and targets of the mixture, its loss at each resolution, and the sum.
    (mixed, mixed_targets), parameters = seen[0], list(trainer.network.parameters())
    weight = ((mixed - images.flip(0)) / (images - images.flip(0))).median().item()
    assert torch.allclose(mixed, weight * images + (1 - weight) * images.flip(0), atol=1e-4)
    own, other = full[:, 0], full[:, 0].flip(0)
    if form == "Asymmetric":
        hard = torch.full_like(own, -100).where(own != other, own)
        takes = [(own == 2) & (other != 2), (own != 2) & (other == 2)]
        hard[takes[0]] = 2 if weight > 0.2 else -100
        hard[takes[1]] = 2 if 1 - weight > 0.2 else -100
        torch.testing.assert_close(mixed_targets[0][:, 0], hard)
        for place in (1, 2):
            at = (..., *[slice(None, None, 2**place)] * 3)
            torch.testing.assert_close(mixed_targets[place][:, 0], hard[at])
    else:
        soft = [F.one_hot(each, 3).movedim(-1, 1).float() for each in (own, other)]
        expected = weight * soft[0] + (1 - weight) * soft[1]
        torch.testing.assert_close(mixed_targets[0], expected, atol=1e-4, rtol=0)
    values = [trainer.loss.loss(trainer.network(x), y) for x, y in ((images, targets), seen[0])]
    assert loss == pytest.approx(values[0].item())
    parts = torch.autograd.grad(sum(values), parameters, allow_unused=True)
    expected_gradients = [part for part in parts if part is not None]
    norm = torch.stack([part.norm() for part in expected_gradients]).norm()
    for part, gradient in zip(expected_gradients, gradients, strict=True):
        torch.testing.assert_close(gradient, part * min(1, 12 / norm), atol=1e-4, rtol=1e-3)


@needs_data
@pytest.mark.parametrize("form", ["Asymmetric", "Symmetric"])
def test_ignored_voxels_do_not_count_in_mixtures(
    form: str, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RARELENS_RARE_CLASSES", "2")
    ignore = {"labels": {"background": 0, "Anterior": 1, "Posterior": 2, "ignore": 3}}
    trainer = make(f"nnUNetTrainer{form}Mixup", folders, **ignore)
    trainer.enable_deep_supervision = False
    trainer.initialize()
    torch.manual_seed(0)
    images, target = torch.randn(2, 1, 6, 6, 6), torch.randint(0, 4, (2, 1, 6, 6, 6)).short()
    _, mixed = trainer.mix(images, target)  # One resolution, as without deep supervision.
    ignored = ((target == 3) | (target.flip(0) == 3))[:, 0]
    if form == "Asymmetric":
        assert bool((mixed[:, 0][ignored] == 3).all())
        assert bool((mixed[:, 0] != 3).any())
    else:
        torch.testing.assert_close(mixed.sum(1), (~ignored).float())
    logits = torch.randn(2, 3, 6, 6, 6)
    garbled = logits + 9 * torch.randn_like(logits) * ignored[:, None]
    values = [trainer.loss.loss(own, mixed).item() for own in (logits, garbled)]
    assert values[0] == pytest.approx(values[1])


@needs_data
def test_the_loss_of_the_regularised_trainers_is_nnunet_s_own(folders: Path) -> None:
    ours, theirs = (
        make(name, folders) for name in ("nnUNetTrainerSymmetricMixup", "nnUNetTrainer")
    )
    torch.manual_seed(0)
    outputs = [torch.randn(2, 3, *[16 // 2**i] * 3) for i in range(3)]
    targets = [torch.randint(0, 3, (2, 1, *o.shape[2:])).short() for o in outputs]
    values = []
    for trainer in (ours, theirs):
        trainer.initialize()
        values.append(trainer.loss(outputs, targets).item())
    assert values[0] - 1 == pytest.approx(values[1], abs=1e-4)  # 1 − Dice, and −Dice.


@needs_data
def test_only_patches_with_rare_voxels_are_augmented(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RARELENS_RARE_CLASSES", "2")
    trainer = make("nnUNetTrainerAsymmetricAugmentation", folders)
    trainer.initialize()
    size = tuple(trainer.configuration_manager.patch_size)
    loader = trainer.get_dataloaders()[0].data_loader
    large, by_content = tuple(loader.patch_size), loader.transforms
    image = torch.randn(1, *large, generator=torch.Generator().manual_seed(0))
    low = [whole // 2 - own // 2 for whole, own in zip(large, size, strict=True)]
    plain = image[(0, *(slice(a, a + own) for a, own in zip(low, size, strict=True)))]
    mirrored = [plain.flip(axes) for n in range(4) for axes in combinations(range(3), n)]

    def changed(where: tuple[int, ...] | None) -> int:
        """Of 30 draws, those that are more than cropped and mirrored."""
        labels = torch.ones(1, *large, dtype=torch.int16)
        if where is not None:
            labels[(0, *where)] = 2
        found = 0
        for _ in range(30):
            out = by_content(image=image.clone(), segmentation=labels.clone())
            assert tuple(out["segmentation"][0].shape[1:]) == size
            found += not any(torch.equal(out["image"][0], own) for own in mirrored)
        return found

    middle = tuple(whole // 2 for whole in large)
    assert changed(None) == 0
    assert changed((0, 0, 0)) == 0  # In the margin that is cut off.
    # 1 − the product of what leaves a patch as it is: .8² · .9 · .8 · .85² · .75 · .9 · .7 = 0.16.
    assert changed(middle) > 15
    for name in ("SymmetricAugmentation", "AsymmetricFocal"):
        other = make(f"nnUNetTrainer{name}", folders)
        other.initialize()
        assert type(other.get_dataloaders()[0].data_loader.transforms).__name__ == (
            "ComposeTransforms"
        )
    batch = next(trainer.get_dataloaders()[0])
    assert batch["data"].shape[1:] == (1, *size)


@needs_data
def test_the_how_to_s_own_trainer_builds(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (text for kind, _, text in blocks("how-to/nnunet-trainers.md") if kind == "python")
    (tmp_path / "mine.py").write_text(code)
    both = os.pathsep.join([str(PATH), str(tmp_path)])
    monkeypatch.setenv("nnUNet_extTrainer", both)
    monkeypatch.setenv("RARELENS_RARE_CLASSES", "Anterior,2")
    trainer = make("nnUNetTrainerMine", folders)
    trainer.initialize()
    assert trainer.rare_classes == [1, 2]
    loss = trainer.loss.loss.loss.loss.losses[0]
    assert (loss.large_margin.margin, loss.base.gamma) == (0.5, 2.0)
