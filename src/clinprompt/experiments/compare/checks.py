"""What can't run, found before anything does: all of it, not the first."""

from __future__ import annotations

from functools import partial
from typing import Any

from clinprompt import verbalize
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.model import locate
from clinprompt.backbone.template import Template, choose_template
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example
from clinprompt.experiments.compare.cell import Shots
from clinprompt.experiments.compare.methods.base import Outline
from clinprompt.experiments.compare.plan import Plan
from clinprompt.experiments.compare.recipe import NamedBackbone
from clinprompt.experiments.compare.world import World
from clinprompt.inference.grounding import Grounder
from clinprompt.inference.label_bias import counts_labels_alike
from clinprompt.tasks.card import Card
from clinprompt.training.data import tokenise

Complaints = list[ClinpromptError]


def check(world: World) -> Complaints:
    """Everything that is wrong with a plan, beyond its names. Data are read, weights are not."""
    plan = world.plan
    found = _sources(plan) + _steps(plan)
    cards = _data(world, found)
    for backbone in plan.recipe.backbones:
        try:
            outline = _outline(world, backbone, cards)
        except ClinpromptError as error:
            found.append(error)
            continue
        found += _context(plan, backbone, outline) + _grounded(plan, outline)
        for entry in plan.entries:
            found += entry.method.complaints(entry, outline)
        found += _rows(plan, outline)
    return list({str(one): one for one in found}.values())


def _sources(plan: Plan) -> Complaints:
    """Methods without the metaprompt they need; targets that it was learned from."""
    found: Complaints = []
    for backbone in plan.recipe.backbones:
        for entry in plan.entries:
            if not entry.method.needs_metaprompt:
                continue
            own = getattr(entry.settings, "metaprompt", None)
            source = plan.sources[backbone.id] if own is None else plan.own[backbone.id, own]
            if source.metaprompt is None and source.recipe is None:
                found.append(
                    ClinpromptError(
                        "CP-EXP-114",
                        f"method '{entry.id}' needs a metaprompt, and there is none for backbone "
                        f"'{backbone.id}'",
                        hint="set source.recipe (such as open-cpu) or source.metaprompt (a folder)",
                    )
                )
            elif source.placement not in entry.method.placements:
                found.append(
                    ClinpromptError(
                        "CP-EXP-127",
                        f"method '{entry.id}' can't use a metaprompt with placement "
                        f"'{source.placement}'",
                        hint=f"one with placement {', '.join(entry.method.placements)} is needed",
                    )
                )
            both = sorted(set(source.tasks) & {card.name for card in plan.cards})
            if both:
                found.append(
                    ClinpromptError(
                        "CP-EXP-115",
                        f"method '{entry.id}': the metaprompt was learned from "
                        f"{', '.join(both)}: no held-out target",
                        hint="leave these targets out, or use another metaprompt",
                    )
                )
    return found


def _shots(plan: Plan, *, trained: bool = False) -> list[Shots]:
    """All numbers of shots that some (trained) method has cells at, above 0."""
    asked = plan.recipe.shots
    entries = [one for one in plan.entries if one.method.groups or not trained]
    found = (one for e in entries for one in e.method.shots(e.settings, asked))
    return [one for one in dict.fromkeys(found) if one != 0]


def _steps(plan: Plan) -> Complaints:
    return [
        ClinpromptError(
            "CP-EXP-116",
            f"training.steps does not say how many at {shots} shots",
            hint=f"add {shots}: such as {{{shots}: 100}}, or give one number for all",
        )
        for shots in _shots(plan, trained=True)
        if plan.recipe.training.steps_at(shots) is None
    ]


def _data(world: World, found: Complaints) -> tuple[Card, ...]:
    """Targets whose data can be read and have enough examples."""
    fine = []
    for card in world.plan.cards:
        try:
            world.data(card)
        except ClinpromptError as error:
            found.append(error)
            continue
        fine.append(card)
        found += _balance(world, card)
        for shots in _shots(world.plan):
            try:
                world.splits(card, shots, world.plan.recipe.seeds[0], trains=True)
            except ClinpromptError as error:
                found.append(error)
                if card in fine:
                    fine.remove(card)
    return tuple(fine)


def _balance(world: World, card: Card) -> Complaints:
    """Too few dev texts to balance a target's labels over."""
    recipe = world.plan.recipe
    if not (recipe.evaluation.balance and counts_labels_alike(card)):
        return []
    texts = min(recipe.data.dev_examples, len(world.data(card).splits["dev"]))
    if texts >= len(card.labels):
        return []
    return [
        ClinpromptError(
            "CP-EXP-126",
            f"the {len(card.labels)} labels of target '{card.name}' can't be balanced over {texts} "
            "dev examples",
            hint="set data.dev_examples to some 10 for each label, or evaluation.balance=false",
        )
    ]


def _grounded(plan: Plan, outline: Outline) -> Complaints:
    """Answers that can't be held to their texts with this tokenizer, or without llguidance."""
    if not plan.recipe.evaluation.grounded:
        return []
    try:
        Grounder(outline.codec, len(outline.codec.tokenizer))
    except ClinpromptError as error:
        return [error]
    return []


def _outline(world: World, backbone: NamedBackbone, cards: tuple[Card, ...]) -> Outline:
    """A backbone's tokenizer and shape; from the loaded one where it is there."""
    plan = world.plan
    given = plan.sources[backbone.id].metaprompt
    ready = world.prepared_of.get(backbone.id)
    if ready is not None:
        model, codec, context = ready.backbone.model, ready.codec, ready.backbone.context_length
    else:
        model, codec, context = _shape(backbone, None if given is None else given.meta.template)
    head = model.get_output_embeddings()
    return Outline(
        recipe=plan.recipe,
        codec=codec,
        context=context,
        layers=tuple(
            name for name, module in model.named_modules() if _linear(module) and module is not head
        ),
        cards=cards,
        splits=partial(_splits, world),
    )


def _splits(world: World, card: Card, shots: Shots, seed: int) -> dict[str, list[Example]]:
    return world.splits(card, shots, seed, trains=False)


def _linear(module: Any) -> bool:
    from torch import nn

    return isinstance(module, nn.Linear)


def _shape(backbone: NamedBackbone, template: Template | None) -> tuple[Any, Codec, int]:
    """A model without weights, a codec and the context's length.

    Raises:
        ClinpromptError: CP-EXP-119 what can't be read; as `locate` and the template's choice.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    place = locate(backbone.name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        config = AutoConfig.from_pretrained(place)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except Exception as error:  # each library has its own errors for files it can't read
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ClinpromptError(
            "CP-EXP-119", f"backbone '{backbone.id}' can't be read ({first})"
        ) from error
    codec = Codec(tokenizer, template or choose_template(tokenizer, backbone.template))
    return model, codec, int(config.get_text_config().max_position_embeddings)


def _context(plan: Plan, backbone: NamedBackbone, outline: Outline) -> Complaints:
    """Methods that leave no room for the longest input and answer."""
    found: Complaints = []
    evaluation = plan.recipe.evaluation
    wanted = (evaluation.max_input or plan.recipe.data.max_tokens) + (evaluation.max_new or 1)
    for entry in plan.entries:
        length = plan.sources[backbone.id].length
        tokens = entry.method.context_tokens(entry.settings, plan.recipe, length)
        for card in plan.cards:
            fixed = len(outline.codec.fixed(verbalize.instruction(card)))
            left = outline.context - fixed - tokens
            if left < wanted:
                found.append(
                    ClinpromptError(
                        "CP-EXP-117",
                        f"method '{entry.id}', task '{card.name}': instruction and prompt take "
                        f"{fixed + tokens} of the context's {outline.context} tokens; input and "
                        f"answer may have {wanted} and have room for {max(0, left)}",
                        hint="lower evaluation.max_input or max_new, or the prompt's length",
                    )
                )
    return found


def _rows(plan: Plan, outline: Outline) -> Complaints:
    """Training examples that are refused as too long, or none left of them."""
    found: Complaints = []
    data = plan.recipe.data
    for card in outline.cards:
        for shots in _shots(plan, trained=True):
            for seed in plan.recipe.seeds[: 1 if shots == "full" else None]:
                try:
                    tokenise(
                        outline.codec,
                        card,
                        outline.splits(card, shots, seed),
                        max_tokens=data.max_tokens,
                        long_inputs=data.long_inputs,
                        context=outline.context,
                        prompt_length=0,
                    )
                except ClinpromptError as error:
                    found.append(error)
    return found
