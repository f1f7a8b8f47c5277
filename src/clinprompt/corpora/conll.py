"""CoNLL files: one token and its tag a line, sentences apart by blank lines (NER)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from clinprompt.corpora import pubtator
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.corpora.sampling import kept
from clinprompt.documents import bio, tokens
from clinprompt.documents.conll_lines import cells_of, opens_document
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Entity, EntityAnswer, Example, Span, TextInput
from clinprompt.files import read_text

Share = Annotated[float, Field(ge=0, le=1)]


class ConllOptions(Options):
    """Options of reader "conll".

    Attributes:
        scheme: how tags are to be read; "bioes" reads BILOU too.
        types: entity types to keep; empty: all.
        bare_label: type of tags that are a letter alone (``B``, ``I``).
        token_column, tag_column: which column is which, from 0; negative ones from the end.
        spacing: how tokens become text (see `tokens.join`).
        originals: PubTator files below the data root with the texts that the sentences were cut
            from: they give the document ids (with `document_prefix`) and the true white space.
        keep_empty: split -> share of the sentences without any kept entity that stay (seeded).
    """

    scheme: bio.Scheme = "bio2"
    types: tuple[str, ...] = ()
    bare_label: str | None = None
    token_column: int = 0
    tag_column: int = -1
    spacing: tokens.Spacing = "single"
    originals: tuple[str, ...] = ()
    document_prefix: str = "pmid:"
    keep_empty: dict[Literal["train", "dev", "test", "all"], Share] = Field(default_factory=dict)
    seed: int = 13


@dataclass
class Sentence:
    """Tokens with (letter, label) tags, and the lines where they and their document start."""

    line: int
    document: int | None
    tokens: list[str] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)


@reader("conll", ConllOptions)
def read_conll(source: Source, options: ConllOptions) -> Iterator[Example]:
    """One example a sentence, in the order of the files.

    A sentence is its own document, unless the file has ``-DOCSTART-`` lines or the options name
    `originals`.

    Raises:
        ClinpromptError: CP-DATA-021 a malformed line, CP-DATA-022 a tag that the scheme does not
            have, CP-DATA-023 a sentence that is not in the originals.
    """
    originals = _originals(source, options)
    shares: dict[str, float] = {str(split): share for split, share in options.keep_empty.items()}
    seen: Counter[str] = Counter()
    for file in source.files:
        sentences = list(_sentences(file, options, source))
        places = _places(sentences, originals, options, file)
        for sentence, (document, text, offsets) in zip(sentences, places, strict=True):
            name = source.place(file, sentence.line)
            entities = _entities(sentence, offsets, options, source, file)
            seen.update(entity.label for entity in entities)
            if options.types:
                entities = [entity for entity in entities if entity.label in options.types]
            if not entities and not kept(options.seed, name, shares.get(source.split, 1.0)):
                source.report.skip("sentence without entities left out", file, sentence.line)
                continue
            if document is None:
                start = sentence.document  # line of its -DOCSTART-
                document = name if start is None else source.place(file, start)
            yield Example(name, document, TextInput(text), EntityAnswer(tuple(entities)))
    _count_others(seen, options, source)


def _entities(
    sentence: Sentence, offsets: list[Span], options: ConllOptions, source: Source, file: Path
) -> list[Entity]:
    """All entities of a sentence; tags that break the scheme are reported."""
    chunks, broken = bio.decode(sentence.tags, options.scheme)
    for token in broken:
        reason = f"tag that breaks scheme {options.scheme}, read leniently"
        source.report.skip(reason, file, sentence.line + token)
    return [Entity(((offsets[c.first][0], offsets[c.last][1]),), c.label) for c in chunks]


def _count_others(seen: Counter[str], options: ConllOptions, source: Source) -> None:
    """Report the entities of other types than the asked-for, and refuse types nobody has."""
    if not options.types or not source.files:
        return
    for label in sorted(seen.keys() - set(options.types)):
        reason = f"entity of type '{label}', which was not asked for"
        source.report.skip(reason, source.files[0], count=seen[label])
    if seen and not seen.keys() & set(options.types):
        raise ClinpromptError(
            "CP-DATA-024",
            f"no entity is of a type in data.options.types ({', '.join(options.types)})",
            file=source.files[0],
            hint=did_you_mean(options.types[0], seen),
        )


def _sentences(file: Path, options: ConllOptions, source: Source) -> Iterator[Sentence]:
    """The sentences of a file; ``-DOCSTART-`` starts a new document."""
    document: int | None = None
    current: Sentence | None = None
    columns = blank = 0
    for number, raw in enumerate(read_text(file, options.encoding).split("\n"), 1):
        line = raw.rstrip("\r")
        if not line.strip():
            if current is not None:
                yield current
            blank = blank + 1 if current is None else 0
            current = None
            continue
        if opens_document(line):
            if current is not None:
                yield current
            current = None
            document, blank = number, -1  # the blank line after it is no sentence
            continue
        # Blank lines at the end of a file are no sentences: they count once more text follows.
        source.report.skip("empty sentence left out", file, number - 1, count=max(blank, 0))
        blank = 0
        cells = cells_of(line)
        columns = columns or len(cells)
        token, tag = _cells(cells, columns, options, file, number)
        current = current or Sentence(number, document)
        current.tokens.append(token)
        current.tags.append(tag)
    if current is not None:
        yield current


def _cells(
    cells: list[str], columns: int, options: ConllOptions, file: Path, number: int
) -> tuple[str, tuple[str, str]]:
    """Token and parsed tag of one line."""
    # Column 2 needs three columns, and so does column -3.
    places = (options.token_column, options.tag_column)
    lowest = max(2, *(place + 1 if place >= 0 else -place for place in places))
    problem = None
    if len(cells) < lowest:
        problem = f"{len(cells)} columns, but at least {lowest} are needed"
    elif len(cells) != columns:
        problem = f"{len(cells)} columns, but {columns} in the lines before"
    elif not cells[options.token_column].strip():
        problem = "empty token"
    if problem:
        raise ClinpromptError("CP-DATA-021", problem, file=file, line=number)
    tag = bio.parse_tag(cells[options.tag_column].strip(), options.scheme, options.bare_label)
    if tag is None:
        letters = ", ".join(f"{letter}-TYPE" for letter in bio.LETTERS[options.scheme])
        raise ClinpromptError(
            "CP-DATA-022",
            f"the tag in column {options.tag_column} is none of scheme '{options.scheme}' "
            f"({letters}, O)",
            file=file,
            line=number,
            hint="set data.options.scheme, tag_column, or bare_label for tags without a type",
        )
    return cells[options.token_column].strip(), tag


def _originals(source: Source, options: ConllOptions) -> dict[str, str]:
    """Document id -> text of the named PubTator files."""
    documents: dict[str, str] = {}
    for name in options.originals:
        file = source.root / name
        for document in pubtator.parse(read_text(file, options.encoding), file):
            documents[options.document_prefix + document.id] = document.text
    return documents


def _places(
    sentences: list[Sentence], originals: dict[str, str], options: ConllOptions, file: Path
) -> Iterator[tuple[str | None, str, list[Span]]]:
    """Document (if known), text and token offsets of each sentence."""
    if not options.originals:
        for sentence in sentences:
            yield None, *tokens.join(sentence.tokens, options.spacing)
        return
    located = tokens.locate([sentence.tokens for sentence in sentences], originals)
    for sentence, place in zip(sentences, located, strict=False):
        if place is None:
            raise ClinpromptError(
                "CP-DATA-023",
                "the sentence that starts here continues none of data.options.originals",
                file=file,
                line=sentence.line,
                hint="name the files whose texts these sentences were cut from, all of them",
            )
        yield place
