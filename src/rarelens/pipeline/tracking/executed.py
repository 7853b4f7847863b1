"""Which trainings ran on this machine: a local marker each, for DVC may restore them instead.

The markers are no outputs: git and DVC ignore them, and they outlive MLflow's database.
"""

from __future__ import annotations

from pathlib import Path

from rarelens.studies.files import write_text

FOLDER = Path(".rarelens/executed")


def mark_executed(identity: str) -> None:
    """Note that the training with this identity ran here to its end."""
    write_text(FOLDER / identity, "")


def was_executed(identity: str) -> bool:
    """Whether the training with this identity ran here to its end."""
    return (FOLDER / identity).is_file()
