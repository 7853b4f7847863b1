"""How much of two places' time ``rarelens launch`` uses, on stages that only sleep.

Prints the seconds that the sleeps take, shared evenly, over those of the whole launch, its own
start among them: ``python benchmarks/launch_efficiency.py --stages 40 --seconds 5 --jobs 2``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from dvc_overhead import run

PIPELINE = """
stages:
  nap:
    matrix: {{n: [{numbers}]}}
    cmd: sleep {seconds} && echo ${{item.n}} > ${{item.n}}
    deps: [given]
    outs: ['${{item.n}}']
"""


def main() -> None:
    """Build, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stages", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        numbers = ", ".join(f"n{number}" for number in range(options.stages))
        text = PIPELINE.format(numbers=numbers, seconds=options.seconds)
        (folder / "dvc.yaml").write_text(text)
        (folder / "given").write_text("x\n")
        for command in ("git init -q", "dvc init -q"):
            run(folder, *command.split())
        taken, _ = run(folder, "rarelens", "launch", "--jobs", str(options.jobs))
        assert len(list(folder.glob("n*"))) == options.stages
    slept = options.stages * options.seconds / options.jobs
    print(f"{slept:.0f} of {taken:.1f} s: {slept / taken:.0%}")


if __name__ == "__main__":
    main()
