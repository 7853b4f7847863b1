"""What ``rarelens launch``, ``rarelens repro`` and ``dvc repro`` cost a stage, by number of cells.

A study of stages that only write a few bytes (`dvc_overhead.build`) is launched from scratch, one
stage at a time; then either ``repro`` is made to run a few of its stages again, whose entries it
writes into the locks of all. The difference between twelve of them and two is what ten cost. From
scratch `dvc repro` meets, on average, half of these locks: ``--scratch`` runs that too.

``python benchmarks/launch_overhead.py --seeds 10 30 100``: 100, 300 and 1000 cells.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from dvc_overhead import build, run
from ruamel.yaml import YAML

FEW, MANY = 2, 12
FILE = "studies/segmentation/dvc.yaml"


def launched(folder: Path) -> tuple[int, float]:
    """Stages, and seconds each, from scratch."""
    seconds, _ = run(folder, "rarelens", "launch", "--jobs", "1")
    stages = sum(len(_entries(lock)) for lock in folder.rglob("dvc.lock"))
    return stages, seconds / stages


def again(folder: Path, command: str) -> float:
    """Seconds a stage of this command's ``repro`` in locks that are full."""
    names = [
        name for name in _entries(folder / Path(FILE).with_suffix(".lock")) if "train@" in name
    ]
    taken = []
    for count in (FEW, MANY):
        targets = [f"{FILE}:{name}" for name in names[-count:]]
        seconds, said = run(folder, command, "repro", "--force", "--single-item", *targets)
        assert said.count("Running stage") == count, said
        taken.append(seconds)
    return (taken[1] - taken[0]) / (MANY - FEW)


def _entries(lock: Path) -> list[str]:
    return list(YAML(typ="safe").load(lock.read_text())["stages"])


def main() -> None:
    """Build, run, print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[10], help="ten times as many cells"
    )
    parser.add_argument("--scratch", action="store_true", help="also `dvc repro` from scratch")
    options = parser.parse_args()
    print(
        "| cells | stages | launch, s a stage | rarelens repro in full locks "
        "| dvc repro in full locks | dvc repro from scratch |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    for seeds in options.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "launched"
            build(folder, seeds, one_file=False)
            stages, ours = launched(folder)
            theirs, faster, whole = again(folder, "dvc"), again(folder, "rarelens"), "–"
            if options.scratch:
                other = Path(scratch) / "serial"
                build(other, seeds, one_file=False)
                whole = f"{run(other, 'dvc', 'repro')[0] / stages:.2f}"
        print(
            f"| {10 * seeds} | {stages} | {ours:.2f} | {faster:.2f} | {theirs:.2f} | {whole} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
