"""Concept masks that change places between patients: how often units then meet concepts.

All masks of a patient move together, for images of one patient resemble each other. Exchangeable
under the null are the patients' lists of masks: an image takes the mask of its own rank in the list
of another patient, a list starting again at its end where it is too short. Patients with the same
number of images thus swap their masks whole, and the test is exact; where numbers differ, longer
lists are cut and shorter ones repeat, which spreads the null a little wider. Ranks follow content.

The patients stand in a random circle, and each exchange gives every patient the masks of the one a
fixed number of places further on. So the masks that an image meets lie side by side, and one
product of a sparse with a dense matrix counts all its meetings. A circle of P patients has P
assignments; for more exchanges further circles are drawn, in which takers and givers stand in
independent orders. The true assignment has a random place among all of them: under
exchangeability its rank is uniform, so that p = (1 + #{null ≥ observed})/(1 + exchanges) is valid
(Hemerik & Goeman, TEST 2018, on tests with part of a group).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rarelens.measures.dissection.pixels_above import Pixels

Integers = NDArray[np.int64]
Masks = Callable[[Integers], NDArray[np.bool_]]

# Above 2^24, float32 cannot count one by one.
EXACT_IN_FLOAT32 = 2**24
# Bytes of masks read at once.
READ_BYTES = 2**25


@dataclass(frozen=True)
class Circle:
    """Assignments of masks of P patients, who have at most R images; a place is rank·P + patient.

    Attributes:
        givers: (R·P,) image whose masks are given.
        takers: (R·P,) image that takes some; −1 where a patient has fewer.
        patients: P.
        before: so many of the ``width`` shifts come before that of each patient to its own place.
        width: assignments, at most P.
        true: whether that shift is the true assignment.
    """

    givers: Integers
    takers: Integers
    patients: int
    before: int
    width: int
    true: bool

    def areas(self, areas: Integers) -> Integers:
        """Pixels of each concept in each assignment, (width, C), of those (N, C) of the images."""
        given = areas[self.givers].reshape(-1, self.patients, areas.shape[1])
        taken = self.takers.reshape(-1, self.patients) >= 0
        shifts = range(-self.before, self.width - self.before)
        return np.stack([np.roll(given, -shift, axis=1)[taken].sum(axis=0) for shift in shifts])


@dataclass(frozen=True)
class Concepts:
    """Which images hold a region of which concept: ``areas`` in pixels, (N, C)."""

    masks: Masks
    areas: Integers
    size: tuple[int, ...]
    digests: list[bytes]

    @classmethod
    def read(cls, masks: Masks, images: int) -> Concepts:
        """Look at all masks once, a few images at a time."""
        first = masks(np.arange(min(1, images)))
        step = max(1, READ_BYTES // max(1, first.nbytes))
        areas, digests = np.zeros((images, first.shape[1]), np.int64), []
        for start in range(0, images, step):
            here = masks(np.arange(start, min(images, start + step)))
            flat = here.reshape(*here.shape[:2], -1)
            areas[start : start + step] = np.count_nonzero(flat, axis=2)
            digests += [hashlib.blake2b(np.packbits(own).tobytes()).digest() for own in flat]
        return cls(masks, areas, first.shape[2:], digests)


def circles(keys: list[bytes], groups: Sequence[Any], exchanges: int, seed: int) -> list[Circle]:
    """Circles of patients for so many exchanges; one with none if there is nothing to exchange.

    Args:
        keys: of each image, from its content: the circles follow the images, not their order.
        groups: the patient of each image.
        exchanges: how many.
        seed: of the draw.
    """
    members = _members(keys, groups)
    patients = len(members)
    if exchanges == 0 or patients < 2:
        own = np.arange(len(keys))
        return [Circle(own, own, len(keys), 0, 1, true=True)]
    most = max(map(len, members))
    givers = np.array([np.resize(own, most) for own in members])
    takers = np.where(np.arange(most) < [[len(own)] for own in members], givers, -1)
    rng = np.random.default_rng([seed, patients])
    place_of_truth = int(rng.integers(exchanges + 1))
    found = []
    for first in range(0, exchanges + 1, patients):
        width = min(patients, exchanges + 1 - first)
        true = first <= place_of_truth < first + width
        taking = rng.permutation(patients)
        giving = taking if true else rng.permutation(patients)
        found.append(
            Circle(
                givers=givers[giving].T.ravel(),
                takers=takers[taking].T.ravel(),
                patients=patients,
                before=place_of_truth - first if true else 0,
                width=width,
                true=true,
            )
        )
    return found


def _members(keys: list[bytes], groups: Sequence[Any]) -> list[Integers]:
    """The images of each patient, ranked by their keys; the patients ranked by those of theirs."""
    members: dict[Any, list[int]] = {}
    for image in sorted(range(len(keys)), key=keys.__getitem__):
        members.setdefault(groups[image], []).append(image)
    ranked = sorted(members.values(), key=lambda own: [keys[image] for image in own])
    return [np.array(own) for own in ranked]


class MaskColumns:
    """The masks of a circle, each a column of a matrix of pixels × masks, read in blocks.

    Only masks that hold a region have a column. ``values``: of a block, at most. ``kept``: from one
    reading to the next, at most; else the masks are read again.
    """

    def __init__(self, concepts: Concepts, circle: Circle, values: int, kept: int) -> None:
        self.circle = circle
        self.concepts = concepts
        present = concepts.areas[circle.givers] > 0
        self.place, self.concept = np.nonzero(present)
        self.offsets = np.concatenate([[0], present.sum(axis=1).cumsum()])
        self.pixels = int(np.prod(concepts.size))
        self._most = max(1, values // self.pixels)
        self._kept = kept // self.pixels
        self._whole: torch.Tensor | None = None

    def blocks(self) -> Iterator[tuple[int, int, torch.Tensor]]:
        """First and last place (excluded) of each block, and its matrix."""
        places = len(self.circle.givers)
        if self.offsets[-1] <= self._most:
            whole = self._matrix(0, places) if self._whole is None else self._whole
            if self.offsets[-1] <= self._kept:
                self._whole = whole
            yield 0, places, whole
            return
        start = 0
        while start < places:
            end = int(np.searchsorted(self.offsets, self.offsets[start] + self._most, "right")) - 1
            end = max(start + 1, end)
            yield start, end, self._matrix(start, end)
            start = end

    def _matrix(self, start: int, end: int) -> torch.Tensor:
        first = self.offsets[start]
        kind = torch.float32 if self.pixels <= EXACT_IN_FLOAT32 else torch.float64
        matrix = torch.empty((self.pixels, int(self.offsets[end] - first)), dtype=kind)
        step = max(1, READ_BYTES // (self.pixels * self.concepts.areas.shape[1]))
        for place in range(start, end, step):
            stop = min(end, place + step)
            # An image whose patient has few gives its mask several times, and is read once.
            images, back = np.unique(self.circle.givers[place:stop], return_inverse=True)
            masks = self.concepts.masks(images)
            own = slice(self.offsets[place], self.offsets[stop])
            chosen = masks[back[self.place[own] - place], self.concept[own]]
            columns = torch.from_numpy(chosen.reshape(len(chosen), self.pixels)).T
            matrix[:, own.start - first : own.stop - first] = columns
        return matrix


@dataclass(frozen=True)
class ActiveImages:
    """Active pixels of K units, image by image, as rows of sparse matrices (K, pixels)."""

    starts: Integers
    pixels: NDArray[np.int32]
    count: Integers

    @classmethod
    def of(cls, slices: Iterator[Pixels], images: int, units: int) -> ActiveImages:
        """Gather slices; their items are image·units + unit, in ascending order."""
        counts = np.zeros(images * units, np.int64)
        parts = []
        for found in slices:
            if found.item.size == 0:
                continue
            first, last = found.item[0], found.item[-1]
            counts[first : last + 1] += np.bincount(found.item - first)
            parts.append(found.pixel.astype(np.int32))
        pixels = np.concatenate([np.empty(0, np.int32), *parts])
        starts = np.concatenate([[0], counts.cumsum()])
        return cls(starts, pixels, counts.reshape(images, units))

    def matrix(self, image: int, size: int, kind: torch.dtype) -> torch.Tensor | None:
        """(K, pixels) of 0 and 1 in compressed rows; None without any active pixel."""
        units = self.count.shape[1]
        rows = self.starts[image * units : (image + 1) * units + 1]
        if rows[0] == rows[-1]:
            return None
        pixels = self.pixels[rows[0] : rows[-1]]
        with warnings.catch_warnings():
            # PyTorch says that sparse tensors are in beta; what is used here is tested.
            warnings.simplefilter("ignore", UserWarning)
            return torch.sparse_csr_tensor(
                torch.from_numpy((rows - rows[0]).astype(np.int32)),
                torch.from_numpy(pixels),
                torch.ones(len(pixels), dtype=kind),
                size=(units, size),
            )


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let PyTorch work in one thread: these products are small, and threads wait for each other.

    On a machine that is busy with other work the waiting took several times the work itself.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shared_pixels(active: ActiveImages, columns: MaskColumns) -> NDArray[np.float64]:
    """Pixels that units share with concepts, summed over images, in each assignment of a circle.

    Returns:
        (width, C, K), whole numbers.
    """
    circle, concepts = columns.circle, columns.concepts.areas.shape[1]
    units = active.count.shape[1]
    total = np.zeros((circle.width * concepts, units))
    with one_torch_thread():
        _count(active, columns, total)
    return total.reshape(circle.width, concepts, units)


def _count(active: ActiveImages, columns: MaskColumns, total: NDArray[np.float64]) -> None:
    """Add to ``total`` (shifts·C, K)."""
    circle, concepts = columns.circle, columns.concepts.areas.shape[1]
    patients = circle.patients
    for first, end, matrix in columns.blocks():
        ranks = range(first // patients, -(-end // patients))
        for place in range(ranks.start * patients, ranks.stop * patients):
            rank, patient = divmod(place, patients)
            start, image = (patient - circle.before) % patients, int(circle.takers[place])
            if image < 0:
                continue
            base = rank * patients
            pieces = [*_pieces(start, circle.width, patients, first - base, end - base)]
            own = active.matrix(image, columns.pixels, matrix.dtype) if pieces else None
            for low, high in pieces if own is not None else ():
                here = slice(columns.offsets[base + low], columns.offsets[base + high])
                shift = (columns.place[here] - base - start) % patients
                block = matrix[:, here.start - columns.offsets[first] :][:, : shift.size]
                total[shift * concepts + columns.concept[here]] += _product(own, block)


def _pieces(
    start: int, width: int, patients: int, first: int, end: int
) -> Iterator[tuple[int, int]]:
    """The parts of [start, start + width) on a circle that lie in [first, end)."""
    around = max(0, start + width - patients)
    for piece in ((start, min(patients, start + width)), (0, around)):
        low, high = max(piece[0], first), min(piece[1], end)
        if low < high:
            yield low, high


def _product(sparse: Any, dense: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray((sparse @ dense).T.numpy(), np.float64)
