"""A small comparison's folder, made of the schema's own classes, with a metaprompt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from clinprompt.artifacts.fingerprint import BackboneFingerprint
from clinprompt.artifacts.meta import PromptMeta
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone.template import Template
from clinprompt.experiments.compare.cell import (
    Cell,
    Comparison,
    Cost,
    Key,
    Main,
    Parameters,
    Planned,
    Point,
    Reason,
    Shots,
    Source,
    Try,
)
from clinprompt.tasks import catalogue

TARGETS = ("scinli", "ncbi-disease", "mts-dialog")
METHODS: dict[str, tuple[str, str, tuple[Shots, ...], int]] = {
    "bare": ("bare", "bare backbone", (0,), 0),
    "pt": ("prompt-tuning", "prompt tuning", (32, "full"), 57_600),
    "mpt": ("mpt", "metaprompt", (0, 32, "full"), 58_276),
    "lora": ("lora", "LoRA, rank 16", (32, "full"), 4_884_480),
}
BACKBONE = "tiny"
CANARY = "Zebediah"
Value = Callable[[Key], float]


def default_value(key: Key) -> float:
    """A score that no other cell has, to one decimal."""
    place = 10 * list(METHODS).index(key.method) + 3 * TARGETS.index(key.target)
    more = {0: 0.0, 32: 0.2, "full": 0.5}[key.shots]
    return 30 + place + more + 0.1 * key.seed


def write_comparison(
    folder: Path,
    *,
    seeds: tuple[int, ...] = (0,),
    value: Value = default_value,
    failed: Mapping[str, str] | None = None,
    missing: tuple[str, ...] = (),
    titles: Mapping[str, str] | None = None,
    name: str = "small",
    metaprompt: bool = True,
    predictions: bool = True,
) -> dict[str, Cell]:
    """Write it; returns the finished cells by id."""
    planned, cells = [], {}
    for method, (_, title, shots, trainable) in METHODS.items():
        for count in shots:
            for target in TARGETS:
                for seed in seeds:
                    key = Key(
                        backbone=BACKBONE, target=target, method=method, shots=count, seed=seed
                    )
                    plan = Planned(
                        id=key.id,
                        identity="1" * 8,
                        key=key,
                        title=(titles or {}).get(method, title),
                        task_type=catalogue.find(target).type,
                        metric=catalogue.find(target).metric,
                    )
                    planned.append(plan)
                    if key.id in missing:
                        continue
                    reason = (failed or {}).get(key.id)
                    cell = make_cell(plan, trainable if count else 0, value(key), reason)
                    cell.write(folder)
                    if reason is None:
                        cells[key.id] = cell
                        if predictions:
                            write_predictions(key, folder)
    Comparison(
        schema=1,
        name=name,
        recipe={"name": name, "targets": list(TARGETS), "seeds": list(seeds)},
        cells=planned,
        targets=[{"name": target} for target in TARGETS],
        methods=[{"id": m, "name": row[0], "title": row[1]} for m, row in METHODS.items()],
        backbones={BACKBONE: {"name": BACKBONE}},
    ).write(folder)
    if metaprompt:
        write_source(folder)
    return cells


def make_cell(plan: Planned, trainable: int, value: float, reason: str | None) -> Cell:
    """A cell with everything that a report looks at."""
    key = plan.key
    curve = [
        Point(step=s, train=None, dev={key.target: 3 - s / 10}, dev_mean=3 - s / 10)
        for s in (0, 10, 20)
    ]
    return Cell(
        schema=1,
        id=plan.id,
        identity=plan.identity,
        key=key,
        title=plan.title,
        task_type=plan.task_type,
        form=catalogue.find(key.target).form,
        status="done" if reason is None else "failed",
        reason=None if reason is None else Reason(code="CP-EXP-120", message=reason),
        versions={"clinprompt": "0.1.0", "torch": "2.13.0"},
        hardware={"device": "cpu", "name": "a processor"},
        parameters=Parameters(
            trainable=trainable,
            share=trainable / 134_515_008,
            stored_bytes=4 * trainable,
            backbone=134_515_008,
        ),
        cost=Cost(
            train_seconds=75.0 if trainable else 0.0,
            evaluate_seconds=10.0,
            peak_memory_bytes=3 * 2**30,
            memory="resident",
            train_examples_per_second=4.5 if trainable else None,
            evaluate_examples_per_second=2.0,
        ),
        tuning=[Try(rates={"shared": 0.3}, dev_loss=1.0)] if trainable else [],
        chosen={"shared": 0.3} if trainable else None,
        history=curve if trainable else [],
        main=None
        if reason is not None
        else Main(metric=plan.metric, value=value, low=value - 2, high=value + 3),
        counts={"examples": 4, "unparsable": 1, "unaligned": 7 * (key.method == "bare")},
    )


def write_predictions(key: Key, folder: Path) -> None:
    """Four answers; the texts hold a word that must not get out."""
    lines = []
    for number in range(4):
        gold, answer = _answers(key.target, right=number > 1)
        lines.append(
            json.dumps(
                {
                    "id": f"{key.target}:{number}",
                    "document": f"d{number}",
                    "task": key.target,
                    "gold": gold,
                    "answer": answer,
                    "output": f"{CANARY} said <b>no</b>",
                    "unaligned": 0,
                    "unparsable": 0,
                    "truncated": False,
                    "unfinished": number == 0,
                }
            )
        )
    (key.folder(folder) / "predictions.jsonl").write_text("\n".join(lines) + "\n")


def _answers(target: str, *, right: bool) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if target == "scinli":
        return {"label": "entailment"}, {"label": "entailment" if right else "neutral"}
    if target == "ncbi-disease":
        gold = {"entities": [{"label": "Disease", "spans": [[0, 8]], "text": CANARY}]}
        return gold, gold if right else None
    return {"text": f"{CANARY} has no fever"}, {"text": "no fever" if right else "nothing"}


def write_source(folder: Path, names: tuple[str, ...] = ("bc5cdr-disease", "rqe", "pgr")) -> None:
    """A metaprompt of three source tasks, and its record."""
    generator = torch.Generator().manual_seed(0)
    cards = tuple(catalogue.find(name) for name in names)
    history = [
        {"step": step, "train": None, "dev": dict.fromkeys(names, loss), "dev_mean": loss}
        for step, loss in ((0, 2.0), (5, 1.5), (10, 1.0))
    ]
    metrics: dict[str, Any] = {
        stage: {"best": {}, "best_step": {}, "history": history} for stage in ("teachers", "distil")
    }
    prompts = PromptSet(
        PromptMeta(
            kind="metaprompt",
            form="decomposed",
            tasks=cards,
            length=3,
            rank=1,
            backbone=BACKBONE,
            fingerprint=BackboneFingerprint(
                model_type="llama",
                hidden=4,
                vocabulary=11,
                layers=2,
                parameters=1000,
                config="c" * 64,
                tokenizer="d" * 64,
                weights="e" * 64,
            ),
            template=Template(
                kind="chat", bos=False, head="<s>", between="\n\n", tail="<a>\n", end="</s>"
            ),
            metrics=metrics,
            trainable_parameters=26,
        ),
        {
            "shared": torch.randn(3, 4, generator=generator),
            "u": 1 + 0.1 * torch.randn(len(cards), 3, 1, generator=generator),
            "v": 1 + 0.1 * torch.randn(len(cards), 1, 4, generator=generator),
        },
    )
    place = f"sources/{BACKBONE}/metaprompt"
    prompts.save(folder / place)
    Source(
        schema=1,
        backbone=BACKBONE,
        metaprompt=place,
        digest=prompts.digest,
        trained=True,
        seconds=90.0,
        names=list(names),
        metrics=metrics,
    ).write(folder)
