"""The command ``rarelens``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarelens.errors import RarelensError, guarded

app = typer.Typer(
    help="See what class imbalance does to a network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def validate() -> None:
    """Check params.yaml and the data of the study, and say what the study will need."""
    from rarelens.pipeline.checks.validate import validate_study

    typer.echo(validate_study())


@app.command()
def plan(
    json: Annotated[bool, typer.Option("--json", help="For programs: as JSON")] = False,
) -> None:
    """Say which stages a `dvc repro` may run now, why, and about how long it will take."""
    from rarelens.pipeline.lineage.plan import make_plan
    from rarelens.pipeline.lineage.plan.report import as_json, as_text
    from rarelens.pipeline.parameters.whole import read_parameters

    read_parameters()
    found = make_plan(Path.cwd())
    typer.echo(as_json(found) if json else as_text(found))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A folder models/segmentation/…")],
    images: Annotated[list[Path], typer.Argument(help="NIfTI files, or folders of them")],
    output: Annotated[Path, typer.Option(help="Folder for the label maps")] = Path("predictions"),
) -> None:
    """Write label maps for new, unlabelled images."""
    from rarelens.pipeline.parameters.reading import Scope
    from rarelens.studies.models.segmentation.prediction import predict as predict_images
    from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

    settings = Scope(["extract.segmentation"]).get("extract.segmentation", ExtractSegmentation)
    for file in predict_images(model, images, output, settings):
        typer.echo(file)


@app.command()
def sync() -> None:
    """Bring MLflow up to date: one run for each cell that stands in the study and the lock."""
    from rarelens.pipeline.parameters.whole import read_parameters
    from rarelens.pipeline.tracking.mirror import sync as sync_cells
    from rarelens.studies.cells import cells_of

    study = read_parameters().study
    cells = [
        *cells_of("segmentation", study.segmentation),
        *cells_of("classification", study.classification),
    ]
    try:
        done = sync_cells(cells)
    except RarelensError:
        raise
    # A server, a database and a network fail in as many ways.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RarelensError(
            f"MLflow is not up to date ({reason}); see that its server runs and that "
            "MLFLOW_TRACKING_URI is right, then run `rarelens sync` again"
        ) from error
    typer.echo(f"MLflow: {done.current} runs of this study, {done.stale} others marked as stale")
    if done.absent:
        are = "cell is" if done.absent == 1 else "cells are"
        typer.echo(f"{done.absent} {are} not on disk: run `dvc repro`, then `rarelens sync`")


@guarded
def main() -> None:
    """Run the command line."""
    app()
