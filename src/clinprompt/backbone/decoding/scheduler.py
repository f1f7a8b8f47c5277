"""Continuous decoding: a row that ends makes room for the next one at once.

Shapes: n live rows, L longest text of a pass, H hidden size, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

from clinprompt.backbone.decode import Generated
from clinprompt.backbone.decoding.request import Ask, Settings
from clinprompt.backbone.decoding.sampling import Chosen, choose
from clinprompt.backbone.decoding.slots import SlotKV, runs
from clinprompt.backbone.model import Backbone
from clinprompt.backbone.transfer import numbers

_FRESH = 4  # with a quarter of the slots free, waiting rows are read

# Entries of a mask [n, L, K]: longer texts are read in pieces, since masks and scores grow with
# their square (`backbone.prefill`).
_MOST_SEEN = {"cpu": 2**22, "cuda": 2**24}
_FEWEST = 128  # columns of a piece, at least


@dataclass(slots=True)
class _Row:
    """A live row; its place in the list of live rows is its slot."""

    number: int
    ask: Ask
    position: int  # of the next token that is read
    draws: Random
    new: Generated = field(default_factory=Generated)


class Decoder:
    """Decodes rows of any tasks and lengths side by side, in a memory that it keeps.

    What a row says does not depend on what else is decoded, or when, up to float rounding.

    Args:
        backbone: the frozen model.
        settings: how rows are decoded.
    """

    def __init__(self, backbone: Backbone, settings: Settings) -> None:
        self.backbone, self.settings = backbone, settings
        self._memory: SlotKV | None = None

    def release(self) -> None:
        """Give the memory back; it is taken again when it is needed."""
        self._memory = None

    def generate(
        self, asks: Sequence[Ask], ended: Callable[[int], None] = lambda _: None
    ) -> list[Generated]:
        """Continue rows, in their order.

        Args:
            ended: is called with the number of rows that have ended whenever it grows.
        """
        order = sorted(range(len(asks)), key=lambda i: (-asks[i].columns, i))
        found: dict[int, Generated] = {}
        for place, new in self.stream((asks[i] for i in order), len(asks)):
            found[order[place]] = new
            ended(len(found))
        return [found[i] for i in range(len(asks))]

    def stream(
        self, asks: Iterable[Ask], count: int | None = None
    ) -> Iterator[tuple[int, Generated]]:
        """Continue rows as they come.

        A row is asked for when there is room for it, not before. The first row says how wide slots
        are, so long rows should come first; a row that needs wider ones waits until all others
        have ended, and so does one that could share the memory with far more like it.

        Args:
            count: how many rows there are at most, if that is known: it saves memory.

        Yields:
            Place of a row in the order of coming, and its new tokens, in the order of ending.
        """
        waiting = _Waiting(asks, count)
        live: list[_Row] = []
        try:
            while live or waiting.next is not None:
                if not live and waiting.next is not None:
                    self._cut(waiting.next, waiting.left)
                entering = self._entering(live, waiting)
                if entering:
                    live += entering
                    begin = len(live) - len(entering)
                    chosen = self._read(live[begin:], begin)
                else:
                    begin = 0
                    chosen = self._step(live)
                # From the last slot on: what moves into a hole is live or has been looked at.
                for slot in range(len(live) - 1, begin - 1, -1):
                    row, (token, logprob) = live[slot], chosen[slot - begin]
                    if not self._take(row, token, logprob):
                        self._leave(live, slot)
                        yield row.number, row.new
        finally:
            self._forget(live)

    def _cut(self, first: Ask, left: int | None) -> None:
        """Cut the memory for rows like the next one."""
        if self._memory is None:
            self._memory = SlotKV(first.before)
        self._memory.cut(self._slots(first.columns, left), first.columns)

    def _slots(self, columns: int, left: int | None) -> int:
        """How many rows of a width go together."""
        most = max(1, self.settings.tokens // columns)
        for limit in (self.settings.slots, left):
            most = most if limit is None else min(most, max(1, limit))
        return most

    def _entering(self, live: Sequence[_Row], waiting: _Waiting) -> list[_Row]:
        """The rows that are read next, if it is time to; those of one prefix side by side."""
        memory = self._memory
        assert memory is not None
        free = memory.slots - len(live)
        if live and free * _FRESH < memory.slots:
            return []
        found: list[_Row] = []
        longest = 0
        while waiting.next is not None and len(found) < free:
            ask = waiting.next
            longest = max(longest, ask.length)
            if found and longest * (len(found) + 1) > self.settings.prefill:
                break
            if ask.columns > memory.columns:
                break  # when all have left
            better = self._slots(ask.columns, waiting.left)
            if better >= 2 * memory.slots and (live or found):
                break
            number, _ = waiting.pop()
            start = int(ask.before.lengths[ask.task])
            found.append(_Row(number, ask, start + ask.length, Random(ask.seed)))
        if found and _piece_length(self.backbone, found) < max(row.ask.length for row in found):
            found.sort(key=lambda row: (-row.ask.length, row.number))
        else:
            found.sort(key=lambda row: (*_prefix_of(row), row.number))
        return found

    @torch.no_grad()
    def _read(self, rows: Sequence[_Row], begin: int) -> list[Chosen]:
        """Read the texts of rows into slots from `begin` on, and choose their first tokens.

        Long texts are read piece by piece, each behind those before it.
        """
        memory, backbone = self._memory, self.backbone
        assert memory is not None
        for first, last in runs([_prefix_of(row) for row in rows]):
            ask = rows[first].ask
            memory.place(begin + first, begin + last, ask.before, ask.task)
        counts = [row.ask.length for row in rows]
        lengths = torch.tensor(counts, device=backbone.device)
        starts = torch.tensor([row.position for row in rows], device=backbone.device) - lengths
        last_states: list[Tensor] = []
        first, longest = 0, max(counts)
        step = _piece_length(backbone, rows)
        while first < longest:
            end = longest if step >= longest else min(longest, first + step)
            running = sum(count > first for count in counts)  # the longest rows come first then
            last_states.append(
                self._piece(rows[:running], begin, first, end, starts[:running], lengths[:running])
            )
            first = end
        if len(last_states) == 1:
            return self._choose(rows, last_states[0])
        # Rows end from the last one on: each piece gave the states of those that ended in it.
        return self._choose(rows, torch.cat(last_states[::-1]))

    def _piece(
        self,
        rows: Sequence[_Row],
        begin: int,
        first: int,
        end: int,
        starts: Tensor,
        lengths: Tensor,
    ) -> Tensor:
        """Read columns first to end of texts; the last states [A, H] of the A rows that end here.

        Args:
            starts: [n] position of each text's first token.
            lengths: [n] of each text.
        """
        memory, backbone = self._memory, self.backbone
        assert memory is not None
        own = torch.arange(first, end, device=backbone.device)
        # Padding repeats the last position of its row; it is neither kept nor read.
        positions = starts[:, None] + torch.minimum(own, lengths[:, None] - 1)
        padded = any(row.ask.length < end for row in rows)
        real = own < lengths[:, None] if padded else None
        furthest = max(row.position - max(0, row.ask.length - end) for row in rows)
        visible, distance = memory.aim(begin, begin + len(rows), positions, real, furthest)
        embeddings = self._embeddings(rows, first, end)
        mask = backbone.attention.masks(visible, distance, embeddings.dtype)
        ending = [i for i, row in enumerate(rows) if row.ask.length <= end]
        read = torch.tensor(ending, dtype=torch.long, device=backbone.device)
        want = read, lengths[read] - 1 - first
        changes = _changes(rows, backbone.device)
        return backbone.run(
            embeddings, positions, mask, memory, valid=real, want=want, changes=changes
        )

    def _embeddings(self, rows: Sequence[_Row], first: int, end: int) -> Tensor:
        """What is read of each row, padded on the right: [n, end - first, H]."""
        width = end - first
        if all(row.ask.soft is None for row in rows):
            parts = [list(row.ask.ids[first:end]) for row in rows]
            ids = [part + [0] * (width - len(part)) for part in parts]
            return self.backbone.embed(torch.tensor(ids, device=self.backbone.device))
        found = []
        for row in rows:
            given = torch.tensor(row.ask.ids, device=self.backbone.device)
            text = self.backbone.embed(given)
            soft = row.ask.soft
            part = (text if soft is None else torch.cat([soft.to(text), text]))[first:end]
            found.append(torch.nn.functional.pad(part, (0, 0, 0, width - len(part))))
        return torch.stack(found)

    @torch.no_grad()
    def _step(self, rows: Sequence[_Row]) -> list[Chosen]:
        """Read the last token of every live row, and choose the next one."""
        memory, backbone = self._memory, self.backbone
        assert memory is not None
        # One transfer for both.
        both = torch.tensor(
            [[row.new.ids[-1] for row in rows], [row.position for row in rows]],
            device=backbone.device,
        )
        tokens, positions = both[0, :, None], both[1, :, None]
        furthest = max(row.position for row in rows) + 1
        visible, distance = memory.aim(0, len(rows), positions, None, furthest)
        embeddings = backbone.embed(tokens)
        mask = backbone.attention.masks(visible, distance, embeddings.dtype)
        changes = _changes(rows, backbone.device)
        last = backbone.run(embeddings, positions, mask, memory, changes=changes)[:, 0]
        for row in rows:
            row.position += 1
        return self._choose(rows, last)

    def _choose(self, rows: Sequence[_Row], last: Tensor) -> list[Chosen]:
        return choose(
            self.backbone.logits(last),
            [row.ask.constraint for row in rows],
            self.settings.sampling,
            [row.draws for row in rows],
        )

    def _take(self, row: _Row, token: int | None, logprob: float) -> bool:
        """Give a row its next token; False if it has ended."""
        if token is None:
            return False
        row.new.ids.append(token)
        row.new.logprobs.append(logprob)
        texts = self.settings.stop_texts
        if texts is not None:
            row.new.characters = texts.found(row.new.ids)
            if row.new.characters is not None:
                return False
        more = len(row.new.ids) < row.ask.max_new
        return token not in self.settings.stops and more and math.isfinite(logprob)

    def _leave(self, live: list[_Row], slot: int) -> None:
        """Take an ended row out; the last one moves into its slot."""
        memory = self._memory
        assert memory is not None
        row = live[slot]
        if not all(map(math.isfinite, row.new.logprobs[-1:])):
            memory.clear(slot)
        last = live.pop()
        if last is not row:
            memory.move(len(live), slot, last.position)
            live[slot] = last

    def _forget(self, live: Sequence[_Row]) -> None:
        """Rows that nobody waits for any more may hold NaN, as long as that was not looked at."""
        if live:
            self._memory = None


def _piece_length(backbone: Backbone, rows: Sequence[_Row]) -> int:
    """Columns of texts that are read at once."""
    furthest = max(row.position for row in rows)
    most = _MOST_SEEN["cuda" if backbone.device.type == "cuda" else "cpu"]
    return max(_FEWEST, most // (len(rows) * furthest))


def _changes(rows: Sequence[_Row], device: torch.device) -> Tensor | None:
    """[n] number of each row's update; None if no row has one."""
    found = [
        -1 if row.ask.before.changes is None else row.ask.before.changes[row.ask.task]
        for row in rows
    ]
    return numbers(found, device) if max(found) >= 0 else None


def _prefix_of(row: _Row) -> tuple[int, int]:
    """What tells prefixes apart."""
    return id(row.ask.before), row.ask.task


class _Waiting:
    """Rows that have not come yet; the next one is known."""

    def __init__(self, asks: Iterable[Ask], count: int | None) -> None:
        self._asks = enumerate(asks)
        self._count = count
        self._taken = 0
        self._next = next(self._asks, None)

    @property
    def next(self) -> Ask | None:
        """The next row; None if there is none."""
        return None if self._next is None else self._next[1]

    @property
    def left(self) -> int | None:
        """How many there are at most, if that is known."""
        return None if self._count is None else self._count - self._taken

    def pop(self) -> tuple[int, Ask]:
        """Take the next one."""
        found = self._next
        assert found is not None
        self._taken += 1
        self._next = next(self._asks, None)
        return found


def generate(backbone: Backbone, asks: Sequence[Ask], settings: Settings) -> list[Generated]:
    """Continue rows once, in their order: see `Decoder`."""
    return Decoder(backbone, settings).generate(asks)
