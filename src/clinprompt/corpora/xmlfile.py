"""XML with file and line in errors."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from clinprompt.errors import ClinpromptError


def parse_xml(raw: bytes, file: str | Path) -> ElementTree.Element:
    """The root element; the XML declaration gives the encoding.

    Raises:
        ClinpromptError: CP-DATA-073 if it is not well-formed.
    """
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = ElementTree.ParseError.__str__(error).split(":")[0]
        raise ClinpromptError(
            "CP-DATA-073",
            f"not well-formed XML: {reason} (column {column})",
            file=file,
            line=line,
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that Python or expat doesn't know
        raise ClinpromptError(
            "CP-DATA-074", "the XML declaration names an unknown encoding", file=file, line=1
        ) from error


def text_of(element: ElementTree.Element | None) -> str:
    """All text below `element`, in order, without blanks around it ("" for None)."""
    return "" if element is None else "".join(element.itertext()).strip()
