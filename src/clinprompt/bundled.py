"""What comes with the package and can be named without a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clinprompt.errors import ClinpromptError, did_you_mean


def find(given: str | Path, bundled: Mapping[str, Path], what: str) -> Path:
    """Where a bundled name lies; anything else is taken as a path.

    Args:
        given: a name or a path; a bundled name goes before a path of the same name.
        bundled: places by name.
        what: what it is, for people.

    Raises:
        ClinpromptError: CP-NAME-001 a plain word that is neither a bundled name nor a path.
    """
    path = Path(given)
    if str(path) in bundled:
        return bundled[str(path)]
    if len(path.parts) == 1 and not path.suffix and not path.exists():
        raise ClinpromptError(
            "CP-NAME-001",
            f"no {what} '{path}': it is no path, and none of that name comes with clinprompt",
            hint=did_you_mean(str(path), bundled),
        )
    return path
