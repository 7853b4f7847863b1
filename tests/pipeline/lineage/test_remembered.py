"""What was read from the code is read again where the code is another, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

import rarelens
from rarelens.pipeline.lineage.remembered import FOLDER, Remembered


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of scripts of a project whose rarelens is a package of two files."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "src/rarelens"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "loss.py").write_text("GAMMA = 2\n")
    monkeypatch.setattr(rarelens, "__file__", str(package / "__init__.py"))
    folder = tmp_path / "stages"
    folder.mkdir()
    (folder / "train.py").write_text("import rarelens.loss\n")
    return folder


def keep(scripts: Path, text: str, value: object) -> None:
    remembered = Remembered("train", scripts)
    remembered.keep(text, value)
    remembered.write()


def test_values_are_kept_beside_each_other(scripts: Path) -> None:
    keep(scripts, "one", ["a"])
    keep(scripts, "another", {"b": "c"})
    found = Remembered("train", scripts)
    assert (found.get("one"), found.get("another"), found.get("none")) == (["a"], {"b": "c"}, None)
    assert Remembered("extract", scripts).get("one") is None


@pytest.mark.parametrize(
    "name",
    [
        *("src/rarelens/loss.py", "src/rarelens/new.py", "src/rarelens/page.j2", "stages/new.py"),
        *("src/rarelens/viewer/script.js.gz", "src/rarelens/viewer/LICENSE"),
    ],
)
def test_any_other_byte_of_code_is_read_anew(scripts: Path, name: str) -> None:
    keep(scripts, "one", ["a"])
    file = scripts.parent / name
    file.parent.mkdir(exist_ok=True)
    before = file.read_bytes() if file.exists() else None
    file.write_text("GAMMA = 3\n")
    assert Remembered("train", scripts).get("one") is None
    if before is None:
        file.unlink()
    else:
        file.write_bytes(before)
    assert Remembered("train", scripts).get("one") == ["a"]


def test_a_file_of_the_same_text_under_another_name_is_other_code(scripts: Path) -> None:
    keep(scripts, "one", ["a"])
    file = scripts.parent / "src/rarelens/loss.py"
    file.rename(file.with_name("lost.py"))
    assert Remembered("train", scripts).get("one") is None


def test_code_in_a_linked_folder_is_read_each_time(scripts: Path) -> None:
    other = scripts.parent / "other"
    other.mkdir()
    (scripts.parent / "src/rarelens/linked").symlink_to(other)
    keep(scripts, "one", ["a"])
    assert Remembered("train", scripts).get("one") is None
    assert not FOLDER.exists()


def test_what_is_no_code_does_not_matter(scripts: Path) -> None:
    keep(scripts, "one", ["a"])
    cache = scripts.parent / "src/rarelens/__pycache__"
    cache.mkdir()
    for file in (cache / "loss.cpython-311.pyc.1403", scripts.parent / "src/rarelens/.loss.py.swp"):
        file.touch()
    assert Remembered("train", scripts).get("one") == ["a"]


def test_a_link_in_its_place_is_left(scripts: Path) -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "train.json").symlink_to("nothing")
    keep(scripts, "one", ["a"])
    assert Remembered("train", scripts).get("one") is None


def test_code_that_changes_while_it_is_read_is_not_remembered(scripts: Path) -> None:
    remembered = Remembered("train", scripts)
    remembered.keep("one", ["a"])
    (scripts / "train.py").write_text("import rarelens\n")
    remembered.write()
    assert not FOLDER.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"code": 1}', "null"])
def test_what_is_no_memory_is_none(scripts: Path, text: str) -> None:
    keep(scripts, "one", ["a"])
    (FOLDER / "train.json").write_text(text)
    assert Remembered("train", scripts).get("one") is None
    keep(scripts, "one", ["b"])
    assert Remembered("train", scripts).get("one") == ["b"]
