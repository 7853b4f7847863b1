"""Fuzz for so many minutes, round after round with other seeds: ``python tests/fuzz/long.py 60``.

Tells how many inputs were tried, the largest process, and of each failure its smallest input.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = "300"
"""Of each test in a round."""
TRIED = re.compile(r"(\d+) passing, (\d+) failing")


def main(minutes: float) -> int:
    end, tried, failed, rounds = time.monotonic() + 60 * minutes, 0, 0, 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    command += ["--show-capture=no", "--hypothesis-show-statistics", str(Path(__file__).parent)]
    while time.monotonic() < end:
        rounds += 1
        seed = f"--hypothesis-seed={rounds}"
        with subprocess.Popen(
            [*command, seed], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"RARELENS_FUZZ": EXAMPLES},
        ) as child:  # fmt: skip
            assert child.stdout is not None
            said = child.stdout.read()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        tried += sum(sum(map(int, found)) for found in TRIED.findall(said))
        if child.returncode:
            failed += 1
            print(said.partition("= FAILURES =")[2] or said[-3000:])
        print(f"{rounds} rounds, {tried} inputs, {failed} rounds with failures, "
              f"{used.ru_maxrss / 2**20:.1f} GiB", flush=True)  # fmt: skip
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
