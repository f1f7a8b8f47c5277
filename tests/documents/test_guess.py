from __future__ import annotations

import pytest

from clinprompt.documents import guess
from clinprompt.errors import ClinpromptError


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["a.txt", "a.ann"], "brat"),
        (["a.txt", "a.ann", "annotation.conf", "README.md"], "brat"),
        (["a.txt", "sub/b.txt"], "text"),
        (["a.conll"], "conll"),
        (["a.parquet", "b.parquet"], "bigbio"),
    ],
)
def test_names_that_leave_no_doubt(tmp_path, files, wanted):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert guess.source(tmp_path) == wanted


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["a.xml"], "bioc-xml"),
        (["a.jsonl"], "jsonl, bigbio"),
        (["a.txt", "a.ann", "b.xml"], "brat"),
        (["a.doc"], "brat"),
        ([], "brat"),
    ],
)
def test_names_that_do(tmp_path, files, words):
    for name in files:
        (tmp_path / name).write_text("")
    with pytest.raises(ClinpromptError, match=rf"CP-DOC-340.*--from.*{words}"):
        guess.source(tmp_path)


def test_targets(tmp_path):
    assert guess.target(tmp_path / "out.parquet") == "bigbio"
    assert guess.target(tmp_path / "out.json") == "bioc-json"  # fhir makes a folder
    assert guess.target(tmp_path / "out.xml") == "bioc-xml"
    for name, words in (("out.csv", "csv, omop"), ("folder", "brat"), ("out.jsonl", "jsonl")):
        with pytest.raises(ClinpromptError, match=rf"CP-DOC-340.*--to.*{words}"):
            guess.target(tmp_path / name)
