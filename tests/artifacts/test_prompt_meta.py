from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clinprompt.artifacts.meta import PromptMeta, library_versions, parse_meta, percent
from clinprompt.errors import ClinpromptError
from clinprompt.tasks.card import Card

FILE = Path("meta.json")
UPDATE: dict[str, Any] = {"rank": 1, "alpha": 2.0, "layers": ["q_proj"], "numbers": 9}
ADAPTED: dict[str, Any] = {"kind": "adapted", "parents": {"metaprompt": "a" * 64}}


def test_round_trip_keeps_everything_and_its_order(
    make_meta: Callable[..., PromptMeta], make_card: Callable[..., Card]
) -> None:
    card = make_card(
        "rel",
        type="re",
        form="list",
        labels={"Z": "causes — Überdosis", "A": "treats"},
        arguments={"Z": ("Drug", "Disease"), "A": ("Drug", "Disease")},
        metric="relation_f1",
    )
    meta = make_meta().model_copy(update={"tasks": (card,)})
    again = parse_meta(meta.to_bytes(), FILE)
    assert again == meta
    assert list(again.tasks[0].labels) == ["Z", "A"]
    assert again.to_bytes() == meta.to_bytes()
    assert "Überdosis" in meta.to_bytes().decode()


def test_an_update_is_kept_and_one_that_is_not_there_is_not_written(
    make_meta: Callable[..., PromptMeta],
) -> None:
    meta = make_meta(**ADAPTED, update=UPDATE)
    assert parse_meta(meta.to_bytes(), FILE) == meta
    assert meta.shapes()["update"] == (9,)
    assert b"update" not in make_meta().to_bytes()  # as files were before there was such a thing


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, float("-inf")]])
@pytest.mark.parametrize("field", ["metrics", "configuration", "training_data"])
def test_nan_is_refused(make_meta: Callable[..., PromptMeta], field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match="finite"):
        make_meta(**{field: {"task": {"f1": value}}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rank": None}, "rank"),
        ({"form": "plain"}, "rank"),
        ({"kind": "prompt-tuning"}, "'plain'"),
        ({"kind": "adapted"}, "metaprompt"),
        ({"kind": "other"}, "kind"),
        ({"update": UPDATE}, "a 'metaprompt' set has none"),
        (ADAPTED | {"update": UPDATE, "placement": "after"}, "placement 'after'"),
        (ADAPTED | {"update": UPDATE | {"rank": 0}}, "rank"),
        ({"tasks": 0}, "tasks"),
        ({"length": 0}, "length"),
        ({"trainable_parameters": -1}, "trainable_parameters"),
        ({"placement": "beside"}, "placement"),
        ({"parents": {"metaprompt": "abc"}}, "metaprompt"),
        ({"surprise": 1}, "surprise"),
        ({"configuration": {"path": Path("x")}}, "configuration"),
    ],
)
def test_contradictions(
    make_meta: Callable[..., PromptMeta], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        make_meta(**changes)


def test_task_twice(make_meta: Callable[..., PromptMeta], make_card: Callable[..., Card]) -> None:
    content = make_meta().model_dump(mode="json")
    content["tasks"][1] = content["tasks"][0]
    with pytest.raises(ClinpromptError, match=r"CP-ART-031.*'task-0' stands there twice"):
        parse_meta(json.dumps(content).encode(), FILE)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda c: c.update(format_version=2, new_key=1), "CP-ART-008", "newer"),
        (lambda c: c.update(lenght=3), "CP-ART-031", "did you mean 'length'"),
        (lambda c: c.pop("fingerprint"), "CP-ART-031", "missing"),
        (lambda c: c["fingerprint"].update(weights="x"), "CP-ART-031", "fingerprint.weights"),
        (lambda c: c["tasks"][0].update(form="pair"), "CP-ART-031", "form"),
        (lambda c: c["template"].update(kind="poem"), "CP-ART-031", "template.kind"),
    ],
)
def test_wrong_content(
    make_meta: Callable[..., PromptMeta],
    change: Callable[[dict[str, Any]], object],
    code: str,
    words: str,
) -> None:
    content = make_meta().model_dump(mode="json")
    change(content)
    with pytest.raises(ClinpromptError) as caught:
        parse_meta(json.dumps(content).encode(), FILE)
    assert caught.value.code == code
    assert words in str(caught.value) and "meta.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"{", b"[" * 100_000])
def test_not_json(content: bytes) -> None:
    with pytest.raises(ClinpromptError, match="CP-ART-030"):
        parse_meta(content, FILE)


def test_nan_written_by_others_is_refused(make_meta: Callable[..., PromptMeta]) -> None:
    content = make_meta().model_dump(mode="json")
    content["metrics"] = {"f1": float("nan")}
    with pytest.raises(ClinpromptError, match=r"CP-ART-031.*finite"):
        parse_meta(json.dumps(content).encode(), FILE)


def test_shapes_and_share(make_meta: Callable[..., PromptMeta]) -> None:
    meta = make_meta(tasks=5, rank=2)
    assert meta.shapes() == {"shared": (3, 4), "u": (5, 3, 2), "v": (5, 2, 4)}
    plain = make_meta(kind="prompt-tuning", form="plain", rank=None)
    assert plain.shapes() == {"prompts": (2, 3, 4)}
    assert meta.backbone_parameters == 1000 and meta.share == 0.026


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (58_276 / 134_515_008, "0.0433 %"),
        (4_196 / 8_030_261_248, "0.0000523 %"),
        (0.0, "0.00 %"),
        (0.016, "1.60 %"),
        (1.0, "100.00 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_library_versions() -> None:
    versions = library_versions()
    assert list(versions)[:2] == ["clinprompt", "python"]
    assert {"torch", "transformers", "safetensors"} <= set(versions)
