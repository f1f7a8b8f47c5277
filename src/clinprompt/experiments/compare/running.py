"""One cell, from its plan to its file."""

from __future__ import annotations

import shutil
import traceback
from datetime import UTC, datetime
from typing import Any

from clinprompt.artifacts.meta import library_versions
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare import hardware
from clinprompt.experiments.compare.cell import (
    PREDICTIONS_FILE,
    WEIGHTS,
    Cell,
    Cost,
    Dev,
    Main,
    Parameters,
    Point,
    Reason,
)
from clinprompt.experiments.compare.fitting import Tried, clear, folder_of, rates_of, tried
from clinprompt.experiments.compare.methods.base import Given, Job, predictor_settings
from clinprompt.experiments.compare.plan import CellPlan
from clinprompt.experiments.compare.tuning import Choice, choose
from clinprompt.experiments.compare.world import World
from clinprompt.inference.evaluate import Evaluation, evaluate, sample
from clinprompt.inference.label_bias import counts_labels_alike, measured_bias
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.writing import write_atomically
from clinprompt.training.loop import Interrupted


def blank(plan: CellPlan) -> Cell:
    """A cell of which nothing is known yet; as it is, it counts as failed."""
    return Cell(
        id=plan.key.id,
        identity=plan.identity,
        key=plan.key,
        title=plan.unit.entry.title,
        task_type=plan.card.type,
        form=plan.card.form,
        status="failed",
        configuration=plan.configuration,
        versions=_versions(plan),
        tuned_on=[one for unit in plan.tuned_on for one in unit.ids],
        started=_now(),
    )


def run_cell(world: World, plan: CellPlan) -> Cell:
    """Fit, answer, score, and write the cell's folder; a failure is written down, too.

    Raises:
        Interrupted: it was asked to stop; the cell is not written, what is done of it stays.
    """
    cell = blank(plan)
    folder = plan.key.folder(world.out)
    shutil.rmtree(folder, ignore_errors=True)  # of a failed or stopped run of the cell
    folder.mkdir(parents=True)
    try:
        cell.hardware = hardware.describe(world.prepared(plan.unit.backbone).backbone.device)
        _fill(world, plan, cell)
        cell.status = "done"
    except Interrupted:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except ClinpromptError as error:
        cell.reason = Reason(code=error.code, message=str(error))
    except OSError as error:
        cell.reason = Reason(code="", message=f"{type(error).__name__}: {error.strerror}")
    except Exception as error:
        # Its text may quote a note; where it was raised may not.
        cell.reason = Reason(code="", message=f"unforeseen {type(error).__name__}")
        places = traceback.format_list(traceback.extract_tb(error.__traceback__))
        write_atomically(folder / "traceback.txt", [type(error).__name__ + "\n", *places])
    cell.finished = _now()
    cell.write(world.out)
    _keep(world, plan, cell)
    return cell


def _fill(world: World, plan: CellPlan, cell: Cell) -> None:
    choice = choose(world, plan)
    cell.tuning = choice.tries
    result = tried(world, plan.unit, choice.number, weights=True)
    if result.failed is not None:
        cell.tuning = choice.tries or [result.to_try()]
        raise ClinpromptError("CP-EXP-125", f"training failed: {result.failed.message}")
    _fitted(world, plan, cell, choice, result)
    job = world.job(plan.unit, folder_of(world, plan.unit, choice.number) / "work")
    device = job.prepared.backbone.device
    hardware.reset_peak(device)
    method = plan.unit.entry.method
    with method.answering(job, folder_of(world, plan.unit, choice.number)) as given:
        _answer(world, plan, cell, job, given[plan.card.name])
    after, kind = hardware.peak(device)
    known = [one for one in (result.peak, after) if one is not None]
    cell.cost.peak_memory_bytes, cell.cost.memory = max(known, default=None), kind


def _fitted(world: World, plan: CellPlan, cell: Cell, choice: Choice, result: Tried) -> None:
    """What is known after training."""
    fit, name = result.to_fit(), plan.card.name
    backbone = world.prepared(plan.unit.backbone).backbone
    cell.chosen = result.rates or None
    cell.tuning = choice.tries or ([result.to_try()] if result.rates else [])
    cell.details, cell.data = fit.details, fit.data.get(name, {})
    cell.parameters = Parameters(
        trainable=fit.trainable,
        share=fit.trainable / backbone.parameters,
        stored_bytes=fit.stored_bytes,
        backbone=backbone.parameters,
        context_tokens=fit.context_tokens,
    )
    seen = fit.examples_seen
    cell.cost = Cost(
        tuning_seconds=choice.seconds,
        tuning_examples_seen=choice.examples,
        train_seconds=result.seconds if seen else 0.0,
        train_examples_per_second=(
            seen * len(plan.unit.cards) / max(result.seconds, 1e-9) if seen else None
        ),
        examples_seen=seen,
    )
    if fit.outcome is None:
        return
    outcome = fit.outcome
    cell.history = [Point.model_validate(point) for point in outcome.history]
    step = outcome.best_step.get(name, outcome.best_step.get("mean"))
    at_best = next((point for point in cell.history if point.step == step), None)
    cell.dev = Dev(
        examples=int(cell.data.get("dev", 0)),
        loss=None if at_best is None else at_best.dev.get(name),
        score=None if at_best is None else at_best.score.get(name),
        best_step=step,
    )


def _answer(world: World, plan: CellPlan, cell: Cell, job: Job, given: Given) -> None:
    """Answers and scores; the same settings for all methods."""
    settings, statistics = world.plan.recipe.evaluation, world.plan.recipe.statistics
    predictor = Predictor(job.prepared.placed(given.placement), predictor_settings(settings))
    predictor.add(plan.card, given.prompt, given.shown)
    data = world.data(plan.card).splits
    if settings.balance and counts_labels_alike(plan.card):
        texts = sample(data["dev"], world.plan.recipe.data.dev_examples, settings.sample_seed)
        bias = measured_bias(predictor, plan.card, [one.input for one in texts])
        predictor.add(plan.card, given.prompt, given.shown, bias)
        cell.details["label_bias"] = bias

    def scored(split: Any, most: int | None) -> tuple[Evaluation, dict[str, Any]]:
        examples = sample(data[split], most, settings.sample_seed)
        found = evaluate(
            predictor,
            plan.card,
            examples,
            resamples=statistics.resamples,
            seed=statistics.seed,
            progress=_stopping(world),
        )
        return found, found.to_json(
            split=split, split_examples=len(data[split]), limit=most, seed=settings.sample_seed
        )

    if settings.dev_examples:
        cell.dev.scores = scored("dev", settings.dev_examples)[1]
    evaluation, content = scored("test", settings.examples)
    lines = (f"{line}\n" for line in evaluation.lines())
    write_atomically(plan.key.folder(world.out) / PREDICTIONS_FILE, lines)
    scores = evaluation.scores
    cell.test, cell.counts = content, dict(evaluation.counts)
    cell.main = Main(metric=scores.metric, value=scores.value, low=scores.low, high=scores.high)
    cell.cost.evaluate_seconds = evaluation.seconds
    cell.cost.evaluate_examples_per_second = evaluation.examples_per_second


def _stopping(world: World) -> Any:
    def progress(done: int, total: int) -> None:
        if world.should_stop() and done < total:
            raise Interrupted(f"answer {done} of {total}")

    return progress


def _keep(world: World, plan: CellPlan, cell: Cell) -> None:
    """Move what was learned into a finished cell's folder; copy it where cells share it."""
    unit, keep = plan.unit, getattr(plan.unit.entry.settings, "keep", True)
    if cell.status != "done":
        return
    numbers = range(max(1, len(unit.entry.settings.rates)) + unit.entry.averages)
    for number in numbers:
        source = folder_of(world, unit, number) / WEIGHTS
        place = plan.key.folder(world.out) / WEIGHTS
        used = source.exists() and (cell.chosen or {}) == rates_of(unit, number)
        if used and keep and len(unit.cards) > 1:
            shutil.copytree(source, place)
        elif used and keep:
            shutil.move(source, place)
        elif used:
            clear(world, unit, number)


def _versions(plan: CellPlan) -> dict[str, str]:
    found = library_versions()
    if plan.unit.entry.method.name == "lora":
        from importlib.metadata import version

        found["peft"] = version("peft")
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
