"""Pickles of nnU-Net are read as plain values; whatever could run code is refused."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.diagnosis.pickles import read_pickle

PLAIN = {
    "crop_bbox": [[0, 34], [2, 51], [0, 36]],
    "itk_spacing": (np.float64(1.5), 1.0, 1.0),
    "classes": np.arange(4, dtype=">i2"),
    "locations": collections.OrderedDict({1: np.asfortranarray(np.eye(3))}),
    "names": np.array(["case_1", "case_2"]),
    "file": None,
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_are_read(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "plain.pkl"
    file.write_bytes(pickle.dumps(PLAIN, protocol=protocol))
    found = read_pickle(file)
    assert found.keys() == PLAIN.keys()
    assert found["crop_bbox"] == PLAIN["crop_bbox"]
    assert found["itk_spacing"] == (1.5, 1.0, 1.0)
    assert found["classes"].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(found["locations"][1], np.eye(3))
    assert found["names"].tolist() == ["case_1", "case_2"]


def test_nnunets_own_are_read(real_data: Path) -> None:
    file = real_data / "nnunet_hippocampus/train_predictions/hippocampus_001.pkl"
    found = read_pickle(file)
    assert found["shape_before_cropping"] == found["shape_after_cropping_and_before_resampling"]
    assert found["spacing"] == [1.0, 1.0, 1.0]


class Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made = function, arguments

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize(
    "value",
    [
        Call(os.system, "touch ran"),
        Call(eval, "open('ran', 'w')"),
        Call(getattr, {}, "pop"),
        Path("somewhere"),
        np.array([{}, []], dtype=object),
        np.zeros(2, dtype=[("a", int)]),
    ],
    ids=["system", "eval", "getattr", "path", "objects", "records"],
)
def test_anything_else_is_refused(
    value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps({"crop_bbox": value}, protocol=4))
    with pytest.raises(RarelensError, match=r"evil.pkl: not read, for it is broken or holds more"):
        read_pickle(file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"nothing"])
def test_a_broken_one_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(RarelensError, match=r"a.pkl: not read, for it is broken"):
        read_pickle(tmp_path / "a.pkl")
