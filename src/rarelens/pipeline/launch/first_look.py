"""The first picture of a launch: of the first segmentation cell that is analysed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rarelens.pipeline.launch.ledger import name_of
from rarelens.pipeline.launch.slots import LOGS
from rarelens.pipeline.lineage.plan.stages import cell_of

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

PICTURE = LOGS / "first-look.png"
LOG = LOGS / "first-look.log"
# In a process of its own: drawing takes seconds, and nothing waits for it.
DRAW = """
import sys
from pathlib import Path
from rarelens.studies.reporting.segmentation.first_look import draw
target = Path(sys.argv[2])
draw(Path(sys.argv[1])).savefig(part := target.with_suffix(".partial.png"), dpi=110)
part.rename(target)
"""


class FirstLook:
    """Draws `PICTURE` once in a launch of the project in ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._cell = ""
        (root / PICTURE).unlink(missing_ok=True)

    def ended(self, stage: PipelineStage) -> None:
        """A stage succeeded; the first analysis of a segmentation cell is drawn."""
        if self._process is not None or name_of(stage) != "analyse":
            return
        folder = Path(stage.outs[0].fs_path)
        # analyses/<task>/<dataset>/<network>/<method>/<fraction>/<seed>
        if folder.parts[-7:-5] != ("analyses", "segmentation"):
            return
        self._cell = cell_of(stage)
        with (self._root / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DRAW, str(folder), str(self._root / PICTURE)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def news(self) -> str | None:
        """Where the picture is, once, when it is there; a launch goes on without one."""
        if self._process is None or not self._cell or self._process.poll() is None:
            return None
        cell, self._cell = self._cell, ""
        if self._process.returncode:
            return f"no first picture of {cell}: {LOG}"
        return f"first picture: {PICTURE} ({cell})"

    def last(self, seconds: float = 10) -> str | None:
        """As `news`, when nothing else runs any more."""
        if self._process is not None and self._cell:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        return self.news()

    def stop(self) -> None:
        """Leave off drawing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
