"""What a comparison writes down: one JSON file a cell, and one for the whole.

Layout of a comparison's folder::

    compare.json                                    `Comparison`: recipe, all planned cells, sources
    cells/BACKBONE/TARGET/METHOD-SHOTS-sSEED/
        cell.json                                   `Cell`
        predictions.jsonl                           one line a test example; holds text of the data
        weights/                                    what was learned: prompt set or PEFT adapter
    sources/BACKBONE/metaprompt/                    the metaprompt, where the run trained it
    sources/BACKBONE/source.json                    `Source`
    tuning/BACKBONE/METHOD-SHOTS/TARGET-sSEED/      tries of learning rates (working files)

METHOD is the id that the recipe gives a method, SHOTS a number or "full". A cell whose file is not
there was not run yet: it is missing, never zero.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clinprompt.errors import ClinpromptError
from clinprompt.inference.writing import write_atomically

SCHEMA = 1
Shots = int | Literal["full"]
CELL_FILE, PREDICTIONS_FILE, WEIGHTS = "cell.json", "predictions.jsonl", "weights"
COMPARISON_FILE, SOURCE_FILE = "compare.json", "source.json"


class Record(BaseModel):
    """Base: plain values as they stand in a JSON file."""

    model_config = ConfigDict(extra="forbid")


class Reason(Record):
    """Why something failed: an error's code ("" for an unforeseen one) and text."""

    code: str
    message: str


class Key(Record):
    """Which cell it is.

    Attributes:
        backbone: the id of the backbone in the recipe.
        target: name of the task.
        method: the id of the method in the recipe (the method's name unless the recipe says so).
        shots: labelled examples that the method was given.
        seed: of the sample of examples, the start and the order of training.
    """

    backbone: str
    target: str
    method: str
    shots: Shots
    seed: int

    @property
    def id(self) -> str:
        """``backbone/target/method-shots-sSEED``: the cell's folder below ``cells/``."""
        return f"{self.backbone}/{self.target}/{self.method}-{self.shots}-s{self.seed}"

    def folder(self, out: Path) -> Path:
        """The cell's folder in a comparison's folder."""
        return out / "cells" / self.id


class Parameters(Record):
    """Sizes.

    Attributes:
        trainable: parameters that were trained (0: none).
        share: their share of the backbone's, 0 to 1.
        stored_bytes: what has to be kept for the task besides the backbone.
        backbone: the backbone's parameters.
        context_tokens: positions of the context that the method takes up besides the instruction
            (virtual tokens, examples shown in the context).
    """

    trainable: int
    share: float
    stored_bytes: int
    backbone: int
    context_tokens: int = 0


class Cost(Record):
    """Time, memory and speed, as measured on the cell's hardware.

    Attributes:
        tuning_seconds: of the tries of learning rates that are not the cell's own training; 0 in
            cells that took over rates found elsewhere.
        train_seconds: of the training that the cell's weights come from, its dev losses included.
        evaluate_seconds: of answering the test examples.
        peak_memory_bytes: largest use of memory during training and evaluation; see `memory`.
        memory: "cuda": allocated on the GPU; "resident": the whole process on the CPU; "unknown".
        train_examples_per_second: examples seen / train_seconds; None without training.
        evaluate_examples_per_second: None if no test example was answered.
        examples_seen: training examples of this target drawn in the cell's training, repeats
            counted; the same for all trained methods at the same shots.
        tuning_examples_seen: the same over the tries that are not the cell's own training.
    """

    tuning_seconds: float = 0.0
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_memory_bytes: int | None = None
    memory: Literal["cuda", "resident", "unknown"] = "unknown"
    train_examples_per_second: float | None = None
    evaluate_examples_per_second: float | None = None
    examples_seen: int = 0
    tuning_examples_seen: int = 0


class Try(Record):
    """One set of learning rates.

    Attributes:
        rates: name of a parameter group -> rate in the recipe's unit (prompts: in units of the
            embedding scale; everything else absolute).
        dev_loss: dev loss of the chosen state in nats per answer token, the mean over the tasks it
            was tried on; None if training failed.
        dev_score: its metric on dev, 0 to 100, where states are chosen by that.
        failed: why, if it did.
    """

    rates: dict[str, float]
    dev_loss: float | None = None
    dev_score: float | None = None
    seconds: float = 0.0
    failed: Reason | None = None


class Point(Record):
    """One evaluation of a training curve.

    Attributes:
        step: updates done; 0 is the start.
        train: mean training loss since the last point in nats per answer token; None at the start.
        dev: dev loss of each task that was trained together.
        dev_mean: their mean.
        score: metric of each on dev, where states are chosen by it; `score_mean` their mean.
    """

    step: int
    train: float | None
    dev: dict[str, float]
    dev_mean: float
    score: dict[str, float] = Field(default_factory=dict)
    score_mean: float | None = None


class Dev(Record):
    """What dev says.

    Attributes:
        examples: how many dev examples selected state and rates.
        loss: dev loss of this target in the chosen state, in nats per answer token; None without
            training.
        score: its metric on these examples in that state, where that is what chooses.
        scores: `Evaluation.to_json()` on dev, where the recipe asks for it.
    """

    examples: int = 0
    loss: float | None = None
    score: float | None = None
    best_step: int | None = None
    scores: dict[str, Any] | None = None


class Main(Record):
    """The target's main metric on test with its 95 % bootstrap interval, 0 to 100."""

    metric: str
    value: float
    low: float
    high: float


class Cell(Record):
    """A finished or failed cell.

    Attributes:
        identity: digest of everything in the recipe that the cell's result depends on.
        title: the method's name for people.
        task_type: ner, re, qa, nli or sum; `form` is the form of its answers.
        status: "failed" cells have a `reason` and whatever was known by then.
        configuration: the part of the recipe that made the cell, as plain values.
        data: how many examples were used, skipped and cut.
        tuning: all tries of learning rates; a single one if there was nothing to choose.
        tuned_on: ids of the cells that the rates were chosen on.
        chosen: the rates that the cell was trained with.
        history: the training curve.
        details: what the method itself has to say (start of the task vectors, k, layers, ...).
        test: `Evaluation.to_json()`: all metrics, tables by label, counts.
        counts: test examples, and how many answers were bad, by kind (a part of `test`).
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    id: str
    identity: str
    key: Key
    title: str
    task_type: str
    form: str
    status: Literal["done", "failed"]
    reason: Reason | None = None
    configuration: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    parameters: Parameters | None = None
    cost: Cost = Cost()
    tuning: list[Try] = Field(default_factory=list)
    tuned_on: list[str] = Field(default_factory=list)
    chosen: dict[str, float] | None = None
    history: list[Point] = Field(default_factory=list)
    dev: Dev = Dev()
    details: dict[str, Any] = Field(default_factory=dict)
    test: dict[str, Any] | None = None
    main: Main | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    started: str = ""
    finished: str = ""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def write(self, out: Path) -> None:
        """Write ``cell.json`` as a whole or not at all."""
        folder = self.key.folder(out)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / CELL_FILE, self)


class Source(Record):
    """Where a backbone's metaprompt came from.

    Attributes:
        metaprompt: its folder: relative to the comparison's if it lies in it, else as it was given.
        digest: of the artefact.
        trained: whether this run trained it; `seconds` is then what that took.
        names: the source tasks, in the order of the task vectors.
        metrics: the artefact's own: ``teachers`` and ``distil``, each with best dev losses and the
            training curve (``history``: step, train, dev by task, dev_mean).
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    backbone: str
    metaprompt: str
    digest: str
    trained: bool
    seconds: float | None = None
    names: list[str]
    metrics: dict[str, Any] = Field(default_factory=dict)
    configuration: dict[str, Any] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def write(self, out: Path) -> None:
        """Write ``sources/BACKBONE/source.json``."""
        folder = out / "sources" / self.backbone
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / SOURCE_FILE, self)


class Planned(Record):
    """A cell of the plan, with what the report needs where the cell is missing."""

    id: str
    identity: str
    key: Key
    title: str
    task_type: str
    metric: str


class Comparison(Record):
    """``compare.json``.

    Attributes:
        recipe: as resolved, defaults included.
        cells: all planned cells in the order they are run.
        targets: name, title, type, form and metric of each target, in the recipe's order.
        methods: id, name and title of each method, in the recipe's order.
        backbones: id -> settings.
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    name: str
    recipe: dict[str, Any]
    cells: list[Planned]
    targets: list[dict[str, Any]]
    methods: list[dict[str, Any]]
    backbones: dict[str, dict[str, Any]]
    versions: dict[str, str] = Field(default_factory=dict)

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def write(self, out: Path) -> None:
        """Write ``compare.json``."""
        out.mkdir(parents=True, exist_ok=True)
        _write(out / COMPARISON_FILE, self)


def _write(path: Path, record: Record) -> None:
    content = record.model_dump(mode="json", by_alias=True)
    write_atomically(path, [json.dumps(content, indent=2, ensure_ascii=False) + "\n"])


def read_cell(folder: Path) -> Cell | None:
    """The cell in a folder; None if it was not run yet.

    Raises:
        ClinpromptError: CP-EXP-100 a file that is no cell.
    """
    path = folder / CELL_FILE
    return _read(path, Cell) if path.exists() else None


def read_comparison(out: Path) -> Comparison:
    """What was planned in a comparison's folder.

    Raises:
        ClinpromptError: CP-EXP-101 no comparison there, CP-EXP-100 a file that is none.
    """
    path = out / COMPARISON_FILE
    if not path.exists():
        raise ClinpromptError(
            "CP-EXP-101",
            f"holds no comparison (no {COMPARISON_FILE})",
            file=out,
            hint="name the folder that was given to clinprompt compare with -o",
        )
    return _read(path, Comparison)


def read_cells(out: Path) -> dict[str, Cell | None]:
    """Every planned cell by its id; None where it was not run yet."""
    return {one.id: read_cell(one.key.folder(out)) for one in read_comparison(out).cells}


def read_sources(out: Path) -> dict[str, Source]:
    """The metaprompts' records by the backbone's id."""
    found = {}
    for path in sorted(out.glob(f"sources/*/{SOURCE_FILE}")):
        source = _read(path, Source)
        found[source.backbone] = source
    return found


R = TypeVar("R", bound=Record)


def _read(path: Path, schema: type[R]) -> R:
    try:
        return schema.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise ClinpromptError(
            "CP-EXP-100",
            f"not a {schema.__name__.lower()} that this version reads",
            file=path,
            hint="was it written by another version? Compare into a new folder",
        ) from error
