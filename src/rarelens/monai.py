"""rarelens in MONAI: losses that take MONAI's targets, and the logit shift as an Ignite handler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from rarelens.measures.logit_shift import LogitShift

__all__ = ["LogitShiftHandler", "MonaiLoss"]


class MonaiLoss(nn.Module):
    """One of `rarelens.components.objectives`, called as MONAI calls its own.

    It is at once what MONAI has as ``softmax=True`` and either value of ``to_onehot_y``: a target
    with one channel holds class indices, one with as many as the logits is one-hot or soft. Our
    Dice terms leave the background out (``include_background=False``); voxel-wise terms have it.

    Args:
        loss: called with logits and indices (B, *spatial) or soft one-hot (B, C, *spatial).

    Raises:
        ValueError: when called with another shape, or with logits of one channel, which have no
            class for the background.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Logits (B, C, *spatial), target (B, 1, *spatial) or (B, C, *spatial), to the loss."""
        channels = target.shape[1] if target.ndim == input.ndim else 0
        if input.shape[1] < 2 or channels not in (1, input.shape[1]):
            raise ValueError(
                f"logits {tuple(input.shape)} and target {tuple(target.shape)}: two or more "
                "channels of logits are expected, and one or as many of the target"
            )
        value: Tensor = self.loss(input, target[:, 0].long() if channels == 1 else target.float())
        return value


class LogitShiftHandler:
    """The logit shift of each class after every evaluation, in ``engine.state.metrics``.

    It listens to two evaluators without augmentation, one over training cases, which runs first,
    and one over unseen cases. Their output is MONAI's (a dictionary of batches, or a list of
    dictionaries of cases, with logits "pred" and indices "label") or Ignite's pair of batches. An
    activation or an argmax before it leaves no logits to measure.

    At the end of the second one's epoch its metrics have ``shift_CLASS``, ``train_margin_CLASS``,
    ``test_margin_CLASS``, in logits (`rarelens.LogitShift.compute`); each case counts as a subject.

    Args:
        classes: their names in the order of their labels, or how many there are.
    """

    def __init__(self, classes: Sequence[str] | int) -> None:
        self.classes = classes
        self._begin()

    def _begin(self) -> None:
        self.shift, self.cases = LogitShift(self.classes), 0

    def attach(self, train: Any, unseen: Any) -> None:
        """Listen to the evaluator of training cases and to that of unseen ones."""
        from ignite.engine import Events

        train.add_event_handler(Events.STARTED, lambda _: self._begin())
        train.add_event_handler(Events.ITERATION_COMPLETED, self._update, "train")
        unseen.add_event_handler(Events.ITERATION_COMPLETED, self._update, "test")
        unseen.add_event_handler(Events.EPOCH_COMPLETED, self._log)

    def _update(self, engine: Any, side: str) -> None:
        for logits, label in _cases(engine.state.output):
            self.cases += 1
            truth = label[0] if label.ndim == logits.ndim else label
            self.shift.update(logits, truth, self.cases, side)

    def _log(self, engine: Any) -> None:
        rows: list[Any] = self.shift.compute()
        for row in rows:
            name = row["class"]
            engine.state.metrics[f"shift_{name}"] = row["difference"]
            for side in ("train", "test"):
                engine.state.metrics[f"{side}_margin_{name}"] = row[f"{side}_mean"]
        self._begin()


def _cases(output: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (C, *spatial) and labels (1, *spatial) or (*spatial) of each case of an output."""
    if isinstance(output, dict):
        output = (output["pred"], output["label"])
    if isinstance(output, tuple):
        yield from zip(*output, strict=True)
    else:
        for case in output:
            yield case["pred"], case["label"]
