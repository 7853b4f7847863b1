"""A dataset's folder, ``data/raw/<dataset>``: what in it is simulated, and what is the user's.

Simulated data fill a folder of their own, ``data/raw/<dataset>/simulated``, which DVC may clear
and restore as it pleases; whatever else stands in ``data/raw/<dataset>`` is the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.files import refuse_link, whole_folder

SIMULATED = "simulated"
GENERATOR = "rarelens simulate"


def data_folder(raw: Path) -> Path:
    """The folder with a dataset's files: ``raw`` itself, or its ``simulated`` if there is one.

    Raises:
        RarelensError: if both are there, so that it is open which data are meant.
    """
    folder = raw / SIMULATED
    if not folder.is_dir():
        return raw
    others = _users_own(raw)
    if others:
        raise RarelensError(
            f"{raw}: simulated data (in {SIMULATED}) stand beside other files "
            f"({', '.join(others)}); move the one or the other away"
        )
    return folder


@contextmanager
def simulated_folder(raw: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces ``raw/simulated`` when the block ends well.

    Raises:
        RarelensError: as `refuse_foreign`; nothing is touched then.
    """
    refuse_foreign(raw)
    with whole_folder(raw / SIMULATED) as folder:
        yield folder


def refuse_foreign(raw: Path) -> None:
    """Refuse to simulate where a user's own data stand.

    Args:
        raw: the dataset's folder, ``data/raw/<dataset>``; it need not exist.

    Raises:
        RarelensError: if ``raw``, or ``simulated`` in it, is a link or a file, or if ``raw``
            holds anything else.
    """
    for folder in (raw, raw / SIMULATED):
        refuse_link(folder)
        if folder.exists() and not folder.is_dir():
            raise RarelensError(
                f"{folder}: a file stands where simulated data would be written; move it away"
            )
    own = _users_own(raw) if raw.exists() else []
    if own:
        raise RarelensError(
            f"{raw}: data of your own ({', '.join(own)}) stand where a simulated dataset would be "
            "written; move them away, or name another dataset in study.simulated"
        )


def _users_own(raw: Path) -> list[str]:
    """Names in a dataset's folder that are not of the simulation; hidden ones do not count."""
    names = sorted(entry.name for entry in raw.iterdir())
    own = [name for name in names if name != SIMULATED and not name.startswith(".")]
    return own if len(own) <= 3 else [*own[:3], "…"]
