"""HEAD-QA: multiple-choice questions of Spanish healthcare exams, as JSON nested by exam.

Questions have five answers in the older exams and four in the newer ones; ``ra`` is a string and
``aid`` a number; ``qid`` is unique inside an exam only. Some questions ask about an image.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from clinprompt.corpora.checks import Ids, expect_files, need, shown
from clinprompt.corpora.cleaning import tidy
from clinprompt.corpora.identity import question_id
from clinprompt.corpora.jsonfile import load_json
from clinprompt.corpora.registry import Options, Source, reader
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, QuestionInput

NEEDS_IMAGE = "question about an image"


class HeadqaOptions(Options):
    """Options of the reader ``headqa``.

    Attributes:
        images: whether questions about an image are left out and counted, or kept without it.
    """

    images: Literal["skip", "keep"] = "skip"


@reader("headqa", HeadqaOptions)
def read_headqa(source: Source, options: HeadqaOptions) -> Iterable[Example]:
    """Questions of the split's one file, exam by exam.

    Raises:
        ClinpromptError: CP-DATA-050 repeated question, 052 missing field, 071 right answer not
            among the answers.
    """
    (path,) = expect_files(source, "headqa", "one JSON file of exams")
    exams = need(load_json(path, dict, options.encoding), "exams", dict, path, "the document")
    ids = Ids()
    for name, exam in exams.items():
        for item in need(exam, "data", list, path, f"exam {name}"):
            qid = need(item, "qid", (str, int), path, f"a question of exam {name}")
            example_id = ids.add(f"{name}:{qid}", path)
            where = f"question {example_id}"
            if item.get("image") and options.images == "skip":
                source.report.skip(NEEDS_IMAGE, path, detail=example_id)
                continue
            question = tidy(need(item, "qtext", str, path, where))
            answers = need(item, "answers", list, path, where)
            choices = tuple(tidy(need(answer, "atext", str, path, where)) for answer in answers)
            if not question or not all(choices):
                source.report.skip("empty question or answer", path, detail=example_id)
                continue
            letter = _right(item, answers, path, where)
            yield Example(
                example_id,
                question_id(question, choices),
                QuestionInput(question, choices=choices),
                LabelAnswer(letter),
            )


def _right(item: dict[str, Any], answers: list[dict[str, Any]], path: Any, where: str) -> str:
    right = str(need(item, "ra", (str, int), path, where)).strip()
    aids = [str(need(answer, "aid", (str, int), path, where)) for answer in answers]
    if aids.count(right) != 1:
        raise ClinpromptError(
            "CP-DATA-071",
            f"{where}: right answer {shown(right)} is not one of its answers {', '.join(aids)}",
            file=path,
        )
    return chr(65 + aids.index(right))
