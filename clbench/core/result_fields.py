"""What a result file holds: the type and range of each of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from clbench.core import language_result
from clbench.core.notes import NOTE_KINDS
from clbench.core.ranges import Order, Pattern
from clbench.core.scenario import Kind
from clbench.core.types import Head, Placement, Pooled, StreamKind, Tuning

STATUSES = ("running", "done", "failed")
WORDING = ("title", "name", "notes")
"""The keys of a configuration that are for readers alone: runs that differ in nothing else are equal."""
SHARES = ("average_accuracy", "anytime_average_accuracy", "learning_accuracy", "macro_f1")
"""The metrics that are between 0 and 1."""
CHANGES = ("forgetting", "bwt", "fwt")
"""The metrics that are between -1 and 1."""
KEY_USE = ("keys_in_use", "dead_keys", "perplexity")
"""The diagnostics of an experience that stand beside ``overlap``: numbers."""
KEY_ERRORS = ("quantization_error", "unselected_changed", "keys_moved", "selections_changed", "texts_changed")
"""Diagnostics of an experience that need not be there: numbers."""
COUNTS = ("examples", "validation_examples", "test_examples", "steps")
"""What an experience has so and so many of."""
COSTS = {
    "seconds": ("encode", "keys", "train", "validate", "consolidate", "evaluate", "total"),
    "flops": ("algorithm", "spent"),
    "parameters": ("trainable", "total", "changed_per_step"),
    "carried_bytes": ("weights", "keys", "values", "buffer", "statistics", "total"),
    "peak_bytes": ("rss", "cuda"),
}
"""By group, the costs that tables and figures are made of."""
_WORDS = {
    "kind": get_args(Kind), "tuning": get_args(Tuning), "pooling": get_args(Pooled), "head": get_args(Head),
    "adapter_placement": get_args(Placement), "split": ("test", "validation"),
}  # fmt: skip
"""The keys of the configuration that are one of a few words."""
ORDER: Pattern = get_args(Order)[1]
"""What the order of a run is; a number may stand for the text of its digits."""

RULES: Mapping[str, str | tuple[str, ...]] = {
    "schema!": "a whole number",
    "status!": STATUSES,
    "error": "a text",
    "provenance": "an object",
    **{f"provenance.{name}": "an object" for name in ("fingerprints", "datasets", "datasets.*")},
    **{f"provenance.{name}": "a text" for name in ("fingerprints.*", "datasets.*.fingerprint")},
    **{f"provenance.{name}": "an object" for name in ("machine", "search", "versions")},
    **{f"provenance.{name}": "a text" for name in ("command", "commit", "date", "experiment", "versions.*")},
    "config!": "an object",
    **{f"config.{name}!": "a text with letters" for name in ("scenario", "encoder", "method")},
    **{f"config.{name}": "a text" for name in ("title", "baseline", "name", "precision", "generic_corpus")},
    **{f"config.{name}": words for name, words in _WORDS.items()},
    "config.arguments": "an object",
    "config.task_aware": "true or false",
    **{f"config.{name}": "a list of texts" for name in ("columns", "tuned")},
    "config.seed!": "a whole number",
    "config.order!": str(ORDER),
    "config.stream!": get_args(StreamKind),
    "config.notes": "a list of objects",
    "config.notes.[].kind!": NOTE_KINDS,
    "config.notes.[].text": "a text",
    **dict.fromkeys(("accuracy", "macro_f1", "confusion", "untrained_confusion"), "a list"),
    **dict.fromkeys(("accuracy.[]", "macro_f1.[]"), "a list of numbers"),
    **dict.fromkeys(("stream_accuracy", "untrained_accuracy"), "a list of numbers"),
    **dict.fromkeys(("accuracy.[].[]", "macro_f1.[].[]"), "between 0 and 1"),
    **dict.fromkeys(("stream_accuracy.[]", "untrained_accuracy.[]"), "between 0 and 1"),
    **language_result.RULES,
    "metrics": "an object",
    "metrics.*": "a number",
    **{f"metrics.{name}": "between 0 and 1" for name in SHARES},
    **{f"metrics.{name}": "between -1 and 1" for name in CHANGES},
    "costs": "an object",
    "costs.**": "a number of at least 0",
    **{f"costs.{group}": "an object" for group in COSTS},
    **{
        f"costs.{group}.{name}": "a number of at least 0"
        if group == "seconds"
        else "a whole number of at least 0"
        for group, names in COSTS.items()
        for name in names
    },
    "experiences": "a list of objects",
    "experiences.[].name": "a text",
    "experiences.[].seconds": "an object",
    "experiences.[].seconds.**": "a number of at least 0",
    "experiences.[].flops": "an object",
    "experiences.[].flops.**": "a number of at least 0",
    **{f"experiences.[].{name}": "a whole number of at least 0" for name in COUNTS},
    "diagnostics": "an object",
    "diagnostics.experiences": "a list of objects",
    "diagnostics.experiences.[].overlap": "a list of numbers",
    "diagnostics.experiences.[].overlap.[]": "between 0 and 1",
    **{f"diagnostics.experiences.[].{name}": "a number of at least 0" for name in (*KEY_USE, *KEY_ERRORS)},
}
"""By key, what its value is, or the values that it may have. An object stands before its keys.

A key with ``!`` must be there; null is the same as absent. ``[]`` is each element of a list, ``*`` each key
of an object, ``**`` each key of nested objects whose value is no object.
"""
