"""The real sets of params.yaml stand ready: a study of any of them has no problem."""

from __future__ import annotations

import pytest

from pipeline.checks.studies import classification, segmentation
from rarelens.pipeline.checks import check_study


@pytest.mark.parametrize("network", ["unet", "segresnet", "deepmedic_small"])
def test_volumes(network: str) -> None:
    names = ["hippocampus", "lgg_mri", "emidec", "acdc"]
    study = {
        "study__segmentation__datasets": names,
        "study__segmentation__networks": [network],
        "study__simulated": [],
    }
    assert check_study(segmentation(**study)) == []


def test_images() -> None:
    names = ["blood_cells", "emidec_findings", "ich_ct"]
    assert check_study(classification(study__classification__datasets=names)) == []
