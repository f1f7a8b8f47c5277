"""BioC XML, checked before the `bioc` library reads it.

The library takes what it knows and leaves the rest without a word (the text behind a comment, a
second infon of one key), so structure is checked first, with lines for messages. Entities are
refused, whether internal (a bomb) or external (a file); a document type is allowed and not loaded.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

if TYPE_CHECKING:
    from bioc import BioCCollection

# Element -> what may stand in it; the others hold text alone.
_CHILDREN = {
    "collection": ("source", "date", "key", "infon", "document"),
    "document": ("id", "infon", "passage", "annotation", "relation"),
    "passage": ("infon", "offset", "text", "sentence", "annotation", "relation"),
    "sentence": ("infon", "offset", "text", "annotation", "relation"),
    "annotation": ("infon", "location", "text"),
    "relation": ("infon", "node"),
}
_ONCE = ("source", "date", "key", "id", "offset", "text")
_NEEDED = {"document": "id", "passage": "offset", "sentence": "offset"}
_ATTRIBUTES = {
    "infon": ("key",),
    "annotation": ("id",),
    "relation": ("id",),
    "location": ("offset", "length"),
    "node": ("refid", "role"),
}
_OPTIONAL = (("annotation", "id"), ("relation", "id"), ("node", "role"))
_NUMBER = re.compile(r"\s*[0-9]{1,12}\s*")


def load(raw: bytes, place: str, report: Report) -> BioCCollection:
    """The collection that a file holds; what BioC doesn't know is counted.

    Raises:
        ClinpromptError: CP-DOC-220 not well-formed, CP-DOC-221 entities, CP-DOC-222 not BioC.
    """
    from bioc import biocxml
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        # The parser's own message may quote the file.
        log = error.error_log
        kind = log[-1].type_name.removeprefix("ERR_") if len(log) else "syntax"
        raise ClinpromptError(
            "CP-DOC-220",
            f"not well-formed XML: {kind.lower().replace('_', ' ')}",
            file=place,
            line=error.lineno,
        ) from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise ClinpromptError(
            "CP-DOC-221", "the file declares XML entities, which are not expanded here", file=place
        )
    if root.tag != "collection":
        raise _malformed(f"the root element is not 'collection' but {_tag(root)}", place, root)
    _check(root, place, report)
    return biocxml.load(io.BytesIO(etree.tostring(root, encoding="utf-8")))


def dump(collection: BioCCollection, place: str) -> bytes:
    """The file that holds a collection.

    Raises:
        ClinpromptError: CP-DOC-223 an id, label or infon with a character that XML has no way to
            write.
    """
    from bioc import biocxml

    try:
        return biocxml.dumps(collection, pretty_print=True).encode("utf-8")
    except ValueError:
        names = [one.id for one in collection.documents if not _writable(one)]
        raise ClinpromptError(
            "CP-DOC-223",
            f"document {names[0]!r} holds an id, label or infon with a character that XML has no "
            "way to write"
            if names
            else "the collection's infons hold a character that XML has no way to write",
            file=place,
            hint="write bioc-json",
        ) from None


def _writable(document: Any) -> bool:
    from bioc.biocxml.encoder import encode_document

    try:
        encode_document(document)
    except ValueError:
        return False
    return True


def _malformed(problem: str, place: str, element: Any) -> ClinpromptError:
    return ClinpromptError("CP-DOC-222", problem, file=place, line=element.sourceline)


def _tag(element: Any) -> str:
    """An element's name for a message; that of an entity reference or the like is none."""
    return f"'{element.tag[:40]}'" if isinstance(element.tag, str) else "an entity"


def _check(root: Any, place: str, report: Report) -> None:
    """Refuse what the library could not read, and take out what it would not."""
    queue = [root]
    while queue:
        element = queue.pop()
        _check_attributes(element, place, report)
        known = _CHILDREN.get(element.tag)
        if known is None:
            if len(element):
                problem = f"'{element.tag}' holds {_tag(element[0])}, not just text"
                raise _malformed(problem, place, element)
            if element.tag == "offset" and not _NUMBER.fullmatch(element.text or ""):
                raise _malformed("an offset that is not a whole number", place, element)
            continue
        _check_children(element, known, place, report)
        queue.extend(element)


def _check_children(element: Any, known: tuple[str, ...], place: str, report: Report) -> None:
    seen: set[str] = set()
    if (element.text or "").strip():
        report.skip("text between BioC elements", place, element.sourceline)
    for child in list(element):
        if (child.tail or "").strip():
            report.skip("text between BioC elements", place, child.sourceline)
            child.tail = None
        if child.tag not in known:
            if not isinstance(child.tag, str):
                problem = f"'{element.tag}' holds an entity reference"
                raise _malformed(problem, place, child)
            report.skip("elements that BioC does not have", place, child.sourceline)
            element.remove(child)
            continue
        name = f"infon {child.get('key')}" if child.tag == "infon" else child.tag
        if name in seen and (child.tag in _ONCE or child.tag == "infon"):
            if child.tag != "infon":
                raise _malformed(f"'{element.tag}' has two of '{child.tag}'", place, child)
            report.skip("infons whose key comes twice", place, child.sourceline)
            element.remove(child)
        seen.add(name)
    needed = _NEEDED.get(element.tag)
    if needed is not None and needed not in seen:
        raise _malformed(f"a '{element.tag}' without '{needed}'", place, element)


def _check_attributes(element: Any, place: str, report: Report) -> None:
    known = _ATTRIBUTES.get(element.tag, ())
    for name in known:
        if name in element.attrib:
            continue
        if (element.tag, name) not in _OPTIONAL:
            raise _malformed(f"a '{element.tag}' without '{name}'", place, element)
        element.set(name, "")
    if element.tag == "location":
        for name in known:
            if not _NUMBER.fullmatch(element.get(name)):
                raise _malformed(f"a location whose {name} is not a whole number", place, element)
    unknown = len(element.attrib) - len(known)
    reason = "XML attributes that BioC does not have"
    report.skip(reason, place, element.sourceline, count=unknown)
