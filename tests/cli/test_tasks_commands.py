from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from clinprompt import __version__
from clinprompt.cli.app import app
from clinprompt.cli.taskcheck import counter
from clinprompt.corpora import registry
from clinprompt.corpora.registry import Options, Source
from clinprompt.examples import Entity, EntityAnswer, Example, TextInput

CASE = "a 45 year old woman developed acute liver failure two weeks after starting the drug"


def _read(source: Source, options: Options) -> list[Example]:
    found = []
    for file in source.files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            entities = tuple(Entity(((a, b),), label) for a, b, label in row["entities"])
            found.append(
                Example(row["id"], row["id"], TextInput(row["text"]), EntityAnswer(entities))
            )
    return found


if "cli-test-rows" not in registry.names():
    registry.reader("cli-test-rows", Options)(_read)


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def make_card(folder: Path, name: str, splits: dict[str, list[tuple[str, list[Any]]]]) -> Path:
    files = {}
    for split, rows in splits.items():
        lines = [
            json.dumps({"id": f"{name}-{split}-{i}", "text": text, "entities": entities})
            for i, (text, entities) in enumerate(rows)
        ]
        (folder / f"{name}-{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        files[split] = [f"{name}-{split}.jsonl"]
    card = {
        "name": name,
        "type": "ner",
        "form": "mentions",
        "title": "Drugs [of/a] kind",
        "instruction": "List the drugs.",
        "labels": {"Drug": "drug"},
        "metric": "entity_f1",
        "data": {"reader": "cli-test-rows", "files": files},
        "license": "none",
        "citation": "none",
        "notes": ["A made-up set."],
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(card, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def card(tmp_path: Path) -> Path:
    rows = [("aspirin [b]helped[/b]", [[0, 7, "Drug"]]), ("nothing helped", [])]
    return make_card(tmp_path, "drugs", {"train": rows, "test": [("ibuprofen", [[0, 9, "Drug"]])]})


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    make_card(tmp_path, "a", {"train": [(CASE, []), ("another note", [])]})
    make_card(tmp_path, "b", {"test": [(f"Some words before. {CASE}. Some after.", [])]})
    path = tmp_path / "mine.yaml"
    content = {"name": "mine", "sources": ["./a.yaml"], "targets": ["./b.yaml"]}
    path.write_text(yaml.safe_dump({**content, "dropped": "mine.json"}), encoding="utf-8")
    return path


def test_version_and_help() -> None:
    assert run("--version").output.strip() == f"clinprompt {__version__}"
    assert "tasks" in run("--help").output
    assert "leakage" in run("tasks", "-h").output


def test_list() -> None:
    rows = json.loads(run("tasks", "list", "--json").stdout)
    assert {"name", "type", "form", "metric", "license"} <= set(rows[0])
    plain = run("tasks", "list").stdout.splitlines()
    assert plain[0].split() == ["name", "type", "form", "metric", "data", "title"]
    assert len(plain) == len(rows) + 1


def test_list_of_a_suite(suite: Path) -> None:
    rows = json.loads(run("tasks", "list", "--suite", suite, "--json").stdout)
    assert [(row["name"], row["role"], row["data"]) for row in rows] == [
        ("a", "source", "found"),
        ("b", "target", "found"),
    ]


def test_show(card: Path) -> None:
    result = run("tasks", "show", card)
    assert result.exit_code == 0
    assert "Drugs [of/a] kind" in result.stdout
    assert "drugs-train.jsonl" in result.stdout
    assert "- A made-up set." in result.stdout
    assert json.loads(run("tasks", "show", card, "--json").stdout)["name"] == "drugs"


def test_preview(card: Path) -> None:
    result = run("tasks", "preview", card, "--limit", 1)
    assert result.exit_code == 0
    assert "aspirin [b]helped[/b]" in result.stdout  # no markup is interpreted
    assert ["Drug", "0-7", "aspirin"] in [line.split() for line in result.stdout.splitlines()]
    assert "nothing helped" not in result.stdout


def test_preview_as_json(card: Path) -> None:
    views = json.loads(run("tasks", "preview", card, "--split", "test", "--json").stdout)
    assert [view["id"] for view in views] == ["drugs-test-0"]
    assert views[0]["typed"] == [["Drug", "0-9", "ibuprofen"]]
    assert "ibuprofen" in views[0]["answer"]


def test_preview_of_shots_is_what_shots_picks(card: Path) -> None:
    views = json.loads(run("tasks", "preview", card, "--limit", 1, "--seed", 0, "--json").stdout)
    assert views[0]["id"] == "drugs-train-0"  # the one with a label
    result = run("tasks", "preview", card, "--limit", 9, "--seed", 0)
    assert result.exit_code == 2
    assert "9 shots asked for, but there are 2" in result.stderr


def test_check(card: Path) -> None:
    result = run("tasks", "check", card)
    assert result.exit_code == 0, result.output
    assert "1 of 1 tasks are fine" in result.stdout
    report = json.loads(run("tasks", "check", card, "--json").stdout)
    assert report["refused"] == 0
    assert report["tasks"][0]["splits"]["train"]["labels"] == {"Drug": 1}


def test_lengths_are_counted_in_words_or_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    monkeypatch.setenv("CLINPROMPT_CACHE", str(tmp_path))
    unit, count = counter(None)
    assert (unit, count(["one two", ""])) == ("words", [2, 0])

    folder = tmp_path / "backbones" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    unit, count = counter(None)
    assert (unit, count(["one two", ""])) == ("tokens", [7, 0])


def test_check_reads_all_before_it_refuses(suite: Path) -> None:
    make_card(
        suite.parent, "a", {"train": [("a note", [[0, 6, "Dose"]]), ("a note", [[9, 2, "Drug"]])]}
    )
    (suite.parent / "mine.json").write_text('{"suite": "mine", "tasks": {}}', encoding="utf-8")
    result = run("tasks", "check", suite)
    assert result.exit_code == 1
    assert "label 'Dose' is not on the card" in result.stdout
    assert "characters 9-2; the end lies before the start" in result.stdout
    assert "1 of 2 tasks are fine" in result.stdout


def test_check_of_a_suite_whose_drops_are_missing_is_one_error(suite: Path) -> None:
    result = run("tasks", "check", suite)
    assert result.exit_code == 2
    assert result.stderr.count("CP-TASK-035") == 1


def test_leakage(suite: Path) -> None:
    (suite.parent / "mine.json").write_text('{"suite": "mine", "tasks": {}}', encoding="utf-8")
    found = run("tasks", "leakage", suite)
    assert found.exit_code == 1
    assert "leaks left: 1 (2 tasks, 3 examples)" in found.stdout
    assert "liver" not in found.output
    report = json.loads(run("tasks", "leakage", suite, "--json").stdout)
    assert report["left"] == 1
    assert report["links"][0]["left"]["example"] == "a-train-0"

    written = run("tasks", "leakage", suite, "--write")
    assert written.exit_code == 0, written.output
    assert "leaks left: 0 (2 tasks, 2 examples)" in written.stdout
    assert run("tasks", "leakage", suite).exit_code == 0
    checked = json.loads(run("tasks", "check", suite, "--json").stdout)
    assert checked["tasks"][0]["splits"]["train"]["dropped"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tasks", "show", "chemprott"], "did you mean 'chemprot'"),
        (["tasks", "check", "opem"], "did you mean 'open'"),
        (["tasks", "leakage", "opem"], "did you mean 'open'"),
        (["tasks", "show", "./none.yaml"], "[CP-TASK-004] none.yaml: cannot be read"),
        (["tasks", "list", "--data-root", "/none"], "'/none' is not a folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_wrong_split_is_named(card: Path) -> None:
    result = run("tasks", "preview", card, "--split", "tset")
    assert "did you mean 'test'" in result.stderr


@pytest.mark.parametrize(
    ("problem", "code", "message"),
    [
        (OSError(28, "No space left on device", "/tmp/x"), 2, "/tmp/x: No space left on device"),
        (PermissionError(13, "Permission denied", "/x"), 2, "[CP-CLI-001] /x: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_the_machine_does_is_no_traceback_either(
    monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int, message: str
) -> None:
    def fail() -> None:
        raise problem

    monkeypatch.setattr("clinprompt.tasks.catalogue.all_cards", fail)
    result = run("tasks", "list")
    assert result.exit_code == code
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == (1 if message else 0)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("clinprompt.tasks.catalogue.all_cards", fail)
    assert isinstance(run("tasks", "list").exception, ZeroDivisionError)


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_command_line_is_offline_unless_told_otherwise() -> None:
    code = (
        "import os, clinprompt.cli as c\nc.go_offline()\n"
        "print(*(os.environ.get(n) for n in "
        "('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_HUB_DISABLE_TELEMETRY')))"
    )
    clean = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "CLINPROMPT_ONLINE": ""}
    assert python(code, **clean).stdout.split() == ["1", "1", "1"]
    assert python(code, **{**clean, "CLINPROMPT_ONLINE": "1"}).stdout.split() == ["0", "0", "1"]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom clinprompt.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pydantic', 'yaml', 'openpyxl'}\n"
        "print('HEAVY', *sorted(heavy & set(sys.modules)))"
    )
    assert python(code).stdout.splitlines()[-1] == "HEAVY"


def test_run_as_a_module_into_a_closed_pipe() -> None:
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-m', 'clinprompt', 'tasks', 'list', '--json'], "
        "stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "p.stdout.read(1)\np.stdout.close()\nprint(p.stderr.read().decode(), p.wait())"
    )
    assert python(code).stdout.split() in (["0"], ["141"])
