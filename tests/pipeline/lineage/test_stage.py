"""A stage script answers for the code that it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from rarelens.pipeline.lineage.stage import stage

@stage("networks/{network}", "adjustments/{adjustment}")
def main(network: str, adjustment: str = "", *, code: str) -> None:
    import rarelens.components.dice
    print("digest", code)

main(*sys.argv[1:])
"""
BASE = ["rarelens.errors", "rarelens.pipeline", "rarelens.studies", "rarelens.studies.files"]
DICE = ["rarelens.components", "rarelens.components.dice"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/own.py").write_text(SCRIPT)
    fingerprint(tmp_path, "stages/own", BASE)
    fingerprint(tmp_path, "networks/unet", DICE)
    return tmp_path


def fingerprint(project: Path, name: str, modules: list[str]) -> None:
    file = project / f"fingerprints/{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"code": dict.fromkeys(modules, "0"), "packages": {}}))


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


def test_code_beyond_the_fingerprints_is_an_error(project: Path) -> None:
    fingerprint(project, "networks/unet", DICE[:1])
    done = run(project, "unet", DVC_STAGE="own")
    assert done.returncode == 1
    assert (
        "stages/own.py: rarelens.components.dice ran but is not in the stage's fingerprints"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (project / ".rarelens").exists()


def test_the_digest_follows_every_fingerprint_of_the_stage(project: Path) -> None:
    before = run(project, "unet").stdout
    assert run(project, "unet").stdout == before
    fingerprint(project, "adjustments/threshold", ["rarelens.studies.cells"])
    assert run(project, "unet").stdout == before
    assert run(project, "unet", "threshold").stdout != before
    fingerprint(project, "networks/unet", [*DICE, "rarelens.studies.models.storage"])
    assert run(project, "unet").stdout != before


def test_a_missing_fingerprint_is_told(project: Path) -> None:
    done = run(project, "other")
    assert done.returncode == 1
    assert (
        "fingerprints/networks/other.json: no such file; run `dvc repro fingerprint`" in done.stderr
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"packages": {}}'])
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


def test_its_seconds_are_remembered_under_the_name_of_the_stage(project: Path) -> None:
    run(project, "unet", DVC_STAGE="studies/segmentation/dvc.yaml:train@a-b")
    (file,) = (project / ".rarelens/seconds").iterdir()
    assert file.name == "studies~segmentation~dvc.yaml:train@a-b"
    assert 0 < float(file.read_text()) < 60
