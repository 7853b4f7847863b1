"""Try every bad input in a process of its own, and count: ``python tests/refusals/tried.py``.

Of each: one clear sentence, a refusal in other words (acceptable), or bad: a traceback, nothing
said, more than `SECONDS` or more than `MEMORY`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rarelens.errors import RarelensError
from refusals.bad import BAD, Bad

SECONDS = 60  # Of which most is imports; a cold disk takes its time.
MEMORY = 3 * 2**30
LONGEST = 1000


def load() -> list[Bad]:
    """All of them; what takes seconds to import is imported here, and not in each process."""
    import captum.attr  # noqa: F401
    import monai.inferers
    import monai.losses
    import monai.networks.nets  # noqa: F401
    import torch._dynamo  # noqa: F401

    import refusals.of_parameters
    import refusals.of_pictures
    import refusals.of_predictions
    import refusals.of_project
    import refusals.of_volumes  # noqa: F401

    return BAD


def outcome(each: Bad) -> str:
    """How an input is met."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            each.run(Path(folder))
        except RarelensError as error:
            clear = all(0 < len(p) <= 6000 and "\n" not in p for p in error.problems)
            said = any(each.says in problem for problem in error.problems)
            return "one clear sentence" if clear and said else f"acceptable: {error}"
        except BaseException as error:
            return f"bad: {type(error).__name__}: {error}"
        return "bad: nothing is said"


def apart(each: Bad) -> str:
    """The same in a process of its own, which takes neither all memory nor all time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            signal.alarm(SECONDS)
            said = outcome(each)
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if most > MEMORY:
                said = f"bad: {most / 2**30:.1f} GiB"
            os.write(writing, said.encode("utf-8", "replace")[:LONGEST])
        os._exit(0)
    os.close(writing)
    said = b""
    while part := os.read(reading, LONGEST):
        said += part
    os.close(reading)
    status = os.waitpid(child, 0)[1]
    return said.decode() or f"bad: ended by signal {os.WTERMSIG(status)}"


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for each in load():
        said = apart(each)
        counts[said.partition(":")[0]] += 1
        if said != "one clear sentence":
            print(f"{each.area}: {each.given}: {' '.join(said.split())[:160]}")
    print(f"tried {counts.total()}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
