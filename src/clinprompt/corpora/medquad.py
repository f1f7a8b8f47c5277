"""MedQuAD: questions and answers of health pages, one XML file a page, all in one archive."""

from __future__ import annotations

from collections.abc import Iterable

from clinprompt.corpora.checks import Ids
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.xmlfile import parse_xml, text_of
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, QuestionInput, TextAnswer
from clinprompt.files import tar_members


class MedquadOptions(Options):
    """Options of the reader ``medquad`` (there are none but the encoding, which XML declares)."""


@reader("medquad", MedquadOptions)
def read_medquad(source: Source, options: MedquadOptions) -> Iterable[Example]:
    """Question-answer pairs of the split's archives, page by page.

    Ids are the page's path and the pair's number: the ids in the files are repeated between
    collections. A document is a web page: its address without the part after ``#``, since some
    pages were cut into several files; the path where a file names no address.

    Raises:
        ClinpromptError: CP-DATA-005 broken archive, 050 a pair given twice, 073 malformed XML
            (archive, member and line), 084 an archive without XML files.
    """
    ids = Ids()
    for archive in source.files:
        pages = 0
        for name, raw in tar_members(archive, ".xml"):
            pages += 1
            file = f"{archive}!{name}"
            root = parse_xml(raw, file)
            page = name.removesuffix(".xml")
            url = (root.get("url") or "").split("#")[0].strip()
            document = f"url:{url}" if url else f"medquad/{page}"
            for number, pair in enumerate(root.iter("QAPair"), 1):
                example_id = ids.add(f"{page}#{pair.get('pid') or number}", file)
                question = tidy(text_of(pair.find("Question")))
                answer = tidy(text_of(pair.find("Answer")))
                if not question or not answer:
                    empty = "answer" if question else "question"
                    source.report.skip(f"empty {empty}", file, detail=example_id)
                    continue
                yield Example(example_id, document, QuestionInput(question), TextAnswer(answer))
        if not pages:
            raise ClinpromptError("CP-DATA-084", "no XML file in the archive", file=archive)
