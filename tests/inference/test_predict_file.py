from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from tests.inference import world

from clinprompt.errors import ClinpromptError
from clinprompt.inference import journal as journal_module
from clinprompt.inference.journal import Journal, Pipe, errors_path
from clinprompt.inference.predict import Totals, made_by_of, predict
from clinprompt.inference.predictor import Predictor
from clinprompt.inference.records import input_record
from clinprompt.inference.requests import PredictorSettings, Request
from clinprompt.inference.source import Reader

BAD = {
    3: b'{"id": "broken"',
    4: b"\xff\xfe",
    9: b'{"id": "d1", "text": "the id of another line", "task": "summary"}',
    14: b'{"id": "long", "task": "mentions", "text": "' + b"a " * 400 + b'"}',
    15: b'{"id": "empty", "task": "mentions", "text": " "}',
}
DIGEST = "ab" * 32


@cache
def predictor(max_new: int = 6) -> Predictor:
    prompts = world.prompt_set(world.prepared(), *world.cards())
    return Predictor.of(prompts, PredictorSettings(max_new=max_new), prepared=world.prepared())


@cache
def source(count: int = 25) -> tuple[bytes, ...]:
    """Lines of all tasks, some of them bad."""
    lines = []
    for number in range(1, count + 1):
        card = world.cards()[number % len(world.cards())]
        record = {"id": f"d{number}", "task": card.name}
        record |= input_record(world.an_input(card, number))
        line = json.dumps(record, ensure_ascii=False).encode()
        lines.append(BAD.get(number, line) + b"\n")
    lines[0] = json.dumps({"id": "d1", "task": "summary", "text": "first"}).encode() + b"\n"
    lines[6] = b"\n"
    return tuple(lines)


def run(
    out: Path,
    lines: tuple[bytes, ...] | None = None,
    *,
    overwrite: bool = False,
    digest: str = DIGEST,
    max_new: int = 6,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[Totals, list[str]]:
    told: list[str] = []
    answering = predictor(max_new)
    journal = Journal(out, overwrite=overwrite)
    try:
        totals = predict(
            answering,
            source() if lines is None else lines,
            Reader("in.jsonl", answering.cards),
            journal,
            made_by_of(answering, digest),
            chunk=4,
            reject=lambda error: told.append(str(error)),
            progress=progress,
        )
    finally:
        journal.close()
    return totals, told


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Answers and rejected lines of a run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole") / "out.jsonl"
    run(out)
    return out.read_bytes(), errors_path(out).read_bytes()


def records(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def test_every_line_is_answered_or_rejected(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    totals, told = run(out)
    answered, rejected = records(out.read_bytes()), records(errors_path(out).read_bytes())
    assert [record["line"] for record in rejected] == sorted(BAD)
    assert [record["code"] for record in rejected] == [
        "CP-DATA-059",
        "CP-INF-040",
        "CP-INF-045",
        "CP-INF-006",
        "CP-INF-004",
    ]
    expected = [f"d{n}" for n in range(1, 26) if n not in BAD and n != 7]
    assert [record["id"] for record in answered] == expected
    assert (totals.answered, totals.rejected, totals.before) == (len(expected), len(BAD), 0)
    assert [f"in.jsonl:{line}:" in message for line, message in zip(BAD, told, strict=True)]
    assert totals.unfinished == sum(record["unfinished"] for record in answered)
    assert totals.unparsable == sum(record["unparsable"] for record in answered)


def test_records_are_what_the_predictor_answers(whole: tuple[bytes, bytes]) -> None:
    for record in records(whole[0]):
        number = int(record["id"][1:])
        card = world.cards()[number % len(world.cards())]
        if number == 1:
            continue
        asked = Request(card.name, world.an_input(card, number))
        alone = predictor().answer([asked])[0]
        assert record["task"] == card.name
        assert record["unparsable"] == alone.unparsable
        assert record.get("output", alone.text) == alone.text
        if card.closed:
            assert record["answer"]["probabilities"] == pytest.approx(alone.probabilities, abs=2e-5)
        assert record["made_by"]["prompt"] == DIGEST[:16]


def test_a_stopped_run_goes_on_from_any_byte(tmp_path: Path, whole: tuple[bytes, bytes]) -> None:
    answers, errors = whole
    ends = [i + 1 for i, byte in enumerate(answers) if byte == 10]
    for at in {0, 1, 5, len(answers) - 1, len(answers), *ends, *(end + 30 for end in ends[:-1])}:
        out = tmp_path / f"{at}.jsonl"
        out.write_bytes(answers[:at])
        errors_path(out).write_bytes(errors[: at // 7])
        totals, told = run(out)
        assert out.read_bytes() == answers, at
        assert errors_path(out).read_bytes() == errors
        assert totals.rejected == len(told) == len(BAD)
        done = sum(end <= at for end in ends)
        assert done - 4 < totals.before <= done
        assert totals.before + totals.answered == len(ends)


def test_answered_lines_are_not_answered_again(
    tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(whole[0])
    monkeypatch.setattr(Predictor, "run", lambda *_: pytest.fail("asked again"))
    totals, _ = run(out)
    assert (totals.answered, totals.before) == (0, len(records(whole[0])))
    assert out.read_bytes() == whole[0]
    assert errors_path(out).read_bytes() == whole[1]


def test_lines_added_at_the_end_are_answered_too(
    tmp_path: Path, whole: tuple[bytes, bytes]
) -> None:
    out = tmp_path / "out.jsonl"
    run(out, source()[:18])
    assert whole[0].startswith(b"".join(out.read_bytes().splitlines(keepends=True)[:12]))
    run(out)
    assert (out.read_bytes(), errors_path(out).read_bytes()) == whole


def test_an_interrupt_keeps_what_was_done(tmp_path: Path, whole: tuple[bytes, bytes]) -> None:
    out = tmp_path / "out.jsonl"
    counts: list[int] = []

    def stop(done: int) -> None:
        counts.append(done)
        if done == 7:  # in the middle of the third chunk: 2, 3 and 3 lines can be answered
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out, progress=stop)
    assert counts == sorted(counts)
    assert len(records(out.read_bytes())) == 5
    assert whole[0].startswith(out.read_bytes())
    run(out)
    assert (out.read_bytes(), errors_path(out).read_bytes()) == whole


def test_a_full_disk_loses_nothing_that_was_written(
    tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real, calls = tmp_path / "out.jsonl", journal_module.to_disk, []

    def full(file: Any) -> None:
        calls.append(file)
        if len(calls) == 4:
            file.seek(-20, 2)
            file.truncate()
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(journal_module, "to_disk", full)
    with pytest.raises(OSError, match="No space left"):
        run(out)
    monkeypatch.undo()
    run(out)
    assert (out.read_bytes(), errors_path(out).read_bytes()) == whole


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"digest": "cd" * 32}, "CP-INF-046", "made with prompt 'abababababababab'"),
        ({"max_new": 5}, "CP-INF-046", "settings 'float32 refuse max_new=6'"),
    ],
)
def test_answers_of_another_prompt_are_not_mixed_in(
    tmp_path: Path, whole: tuple[bytes, bytes], changes: Any, code: str, words: str
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(whole[0][:3000])
    before = out.read_bytes()
    with pytest.raises(ClinpromptError) as caught:
        run(out, **changes)
    assert caught.value.code == code
    assert words in caught.value.message
    assert out.read_bytes() == before
    run(out, overwrite=True, **changes)
    assert len(records(out.read_bytes())) == len(records(whole[0]))


def test_changed_inputs_are_noticed(tmp_path: Path, whole: tuple[bytes, bytes]) -> None:
    out = tmp_path / "out.jsonl"
    lines = list(source())
    for place, line, code in (
        (4, lines[4].replace(b'"id"', b' "id"'), "CP-INF-047"),  # the same id, another line
        (4, lines[4].replace(b"d5", b"d55"), "CP-INF-049"),
        (4, b'{"id": "now bad"\n', "CP-INF-049"),
        (2, lines[4].replace(b"d5", b"d55"), "CP-INF-049"),  # was bad before
    ):
        out.write_bytes(whole[0])
        changed = [*lines[:place], line, *lines[place + 1 :]]
        with pytest.raises(ClinpromptError, match=code):
            run(out, tuple(changed))
        assert out.read_bytes() == whole[0]
    with pytest.raises(ClinpromptError, match="CP-INF-049"):
        run(out, tuple(lines[:8]))
    assert out.read_bytes() == whole[0]


@pytest.mark.parametrize(
    "content",
    [
        b"my notes, without an end of line",
        b"my notes\n",
        b'{"id": "d1", "task": "summary", "text": "an input"}\n',
        b'{"id": "d1", "task": "summary", "made_by": 3}\n',
        b"[1]\n",
        b"\n",
    ],
)
def test_files_of_others_are_left_alone(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(content)
    with pytest.raises(ClinpromptError, match=r"CP-INF-048.*out\.jsonl:1"):
        run(out)
    assert out.read_bytes() == content


def test_no_list_of_errors_without_errors(tmp_path: Path) -> None:
    out = tmp_path / "answers.txt"
    assert errors_path(out).name == "answers.txt.errors.jsonl"
    errors_path(out).write_text("of an earlier run")
    good = tuple(line for n, line in enumerate(source(), 1) if n not in BAD)
    totals, _ = run(out, good)
    assert totals.rejected == 0
    assert not errors_path(out).exists()


def test_overwriting_begins_with_the_first_chunk(
    tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"something else")
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "entries", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(out, overwrite=True)
    assert out.read_bytes() == b"something else"
    run(out, overwrite=True)
    assert (out.read_bytes(), errors_path(out).read_bytes()) == whole
    run(out, (), overwrite=True)
    assert out.read_bytes() == b""


def test_two_runs_do_not_write_to_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = Journal(out)
    with pytest.raises(ClinpromptError, match="CP-INF-024"):
        Journal(out, overwrite=True)
    first.close()
    Journal(out).close()


def test_a_pipe_gets_the_same_answers(whole: tuple[bytes, bytes]) -> None:
    stream, told = BytesIO(), []
    predict(
        predictor(),
        source(),
        Reader("in.jsonl", predictor().cards),
        Pipe(stream),
        made_by_of(predictor(), DIGEST),
        chunk=4,
        reject=told.append,
    )
    assert stream.getvalue() == whole[0]
    assert len(told) == len(BAD)


def test_big_files_are_streamed(tmp_path: Path) -> None:
    """No more than a chunk is read before its answers are on the disk."""
    out, lines = tmp_path / "out.jsonl", source()
    read = 0

    def coming() -> Any:
        nonlocal read
        for line in lines:
            read += 1
            if read % 4 == 1 and read > 1:
                written = len(records(out.read_bytes())) + len(
                    records(errors_path(out).read_bytes())
                )
                assert written >= read - 2  # one line is blank
            yield line

    journal = Journal(out)
    predict(
        predictor(),
        coming(),
        Reader("in.jsonl", predictor().cards),
        journal,
        made_by_of(predictor(), DIGEST),
        chunk=4,
    )
    journal.close()
    assert read == len(lines)


def test_what_was_cut_off_is_told(tmp_path: Path) -> None:
    prompts = world.prompt_set(world.prepared(), world.card("mentions"))
    answering = Predictor.of(
        prompts, PredictorSettings(max_new=6, long_inputs="truncate"), prepared=world.prepared()
    )
    journal = Journal(tmp_path / "out.jsonl")
    totals = predict(
        answering,
        [BAD[14] + b"\n"],
        Reader("in.jsonl", answering.cards),
        journal,
        made_by_of(answering, DIGEST),
    )
    journal.close()
    (record,) = records((tmp_path / "out.jsonl").read_bytes())
    assert record["truncated"]
    assert 300 < record["characters_left_out"] < 800
    assert totals.truncated == 1
