"""The other half of ``clinprompt predict``: a folder of notes to a folder of annotated ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from clinprompt.cli import answering, collections
from clinprompt.cli.output import note, number
from clinprompt.cli.runtime import set_up

if TYPE_CHECKING:
    from clinprompt.inference.notes.collection import Collection
    from clinprompt.inference.notes.journal import NotesJournal
    from clinprompt.inference.notes.pairs import Kinds
    from clinprompt.inference.notes.plan import Plan
    from clinprompt.inference.notes.run import Outcome
    from clinprompt.inference.requests import PredictorSettings
    from clinprompt.tasks.card import Card

JOURNAL, REPORT = "journal.jsonl", "report.json"
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_FLAGS = {
    "pairs_left_out": "pairs of mentions left out (--max-pairs)",
    "truncated": "texts with their end left out",
    "windowed": "texts read in windows",
    "unfinished": "unfinished answers",
    "dropped": "mentions and relations below the threshold",
    "unaligned": "mentions not found in their text",
    "unparsable": "lines or answers that could not be read",
}


@dataclass(frozen=True)
class Options:
    """What may be said about notes; None where nothing is said."""

    from_: str | None
    to: str | None
    existing: Literal["keep", "mentions", "replace"] | None
    question: list[str] | None
    pairs: list[str] | None
    max_pairs: int | None
    encoding: str | None
    offsets: Literal["characters", "bytes"] | None
    mismatch: Literal["refuse", "realign"] | None
    note_ids: Literal["refuse", "number"] | None


def wanted(source: str, options: Options) -> bool:
    """Whether the input is notes: a folder, an archive, or whatever a format is named for."""
    named = options.from_ is not None or options.to is not None
    return named or Path(source).is_dir() or source.lower().endswith(_ARCHIVES)


def refuse_options(source: str, options: Options) -> None:
    """Refuse, for JSON lines, what can only be said about notes.

    Raises:
        ClinpromptError: CP-CLI-161.
    """
    from clinprompt.errors import ClinpromptError

    given = [name.rstrip("_") for name, value in asdict(options).items() if value]
    if given:
        raise ClinpromptError(
            "CP-CLI-161",
            f"'{source}' is read as JSON lines, for which --{given[0].replace('_', '-')} has no "
            "meaning",
            hint="for notes in one file, name their format with --from",
        )


def run(
    prompt_dirs: Sequence[Path],
    source: str,
    target: str,
    task: str | None,
    options: Options,
    loading: answering.Loading,
    settings: PredictorSettings,
    chunk: int | None,
    overwrite: bool,
) -> None:
    """Annotate the notes, write them in every format, and report."""
    from clinprompt.inference.notes.collection import Collection
    from clinprompt.inference.notes.journal import NotesJournal
    from clinprompt.inference.notes.outputs import check_formats
    from clinprompt.inference.notes.plan import MAX_PAIRS, make_plan
    from clinprompt.inference.predict import made_by_of

    names = check_formats((options.to or "jsonl").split(","))
    out = Path(target)
    _check_places(source, target, names, overwrite)
    reading = collections.read_options(
        options.encoding or "utf-8",
        options.offsets or "characters",
        options.mismatch or "refuse",
    )
    read_as = collections.source_format(Path(source), options.from_)
    collection = Collection(Path(source), read_as, reading)
    tasks = None if task is None else [name.strip() for name in task.split(",") if name.strip()]
    chosen = answering.load_prompts(prompt_dirs, tasks)
    cards = chosen.cards
    plan = make_plan(
        cards,
        questions=_questions(options.question or [], cards),
        kinds=_kinds(options.pairs or []),
        existing=options.existing,
        max_pairs=options.max_pairs or MAX_PAIRS,
    )
    for name, why in plan.unasked.items():
        note(f"task '{name}' is not asked: {why}")
    set_up(loading.threads)
    predictor = chosen.predictor(loading.prepare(chosen), settings)
    made_by = {
        "prompts": {name: chosen.digests()[name] for name in plan.cards},
        "settings": made_by_of(predictor, chosen.digest).settings,
    }
    out.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    journal = NotesJournal(out / JOURNAL, {**plan.identity(), **made_by}, now, overwrite=overwrite)
    (out / REPORT).unlink(missing_ok=True)  # what it says is about to be wrong
    try:
        outcome = _answer(predictor, plan, collection, journal, chunk)
        written = _write(names, out, plan, collection, journal, chosen.digest, options)
    except KeyboardInterrupt:
        note("stopped; the same command goes on from here")
        raise
    finally:
        journal.close()
    _report(out, outcome, plan, made_by | {"artefact": chosen.digest}, collection, written)
    failed = [name for name, found in written.items() if "errors" in found]
    if outcome.summary.complaints or failed:
        raise typer.Exit(1)


def _answer(
    predictor: Any,
    plan: Plan,
    collection: Collection,
    journal: NotesJournal,
    chunk: int | None,
) -> Outcome:
    from clinprompt.inference.notes.run import CHUNK, answer_notes

    meter = answering.Meter("notes")

    def progress(done: float, passed: int) -> None:
        total = None if collection.size is None else collection.size - passed
        meter(int(done), None if total is None or total < done else total)

    outcome = answer_notes(
        predictor,
        plan,
        collection,
        journal,
        chunk=chunk or CHUNK,
        reject=lambda error: note(str(error)),
        progress=progress,
    )
    if outcome.before:
        note(f"{number(outcome.before)} notes had been answered before")
    if outcome.changed:
        note(f"{number(outcome.changed)} notes were changed since, and asked again")
    if outcome.gone:
        note(f"{number(outcome.gone)} notes answered before are not there any more: left out")
    note(f"{number(outcome.answered)} notes answered in {meter.taken(outcome.answered)}")
    return outcome


def _write(
    names: Sequence[str],
    out: Path,
    plan: Plan,
    collection: Collection,
    journal: NotesJournal,
    digest: str,
    options: Options,
) -> dict[str, Any]:
    from clinprompt.documents.formats import WriteOptions
    from clinprompt.inference.notes.outputs import place_of, write_format
    from clinprompt.inference.notes.run import results

    writing = WriteOptions(
        artefact=digest,
        made=datetime.fromisoformat(journal.made),
        note_ids=options.note_ids or "refuse",
    )
    written = {}
    for name in names:
        found = write_format(name, out, lambda: results(plan, collection, journal), writing)
        written[name] = found
        if errors := found.get("errors"):
            first = errors[0]
            hint = f"; {first['hint']}" if "hint" in first else ""
            note(
                f"{number(len(errors))} notes could not be written as {name}, the first for: "
                f"[{first['code']}] {first['message']}{hint}"
            )
        if found["written"] or not errors:
            note(f"{number(found['written'])} notes written to {place_of(out, name)}")
        for reason, count in found["left_out"].items():
            note(f"  {number(count)} {reason}")
    return written


def _report(
    out: Path,
    outcome: Outcome,
    plan: Plan,
    made_by: Mapping[str, Any],
    collection: Collection,
    written: Mapping[str, Any],
) -> None:
    from clinprompt.inference.writing import write_atomically

    summary = outcome.summary
    for name, what in _FLAGS.items():
        if summary.total(name):
            note(f"{number(summary.total(name))} {what}")
    if summary.complaints:
        note(
            f"{number(summary.complaints)} notes could not be read, or not asked everything: see "
            f"{out / REPORT}"
        )
    content = summary.to_json(plan, made_by, collection.report, written)
    write_atomically(out / REPORT, [json.dumps(content, indent=2, ensure_ascii=False), "\n"])


def _check_places(source: str, target: str, names: Sequence[str], overwrite: bool) -> None:
    """Refuse what can't be read or written, and output among the input or over foreign files.

    Raises:
        ClinpromptError: CP-CLI-162 no file or folder is named, CP-CLI-163 input and output lie in
            each other, CP-CLI-164 the output folder holds files that are not of an earlier run.
    """
    from clinprompt.errors import ClinpromptError

    out = Path(target)
    if source == "-" or target == "-" or (out.exists() and not out.is_dir()):
        raise ClinpromptError(
            "CP-CLI-162", "notes are read from a file or folder and written to a folder"
        )
    if not Path(source).exists():
        return  # reading says so
    places = [out / name for name in (*names, JOURNAL, REPORT)]
    inside, from_ = out.resolve(), Path(source).resolve()
    if inside.is_relative_to(from_) or any(from_.is_relative_to(p.resolve()) for p in places):
        raise ClinpromptError(
            "CP-CLI-163", "notes would be written among those that are read", file=out
        )
    there = [place for place in places if place.exists()]
    if there and not overwrite and not (out / JOURNAL).exists():
        raise ClinpromptError(
            "CP-CLI-164",
            "stands there already and is not of an earlier run",
            file=there[0],
            hint="choose another output folder, or replace it with --overwrite",
        )


def _questions(given: Sequence[str], cards: Mapping[str, Card]) -> dict[str, str]:
    """Questions by task.

    Raises:
        ClinpromptError: CP-CLI-165 it is not said which task's question it is, or there are two.
    """
    from clinprompt.errors import ClinpromptError
    from clinprompt.inference.notes.plan import question_field

    asking = [name for name, card in cards.items() if card.type in ("qa", "nli")]
    asking = asking or [name for name, card in cards.items() if question_field(card)]
    found: dict[str, str] = {}
    for text in given:
        name, equals, question = text.partition("=")
        if not equals or name not in cards:
            name, question = asking[0] if len(asking) == 1 else "", text
        if not name or name in found or not question.strip():
            raise ClinpromptError(
                "CP-CLI-165",
                "--question: each needs one task that takes it, and a text",
                hint=f"write TASK=TEXT; tasks: {', '.join(asking) or 'none takes a question'}",
            )
        found[name] = question.strip()
    return found


def _kinds(given: Sequence[str]) -> dict[str, Kinds]:
    """Labels of heads and tails by task.

    Raises:
        ClinpromptError: CP-CLI-166 not written as TASK=HEAD:TAIL.
    """
    from clinprompt.errors import ClinpromptError

    found: dict[str, Kinds] = {}
    for text in given:
        name, _, labels = text.partition("=")
        head, _, tail = labels.partition(":")
        if not (name.strip() and head.strip() and tail.strip()):
            raise ClinpromptError(
                "CP-CLI-166", f"--pairs: '{text}' is not written as TASK=HEAD:TAIL"
            )
        kinds = found.get(name.strip(), frozenset())
        found[name.strip()] = kinds | {(head.strip(), tail.strip())}
    return found
