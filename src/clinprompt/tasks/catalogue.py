"""The catalogue: bundled cards by name, anyone's own card by path."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.tasks.card import Card, at_folder, parse_card
from clinprompt.tasks.yamlfile import read_yaml_text

CARDS = Path(__file__).resolve().parent / "cards"


def is_path(name_or_path: str | Path) -> bool:
    """Whether this is meant as a file rather than as a name of the catalogue."""
    text = str(name_or_path)
    return (
        isinstance(name_or_path, Path)
        or text.endswith((".yaml", ".yml"))
        or "/" in text
        or "\\" in text
    )


def scan(folder: Path = CARDS) -> dict[str, Path]:
    """Name -> file of all cards below `folder`, sorted by name.  A file bears its task's name.

    Raises:
        ClinpromptError: CP-TASK-010 if two files bear one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.yaml")):
        if path.stem in found:
            raise ClinpromptError(
                "CP-TASK-010",
                f"two cards are named '{path.stem}': {found[path.stem]} and {path}",
                hint="rename one of them",
            )
        found[path.stem] = path
    return dict(sorted(found.items()))


@lru_cache(maxsize=1)
def _bundled() -> dict[str, Path]:
    return scan()


@cache
def _card(name: str) -> Card:
    path = _bundled()[name]
    card = parse_card(read_yaml_text(path), path)
    if card.name != name:
        raise ClinpromptError(
            "CP-TASK-011",
            f"the card's name is '{card.name}'",
            file=path,
            hint=f"name the file {card.name}.yaml",
        )
    return card


def names() -> list[str]:
    """Names of all bundled tasks."""
    return list(_bundled())


def find(name_or_path: str | Path) -> Card:
    """The card of a bundled task, or of a user's YAML file.

    A string with a slash or ending in ``.yaml`` is a path; all else is a name.

    Raises:
        ClinpromptError: CP-TASK-012 unknown name (with the nearest known one), or what is wrong
            with the file (CP-TASK-001 to 005).
    """
    if is_path(name_or_path):
        path = Path(name_or_path)
        return at_folder(parse_card(read_yaml_text(path), path), path.resolve().parent)
    name = str(name_or_path)
    if name not in _bundled():
        raise ClinpromptError("CP-TASK-012", f"unknown task '{name}'", hint=unknown_hint(name))
    return _card(name)


def unknown_hint(name: str, others: tuple[str, ...] = ()) -> str:
    """What to do about a name that is no bundled task and none of `others`."""
    if Path(name).exists():
        return f"for a file write ./{name}"
    return did_you_mean(name, (*_bundled(), *others)) + " ('clinprompt tasks list' shows all)"


def all_cards() -> list[Card]:
    """All bundled cards, by name."""
    return [_card(name) for name in _bundled()]


def is_bundled(card: Card) -> bool:
    """Whether `card` says the same as the bundled card of its name (a stored copy does too)."""
    if card.name not in _bundled() or card.folder is not None:
        return False
    return card == _card(card.name)
