"""``bioc-xml`` and ``bioc-json``: collections of documents with passages, read and written.

All that a document can hold is written, in a way that reads back equal (see `bioc_infons`). From
files of others, sentence boundaries and annotations without a location are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clinprompt.documents import bioc_json, bioc_xml
from clinprompt.documents.bioc_decode import Metadata, decode
from clinprompt.documents.bioc_encode import COLLECTION, collection_metadata, encode
from clinprompt.documents.bioc_infons import OURS, Place
from clinprompt.documents.bioc_text import Names, chosen, covering
from clinprompt.documents.formats import Format, ReadOptions, WriteOptions, register
from clinprompt.documents.model import Document
from clinprompt.documents.output import write_bytes
from clinprompt.documents.store import Member
from clinprompt.report import Report

if TYPE_CHECKING:
    from bioc import BioCCollection

_FIELDS = ("source", "date", "key")


def read_xml(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of an ``.xml`` file, or of all of them in a folder or archive.

    The XML declaration gives the encoding; ``options.encoding`` is not used.

    Raises:
        ClinpromptError: CP-DOC-200, CP-DOC-201, CP-DOC-220 to CP-DOC-222, and what `decode` raises.
    """
    names = Names()
    for member in chosen(path, (".xml",), report):
        yield from xml_documents(member, options, report, names)


def xml_documents(
    member: Member, options: ReadOptions, report: Report, names: Names
) -> Iterator[Document]:
    """The documents of one XML file (see `read_xml`); `names` are those met before."""
    collection = bioc_xml.load(member.read(), member.place, report)
    yield from _documents(collection, options, member.place, report, names)


def read_json(path: Path, options: ReadOptions, report: Report) -> Iterator[Document]:
    """The documents of a ``.json`` file, or of all of them in a folder or archive.

    Raises:
        ClinpromptError: CP-DOC-200 to CP-DOC-202, CP-DOC-230, and what `decode` raises.
    """
    names = Names()
    for member in chosen(path, (".json",), report):
        yield from json_documents(member, options, report, names)


def json_documents(
    member: Member, options: ReadOptions, report: Report, names: Names
) -> Iterator[Document]:
    """The documents of one JSON file (see `read_json`); `names` are those met before."""
    for collection in bioc_json.load(member.text(options.encoding), member.place, report):
        yield from _documents(collection, options, member.place, report, names)


def write_xml(
    path: Path, documents: Iterable[Document], options: WriteOptions, report: Report
) -> int:
    """Write all documents to one XML file; returns how many.

    Characters of a text that XML has no way to write (a form feed) become blanks, and are read
    back; in an id or label they are refused.

    Raises:
        ClinpromptError: CP-DOC-201, CP-DOC-204, CP-DOC-223, CP-DOC-300, CP-DOC-004.
    """
    collection = _collection(documents, str(path), xml=True)
    write_bytes(path, bioc_xml.dump(collection, str(path)))
    return len(collection.documents)


def write_json(
    path: Path, documents: Iterable[Document], options: WriteOptions, report: Report
) -> int:
    """Write all documents to one JSON file; returns how many.

    Raises:
        ClinpromptError: CP-DOC-201, CP-DOC-204, CP-DOC-300, CP-DOC-004.
    """
    collection = _collection(documents, str(path), xml=False)
    write_bytes(path, bioc_json.dump(collection))
    return len(collection.documents)


def _documents(
    collection: BioCCollection, options: ReadOptions, place: str, report: Report, names: Names
) -> Iterator[Document]:
    """The documents of a collection; what it says of itself goes into the metadata of each."""
    infons = Place(place, "collection", report).texts(collection.infons)
    pairs = [(name, getattr(collection, name) or "") for name in _FIELDS]
    common: Metadata = tuple(
        (COLLECTION + key, value) for key, value in (*pairs, *infons.items()) if value
    )
    for document in collection.documents:
        name = names.add("" if document.id is None else str(document.id), place)
        yield decode(document, common, options, Place(place, name, report))


def _collection(documents: Iterable[Document], place: str, *, xml: bool) -> BioCCollection:
    """The collection of all documents.

    Its source, date, key and infons are the ``collection.`` metadata where all documents have the
    same; else each document keeps its own.

    Raises:
        ClinpromptError: CP-DOC-201 an id that comes twice, and what `covering` raises.
    """
    from bioc import BioCCollection

    held = [covering(one, place) for one in documents]
    names = Names()
    collection = BioCCollection()
    collection.date = ""  # the library would write today's
    common = collection_metadata(held[0]) if held else ()
    shared = _shareable(common) and all(collection_metadata(one) == common for one in held)
    for key, value in common if shared else ():
        name = key.removeprefix(COLLECTION)
        if name in _FIELDS:
            setattr(collection, name, value)
        else:
            collection.infons[name] = value
    for one in held:
        names.add(one.id, place)
        collection.add_document(encode(one, shared=shared, xml=xml))
    return collection


def _shareable(common: Metadata) -> bool:
    """Whether a collection holds these so that they are read back in the same order."""
    names = [key.removeprefix(COLLECTION) for key, _ in common]
    fields = [name for name in _FIELDS if name in names]
    return (
        names[: len(fields)] == fields
        and len(set(names)) == len(names)
        and all(value for _, value in common)
        and not any(name.startswith(OURS) or not name for name in names)
    )


register(Format("bioc-xml", "BioC XML, one file of documents", False, read_xml, write_xml))
register(Format("bioc-json", "BioC JSON, one file of documents", False, read_json, write_json))
