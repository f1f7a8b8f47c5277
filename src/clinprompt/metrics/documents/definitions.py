"""What each section and each average means, in one or two sentences that go into the results."""

from __future__ import annotations

from clinprompt.metrics.documents.settings import Mode, Settings

AVERAGES = {
    "micro": "counts are summed over labels and documents first",
    "macro_labels": "mean over the labels that stand in gold or predictions; f1 is the mean of "
    "the labels' F1, f1_of_means the F1 of the mean precision and the mean recall",
    "macro_documents": "mean over the documents that are scored",
    "undefined": "without a denominator, precision is 100 if nothing was missed, recall is 100 if "
    "nothing was wrong, F1 is 100; else 0",
}
AVERAGES_N2C2 = {
    "micro": "counts are summed over labels and documents first",
    "macro_documents": "mean over the documents that both sides have; the scripts call it macro",
    "undefined": "without a denominator, a score is 0",
}

_ATTRIBUTES = (
    "attributes (name and value) of mentions, relations and events, paired one to one if {match} "
    "so that as many attributes agree as possible; {counted}"
)
_MATCH = {
    "exact": "type and spans are the same",
    "overlap": "the type is the same and the spans share a character",
}
_COUNTED = {
    "end_to_end": "those of anything unpaired are missed or wrong",
    "on_matched": "those of anything unpaired don't count",
}

DEFINITIONS: dict[Mode, dict[str, str]] = {
    "clean": {
        "entities.exact": "same type and the same spans, all fragments included; one to one",
        "entities.overlap": "same type and a character in common, any fragment with any "
        "fragment; the largest one-to-one pairing",
        "entities.span_exact": "the same spans, whatever the type; one to one",
        "entities.span_overlap": "a character in common, whatever the type; the largest "
        "one-to-one pairing",
        "relations.exact": "same type, and ends of the same roles, types and spans; one to one",
        "relations.overlap": "same type, and ends of the same roles and types that share a "
        "character each; the largest one-to-one pairing",
        "relations.detection": "ends of the same roles, types and spans, whatever the type of "
        "the relation; one to one",
        "relations.concept": "distinct pairs of concepts of a document with the type of the "
        "relation; a composite concept agrees with any that shares a part",
        **{
            f"attributes.{match}.{counted}": _ATTRIBUTES.format(
                match=_MATCH[match], counted=_COUNTED[counted]
            )
            for match in _MATCH
            for counted in _COUNTED
        },
    },
    "n2c2": {
        "entities.strict": "n2c2 2018 track 2, strict: same type, first start and last end",
        "entities.lenient": "n2c2 2018 track 2, lenient: same type and a character in common",
        "relations.strict": "n2c2 2018 track 2, strict: same type, both ends strictly the same",
        "relations.lenient": "n2c2 2018 track 2, lenient: same type, both ends leniently the same",
    },
}

_TRIGGER = {
    "exact": "have the same spans",
    "overlap": "share a character",
    "min-distance": "are nearest to each other (middle to middle, nearest pairs first)",
}
_LABELLED = {"label": "the same value", "exact": "the same value and spans"}
_LABELLED["overlap"] = "the same value and a character in common"
_SPANS = {"exact": "the same spans", "overlap": "a character in common"}


def event_definition(settings: Settings) -> str:
    """What counts as right in events, with the criteria that were chosen."""
    return (
        f"events of one type are paired one to one if their triggers {_TRIGGER[settings.trigger]}; "
        "each pair is a right trigger, and inside it arguments of one name are right with "
        f"{_SPANS[settings.span_arguments]}, labelled ones ({', '.join(settings.labelled)}) with "
        f"{_LABELLED[settings.labelled_arguments]}; arguments of unpaired events are missed or "
        "wrong"
    )
