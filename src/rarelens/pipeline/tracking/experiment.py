"""A DVC experiment that runs in a working copy of its own (``dvc exp run --temp`` or ``--queue``).

DVC removes the copy at the experiment's end, and tells its stages by environment variables what
experiment they are of (``DVC_EXP_NAME``) and where the project is that it was started from
(``DVC_ROOT``): https://dvc.org/doc/user-guide/env.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Experiment:
    """A DVC experiment, by its name, and the folder of the project that it was started from."""

    name: str
    project: Path


def own_experiment() -> Experiment | None:
    """The experiment of the working copy that this is; none where it is the project itself."""
    name, root = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_ROOT")
    if not name or not root or Path(root).resolve() == Path.cwd().resolve():
        return None
    return Experiment(name, Path(root))
