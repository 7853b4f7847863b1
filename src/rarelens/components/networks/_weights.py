"""Initial weights from a local file, as far as they fit a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn


def load_initial(
    network: nn.Module,
    file: str,
    translate: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    first: str,
) -> None:
    """Fill a network from a safetensors file.

    The head stays as it is where the file has none or one of another size. The weights of the
    first convolution are summed over their channels for an image of one channel (as if that were
    repeated), and left out where the number of channels differs otherwise.

    Args:
        network: changed in place.
        file: the path.
        translate: from what the file holds to the network's names.
        first: name of the first convolution's weights.

    Raises:
        ValueError: if there is no such file, or it is no safetensors file of this network.
    """
    found = translate(_read(file))
    wanted = network.state_dict()
    if first in found and found[first].ndim > 1 and wanted[first].shape[1] == 1:
        found[first] = found[first].sum(1, keepdim=True)
    optional = {first, "head.weight", "head.bias"}
    fitting = {
        key: value
        for key, value in found.items()
        if key not in optional or value.ndim != wanted[key].ndim or value.shape == wanted[key].shape
    }
    # Older files lack the counters of batch normalisation.
    needed = {key for key in wanted if not key.endswith("num_batches_tracked")} - optional
    if problem := _misfit(fitting, wanted, needed):
        raise ValueError(
            f"{file}: not the weights of this network ({problem}); name a file that is, or set "
            "weights: null"
        )
    network.load_state_dict(fitting, strict=False)


def _misfit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], needed: set[str]) -> str:
    """Why the weights do not fit; empty if they do."""
    if missing := sorted(needed - set(found)):
        return f"{len(missing)} are missing, as {missing[0]}"
    if unknown := sorted(set(found) - set(wanted)):
        return f"{len(unknown)} have no place, as {unknown[0]}"
    for key, value in found.items():
        if value.is_floating_point() != wanted[key].is_floating_point():
            return f"{key} is of {value.dtype}"
        if not value.isfinite().all():
            return f"{key} is not finite everywhere"
    shapes = {key: (tuple(found[key].shape), tuple(wanted[key].shape)) for key in found}
    others = [f"{key} is {a} and not {b}" for key, (a, b) in shapes.items() if a != b]
    return others[0] if others else ""


def _read(file: str) -> dict[str, Tensor]:
    # Imported here, for the networks do without where no weights are given.
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file of initial weights; correct networks.….weights")
    try:
        found: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{file}: not readable as safetensors ({reason}); name a file of initial weights that "
            "is, or set weights: null"
        ) from error
    return found
