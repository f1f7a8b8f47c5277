"""``clinprompt tasks preview``: examples as the backbone will see them, with the typed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clinprompt.cli.options import AsJson, CardName, DataRoot
from clinprompt.cli.output import heading, print_json, print_table

if TYPE_CHECKING:
    from clinprompt.examples import Example
    from clinprompt.tasks.card import Card


def preview(
    name: CardName,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "train",
    limit: Annotated[int, typer.Option(min=1, help="How many examples.")] = 3,
    seed: Annotated[
        int | None,
        typer.Option(help="Show what `--shots LIMIT` with this seed picks, not the first ones."),
    ] = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Show examples as the backbone will see them, with the typed answer.

    Prints the text of the data.
    """
    from clinprompt.tasks import catalogue
    from clinprompt.tasks.loading import load, resolve_data_root
    from clinprompt.tasks.shots import few_shot

    card = catalogue.find(name)
    data = load(card, resolve_data_root(data_root), splits=(split,))
    examples = next(iter(data.splits.values()))
    chosen = examples[:limit] if seed is None else few_shot(examples, limit, seed)
    views = [as_seen(card, example) for example in chosen]
    if as_json:
        print_json(views)
        return
    for view in views:
        heading(f"{card.name} {split}: {view['id']} (document {view['document']})")
        print(view["instruction"])
        print(view["input"])
        heading("answer to write")
        print(view["answer"])
        if "options" in view:
            print(f"(one of: {' | '.join(view['options'])})")
        heading("typed answer")
        print_table(("what", "characters", "covered text"), view["typed"])


def as_seen(card: Card, example: Example) -> dict[str, Any]:
    """An example as text to text, with its typed answer row by row."""
    from clinprompt import verbalize

    assert example.answer is not None  # loading refuses examples without an answer
    view: dict[str, Any] = {
        "id": example.id,
        "document": example.document,
        "instruction": verbalize.instruction(card),
        "input": verbalize.input_text(card, example.input),
        "answer": verbalize.answer_text(card, example.input, example.answer),
        "typed": typed_rows(example),
    }
    if card.closed:
        view["options"] = [text for _, text in verbalize.options(card, example.input)]
    return view


def typed_rows(example: Example) -> list[tuple[str, str, str]]:
    """The typed answer as rows of (what, characters, covered text)."""
    from clinprompt.examples import (
        EntityAnswer,
        LabelAnswer,
        RelationAnswer,
        SpanAnswer,
        TextAnswer,
        source_text,
    )

    text = source_text(example.input)

    def characters(spans: tuple[tuple[int, int], ...]) -> str:
        return ", ".join(f"{start}-{end}" for start, end in spans)

    match example.answer:
        case LabelAnswer(label=label):
            choices = getattr(example.input, "choices", ())
            covered = choices[ord(label) - ord("A")] if choices else ""
            rows = [(f"label {label}", "", covered)]
        case EntityAnswer(entities=entities):
            rows = [(e.label, characters(e.spans), e.surface(text)) for e in entities]
        case RelationAnswer(relations=relations):
            rows = [
                (f"{r.label} {role}", characters(e.spans), e.surface(text))
                for r in relations
                for role, e in (("head", r.head), ("tail", r.tail))
            ]
        case SpanAnswer(spans=spans):
            rows = [("span", characters((span,)), text[span[0] : span[1]]) for span in spans]
        case TextAnswer(text=answer, references=references):
            size = f"{len(answer)} long"
            return [("text", size, f"{len(references)} further references" if references else "")]
        case _:
            rows = []
    return rows or [("nothing", "", "")]
