"""What is said when MLflow fails: a warning, for no result depends on it."""

from __future__ import annotations

import sys

from rarelens.errors import RarelensError


def warn_unlogged(error: Exception) -> None:
    """Say on standard error that something was not logged, why, and how to mend it."""
    if isinstance(error, RarelensError):
        for problem in error.problems:
            print(f"warning: MLflow is not up to date: {problem}", file=sys.stderr)
        return
    reason = " ".join(str(error).split())[:200]
    print(
        f"warning: MLflow does not answer, so not everything is logged (`rarelens sync` adds it "
        f"later): {reason}",
        file=sys.stderr,
    )
