"""MLflow's database file: made whole or not at all, and what is wrong with one that fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from mlflow import MlflowClient

from rarelens.errors import RarelensError

SQLITE = "sqlite:///"


def make_database(file: Path) -> None:
    """Make the database beside its place, where there is none yet, and rename it.

    MLflow makes its tables in many steps; killed between two of them, it can never go on. One
    that was left so, without a run, is set aside.

    Raises:
        RarelensError: if the file is no database, or another program has locked it.
    """
    if file.exists():
        if not _half_made(file):
            return
        file.replace(file.with_name(f"{file.name}.unfinished"))
    for left in file.parent.glob(f".{file.name}.*.partial*"):
        left.unlink()
    # MLflow remembers the databases that it opened by their names: a new one each time.
    partial = file.with_name(f".{file.name}.{uuid4().hex}.partial")
    MlflowClient(f"{SQLITE}{partial}").search_experiments()
    partial.replace(file)


def explain(file: Path, error: Exception) -> RarelensError | None:
    """What is wrong with the database that MLflow gave this error for, if that is known."""
    said = str(error)
    if "out-of-date database schema" in said or "Can't locate revision" in said:
        return RarelensError(
            f"{file}: made by another version of MLflow; copy the file, then run `mlflow db "
            f"upgrade {SQLITE}{file}`, or move it away and run `rarelens sync`, which makes it anew"
        )
    if "database is locked" in said:
        return RarelensError(
            f"{file}: another program has locked MLflow's database; end it, then run `rarelens "
            "sync`"
        )
    if "malformed" in said or "not a database" in said:
        return RarelensError(
            f"{file}: damaged, or no database; move it away and run `rarelens sync`, which makes "
            "it anew from the models and measures"
        )
    return None


def _half_made(file: Path) -> bool:
    """Whether MLflow never came to the end of making it: no experiment is in it.

    The default experiment is the last that MLflow makes.
    """
    try:
        with closing(sqlite3.connect(file.absolute().as_uri() + "?mode=rw", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if "experiments" not in tables:
                return tables <= {"alembic_version"} or "runs" in tables
            return database.execute("SELECT 1 FROM experiments LIMIT 1").fetchone() is None
    except sqlite3.Error as error:
        if known := explain(file, error):
            raise known from error
        raise
