"""A stage script answers for the code that it runs."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rarelens.pipeline.lineage.closures import Closure, Closures

SCRIPT = """
import sys
from importlib import import_module
from rarelens.pipeline.lineage.stage import stage
from rarelens.studies.files import write_text

@stage("networks/{network}", "adjustments/{adjustment}")
def main(network: str, adjustment: str = "", *, code: str) -> None:
    import_module("rarelens.components." + "dice")
    print("digest", code)

main(*sys.argv[1:])
"""
TRAINING = """
import sys
from pathlib import Path
from rarelens.pipeline.lineage.stage import stage

@stage()
def main(dataset: str, network: str, method: str, adjustment: str, fraction: str, seed: str):
    for own in (seed, "9"):
        folder = Path(f"models/classification/{dataset}/{network}/{method}+{adjustment}/1/{own}")
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").touch(0o600)

main(*sys.argv[1:])
"""
DICE = ["rarelens.components.dice.mean_dice"]
CLOSURES = Closures()  # The code beside this test stays as it is.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    script = tmp_path / "stages/own.py"
    script.write_text(SCRIPT)
    write(tmp_path, "stages/own", CLOSURES.of_script(script))
    fingerprint(tmp_path, "networks/unet", DICE)
    return tmp_path


def write(
    project: Path, name: str, closure: Closure, names: Sequence[str] = (), **files: str
) -> None:
    file = project / f"fingerprints/{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = closure.content() | {"from": names, "packages": {}}
    content["files"] |= files
    file.write_text(json.dumps(content))


def fingerprint(project: Path, name: str, names: list[str], **files: str) -> None:
    write(project, name, CLOSURES.of_names(names), names, **files)


def run(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # The code beside this test, whichever is installed.
    path = {"PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    return subprocess.run(
        [sys.executable, "stages/own.py", *arguments],
        cwd=project, env=path | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_code_within_the_fingerprints_is_fine(project: Path) -> None:
    done = run(project, "unet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digest ")


def test_initial_weights_are_those_of_the_fingerprint(project: Path) -> None:
    file = project / "weights/start.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()[:16]
    fingerprint(project, "networks/unet", DICE, **{"weights/start.safetensors": digest})
    done = run(project, "unet")
    assert done.returncode == 0, done.stderr
    file.write_bytes(b"two")
    assert "weights/start.safetensors changed since" in run(project, "unet").stderr
    file.unlink()
    assert "weights/start.safetensors changed since" in run(project, "unet").stderr
    file.write_bytes(b"one")
    assert run(project, "unet").returncode == 0


def test_code_beyond_the_fingerprints_is_an_error(project: Path) -> None:
    fingerprint(project, "networks/unet", [])
    done = run(project, "unet", DVC_STAGE="own")
    assert done.returncode == 1
    assert "rarelens.components, rarelens.components.dice ran but is not in the" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / ".rarelens/seconds").exists()


def test_the_digest_follows_every_fingerprint_of_the_stage(project: Path) -> None:
    before = run(project, "unet").stdout
    assert run(project, "unet").stdout == before
    fingerprint(project, "adjustments/threshold", ["rarelens.studies.cells.Cell"])
    assert run(project, "unet").stdout == before
    assert run(project, "unet", "threshold").stdout != before
    fingerprint(project, "networks/unet", [*DICE, "rarelens.studies.models.storage.load_network"])
    assert run(project, "unet").stdout != before


def test_a_missing_fingerprint_is_told(project: Path) -> None:
    done = run(project, "other")
    assert done.returncode == 1
    assert (
        "fingerprints/networks/other.json: no such file; run `dvc repro fingerprint`" in done.stderr
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"packages": {}}', '{"code": {"rarelens.x.f": "0"}}'])
def test_a_broken_fingerprint_is_told_before_anything_runs(project: Path, text: str) -> None:
    (project / "fingerprints/networks/unet.json").write_text(text)
    done = run(project, "unet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: fingerprints/networks/unet.json: not as stage")
    assert "Traceback" not in done.stderr


def test_wrong_arguments_are_told_with_those_that_there_are(project: Path) -> None:
    for arguments in ((), ("unet", "threshold", "more")):
        done = run(project, *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: stages/own.py: ")
        assert done.stderr.endswith("; its arguments are: network adjustment\n")


def test_weights_are_read_by_whom_the_umask_lets_and_others_are_left(project: Path) -> None:
    script = project / "stages/retrain_classification.py"
    script.write_text(TRAINING)
    write(project, "stages/retrain_classification", Closures().of_script(script))
    # safetensors itself keeps them from everybody else.
    save_file({"a": torch.zeros(1)}, project / "probe")
    assert (project / "probe").stat().st_mode & 0o777 == 0o600
    done = subprocess.run(
        [sys.executable, script, "smears", "light_cnn", "bce", "again", "1", "0"],
        cwd=project, env={"PYTHONPATH": str(Path(__file__).parents[3] / "src")}, umask=0o027,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = project / "models/classification/smears/light_cnn/bce+again/1"
    modes = [(folder / seed / "weights.safetensors").stat().st_mode & 0o777 for seed in "09"]
    assert modes == [0o640, 0o600]


def test_its_seconds_are_remembered_under_the_name_of_the_stage(project: Path) -> None:
    run(project, "unet", DVC_STAGE="studies/segmentation/dvc.yaml:train@a-b")
    (file,) = (project / ".rarelens/seconds").iterdir()
    assert file.name == "studies~segmentation~dvc.yaml:train@a-b"
    assert 0 < float(file.read_text()) < 60


def copied(project: Path) -> Path:
    """The project with code of its own, and where that is."""
    source = Path(__file__).parents[3] / "src/rarelens"
    shutil.copytree(source, project / "src/rarelens", ignore=shutil.ignore_patterns("__pycache__"))
    return project / "src"


def test_the_code_of_another_tree_is_refused(project: Path) -> None:
    own = copied(project)
    done = run(project, "unet")
    assert (done.returncode, done.stdout) == (1, "")
    installed = Path(__file__).parents[3] / "src/rarelens"
    assert done.stderr == (
        f"error: rarelens runs from {installed.resolve()}, but this project's code is "
        f"{own.resolve() / 'rarelens'}; run `pip install -e .` here, or set PYTHONPATH=src\n"
    )


def test_the_command_refuses_the_code_of_another_tree(project: Path) -> None:
    copied(project)
    for command in ("plan", "validate", "sync", "launch", "repro"):
        done = subprocess.run(
            [sys.executable, "-c", "from rarelens.pipeline.cli import main; main()", command],
            cwd=project, env={"PYTHONPATH": str(Path(__file__).parents[3] / "src")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith("error: rarelens runs from ")
        assert "Traceback" not in done.stderr


def test_a_script_runs_the_code_beside_it_whatever_is_installed(project: Path) -> None:
    copied(project)
    stages = Path(__file__).parents[3] / "stages"
    shutil.copyfile(stages / "_tree.py", project / "stages/_tree.py")
    script = project / "stages/own.py"
    script.write_text(f"import _tree\n{SCRIPT}")
    write(project, "stages/own", CLOSURES.of_script(script))
    assert run(project, "unet").returncode == 0
    # The reverse: fingerprints of one tree, and other code.
    path = project / "src/rarelens/components/dice.py"
    path.write_text(path.read_text().replace("return ", "return 3 * ", 1))
    done = run(project, "unet")
    assert (done.returncode, done.stdout) == (1, "")
    assert "rarelens.components.dice.mean_dice changed since stage fingerprint" in done.stderr


def test_code_written_while_a_stage_runs_is_refused_when_it_is_imported(project: Path) -> None:
    dice = copied(project) / "rarelens/components/dice.py"
    script = project / "stages/own.py"
    edit = "edited = lambda text: text.replace('return ', 'return 3 * ', 1)"
    body = f"import pathlib; {edit}; f = pathlib.Path({str(dice)!r})"
    script.write_text(
        "import sys; sys.path.insert(0, 'src')\n"
        + SCRIPT.replace("    import_module(", f"    {body}; f.write_text(edited(f.read_text()))\n"
                         "    import_module(")
    )  # fmt: skip
    write(project, "stages/own", CLOSURES.of_script(script))
    done = run(project, "unet")
    assert (done.returncode, done.stdout) == (1, "")
    assert "rarelens.components.dice.mean_dice changed since stage fingerprint" in done.stderr


@pytest.mark.slow
def test_a_copy_that_dvc_makes_runs_its_own_code(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "src/rarelens").mkdir(parents=True)
    (tmp_path / "src/rarelens/__init__.py").touch()
    tree = Path(__file__).parents[3] / "stages/_tree.py"
    shutil.copyfile(tree, tmp_path / "stages/_tree.py")
    (tmp_path / "stages/own.py").write_text(
        "import _tree, pathlib, rarelens\n"
        "assert pathlib.Path(rarelens.__file__).parents[2] == pathlib.Path.cwd().resolve()\n"
        "pathlib.Path('out').write_text(rarelens.__file__)\n"
    )
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  own:\n    cmd: python stages/own.py\n    deps: [src]\n    outs: [out]\n"
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    who = {f"GIT_{role}_{what}": "a@example.invalid" for role in ("AUTHOR", "COMMITTER")
           for what in ("NAME", "EMAIL")}  # fmt: skip
    # As after an editable installation elsewhere: another rarelens is on the path.
    environment = {"PATH": path, "PYTHONPATH": str(Path(__file__).parents[3] / "src"), **who}
    for command in (
        "git init -q", "dvc init -q", "git add -A", "git commit -qm state", "dvc exp run --temp",
    ):  # fmt: skip
        done = subprocess.run(
            command.split(), cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


FREED = """
import resource
import numpy as np
from rarelens.pipeline.lineage.stage import keep_freed_memory
{}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**21)  # 16 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults(), faults())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="of glibc; other systems are left as they are"
)
def test_memory_that_is_freed_is_kept() -> None:
    back, kept = (
        [int(each) for each in run_python(FREED.format(call)).split()]
        for call in ("", "keep_freed_memory()")
    )
    assert back[0] > 0
    assert back[1] > back[0] / 2
    assert kept[1] < kept[0] / 2


def run_python(text: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True
    ).stdout
