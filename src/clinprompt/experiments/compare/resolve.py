"""From names in a recipe to cards, methods and metaprompts; complaints are collected."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clinprompt import metaprompts, recipes
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.experiments.compare.methods import METHODS, Entry
from clinprompt.experiments.compare.plan import Plan, SourcePlan
from clinprompt.experiments.compare.recipe import ID, CompareRecipe, NamedBackbone
from clinprompt.tasks import catalogue
from clinprompt.tasks.card import Card
from clinprompt.tasks.suite import find_suite
from clinprompt.training.settings import Recipe, judged_by, load_settings
from clinprompt.training.source import source_cards

Complaints = list[ClinpromptError]


def resolve(recipe: CompareRecipe) -> tuple[Plan, Complaints]:
    """The plan, as far as it can be made, and everything that is wrong with the recipe's names."""
    complaints: Complaints = []
    cards = _targets(recipe, complaints)
    entries = _methods(recipe, complaints)
    sources = {one.id: _source(recipe, one, complaints) for one in recipe.backbones}
    plan = Plan(recipe, cards, entries, sources)
    for entry in entries:
        path = getattr(entry.settings, "metaprompt", None)
        if path is not None:
            for one in recipe.backbones:
                plan.own[one.id, path] = _finished(path, complaints)
    return plan, complaints


def _targets(recipe: CompareRecipe, complaints: Complaints) -> list[Card]:
    cards: list[Card] = []
    names = list(recipe.targets)
    if not names and recipe.suite is not None:
        try:
            cards = list(find_suite(recipe.suite).targets)
        except ClinpromptError as error:
            complaints.append(error)
            return []
    for name in names:
        try:
            cards.append(catalogue.find(name))
        except ClinpromptError as error:
            complaints.append(error)
    if not cards and not complaints:
        complaints.append(
            ClinpromptError(
                "CP-EXP-102",
                "the recipe names no target",
                hint="name a suite with targets, or tasks under 'targets'",
            )
        )
    known = [card.name for card in cards]
    for name in sorted({name for name in known if known.count(name) > 1}):
        complaints.append(ClinpromptError("CP-EXP-103", f"target '{name}' is named twice"))
    for name in recipe.tuning.targets:
        if name not in known:
            complaints.append(
                ClinpromptError(
                    "CP-EXP-104",
                    f"tuning.targets: '{name}' is no target of this comparison",
                    hint=did_you_mean(name, known),
                )
            )
    tried = [card for card in cards if card.name in recipe.tuning.targets]
    if len({judged_by(recipe.training.select, [card]) for card in tried}) > 1:
        complaints.append(
            ClinpromptError(
                "CP-EXP-133",
                "tuning.targets has targets that answer with lists and others: with "
                "training.select=by-form the metric judges those and the loss these, and no mean "
                f"of both says which rates are best: {', '.join(card.name for card in tried)}",
                hint="name targets of one kind, or leave tuning.targets out: each has its own then",
            )
        )
    return list({card.name: card for card in cards}.values())


def _methods(recipe: CompareRecipe, complaints: Complaints) -> list[Entry]:
    entries = []
    for given in recipe.methods:
        fields: dict[str, Any] = {"name": given} if isinstance(given, str) else dict(given)
        name = str(fields.pop("name", ""))
        method = METHODS.get(name)
        if method is None:
            complaints.append(
                ClinpromptError(
                    "CP-EXP-105",
                    f"unknown method '{name}'" if name else "a method without a name",
                    hint=did_you_mean(name, METHODS),
                )
            )
            continue
        try:
            entries.append(Entry(method, method.settings.model_validate(fields)))
        except ValidationError as error:
            for wrong in error.errors():
                where = ".".join(str(part) for part in wrong["loc"])
                known = method.settings.model_fields
                unknown = wrong["type"] == "extra_forbidden"
                complaints.append(
                    ClinpromptError(
                        "CP-EXP-106",
                        f"method '{name}': {where}: "
                        + ("no such setting" if unknown else str(wrong["msg"])),
                        hint=did_you_mean(where, known) if unknown else None,
                    )
                )
    ids = [entry.id for entry in entries]
    for one in sorted({one for one in ids if ids.count(one) > 1}):
        complaints.append(
            ClinpromptError(
                "CP-EXP-107", f"two methods have the id '{one}'", hint="give them an 'id' each"
            )
        )
    for entry in entries:
        if not re.match(ID, entry.id):
            complaints.append(
                ClinpromptError("CP-EXP-108", f"method id '{entry.id}' can't name a folder")
            )
    complaints += _grids(recipe, entries)
    return entries


def _grids(recipe: CompareRecipe, entries: list[Entry]) -> Complaints:
    """Every trained method needs a grid of its own groups, and all grids are of one size."""
    found: Complaints = []
    sizes = {}
    for entry in entries:
        groups = set(entry.method.rates(entry.settings))
        rates = entry.settings.rates
        if groups:
            sizes[entry.id] = len(rates)
        for rate in rates:
            if set(rate) != groups or any(value <= 0 for value in rate.values()):
                needs = f"positive rates for {', '.join(sorted(groups))}" if groups else "no rates"
                found.append(
                    ClinpromptError(
                        "CP-EXP-109",
                        f"method '{entry.id}' takes {needs}, and its grid has {rate or 'nothing'}",
                        hint="such as rates: [{"
                        + ", ".join(f"{group}: 0.1" for group in sorted(groups))
                        + "}]",
                    )
                )
    for name in sorted(name for name, size in sizes.items() if not size):
        found.append(
            ClinpromptError("CP-EXP-110", f"method '{name}' has no learning rates ('rates')")
        )
    if len({size for size in sizes.values() if size}) > 1 and recipe.tuning.when != "off":
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        found.append(
            ClinpromptError(
                "CP-EXP-111",
                f"methods have grids of different sizes ({listed})",
                hint="give every method the same number of tries, or set tuning.when=off",
            )
        )
    return found


def _source(recipe: CompareRecipe, backbone: NamedBackbone, complaints: Complaints) -> SourcePlan:
    given = recipe.source
    path = given.metaprompt
    if isinstance(path, dict):
        path = path.get(backbone.id)
    if path is not None:
        return _finished(path, complaints)
    if given.recipe is None:
        return SourcePlan()
    try:
        # JSON is YAML.
        changes = [f"{key}={json.dumps(value)}" for key, value in given.changes.items()]
        source = load_settings(Recipe, recipes.find(given.recipe), changes)
        source = source.model_copy(update={"backbone": backbone.settings})
        source_cards(source)
    except ClinpromptError as error:
        complaints.append(error)
        return SourcePlan()
    return SourcePlan(recipe=source)


def _finished(path: Path, complaints: Complaints) -> SourcePlan:
    try:
        found = PromptSet.load(metaprompts.find(path))
    except ClinpromptError as error:
        complaints.append(error)
        return SourcePlan()
    if found.meta.form != "decomposed":
        complaints.append(
            ClinpromptError(
                "CP-EXP-112",
                f"a '{found.meta.kind}' set of form '{found.meta.form}' is no metaprompt to "
                "compare",
                file=path,
                hint="name a result of 'clinprompt train'",
            )
        )
        return SourcePlan()
    return SourcePlan(file=path, metaprompt=found)
