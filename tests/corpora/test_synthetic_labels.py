"""What the labels mean, worked out again from the finished texts by independent rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from unittest.mock import patch

import pytest

from clinprompt.corpora.synthetic import example
from clinprompt.corpora.synthetic.draw import Draw
from clinprompt.corpora.synthetic.grammar import _Choice, _Node, _Slot, parse
from clinprompt.corpora.synthetic.lexicon.tables import words
from clinprompt.corpora.synthetic.statements import _SAID
from clinprompt.examples import (
    Example,
    LabelAnswer,
    PremiseInput,
    QuestionInput,
    RelationAnswer,
    TextAnswer,
    TextInput,
    source_text,
)


@cache
def rows(kind: str, split: str = "train", count: int = 400) -> list[Example]:
    return [example(kind, 0, split, index) for index in range(count)]


@cache
def spelt(kind: str, split: str = "train", count: int = 400) -> list[Example]:
    """Examples of the same grammar without slips, so that plain patterns can read them."""
    with patch.object(Draw, "misspelt", lambda draw, text: text):
        return [example(kind, 0, split, index) for index in range(count)]


def label(row: Example) -> str:
    assert isinstance(row.answer, LabelAnswer)
    return row.answer.label


# ---- inference: numbers, times, dates and doses --------------------------------------------------

DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
NUMBERS = words("zero one two three four five six seven eight nine ten eleven twelve")


def measured(premise: str, hypothesis: str) -> bool | None:
    """Whether a value bears the hypothesis out; None if the premise does not decide."""
    match = re.fullmatch(r"the (.+) (?:is|was|are|were) (\w+)(?: than)? ([\d.]+).*\.", hypothesis)
    if match is None or match[2] not in ("above", "over", "higher", "below", "under", "lower"):
        raise LookupError
    found = re.search(rf"(?<!\w){re.escape(match[1])}(?: | of |: |, )(\d+(?:\.\d+)?)", premise)
    if found is None:
        return None
    above = float(found[1]) > float(match[3])
    assert float(found[1]) != float(match[3])
    return above == (match[2] in ("above", "over", "higher"))


def lasted(premise: str, hypothesis: str) -> bool | None:
    match = re.fullmatch(r"(.+) (?:began|started) (more|less) than (\d+) (\w)\w+ ago\.", hypothesis)
    if match is None:
        raise LookupError
    time = rf"(?<!\w){re.escape(match[1])} (?:for|that began) (?:about )?(\w+) (\w)"
    found = re.search(time, premise)
    if found is None:
        return None
    number = int(found[1]) if found[1].isdigit() else NUMBERS.index(found[1])
    longer = number * DAYS[found[2]] > int(match[3]) * DAYS[match[4]]
    return longer == (match[2] == "more")


def dated(premise: str, hypothesis: str) -> bool | None:
    pattern = r"(.+) (?:was|were) (?:done|performed) (before|after) (\d{4})\."
    match = re.fullmatch(pattern, hypothesis)
    if match is None:
        raise LookupError
    found = re.search(rf"(?<!\w){re.escape(match[1])} in (\d{{4}})", premise)
    if found is None:
        return None
    return (int(found[1]) < int(match[3])) == (match[2] == "before")


def dosed(premise: str, hypothesis: str) -> bool | None:
    match = re.fullmatch(r"the dose of (.+) was (raised|increased|lowered|reduced)\.", hypothesis)
    if match is None:
        raise LookupError
    name = rf"(?<!\w){re.escape(match[1])}"
    if re.search(rf"{name} (kept|left|continued)", premise):
        return False
    found = re.search(rf"{name} \w+ from ([\d.]+) .*? to ([\d.]+) ", premise)
    if found is None:
        return None
    return (float(found[2]) > float(found[1])) == (match[2] in ("raised", "increased"))


@pytest.mark.parametrize(
    ("decide", "least"), [(measured, 90), (lasted, 50), (dated, 50), (dosed, 50)]
)
def test_numbers_decide_the_label(decide: Callable[[str, str], bool | None], least: int) -> None:
    verdicts = {True: "entailment", False: "contradiction", None: "neutral"}
    seen: Counter[str] = Counter()
    for split in ("train", "test"):
        for row in spelt("inference", split):
            assert isinstance(row.input, PremiseInput)
            try:
                verdict = decide(row.input.premise.lower(), row.input.hypothesis.lower())
            except LookupError:
                continue
            assert verdicts[verdict] == label(row), row.id
            seen[label(row)] += 1
    assert sum(seen.values()) >= least
    assert len(seen) == 3


# ---- statements: every wording of every status ---------------------------------------------------


def wordings(nodes: Sequence[_Node]) -> Iterator[str]:
    """All texts that a pattern can give, with slots written as ``{x}``."""
    options: list[list[str]] = []
    for node in nodes:
        if isinstance(node, str):
            options.append([node])
        elif isinstance(node, _Slot):
            options.append([f"{{{node.name}}}"])
        else:
            assert isinstance(node, _Choice)
            options.append([text for option in node.options for text in wordings(option)])
    for choice in product(*options):
        yield "".join(choice)


OPEN = (
    r"possible|suspected|questionable|perhaps|not yet|"
    r"(has|have)\}? not been (excluded|ruled)|cannot be|"
    r"evaluat(ed|ion) for|under evaluation|rule out|r/o|query|pending|awaited|inconclusive|"
    r"another does not|might|may (still|be|have)|cannot|could not|not sure|uncertain|unclear|"
    r"not assessed|"
    r"unable|not known|unknown|does not (remember|recall|know)|to (be checked|confirm)|one list|"
    r"asked the other|being tested|awaits|never tested|clarified|family, denied|reported \{x\} al"
)
NEGATIVE = (
    r"\bno\b|\bnot\b|without|never|ruled out|excluded|negative|denie[sd]|removed|absent|free of|"
    r"stopped|discontinued|came off|is off|declined|quit|gave up|cancelled|called off|against|"
    r"refused|still to be done|missed|postponed|put off|awaiting|waiting|disproved|delabeled"
)


@pytest.mark.parametrize("topic", _SAID)
def test_every_statement_says_its_status_and_no_other(topic: str) -> None:
    found: dict[str, str] = {}
    for status, patterns in _SAID[topic].items():
        for text in (text for pattern in patterns for text in wordings(parse(pattern))):
            assert "{x}" in text or "{X}" in text
            assert found.setdefault(text, status) == status
            low = text.lower().replace("has not missed", "takes")
            left_open = re.search(OPEN, low) is not None
            denied = re.search(NEGATIVE, low) is not None
            assert left_open == (status == "open"), text
            if status != "open":
                assert denied == (status == "no"), text


CLAIM = re.compile(
    r"the diagnosis of (?P<a>.+) is established\."
    r"|the patient's (?P<who>[a-z -]+?) (has|had|does not have|did not have) (?P<b>.+)\."
    r"|the patient (is taking|is not taking|has had|has never had|is allergic to|is not allergic to"
    r"|has no|has|does not have) (?P<c>.+)\."
    r"|(?P<d>.+) (is being taken|is not being taken|(is|are) among the complaints|(is|are) absent"
    r"|(was|were) (never )?performed|(has|have) (already |not )?been done( yet)?)\."
)
QUESTION = re.compile(
    r"(does|did) the patient's (?P<who>[a-z -]+?) have (?P<a>.+)\?"
    r"|does the patient have (?P<b>.+) allergy\?|is the patient (allergic to|taking|troubled by) "
    r"(?P<c>.+)\?|(does|did|has|have) the patient (have|take|had|undergo) (?P<d>.+)\?"
    r"|(is|are) (?P<e>.+) (a current medicine|among the patient's problems)\?"
    r"|(was|were|has|have) (?P<f>.+?) (ever done|been done|done)\?"
)
RELATIVE = re.compile(r"\b(mother|father|brother|sister|grand(m|f)other|grandfather|aunt|uncle)\b")


def status(note: str, match: re.Match[str]) -> str | None:
    """What the note says of the thing asked for: yes, no, open; None if nothing."""
    groups = match.groupdict()
    who = groups.pop("who")
    name = next(group for group in groups.values() if group)
    for part in re.split(r"(?<!\bh)\. ", note.rstrip(".") + ". "):
        there = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", part)
        if not there or (who is None) != (RELATIVE.search(part) is None):
            continue
        if who is not None and not re.search(rf"(?<![\w-]){who}(?!\w)", part.replace(name, "")):
            continue
        said = (part[: there.start()] + "{x}" + part[there.end() :] + ".").strip()
        said = said.replace("has not missed", "takes")
        if re.search(OPEN, said):
            return "open"
        return "no" if re.search(NEGATIVE, said) else "yes"
    return None


def test_statements_decide_about_hypotheses() -> None:
    seen: Counter[str] = Counter()
    for row in spelt("inference") + spelt("inference", "test"):
        assert isinstance(row.input, PremiseInput)
        claim = row.input.hypothesis.lower()
        if re.search(
            r"(more|less|higher|lower) than|above|below|over|under|before|after|dose of", claim
        ):
            continue
        match = CLAIM.fullmatch(claim)
        assert match is not None, claim
        negative = re.search(r"\b(not|never|no|absent)\b", claim) is not None
        found = status(row.input.premise.lower(), match)
        expected = {
            "yes": "contradiction" if negative else "entailment",
            "no": "entailment" if negative else "contradiction",
        }.get(found or "", "neutral")
        assert expected == label(row), (row.input, found)
        seen[f"{found} {negative}"] += 1
    assert len(seen) == 8 and min(seen.values()) > 10


def test_statements_decide_about_questions() -> None:
    answers = {"yes": "yes", "no": "no", "open": "maybe"}
    for row in spelt("history-qa") + spelt("history-qa", "test"):
        assert isinstance(row.input, QuestionInput)
        match = QUESTION.fullmatch(row.input.question.lower())
        assert match is not None, row.input.question
        found = status((row.input.context or "").lower(), match)
        assert answers[found or ""] == label(row), (row.input, found)


# ---- choices, smoking, relations, summaries ------------------------------------------------------


def test_the_right_choice_stands_where_the_question_points() -> None:
    seen: Counter[str] = Counter()
    for row in spelt("choices") + spelt("choices", "test"):
        assert isinstance(row.input, QuestionInput)
        note, right = (row.input.context or "").lower(), row.input.choices["ABCD".index(label(row))]
        right = right.lower()
        assert right in note
        assert len({choice.lower() for choice in row.input.choices}) == 4
        wrong = [choice.lower() for choice in row.input.choices if choice.lower() != right]
        assert any(choice in note for choice in wrong)
        question = row.input.question.lower()
        if match := re.fullmatch(r"what (?:was|were) the (.+)\?", question):
            pattern = rf"(?<!\w){re.escape(match[1])}(?: |: | of ){re.escape(right)}(?![\d.]\d)"
        elif match := re.fullmatch(r"which operation was done in (\d+)\?", question):
            name = re.escape(right)
            pattern = rf"{name} (in )?{match[1]}|{match[1]} {name}"
        elif match := re.fullmatch(r"how long has the patient had (.+)\?", question):
            pattern = rf"{re.escape(match[1])} (for|x|over the last) {right}"
        else:
            continue
        seen[question.split()[0]] += 1
        assert re.search(pattern, note), (note, question, right)
    assert min(seen.values()) > 50


BESIDE = re.compile(
    r"^(father|sister|neighbor|brother|daughter|mother|coworker|son)\b"
    r"|smoke alarms|wood smoke|home (with smokers|where)|drink|alcohol|beer|wine|sober|\d+ cups"
)
FORMER = re.compile(
    r"^(quit|stopped) smoking(?!.*(restarted|again))|^(ex-|former |past |remote )smok|^smoked [\d.]"
    r"|^(none since|quit in|stopped in)|^(gave up|has been off) cig|^(has not smoked|smoke-free)"
    r"|^no cigarettes (since|for)|^used to smoke"
)
NEVER = re.compile(
    r"never smoked|never a smoker|nonsmoker|never-smoker|^(never|none ever|has never used)\.$"
    r"|ever smoking|tobacco use, past|history of smoking|never (touched|used tobacco|used any)"
    r"|never did|smoked no|no tobacco in"
)
CURRENT = re.compile(
    r"smok(es|ing again)|smoker|continues to smoke|restarted|^[\d./]+ ppd|cigar|a pipe"
    r"|(trying|wants|advised) to (quit|stop)|^yes"
)


def smoking(note: str) -> str:
    """The status by a few plain rules, sentence by sentence."""
    for part in re.split(r"(?<=\.) (?!\d+ cig)|: ", note.lower()):
        if BESIDE.search(part):
            continue
        for status, rule in (("former", FORMER), ("never", NEVER), ("current", CURRENT)):
            if rule.search(part):
                return status
    return "unknown"


def test_smoking_follows_from_the_patients_own_sentences() -> None:
    for row in spelt("smoking-status") + spelt("smoking-status", "test"):
        assert isinstance(row.input, QuestionInput)
        assert smoking(row.input.context or "") == label(row), row.id


def test_a_drug_and_its_effect_stand_in_one_sentence() -> None:
    for row in rows("drug-effects"):
        assert isinstance(row.answer, RelationAnswer)
        text = source_text(row.input)
        for relation in row.answer.relations:
            assert (relation.head.label, relation.tail.label) == ("Drug", "Effect")
            low, high = sorted((relation.head.start, relation.tail.start))
            assert ". " not in text[low:high].replace("C. d", "Cd")


def test_a_question_behind_a_message_stands_in_it() -> None:
    frames = set(
        words("""can cause what i take instead of for should do after missing doses is it safe to
        together with does a result mean about get refill stop before be tested like my need seen
        the drink alcohol while taking""")
    )
    for row in rows("complaint-summary"):
        assert isinstance(row.input, TextInput) and isinstance(row.answer, TextAnswer)
        message = set(re.findall(r"[\w']+", row.input.text.lower()))
        question = set(re.findall(r"[\w']+", row.answer.text.lower()))
        assert question - frames <= message


def test_a_line_of_a_visit_has_what_was_said() -> None:
    for row in spelt("dialogue-summary"):
        assert isinstance(row.input, TextInput) and isinstance(row.answer, TextAnswer)
        talk, line = row.input.text.lower(), row.answer.text.lower().rstrip(".")
        assert re.search(r" for (\d+ \w+)", line)[1] in talk  # type: ignore[index]
        if trigger := re.search(r", worse ([^;]+)", line):
            assert trigger[1] in talk
        if cure := re.search(r"; ([^;]+?) (helped|did not help)", line):
            assert cure[1] in talk
            helped = re.search(r"(it|that) (helped|did help)", talk) is not None
            assert helped == (cure[2] == "helped")
