"""The command ``rarelens``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rarelens.errors import guarded, warn
from rarelens.pipeline import diagnose

BEFORE, STUDY, AFTER = "Your own predictions", "A study", "Its models, and other tools"
ORDER = (
    "diagnose",
    "validate",
    "plan",
    "launch",
    "ray",
    "away",
    "there",
    "repro",
    "sync",
    "predict",
    "nnunet",
)


class _Commands(TyperGroup):
    """Commands in people's order; Ctrl-C ends one as it ends a stage, where typer exits with 1."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of `ORDER`; a group stands behind all commands otherwise."""
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def invoke(self, ctx: Any) -> Any:
        """As `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted; run the command again to go on", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    help="See what class imbalance does to a network.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(diagnose.app, name="diagnose", rich_help_panel=BEFORE)


@app.command(rich_help_panel=STUDY)
def validate() -> None:
    """Check params.yaml and the data, and say what the study will need.

    Warns of damaged objects in DVC's cache.
    """
    from rich.console import Console

    # Half a minute may pass; into a file nothing of it goes.
    with Console(stderr=True).status("checking parameters, code and data"):
        from rarelens.pipeline.checks.cache import damaged_objects
        from rarelens.pipeline.checks.validate import validate_study
        from rarelens.pipeline.lineage.tree import check_source

        check_source(Path.cwd())
        warn(damaged_objects())
        found = validate_study()
    typer.echo(found)


@app.command(rich_help_panel=STUDY)
def plan(
    json: Annotated[bool, typer.Option("--json", help="For programs: as JSON")] = False,
) -> None:
    """Say what a `dvc repro` may run now, why, and for how long."""
    from rarelens.pipeline.lineage.plan import make_plan
    from rarelens.pipeline.lineage.plan.report import as_json, as_text
    from rarelens.pipeline.lineage.tree import check_source
    from rarelens.pipeline.parameters.whole import read_parameters

    check_source(Path.cwd())
    read_parameters()
    found = make_plan(Path.cwd())
    typer.echo(as_json(found) if json else as_text(found))


@app.command(rich_help_panel=STUDY)
def launch(
    targets: Annotated[list[str] | None, typer.Argument(help="As of `dvc repro`")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at once")] = 2,
    through: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[STAGE=]COMMAND",
            help="Run stages, or those of one name, through this command: 'srun', "
            "'train=srun --gres=gpu:1'; as often as needed",
        ),
    ] = None,
    retries: Annotated[int, typer.Option(min=0, help="Tries more for a stage that fails")] = 0,
) -> None:
    """Run it: as `dvc repro`, several stages at once, here or on a cluster."""
    from rarelens.pipeline.launch.launch import launch as launch_stages
    from rarelens.pipeline.lineage.tree import check_source

    check_source(Path.cwd())
    commands = {}
    for each in through or ():
        stage, command = re.findall(r"^(?:(\w+)=)?(.*)", each, re.DOTALL)[0]
        if words := shlex.split(command):
            commands[stage] = words
    launch_stages(Path.cwd(), jobs, targets or (), commands, retries)


@app.command(
    context_settings={"allow_interspersed_args": False},
    rich_help_panel=STUDY,
)
def ray(
    command: Annotated[list[str], typer.Argument(help="And its arguments")],
    address: Annotated[str, typer.Option(envvar="RAY_ADDRESS", help="Of the cluster")] = "auto",
    gpus: Annotated[float, typer.Option(min=0, help="For the command alone")] = 0,
    cpus: Annotated[float, typer.Option(min=0, help="Counted as the command's")] = 1,
    memory: Annotated[float, typer.Option(min=0, help="GiB, counted as the command's")] = 0,
) -> None:
    """Run a command on a Ray cluster: `launch --through 'rarelens ray --gpus 1'`."""
    from rarelens.pipeline.launch.on_ray import run_on_ray

    raise typer.Exit(run_on_ray(command, address, gpus, cpus, memory))


@app.command(
    context_settings={"allow_interspersed_args": False},
    rich_help_panel=STUDY,
)
def away(
    remote: Annotated[str, typer.Argument(help="Of DVC, that both machines reach")],
    command: Annotated[list[str], typer.Argument(help="That runs a command there: ssh gpu1")],
    git: Annotated[str, typer.Option(help="Where the code is fetched from; else `origin`")] = "",
    scratch: Annotated[
        str, typer.Option(help="Folder of the clones there")
    ] = "~/.cache/rarelens/away",
) -> None:
    """Run a stage on a machine that shares no folder: `launch --through 'away s3 ssh gpu1'`."""
    from rarelens.pipeline.launch.away import send

    send(remote, command, git, scratch)


@app.command(hidden=True)
def there(order: Annotated[str, typer.Argument(help="As `away` writes it")]) -> None:
    """What `away` runs on the other machine."""
    from rarelens.pipeline.launch.there import carry_out

    carry_out(order)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    rich_help_panel=STUDY,
)
def repro(context: typer.Context) -> None:
    """Run it one stage at a time: `dvc repro` with its options, faster."""
    from rarelens.pipeline.lineage.repro import repro as run
    from rarelens.pipeline.lineage.tree import check_source

    check_source(Path.cwd())
    raise typer.Exit(run(context.args))


@app.command(rich_help_panel=STUDY)
def sync() -> None:
    """Bring MLflow up to date: a run for each trained model of the study."""
    from rarelens.pipeline.lineage.tree import check_source
    from rarelens.pipeline.parameters.whole import read_parameters
    from rarelens.pipeline.tracking.mirror import sync_and_report
    from rarelens.studies.cells import cells_of

    check_source(Path.cwd())
    study = read_parameters().study
    cells = cells_of("segmentation", study.segmentation)
    typer.echo(sync_and_report(cells + cells_of("classification", study.classification)))


@app.command(rich_help_panel=AFTER)
def predict(
    model: Annotated[Path, typer.Argument(help="A model's folder; params.yaml is not needed")],
    images: Annotated[list[Path], typer.Argument(help="Image files (NIfTI), or folders of them")],
    output: Annotated[Path, typer.Option(help="Folder for what is written")] = Path("predictions"),
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities beside label maps")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over what is there")
    ] = False,
    overlap: Annotated[
        float, typer.Option(min=0, max=0.95, help="Share of a window that the next covers again")
    ] = 0.25,
    window_batch: Annotated[int, typer.Option(min=1, help="Windows computed at once")] = 4,
) -> None:
    """Predict new images: label maps, or a table of probabilities."""
    from rarelens.studies.models.prediction import predict as predict_images

    written: list[Path] = []
    try:
        predict_images(
            model,
            images,
            output,
            probabilities=probabilities,
            overwrite=overwrite,
            overlap=overlap,
            window_batch=window_batch,
            bar=True,
            written=written.append,
        )
    finally:
        for file in written:
            typer.echo(file)


nnunet = typer.Typer(help="Where the trainers for nnU-Net are.", no_args_is_help=True)
app.add_typer(nnunet, name="nnunet", rich_help_panel=AFTER)


@nnunet.callback()
def _nnunet() -> None:
    """Keep `path` a subcommand, though it is the only one."""


@nnunet.command("path")
def nnunet_path() -> None:
    """Print the folder of the trainers: nnUNet_extTrainer=$(rarelens nnunet path)."""
    from rarelens.nnunet import PATH

    typer.echo(PATH)


@guarded
def main() -> None:
    """Run the command line."""
    app()
