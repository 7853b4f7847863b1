"""Synthetic studies on disk, only read by the tests."""

from __future__ import annotations

import pytest

from studies.reporting.classification_study import ClassificationStudy, build_classification
from studies.reporting.segmentation_study import Study, build_study


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Study:
    """Segmentation: three methods, three seeds, one rare class."""
    return build_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def build():
    """`build_study`."""
    return build_study


@pytest.fixture(scope="session")
def classification(tmp_path_factory) -> ClassificationStudy:
    """Classification: four methods, three seeds, eight classes, one of them undefined."""
    return build_classification(tmp_path_factory.mktemp("classification"))
