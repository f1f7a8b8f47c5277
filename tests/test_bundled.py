"""Names of what comes with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinprompt import bundled, metaprompts, recipes
from clinprompt.cli.app import app
from clinprompt.errors import ClinpromptError

KNOWN = {"winter": Path("/here/winter.yaml"), "summer": Path("/here/summer.yaml")}


def find(given: str | Path) -> Path:
    return bundled.find(given, KNOWN, "season")


def test_a_name_is_found_and_paths_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spring").write_text("")
    (tmp_path / "winter").write_text("")
    assert find("winter") == find(Path("winter")) == KNOWN["winter"]
    for path in ("./spring", "spring", "gone/autumn", "autumn.yaml", str(tmp_path / "autumn")):
        assert find(path) == Path(path)


def test_a_word_that_is_neither_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ClinpromptError) as caught:
        find("sumer")
    assert (caught.value.code, caught.value.hint) == ("CP-NAME-001", "did you mean 'summer'?")
    assert "'sumer'" in caught.value.message


def test_recipes_and_metaprompts_are_found_by_their_names() -> None:
    for file in recipes.FOLDER.glob("*.yaml"):
        assert recipes.find(file.stem) == file
    for name in metaprompts.names():
        assert metaprompts.find(name) == metaprompts.FOLDER / name


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["train", "open-cpu-lung", "-o", "out"], "open-cpu-long"),
        (["compare", "open-suit-small", "-o", "out"], "open-suite-small"),
        (["plan", "quickstar"], "quickstart"),
        (["show", "open-smolm2"], "open-smollm2"),
    ],
)
def test_the_command_line_names_the_nearest(words: list[str], meant: str) -> None:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 2
    assert "[CP-NAME-001]" in result.stderr and f"did you mean '{meant}'?" in result.stderr
