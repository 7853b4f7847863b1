"""What `simulate` may replace: the folder ``simulated`` of a dataset, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.studies.data.raw import SIMULATED, users_own
from rarelens.studies.files import refuse_link, whole_folder

GENERATOR = "rarelens simulate"


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
    own = users_own(raw) if raw.exists() else []
    if own:
        raise RarelensError(
            f"{raw}: data of your own ({', '.join(own)}) stand where a simulated dataset would be "
            "written; move them away, or name another dataset in study.simulated"
        )
