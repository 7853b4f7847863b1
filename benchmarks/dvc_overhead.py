"""DVC's own overhead at many cells: one dvc.yaml against one per study, on the same stages.

Prints a Markdown table. Each variant is a repository of its own with this project's stages, whose
commands only write a few bytes, run by ``dvc repro`` from scratch and once more with nothing to do:
``python benchmarks/dvc_overhead.py --seeds 10`` (100 cells). ``--plan`` also times
``rarelens plan`` in the repository with one file per study.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
BINARIES = Path(sys.executable).parent
# Writes its outputs, given after "--", with its arguments as their content.
WRITE = """
while [ "$1" != "--" ]; do said="$said $1"; shift; done; shift
for out in "$@"; do
  case "$out" in
    *.csv|*.json) mkdir -p "$(dirname "$out")"; echo "$said" > "$out";;
    *) mkdir -p "$out"; echo "$said" > "$out/a"; echo "$said" > "$out/b";;
  esac
done
"""
# As stages/cells.py, but for the checks.
CELLS = """
import sys
from pathlib import Path
from rarelens.studies.cells import cells_of, write_cells, write_settings
from rarelens.pipeline.parameters.reading import FILE, read_yaml
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.files import write_text
task = sys.argv[1]
write_cells(Path(f"cells/{task}/cells.csv"), cells_of(task, getattr(read_parameters().study, task)))
write_settings(Path(f"cells/{task}/settings.json"), read_yaml(FILE), task)
write_text(Path(f"cells/{task}/checked"), "The study was checked before any training.\\n")
"""


def build(folder: Path, seeds: int, one_file: bool) -> None:
    """A repository with the project's graph at ``seeds`` seeds; nothing has run yet."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "stages", "weights"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("requirements.lock", ".dvcignore", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)
    text = (ROOT / "params.yaml").read_text()
    wanted = str(list(range(seeds)))
    (folder / "params.yaml").write_text(re.sub(r"(seeds:)(\n    - \d+)+", rf"\g<1> {wanted}", text))
    (folder / "write.sh").write_text(WRITE)
    (folder / "write_cells.py").write_text(CELLS)
    files = {"": _trivial(ROOT / "dvc.yaml")}
    for file in sorted(ROOT.glob("studies/*/dvc.yaml")):
        own = _trivial(file)
        if one_file:
            renamed = {f"{name}_{file.parent.name}": stage for name, stage in own.items()}
            files[""] |= {name: _without(stage, "wdir") for name, stage in renamed.items()}
        else:
            files[f"studies/{file.parent.name}"] = own
    for where, stages in files.items():
        head = {"vars": ["../../params.yaml"]} if where else {}
        (folder / where).mkdir(parents=True, exist_ok=True)
        with (folder / where / "dvc.yaml").open("w") as stream:
            YAML().dump(head | {"stages": stages}, stream)
    for command in ("git init -q", "dvc init -q", "dvc config cache.type reflink,hardlink,copy"):
        run(folder, *command.split())


def _trivial(file: Path) -> dict[str, Any]:
    """The stages of a file; all but the fingerprints are written by commands of no cost."""
    stages: dict[str, Any] = YAML(typ="safe").load(file.read_text())["stages"]
    for name, stage in stages.items():
        if name == "cells":
            stage["cmd"] = "python write_cells.py ${item.task}"
        elif name != "fingerprint":
            outs = [*stage.get("outs", []), *stage.get("metrics", [])]
            names = [out if isinstance(out, str) else next(iter(out)) for out in outs]
            stage["cmd"] = " ".join([stage["cmd"].replace("python", "sh write.sh"), "--", *names])
    return stages


def _without(stage: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in stage.items() if name != key}


def run(folder: Path, *command: str) -> tuple[float, str]:
    """Seconds, and what was printed."""
    environment = {"PATH": f"{BINARIES}:/usr/bin:/bin", "PYTHONPATH": str(folder / "src")}
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds, done.stdout


def main() -> None:
    """Build, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="ten times as many cells")
    parser.add_argument("--plan", action="store_true", help="also time `rarelens plan`")
    parser.add_argument("--only", choices=["one", "study"], help="one of the variants")
    options = parser.parse_args()
    variants = {"one": True, "study": False}
    print(
        "| dvc.yaml | stages | from scratch, s a stage | nothing to do, s | rarelens repro | plan |"
    )
    print("|---|---|---|---|---|---|")
    for name, one_file in variants.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch) / "project"
                build(folder, options.seeds, one_file)
                seconds, said = run(folder, "dvc", "repro")
                stages = said.count("Running stage")
                nothing = min(run(folder, "dvc", "repro")[0] for _ in range(2))
                ours = min(run(folder, "rarelens", "repro")[0] for _ in range(2))
                plan = "–"
                if options.plan and not one_file:
                    plan = f"{min(run(folder, 'rarelens', 'plan')[0] for _ in range(2)):.1f}"
            print(
                f"| {name} | {stages} | {seconds / stages:.2f} | {nothing:.1f} "
                f"| {ours:.1f} | {plan} |"
            )


if __name__ == "__main__":
    main()
