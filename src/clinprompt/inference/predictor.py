"""Inputs to typed answers, any mix of tasks in one call.

Closed forms are answered by exact label scoring, open ones by decoding: rows of all tasks side by
side, each leaving when it ends. Either way the keys and values of a task's prefix (soft prompt and
instruction) are computed once and kept.

Shapes: P prompt length, H hidden size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from clinprompt import verbalize
from clinprompt.artifacts.prompt_set import PromptSet
from clinprompt.backbone import answers, updates
from clinprompt.backbone.after import Notes
from clinprompt.backbone.codec import Codec
from clinprompt.backbone.decode import Constraint
from clinprompt.backbone.decoding import Ask
from clinprompt.backbone.kvstore import KVStore
from clinprompt.backbone.updates import Update
from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import Answer, Input
from clinprompt.inference import emptiness, reading
from clinprompt.inference.batches import Size, batches
from clinprompt.inference.decoding import OpenAnswers, ask_behind, no_memory
from clinprompt.inference.grounding import Grounder
from clinprompt.inference.limits import LIMITS, AnswerLimit, Place, shortened
from clinprompt.inference.mixing import Mixing
from clinprompt.inference.notewise import Laid, laid, note_batches, shares_notes, together
from clinprompt.inference.prefixes import Known, Prefixes
from clinprompt.inference.repetition import NoRepeat
from clinprompt.inference.requests import (
    Prediction,
    PredictorSettings,
    Progress,
    Request,
    Row,
    check_texts,
)
from clinprompt.tasks.card import Card
from clinprompt.training.data import written
from clinprompt.training.prepare import Prepared
from clinprompt.training.settings import BackboneSettings
from clinprompt.verbalize.fit import Fitted


class Predictor:
    """Answers inputs of the tasks added to it.

    Args:
        prepared: the backbone, with the codec that rows are written by.
        settings: how inputs are answered.

    Raises:
        ClinpromptError: CP-INF-200, CP-INF-201 grounded answers that are not possible here, what
            `OpenAnswers` refuses, CP-BACK-110 a folder for keys and values that can't be used.
    """

    def __init__(self, prepared: Prepared, settings: PredictorSettings | None = None) -> None:
        self.prepared = prepared
        self.settings = settings or PredictorSettings()
        self.backbone, self.codec = prepared.backbone, prepared.codec
        on_gpu = self.backbone.device.type == "cuda"
        self.batch_tokens = self.settings.batch_tokens or (65_536 if on_gpu else 8_192)
        self._tasks: dict[str, Known] = {}
        self._notes: Notes | None = None
        if self.codec.placement == "after":
            self._notes = Notes(self.backbone, self.settings.notes_mb * 10**6)
        self._open = OpenAnswers(self.backbone, self.codec, self.settings, self.batch_tokens)
        store: KVStore | None = None
        if self.settings.kv_cache is not None and self._notes is None:
            identity = hashlib.sha256(prepared.fingerprint.model_dump_json().encode()).hexdigest()
            store = KVStore(self.settings.kv_cache, self.backbone, identity)
        # Behind a note's keys and values, which rows share, there is one update at a time.
        self._mixing = Mixing(self.backbone, allowed=self._notes is None)
        self._prefixes = Prefixes(self.backbone, store, self._mixing)
        self._grounder: Grounder | None = None
        if self.settings.grounded:
            vocabulary = self.backbone.model.get_output_embeddings().weight.shape[0]
            self._grounder = Grounder(self.codec, vocabulary)

    @classmethod
    def of(
        cls,
        prompts: PromptSet,
        settings: PredictorSettings | None = None,
        *,
        prepared: Prepared | None = None,
        backbone: BackboneSettings | None = None,
        tasks: Iterable[str] | None = None,
    ) -> Predictor:
        """A predictor for the tasks of a saved set, with the template that it was trained in.

        Args:
            prepared: a loaded backbone; otherwise the one that `backbone` says is loaded, or the
                one that the set names.
            tasks: only these of the set's tasks.

        Raises:
            ClinpromptError: CP-ART-020 another backbone than the set was trained on, CP-ART-035 a
                task that it lacks; what loading the backbone raises.
        """
        meta = prompts.meta
        if prepared is None:
            settings_of = backbone or BackboneSettings(name=meta.backbone)
            prepared = Prepared.of(settings_of, meta.template, meta.placement)
        prompts.require_backbone(prepared.fingerprint)
        codec = Codec(prepared.backbone.tokenizer, meta.template, meta.placement)
        predictor = cls(replace(prepared, codec=codec), settings)
        cards = {card.name: card for card in meta.tasks}
        for name in meta.names if tasks is None else tasks:
            prompt, bias = prompts.task_prompt(name), meta.label_bias.get(name)
            predictor.add(cards[name], prompt, bias=bias, update=prompts.update)
        return predictor

    @property
    def cards(self) -> dict[str, Card]:
        """The cards of the tasks that can be asked, by name."""
        return {name: task.card for name, task in self._tasks.items()}

    def add(
        self,
        card: Card,
        prompt: Tensor | None,
        shown: Sequence[int] = (),
        bias: Mapping[str, float] | None = None,
        update: Update | None = None,
    ) -> None:
        """Make a task known; a task of the same name is replaced.

        Args:
            card: the task; it is asked for by the card's name.
            prompt: its soft prompt [P, H], or one of keys and values [P, W]; None for the
                instruction alone (the bare backbone).
            shown: token ids that stand between instruction and inputs, such as solved examples.
            bias: for closed forms, what is added to each label's log-score (see `label_bias`).
            update: what is added to the backbone's weights for its rows.

        Raises:
            ClinpromptError: CP-INF-001 a prompt of another shape, CP-INF-002 prompt and
                instruction leave no room in the context, CP-INF-482 biases of other labels,
                CP-BACK-120 an update that does not fit the backbone.
        """
        hidden = self.backbone.hidden_size
        widths = (hidden, self.backbone.keyvalue_width)
        if prompt is not None and (prompt.ndim != 2 or prompt.shape[1] not in widths):
            raise ClinpromptError(
                "CP-INF-001",
                f"the prompt of task '{card.name}' has shape {list(prompt.shape)}, and the "
                f"backbone needs [P, {hidden}]",
            )
        on_device = None if prompt is None else prompt.detach().to(self.backbone.device)
        reading.check_bias(card, bias)
        if update is not None:
            updates.factors(self.backbone, update)  # refuses what does not fit
        fixed = [*self.codec.fixed(verbalize.instruction(card)), *shown]
        task = Known(card, on_device, fixed, bias, update)
        context = self.backbone.context_length
        if task.length >= context:
            raise ClinpromptError(
                "CP-INF-002",
                f"prompt and instruction of task '{card.name}' take {task.length} of the "
                f"backbone's {context} positions",
                hint="shorten the card's instruction or the prompt",
            )
        tasks = self._tasks | {card.name: task}
        self._mixing.know([one.update for one in tasks.values() if one.update is not None])
        self._tasks = tasks
        self._prefixes.forget(card.name)

    def prepare(self, request: Request) -> Row:
        """Check a request and turn it into token ids.

        Raises:
            ClinpromptError: CP-INF-003 an unknown task, CP-INF-004 an empty text, CP-INF-005 a
                text that is not valid Unicode, CP-INF-006 an input that is too long, CP-INF-007
                one that is too long and can't be cut; CP-TEXT codes for an input that does not
                fit the card.
        """
        task = self._task(request.task)
        check_texts(request)
        options, option_ids, limit = self._answers(task, request.input)
        room = self._room(task, limit)
        most = room
        if self.settings.max_input is not None:
            most = min(room, self.settings.max_input + self.codec.around)

        def encode(value: Input) -> list[int]:
            return written(self.codec, task.card, [value])[0][0]

        ids, shared = written(self.codec, task.card, [request.input])[0]
        seen = Fitted(request.input, ids)
        if len(ids) > most:
            truncate = self.settings.long_inputs == "truncate"
            context, fits = self.backbone.context_length, len(ids) <= room
            place = Place(context, task.length, most, fits)
            seen = shortened(request, len(ids), place, encode, truncate=truncate) or seen
            shared = written(self.codec, task.card, [seen.input])[0][1]
        max_new = 0 if options else limit.of(len(seen.ids) - self.codec.around)
        return Row(request.task, seen, options, option_ids, max_new, shared)

    def answer(
        self, requests: Sequence[Request], progress: Progress | None = None
    ) -> list[Prediction]:
        """Answers in the order of the requests, whatever their tasks.

        An answer does not depend on what else is asked, up to float rounding.

        Args:
            progress: called after every batch.

        Raises:
            ClinpromptError: as `prepare` and `run`.
        """
        return self.run([self.prepare(request) for request in requests], progress)

    def stream(self, requests: Iterable[Request], chunk: int = 256) -> Iterator[Prediction]:
        """Answers one after the other, with no more than `chunk` requests in memory."""
        upcoming = iter(requests)
        while part := list(islice(upcoming, chunk)):
            yield from self.answer(part)

    def run(self, rows: Sequence[Row], progress: Progress | None = None) -> list[Prediction]:
        """Answers to prepared rows, in their order.

        Raises:
            ClinpromptError: CP-INF-008 the device's memory does not suffice for one row,
                CP-INF-009 the backbone computes NaN.
        """
        found = self._run(rows, progress)
        return emptiness.believed(found, rows, self._run, self.settings.empty_above)

    def _run(self, rows: Sequence[Row], progress: Progress | None = None) -> list[Prediction]:
        found: dict[int, Prediction] = {}
        for at_work, own in self._mixing.parts([self._tasks[row.task].update for row in rows]):
            with at_work:
                for batch in self._batches([rows[i] for i in own]):
                    for place, prediction, ended in self._answered([rows[own[i]] for i in batch]):
                        found[own[batch[place]]] = prediction
                        if progress is not None and ended:
                            progress(len(found), len(rows))
        if self.backbone.device.type == "cuda":
            self._open.release()
        return [found[i] for i in range(len(rows))]

    def _answered(self, batch: Sequence[Row]) -> Iterator[tuple[int, Prediction, bool]]:
        """Place and answer of a batch's rows, and whether it is time to tell of progress."""
        closed = bool(batch[0].options)
        for place, new in enumerate(self._run_batch(batch)) if closed else self._generate(batch):
            yield place, new, not closed or place == len(batch) - 1

    def _batches(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        """Indices of rows that are answered together: closed ones, or open ones.

        Open ones come all at once, since they leave and enter one by one.
        """
        sizes = [self._size(row) for row in rows]
        if self._notes is not None:
            yield from note_batches(rows, sizes, self.batch_tokens)
            return
        closed = [i for i, row in enumerate(rows) if row.options]
        for batch in batches([sizes[i] for i in closed], self.batch_tokens):
            yield [closed[i] for i in batch]
        if len(closed) < len(rows):
            yield [i for i, row in enumerate(rows) if not row.options]

    def _task(self, name: str) -> Known:
        if name not in self._tasks:
            raise ClinpromptError(
                "CP-INF-003", f"no task '{name}' here", hint=did_you_mean(name, self._tasks)
            )
        return self._tasks[name]

    def _answers(
        self, task: Known, value: Input
    ) -> tuple[tuple[tuple[Answer, str], ...], tuple[tuple[int, ...], ...], AnswerLimit]:
        """The options of a closed form with their token ids, and how long an answer may be."""
        if task.card.closed:
            options = tuple(verbalize.options(task.card, value))
            option_ids = self._option_ids(task, tuple(text for _, text in options))
            return options, option_ids, AnswerLimit(max(map(len, option_ids)))
        given = self.settings.max_new
        return (), (), LIMITS[task.card.form] if given is None else AnswerLimit(given)

    def _room(self, task: Known, limit: AnswerLimit) -> int:
        """The most tokens that a row may have: what prefix and answer leave of the context."""
        # The last token of an answer is only predicted, never read: it takes no position.
        return limit.longest_input(self.backbone.context_length - task.length + 1)

    def _option_ids(self, task: Known, words: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        if words not in task.option_ids:
            task.option_ids[words] = tuple(map(tuple, self.codec.answers(words)))
        return task.option_ids[words]

    def _size(self, row: Row) -> Size:
        answer = answers.option_columns(row.option_ids) if row.options else row.max_new
        prefix, text = self._tasks[row.task].length, len(row.seen.ids)
        if self._notes is not None:  # task and note change places
            prefix, text = row.shared, prefix + text - row.shared
        return Size(prefix, text, answer)

    def _laid(self, rows: Sequence[Row], *, shared: bool = True) -> Laid:
        """Rows as the backbone reads them, behind their tasks' prompts or behind their notes."""
        if self._notes is not None:
            tasks = [self._tasks[row.task] for row in rows]
            return laid(self._notes, rows, tasks, shared=shared)
        names = sorted({row.task for row in rows})
        prefix = self._prefixes.together({name: self._tasks[name] for name in names})
        return Laid(prefix, [row.seen.ids for row in rows], [names.index(r.task) for r in rows])

    def _run_batch(self, rows: Sequence[Row]) -> list[Prediction]:
        """A batch of closed rows; halved as long as the device's memory does not suffice."""
        try:
            return self._score(rows)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                raise no_memory(rows[0]) from error
        half = len(rows) // 2
        return self._run_batch(rows[:half]) + self._run_batch(rows[half:])

    def _score(self, rows: Sequence[Row]) -> list[Prediction]:
        batch = self._laid(rows)
        scores = answers.score_options(
            self.backbone,
            batch.prefix,
            batch.inputs,
            [row.option_ids for row in rows],
            batch.places,
            batch.soft,
        )
        tasks = [self._tasks[row.task] for row in rows]
        return [
            reading.shifted(task.card, reading.chosen(row, score), task.bias)
            for task, row, score in zip(tasks, rows, scores, strict=True)
        ]

    def _generate(self, rows: Sequence[Row]) -> Iterator[tuple[int, Prediction]]:
        """Place and answer of open rows, in the order of ending."""
        if self._notes is not None and shares_notes(self.backbone, self.settings):
            decoded = together(self.backbone, self._laid(rows), rows, self.codec.stops, self._held)
        else:
            columns = [self._size(row).total for row in rows]
            decoded = self._open.run(rows, columns, self._asks(rows), self._held)
        for place, new, held in decoded:
            row, threshold = rows[place], self.settings.threshold
            reading.check_finite(row, torch.tensor(new.logprobs))
            card = self._tasks[row.task].card
            yield place, reading.read(self.codec, card, row, new, held, threshold)

    def _asks(self, rows: Sequence[Row]) -> Callable[[int], Ask]:
        """What the decoder is asked for the row at a place."""
        if self._notes is not None:
            batch = self._laid(rows, shared=False)
            return lambda i: ask_behind(batch, i, rows[i].max_new, self._open.seed_of(rows[i]))
        return lambda i: Ask(
            rows[i].seen.ids,
            self._prefixes.of(rows[i].task, self._tasks[rows[i].task]),
            rows[i].max_new,
            seed=self._open.seed_of(rows[i]),
        )

    def _held(self, row: Row) -> Constraint | None:
        """What the answer to a row is held to; None where it is free."""
        card = self._tasks[row.task].card
        if card.form == "text":
            return NoRepeat.of(self.settings.no_repeat_ngram)
        within = None if self._grounder is None else self._grounder(card, row.seen.input)
        return emptiness.NotNone.of(self.codec, within) if row.named else within
