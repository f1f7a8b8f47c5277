"""Readers of annotated documents: any format of the documents room, and i2b2 2010."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clinprompt.corpora.document_examples import make_examples
from clinprompt.corpora.document_options import DocumentOptions
from clinprompt.corpora.registry import Source, reader
from clinprompt.documents import formats, i2b2_2010
from clinprompt.documents.model import Document
from clinprompt.examples import Example


class DocumentsOptions(DocumentOptions):
    """Options of reader "documents".

    Attributes:
        format: how the documents are kept: a name of `formats.formats`, such as ``brat``.
    """

    format: str = "brat"


@reader("documents", DocumentsOptions)
def read_documents(source: Source, options: DocumentsOptions) -> Iterator[Example]:
    """Examples of the split's folders, archives or files, in order.

    Raises:
        ClinpromptError: CP-DOC-010, 011 a format that is not there or can't be read, CP-DATA-050 a
            document that stands twice, and what the format raises.
    """

    def documents() -> Iterator[tuple[str, Document]]:
        for path in source.files:
            read = formats.read(options.format, path, source.report, options.read_options)
            yield from ((_place(path, one), one) for one in read)

    return make_examples(documents(), options, source)


@reader("i2b2-2010", DocumentOptions)
def read_i2b2_2010(source: Source, options: DocumentOptions) -> Iterator[Example]:
    """Examples of the split's folders or archives taken together (see `i2b2_2010`).

    Raises:
        ClinpromptError: CP-DATA-600 to 603, CP-DATA-050 (see `i2b2_2010.read_collection`).
    """
    read = i2b2_2010.read_collection(source.files, options.read_options, source.report)
    return make_examples(((_place(source.files[0], one), one) for one in read), options, source)


def _place(path: Path, document: Document) -> str:
    """A document's name for messages."""
    return f"{path}/{document.id}" if path.is_dir() else f"{path}!{document.id}"
