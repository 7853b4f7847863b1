"""The page: complete, self-contained, safe, and without case ids."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import html
import io
import json
import re
import shutil
from contextlib import nullcontext
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest
from ruamel.yaml import YAML

from rarelens.errors import RarelensError
from rarelens.studies.reporting import charts, way_back
from rarelens.studies.reporting.page import write_report
from rarelens.studies.reporting.way_back import MADE, origins
from rarelens.studies.settings.results import Report
from working_copy import ROOT

SETTINGS = Report(dpi=40)


class Reader(HTMLParser):
    """Tags and text of a page; complains about nothing, so the tests look for themselves."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


MADE_OF = {
    "datasets.brain": {"layout": "msd"},
    "networks.unet": {"network": "unet", "channels": [8, 16]},
    "methods.segmentation.focal": {"objective": "focal", "gamma": 2.0},
    "train.segmentation": {"steps": 300},
}


def write(study, target, simulated=False):
    target.mkdir()
    names = [study.cells[0].dataset] if simulated else []
    studies = {"segmentation": study.cells, "classification": []}
    write_report(
        target,
        studies,
        study.analyses,
        study.metrics.parent,
        study.browse,
        names,
        SETTINGS,
        {"segmentation": MADE_OF},
    )
    return (target / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def target(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "report"
    write(study, folder, simulated=True)
    return folder


@pytest.fixture(scope="module")
def page(target):
    return (target / "index.html").read_text(encoding="utf-8")


def test_every_method_has_its_line_that_leads_to_its_models(page, study):
    reader = Reader(page)
    methods = {cell.method for cell in study.cells}
    links = re.findall(r'<th scope="row"><a href="#brain-unet-0.5-from-(\w+)"', page)
    assert sorted(links) == sorted(methods)
    for cell in study.cells:
        assert cell.method.replace("_", " ") in reader.text
        command = f"dvc repro studies/segmentation/dvc.yaml:analyse@brain-unet-{cell.method}-0.5"
        assert f"{command}-{cell.seed}" in reader.text
        assert f"records/{cell.task}/{cell.name}.json" in reader.text


def test_no_link_is_dead_and_no_id_stands_twice(page):
    tags = Reader(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(ids)


def test_the_ways_back_are_stages_of_the_graph():
    for task, made in MADE.items():
        stages = YAML(typ="safe").load(ROOT / f"studies/{task}/dvc.yaml")["stages"]
        for method, stage in (("focal", "analyse"), ("focal+threshold", made)):
            own = SimpleNamespace(
                dataset="d", network="n", fraction="0.5", methods=[method], seeds=[3]
            )
            ((origin,),) = origins(task, own).values()
            values = {"dataset": "d", "network": "n", "method": "focal", "fraction": "0.5",
                      "adjustment": "threshold", "seed": "3"}  # fmt: skip
            key = "-".join(values[name] for name in stages[stage]["matrix"])
            assert origin.command == f"dvc repro studies/{task}/dvc.yaml:{stage}@{key}"
            written = [out for own in stages.values() for out in own["outs"]]
            records = [out for out in written if isinstance(out, str) and "records/" in out]
            shown = {record.replace("${item.", "{").format(**values) for record in records}
            assert origin.record in shown


def test_page_is_self_contained(page):
    markup = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "data:", page)
    assert not re.search(r"https?:", markup)
    assert "<link" not in markup
    # The only scripts are the page's own and those that it holds packed, and no other would run.
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", markup, re.DOTALL)
    packed = {' type="text/plain" id="viewer"', ' type="text/plain" id="vega"'}
    held = {' type="text/plain"', ' type="application/json"', "", *packed}
    assert {attributes for attributes, _ in scripts} == held
    run = [text.encode() for attributes, text in scripts if not attributes]
    run += [gzip.decompress(base64.b64decode(text)) for own, text in scripts if own in packed]
    allowed = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in run
    }
    (policy,) = re.findall(r"; script-src ([^;]*);", markup)
    assert set(policy.split()) == allowed
    assert "default-src 'none'" in markup
    assert not re.search(r"<[^>]* on\w+=", markup)
    assert set(re.findall(r'src="([^"]*)"', markup)) == {"data:"}
    assert "url(" not in markup


def test_every_picture_has_its_words_and_its_file(page, target):
    pictures = [attributes for tag, attributes in Reader(page).tags if tag == "img"]
    assert len(pictures) == len(list((target / "figures").glob("*.png"))) == 8
    assert all(len(attributes["alt"]) > 20 for attributes in pictures)


def test_numbers_of_figures_are_on_the_page(page, study):
    packed = re.findall(r'data-save="([^"]*\.csv)" data-packed="([^"]*)"', page)
    tables = {
        name: pd.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(text))))
        for name, text in packed
    }
    drawn = {"shift", "margins", "gap", "joint-1", "lesions-1", "overlap", "curves"}
    assert set(tables) == {"brain-unet-0.5.csv", *(f"brain-unet-0.5-{name}.csv" for name in drawn)}
    rows = pd.read_csv(study.metrics)
    assert len(tables["brain-unet-0.5.csv"]) == len(rows)
    shift = tables["brain-unet-0.5-shift.csv"]
    expected = rows[rows["measure"] == "shift_mean"].set_index(["method", "class"])["mean"]
    assert shift.set_index(["method", "class"])["mean"].to_dict() == expected.to_dict()
    joint = tables["brain-unet-0.5-joint-1.csv"]
    assert set(joint["class"]) == {"background", "lesion"}
    assert set(tables["brain-unet-0.5-overlap.csv"]["subject"]) == set(range(1, 9))


def test_what_a_figure_shows_is_its_table(page, study):
    """The chart names no column that its CSV has not, and holds no numbers of its own."""
    charts = re.findall(r'data-chart="([^"]*)"', page)
    assert len(charts) == 2  # Shift and margins.
    tables = dict(re.findall(r'data-save="brain-unet-0.5-(\w+)\.csv" data-packed="([^"]*)"', page))
    for name, chart in zip(("shift", "margins"), charts, strict=True):
        spec = json.loads(html.unescape(chart))
        table = pd.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(tables[name]))))
        kinds = spec["data"]["format"]["parse"]
        assert set(kinds) == set(table.select_dtypes("number").columns)
        assert "values" not in spec["data"]
        assert "datasets" not in spec
        fields = set(re.findall(r'"field":"(\w+)"', html.unescape(chart)))
        assert fields
        assert fields <= set(table.columns)


def test_every_drawn_figure_is_there_as_svg_without_a_date(page, target):
    names = {file.stem for file in (target / "figures").iterdir()}
    files = {file.stem: file for file in (target / "svg").iterdir()}
    assert set(files) == {name for name in names if "panel" not in name}
    packed = dict(re.findall(r'data-save="([^"]*)\.svg" data-packed="([^"]*)"', page))
    assert set(packed) == set(files)
    for name, file in files.items():
        text = file.read_bytes()
        assert gzip.decompress(base64.b64decode(packed[name])) == text
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert b"dc:date" not in text
        assert len(text) < 2**18


def test_the_way_back_has_settings_and_the_commit_of_the_statistics(page, study):
    text = Reader(page).text
    assert 'train.segmentation: {"steps": 300}' in text
    assert 'networks.unet: {"network": "unet", "channels": [8, 16]}' in text
    focal = re.search(r'id="brain-unet-0.5-from-focal">.*?</li>', page, re.DOTALL)[0]
    assert 'methods.segmentation.focal: {"objective": "focal", "gamma": 2.0}' in Reader(focal).text
    digest = hashlib.md5(study.metrics.read_bytes()).hexdigest()
    assert f"-S{digest} -- studies/segmentation/dvc.lock" in text


def test_a_comparison_of_too_many_numbers_is_left_to_its_file(study, tmp_path, monkeypatch):
    monkeypatch.setattr(way_back, "MOST_NUMBERS", 100)
    page = write(study, tmp_path / "report")
    assert "All of them: <code>metrics/segmentation.csv</code>" in " ".join(page.split())
    assert 'data-save="brain-unet-0.5.csv"' not in page


def test_the_answer_stands_first(page):
    text = Reader(page).text
    start = "The baseline's logit shift from training to test subjects is significantly below 0 for"
    assert f"{start} the rare class, but not for the background." in text
    assert page.index('id="answer"') < page.index('id="brain-unet-0.5"')
    told = [text.find(f"{what} rare class") for what in ("Sensitivity to", "Dice of", "shift of")]
    assert -1 < told[0] < told[1] < told[2]


def test_no_case_id_anywhere(target):
    for file in target.rglob("*"):
        if file.is_file():
            assert b"patient_" not in file.read_bytes()


def test_simulated_data_are_called_so_and_real_ones_are_not(page, study, tmp_path):
    assert "What is simulated" in page
    assert "What is simulated" not in write(study, tmp_path / "real")


def test_headline_says_what_the_numbers_say(page, study):
    table = pd.read_csv(study.metrics)
    rows = table[(table["method"] == "cross_entropy") & (table["class"] == "lesion")]
    shift = rows[rows["measure"] == "shift_mean"].iloc[0]
    text = Reader(page).text
    assert f"a shift of −{abs(shift['mean']):.2f}" in text
    assert f"95% interval −{abs(shift['ci_low']):.2f} to −{abs(shift['ci_high']):.2f}" in text
    assert "after Holm's correction over all claims of this page: in sensitivity" in text
    assert "no claim" not in text


def test_two_seeds_make_no_claim(build, tmp_path):
    study = build(tmp_path, ("base", "other"), (0, 1), subjects=5)
    text = Reader(write(study, tmp_path / "report")).text
    assert "fewer than three seeds: no claim" in text
    assert "after Holm's correction over" not in text


def test_names_are_escaped(build, tmp_path):
    study = build(tmp_path, ("base",), (0,), rare=("<img src=x onerror=alert(1)>",), subjects=4)
    page = write(study, tmp_path / "report")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_page_is_the_same_twice(study, page, tmp_path):
    assert write(study, tmp_path / "again", simulated=True) == page


def test_plots_hold_tidy_numbers(target, study):
    with (target / "plots" / "margins.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        "dataset", "network", "fraction", "method", "class", "side", "margin", "density",
    ]  # fmt: skip
    assert {row["side"] for row in rows} == {"train", "test"}
    assert {row["class"] for row in rows} == {"background", "lesion"}
    overlap = pd.read_csv(target / "plots" / "overlap.csv")
    assert len(overlap) == 3 * 3
    assert overlap["mean"].between(0, 1).all()


def test_missing_comparison_is_told(study, tmp_path):
    studies = {"segmentation": study.cells}
    with pytest.raises(RarelensError, match=r"segmentation\.csv: no such file"):
        write_report(tmp_path, studies, study.analyses, tmp_path, tmp_path, [], SETTINGS)


def test_both_studies_stand_on_one_page(study, classification, page, tmp_path, monkeypatch):
    # Charts are compared with the schema of Vega-Lite here.
    monkeypatch.setattr(charts, "debug_mode", lambda _: nullcontext())
    analyses, metrics = tmp_path / "analyses", tmp_path / "metrics"
    for one in (study, classification):
        shutil.copytree(one.root / "analyses", analyses, dirs_exist_ok=True)
        shutil.copytree(one.root / "metrics", metrics, dirs_exist_ok=True)
    target = tmp_path / "report"
    target.mkdir()
    studies = {"segmentation": study.cells, "classification": classification.cells}
    made = {"segmentation": MADE_OF}
    write_report(target, studies, analyses, metrics, study.browse, ["brain"], SETTINGS, made)
    whole = (target / "index.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section id="([^"]*)">', whole)
    assert sections == ["answer", "brain-unet-0.5", "slices-light_cnn-1", "glossary"]
    # One leaf is unfolded, several are folded.
    assert page.count('<details class="leaf" open>') == 1
    assert whole.count('<details class="leaf">') == 2
    assert all(f'href="#{name}"' in whole for name in sections)
    text = Reader(whole).text
    assert "Segmentation study: 9 trained models" in text
    assert "Classification study: 12 trained models" in text
    # The segmentation study's own section does not know of the other.
    section = re.search(r'<section id="brain.*?</section>', whole, re.DOTALL)[0]
    assert section in page.replace(" open>", ">")


def test_a_switched_off_study_leaves_no_trace_but_empty_plots(page, target, study):
    """DVC says of a table that is not there that it failed to load."""
    assert {file.name for file in (target / "plots").glob("*.csv")} == {
        "margins.csv", "overlap.csv", "classification.csv", "prevalence.csv", "pairs.csv",
    }  # fmt: skip
    assert len(pd.read_csv(target / "plots/prevalence.csv")) == 0
    declared = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]
    for plot in (each for each in declared if isinstance(each, dict)):
        for axis in ("x", "y"):
            for about in plot.values():
                ((file, column),) = about[axis].items()
                assert column in pd.read_csv(target.parent / file.replace("reports", target.name))
    text = Reader(page).text
    assert "lassification" not in text
    assert "AUROC" not in text


def test_no_study_at_all_is_refused(tmp_path):
    studies = {"segmentation": [], "classification": []}
    with pytest.raises(RarelensError, match=r"no study has any.*params\.yaml"):
        write_report(tmp_path, studies, tmp_path, tmp_path, tmp_path, [], SETTINGS)
