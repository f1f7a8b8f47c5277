"""Small folders in the release layouts of sets that can't be passed on; every text is invented."""

from __future__ import annotations

import csv
import gzip
import json
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NOTES = 12


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


class Brat:
    """A note and its .ann lines, with offsets found in the text."""

    def __init__(self, text: str) -> None:
        self.text, self.lines, self.count = text, [], 0

    def mention(self, label: str, words: str, start: int = 0) -> str:
        self.count += 1
        at = self.text.index(words, start)
        name = f"T{self.count}"
        self.lines.append(f"{name}\t{label} {at} {at + len(words)}\t{words}")
        return name

    def line(self, text: str) -> None:
        self.lines.append(text)

    def save(self, folder: Path, name: str) -> None:
        write(folder / f"{name}.txt", self.text)
        write(folder / f"{name}.ann", "".join(f"{line}\n" for line in self.lines))


def sdoh(root: Path) -> None:
    for part in ("uw", "mimic"):
        for number, split in enumerate(("train", "dev", "test")):
            for note in range(NOTES):
                brat = Brat(
                    f"SOCIAL HISTORY: Patient {note} drinks {note + 1} beers daily 🍺. "
                    "Denies drug use.\nLives with his sister. Retired baker."
                )
                alcohol, status = (
                    brat.mention("Alcohol", "drinks"),
                    brat.mention("StatusTime", "drinks"),
                )
                amount = brat.mention("Amount", f"{note + 1} beers")
                often = brat.mention("Frequency", "daily")
                brat.line(
                    f"E1\tAlcohol:{alcohol} Status:{status} Amount:{amount} Frequency:{often}"
                )
                brat.line(f"A1\tStatusTimeVal {status} current")
                drug, denies = (
                    brat.mention("Drug", "drug use"),
                    brat.mention("StatusTime", "Denies"),
                )
                brat.line(f"E2\tDrug:{drug} Status:{denies}")
                brat.line(f"A2\tStatusTimeVal {denies} none")
                lives = brat.mention("LivingStatus", "Lives")
                kind = brat.mention("TypeLiving", "with his sister")
                now = brat.mention("StatusTime", "Lives")
                brat.line(f"E3\tLivingStatus:{lives} Type:{kind} Status:{now}")
                brat.line(f"A3\tTypeLivingVal {kind} with_family")
                brat.line(f"A4\tStatusTimeVal {now} current")
                job, done = (
                    brat.mention("Employment", "baker"),
                    brat.mention("StatusEmploy", "Retired"),
                )
                brat.line(f"E4\tEmployment:{job} Status:{done}")
                brat.line(f"A5\tStatusEmployVal {done} retired")
                brat.save(root / "n2c2-2022-sdoh" / split / part, f"{number}{note:03}")


def ade(root: Path) -> None:
    for folder in ("training_20180910", "gold-standard-test-data/test"):
        for note in range(NOTES):
            brat = Brat(
                f"Visit {note}. Started Inventolol 5 mg tablet by mouth daily for knee\npain. "
                "Developed a rash from Madeupicillin. Nothing else."
            )
            drug, dose = brat.mention("Drug", "Inventolol"), brat.mention("Strength", "5 mg")
            brat.line(f"R1\tStrength-Drug Arg1:{dose} Arg2:{drug}")
            knee = brat.text.index("knee")
            brat.line(f"T9\tReason {knee} {knee + 4};{knee + 5} {knee + 9}\tknee pain")
            brat.line(f"R2\tReason-Drug Arg1:T9 Arg2:{drug}")
            rash, other = brat.mention("ADE", "rash"), brat.mention("Drug", "Madeupicillin")
            brat.line(f"R3\tADE-Drug Arg1:{rash} Arg2:{other}")
            brat.save(root / "n2c2-2018-ade" / folder, f"{100000 + note}")


def i2b2_2010(root: Path, notes: int = NOTES) -> None:
    text = (
        "Chief complaint :\nHe has a dry  cough and no fever .\n"
        "X-ray showed a cough , syrup given .\n"
    )
    con = (
        'c="a dry cough" 2:2 2:4||t="problem"\nc="fever" 2:7 2:7||t="problem"\n'
        'c="x-ray" 3:0 3:0||t="test"\nc="a cough" 3:2 3:3||t="problem"\n'
        'c="syrup" 3:5 3:5||t="treatment"\n'
    )
    ast = (
        'c="a dry cough" 2:2 2:4||t="problem"||a="present"\n'
        'c="fever" 2:7 2:7||t="problem"||a="absent"\n'
        'c="a cough" 3:2 3:3||t="problem"||a="present"\n'
    )
    rel = (
        'c="x-ray" 3:0 3:0||r="TeRP"||c="a cough" 3:2 3:3\n'
        'c="syrup" 3:5 3:5||r="TrAP"||c="a cough" 3:2 3:3\n'
    )
    base = root / "i2b2-2010"
    train = base / "concept_assertion_relation_training_data"
    for note in range(notes):
        for kind, content in (("txt", text), ("con", con), ("ast", ast), ("rel", rel)):
            folder = {"con": "concept"}.get(kind, kind)
            site = "beth" if note % 2 else "partners"
            write(train / site / folder / f"record-{note}.{kind}", content)
            place = {"txt": "test_data", "con": "reference_standard_for_test_data/concepts"}
            where = place.get(kind, f"reference_standard_for_test_data/{kind}")
            write(base / where / f"{note:04}.{kind}", content)
    with tarfile.open(base / "test_data.tar.gz", "w:gz") as archive:
        archive.add(base / "test_data", "test_data")
    for file in sorted((base / "test_data").iterdir()):
        file.unlink()
    (base / "test_data").rmdir()


def temporal_xml(note: int) -> str:
    body = (
        f"\nAdmission Date :\n190{note % 10}-02-03\nHe was admitted with chest pain "
        "& given syrup for two days .\nThe next day the pain was gone .\n"
    )

    def at(words: str) -> str:
        start = body.index(words)
        return f'start="{start}" end="{start + len(words)}" text="{words}"'

    date = f"190{note % 10}-02-03"
    return (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<ClinicalNarrativeTemporalAnnotation>\n'
        f"<TEXT><![CDATA[{body}]]></TEXT>\n<TAGS>\n"
        f'<EVENT id="E0" {at("Admission")} modality="FACTUAL" polarity="POS" type="OCCURRENCE" />\n'
        f'<EVENT id="E1" {at("chest pain")} modality="FACTUAL" polarity="POS" type="PROBLEM" />\n'
        f'<EVENT id="E2" {at("syrup")} modality="FACTUAL" polarity="POS" type="TREATMENT" />\n'
        f'<EVENT id="E3" {at("pain & given" if note == 3 else "given")} modality="FACTUAL" '
        'polarity="POS" type="OCCURRENCE" />\n'
        f'<TIMEX3 id="T0" {at(date)} type="DATE" val="{date}" mod="NA" />\n'
        f'<TIMEX3 id="T1" {at("two days")} type="DURATION" val="P2D" mod="NA" />\n'
        '<TLINK id="TL0" fromID="E0" fromText="Admission" toID="T0" toText="x" type="OVERLAP" />\n'
        '<TLINK id="TL1" fromID="E1" fromText="y" toID="E2" toText="syrup" type="BEFORE" />\n'
        f'<SECTIME id="S0" {at(date)} type="ADMISSION" dvalue="{date}" />\n'
        "</TAGS>\n</ClinicalNarrativeTemporalAnnotation>\n"
    )


def i2b2_2012(root: Path) -> None:
    base = root / "i2b2-2012"
    for note in range(NOTES):
        write(base / f"2012-07-15.original-annotation.release/{note}.xml", temporal_xml(note))
        write(base / f"2012-07-15.original-annotation.release/{note}.xml.txt", "not looked at")
        write(base / f"ground_truth/merged_xml/{note + 500}.xml", temporal_xml(note))


def medications(root: Path) -> None:
    for split in ("train", "dev", "test"):
        for note in range(NOTES):
            brat = Brat(
                f"Note {note}. Stop Inventolol today. Continue Madeupicillin. Maybe Fakemycin."
            )
            events = (
                ("Disposition", "Inventolol"),
                ("NoDisposition", "Madeupicillin"),
                ("Undetermined", "Fakemycin"),
            )
            for number, (label, words) in enumerate(events, 1):
                brat.line(f"E{number}\t{label}:{brat.mention(label, words)}")
            values = {
                "Action": "Stop",
                "Negation": "NotNegated",
                "Temporality": "Present",
                "Certainty": "Certain",
                "Actor": "Physician",
            }
            for number, (name, value) in enumerate(values.items(), 1):
                brat.line(f"A{number}\t{name} E1 {value}")
            brat.save(root / "n2c2-2022-medications" / split, f"{split}-{note:02}")


def inference(root: Path) -> None:
    labels = ("entailment", "neutral", "contradiction")

    def rows(name: str, key: str, gold: bool = True) -> list[dict[str, Any]]:
        return [
            {
                key: f"{name}-{n}",
                "sentence1": f"Invented {name} finding number {n // 3}.",
                "sentence2": f"Statement {n}.",
                **({"gold_label": labels[n % 3]} if gold else {}),
            }
            for n in range(30)
        ]

    for split in ("train", "dev", "test"):
        json_lines(root / f"mednli/mli_{split}_v1.jsonl", rows(split, "pairID"))
    for split in ("dev", "test"):
        json_lines(root / f"radnli/radnli_{split}_v1.jsonl", rows(split, "pair_id"))
    base = root / "mediqa-2019"
    pairs = rows("shared", "pairID", gold=False)
    json_lines(base / "mednli_bionlp19_shared_task.jsonl", pairs)
    gold = [f"{row['pairID']},{labels[n % 3]}\n" for n, row in enumerate(pairs)]
    write(
        base / "mednli_bionlp19_shared_task_ground_truth.csv",
        "pair_id,gold_label\n" + "".join(gold),
    )
    for name in ("TrainingSet-AMIA2016", "ValidationSet-AMIA2016", "TestSet-wLabels"):
        items = "".join(
            f'<pair pid="{n}" value="{"true" if n % 2 else "false"}"><chq>Long {name} question {n}?'
            f"</chq><faq>Short question {n}?</faq></pair>"
            for n in range(6)
        )
        write(base / f"MEDIQA_Task2_RQE/MEDIQA2019-Task2-RQE-{name}.xml", f"<rqe>{items}</rqe>")
    for name in (
        "TrainingSet1-LiveQAMed",
        "TrainingSet2-Alexa",
        "ValidationSet",
        "TestSet-wLabels",
    ):
        items = "".join(
            f'<Question QID="{n}"><QuestionText>What is {name} {n}?</QuestionText><AnswerList>'
            + "".join(
                f'<Answer AID="{n}_{a}" SystemRank="{a}" ReferenceRank="{a}" ReferenceScore="{a}">'
                f"<AnswerURL>http://x</AnswerURL><AnswerText>Answer {a}.</AnswerText></Answer>"
                for a in range(1, 5)
            )
            + "</AnswerList></Question>"
            for n in range(4)
        )
        write(base / f"MEDIQA_Task3_QA/MEDIQA2019-Task3-QA-{name}.xml", f"<QA>{items}</QA>")


def exams(root: Path) -> None:
    columns = ["", "link", "question", "opa", "opb", "opc", "opd", "ope", "answer_idx", "answer"]
    for number in (4, 5):
        path = write(root / f"medbullets/medbullets_op{number}.csv", "")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            names = [name for name in columns if number == 5 or name != "ope"]
            writer.writerow([*names, "explanation"])
            for n in range(20):
                choices = [f"choice {n} {letter}" for letter in "ABCDE"[:number]]
                row = [n, f"http://x/{n}", f"What of case {n}, line one\nline two?", *choices]
                writer.writerow([*row, "ABCD"[n % 4], choices[n % 4], "since it is so"])
    for number, stem in ((5, ""), (4, "4_options/phrases_no_exclude_")):
        for split in ("train", "dev", "test"):
            json_lines(
                root / f"medqa/questions/US/{stem}{split}.jsonl",
                (
                    {
                        "question": f"Invented {split} vignette {n}?",
                        "answer": f"option {n} B",
                        "options": {letter: f"option {n} {letter}" for letter in "ABCDE"[:number]},
                        "meta_info": "step1",
                        "answer_idx": "B",
                    }
                    for n in range(6)
                ),
            )
    for split, count in (("train", 60), ("dev", 8)):
        json_lines(
            root / f"medmcqa/{split}.json",
            (
                {
                    "question": f"Invented {split} question {n}",
                    "exp": "since",
                    "cop": n % 4 + 1,
                    **{f"op{letter}": f"{letter} of {n}" for letter in "abcd"},
                    "subject_name": "Anatomy",
                    "topic_name": None,
                    "id": f"{split}-{n}",
                    "choice_type": "single",
                }
                for n in range(count)
            ),
        )


def emrqa(root: Path) -> None:
    def note(n: int, qas: int) -> dict[str, Any]:
        lines = [
            f"Note {n} of an invented patient.\n",
            f"He takes {n} mg of Inventolol .\n",
            "End.\n",
        ]
        questions = [
            {
                "id": [f"{n}-{k}"],
                "question": [f"What dose, wording {k}?", f"How much, wording {k}?"],
                "answers": [
                    {
                        "text": f"{n} mg",
                        "answer_start": [2, 2],
                        "evidence": lines[1].strip(),
                        "evidence_start": 2,
                        "answer_entity_type": "single",
                    }
                ],
            }
            for k in range(qas)
        ]
        return {"note_id": str(n), "context": lines, "qas": questions}

    parts = [
        {"title": "medication", "paragraphs": [note(n, 30) for n in range(12)]},
        {"title": "relations", "paragraphs": [note(n, 150) for n in range(20, 32)]},
    ]
    write(root / "emrqa/data.json", json.dumps({"data": parts}))


def reports(root: Path) -> None:
    base = root / "mimic-cxr"
    base.mkdir(parents=True, exist_ok=True)
    rows = ["dicom_id,study_id,subject_id,split\n"]
    with zipfile.ZipFile(base / "mimic-cxr-reports.zip", "w") as archive:
        for n in range(12):
            split = ("train", "validate", "test")[n % 3]
            study, subject = 50000000 + n, 10000000 + n
            rows += [f"img{n}{view},{study},{subject},{split}\n" for view in "ab"]
            impression = "" if n == 3 else f"\n IMPRESSION: \n \n No change {n}.\n"
            archive.writestr(
                f"files/p10/p{subject}/s{study}.txt",
                "                                 FINAL REPORT\n EXAMINATION:  CHEST\n \n FINDINGS:"
                f" \n \n Lungs of case {n} are\n clear.\n{impression}",
            )
    with gzip.open(base / "mimic-cxr-2.0.0-split.csv.gz", "wt", encoding="utf-8") as file:
        file.write("".join(rows))
    for split, count in (("train", 60), ("dev", 4)):
        items = [
            {
                "subject_id": n,
                "study_id": 1000 + n,
                "background": "Cough.",
                "findings": f"Clear lungs in {split} {n}.",
                "impression": "Normal.",
            }
            for n in range(count)
        ]
        write(root / f"mediqa-2021/task3/{split}.json", json.dumps(items))


def make_world(root: Path) -> Path:
    """All of it below `root`."""
    for make in (
        sdoh,
        ade,
        i2b2_2010,
        i2b2_2012,
        medications,
        inference,
        exams,
        emrqa,
        reports,
    ):
        make(root)
    return root
