from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world
from tests.inference.lexicon import Lexicon, pair_card

from clinprompt.documents.model import Attribute, Document, Link, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.collection import Collection
from clinprompt.inference.notes.journal import NotesJournal
from clinprompt.inference.notes.plan import Plan, make_plan
from clinprompt.inference.notes.run import Outcome, answer_notes, results

CARDS = [world.card("mentions"), pair_card(), world.card("summary")]
CANARY = "Mustermann"


def notes(folder: Path, count: int = 10) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        text = f"{CANARY} {number}: aspirin for fever" + " and cough" * (number % 3)
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def plan_of(**changes: Any) -> Plan:
    return make_plan({card.name: card for card in CARDS}, **changes)


def go(
    source: Path,
    journal: Path,
    plan: Plan | None = None,
    name: str = "text",
    answerer: Lexicon | None = None,
    **changes: Any,
) -> tuple[Outcome, list[Document], Lexicon]:
    plan, answerer = plan or plan_of(), answerer or Lexicon(*CARDS)
    collection, kept = Collection(source, name), NotesJournal(journal, plan.identity(), "now")
    try:
        outcome = answer_notes(answerer, plan, collection, kept, chunk=4, **changes)
        return outcome, list(results(plan, collection, kept)), answerer
    finally:
        kept.close()


def test_notes_become_annotated_documents(tmp_path: Path) -> None:
    outcome, documents, answerer = go(notes(tmp_path / "in"), tmp_path / "j")
    assert (outcome.answered, outcome.before, outcome.summary.complaints) == (10, 0, 0)
    assert [document.id for document in documents] == [f"{i:02}" for i in range(10)]
    text = documents[2].text
    assert [(one.label, one.surface(text)) for one in documents[2].mentions] == [
        ("Drug", "aspirin"),
        ("Sign", "fever"),
        ("Sign", "cough"),
        ("Sign", "cough"),
    ]
    assert [one.confidence for one in documents[2].links] == [0.75] * 3
    assert documents[2].metadata == (("summary", f"About {CANARY}."),)
    # the tasks of a chunk are one batch, and the pairs of a chunk another
    assert answerer.batches == [8, 7, 8, 8, 4, 4]
    assert [request.task for request in answerer.asked[:3]] == ["mentions", "summary", "mentions"]


def test_progress_is_told_in_notes(tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    source = notes(tmp_path / "in")
    (source / "00.txt").write_bytes(b"\xff")
    go(source, tmp_path / "j", progress=lambda *place: told.append(place))
    done = [number for number, _ in told]
    assert done == sorted(done)
    assert (done[-1], {passed for _, passed in told}) == (9, {1})
    (source / "09.txt").write_text("cough")
    go(source, tmp_path / "j", progress=lambda *place: told.append(place))
    assert told[-1] == (0.5, 9)  # its other half, pairs, has nothing to ask


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    source, journal = notes(tmp_path / "in"), tmp_path / "j"
    whole = go(source, journal)[1]
    content = journal.read_bytes()
    outcome, documents, answerer = go(source, journal)
    assert (outcome.answered, outcome.before, answerer.asked) == (0, 10, [])
    assert documents == whole
    assert journal.read_bytes() == content


def test_an_interrupted_run_goes_on_with_the_same_batches(tmp_path: Path) -> None:
    source, journal = notes(tmp_path / "in"), tmp_path / "j"
    whole, batches = go(source, tmp_path / "whole")[1:]

    class Stopped(Lexicon):
        def run(self, rows: Any, progress: Any = None) -> Any:
            if len(self.batches) == 3:  # in the middle of the second chunk
                raise KeyboardInterrupt
            return super().run(rows, progress)

    with pytest.raises(KeyboardInterrupt):
        go(source, journal, answerer=Stopped(*CARDS))
    outcome, documents, answerer = go(source, journal)
    assert (outcome.answered, outcome.before) == (6, 4)
    assert documents == whole
    assert answerer.batches == batches.batches[2:]
    assert journal.read_bytes() == (tmp_path / "whole").read_bytes()


def test_changed_new_and_missing_notes_are_noticed(tmp_path: Path) -> None:
    source, journal = notes(tmp_path / "in"), tmp_path / "j"
    go(source, journal)
    (source / "03.txt").write_text("heparin")
    (source / "05.txt").unlink()
    (source / "99.txt").write_text("heparin")
    outcome, documents, answerer = go(source, journal)
    assert (outcome.answered, outcome.before, outcome.changed, outcome.gone) == (2, 8, 1, 1)
    assert {request.id for request in answerer.asked} == {"03", "99"}
    by_id = {document.id: document for document in documents}
    assert "05" not in by_id
    assert [one.label for one in by_id["03"].mentions] == ["Drug"]


def test_a_note_that_changes_meanwhile_is_not_given_other_text(tmp_path: Path) -> None:
    source, plan = notes(tmp_path / "in"), plan_of()
    collection = Collection(source, "text")
    journal = NotesJournal(tmp_path / "j", plan.identity(), "now")
    answer_notes(Lexicon(*CARDS), plan, collection, journal)
    (source / "03.txt").write_text(CANARY)
    with pytest.raises(ClinpromptError, match="CP-INF-331") as caught:
        list(results(plan, collection, journal))
    assert CANARY not in str(caught.value)
    journal.close()


def test_errors_concern_single_notes_and_never_quote_them(tmp_path: Path) -> None:
    source = notes(tmp_path / "in", 3)
    (source / "bad.txt").write_bytes(CANARY.encode() + b"\xff")
    (source / "empty.txt").write_text("\n")
    (source / "long.txt").write_text(f"{CANARY} " * 100)
    said: list[ClinpromptError] = []
    for _ in range(2):  # the second run says the same
        said.clear()
        outcome, documents, _ = go(source, tmp_path / "j", reject=said.append)
        assert [error.code for error in said] == [
            "CP-DATA-004",
            "CP-INF-302",
            "CP-INF-006",
            "CP-INF-006",
        ]
        assert len(documents) == 3
        summary = outcome.summary
        assert (summary.notes, summary.answered, summary.complaints) == (6, 3, 3)
        content = json.dumps(summary.to_json(plan_of(), {}, Collection(source, "text").report, {}))
        assert CANARY not in content
        assert not any(CANARY in str(error) for error in said)
        assert [error.get("task") for error in summary.errors] == [
            None,
            None,
            "mentions",
            "summary",
        ]


def test_a_note_that_one_task_could_not_be_asked_about_says_so(tmp_path: Path) -> None:
    class Half(Lexicon):
        def prepare(self, request: Any) -> Any:
            if request.task == "summary":
                raise ClinpromptError("CP-INF-006", "too long")
            return super().prepare(request)

    source = notes(tmp_path / "in", 2)
    outcome, documents, _ = go(source, tmp_path / "j", answerer=Half(*CARDS))
    assert (outcome.summary.answered, outcome.summary.incomplete) == (2, 2)
    assert dict(documents[0].metadata) == {"clinprompt.unanswered": "summary"}
    assert documents[0].mentions


def annotated_notes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.txt").write_text("aspirin for fever, no nausea")
    (folder / "a.ann").write_text(
        "T1\tSign 22 28\tnausea\nT2\tDrug 0 7\taspirin\nA1\tNegation T1\nR1\tyes Arg1:T2 Arg2:T1\n"
    )
    return folder


def test_own_annotations_are_kept_or_not_by_choice(tmp_path: Path) -> None:
    source, journal = annotated_notes(tmp_path / "in"), tmp_path / "j"
    with pytest.raises(ClinpromptError, match="CP-INF-330"):
        go(source, journal, name="brat")
    found = {}
    for existing in ("keep", "mentions", "replace"):
        plan = plan_of(existing=existing)
        outcome, (document,), answerer = go(source, journal, plan, "brat")
        pairs = sum(request.task == "pair" for request in answerer.asked)
        found[existing] = (
            [one.id for one in document.annotations if isinstance(one, (Mention, Attribute))],
            [tuple(a.target for a in one.arguments) for one in document.of(Link)],
            pairs,
            outcome.changed,
        )
    # T1 nausea and T2 aspirin are the note's own; fever is found and becomes T3
    assert found == {
        "keep": (["T1", "T2", "A1", "T3"], [("T2", "T1"), ("T2", "T3")], 2, 0),
        "mentions": (["T1", "T2", "A1", "T3"], [("T2", "T3"), ("T2", "T1")], 0, 0),
        "replace": (["T1", "T2"], [("T1", "T2")], 1, 1),
    }


def test_pairs_are_bounded_and_counted(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text("aspirin " * 5 + "fever " * 5)
    plan = plan_of(max_pairs=7)
    outcome, (document,), _ = go(source, tmp_path / "j", plan)
    assert outcome.summary.tasks["pair"]["pairs_asked"] == 7
    assert outcome.summary.tasks["pair"]["pairs_left_out"] == 18
    assert len(document.links) == 7
