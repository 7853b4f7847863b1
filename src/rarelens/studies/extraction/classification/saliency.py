"""Saliency maps of a class's logit, by Captum: Grad-CAM, Integrated Gradients, occlusion.

A saliency map says where an image speaks for a class; here it is never negative, and its
resolution is the method's own. It is stored as a share of its maximum, which is kept beside it:
float16 would round the small values of a deep network to 0, and what is made of a map does not
depend on its scale.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam, Occlusion
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.arrays import ArrayWriter, batches
from rarelens.studies.extraction.progress import told
from rarelens.studies.settings.classification.stages import ExtractClassification

if TYPE_CHECKING:
    from rarelens.studies.data.classification.prepared import PreparedImages

METHODS = ("grad_cam", "integrated_gradients", "occlusion")

Explain = Callable[[Tensor, list[int]], Tensor]
"""Images (B, channels, H, W) and a class of each to maps (B, h, w), none negative."""


def grad_cam(network: nn.Module, layer: str) -> Explain:
    """Grad-CAM at ``layer``: ReLU of its maps' sum, weighted by their mean gradients.

    Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2.
    """
    method = LayerGradCam(network, network.get_submodule(layer))

    def explain(images: Tensor, classes: list[int]) -> Tensor:
        # So that the layer has gradients whichever weights are frozen.
        images = images.requires_grad_()
        maps = cast(Tensor, method.attribute(images, classes, relu_attributions=True))
        return maps.detach()[:, 0]

    return explain


def integrated_gradients(
    network: nn.Module, baseline: Tensor, steps: int, batch_size: int
) -> Explain:
    """Integrated Gradients: the sum of their absolute values over an image's channels.

    Sundararajan et al., Axiomatic attribution for deep networks, ICML 2017, equation 1, by
    Gauss–Legendre quadrature.

    Args:
        network: of the logits.
        baseline: (1, channels, 1, 1), the image that shows nothing.
        steps: of the integral.
        batch_size: images computed at once.
    """
    method = IntegratedGradients(network)

    def explain(images: Tensor, classes: list[int]) -> Tensor:
        start = baseline.expand_as(images)
        most = max(batch_size, len(images))
        maps = method.attribute(images, start, classes, n_steps=steps, internal_batch_size=most)
        return cast(Tensor, maps).detach().abs().sum(1)

    return explain


def occlusion(network: nn.Module, window: int) -> Explain:
    """Occlusion: the fall of the logit where a window shows the mean image, 0 where it rises.

    Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014. The
    square window of ``window`` pixels moves by half its side over all channels at once; a pixel
    has the mean fall of the windows over it. The logit is the network's own: no softmax.
    """
    method, stride = Occlusion(network), max(1, window // 2)

    def explain(images: Tensor, classes: list[int]) -> Tensor:
        channels = images.shape[1]
        size, move = (channels, window, window), (channels, stride, stride)
        maps = method.attribute(images, size, move, baselines=0, target=classes)
        return cast(Tensor, maps)[:, 0].clamp(min=0)

    return explain


def explainer(
    name: str,
    network: nn.Module,
    layer: str,
    data: PreparedImages,
    settings: ExtractClassification,
) -> Explain:
    """The method ``name``. The baseline of Integrated Gradients is black: intensity 0.

    Raises:
        RarelensError: if the window of occlusion is larger than the images.
    """
    if name == "grad_cam":
        return grad_cam(network, layer)
    if name == "integrated_gradients":
        mean, std = np.array(data.mean), np.array(data.std)
        black = torch.from_numpy((-mean / std).astype(np.float32)).reshape(1, -1, 1, 1)
        baseline = black.to(next(network.parameters()).device)
        steps = settings.integrated_gradients_steps
        return integrated_gradients(network, baseline, steps, settings.batch_size)
    check_window(settings, data.size)
    return occlusion(network, settings.occlusion_window)


def check_window(settings: ExtractClassification, size: tuple[int, int]) -> None:
    """Refuse a window of occlusion, if that is asked for, that is larger than the images.

    Raises:
        RarelensError: if it is.
    """
    if "occlusion" in settings.saliency and settings.occlusion_window > min(size):
        raise RarelensError(
            f"params.yaml: extract.classification.occlusion_window: {settings.occlusion_window} "
            f"pixels are more than images of {list(size)} have; choose fewer"
        )


def write_maps(
    file: Path,
    explain: Explain,
    data: PreparedImages,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    size: tuple[int, ...],
    batch_size: int,
    device: torch.device,
) -> NDArray[np.float32]:
    """Write the maps of pairs of image and class: float16 (S, h, w), each over its maximum.

    Args:
        file: the .npy to write.
        explain: makes the maps.
        data: the prepared images.
        rows: of the S images.
        classes: of the S maps.
        size: h, w.
        batch_size: maps made at once; memory holds no more.
        device: where the network is.

    Returns:
        The maxima (S,); 0 where a map is all zero, and so is stored.
    """
    peaks = np.zeros(len(rows), np.float32)
    with ArrayWriter(file, (len(rows), *size), np.float16) as maps:
        every = list(batches(np.arange(len(rows)), batch_size))
        for some in told(every, f"extract, {file.stem}: batches"):
            images = torch.from_numpy(data.images(rows[some])).to(device)
            values = explain(images, classes[some].tolist()).float()
            peak = values.amax((1, 2), keepdim=True)
            maps.append(torch.where(peak > 0, values / peak, 0.0).half().cpu().numpy())
            # Into one array: small ones kept between large ones would pin the heap.
            peaks[some] = peak[:, 0, 0].cpu().numpy()
    return peaks
