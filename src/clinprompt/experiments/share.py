"""A comparison's results without any text of the data: to be published, or gone on with elsewhere.

Predictions quote notes, and learned weights may remember them: neither is copied. Paired
differences, which the report makes of predictions, are kept as the bootstrap draws they come from,
so the report of the copy is that of the original but for the worst errors, and for the pictures of
a metaprompt that the comparison trained itself. `compare` goes on in a copy: finished cells and the
scores of their tries are there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from clinprompt.artifacts import staging
from clinprompt.errors import ClinpromptError
from clinprompt.experiments.compare.cell import CELL_FILE, COMPARISON_FILE, SOURCE_FILE
from clinprompt.experiments.compare.fitting import RESULT_FILES
from clinprompt.experiments.report.gaps import Gaps
from clinprompt.experiments.report.reading import read
from clinprompt.training.workspace import occupied

_KEPT = (
    COMPARISON_FILE,
    f"sources/*/{SOURCE_FILE}",
    f"cells/*/*/*/{CELL_FILE}",
    *(f"tuning/*/*/*/*/{name}" for name in RESULT_FILES),
)


@dataclass(frozen=True)
class Shared:
    """What a copy holds.

    Attributes:
        cells: finished cells.
        paired: those of them that paired differences can be made of.
        problems: why others can't, a line each; ids, never texts.
    """

    cells: int
    paired: int
    problems: tuple[str, ...]


def share(folder: Path, out: Path) -> Shared:
    """Copy a comparison, finished or not, without predictions and without what was learned.

    Args:
        out: a folder that is not there yet, or empty; it is there as a whole or not at all.

    Raises:
        ClinpromptError: CP-EXP-210 something at `out`; CP-EXP-100, 101, 200 to 202 for a
            folder that holds no comparison with a finished cell.
    """
    if occupied(out):
        raise ClinpromptError(
            "CP-EXP-210", "there is something already", file=out, hint="choose another folder"
        )
    results = read(folder)
    gaps = Gaps(results)
    done = [slot for slot in results.slots if slot.done is not None]
    drawn = {slot.plan.id: gaps.drawn(slot) for slot in done}
    target = out.resolve()  # `.` has no name
    target.parent.mkdir(parents=True, exist_ok=True)
    staging.recover(target)
    with staging.building(target) as made:
        for pattern in _KEPT:
            for file in sorted(folder.glob(pattern)):
                place = made / file.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
        for slot in done:
            draws = drawn[slot.plan.id]
            if draws is not None:
                draws.write(slot.plan.key.folder(made))
        made.replace(target)  # an empty folder gives way
    paired = sum(draws is not None for draws in drawn.values())
    return Shared(len(done), paired, tuple(gaps.problems))
