"""These tests run where the real nnU-Net, Ignite and Lightning are; see the reason of a skip."""

from importlib.util import find_spec

import pytest

REASON = (
    "needs nnU-Net, Ignite and Lightning: "
    "PYTHONPATH=$(.ci/packages nnunet) python -m pytest tests/nnunet"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = any(find_spec(name) is None for name in ("nnunetv2", "ignite", "pytorch_lightning"))
    for item in items:
        if "tests/nnunet/" in item.path.as_posix():
            item.add_marker(pytest.mark.nnunet)
            if missing:
                item.add_marker(pytest.mark.skip(reason=REASON))
