"""Launches through a real Slurm of two nodes, one of which dies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.launch.launch import launch
from slurm import Slurm

Make = Callable[..., Path]
SRUN = ("srun", "--quiet", "--nodes=1", "--ntasks=1", "--exclusive")
MEET = "touch {own}.here; while [ ! -e {other}.here ]; do sleep 0.1; done"


def pair(command: str) -> dict[str, object]:
    return {
        own: {"cmd": command.format(own=own, other=other), "deps": ["source"], "outs": [own]}
        for own, other in ("ab", "ba")
    }


@pytest.mark.usefixtures("slurm")
def test_stages_run_on_both_nodes_in_the_project_s_folder(make: Make) -> None:
    folder = make(pair(MEET + "; echo $SLURMD_NODENAME $DVC_STAGE > {own}"))
    launch(folder, 2, through={"": SRUN})
    told = [(folder / name).read_text().split() for name in "ab"]
    assert {node for node, _ in told} == {"n1", "n2"}
    assert [stage for _, stage in told] == ["a", "b"]


@pytest.mark.usefixtures("slurm")
def test_a_stage_that_fails_there_is_told_with_its_last_lines(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make({"a": {"cmd": "echo near; exit 3", "deps": ["source"], "outs": ["a"]}})
    with pytest.raises(RarelensError, match=r"a failed \(\.rarelens/launch/a\.log\): \w"):
        launch(folder, 2, through={"": SRUN})
    told = capsys.readouterr()
    assert "  near\n" in told.out + told.err


def test_a_node_that_dies_costs_its_stages_a_second_try_and_nothing_else(
    make: Make, slurm: Slurm
) -> None:
    tried = "echo $SLURMD_NODENAME >> {own}.tried; touch {own}.here; while [ ! -e go.{own} ] "
    tried += "&& [ $(wc -l < {own}.tried) = 1 ]; do sleep 0.1; done; echo {own} > {own}"
    stages = pair(tried)
    stages["last"] = {"cmd": "cat a b > last", "deps": ["a", "b"], "outs": ["last"]}
    folder = make(stages)

    def kill_a_node() -> None:
        for name in "ab":
            while not (folder / f"{name}.here").exists():
                time.sleep(0.1)
        node = (folder / "a.tried").read_text().strip()
        slurm.kill(node)
        (folder / "go.b").touch()

    killer = threading.Thread(target=kill_a_node)
    killer.start()
    launch(folder, 2, through={"": SRUN}, retries=1)
    killer.join()
    assert (folder / "last").read_text() == "a\nb\n"
    first, second = (folder / "a.tried").read_text().split()
    assert first != second
    assert (folder / "b.tried").read_text().split() == [second]


@pytest.mark.usefixtures("slurm")
def test_an_allocation_that_ends_is_taken_up_by_the_next(make: Make) -> None:
    """``sbatch`` of a script that launches; each stage is a step in it. It is ended in mid-run as
    a time limit ends it, by SIGTERM and then SIGKILL, and submitted again.
    """
    long = "echo >> long.tried; while [ ! -e go ]; do sleep 0.1; done; cat short > long"
    folder = make(
        {
            "short": {"cmd": "echo >> short.tried; echo s > short", "deps": ["source"],
                      "outs": ["short"]},
            "long": {"cmd": long, "deps": ["short"], "outs": ["long"]},
        }
    )  # fmt: skip
    rarelens = Path(sys.executable).with_name("rarelens")
    script = f"#!/bin/sh\nexec {rarelens} launch --jobs 2 --through '{' '.join(SRUN)}'\n"
    (folder / "study.sh").write_text(script)
    submit = ["sbatch", "--parsable", "--nodes=2", "--output=study.log", "study.sh"]

    def call(*command: str) -> str:
        return subprocess.check_output(command, text=True).strip()

    def wait_until(done: Callable[[], bool]) -> None:
        for _ in range(600):
            if done():
                return
            time.sleep(0.1)
        raise AssertionError((folder / "study.log").read_text())

    job = call(*submit)
    wait_until((folder / "long.tried").exists)
    call("scancel", job)
    wait_until(lambda: not call("squeue", "--noheader"))
    assert not (folder / "long").exists()
    (folder / "go").touch()
    call(*submit)
    wait_until(lambda: not call("squeue", "--noheader"))
    launch(folder, 2)  # Nothing is left to do.
    assert (folder / "long").read_text() == "s\n"
    assert (folder / "short.tried").read_text() == "\n"
    assert (folder / "long.tried").read_text() == "\n\n"
