"""``rarelens repro`` is ``dvc repro``, but for how often params.yaml is parsed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dpath
import pytest
from dvc.dependency import param
from dvc.utils import serialize

from rarelens.pipeline.lineage import repro
from rarelens.pipeline.lineage.repro import KeptYaml, look_up

STAGES = """
stages:
  make:
    matrix: {name: [a, b, c, d]}
    cmd: grep ${item.name}_ params.yaml > ${item.name}
    params: ['${item.name}_']
    outs: ['${item.name}']
"""


@pytest.fixture
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed; the working directory is a small DVC project."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([Path(sys.executable).with_name("dvc"), "init", "-q"], check=True)
    Path("dvc.yaml").write_text(STAGES)
    Path("params.yaml").write_text("a_: 1\nb_: 2\nc_: 3\nd_: 4\n")
    found: list[str] = []
    load = repro.load_yaml

    def load_yaml(path, **options):
        found.append(Path(path).name)
        return load(path, **options)

    monkeypatch.setattr(repro, "load_yaml", load_yaml)
    return found


def test_the_file_is_parsed_once_and_stages_run_as_they_should(parsed: list[str]) -> None:
    assert repro.repro([]) == 0
    assert [Path(name).read_text() for name in "ad"] == ["a_: 1\n", "d_: 4\n"]
    assert parsed.count("params.yaml") == 1
    Path("params.yaml").write_text("a_: 1\nb_: 2\nc_: 9\nd_: 4\n")
    before = Path("a").stat().st_mtime_ns
    assert repro.repro([]) == 0
    assert Path("c").read_text() == "c_: 9\n"
    assert Path("a").stat().st_mtime_ns == before
    assert repro.repro(["--no-such-option"]) != 0
    assert ".yaml" not in serialize.LOADERS
    assert param.dpath is dpath


def test_a_file_that_changes_is_parsed_again_and_no_value_is_shared(tmp_path: Path) -> None:
    file, read = tmp_path / "x.yaml", KeptYaml()
    file.write_text("a: [1]")
    read(file)["a"].append(2)
    assert read(file) == {"a": [1]}
    file.write_text("a: [1, 3]")
    assert read(file) == {"a": [1, 3]}
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read(file)


VALUES = {"a": {"b": [{"c": 1}, None], "d": None, "e.f": 2}, 3: {"g": 4}}


@pytest.mark.parametrize(
    "path", ["a", "a.b", "a.d", "a.b.0", "a.b.0.c", "a.b.1", "3.g", "a.*.0.c", "", "a.b.-1"]
)
def test_a_key_is_looked_up_as_dpath_finds_it(path: str) -> None:
    assert look_up(VALUES, path) == dpath.get(VALUES, path, separator=".")


@pytest.mark.parametrize("path", ["x", "a.x", "a.d.x", "a.e.f", "a.b.2", "a.b.0.c.x"])
def test_what_dpath_does_not_find_is_not_there(path: str) -> None:
    for find in (dpath.get, look_up):
        with pytest.raises(KeyError):
            find(VALUES, path, separator=".")
