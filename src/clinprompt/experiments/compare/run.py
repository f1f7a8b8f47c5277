"""A whole comparison: what is planned, what is done already, and the rest, cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from clinprompt.artifacts.meta import library_versions
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import Cell, Comparison, Planned, read_cell
from clinprompt.experiments.compare.checks import check
from clinprompt.experiments.compare.plan import CellPlan, Plan
from clinprompt.experiments.compare.recipe import CompareRecipe, NamedBackbone
from clinprompt.experiments.compare.resolve import resolve
from clinprompt.experiments.compare.running import run_cell
from clinprompt.experiments.compare.world import World
from clinprompt.training.loop import Interrupted
from clinprompt.training.prepare import Prepared


class Unfit(Exception):  # noqa: N818 - a list of errors
    """A recipe that can't run: everything that is wrong with it."""

    def __init__(self, complaints: Sequence[ClinpromptError]) -> None:
        self.complaints = list(complaints)
        super().__init__("; ".join(str(one) for one in complaints))


def planned(
    recipe: CompareRecipe,
    out: Path,
    data_root: Path | None,
    say: Callable[[str], None],
    prepared: dict[str, Prepared] | None = None,
) -> World:
    """A recipe's plan, checked as a whole, ready to be run; nothing is run or written yet.

    Args:
        out: folder of the comparison.
        prepared: backbones that are loaded already, by id.

    Raises:
        Unfit: names that are unknown, cells that can't run, finished cells of another
            configuration in `out`: all of it.
    """
    plan, complaints = resolve(recipe)
    world = World(plan, data_root, out, say, prepared_of=dict(prepared or {}))
    complaints += check(world)
    if not complaints:
        plan.fill()
        complaints = _of_another(plan, out)
    if complaints:
        raise Unfit(complaints)
    return world


def _of_another(plan: Plan, out: Path) -> list[ClinpromptError]:
    """Cells in the folder whose configuration is not the recipe's."""
    changed: dict[str, list[str]] = {}
    for one in plan.cells:
        found = read_cell(one.key.folder(out))
        if found is not None and found.status == "done" and found.identity != one.identity:
            new, old = one.configuration, found.configuration
            keys = sorted(k for k in {*new, *old} if new.get(k) != old.get(k))
            changed.setdefault(", ".join(keys), []).append(found.id)
    return [
        ClinpromptError(
            "CP-EXP-113",
            f"{len(ids)} finished cells were made with another configuration ({keys}), such as "
            f"{ids[0]}",
            file=out,
            hint="compare into a new folder, or delete these cells",
        )
        for keys, ids in changed.items()
    ]


def compare(world: World, *, only: Sequence[str] = ()) -> list[Cell]:
    """Run every planned cell that is not done, one after another.

    Args:
        world: of `planned`.
        only: patterns of cell ids (``*`` for anything); no others are run.

    Returns:
        All cells of the plan that are there now, in its order.

    Raises:
        Interrupted: it was asked to stop; the same call goes on.
    """
    cells = begin(world, only)
    for backbone in to_train(world.plan, cells):
        world.train(backbone)
    for number, one in enumerate(cells, 1):
        if world.should_stop():
            raise Interrupted(f"cell {number} of {len(cells)}")
        world.say(f"cell {number} of {len(cells)}: {one.key.id}")
        world.say(line_of(run_cell(world, one)))
    return finished(world.plan, world.out)


def begin(world: World, only: Sequence[str]) -> list[CellPlan]:
    """Write down the plan and the metaprompts that are there; the chosen cells still to be run."""
    plan = world.plan
    write_plan(plan, world.out)
    for backbone in plan.recipe.backbones:
        source = plan.sources[backbone.id]
        if source.metaprompt is not None and source.file is not None:
            world.record(backbone, source.metaprompt, source.file, None)
    cells = waiting(plan, world.out, only)
    done = len(chosen(plan, only)) - len(cells)
    if done:
        world.say(f"{done} cells are done already")
    return cells


def to_train(plan: Plan, cells: Sequence[CellPlan]) -> list[NamedBackbone]:
    """The backbones that one of the cells needs a metaprompt for, where it has to be trained."""
    return [
        backbone
        for backbone in plan.recipe.backbones
        if plan.sources[backbone.id].recipe is not None
        and any(
            one.unit.backbone.id == backbone.id
            and one.unit.entry.method.needs_metaprompt
            and getattr(one.unit.entry.settings, "metaprompt", None) is None
            for one in cells
        )
    ]


def chosen(plan: Plan, only: Sequence[str]) -> list[CellPlan]:
    """The cells that the patterns name; all without patterns."""
    if not only:
        return list(plan.cells)
    return [one for one in plan.cells if any(fnmatchcase(one.key.id, p) for p in only)]


def waiting(plan: Plan, out: Path, only: Sequence[str]) -> list[CellPlan]:
    """The chosen cells that are not done."""
    found = []
    for one in chosen(plan, only):
        cell = read_cell(one.key.folder(out))
        if cell is None or cell.status != "done":
            found.append(one)
    return found


def finished(plan: Plan, out: Path) -> list[Cell]:
    """The cells that are there, done or failed."""
    found = (read_cell(one.key.folder(out)) for one in plan.cells)
    return [cell for cell in found if cell is not None]


def write_plan(plan: Plan, out: Path) -> None:
    """Write ``compare.json``."""
    Comparison(
        name=plan.recipe.name,
        recipe=plan.recipe.model_dump(mode="json"),
        cells=[
            Planned(
                id=one.key.id,
                identity=one.identity,
                key=one.key,
                title=one.unit.entry.title,
                task_type=one.card.type,
                metric=one.card.metric,
            )
            for one in plan.cells
        ],
        targets=[
            {
                "name": card.name,
                "title": card.title,
                "type": card.type,
                "form": card.form,
                "metric": card.metric,
            }
            for card in plan.cards
        ],
        methods=[
            {"id": one.id, "name": one.method.name, "title": one.title} for one in plan.entries
        ],
        backbones={one.id: one.model_dump(mode="json") for one in plan.recipe.backbones},
        versions=library_versions(),
    ).write(out)


def line_of(cell: Cell) -> str:
    """One line of what became of a cell."""
    if cell.main is None or cell.status != "done":
        return f"  failed: {'' if cell.reason is None else cell.reason.message}"
    main, cost = cell.main, cell.cost
    dev = "" if cell.dev.loss is None else f", dev loss {cell.dev.loss:.3f}"
    dev += "" if cell.dev.score is None else f", dev score {cell.dev.score:.1f}"
    return (
        f"  {main.metric} {main.value:.1f} ({main.low:.1f} to {main.high:.1f}){dev}, "
        f"{cost.tuning_seconds + cost.train_seconds:.0f} s training, "
        f"{cost.evaluate_seconds:.0f} s answers"
    )
