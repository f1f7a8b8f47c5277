"""The order of cells, what each depends on, and what is shown in the context."""

from __future__ import annotations

import pytest
from tests.experiments import compare_world as cw
from tests.training import toy

from clinprompt.backbone.codec import Codec
from clinprompt.backbone.template import Template
from clinprompt.experiments.compare.methods.untrained import InContextSettings, in_turns, show
from clinprompt.experiments.compare.plan import digest
from clinprompt.experiments.compare.spread import Work, stages
from clinprompt.tasks import catalogue
from clinprompt.tasks.shots import few_shot


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    return cw.write_world(tmp_path_factory.mktemp("world"))


def identities(fields, out, **changes):
    return {one.key.id: one.identity for one in cw.planned(fields, out, **changes).plan.cells}


def test_rows_of_the_table_come_before_columns(fields, tmp_path):
    plan = cw.planned(fields, tmp_path, seeds=[5, 1]).plan
    found = [(one.key.seed, one.key.target, one.key.shots, one.key.method) for one in plan.cells]
    seeds = [seed for seed, *_ in found]
    assert seeds == sorted(seeds, reverse=True)
    first = [rest for seed, *rest in found if seed == 5]
    assert [t for t, *_ in first] == sorted(t for t, *_ in first)
    assert [shots for t, shots, _ in first if t == "asked"][:5] == [0, 0, 2, 4, 4]
    assert first[-1][1] == "full"
    assert [m for t, shots, m in first if (t, shots) == ("asked", 4)] == [
        "pt",
        "mpt",
        "mpt-vectors",
        "mpt-grouped",
        "mpt-lora",
        "lora",
        "fine-tuning",
    ]
    assert len({one.key.id for one in plan.cells}) == len(plan.cells)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"engine": {"save_every": 9}}, {"all"}),
        ({"name": "other"}, {"all"}),
        ({"evaluation": {"batch_tokens": 64}}, {"all"}),
        ({"evaluation": {"max_new": 5}}, set()),
        ({"evaluation": {"empty_above": None}}, {"all"}),
        ({"statistics": {"seed": 3}}, set()),
        ({"training": {"rows": 3}}, {"bare", "in-context", "zero"}),
        ({"data": {"max_tokens": 500}}, set()),
        ({"tuning": {"when": "off"}}, set()),
        ({"training": {"select": "loss"}}, {"all"}),
        ({"training": {"select": "metric"}}, {"bare", "in-context", "zero"}),
    ],
)
def test_identities_change_with_what_results_depend_on(fields, tmp_path, changes, same):
    before, after = identities(fields, tmp_path), identities(fields, tmp_path, **changes)
    assert before.keys() == after.keys()
    for name in before:
        kind = name.split("/")[-1]
        kept = "all" in same or any(kind.startswith(one) for one in same if one != "zero")
        kept = kept or ("zero" in same and kind.startswith("mpt-0-"))
        assert (before[name] == after[name]) == kept, name


def test_how_lists_are_left_empty_changes_those_of_lists_alone(fields, tmp_path):
    before = identities(fields, tmp_path)
    after = identities(fields, tmp_path, evaluation={"empty_above": 0.8})
    assert {name for name in before if before[name] != after[name]} == {
        name for name in before if "/marked/" in name
    }


def test_by_form_a_fitting_is_that_of_whatever_judges_it(fields, tmp_path):
    loss, metric, by_form = (
        {
            cell.key.id: digest(world.plan.fitting(cell.unit))
            for cell in world.plan.cells
            if cell.unit.entry.id != "bare" and cell.key.shots == 4
        }
        for world in (
            cw.planned(fields, tmp_path, training={"select": select})
            for select in ("loss", "metric", "by-form")
        )
    )
    for name, one in by_form.items():
        lists = "/marked/" in name or "/mpt-grouped-" in name  # grouped: fitted with the list
        assert one == (metric if lists else loss)[name], name
    assert sum(one != loss[name] for name, one in by_form.items()) >= len(by_form) / 2 - 1


def test_how_dev_is_answered_is_part_of_a_fitting_that_is_chosen_by_it(fields, tmp_path):
    def fittings(**changes):
        plan = cw.planned(fields, tmp_path, **changes).plan
        return [plan.fitting(cell.unit) for cell in plan.cells if cell.unit.entry.id == "pt"]

    for select, same in (("loss", True), ("metric", False)):
        training = {"training": {"select": select}}
        for answers in ({"max_new": 5}, {"empty_above": 0.8}):
            other = fittings(**training, evaluation=answers)
            assert (fittings(**training) == other) == same


def test_other_grids_change_their_method_alone(fields, tmp_path):
    methods = [dict(one) if isinstance(one, dict) else one for one in cw.METHODS]
    methods[2] = {"name": "pt", "rates": [{"shared": 0.05}, {"shared": 0.6}]}
    before, after = identities(fields, tmp_path), identities(fields, tmp_path, methods=methods)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if "/pt-" in name}


def test_titles_and_other_targets_change_nothing(fields, tmp_path):
    methods = ["bare", {"name": "pt", "title": "PT", "rates": [{"shared": 0.1}]}]
    one = identities(fields, tmp_path, methods=methods, targets=fields["targets"][:1])
    methods = [{"name": "pt", "rates": [{"shared": 0.1}]}, "bare"]
    two = identities(fields, tmp_path, methods=methods)
    assert all(two[name] == value for name, value in one.items())


def test_ray_does_what_others_need_first(fields, tmp_path):
    world = cw.planned(fields, tmp_path, seeds=[0, 1])
    groups = stages(world, world.plan.cells)
    assert [{work.kind for work in group} for group in groups] == [{"tries"}, {"fitting"}, {"cell"}]
    tries, fittings, cells = groups
    # 6 methods x 2 targets x 2 shots alone, grouped once for both targets
    assert len(tries) == 6 * 2 * 2 + 2
    assert len(fittings) == 2 * 2
    assert [work.id for work in cells] == [one.key.id for one in world.plan.cells]
    none = stages(world, [one for one in world.plan.cells if one.key.method == "bare"])
    assert [{work.kind for work in group} for group in none] == [{"cell"}]
    assert stages(world, []) == []


def test_metaprompts_are_trained_first_and_only_where_they_are_needed(fields, tmp_path):
    source = {"metaprompt": None, "recipe": "quickstart"}
    world = cw.planned(fields, tmp_path, source=source)
    assert stages(world, world.plan.cells)[0] == [Work("source", "tiny")]
    bare = [one for one in world.plan.cells if one.key.method in ("bare", "pt", "lora")]
    assert all(work.kind != "source" for group in stages(world, bare) for work in group)


def test_groups_are_by_type_or_by_name(fields, tmp_path):
    def units(groups):
        methods = [
            {"name": "mpt-grouped", "groups": groups, "rates": [{"shared": 1, "vectors": 1}]}
        ]
        plan = cw.planned(fields, tmp_path, methods=methods, shots=[4]).plan
        return {one.card.name: [c.name for c in one.unit.cards] for one in plan.cells}

    both, alone = ["asked", "marked"], {"asked": ["asked"], "marked": ["marked"]}
    assert units("all") == {"asked": both, "marked": both}
    assert units("type") == alone  # one is qa, one is ner
    assert units({"g": both}) == {"asked": both, "marked": both}
    assert units({"g": ["asked"]}) == alone


CHAT = Template(
    kind="chat", bos=False, head="<bos>S:", between="<eos>\nU:", tail="<eos>\nA:", end="<eos>\n"
)
JOINED = Template(
    kind="chat", bos=False, head="<bos>U:", between="\n\n", tail="<eos>\nA:", end="<eos>"
)


@pytest.fixture(scope="module")
def shown_world(fields, tmp_path_factory):
    world = cw.planned(fields, tmp_path_factory.mktemp("out"))
    card = catalogue.find(fields["targets"][0])
    return world, card, world.data(card).splits["train"]


def written(codec, ids) -> str:
    return codec.tokenizer.decode(ids)


@pytest.mark.parametrize(("template", "form"), [(None, "text"), (CHAT, "turns"), (JOINED, "text")])
def test_examples_stand_in_the_context_as_a_row_would(shown_world, template, form):
    world, card, train = shown_world
    ready = toy.prepared()
    codec = ready.codec if template is None else Codec(ready.codec.tokenizer, template)
    recipe = world.plan.recipe
    found = show(codec, 512, recipe, InContextSettings(k=2), card, train[:2])
    assert (found.count, found.form, in_turns(codec)) == (2, form, form == "turns")
    text = written(codec, codec.fixed("Do it.") + found.ids + codec.rows(["last"])[0])
    answers = [next(iter(card.labels[one.answer.label].splitlines())) for one in train[:2]]
    t = codec.template
    if form == "turns":
        assert text.startswith("<bos>S:Do it.<eos>\nU:")
        assert text.count("<eos>\nA:") == 3
        assert f"A:{answers[0]}<eos>\nU:" in text
        assert text.endswith(f"A:{answers[1]}<eos>\nU:last<eos>\nA:")
    else:
        assert f"{t.tail}{answers[0]}\n\n" in text
        assert text.endswith(f"{t.tail}{answers[1]}\n\nlast{t.tail}")


def test_as_many_examples_are_shown_as_fit(shown_world):
    world, card, train = shown_world
    codec = toy.prepared().codec
    recipe, settings = world.plan.recipe, InContextSettings()
    counts = [
        show(codec, context, recipe, settings, card, train[:12]).count
        for context in (260, 300, 400, 512)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] <= 12
    least = show(codec, 512, recipe, settings, card, train[:12])
    fixed = 512 - len(least.ids)
    assert (
        show(codec, fixed + len(least.ids) - 1, recipe, settings, card, train[:12]).count
        <= least.count
    )


def test_fewer_shots_are_the_first_of_more(shown_world):
    world, card, train = shown_world
    codec = toy.prepared().codec
    some = [
        show(codec, 512, world.plan.recipe, InContextSettings(), card, few_shot(train, k, 3)).ids
        for k in (1, 3)
    ]
    assert some[1][: len(some[0])] == some[0]


def test_full_and_few_shots_are_nested_and_equal_for_methods(fields, tmp_path):
    world = cw.planned(fields, tmp_path)
    card = world.plan.cards[0]
    ids = {
        shots: [one.id for one in world.splits(card, shots, 0, trains=True)["train"]]
        for shots in (2, 4, 12)
    }
    assert ids[2] == ids[4][:2]
    assert ids[4] == ids[12][:4]
    assert world.splits(card, 4, 0, trains=False) == world.splits(card, 4, 0, trains=True)
    assert world.splits(card, 0, 0, trains=True) == {"train": [], "dev": []}
    assert len(world.splits(card, 2, 0, trains=True)["dev"]) == 2  # no more dev than shots
    assert world.splits(card, 4, 1, trains=True) != world.splits(card, 4, 0, trains=True)
