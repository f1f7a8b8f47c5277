"""Which format a path is in, where its name leaves no doubt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clinprompt.documents.formats import formats
from clinprompt.documents.store import members
from clinprompt.errors import ClinpromptError

# Formats whose files may end so. Content is never looked at: two formats that share an ending
# have to be told apart by whoever knows.
_BY_SUFFIX: dict[str, tuple[str, ...]] = {
    ".ann": ("brat",),
    ".jsonl": ("jsonl", "bigbio"),
    ".ndjson": ("jsonl",),
    ".csv": ("csv", "omop"),
    ".pubtator": ("pubtator",),
    ".conll": ("conll",),
    ".bio": ("conll",),
    ".iob": ("conll",),
    ".iob2": ("conll",),
    ".xml": ("bioc-xml", "i2b2-2012"),
    ".json": ("bioc-json", "fhir"),
    ".parquet": ("bigbio",),
    ".txt": ("text", "pubtator"),
}

UNCLEAR = "CP-DOC-340"  # the code of a name that does not say the format


def source(path: Path) -> str:
    """The format of what lies at `path`, for reading.

    Raises:
        ClinpromptError: CP-DOC-340 if it isn't clear, with the formats it may be; what `store`
            raises for a path that is missing or broken.
    """
    found = members(path)
    suffixes = {member.suffix for member in found}
    readable = [one.name for one in formats() if one.read is not None]
    if ".ann" in suffixes and suffixes <= {".ann", ".txt", ".conf", ".md", ""}:
        return "brat"
    if suffixes == {".txt"} and (path.is_dir() or len(found) > 1):
        return "text"
    if len(suffixes) == 1:
        may_be = [name for name in _BY_SUFFIX.get(suffixes.pop(), ()) if name in readable]
        if len(may_be) == 1:
            return may_be[0]
        if may_be:
            raise _unclear(path, "--from", may_be)
    raise _unclear(path, "--from", readable)


def target(path: Path) -> str:
    """The format that `path` asks for, for writing.

    Raises:
        ClinpromptError: CP-DOC-340 if it isn't clear, with the formats it may be.
    """
    writable = {one.name: one for one in formats() if one.write is not None}
    named = [name for name in _BY_SUFFIX.get(path.suffix.lower(), ()) if name in writable]
    files = [name for name in named if not writable[name].folder]
    if len(files) == 1:
        return files[0]
    raise _unclear(path, "--to", files or sorted(writable))


def _unclear(path: Path, option: str, names: Iterable[str]) -> ClinpromptError:
    return ClinpromptError(
        UNCLEAR,
        f"the name does not say the format; give it with {option}",
        file=path,
        hint=f"it may be: {', '.join(names)}",
    )
