"""Commands, and launches, on a real Ray of two nodes, one of which dies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.cli import main
from rarelens.pipeline.launch.launch import launch
from rarelens.pipeline.launch.on_ray import run_on_ray
from ray_nodes import Ray, need_ray

Make = Callable[..., Path]
RARELENS = (sys.executable, "-c", f"from {main.__module__} import main; main()")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Ray]:
    need_ray()
    cluster = Ray()
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(nodes: Ray, monkeypatch: pytest.MonkeyPatch) -> Ray:
    """Running; commands find it."""
    for name, value in nodes.environment.items():
        monkeypatch.setenv(name, value)
    return nodes


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RarelensError, match=r"pip install 'rarelens\[launch\]'"):
        run_on_ray(["true"], "auto", 0, 1, 0)


@pytest.mark.usefixtures("cluster")
def test_it_is_as_if_the_command_ran_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "carried")
    command = ["sh", "-c", "pwd; echo $WORD >&2; printf '\\377 no newline'; exit 3"]
    done = subprocess.run(
        [*RARELENS, "ray", *command], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 3, done.stderr.decode()
    assert done.stdout == f"{tmp_path}\ncarried\n".encode() + b"\xff no newline"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("whom", ["the command here", "Ray's worker there"])
def test_nothing_outlives_what_it_was_started_by(tmp_path: Path, whom: str) -> None:
    command = ["sh", "-c", "echo $$ $PPID; exec sleep 600"]
    running = subprocess.Popen([*RARELENS, "ray", *command], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    there, worker = (psutil.Process(int(each)) for each in running.stdout.readline().split())
    if whom == "the command here":
        running.terminate()
        assert running.wait(60) == 130
    else:
        worker.kill()
        assert running.wait(60) == 1
    there.wait(60)


def test_a_node_that_dies_costs_its_stages_a_second_try_and_nothing_else(
    make: Make, cluster: Ray
) -> None:
    tried = "echo $$ >> {own}.tried; while [ ! -e go ] && [ $(wc -l < {own}.tried) = 1 ]; "
    tried += "do sleep 0.1; done; echo $DVC_STAGE > {own}"
    stages: dict[str, object] = {
        own: {"cmd": tried.format(own=own), "deps": ["source"], "outs": [own]} for own in "ab"
    }
    stages["last"] = {"cmd": "cat a b > last", "deps": ["a", "b"], "outs": ["last"]}
    folder = make(stages)
    killed = []

    def kill_a_node() -> None:
        while not all((folder / f"{name}.tried").exists() for name in "ab"):
            time.sleep(0.1)
        time.sleep(0.2)
        first = {name: int((folder / f"{name}.tried").read_text()) for name in "ab"}
        killed.extend(name for name, pid in first.items() if cluster.runs_on_the_second(pid))
        cluster.kill_the_second()
        (folder / "go").touch()

    killer = threading.Thread(target=kill_a_node)
    killer.start()
    launch(folder, 2, through={"": [*RARELENS, "ray"]}, retries=1)
    killer.join()
    assert (folder / "last").read_text() == "a\nb\n"
    assert len(killed) == 1
    tries = {name: len((folder / f"{name}.tried").read_text().split()) for name in "ab"}
    assert tries == {name: 2 if name in killed else 1 for name in "ab"}
