"""What paired differences need of a cell once its predictions are not at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import SCHEMA, Record
from clinprompt.inference.writing import write_atomically

DRAWS_FILE = "draws.json"
_DIGITS = 6  # of a draw in points: what a table shows has one


class Draws(Record):
    """``draws.json``: the bootstrap draws of a finished cell's score. It holds no text of the data.

    Attributes:
        metric: the main metric; `value` is its score, 0 to 100.
        seed: of the draws.
        examples: digest of the test examples' ids and documents.
        draws: the score in each draw [R].
    """

    schema_version: int = Field(default=SCHEMA, alias="schema")
    metric: str
    value: float
    seed: int
    examples: str
    draws: list[float]

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def write(self, folder: Path) -> None:
        """Write it into a cell's folder."""
        content = self.model_dump(mode="json", by_alias=True)
        content["draws"] = [round(one, _DIGITS) for one in self.draws]
        write_atomically(folder / DRAWS_FILE, [json.dumps(content) + "\n"])


def read_draws(folder: Path) -> Draws | None:
    """The draws in a cell's folder; None if there are none.

    Raises:
        ClinpromptError: CP-EXP-211 a file that holds no draws.
    """
    path = folder / DRAWS_FILE
    if not path.is_file():
        return None
    try:
        return Draws.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise ClinpromptError(
            "CP-EXP-211", "holds no draws that this version reads", file=path
        ) from error


def examples_digest(examples: Iterable[tuple[str, str]]) -> str:
    """The same for the same examples, given as id and document, in any order."""
    told = json.dumps(sorted(set(examples)), ensure_ascii=False)
    return sha256(told.encode("utf-8")).hexdigest()
