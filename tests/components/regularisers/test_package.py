from __future__ import annotations

import subprocess
import sys

import pytest

import rarelens.components.regularisers as regularisers
from rarelens.errors import RarelensError
from rarelens.studies.building import check_options, find

GIVEN = ("rare_classes", "classes")


@pytest.mark.parametrize("name", ["adversarial", "augmentation", "mixup"])
def test_classes_are_found_by_file_and_have_options_for_all_but_what_is_given(name: str) -> None:
    component = find("regularisers", name)
    assert component.__name__.lower() == name
    assert isinstance(component.gradient_evaluations, int)
    assert check_options(component, {}, GIVEN, name) == {}
    with pytest.raises(RarelensError, match="rare_classes"):
        check_options(component, {"rare_classes": [1]}, GIVEN, name)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(RarelensError, match="epsilon"):
        check_options(find("regularisers", "adversarial"), {"epsilon": -1.0}, GIVEN, "x")
    with pytest.raises(RarelensError, match="margin"):
        check_options(find("regularisers", "mixup"), {"margin": 1.0}, GIVEN, "x")
    with pytest.raises(RarelensError, match="flip_axes"):
        check_options(find("regularisers", "augmentation"), {"flip_axes": [3]}, GIVEN, "x")


def test_the_name_of_a_file_is_the_module_at_every_time_of_asking() -> None:
    for _ in range(2):
        for name in ("mixup", "augmentation"):
            assert getattr(regularisers, name) is sys.modules[f"{regularisers.__name__}.{name}"]
    assert regularisers.mixup.mix_patches is regularisers.mix_patches


def test_every_exported_name_is_there_and_others_are_not() -> None:
    assert all(hasattr(regularisers, name) for name in regularisers.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = regularisers.nothing


@pytest.mark.slow  # Starts another Python.
def test_one_regulariser_does_not_import_another() -> None:
    code = (
        "import sys; from rarelens.components.regularisers import augment, mix_patches;"
        "package = 'rarelens.components.regularisers'; "
        "print([m for m in sys.modules if m in ('monai', f'{package}.adversarial')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
