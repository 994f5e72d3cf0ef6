"""What a scenario will be on its data: experiences, sizes, overlaps, lengths, and what looks wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from clbench.core.errors import UserError
from clbench.core.scenario import SPLITS, Stream
from clbench.data.holdout import text_rows
from clbench.models.encoder import TextEncoder

FEW = 5
"""A class with fewer training texts is named."""
LONG = 60
"""A label of more characters may be a text."""
SHOWN = 4
"""Names in one line."""
_KINDS = {"class": "class-incremental", "domain": "domain-incremental", "task": "task-incremental",
          "language-model": "language model"}  # fmt: skip

Texts = list[tuple[str, str | None]]


def described(stream: Stream, encoder: TextEncoder, max_tokens: int) -> Iterator[str]:
    """The lines of ``clbench data check``.

    Args:
        stream: All experiences of a scenario in some order.
        encoder: Its tokenizer counts tokens.
        max_tokens: Longer texts are cut.
    """
    scenario = stream.scenario
    head = "task-aware" if scenario.task_aware else "single-head"
    yield (
        f"{scenario.name}: {scenario.title}\n{_KINDS[scenario.kind]}, {head}: {len(stream)} experiences, "
        f"{len(scenario.columns)} classes"
    )
    yield ""
    yield from _experiences(stream)
    yield ""
    for name, facts in stream.data.items():
        sizes = ", ".join(f"{size} {split}" for split, size in facts["sizes"].items())
        yield f"data {name}: {sizes}" + (f" ({facts['version']})" if facts["version"] else "")
        yield from (f"  {note}" for note in facts["notes"])
    texts = {split: _texts(stream, split) for split in SPLITS}
    yield "texts in two splits: " + _overlaps(texts)
    empty = sum(not text.strip() for each in texts.values() for text, _ in each)
    yield f"empty texts: {empty or 'none'}"
    yield _lengths([row for each in texts.values() for row in each], encoder, max_tokens)
    found = list(_suspicious(stream))
    yield from (f"look at: {each}" for each in found)
    if not found:
        yield "labels: nothing suspicious"


def _experiences(stream: Stream) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("#", "experience", *SPLITS, "labels")]
    for each in stream.experiences:
        sizes = (str(len(each.splits[split])) for split in SPLITS)
        names = [stream.scenario.columns[column] for column in sorted(each.columns)]
        rows.append((str(each.index + 1), each.name, *sizes, _named(names)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[2:5], widths[2:], strict=True))
        yield f"{left}  {right}  {row[5]}"


def _texts(stream: Stream, split: str) -> Texts:
    rows: Texts = []
    for each in stream.experiences:
        rows += text_rows(each.splits[split][:])
    return rows


def _overlaps(texts: dict[str, Texts]) -> str:
    counts = []
    for of, also in (("test", "train"), ("validation", "train"), ("test", "validation")):
        seen = set(texts[also])
        count = sum(row in seen for row in texts[of])
        counts.append(f"{count} of {len(texts[of])} {of} texts are in {also}")
    return ", ".join(counts)


def _lengths(rows: Texts, encoder: TextEncoder, max_tokens: int) -> str:
    """How many texts are cut, and how long the longest is."""
    texts, pairs = [text for text, _ in rows], [pair for _, pair in rows]
    try:
        cut = int((encoder.tokenize(texts, pairs, max_tokens + 1).lengths > max_tokens).sum())
        what = "are cut"
    except UserError:  # max_tokens is as many as the encoder reads
        cut = int((encoder.tokenize(texts, pairs, max_tokens).lengths == max_tokens).sum())
        what = "are as long or cut"
    first = max(range(len(rows)), key=lambda at: len(texts[at]) + len(pairs[at] or ""))
    limit, length = max_tokens, max_tokens
    try:
        while length == limit:
            length = int(encoder.tokenize([texts[first]], [pairs[first]], 2 * limit).lengths[0])
            limit *= 2
        longest = str(length)
    except UserError:  # more tokens than the encoder reads
        longest = f"at least {length}"
    return (
        f"longest text: {longest} tokens of '{encoder.name}' ({_short(texts[first])!r}); "
        f"max_tokens is {max_tokens}, {cut} of {len(rows)} texts {what}"
    )


def _suspicious(stream: Stream) -> Iterator[str]:
    columns = stream.scenario.columns
    train = Counter(column for each in stream.experiences for column in each.splits["train"][:]["column"])
    test = Counter(column for each in stream.experiences for column in each.splits["test"][:]["column"])
    few = [f"{name} ({train[at]})" for at, name in enumerate(columns) if train[at] < FEW]
    if few:
        yield f"classes with fewer than {FEW} training texts: {_named(few)}"
    untested = [name for at, name in enumerate(columns) if not test[at]]
    if untested:
        yield f"classes without test texts: {_named(untested)}"
    long = [_short(name) for name in columns if len(name) > LONG]
    if long:
        yield f"labels of more than {LONG} characters, are they texts? {_named(long)}"
    if len(columns) > sum(train.values()) / 2:
        yield f"{len(columns)} classes for {sum(train.values())} training texts: is it the right column?"
    labels = defaultdict(set)
    for each in stream.experiences:
        rows = each.splits["train"][:]
        for text, pair, column in zip(rows["text"], rows["text_pair"], rows["column"], strict=True):
            labels[text, pair].add(column)
    both = [text for (text, _), found in labels.items() if len(found) > 1]
    if both:
        yield f"{len(both)} training texts have two labels, such as {_short(both[0])!r}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."
