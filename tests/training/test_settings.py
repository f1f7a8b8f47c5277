from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from clinprompt import recipes
from clinprompt.errors import ClinpromptError
from clinprompt.tasks.yamlfile import plain_yaml
from clinprompt.training.settings import AdaptRecipe, Optimiser, Recipe, load_settings

TEXT = """\
name: mine
sources: [a, b]
prompt: {length: 7}
distil:
  steps: 40
  distillation: no
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def refused(path: Path | None, *overrides: str, schema: type = Recipe) -> ClinpromptError:
    with pytest.raises(ClinpromptError) as caught:
        load_settings(schema, path, overrides)
    return caught.value


def test_file_defaults_and_overrides_meet(file: Path) -> None:
    found = load_settings(
        Recipe, file, ["distil.rate_shared=0.5", "prompt.rank=2", "teachers.steps=9"], seed=4
    )
    assert (found.name, found.sources, found.seed) == ("mine", ["a", "b"], 4)
    assert (found.prompt.length, found.prompt.rank) == (7, 2)
    assert (found.distil.steps, found.distil.rate_shared) == (40, 0.5)
    assert found.distil.distillation is False
    assert found.teachers.steps == 9
    assert found.engine == Recipe().engine


def test_a_later_override_wins_and_the_files_value_loses(file: Path) -> None:
    found = load_settings(Recipe, file, ["prompt.length=8", "prompt.length=9"])
    assert found.prompt.length == 9


def test_a_fixed_value_wins_and_none_is_no_value(file: Path) -> None:
    assert load_settings(Recipe, file, ["seed=5"], seed=6).seed == 6
    assert load_settings(Recipe, file, ["seed=5"], seed=None).seed == 5


def test_defaults_give_way_to_file_and_overrides(file: Path, tmp_path: Path) -> None:
    known = {"backbone.name": "/models/one: two", "prompt.length": 50}
    found = load_settings(Recipe, file, defaults=known)
    assert found.backbone.name == "/models/one: two"  # taken as it is, not as YAML
    assert found.prompt.length == 7
    other = load_settings(Recipe, file, ["backbone.name=b"], defaults=known)
    assert other.backbone.name == "b"
    own = tmp_path / "own.yaml"
    own.write_text("backbone: {name: c}", encoding="utf-8")
    assert load_settings(AdaptRecipe, own, defaults={"backbone.name": "a"}).backbone.name == "c"


def test_values_of_overrides_are_yaml() -> None:
    found = load_settings(
        Recipe,
        None,
        ["sources=[x, ./y.yaml]", "distil={steps: 3}", "distil.stochastic=off", "suite=null"],
    )
    assert found.sources == ["x", "./y.yaml"]
    assert (found.distil.steps, found.distil.stochastic, found.suite) == (3, False, None)


def test_an_unknown_key_names_the_nearest_and_its_line(file: Path) -> None:
    file.write_text(TEXT.replace("steps:", "stesp:"), encoding="utf-8")
    error = refused(file)
    assert error.code == "CP-TRAIN-012"
    assert (error.line, "distil.stesp" in error.message) == (5, True)
    assert "did you mean 'steps'" in (error.hint or "")
    error = refused(None, "distil.kapa=3")
    assert (error.code, error.hint) == ("CP-TRAIN-012", "did you mean 'kappa'?")
    error = refused(None, "teacher.steps=3")
    assert "did you mean 'teachers'?" in str(error)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("distil.steps=0", "distil.steps"),
        ("distil.steps=many", "distil.steps"),
        ("distil.kappa=1", "distil.kappa"),
        ("distil.mixing=even", "distil.mixing"),
        ("prompt.init=zeros", "prompt.init"),
        ("data.long_inputs=ignore", "data.long_inputs"),
        ("teachers.rate=-1", "teachers.rate"),
        ("teachers.rate=.inf", "teachers.rate"),
        ("teachers.clip=.inf", "teachers.clip"),
        ("distil.weight=.nan", "distil.weight"),
        ("seed=-1", "seed"),
        (f"seed={2**64}", "seed"),
        ("teachers.rate=1e300", "teachers.rate"),
        ("distil.rate_vectors=1e300", "distil.rate_vectors"),
        ("distil.weight_decay=1e300", "distil.weight_decay"),
        ("distil=3", "distil"),
    ],
)
def test_wrong_values_are_refused_with_their_key(override: str, key: str) -> None:
    error = refused(None, override)
    assert error.code == "CP-TRAIN-012"
    assert error.message.startswith(f"{key}: ")


def test_the_line_is_that_of_the_section_and_an_override_has_none(file: Path) -> None:
    file.write_text("teachers:\n  steps: 3\ndistil:\n  steps: 0\n", encoding="utf-8")
    error = refused(file)
    assert (error.file, error.line) == (str(file), 4)
    error = refused(file, "distil.steps=3", "teachers.steps=0")
    assert (error.file, error.line) == (None, None)
    assert error.message.startswith("teachers.steps: ")
    assert refused(file, "distil={steps: -1}").file is None


def test_what_comes_from_the_metaprompt_is_still_a_known_key() -> None:
    assert refused(None, "distil.steps=3", schema=AdaptRecipe).code == "CP-TRAIN-012"
    assert load_settings(AdaptRecipe, None, ["adapt.trainable=vectors"]).adapt.trainable


@pytest.mark.parametrize(
    "override", ["seed", "=3", "", "a..b=1", "seed=[1", "name={", ".seed=1", "seed=2024-02-30"]
)
def test_an_override_that_is_not_key_value(override: str) -> None:
    error = refused(None, override)
    assert error.code == "CP-TRAIN-013"
    assert repr(override)[1:-1] in error.message


def test_an_override_is_never_lost_in_a_value(file: Path) -> None:
    for override in ("name.x=1", "sources.0=c", "distil.steps.x=1"):
        error = refused(file, override)
        assert error.code == "CP-TRAIN-083", override
    file.write_text("distil:\n", encoding="utf-8")  # a section with nothing in it
    assert load_settings(Recipe, file, ["distil.steps=3"]).distil.steps == 3


def test_unusable_files(tmp_path: Path) -> None:
    missing = refused(tmp_path / "no.yaml")
    assert (missing.code, missing.file) == ("CP-TRAIN-010", str(tmp_path / "no.yaml"))
    assert refused(tmp_path).code == "CP-TRAIN-010"
    path = tmp_path / "bad.yaml"
    path.write_bytes("name: Ménière".encode("latin-1"))
    error = refused(path)
    assert (error.code, "UTF-8" in error.message) == ("CP-TRAIN-010", True)
    path.write_text("name: a\nprompt: [1\n", encoding="utf-8")
    error = refused(path)
    assert error.code == "CP-TRAIN-011"
    assert error.line is not None and error.line >= 2
    path.write_text("distil: {steps: 1}\nseed: 1\ndistil: {steps: 2}\n", encoding="utf-8")
    error = refused(path)
    assert (error.code, error.line) == ("CP-TRAIN-011", 3)
    assert "stands twice" in error.message
    for text in ("- a\n- b\n", "just words", "3"):
        path.write_text(text, encoding="utf-8")
        assert refused(path).code == "CP-TRAIN-082", text


def test_an_empty_file_is_all_defaults_and_a_mark_of_byte_order_is_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n", encoding="utf-8")
    assert load_settings(Recipe, path) == Recipe()
    path.write_text("name: a\n", encoding="utf-8-sig")
    assert load_settings(Recipe, path).name == "a"


def test_bundled_recipes_are_valid() -> None:
    # A comparison is told by its methods; those have a schema of their own.
    files = [
        path
        for path in sorted(recipes.FOLDER.glob("*.yaml"))
        if "methods" not in plain_yaml(path.read_text(encoding="utf-8"))
    ]
    assert len(files) >= 3
    for path in files:
        found = load_settings(Recipe, path)
        assert found.sources or found.suite, path


def test_starts_that_contradict_each_other_are_refused() -> None:
    """Teachers that start from different instructions can't be averaged."""
    with pytest.raises(ClinpromptError, match=r"CP-TRAIN-012.*distil.start=vocabulary"):
        load_settings(Recipe, None, ["prompt.init=instruction"])
    for more in ("distil.start=vocabulary", "distil.distillation=false"):
        assert load_settings(Recipe, None, ["prompt.init=instruction", more])


def test_a_stage_can_only_end_before_its_last_step() -> None:
    assert Optimiser(steps=5).last == 5
    assert Optimiser(steps=5, stop=2).last == 2
    with pytest.raises(ValidationError, match="stop is 6, after the last of 5 steps"):
        Optimiser(steps=5, stop=6)
