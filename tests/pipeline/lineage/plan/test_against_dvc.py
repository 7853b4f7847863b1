"""What plan says is what `dvc repro` then does: changes of every kind, in a real DVC project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.lineage.plan.small_project import SmallProject, named, print_of, reasons
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.plan.evaluation import Fate, Verdict

STUDY = "studies/segmentation/dvc.yaml"
CELLS = {"focal-0", "focal-1", "dice-0", "dice-1"}
AFTER_ANALYSES = {f"{STUDY}:compare", f"{STUDY}:measure", "report"}


def stages(kind: str, cells: set[str]) -> set[str]:
    return {f"{STUDY}:{kind}@{cell}" for cell in cells}


def agreed(project: SmallProject, *unsure: str) -> tuple[list[Verdict], set[str], set[str]]:
    """The plan, and the stages that then ran and were restored, which it foretold.

    ``unsure`` is what might have run: it follows from a stage that made the same bytes as once.
    """
    verdicts = project.plan()
    ran, restored = project.repro()
    assert named(verdicts, Fate.RUNS) == ran | set(unsure)
    assert named(verdicts, Fate.RESTORED) == restored - set(unsure)
    assert named(project.plan(), Fate.UNCHANGED) == {each.stage.addressing for each in verdicts}
    return verdicts, ran, restored


def test_nothing_runs_in_a_reproduced_project(small: SmallProject) -> None:
    assert named(small.plan(), Fate.RUNS) == set()


def test_a_comment_in_the_parameters_runs_nothing(small: SmallProject) -> None:
    small.edit("params.yaml", "train:", "# a comment\ntrain:")
    _, ran, _ = agreed(small)
    assert ran == set()


def test_a_parameter_runs_its_stage_and_all_that_follows(small: SmallProject) -> None:
    small.edit("params.yaml", "bins: 10", "bins: 20")
    verdicts, ran, _ = agreed(small)
    assert ran == stages("analyse", CELLS) | AFTER_ANALYSES
    assert reasons(verdicts, f"{STUDY}:analyse@dice-1") == ["analyse.bins: 10 → 20"]
    assert reasons(verdicts, f"{STUDY}:measure") == ["follows from analyse (segmentation)"]


def test_a_new_and_a_removed_parameter_are_told(small: SmallProject) -> None:
    small.edit("params.yaml", "bins: 10", "classes: 3")
    verdicts, _, _ = agreed(small)
    told = ["analyse.bins: removed (was 10)", "analyse.classes: new (3)"]
    assert reasons(verdicts, f"{STUDY}:analyse@dice-1") == told


def test_a_value_of_before_is_restored_down_to_the_last_stage(small: SmallProject) -> None:
    small.edit("params.yaml", "bins: 10", "bins: 20")
    small.repro()
    small.edit("params.yaml", "bins: 20", "bins: 10")
    # Its csv is neither in the cache nor a metric, so that DVC keeps no run of it.
    _, ran, restored = agreed(small, "report")
    assert ran == {f"{STUDY}:compare"}
    assert restored == stages("analyse", CELLS) | {f"{STUDY}:measure", "report"}


def test_a_changed_component_runs_the_cells_that_use_it(small: SmallProject) -> None:
    small.write("code/methods/focal.json", print_of("methods/focal", "2"))
    verdicts, ran, _ = agreed(small)
    focal = {"focal-0", "focal-1"}
    own = stages("train", focal) | stages("analyse", focal)
    assert ran == {"fingerprint", "cells"} | own | AFTER_ANALYSES
    told = ["rarelens.methods.focal changed"]
    assert reasons(verdicts, f"{STUDY}:train@focal-0") == told
    assert reasons(verdicts, "cells") == told
    assert reasons(verdicts, "fingerprint") == ["code changed"]


def test_a_package_of_another_version_is_told(small: SmallProject) -> None:
    small.write("code/stages/compare.json", print_of("stages/compare", "1", "2.14.0"))
    verdicts, ran, _ = agreed(small)
    assert ran == {"fingerprint", "cells", f"{STUDY}:compare", "report"}
    assert reasons(verdicts, f"{STUDY}:compare") == ["package torch 2.13.0 → 2.14.0"]


def test_without_the_old_fingerprint_its_file_is_named(small: SmallProject) -> None:
    small.write("code/methods/focal.json", print_of("methods/focal", "2"))
    shutil.rmtree(".dvc/cache/files")
    told = reasons(small.plan(), f"{STUDY}:train@focal-0")
    assert "code methods/focal changed" in told


def test_code_whose_fingerprint_stays_runs_no_more_than_the_fingerprint(
    small: SmallProject,
) -> None:
    small.write("code/notes.md", "a comment")
    small.edit(
        "dvc.yaml",
        "&& cp -r code fingerprints",
        "&& cp -r code fingerprints && rm -f fingerprints/*.md",
    )
    verdicts, ran, _ = agreed(small)
    assert ran == {"fingerprint"}
    assert reasons(verdicts, "fingerprint") == ["command changed", "code changed"]


def test_changed_data_run_all_that_follows(small: SmallProject) -> None:
    small.write("data/raw/real/x", "measured anew\n")
    verdicts, ran, _ = agreed(small)
    assert ran == {each.stage.addressing for each in verdicts} - {"fingerprint", "simulate"}
    assert reasons(verdicts, "prepare") == ["data data/raw changed"]
    assert "follows from prepare" in reasons(verdicts, f"{STUDY}:train@focal-0")


def test_missing_data_are_told(small: SmallProject) -> None:
    small.edit("dvc.yaml", "deps: [data/raw]", "deps: [data/raw, data/raw/other]")
    assert reasons(small.plan(), "prepare") == ["data data/raw/other is missing"]


def test_a_grown_study_runs_its_new_cells(small: SmallProject) -> None:
    small.edit("params.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]")
    verdicts, ran, _ = agreed(small)
    new = {"focal-2", "dice-2"}
    # What measures the analyses follows; what was trained before stays.
    assert ran == {"cells"} | stages("train", new) | stages("analyse", new) | AFTER_ANALYSES
    assert reasons(verdicts, f"{STUDY}:train@dice-2") == ["never run"]
    assert reasons(verdicts, "cells") == ["study.seeds: [0, 1] → [0, 1, 2]"]


def test_a_shrunk_study_drops_its_old_cells_and_compares_anew(small: SmallProject) -> None:
    small.edit("params.yaml", "seeds: [0, 1]", "seeds: [0]")
    verdicts, ran, _ = agreed(small)
    assert ran == {"cells"} | AFTER_ANALYSES
    assert reasons(verdicts, f"{STUDY}:measure") == ["follows from cells"]


def test_a_study_as_it_was_restores_its_cells(small: SmallProject) -> None:
    small.edit("params.yaml", "seeds: [0, 1]", "seeds: [0]")
    small.repro()
    small.edit("params.yaml", "seeds: [0]", "seeds: [0, 1]")
    _, ran, restored = agreed(small, "report")
    assert ran == {"cells", f"{STUDY}:compare"}
    assert restored == stages("analyse", {"focal-1", "dice-1"}) | {f"{STUDY}:measure", "report"}


def test_deleted_outputs_are_restored(small: SmallProject) -> None:
    shutil.rmtree("models")
    shutil.rmtree("analyses")
    shutil.rmtree("fingerprints")
    _, ran, restored = agreed(small)
    assert ran == set()
    assert restored == stages("train", CELLS) | stages("analyse", CELLS) | {"fingerprint"}


def test_deleted_outputs_without_cache_run_again(small: SmallProject) -> None:
    shutil.rmtree("models/focal/0")
    shutil.rmtree(".dvc/cache/files")
    verdicts = small.plan()
    told = reasons(verdicts, f"{STUDY}:train@focal-0")
    assert "output models/focal/0 deleted and not in the cache" in told
    # Everything that DVC caches is made again; what comes out as before stops there.
    ran, restored = small.repro()
    assert not restored
    assert ran <= named(verdicts, Fate.RUNS)
    assert f"{STUDY}:train@focal-0" in ran


def test_an_output_edited_by_hand_is_restored(small: SmallProject) -> None:
    small.write("models/focal/0/x", "by hand")
    verdicts, ran, restored = agreed(small)
    assert (ran, restored) == (set(), stages("train", {"focal-0"}))
    assert reasons(verdicts, f"{STUDY}:train@focal-0") == ["output models/focal/0 edited"]


@pytest.mark.parametrize(
    "output", ["data/raw/simulated/x", "metrics/compared.csv", "cells/checked"]
)
def test_an_edited_output_that_dvc_cannot_restore_runs(small: SmallProject, output: str) -> None:
    small.write(output, "by hand")
    verdicts = small.plan()
    ran, restored = small.repro()
    assert ran <= named(verdicts, Fate.RUNS)
    assert len(ran) == 1
    assert not restored


def test_a_metric_that_git_keeps_is_restored_too(small: SmallProject) -> None:
    small.write("metrics/measured.json", "by hand")
    _, ran, restored = agreed(small)
    assert (ran, restored) == (set(), {f"{STUDY}:measure"})


def test_a_damaged_file_of_the_cache_is_not_restored_and_left_alone(small: SmallProject) -> None:
    oid = (small.folder / STUDY.replace(".yaml", ".lock")).read_text()
    oid = oid.split("path: records/focal/0.json")[1].split("md5: ")[1].split("\n")[0]
    file = Path(".dvc/cache/files/md5", oid[:2], oid[2:])
    file.chmod(0o644)
    file.write_text("damaged")
    Path("records/focal/0.json").unlink()
    verdicts = small.plan()
    assert file.read_text() == "damaged"
    assert named(verdicts, Fate.RUNS) >= stages("train", {"focal-0"})
    ran, _ = small.repro()
    assert ran == stages("train", {"focal-0"})


def test_a_changed_command_runs(small: SmallProject) -> None:
    small.edit(STUDY, "data/prepared fingerprints", "data/prepared make.sh fingerprints")
    verdicts, ran, _ = agreed(small)
    assert ran == stages("train", CELLS) | stages("analyse", CELLS) | AFTER_ANALYSES
    assert reasons(verdicts, f"{STUDY}:train@dice-0") == ["command changed"]


def test_an_output_that_dvc_yaml_names_anew_runs_its_stage(small: SmallProject) -> None:
    small.edit("dvc.yaml", "outs: [reports]", "outs: [reports/x]")
    small.repro()
    small.edit("dvc.yaml", "outs: [reports/x]", "outs: [reports/x, reports/y]")
    _, ran, _ = agreed(small)
    assert ran == {"report"}


def test_a_missing_file_of_parameters_is_told(small: SmallProject) -> None:
    small.edit("dvc.yaml", "params: [simulate]", "params: [other.yaml: [size]]")
    with pytest.raises(RarelensError, match=r"other\.yaml: no such file"):
        small.plan()


def test_a_declared_parameter_that_is_missing_is_told(small: SmallProject) -> None:
    small.edit("dvc.yaml", "params: [simulate]", "params: [simulate.size]")
    with pytest.raises(RarelensError, match=r"simulate\.size: missing; add it"):
        small.plan()


def test_a_frozen_stage_does_not_run(small: SmallProject) -> None:
    small.edit("dvc.yaml", "  prepare:\n", "  prepare:\n    frozen: true\n")
    small.write("data/raw/real/x", "measured anew\n")
    _, ran, _ = agreed(small)
    assert ran == set()


def test_a_clone_with_a_shared_cache(
    small: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.shell("git clone -q . ../clone && cp -r data ../clone/")
    clone = SmallProject(tmp_path / "clone")
    clone.shell(f"dvc cache dir --local {small.folder}/.dvc/cache")
    monkeypatch.chdir(clone.folder)
    _, ran, restored = agreed(clone)
    # DVC keeps no run of what is not in its cache: the list of cells is written again.
    assert ran == {"cells"}
    assert len(restored) == 10
    agreed(clone)


def test_nothing_in_the_project_is_written(small: SmallProject) -> None:
    small.edit("params.yaml", "bins: 10", "bins: 20")
    shutil.rmtree("models/dice")
    before = contents(small.folder)
    small.plan()
    assert contents(small.folder) == before


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        file: (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file() and ".dvc/tmp" not in str(file)
    }
