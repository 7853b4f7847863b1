"""Scripts that a server of forks runs, beside what the same Python makes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import rarelens.pipeline.launch.launch as launching
from rarelens.pipeline.launch.warm import WORTH, Forked, Warm

LIBRARY = "wave"  # Of the standard library; nothing imports it by chance.
SAID = f"""
import os, sys
print(__name__, sys.argv, os.getcwd(), os.environ.get("MINE"), sys.path[0], flush=True)
print([name for name in sys.modules if name.partition(".")[0] == "rarelens"])
print({LIBRARY!r} in sys.modules)
"""


@pytest.fixture
def warm() -> Iterator[Warm]:
    server = Warm(LIBRARY)
    yield server
    server.stop()


def run(warm: Warm, folder: Path, code: str, arguments: str = "") -> tuple[Forked, Path]:
    """A script's process, from a server that is ready."""
    (folder / "scripts").mkdir(exist_ok=True)
    (folder / "scripts/script.py").write_text(code)
    log = folder / "log"
    for _ in range(600):
        command = f"python scripts/script.py {arguments}".strip()
        started = warm.start(command, str(folder), os.environ | {"MINE": "yes"}, log)
        if started:
            return started, log
        time.sleep(0.05)
    raise AssertionError("the server was never ready")


def test_a_script_runs_as_by_python_but_with_its_libraries(warm: Warm, tmp_path: Path) -> None:
    process, log = run(warm, tmp_path, SAID, "a 'b c'")
    assert process.wait() == 0
    cold = subprocess.run(
        [sys.executable, "scripts/script.py", "a", "b c"],
        cwd=tmp_path,
        env=os.environ | {"MINE": "yes"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "'b c'" in cold
    assert log.read_text() == cold.replace("False", "True")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('a sentence')", 1, "a sentence\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
    ],
)
def test_how_it_ended(warm: Warm, tmp_path: Path, code: str, status: int, said: str) -> None:
    process, log = run(warm, tmp_path, code)
    assert process.wait() == status
    assert log.read_text().endswith(said)


def test_it_is_a_session_of_its_own_that_can_be_ended(warm: Warm, tmp_path: Path) -> None:
    process, _ = run(warm, tmp_path, "import time; time.sleep(60)")
    assert os.getsid(process.pid) == process.pid
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM


def test_without_its_server_it_ends_and_others_start_as_ever(warm: Warm, tmp_path: Path) -> None:
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(60)"
    process, log = run(warm, tmp_path, code)
    while not log.read_text():
        time.sleep(0.05)
    os.kill(int(log.read_text()), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert warm.start("python scripts/script.py", str(tmp_path), os.environ, log) is None


def test_what_is_not_a_script_of_this_python_is_left_to_a_shell(tmp_path: Path) -> None:
    warm = Warm(LIBRARY)
    commands = ["cat a > b", "python a.py > b", "python -m a", "python", "FOO=1 python a.py"]
    for command in commands * WORTH:
        assert warm.start(command, str(tmp_path), os.environ, tmp_path / "log") is None
    other = {"PATH": "/nowhere"}
    for _ in range(WORTH):
        assert warm.start("python a.py", str(tmp_path), other, tmp_path / "log") is None
    assert not (tmp_path / "log").exists()


def test_a_launch_starts_its_later_stages_from_it(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "Warm", partial(Warm, LIBRARY))
    wait = "import time; time.sleep(1)\n"
    stages = {
        f"s{number}": {
            "cmd": f"python script.py s{number}",
            "deps": ["source", *([f"s{number - 1}"] if number else [])],
            "outs": [f"s{number}"],
        }
        for number in range(WORTH + 2)
    }
    folder = make(stages)
    (folder / "script.py").write_text(
        f"{wait}import sys\nopen(sys.argv[1], 'w').write(str({LIBRARY!r} in sys.modules))"
    )
    launching.launch(folder, 1)
    assert (folder / "s0").read_text() == "False"
    assert (folder / f"s{WORTH + 1}").read_text() == "True"
