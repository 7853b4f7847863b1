"""Launches of small DVC projects whose stages are one line of shell, beside ``dvc repro``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from rarelens.errors import RarelensError
from rarelens.pipeline.cli import main
from rarelens.pipeline.launch.launch import launch
from rarelens.pipeline.launch.slots import dealt

Make = Callable[..., Path]
# Waits for the other of two: it ends only if both run at once.
MEET = "touch {own}.here; while [ ! -e {other}.here ]; do sleep 0.05; done; echo {own} > {own}"
TREE = {
    "second": {"cmd": "cat first > second", "deps": ["first"], "outs": ["second"]},
    "first": {"cmd": "cat source > first; echo $DVC_STAGE", "deps": ["source"], "outs": ["first"]},
    "other": {"cmd": "echo other > other", "deps": ["source"], "outs": ["other"]},
    "last": {"cmd": "cat second other > last", "deps": ["second", "other"], "outs": ["last"]},
}


def repro(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=folder, check=False)
    assert done.returncode == 0


def status(folder: Path) -> object:
    with Repo(str(folder)) as repo:
        return repo.status()


def test_the_lock_is_that_of_dvc_repro_to_the_byte(make: Make) -> None:
    serial = make(TREE, "serial")
    repro(serial)
    parallel = make(TREE, "parallel")
    launch(parallel, 2)
    assert (parallel / "dvc.lock").read_bytes() == (serial / "dvc.lock").read_bytes()
    assert (parallel / "last").read_text() == "content\nother\n"
    assert status(parallel) == {}
    assert (parallel / ".rarelens/launch/first.log").read_text() == "first\n"


def test_two_stages_run_at_once(make: Make) -> None:
    stages = {
        own: {"cmd": MEET.format(own=own, other=other), "deps": ["source"], "outs": [own]}
        for own, other in ("ab", "ba")
    }
    folder = make(stages)
    launch(folder, 2)
    assert (folder / "a").read_text() + (folder / "b").read_text() == "a\nb\n"


def test_what_ran_before_is_restored_and_what_is_unchanged_is_left(make: Make) -> None:
    folder = make(TREE)
    launch(folder, 2)
    (folder / "source").write_text("other content\n")
    launch(folder, 2)
    (folder / "source").write_text("content\n")
    for log in (folder / ".rarelens/launch").iterdir():
        log.unlink()
    launch(folder, 2)
    assert list((folder / ".rarelens/launch").iterdir()) == []  # No command has run.
    assert (folder / "last").read_text() == "content\nother\n"
    assert status(folder) == {}


def test_that_nothing_has_to_run_is_said(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(TREE)
    launch(folder, 2)
    assert "nothing to run" not in capsys.readouterr().err
    launch(folder, 2)
    assert "nothing to run: 4 stages are up to date" in capsys.readouterr().err


def test_only_the_targets_and_what_they_need(make: Make) -> None:
    folder = make(TREE)
    launch(folder, 2, ["second"])
    assert (folder / "second").exists()
    assert not (folder / "other").exists()
    with pytest.raises(RarelensError, match="third"):
        launch(folder, 2, ["third"])


def test_a_failure_stops_what_depends_on_it_and_nothing_else(make: Make) -> None:
    broken = {
        **TREE,
        "first": {**TREE["first"], "cmd": "echo so near; test -e mended && cat source > first"},
    }
    folder = make(broken)
    with pytest.raises(RarelensError) as raised:
        launch(folder, 2)
    failed, skipped, _ = raised.value.problems
    assert "first failed (.rarelens/launch/first.log)" in failed
    assert "so near" in failed
    assert skipped.startswith("2 stages")
    assert (folder / "other").exists()
    (folder / "mended").touch()
    (folder / ".rarelens/launch/other.log").unlink()
    launch(folder, 2)
    assert (folder / "last").exists()
    assert not (folder / ".rarelens/launch/other.log").exists()


def test_results_of_inputs_that_changed_meanwhile_are_not_recorded(make: Make) -> None:
    folder = make(
        TREE | {"first": {**TREE["first"], "cmd": "cat source > first; echo new >> source"}}
    )
    with pytest.raises(RarelensError, match="first: source changed while it ran"):
        launch(folder, 1)
    assert "first" in status(folder)


def test_a_missing_file_is_told(make: Make) -> None:
    folder = make(TREE)
    (folder / "source").unlink()
    with pytest.raises(RarelensError, match="source"):
        launch(folder, 2)


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match=r"dvc\.yaml: no such file"):
        launch(tmp_path, 2)


def test_each_place_has_a_gpu_of_its_own(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    stages = {
        own: {
            "cmd": MEET.format(own=own, other=other) + f"; echo $CUDA_VISIBLE_DEVICES > {own}",
            "deps": ["source"],
            "outs": [own],
        }
        for own, other in ("ab", "ba")
    }
    folder = make(stages)
    launch(folder, 2)
    assert {(folder / name).read_text() for name in "ab"} == {"3\n", "5\n"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_what_runs_and_keeps_what_is_done(make: Make, sent: int) -> None:
    slow = "echo $$ > pid; while [ ! -e released ]; do sleep 0.1; done; echo other > other"
    folder = make(TREE | {"other": {**TREE["other"], "cmd": slow}})
    command = [sys.executable, "-c", f"from {main.__module__} import main; main()", "launch"]
    running = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    wait_for(folder / "second")
    wait_for(folder / "pid")
    blocked = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "other"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert blocked.returncode != 0
    assert "rarelens launch" in blocked.stdout + blocked.stderr
    time.sleep(1)  # For second to be recorded.
    running.send_signal(sent)
    assert running.wait(30) == 130
    assert "interrupted" in running.stderr.read()
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)
    found = status(folder)
    assert "other" in found
    assert "second" not in found
    (folder / "released").touch()
    launch(folder, 2)
    assert status(folder) == {}


def wait_for(file: Path) -> None:
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{file} did not come")


@pytest.mark.parametrize(
    ("devices", "places", "expected"),
    [
        ("", 2, [None, None]),
        ("0", 2, ["0", "0"]),
        ("012", 2, ["0,2", "1"]),
        ("0123", 4, ["0", "1", "2", "3"]),
        ("0123", 1, ["0,1,2,3"]),
        ("01", 3, ["0", "1", "0"]),
    ],
)
def test_all_gpus_are_dealt_to_the_places(
    devices: str, places: int, expected: list[str | None]
) -> None:
    assert [dealt(list(devices), place, places) for place in range(places)] == expected
