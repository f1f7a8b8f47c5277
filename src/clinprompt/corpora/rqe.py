"""RQE: does a short question (FAQ) ask a part of what a consumer health question (CHQ) asks?"""

from __future__ import annotations

from collections.abc import Iterable

from clinprompt.corpora.checks import Ids, known_label, need
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.identity import stem, text_id
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.xmlfile import parse_xml, text_of
from clinprompt.examples import Example, LabelAnswer, PremiseInput
from clinprompt.files import read_bytes

VALUES = {"true": "true", "false": "false"}


class RqeOptions(Options):
    """Options of the reader ``rqe`` (there are none but the encoding, which XML declares)."""


@reader("rqe", RqeOptions)
def read_rqe(source: Source, options: RqeOptions) -> Iterable[Example]:
    """Pairs of the split's files: the longer question as premise, the FAQ as hypothesis.

    A document is the longer question, which stands in a true and in a false pair.

    Raises:
        ClinpromptError: CP-DATA-050 a repeated pair id, 051 a value that is neither true nor
            false, 052 a missing attribute, 073 malformed XML.
    """
    ids = Ids()
    for path in source.files:
        for number, pair in enumerate(parse_xml(read_bytes(path), path).iter("pair"), 1):
            pid = need(pair.attrib, "pid", str, path, f"pair {number}")
            example_id = ids.add(f"{stem(path)}:{pid}", path)
            value = need(pair.attrib, "value", str, path, f"pair {pid}")
            label = known_label(value.strip().lower(), VALUES, path, what=f"value of pair {pid}:")
            premise, hypothesis = (tidy(text_of(pair.find(tag))) for tag in ("chq", "faq"))
            if not premise or not hypothesis:
                source.report.skip("empty question", path, detail=example_id)
                continue
            yield Example(
                example_id,
                text_id(premise),
                PremiseInput(premise, hypothesis),
                LabelAnswer(label),
            )
