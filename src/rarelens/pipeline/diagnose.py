"""The commands ``rarelens diagnose …``; no params.yaml, no DVC is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rarelens.studies.diagnosis.nnunet import Found

app = typer.Typer(
    help="Why does a class fail? From predictions that you have, without training anything.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Labels = Annotated[Path, typer.Option(help="Dataset's folder with labelsTr, or folder of labels")]
Output = Annotated[Path, typer.Option(help="Folder for the page, diagnosis.json and CSV tables")]
Rare = Annotated[
    list[str] | None,
    typer.Option(help="A rare class, by name or label; repeat it [default: below 5 % of voxels]"),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes, each with one case in memory")]
Patients = Annotated[
    str | None,
    typer.Option(help=r"Regular expression whose bracket finds the patient: '^(patient\d+)_'"),
]
Axes = Annotated[
    str | None, typer.Option(help="xyz or zyx, of arrays whose shape fits the labels both ways")
]


@app.command()
def nnunet(
    folds: Annotated[list[Path], typer.Argument(help="fold_0, several folds, or their folder")],
    labels: Labels,
    train_predictions: Annotated[
        list[Path] | None,
        typer.Option(help="Predictions of the fold's training cases; one a fold, in order"),
    ] = None,
    splits: Annotated[
        Path | None, typer.Option(help="splits_final.json [default: looked for]")
    ] = None,
    rare: Rare = None,
    patients: Patients = None,
    output: Output = Path("diagnosis"),
    jobs: Jobs = 1,
) -> None:
    """Diagnose folds of nnU-Net (2 or 1) from the probabilities of its own validation."""
    from rarelens.studies.diagnosis.nnunet import find_cases

    _diagnose(
        find_cases(folds, labels, train_predictions or (), splits, patients), rare, output, jobs
    )


@app.command()
def files(
    test: Annotated[Path, typer.Option(help="Folder with predictions of unseen cases")],
    labels: Labels,
    train: Annotated[
        Path | None, typer.Option(help="Folder with predictions of the training cases")
    ] = None,
    classes: Annotated[
        str, typer.Option(help="Names, the background first: background,lesion")
    ] = "",
    ignore: Annotated[
        int | None, typer.Option(help="Label value of voxels that do not count")
    ] = None,
    axes: Axes = None,
    rare: Rare = None,
    patients: Patients = None,
    output: Output = Path("diagnosis"),
    jobs: Jobs = 1,
) -> None:
    """Diagnose any network: probabilities or logits as NIfTI, npz, npy, HDF5; or label maps."""
    from rarelens.studies.diagnosis.files import find_files

    names = [name.strip() for name in classes.split(",") if name.strip()]
    _diagnose(find_files(test, labels, train, names, ignore, axes, patients), rare, output, jobs)


@app.command()
def apply(
    diagnosis: Annotated[Path, typer.Argument(help="Folder of a diagnosis")],
    predictions: Annotated[Path, typer.Argument(help="Folder with scores, as of nnU-Net")],
    output: Annotated[Path, typer.Option(help="Folder for the label maps")] = Path("with_offsets"),
    classes: Annotated[
        list[str] | None,
        typer.Option(help="A class whose offset is applied; repeat it [default: those that gain]"),
    ] = None,
    grids: Annotated[
        Path | None,
        typer.Option(help="Folder with an image or label map of each case, if none is beside"),
    ] = None,
    axes: Axes = None,
) -> None:
    """Write label maps with the offsets that a diagnosis has fitted."""
    from rarelens.studies.diagnosis.apply import apply_offsets

    applied = apply_offsets(
        diagnosis, predictions, output, classes or (), grids, axes, written=typer.echo
    )
    for name, value in applied.items():
        typer.echo(f"{name}: {value:+.2f} on its logit")


def _diagnose(found: Found, rare: list[str] | None, output: Path, jobs: int) -> None:
    from rarelens.studies.diagnosis.command import diagnose

    for sentence in diagnose(found, rare, output, jobs):
        typer.echo(sentence)
