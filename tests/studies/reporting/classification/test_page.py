"""The section of the classification study: honest, complete, and without ids of images."""

from __future__ import annotations

import re
from html import unescape

import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.reporting.page import write_report
from rarelens.studies.settings.results import Report
from studies.reporting.classification_study import build_classification

SETTINGS = Report(dpi=40)


def write(study, target):
    target.mkdir()
    studies = {"segmentation": [], "classification": study.cells}
    write_report(target, studies, study.analyses, study.metrics, target, [], SETTINGS)
    return (target / "index.html").read_text(encoding="utf-8")


def text_of(page):
    return plain(page.split("</style>")[1].split("<script>")[0])


def plain(markup):
    """Without tags, every space (also one that does not break) a plain one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


@pytest.fixture(scope="module")
def target(classification, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    write(classification, folder)
    return folder


@pytest.fixture(scope="module")
def page(target):
    return (target / "index.html").read_text(encoding="utf-8")


def table(page, title):
    """Rows of the table under a heading: lists of cells without markup, by their first."""
    body = page.split(f"<h3>{title}")[1].split("<tbody")[1].split("</tbody>")[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    stripped = [[plain(cell) for cell in row] for row in cells]
    return {row[0]: row[1:] for row in stripped}


def test_every_figure_stands_on_the_page_with_its_words(page, target):
    files = sorted(file.stem.split("-")[-1] for file in (target / "figures").glob("*.png"))
    assert files == [
        "cka", "concepts", "curves", "prevalence", "question", "reliability", "saliency",
        "shift", "units",
    ]  # fmt: skip
    assert len(re.findall(r'<img alt="[^"]{20,}" style="[^"]*" src="data:image/png', page)) == len(
        files
    )
    names = {f"slices-light_cnn-1-{name}.csv" for name in files} | {"slices-light_cnn-1.csv"}
    assert set(re.findall(r'data-save="([^"]*\.csv)"', page)) == names
    assert len(re.findall("<figcaption>[^<]{20,}", page)) == len(files)


def test_undefined_numbers_are_called_so(page):
    each = table(page, "Each class")
    assert each["never in test"][1:] == ["undefined AUROC undefined"] * 4
    assert each["tiny"][0] == "1.1%"
    assert "undefined" not in " ".join(each["tiny"])
    assert "left out of every mean: never in test." in text_of(page)
    assert "nan" not in text_of(page).lower().split()


def test_classes_stand_from_frequent_to_rare(page):
    shares = [float(row[0].rstrip("%")) for row in table(page, "Each class").values()]
    assert shares == sorted(shares, reverse=True)


def test_a_class_in_too_few_patients_is_named_once(page):
    """One without any numbers is called undefined instead."""
    assert page.count("In too few test patients") == 1
    assert "a part in a pair&#39;s answer: tiny." in page


def test_methods_have_their_numbers(page, classification):
    rows = table(page, "What the methods predict")
    assert list(rows) == ["bce (baseline)", "focal", "weighted bce", "bce+classifier retraining"]
    metrics = pd.read_csv(classification.metrics / "classification.csv")
    own = metrics[(metrics["method"] == "focal") & (metrics["class"] == "mean")]
    auroc = own[own["measure"] == "auroc"].iloc[0]
    assert rows["focal"][0] == f"{auroc['mean']:.3f} ± {auroc['sd_over_seeds']:.3f}"
    assert rows["focal"][8:10] == ["+0.010 −0.010 to +0.030", "0.400"]
    assert rows["bce (baseline)"][8:] == ["–"] * 4


def test_controls_stand_beside_alignment(page):
    rows = table(page, "Where the saliency maps look")
    assert rows["bce (baseline)"][:2] == ["0.250 ± 0.010", "0.110"]
    assert rows["centre map (control)"][0] == "0.140"
    assert rows["uniform map (control)"][0] == "0.070"


def test_question_is_answered_from_the_pairs(page):
    text = text_of(page)
    start = (
        "Of 6 pairs of methods, 1 perform equivalently (AUROC and AP within ±0.02, in the mean and "
        "in every class), 1 differently, and of 4 it is undecided. Of the equivalent ones 1 differ "
        "inside, which AUROC and AP do not show: bce and focal."
    )
    assert start in text
    rows = table(page, "Equal performance, different features?")
    assert next(iter(rows)) == "1. bce − focal"
    first = rows["1. bce − focal"]
    assert first[:2] == ["equivalent within ±0.015", "different p < 0.001"]
    assert first[4] == "+0.100 +0.080 to +0.120"
    assert first[10] == "0.70 seeds 0.84"
    [last] = [name for name in rows if name.startswith("6. ")]
    assert rows[last][0] == "different within ±0.015"


def test_two_seeds_make_no_claim(tmp_path):
    study = build_classification(tmp_path, ("bce", "focal"), (0, 1), panels=0)
    text = text_of(write(study, tmp_path / "report"))
    assert "fewer than three seeds: no claim" in text
    assert "With fewer than three seeds this describes these runs" in text
    assert "after Holm's correction over" not in text
    assert "pairs of methods," not in text
    assert "1 pair of methods" not in text


def test_one_method_has_no_pairs(tmp_path):
    study = build_classification(tmp_path, ("bce",), (0, 1, 2), classes=("a", "b"), channels=3)
    page = write(study, tmp_path / "report")
    assert "Equal performance" not in page
    assert "no claim" not in page
    assert not (tmp_path / "report/figures/slices-light_cnn-1-cka.png").exists()


def test_names_are_escaped(tmp_path):
    names = ("<img src=x onerror=alert(1)>", "price $x$")
    study = build_classification(tmp_path, ("bce",), (0,), classes=names)
    page = write(study, tmp_path / "report")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_page_and_figures_are_the_same_twice(classification, target, tmp_path):
    write(classification, tmp_path / "again")
    for file in target.rglob("*.*"):
        assert (tmp_path / "again" / file.relative_to(target)).read_bytes() == file.read_bytes()


def test_plots_hold_tidy_numbers(target):
    classes = pd.read_csv(target / "plots" / "classification.csv")
    assert list(classes) == [
        "dataset", "network", "fraction", "method", "class", "prevalence", "measure", "mean",
        "ci_low", "ci_high",
    ]  # fmt: skip
    assert len(classes) == 4 * 8 * 3
    assert set(classes.loc[classes["mean"].isna(), "class"]) == {"never_in_test"}
    pairs = pd.read_csv(target / "plots" / "pairs.csv")
    assert not pairs.duplicated(["method_a", "method_b", "quantity", "layer"]).any()


def test_missing_files_are_all_told(classification, tmp_path):
    studies = {"classification": classification.cells}
    with pytest.raises(RarelensError, match=r"classification\.csv: no such file"):
        write_report(tmp_path, studies, classification.analyses, tmp_path, tmp_path, [], SETTINGS)
    (tmp_path / "figures").rmdir()
    with pytest.raises(RarelensError) as raised:
        write_report(tmp_path, studies, tmp_path, classification.metrics, tmp_path, [], SETTINGS)
    assert len(raised.value.problems) == len(classification.cells)
