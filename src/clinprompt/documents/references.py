"""What annotations refer to, and leaving out what refers to nothing."""

from __future__ import annotations

from clinprompt.documents.bioc_infons import Place
from clinprompt.documents.model import Annotation, Equivalence, Event, Link, Mention

_DANGLING = "annotations and relations that refer to what is not there"


def targets(one: Annotation) -> tuple[str, ...]:
    """The ids that an annotation refers to."""
    match one:
        case Link():
            return tuple(argument.target for argument in one.arguments)
        case Event():
            return (one.trigger, *(argument.target for argument in one.arguments))
        case Equivalence():
            return one.members
        case Mention():
            return ()
    return (one.target,)


def resolved(found: list[Annotation], place: Place) -> list[Annotation]:
    """What refers to nothing left out, with what refers to that."""
    while True:
        known = {one.id for one in found if not isinstance(one, Equivalence)}
        mentions = {one.id for one in found if isinstance(one, Mention)}
        kept = [
            one
            for one in found
            if all(target in known for target in targets(one))
            and not (isinstance(one, Event) and one.trigger not in mentions)
        ]
        if len(kept) == len(found):
            return found
        place.skip(_DANGLING, count=len(found) - len(kept))
        found = kept
