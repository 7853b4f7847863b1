"""A corrupted object of DVC's cache, which DVC itself restores without a word, is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.repo import Repo

from rarelens.pipeline.checks.cache import damaged_objects

STAGE = """
stages:
  a:
    cmd: mkdir out && echo hello > out/a && echo more > out/b
    outs: [out]
"""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A project whose one stage ran, and whose cache then lost a letter."""
    monkeypatch.chdir(tmp_path)
    repo = Repo.init(no_scm=True)
    Path("dvc.yaml").write_text(STAGE)
    repo.reproduce()
    assert damaged_objects() == []
    (file,) = [file for file in Path(".dvc/cache/files").rglob("*") if _says(file, "hello\n")]
    file.chmod(0o644)
    file.write_text("jello\n")
    file.chmod(0o444)
    return repo


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text() == text


def test_dvc_restores_it_without_a_word_and_we_name_it(repo: Repo) -> None:
    for each in Path("out").iterdir():
        each.unlink()
    Path("out").rmdir()
    repo.checkout()
    assert Path("out/a").read_text() == "jello\n"
    assert repo.status() == {}
    (said,) = damaged_objects()
    assert "damaged in DVC's cache" in said
    # What it says to do helps.
    Path(said.partition(":")[0]).unlink()
    repo.reproduce()
    assert Path("out/a").read_text() == "hello\n"
    assert damaged_objects() == []


def test_what_was_looked_at_is_not_read_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(damaged_objects()) == 1
    read = []
    monkeypatch.setattr("rarelens.pipeline.checks.cache._md5", read.append)
    damaged_objects()
    assert len(read) == 1  # The damaged one.


def test_a_look_reads_no_more_than_it_may(repo: Repo) -> None:
    assert damaged_objects(most=0) == []
    assert len(damaged_objects()) == 1


def test_a_cache_elsewhere_is_found(repo: Repo) -> None:
    Path(".dvc/cache").rename("elsewhere")
    assert damaged_objects() == []
    Path(".dvc/config.local").write_text("[cache]\n    dir = ../elsewhere\n")
    assert len(damaged_objects()) == 1


def test_without_dvc_there_is_nothing_to_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert damaged_objects() == []
