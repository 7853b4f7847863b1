"""Where the files of a dataset lie within ``data/raw/<dataset>``: simulated ones by themselves.

Simulated data fill a folder of their own, ``data/raw/<dataset>/simulated``, which DVC may clear
and restore as it pleases; whatever else stands in ``data/raw/<dataset>`` is the user's.
"""

from __future__ import annotations

from pathlib import Path

from rarelens.errors import RarelensError

SIMULATED = "simulated"


def data_folder(raw: Path) -> Path:
    """The folder with a dataset's files: ``raw`` itself, or its ``simulated`` if there is one.

    Raises:
        RarelensError: if both are there, so that it is open which data are meant.
    """
    folder = raw / SIMULATED
    if not folder.is_dir():
        return raw
    others = users_own(raw)
    if others:
        raise RarelensError(
            f"{raw}: simulated data (in {SIMULATED}) stand beside other files "
            f"({', '.join(others)}); move the one or the other away"
        )
    return folder


def users_own(raw: Path) -> list[str]:
    """Names in a dataset's folder that are not of the simulation; hidden ones do not count."""
    names = sorted(entry.name for entry in raw.iterdir())
    own = [name for name in names if name != SIMULATED and not name.startswith(".")]
    return own if len(own) <= 3 else [*own[:3], "…"]
