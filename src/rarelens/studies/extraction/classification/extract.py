"""Apply a trained classifier to all images of its dataset and keep what it says and sees."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from torch import nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.activations import write_activations
from rarelens.studies.extraction.arrays import batches
from rarelens.studies.extraction.classification.probe import layers_of, probe_rows
from rarelens.studies.extraction.classification.random_weights import with_random_weights
from rarelens.studies.extraction.classification.saliency import check_window, explainer, write_maps
from rarelens.studies.extraction.classification.scores import write_scores
from rarelens.studies.extraction.layers import check_layers
from rarelens.studies.files import write_json
from rarelens.studies.models.classification.model import ClassifierCard, load_classifier
from rarelens.studies.models.storage import fix_algorithms, sides
from rarelens.studies.settings.classification.stages import ExtractClassification
from rarelens.studies.settings.methods import Layers

if TYPE_CHECKING:
    from rarelens.studies.data.classification.prepared import PreparedImages


def extract_cell(
    model: Path,
    data: PreparedImages,
    target: Path,
    settings: ExtractClassification,
    layers: Layers,
) -> None:
    """Write scores and features of all images, activations and saliency maps of the probe set.

    Images are never augmented and the network is in evaluation mode. Memory holds a batch of
    images at a time, and a row of numbers of each image. On one type of CPU the same settings
    give the same bytes; another batch size changes results by rounding only.

    Args:
        model: the model's folder.
        data: the prepared images, of the dataset that the model was trained on.
        target: an existing, empty folder.
        settings: what to take out.
        layers: whose units, and where Grad-CAM is taken.

    Raises:
        RarelensError: if there is no model, it is of other data, has no such layers, gives
            logits that are not finite, or the window of occlusion is larger than the images.
    """
    fix_algorithms(settings.threads)
    network, card = load_classifier(model)
    _check_data(model, card, data)
    check_window(settings, data.size)
    named, saliency = layers_of(layers)
    shapes = check_layers(network, [*named, saliency], data.channels, data.size)
    units = {name: shapes[name] for name in named}

    side = sides(data.table, card.training_images, card.validation_images)
    scores = write_scores(network, data, side, units, target, settings.batch_size)
    rows = probe_rows(data.concepts, settings.probe_images, settings.seed)
    probe = scores.set_index("row").loc[rows].reset_index()
    columns = ["image", "group", "side", "row"]
    probe[columns].to_parquet(target / "probe.parquet", index=False)
    images = map(data.images, batches(rows, settings.batch_size))
    clipped = write_activations(network, images, len(rows), units, target)
    pairs = saliency_pairs(probe, data.concepts, len(data.classes))
    _write_saliency(network, data, pairs, target, settings, saliency, shapes)
    # Passed on, so that later stages need no model.
    shutil.copyfile(model / "history.csv", target / "history.csv")
    facts = {
        "classes": list(data.classes),
        "layers": list(units),
        "saliency": list(settings.saliency),
        "saliency_layer": saliency,
        "size": list(data.size),
        "clipped_activations": clipped,
    }
    write_json(target / "extract.json", facts)


def saliency_pairs(probe: pd.DataFrame, concepts: pd.DataFrame, classes: int) -> pd.DataFrame:
    """The pairs of a probe image and a label present in it, in order of image, then class.

    Args:
        probe: rows of the scores, in order.
        concepts: ``row`` and ``class`` of each concept region.
        classes: how many there are.

    Returns:
        map, image, row, side, class, concept (position in ``concepts``, −1 if the label has no
        region there), logit.
    """
    present = probe[[f"label_{c}" for c in range(classes)]].to_numpy() == 1
    logits = probe[[f"logit_{c}" for c in range(classes)]].to_numpy()
    which, label = np.nonzero(present)
    keys = zip(concepts["row"], concepts["class"], strict=True)
    places = {key: place for place, key in enumerate(keys)}
    pairs = probe.loc[which, ["image", "row", "side"]].reset_index(drop=True)
    pairs.insert(0, "map", np.arange(len(pairs), dtype=np.int64))
    pairs["class"] = label.astype(np.int64)
    wanted = zip(pairs["row"], pairs["class"], strict=True)
    pairs["concept"] = np.array([places.get(key, -1) for key in wanted], np.int64)
    pairs["logit"] = logits[which, label]
    return pairs


def _write_saliency(
    network: nn.Module,
    data: PreparedImages,
    pairs: pd.DataFrame,
    target: Path,
    settings: ExtractClassification,
    layer: str,
    shapes: dict[str, tuple[int, ...]],
) -> None:
    """Write the maps of each method by the model and by its control, and ``saliency.parquet``."""
    networks = {"": network, "_random": with_random_weights(network, settings.seed)}
    rows, classes = (pairs[key].to_numpy(np.int64) for key in ("row", "class"))
    device = next(network.parameters()).device
    for method in settings.saliency:
        size = shapes[layer][1:] if method == "grad_cam" else data.size
        for suffix, own in networks.items():
            explain = explainer(method, own, layer, data, settings)
            file = target / "saliency" / f"{method}{suffix}.npy"
            peaks = write_maps(
                file, explain, data, rows, classes, size, settings.batch_size, device
            )
            pairs[f"zero_{method}{suffix}"] = peaks == 0
            pairs[f"peak_{method}{suffix}"] = peaks
    pairs.to_parquet(target / "saliency.parquet", index=False)


def _check_data(model: Path, card: ClassifierCard, data: PreparedImages) -> None:
    """Refuse data that the model was not made for."""
    unknown = sorted({*card.training_images, *card.validation_images} - set(data.table.index))
    problems = [
        f"{model}: the model's {key} {of_card} are not those of {data.name}, {of_data}; train it "
        "anew"
        for key, of_card, of_data in (
            ("classes", list(card.classes), list(data.classes)),
            ("channels", card.channels, data.channels),
            ("image size", list(card.size), list(data.size)),
            ("mean and std", [*card.mean, *card.std], [*data.mean, *data.std]),
        )
        if of_card != of_data
    ]
    if unknown:
        problems.append(
            f"{model}: the model was trained on {len(unknown)} images that {data.name} lacks "
            f"({unknown[0]}, …); train it anew"
        )
    if problems:
        raise RarelensError(*problems)
