"""nnU-Net trainers with asymmetric losses, their symmetric controls, and margins in the log.

Every loss is the sum of a voxel-wise and a Dice term, as nnU-Net's own, and is weighted over the
resolutions as nnU-Net does. Where ``batch_dice`` is set and several GPUs train, the Dice term sums
over the patches of one GPU, not of all.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from rarelens.components.objectives import (
    AsymmetricUnifiedFocalLoss,
    CompoundLoss,
    FocalDiceLoss,
    FocalLoss,
    FocalMarginLoss,
    LargeMarginLoss,
)
from rarelens.errors import RarelensError
from rarelens.nnunet.mlflow_logger import MLflowLogger
from rarelens.nnunet.recorded_loss import IndexTarget, RecordedLoss

RARE_CLASSES = "RARELENS_RARE_CLASSES"
"""Environment: the rare classes, names or numbers of ``dataset.json``'s labels, by commas."""

RARE_SHARE = 0.05
"""Without it: foreground classes below this share of the training cases' voxels."""

NOT_COUNTED = -100


class RareClasses(nnUNetTrainer):
    """What the trainers share: which classes are rare, the loss, and margins in the log.

    nnU-Net's log has ``train_margin_rare``, ``train_margin_common``, ``val_margin_rare`` and
    ``val_margin_common`` for each epoch, in logits: a class's mean over the voxels of the epoch's
    patches, then the mean over the rare classes, and over the others (the background is one).
    Training patches are augmented and validation patches are not, so that the two are followed
    over the epochs rather than subtracted: the shift itself is measured by ``rarelens diagnose``.

    Raises:
        RarelensError: for region-based training, and where no class is rare.
    """

    asymmetric = True

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:
        """The loss, of logits (B, C, *spatial) and indices (B, *spatial).

        Args:
            rare: the rare classes; None in a symmetric trainer.
            ignore_index: voxels that do not count.
            batch: whether Dice sums over the batch.
        """
        raise NotImplementedError

    @property
    def ignore_index(self) -> int:
        """The label of voxels that do not count."""
        label = self.label_manager.ignore_label
        return NOT_COUNTED if label is None else int(label)

    @cached_property
    def rare_classes(self) -> list[int]:
        """From the environment, or by the voxels of this fold's preprocessed training cases."""
        heads = self.label_manager.num_segmentation_heads
        if named := os.environ.get(RARE_CLASSES):
            return named_classes(named, self.dataset_json["labels"], heads)
        counts = np.zeros(heads, np.int64)
        keys, _ = self.do_split()
        dataset = self.dataset_class(self.preprocessed_dataset_folder, keys)
        for key in keys:
            # −1 is background outside of the image's non-zero part.
            labels = np.asarray(dataset.load_case(key)[1][:]).clip(min=0).astype(np.int64).ravel()
            counts += np.bincount(labels[labels < heads], minlength=heads)
        shares = counts / counts.sum()
        rare = [index for index in range(1, heads) if shares[index] < RARE_SHARE]
        if not rare:
            raise RarelensError(
                f"no foreground class has less than {RARE_SHARE:.0%} of the training cases' "
                f"voxels; name the rare classes: {RARE_CLASSES}=1,2"
            )
        return rare

    def initialize(self) -> None:
        """As nnU-Net's; the log has room for the margins."""
        if self.label_manager.has_regions:
            raise RarelensError(
                f"{type(self).__name__} needs classes that exclude each other; this dataset is "
                "trained by regions (regions_class_order in dataset.json)"
            )
        for side in ("train", "val"):
            for kind in ("rare", "common"):
                values = self.logger.local_logger.my_fantastic_logging
                values.setdefault(f"{side}_margin_{kind}", [])
        super().initialize()

    def _build_loss(self) -> nn.Module:
        rare, ignored = self.rare_classes, self.ignore_index
        self.print_to_log_file(f"rare classes: {rare}")
        batch = self.configuration_manager.batch_dice
        loss = IndexTarget(self.objective(rare if self.asymmetric else None, ignored, batch))
        if self.enable_deep_supervision:
            weights = [0.5**i for i in range(len(self._get_deep_supervision_scales()))]
            # Not 0 for several GPUs, which want a gradient of every parameter; as nnU-Net.
            weights[-1] = 1e-6 if self.is_ddp and not self._do_i_compile() else 0.0
            loss = DeepSupervisionWrapper(loss, [w / sum(weights) for w in weights])
        return RecordedLoss(loss, self.label_manager.num_segmentation_heads, ignored)

    def on_train_start(self) -> None:
        """As nnU-Net's; where ``MLFLOW_TRACKING_URI`` is set, MLflow is logged into."""
        super().on_train_start()
        self.mlflow: MLflowLogger | None = None
        if os.environ.get("MLFLOW_TRACKING_URI") and self.local_rank == 0:
            trainer, dataset = type(self).__name__, self.plans_manager.dataset_name
            name = f"{trainer} {self.configuration_name} fold {self.fold}"
            folder = Path(self.output_folder)
            self.mlflow = MLflowLogger(dataset, name, folder, self.logger.resume)
            self.mlflow.update_config(
                {
                    "trainer": trainer,
                    "configuration": self.configuration_name,
                    "fold": self.fold,
                    "rare_classes": self.rare_classes,
                }
            )
            self.logger.loggers.append(self.mlflow)

    def on_train_end(self) -> None:
        """As nnU-Net's; MLflow's run is finished."""
        super().on_train_end()
        if self.mlflow:
            self.mlflow.client.set_terminated(self.mlflow.run_id)

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """As nnU-Net's, and the margins of the training patches."""
        super().on_train_epoch_end(train_outputs)
        self._log_margins("train")

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """As nnU-Net's, and the margins of the validation patches."""
        super().on_validation_epoch_end(val_outputs)
        self._log_margins("val")

    def _log_margins(self, side: str) -> None:
        margins = self.loss.take()
        rare = torch.zeros(len(margins), dtype=torch.bool)
        rare[self.rare_classes] = True
        for kind, chosen in (("rare", rare), ("common", ~rare)):
            value = margins[chosen].nanmean().item()
            self.logger.log(f"{side}_margin_{kind}", value, self.current_epoch)
            self.print_to_log_file(f"{side}_margin_{kind}", round(value, 3))


def named_classes(text: str, labels: dict[str, Any], heads: int) -> list[int]:
    """Rare classes from names or numbers by commas.

    Raises:
        RarelensError: if one is no class of the ``labels`` below ``heads``.
    """
    numbers = {str(value): value for value in labels.values()} | labels
    numbers = {name: n for name, n in numbers.items() if isinstance(n, int) and n < heads}
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or (unknown := [name for name in names if name not in numbers]):
        raise RarelensError(
            f"{RARE_CLASSES}: {', '.join(unknown) if names else 'nothing'} is no label of "
            f"dataset.json; there are {', '.join(numbers)}"
        )
    return sorted({numbers[name] for name in names})


class nnUNetTrainerAsymmetricFocalMargin(RareClasses):
    """Focal-margin and focal Dice loss on margin logits, γ = 4, m = 1 (Li et al., TMI 2021)."""

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:
        """Their sum."""
        voxels = FocalMarginLoss(4.0, 1.0, rare, ignore_index)
        return CompoundLoss(
            [voxels, FocalDiceLoss(4.0, rare, batch=batch, ignore_index=ignore_index)]
        )


class nnUNetTrainerSymmetricFocalMargin(nnUNetTrainerAsymmetricFocalMargin):
    """The same, every class treated as another."""

    asymmetric = False


class nnUNetTrainerAsymmetricLargeMargin(RareClasses):
    """Cross-entropy and Dice loss on logits with a margin m = 1 of the rare classes."""

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:
        """Their sum."""
        dice = FocalDiceLoss(0.0, batch=batch, ignore_index=ignore_index)
        return CompoundLoss([LargeMarginLoss(1.0, rare, ignore_index), dice])


class nnUNetTrainerSymmetricLargeMargin(nnUNetTrainerAsymmetricLargeMargin):
    """The same, with a margin of every class."""

    asymmetric = False


class nnUNetTrainerAsymmetricFocal(RareClasses):
    """Focal and focal Dice loss, γ = 4, that attenuate the common classes only."""

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:
        """Their sum."""
        voxels = FocalLoss(4.0, rare, ignore_index)
        return CompoundLoss(
            [voxels, FocalDiceLoss(4.0, rare, batch=batch, ignore_index=ignore_index)]
        )


class nnUNetTrainerSymmetricFocal(nnUNetTrainerAsymmetricFocal):
    """The same, that attenuate every class."""

    asymmetric = False


class nnUNetTrainerAsymmetricUnifiedFocal(RareClasses):
    """Asymmetric unified focal loss (Yeung et al. 2022), λ = 0.5, δ = 0.6, γ = 0.5."""

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:  # noqa: ARG002
        """The loss, whose terms are each taken in a sample."""
        return AsymmetricUnifiedFocalLoss(0.5, 0.6, 0.5, rare, ignore_index)
