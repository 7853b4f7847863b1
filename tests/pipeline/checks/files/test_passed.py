"""``rarelens validate`` reads a raw file that passed before only if it changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.checks.files.classification.conftest import study as images  # noqa: F401
from pipeline.checks.files.segmentation.conftest import study as volumes  # noqa: F401
from pipeline.checks.files.studies import Study, problems
from rarelens.errors import RarelensError
from rarelens.pipeline.checks.files import classification, passed, segmentation
from rarelens.pipeline.checks.validate import validate_study
from rarelens.studies.data.classification.collection import ImageCollection


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cases and images that are read, as they are."""
    found: list[str] = []
    of_case, by_image = segmentation.problems_of, classification.problems_by_image

    def problems_of(case, collection):
        found.append(case.case)
        return of_case(case, collection)

    def problems_by_image(collection: ImageCollection):
        found.extend(entry.image for entry in collection.images)
        return by_image(collection)

    monkeypatch.setattr(segmentation, "problems_of", problems_of)
    monkeypatch.setattr(classification, "problems_by_image", problems_by_image)
    return found


def taken(read: list[str]) -> list[str]:
    """What was read since it was asked last."""
    found = [*read]
    read.clear()
    return found


@pytest.mark.parametrize("kind", ["volumes", "images"])
def test_what_passed_is_read_again_only_if_it_changed(
    kind: str, request: pytest.FixtureRequest, read: list[str]
) -> None:
    request.getfixturevalue(kind)
    first = validate_study()
    cases = taken(read)
    assert len(cases) == {"volumes": 7, "images": 12}[kind]
    assert validate_study() == first
    assert taken(read) == []
    pattern = {"volumes": "data/raw/tiny/labelsTr/*", "images": "data/raw/smears/images/*"}[kind]
    files = sorted(Path().glob(pattern))
    # Time alone, then the file itself.
    os.utime(files[2], ns=(0, 0))
    assert validate_study() == first
    (changed,) = taken(read)
    content = files[4].read_bytes()
    files[4].write_bytes(content[:100])
    with pytest.raises(RarelensError, match=files[4].name):
        validate_study()
    (broken,) = taken(read)
    assert broken != changed
    # What did not pass is told again, though nothing changed.
    assert any(files[4].name in told for told in problems())
    assert taken(read) == [broken]
    files[4].write_bytes(content)
    assert validate_study() == first
    assert taken(read) == [broken]


def test_a_file_in_another_s_place_is_read(volumes: Study, read: list[str]) -> None:  # noqa: F811
    validate_study()
    taken(read)
    file = next(Path().glob("data/raw/tiny/imagesTr/*_003*"))
    before = file.stat()
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes())
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.rename(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    validate_study()
    assert taken(read) == ["tiny_003"]


def test_other_code_and_another_description_ask_anew(
    volumes: Study,  # noqa: F811
    read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    validate_study()
    taken(read)
    description = Path("data/raw/tiny/dataset.json")
    text = description.read_text()
    description.write_text(text.replace('"2": "right"', '"2": "right", "3": "more"'))
    validate_study()
    assert len(taken(read)) == 7
    monkeypatch.setattr(passed, "_code", lambda: "other")
    validate_study()
    assert len(taken(read)) == 7
