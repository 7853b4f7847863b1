from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from rarelens.studies.training.record import describe_run, git_commit


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    return subprocess.run(
        ["git", *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_commit_is_unknown_outside_a_repository(outside: Path) -> None:
    assert git_commit() == "unknown"


def test_commit_is_unknown_without_git(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(outside))
    assert git_commit() == "unknown"


def test_commit_is_marked_where_tracked_files_differ(outside: Path) -> None:
    git("init", "-q")
    (outside / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    (outside / "untracked").write_text("")
    assert git_commit() == head
    (outside / "file").write_text("2")
    assert git_commit() == head + "+"


def test_a_run_is_described() -> None:
    record = describe_run(seconds=2.0, steps_per_second=3.0, batch_size=4, unit="patches")
    assert (record["seconds"], record["patches_per_second"]) == (2.0, 12.0)
    # More than the interpreter alone, less than any machine that tests run on.
    assert 50 < record["peak_memory_mib"] < 64 * 1024
    assert record["environment"]["torch"] == torch.__version__
    assert {"python", "system", "machine", "threads", "rarelens"} < set(record["environment"])
