"""The real project as if DVC had run it: its stages, parameters and code, outputs of one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from rarelens.pipeline.lineage.plan.predictors import predictors
from rarelens.pipeline.lineage.plan.project import Project
from rarelens.pipeline.parameters.reading import read_yaml

ROOT = Path(__file__).parents[4]
FILES = ("dvc.yaml", "requirements.lock", ".dvcignore", ".gitignore")
FOLDERS = ("stages", "studies", "src", "weights")


def fake(folder: Path) -> None:
    """Make the project in ``folder`` of one seed, put made-up outputs into its cache and locks.

    The folder must be the working directory, for DVC commits outputs only there.
    """
    # Fewer cells of the same kinds.
    parameters = (ROOT / "params.yaml").read_text().replace("    - 1\n    - 2\n", "")
    (folder / "params.yaml").write_text(parameters)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("dvc.lock", "__pycache__", "*.egg-info")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run([Path(sys.executable).with_name("dvc"), "init", "--quiet"], check=True)
    told = _foretold(folder)
    files = {}
    project = Project(folder)
    with project.repo.lock:
        for stage in project.stages:
            for out in stage.outs:
                _write(folder, out.def_path, told)
            stage.save(run_cache=False)
            stage.commit()
            files.setdefault(stage.path, []).append(stage)
        for stages in files.values():
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)


def _foretold(folder: Path) -> dict[str, bytes]:
    parameters = read_yaml(folder / "params.yaml")
    own = predictors(folder)
    cells = [own["cells"](task, parameters).files for task in ("segmentation", "classification")]
    return {**own["fingerprint"]("", parameters).files, **cells[0], **cells[1]}


def _write(folder: Path, output: str, foretold: dict[str, bytes]) -> None:
    """Write what was foretold of an output, or a line."""
    file = output if Path(output).suffix else f"{output}/x"
    within = {
        path: content
        for path, content in foretold.items()
        if path == output or path.startswith(f"{output}/")
    }
    for path, content in (within or {file: output.encode()}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
