"""BigBIO's schemas, written down once: for checking rows, and as Arrow schemas.

They are the feature structures that the BigBIO project publishes (its ``bigbio`` hub module, and
``task_schemas.md`` of its repository): KB for what is annotated in a text, and QA, TE, T2T, TEXT
and PAIRS for examples. Offsets are 32-bit integers; every value may be missing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    import pyarrow

Schema = Literal["KB", "QA", "TE", "T2T", "TEXT", "PAIRS"]
Shape = Any  # "string", "int32", [shape] for a list, or a dict of shapes

_SPANS: Shape = {"text": ["string"], "offsets": [["int32"]]}
_NORMALIZED: Shape = [{"db_name": "string", "db_id": "string"}]
_NAMED: Shape = {"id": "string", "type": "string"}
_PAIR: Shape = {
    "id": "string", "document_id": "string", "text_1": "string", "text_2": "string",
}  # fmt: skip

SCHEMAS: dict[str, dict[str, Shape]] = {
    "KB": {
        "id": "string",
        "document_id": "string",
        "passages": [{**_NAMED, **_SPANS}],
        "entities": [{**_NAMED, **_SPANS, "normalized": _NORMALIZED}],
        "events": [
            {**_NAMED, "trigger": _SPANS, "arguments": [{"role": "string", "ref_id": "string"}]}
        ],
        "coreferences": [{"id": "string", "entity_ids": ["string"]}],
        "relations": [
            {**_NAMED, "arg1_id": "string", "arg2_id": "string", "normalized": _NORMALIZED}
        ],
    },
    "QA": {
        "id": "string",
        "question_id": "string",
        "document_id": "string",
        "question": "string",
        "type": "string",
        "choices": ["string"],
        "context": "string",
        "answer": ["string"],
    },
    "TE": {"id": "string", "premise": "string", "hypothesis": "string", "label": "string"},
    "T2T": {**_PAIR, "text_1_name": "string", "text_2_name": "string"},
    "TEXT": {"id": "string", "document_id": "string", "text": "string", "labels": ["string"]},
    "PAIRS": {**_PAIR, "label": "string"},
}
assert tuple(SCHEMAS) == get_args(Schema)

# A field that only rows of this schema have, tried in this order.
_MARKS: dict[str, Schema] = {
    "passages": "KB", "question": "QA", "premise": "TE", "text_1_name": "T2T",
    "text_2_name": "T2T", "text_1": "PAIRS", "text": "TEXT",
}  # fmt: skip


def schema_of(fields: set[str]) -> Schema | None:
    """The schema that has these fields; None if it can't be told."""
    return next((schema for field, schema in _MARKS.items() if field in fields), None)


def problem(value: Any, shape: Shape, where: str = "") -> str | None:
    """Why a value (JSON or Arrow) has not the shape; None if it has. Missing values are allowed.

    Fields that the shape doesn't have are not looked at. The answer quotes no values.
    """
    if value is None:
        return None
    if shape == "string":
        return None if isinstance(value, str) else f"{where} is not a string"
    if shape == "int32":
        fits = type(value) is int and 0 <= value < 2**31
        return None if fits else f"{where} is not a whole number from 0 to 2147483647"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        pairs = [(one, shape[0], f"{where}[{i}]") for i, one in enumerate(value)]
    else:
        if not isinstance(value, dict):
            return f"{where or 'the row'} is not an object"
        prefix = f"{where}." if where else ""
        pairs = [(value.get(name), inner, prefix + name) for name, inner in shape.items()]
    return next((found for pair in pairs if (found := problem(*pair))), None)


def unknown(value: Any, shape: Shape) -> int:
    """How many fields a value has that its shape (which it fits) doesn't."""
    if isinstance(shape, list) and value is not None:
        return sum(unknown(one, shape[0]) for one in value)
    if not isinstance(shape, dict) or value is None:
        return 0
    extra = len(value.keys() - shape.keys())
    return extra + sum(unknown(value.get(name), inner) for name, inner in shape.items())


@cache
def arrow(schema: Schema) -> pyarrow.Schema:
    """The Arrow schema of a Parquet file."""
    import pyarrow as pa

    def kind(shape: Shape) -> Any:
        if isinstance(shape, str):
            return pa.string() if shape == "string" else pa.int32()
        if isinstance(shape, list):
            return pa.list_(kind(shape[0]))
        return pa.struct([(name, kind(inner)) for name, inner in shape.items()])

    return pa.schema([(name, kind(shape)) for name, shape in SCHEMAS[schema].items()])
