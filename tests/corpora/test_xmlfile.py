"""XML with places in errors."""

from __future__ import annotations

import pytest

from clinprompt.corpora.xmlfile import parse_xml, text_of
from clinprompt.errors import ClinpromptError


def test_text_is_taken_from_below_too() -> None:
    root = parse_xml("<a> x <b>y</b>\u00e9 </a>".encode(), "a.xml")
    assert text_of(root) == "x yé"
    assert text_of(root.find("c")) == ""


def test_the_declared_encoding_counts() -> None:
    raw = '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1")
    assert text_of(parse_xml(raw, "a.xml")) == "é"


@pytest.mark.parametrize("raw", [b"<a>\n<b>secret\n</a>", b"<a>\n<b/>\n", b"<a>\n\n& secret</a>"])
def test_malformed_xml_is_refused_with_its_line(raw: bytes) -> None:
    with pytest.raises(ClinpromptError, match=r"a\.xml:[34]: not well-formed XML: ") as caught:
        parse_xml(raw, "a.xml")
    assert caught.value.code == "CP-DATA-073" and "secret" not in str(caught.value)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ClinpromptError) as caught:
        parse_xml(b'<?xml version="1.0" encoding="klingon"?><a/>', "a.xml")
    assert caught.value.code in ("CP-DATA-073", "CP-DATA-074")
