"""Which card is asked, and which prompt of a set stands before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinprompt import verbalize
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card


@dataclass(frozen=True)
class Selection:
    """A task and its prompt.

    Attributes:
        card: what is asked.
        prompt: name of the task in the set whose prompt is used; None for the bare backbone.
    """

    card: Card
    prompt: str | None


def select(
    prompts: PromptSet | None,
    task: str | None,
    *,
    like: str | None = None,
    bare: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Selection:
    """Choose card and prompt.

    A task that the set was trained on is asked with the card kept in the set, so that the
    instruction is the one the prompt knows; a card given by path is taken as it is.

    Args:
        prompts: the set; None is the bare backbone.
        task: name of a task, or path of a card; None where the set has one task only.
        like: name of the set's task whose prompt is used for a task that the set doesn't know.
        bare: use no prompt.
        note: is told where the two cards of one task differ.

    Raises:
        ClinpromptError: CP-INF-021 no task named, CP-INF-022 a task that the prompts were not
            trained on, CP-INF-023 no prompts to take one from, CP-ART-035 the set has no task
            `like`; what `catalogue.find` raises.
    """
    names = [] if prompts is None else prompts.meta.names
    stored = {} if prompts is None else {card.name: card for card in prompts.meta.tasks}
    if task is None:
        if len(names) != 1:
            raise ClinpromptError(
                "CP-INF-021",
                "it is not said which task is meant",
                hint=f"add --task {names[0]} (or {', '.join(names[1:])})"
                if names
                else "add --task NAME",
            )
        task = names[0]
    if task in stored:
        card = stored[task]
        _compare(card, note)
    else:
        card = catalogue.find(task)
        if card.name in stored and _asked(card) != _asked(stored[card.name]):
            note(f"the card in {task} asks otherwise than the one '{card.name}' was trained with")
    if like is not None and (bare or prompts is None):
        raise ClinpromptError("CP-INF-023", f"no prompt is used, so none can be used as '{like}'")
    if bare or prompts is None:
        return Selection(card, None)
    if like is not None:
        prompts.task_prompt(like)  # refuses a task that isn't there
        return Selection(card, like)
    if card.name not in names:
        raise ClinpromptError(
            "CP-INF-022",
            f"these prompts were not trained on task '{card.name}', but on {', '.join(names)}",
            file=prompts.file,
            hint=f"--as {names[0]} tries a prompt of theirs on it",
        )
    return Selection(card, card.name)


def _compare(card: Card, note: Callable[[str], None]) -> None:
    """Tell about a bundled card of the same name that asks otherwise by now."""
    if card.name in catalogue.names():
        bundled = catalogue.find(card.name)
        if _asked(bundled) != _asked(card) or bundled.version != card.version:
            note(
                f"task '{card.name}' is asked as the prompt knows it (card version "
                f"{card.version}); the catalogue has version {bundled.version}"
            )


def _asked(card: Card) -> tuple[object, ...]:
    """What changes how a task is asked and answered."""
    return card.type, card.form, verbalize.instruction(card), card.labels, card.arguments
