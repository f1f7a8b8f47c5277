from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from tests.experiments.report_cells import BACKBONE, CANARY, METHODS, TARGETS, write_comparison
from typer.testing import CliRunner

from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.report.writing import make, write

FAILED = f"{BACKBONE}/scinli/lora-full-s0"
MISSING = f"{BACKBONE}/mts-dialog/pt-32-s0"
EVIL = '<script>alert("x")</script>|`*_'


class Tables(HTMLParser):
    """The tables of a page: caption -> rows of texts; and whether all elements close."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.open: list[str] = []
        self.caption = ""
        self.rows: list[list[str]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag in self.VOID:
            return
        self.open.append(tag)
        if tag == "table":
            self.caption, self.rows = "", []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open.pop() == tag
        if tag == "table":
            self.found[self.caption] = self.rows

    def handle_data(self, data):
        if "caption" in self.open:
            self.caption += data
        elif "table" in self.open and self.rows and self.rows[-1]:
            self.rows[-1][-1] += (" " if "small" in self.open else "") + data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    cells = write_comparison(folder, failed={FAILED: "no room <left>"}, missing=(MISSING,))
    return cells, make(folder)


def table_of(report, caption):
    return Tables(report.files["report.html"]).found[caption]


def test_every_score_in_the_table_is_the_cell_s(made):
    cells, report = made
    rows = table_of(report, f"Scores, {BACKBONE}")
    assert [text.split()[0] for text in rows[0]] == ["Method", "Average", *TARGETS]
    shots, seen = None, 0
    names = {title: method for method, (_, title, _, _) in METHODS.items()}
    for row in rows[1:]:
        if len(row) == 1:
            shots = {"Full data": "full", "32 shots": "32", "0 shots": "0"}[row[0]]
            continue
        for target, text in zip(TARGETS, row[2:], strict=True):
            cell = cells.get(f"{BACKBONE}/{target}/{names[row[0]]}-{shots}-s0")
            if cell is None:
                assert text.split()[0] in ("failed", "missing")
                continue
            seen += 1
            main = cell.main
            assert text == f"{main.value:.1f} [{main.low:.1f}, {main.high:.1f}]"
    assert seen == len(cells) == 22


def test_an_average_stands_only_where_all_cells_do(made):
    cells, report = made
    rows = table_of(report, f"Scores, {BACKBONE}")
    full = rows.index(["Full data"])
    averages = {row[0]: row[1] for row in rows[full + 1 : full + 4]}
    assert averages["LoRA, rank 16"] == "– 2 of 3 cells"
    values = [cells[f"{BACKBONE}/{target}/mpt-full-s0"].main.value for target in TARGETS]
    assert averages["metaprompt"].split()[0] == f"{sum(values) / 3:.1f}"


def test_failed_and_missing_cells_stand_on_top_with_their_reasons(made):
    _, report = made
    for name in ("report.html", "report.md"):
        text = report.files[name]
        assert text.index("Missing results") < text.index("Scores, tiny")
    page = report.files["report.html"]
    assert "<b>1</b><span>failed</span>" in page
    assert "<b>1</b><span>not run yet</span>" in page
    failed = table_of(report, "Failed and out of date")
    assert failed[1][0] == "scinli"
    assert failed[1][-1] == "[CP-EXP-120] no room <left>"
    assert table_of(report, "Not run yet")[1][:3] == ["mts-dialog", "prompt tuning", "32"]
    assert r"no room \<left\>" in report.files["report.md"]


def test_methods_of_one_title_are_told_apart_wherever_they_stand(tmp_path):
    missing = tuple(f"{BACKBONE}/scinli/{method}-32-s0" for method in ("pt", "mpt"))
    write_comparison(tmp_path, missing=missing, titles={"mpt": "prompt tuning"})
    report = make(tmp_path)
    rows = table_of(report, "Not run yet")[1:]
    assert [row[1] for row in rows] == ["prompt tuning (pt)", "prompt tuning (mpt)"]
    scored = {row[0] for row in table_of(report, f"Scores, {BACKBONE}")}
    assert {row[1] for row in rows} <= scored


def test_markdown_holds_the_same_scores(made):
    cells, report = made
    text = report.files["report.md"]
    for cell in cells.values():
        main = cell.main
        ends = rf"{main.value:.1f}(\*\*)? \\\[{main.low:.1f}, {main.high:.1f}\\\]"
        assert re.search(ends, text), cell.id


def test_rows_of_markdown_tables_are_of_equal_length(made):
    _, report = made
    widths = set()
    for line in [*report.files["report.md"].splitlines(), ""]:
        if line.startswith("|"):
            widths.add(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(widths) <= 1
            widths = set()


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(made):
    _, report = made
    page = report.files["report.html"]
    assert "://" not in page
    assert not re.search(r"<(script|link|img|iframe|object|embed|base)\b", page)
    assert not re.search(r"""(src|srcset|action|poster)\s*=|@import|url\(""", page)
    assert set(re.findall(r'href="([^"]*)"', page)) <= {
        f"#{one}" for one in re.findall(r'<h2 id="([^"]*)"', page)
    }
    assert "default-src 'none'" in page


def test_ids_of_the_page_are_unique(made):
    _, report = made
    found = re.findall(r'\bid="([^"]*)"', report.files["report.html"])
    assert len(found) == len(set(found))


def test_pictures_are_valid_and_all_linked(made):
    _, report = made
    pictures = {name for name in report.files if name.endswith(".svg")}
    kinds = ("few-shot", "parameters", "difference", "source", "adaptation", "similarity")
    assert all(any(name.startswith(kind) for name in pictures) for kind in kinds)
    for name in pictures:
        root = ET.fromstring(report.files[name].encode())
        assert float(root.get("width", 0)) > 100
        assert not re.search(r"\b(nan|inf)\b", report.files[name], re.IGNORECASE)
    linked = set(re.findall(r"\]\(([^)]+\.svg)\)", report.files["report.md"]))
    assert linked <= pictures
    assert len(linked) >= len(kinds)


def test_texts_of_the_data_appear_only_if_asked_for(tmp_path):
    write_comparison(tmp_path)
    for name, content in make(tmp_path).files.items():
        assert CANARY not in content, name
    asked = make(tmp_path, with_text=True)
    page = asked.files["report.html"]
    assert CANARY in page
    assert "<b>no</b>" not in page
    assert page.index("holds text of the data") < page.index("<h1>")
    for name, content in asked.files.items():
        assert name == "report.html" or CANARY not in content, name


def test_worst_examples_come_with_ids_and_marks(made):
    _, report = made
    tables = Tables(report.files["report.html"]).found
    caption = next(one for one in tables if one.startswith("ncbi-disease, full data"))
    rows = tables[caption]
    assert rows[0][:2] == ["Example", "Mean"]
    assert [row[0] for row in rows[1:]] == [f"ncbi-disease:{n}" for n in range(4)]
    assert [row[1] for row in rows[1:]] == ["0.0", "0.0", "100.0", "100.0"]
    assert rows[1][2] == "0.0 unfinished"


def test_bad_answers_are_counted_over_shots(made):
    _, report = made
    rows = {row[0]: row for row in table_of(report, f"Bad answers, {BACKBONE}")}
    assert rows["metaprompt"][1] == "3 unparsable of 12"
    assert rows["bare backbone"][1] == "1 unparsable, 7 unaligned of 4"
    assert rows["LoRA, rank 16"][1] == "1 unparsable of 4"  # one of two cells failed


def test_cost_table(made):
    _, report = made
    rows = table_of(report, f"Storage and cost, {BACKBONE}")
    full = {row[0]: row for row in rows[: rows.index(["32 shots"])] if len(row) > 1}
    assert full["LoRA, rank 16"][1:5] == ["2 of 3", "4,884,480", "3.63 %", "18.6 MiB"]
    assert full["metaprompt"][2:4] == ["58,276", "0.0433 %"]
    assert full["metaprompt"][7:] == ["1 min 15 s", "4.5", "2", "3 GiB process"]


def test_data_is_escaped_everywhere(tmp_path):
    failed = {FAILED: EVIL}
    write_comparison(tmp_path, titles={"pt": EVIL}, name=EVIL, failed=failed)
    report = make(tmp_path)
    page = report.files["report.html"]
    assert "<script" not in page
    Tables(page)
    for name, content in report.files.items():
        if name.endswith(".svg"):
            ET.fromstring(content.encode())
        elif name.endswith(".md"):
            outside = re.sub(r"```.*?```", "", content, flags=re.DOTALL)
            assert not re.search(r"(?<!\\)<script", outside)


def test_a_comparison_without_metaprompt_and_predictions(tmp_path):
    write_comparison(tmp_path, metaprompt=False, predictions=False)
    page = make(tmp_path).files["report.html"]
    assert "Similarity of source tasks" not in page
    assert "No predictions lie beside the cells." in page


def test_a_damaged_metaprompt_is_told(tmp_path):
    write_comparison(tmp_path)
    (tmp_path / "sources" / BACKBONE / "metaprompt" / "prompts.safetensors").write_bytes(b"x")
    assert "The metaprompt of tiny can&#x27;t be shown: " in make(tmp_path).files["report.html"]


def test_a_single_cell_is_enough(tmp_path):
    first = f"{BACKBONE}/scinli/mpt-32-s0"
    write_comparison(tmp_path, failed={})
    every = [
        f"{BACKBONE}/{t}/{m}-{s}-s0" for m, r in METHODS.items() for s in r[2] for t in TARGETS
    ]
    (tmp_path / "again").mkdir()
    write_comparison(tmp_path / "again", missing=tuple(one for one in every if one != first))
    report = make(tmp_path / "again")
    assert "1</b><span>of 24 cells finished" in report.files["report.html"]
    Tables(report.files["report.html"])


def test_equal_input_gives_equal_bytes(tmp_path):
    write_comparison(tmp_path)
    assert make(tmp_path).files == make(tmp_path).files


def test_a_report_replaces_an_earlier_one_and_nothing_else(tmp_path):
    write_comparison(tmp_path / "run")
    out = tmp_path / "results"
    report = make(tmp_path / "run")
    write(report, out)
    (out / "notes.json").write_text("{}")
    (out / "own.svg").write_text("<svg/>")
    stale = out / "few-shot-9.svg"
    stale.write_text((out / "few-shot-1.svg").read_text())
    write(report, out)
    assert not stale.exists()
    kept = {path.name for path in out.iterdir()}
    assert kept == {*report.files, "notes.json", "own.svg"}


def test_a_foreign_file_is_never_replaced(tmp_path):
    write_comparison(tmp_path / "run")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.md").write_text("my own report\n")
    with pytest.raises(ClinpromptError, match=r"CP-EXP-204.*report.md"):
        write(make(tmp_path / "run"), out)
    assert [path.name for path in out.iterdir()] == ["report.md"]
    with pytest.raises(ClinpromptError, match="CP-EXP-203"):
        write(make(tmp_path / "run"), out / "report.md")


def test_command(tmp_path):
    write_comparison(tmp_path, missing=(MISSING,))
    found = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert (tmp_path / "report" / "report.html").is_file()
    assert "23 of 24 cells are finished" in found.output
    assert "1 not run yet: shown as missing" in found.output
    found = CliRunner().invoke(app, ["report", str(tmp_path / "nowhere")])
    assert found.exit_code == 2
    assert "CP-EXP-200" in found.output
    assert "Traceback" not in found.output


def test_command_with_text_warns(tmp_path):
    write_comparison(tmp_path / "run")
    out = tmp_path / "out"
    found = CliRunner().invoke(
        app, ["report", str(tmp_path / "run"), "-o", str(out), "--with-text"]
    )
    assert found.exit_code == 0, found.output
    assert "holds text of the data" in found.output
    assert CANARY in (out / "report.html").read_text()
