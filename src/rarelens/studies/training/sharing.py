"""One training in several processes, each of which computes its own rows of every batch.

Every process draws the whole batch, hands its rows to the network, and is given the logits of all
rows, so that a loss, mixup or an adversarial direction is computed of the whole batch, as in one
process. (`torch.nn.parallel.DistributedDataParallel`, and so Accelerate, averages losses of parts
of a batch: of Dice over a batch, of a mean over the voxels of rare classes or of those that are
not ignored that is another loss.) What goes backwards are the gradients of the process's own rows;
over the processes they are summed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor, nn
from torch.autograd import Function
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

Value = TypeVar("Value")


class Share:
    """The part of a training that this process has.

    Args:
        rank: its number; 0 leads: it alone validates, reads and writes.
        number: of processes; their default process group is there if it is more than one.
    """

    def __init__(self, rank: int = 0, number: int = 1) -> None:
        self.rank, self.number = rank, number

    @property
    def leads(self) -> bool:
        """Whether this is the process that validates, reads and writes."""
        return self.rank == 0

    def split_batches_of(self, network: nn.Module) -> None:
        """Let a network in training mode compute its rows (B/number) of what it is given (B)."""
        if self.number == 1:
            return
        network.register_forward_pre_hook(self._before)
        network.register_forward_hook(self._after)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.forward = partial(self._normalise, module, module.forward)  # type: ignore[method-assign]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Over all processes; the parameters' own gradients are replaced."""
        gradients = [each.grad for each in parameters if each.grad is not None]
        if self.number == 1 or not gradients:
            return
        flat = torch.cat([each.reshape(-1) for each in gradients])
        torch.distributed.all_reduce(flat)
        parts = torch.split(flat, [each.numel() for each in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agreed(self, value: Value) -> Value:
        """The leader's value, in every process."""
        if self.number == 1:
            return value
        held: list[Any] = [value]
        torch.distributed.broadcast_object_list(held)
        agreed: Value = held[0]
        return agreed

    def rows(self, batch: int) -> slice:
        """Which rows of a batch are this process's.

        Raises:
            ValueError: if they cannot be shared evenly.
        """
        size, rest = divmod(batch, self.number)
        if rest:
            raise ValueError(f"a batch of {batch} cannot be shared by {self.number} processes")
        return slice(self.rank * size, (self.rank + 1) * size)

    def gather(self, own: Tensor) -> Tensor:
        """The rows of all processes, in their order."""
        own = own.contiguous()
        parts = [torch.empty_like(own) for _ in range(self.number)]
        torch.distributed.all_gather(parts, own)
        return torch.cat(parts)

    def _before(self, network: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not network.training:
            return inputs
        return (_Rows.apply(inputs[0], self), *inputs[1:])  # type: ignore[no-untyped-call]

    def _after(self, network: nn.Module, inputs: object, logits: Tensor) -> Tensor:  # noqa: ARG002
        if not network.training:
            return logits
        whole: Tensor = _Whole.apply(logits, self)  # type: ignore[no-untyped-call]
        return whole

    def _normalise(self, module: _BatchNorm, alone: Any, images: Tensor) -> Tensor:
        """Batch normalisation by the statistics of all rows (`torch.nn.SyncBatchNorm`, any device).

        Args:
            module: whose it is.
            alone: what it does by itself.
            images: own rows (b, channels, *spatial).
        """
        if not module.training:
            normalised: Tensor = alone(images)
            return normalised
        values = images.float()
        axes = [0, *range(2, values.ndim)]
        number = self.number * values.numel() // values.shape[1]
        mean = self._mean(values.mean(axes))
        centred = values - _of_channels(mean, values)
        variance = self._mean(centred.square().mean(axes))
        if module.track_running_stats and module.running_mean is not None:
            self._keep_statistics(module, mean, variance * (number / max(number - 1, 1)))
        scale = (variance + module.eps).rsqrt()
        if module.affine:
            scale = scale * module.weight
        centred = centred * _of_channels(scale, values)
        if module.affine:
            centred = centred + _of_channels(module.bias, values)
        return centred.to(images.dtype)

    def _mean(self, values: Tensor) -> Tensor:
        summed: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
        return summed / self.number

    @staticmethod
    @torch.no_grad()
    def _keep_statistics(module: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
        assert module.running_mean is not None
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        module.num_batches_tracked += 1
        weight = module.momentum
        if weight is None:
            weight = 1 / float(module.num_batches_tracked)
        module.running_mean.lerp_(mean, weight)
        module.running_var.lerp_(variance, weight)


class _Rows(Function):
    """A batch to this process's rows of it; backwards the rows of all are gathered."""

    @staticmethod
    def forward(context: Any, whole: Tensor, share: Share) -> Tensor:
        context.share = share
        return whole[share.rows(len(whole))].clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return context.share.gather(gradients[0]), None


class _Whole(Function):
    """This process's rows to those of all; backwards they are its own again."""

    @staticmethod
    def forward(context: Any, own: Tensor, share: Share) -> Tensor:
        context.share = share
        return share.gather(own)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (whole,) = gradients
        return whole[context.share.rows(len(whole))].clone(), None


def _of_channels(values: Tensor, like: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (like.ndim - 2))
