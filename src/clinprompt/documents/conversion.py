"""From one format to another: all or nothing, or whatever can be converted.

A target is first written into a hidden folder beside it and moved once it is whole. To go on after
a wrong document, a collection is read piece by piece: the files of one document at a time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from clinprompt.documents import formats
from clinprompt.documents.formats import Format, ReadOptions, WriteOptions
from clinprompt.documents.model import Document
from clinprompt.documents.output import unwritable
from clinprompt.documents.store import Member, alone, members, narrowed
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

Fail = Callable[[ClinpromptError], None]

# Formats that keep the files of one document in several folders: those go together by their names.
_SPREAD = {"i2b2-2010"}


def read_each(
    name: str, source: Path, report: Report, options: ReadOptions, fail: Fail
) -> Iterator[Document]:
    """The documents that can be read; what can't goes to `fail`.

    A file of many documents is read up to its first error, and that it was not read to its end is
    counted.

    Args:
        name: format.
        source: file, folder or archive.
        report: takes what readers leave out.
        options: for the reader.
        fail: gets each error.

    Raises:
        ClinpromptError: as `store.members` for a collection that is missing or broken, and what
            the reader says of one that holds no file of its format.
    """
    found = members(source)
    if alone(source) or not found:  # a reader may want files beside it, or say that there are none
        yield from _guarded(formats.read(name, source, report, options), report, fail)
        return
    suffixes: set[str] = set()  # of files that the reader opens
    unopened: list[tuple[list[Member], ClinpromptError]] = []
    for unit in _units(name, found):
        opened: set[str] = set()
        errors: list[ClinpromptError] = []
        watched = [_watched(member, opened) for member in unit]
        documents = _guarded(formats.read(name, source, report, options), report, errors.append)
        while True:
            # Only while the reader runs: whoever takes the documents may read other collections.
            with narrowed(source, watched):
                document = next(documents, None)
            if document is None:
                break
            yield document
        suffixes |= opened
        for error in errors:
            if error.file == str(source):  # said of these files alone
                error = _at(error, unit[0].place)
            if opened:
                fail(error)
            else:
                unopened.append((unit, error))
    if unopened and not suffixes:
        raise unopened[0][1]
    # A reader refuses a collection in which no file is of its format. Of one unit that only means
    # that it is something else, unless its files end like others that were opened.
    for unit, error in unopened:
        if suffixes & {member.suffix for member in unit}:
            fail(error)
        else:
            report.skip("files that belong to no document", unit[0].place, count=len(unit))


def _units(name: str, found: Iterable[Member]) -> Iterable[list[Member]]:
    """The files of each document."""
    units: dict[str, list[Member]] = {}
    for member in found:
        key = PurePosixPath(member.stem).name if name in _SPREAD else member.stem
        units.setdefault(key, []).append(member)
    return units.values()


def _watched(member: Member, opened: set[str]) -> Member:
    """The same file; its ending is added to `opened` when it is read."""

    def read() -> bytes:
        opened.add(member.suffix)
        return member.read()

    return Member(member.name, member.place, read)


def _guarded(documents: Iterator[Document], report: Report, fail: Fail) -> Iterator[Document]:
    """The documents up to the first error, which goes to `fail`."""
    count = 0
    try:
        for document in documents:
            count += 1
            yield document
    except ClinpromptError as error:
        fail(error)
        if count:
            what = "files not read beyond their first error"
            report.skip(what, error.file or "the collection", error.line)


def distinct(documents: Iterable[Document], fail: Fail | None = None) -> Iterator[Document]:
    """The documents; of those that have one id, only the first.

    Raises:
        ClinpromptError: CP-DOC-350 for a second one, unless `fail` takes it.
    """
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            error = ClinpromptError(
                "CP-DOC-350",
                f"two documents have the id '{document.id}'",
                hint="their files would be written over each other",
            )
            if fail is None:
                raise error
            fail(error)
            continue
        seen.add(document.id)
        yield document


def writable(
    documents: Iterable[Document], name: str, target: Path, options: WriteOptions, fail: Fail
) -> Iterator[Document]:
    """The documents that can be written, found out by writing each alone; errors go to `fail`."""
    with tempfile.TemporaryDirectory(prefix="clinprompt-") as folder:
        for number, document in enumerate(documents):
            place = Path(folder) / str(number)
            place.mkdir()
            try:
                formats.write(name, place / target.name, [document], Report(), options)
            except ClinpromptError as error:
                fail(_at(error, None))
            else:
                yield document
            shutil.rmtree(place)


def write_whole(
    name: str,
    source: Path,
    target: Path,
    documents: Iterable[Document],
    report: Report,
    options: WriteOptions,
    *,
    force: bool = False,
) -> int:
    """Write documents to `target`, or leave everything as it was; returns how many.

    Args:
        name: format.
        source: where they come from, which is never written over.
        target: file or folder, as the format has it.
        documents: what is written.
        report: takes what the format can't hold.
        options: for the writer.
        force: write over files that are there. Other files of a folder stay.

    Raises:
        ClinpromptError: CP-DOC-351 the target is the source; CP-DOC-352 it is there already;
            CP-DOC-353 it is something else than the format makes; CP-DOC-373 a file or folder
            stands where the other is written; CP-DOC-374 the target would be part of the source;
            CP-DOC-004; and what reading and writing raise.
    """
    one = formats.find(name)
    try:
        real, origin = target.resolve(), source.resolve()
        _check_target(one, target, real == origin and target.exists(), origin in real.parents)
        if not force:
            _check_free(target, target)
        return _write_whole(name, target, documents, report, options, force=force)
    except OSError as error:  # no permission, a file in place of a folder, a name too long
        raise unwritable(Path(error.filename or target), error) from error


def _check_target(one: Format, target: Path, same: bool, inside: bool) -> None:
    """Refuse a target that is not to be written over or into."""
    if same:
        raise ClinpromptError("CP-DOC-351", "the target is the source", file=target)
    if inside and one.folder and one.read is not None:
        raise ClinpromptError(
            "CP-DOC-374",
            "lies in the source, and would be part of it when that is read again",
            file=target,
            hint="choose a place beside the source",
        )
    if target.exists() and not (target.is_dir() if one.folder else target.is_file()):
        raise ClinpromptError(
            "CP-DOC-353",
            f"'{one.name}' is written to a {'folder' if one.folder else 'file'}, which this is not",
            file=target,
        )


def _write_whole(
    name: str,
    target: Path,
    documents: Iterable[Document],
    report: Report,
    options: WriteOptions,
    *,
    force: bool,
) -> int:
    one = formats.find(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        root = Path(folder)
        own = Report()

        def renamed(place: str) -> str:
            return str(target.parent / place[len(str(root)) + 1 :]) if str(root) in place else place

        try:
            count = formats.write(name, root / target.name, documents, own, options)
        except ClinpromptError as error:
            error.message = error.message.replace(f"{root}{os.sep}", f"{target.parent}{os.sep}")
            raise _at(error, error.file and renamed(error.file)) from error.__cause__
        if one.folder:
            (root / target.name).mkdir(exist_ok=True)  # of no documents
        _move(root, target.parent, force)
    report.counts.update(own.counts)
    report.problems += [replace(one, file=renamed(one.file)) for one in own.problems]
    return count


def _at(error: ClinpromptError, file: str | None) -> ClinpromptError:
    """The same error, with another name for its file."""
    return ClinpromptError(error.code, error.message, file=file, line=error.line, hint=error.hint)


def _check_free(file: Path, target: Path) -> None:
    """Refuse what is there; an empty folder may be written into."""
    if file.is_file() or (file.is_dir() and any(file.iterdir())):
        raise ClinpromptError(
            "CP-DOC-352",
            "is there already",
            file=file,
            hint=f"choose another name than '{target.name}', or write over it with --force",
        )


def _move(root: Path, folder: Path, force: bool) -> None:
    """Move all files below `root` to their places below `folder`."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    places = [folder / file.relative_to(root) for file in files]
    for place in places:
        if not force and place.is_file():
            _check_free(place, place)
        inside = [one for one in place.parents if folder in one.parents]
        wrong = [place] if place.is_dir() else [one for one in inside if one.is_file()]
        if wrong:
            raise ClinpromptError(
                "CP-DOC-373",
                f"is a {'folder' if wrong[0].is_dir() else 'file'}, and the other is to be written",
                file=wrong[0],
            )
    for entry in sorted(root.iterdir()):
        place = folder / entry.name
        if entry.is_dir() and not place.exists():
            entry.replace(place)  # a whole folder at once
    for file, place in zip(files, places, strict=True):
        if file.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
