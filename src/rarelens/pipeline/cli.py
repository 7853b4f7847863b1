"""The command ``rarelens``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarelens.errors import guarded

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
def sync() -> None:
    """Bring MLflow up to date: one run for each cell that is in the study and in DVC's lock."""
    from rarelens.pipeline.parameters.whole import read_parameters
    from rarelens.pipeline.tracking.mirror import sync_and_report
    from rarelens.studies.cells import cells_of

    study = read_parameters().study
    cells = cells_of("segmentation", study.segmentation)
    typer.echo(sync_and_report(cells + cells_of("classification", study.classification)))


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


@guarded
def main() -> None:
    """Run the command line."""
    app()
