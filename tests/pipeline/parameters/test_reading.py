"""Reading ``params.yaml``: a stage sees what it declares, and YAML reads as it does for DVC."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.reading import Scope, check, read_yaml
from rarelens.pipeline.parameters.whole import Parameters, read_parameters
from rarelens.studies.settings.base import Section
from rarelens.studies.settings.results import Compare, Report

COMPARE = (
    "compare: {bootstrap: 10, confidence: 0.9, equivalence: 0.02, least_positives: 1, seed: 0}\n"
)


@pytest.fixture
def written(tmp_path):
    def write(text: str | bytes) -> Path:
        file = tmp_path / "params.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_scope_reads_a_declared_section_though_all_others_are_missing_or_wrong(written):
    scope = Scope(["compare"], written(COMPARE + "report: nonsense\n"))
    assert scope.get("compare", Compare) == Compare(
        bootstrap=10, confidence=0.9, equivalence=0.02, least_positives=1, seed=0
    )


def test_scope_refuses_an_undeclared_path(written):
    scope = Scope(["compare"], written(COMPARE + "report: {dpi: 100}\n"))
    with pytest.raises(KeyError, match=r"report is read but not declared.*compare"):
        scope.get("report", Report)
    with pytest.raises(KeyError, match=r"compare\.seed is read but not declared"):
        scope.get("compare.seed", int)


@pytest.mark.parametrize("path", ["report", "compare.steps", "compare.seed.deeper"])
def test_scope_names_a_missing_declared_section(written, path):
    file = written(COMPARE)
    with pytest.raises(RarelensError) as caught:
        Scope([path, "compare"], file)
    assert caught.value.problems == (f"{file}: {path}: missing; add it",)


def test_scope_reads_a_single_value_and_tells_its_whole_path(written):
    scope = Scope(["compare.seed", "compare"], written(COMPARE.replace("0.9", "'0.9'")))
    assert scope.get("compare.seed", int) == 0
    with pytest.raises(RarelensError, match=r"^params\.yaml: compare\.confidence: .*not '0\.9'$"):
        scope.get("compare", Compare)
    with pytest.raises(RarelensError, match=r"^params\.yaml: compare\.seed: .*not 0$"):
        scope.get("compare.seed", str)


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    for read in (read_parameters, lambda file: Scope(["compare"], file)):
        with pytest.raises(RarelensError, match=r"none\.yaml: no such file; run from the project"):
            read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", ["duplicate key", '"a"', "line 3"]),
        ("a: [1, 2\nb: 3\n", ["line 2"]),
        ("a:\n\t- 1\n", ["line 2"]),
        (b"a: caf\xe9\n", []),
    ],
    ids=["duplicate key", "open bracket", "tab", "not UTF-8"],
)
def test_unreadable_yaml_is_one_sentence(written, text, words):
    file = written(text)
    with pytest.raises(RarelensError) as caught:
        read_yaml(file)
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"{file}: not readable as YAML: ")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_an_empty_file_is_no_parameters(written):
    with pytest.raises(RarelensError, match=r"^params\.yaml: \(top level\): .*object, not None$"):
        read_parameters(written("# nothing yet\n"))


def test_yaml_is_read_as_dvc_reads_it(written):
    from dvc.utils.serialize import load_yaml

    file = written(
        "rate: 1e-3\nlarge: 1E5\nflag: yes\nswitch: off\nno: no\noctal: 010\nyear: 1_000\n"
        "base: &base {a: 1, b: 2}\nmerged: {<<: *base, b: 3}\n"
    )
    read = read_yaml(file)
    assert read == load_yaml(str(file))
    assert read["rate"] == 0.001
    assert isinstance(read["rate"], float)
    assert read["flag"] == "yes"
    assert read["merged"] == {"a": 1, "b": 3}


def test_check_without_path_and_with_path_differ_in_the_place_only():
    class Inner(Section):
        value: int

    for path, where in (("", "value"), ("above", "above.value")):
        with pytest.raises(RarelensError) as caught:
            check({"value": "x"}, Inner, path)
        assert caught.value.problems == (
            f"params.yaml: {where}: Input should be a valid integer, not 'x'",
        )


def test_the_whole_file_is_checked(written):
    with pytest.raises(RarelensError) as caught:
        read_parameters(written(COMPARE))
    missing = set(Parameters.model_fields) - {"compare"}
    assert set(caught.value.problems) == {f"params.yaml: {key}: missing; add it" for key in missing}
