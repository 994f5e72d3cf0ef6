"""Names of methods for readers: short, and different for different methods of one set of results.

A result file names a method by an id that holds everything in which it is not the default, such as
``dkvb-np-random-optimizer=adagrad-lr=0.03``. Readers see the name that the method declares and what tells it
from the other methods of the same results: ``DKVB (random keys), lr 0.03``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clbench.core.types import TUNINGS

KNOWN: Mapping[str, str] = {
    "acil": "ACIL", "adapterhat": "Adapter-HAT", "agem": "A-GEM", "air": "AIR", "bcl": "B-CL",
    "classic": "CLASSIC", "ctr": "CTR", "der": "DER", "derpp": "DER++", "dkvb": "DKVB",
    "dkvbcounts": "DKVB counts", "dkvbvalues": "DKVB values", "erace": "ER-ACE", "ewc": "EWC",
    "fecam": "FeCAM", "finetune": "Fine-tuning", "frozenlm": "Frozen LM", "gdumb": "GDumb", "hat": "HAT",
    "inflora": "InfLoRA", "knn": "kNN", "knnlm": "kNN-LM", "l2": "L2", "l2p": "L2P",
    "loranpac": "LoRanPAC", "lwf": "LwF", "mas": "MAS", "ncm": "NCM", "olora": "O-LoRA", "osf": "OSF",
    "owm": "OWM", "progprompt": "ProgPrompt", "ranpac": "RanPAC", "replay": "Replay", "seqstar": "SEQ*",
    "si": "SI", "slda": "SLDA",
}  # fmt: skip
"""By the first word of an id, the declared name of methods of this project: older files do not tell it."""
_TUNINGS = {"adapter": "adapters", "lora": "LoRA", "prompt": "prompts"}
_KEYS = ("oracle", "random", "generic", "incremental")
_WORDS: dict[str, tuple[str, str]] = {
    "p": ("decoder", "parametric"),
    "cnn": ("head", "CNN head"),
    **{each: ("tuning", _TUNINGS.get(each, each)) for each in TUNINGS},
    **{each: ("keys", f"{each} keys") for each in _KEYS},
    **{each: ("stream", each) for each in ("joint", "single")},
}
"""By a word of an id, what it is about and how it reads."""
_SILENT = ("np",)
"""Words of what is the default."""
_FORM = ("keys", "form")
"""What stands behind a name in parentheses."""


@dataclass(frozen=True)
class _Parts:
    """An id taken apart.

    Attributes:
        base: The name that the method declares.
        facts: By what it is about, each other part as readers see it. Arguments, the learning rate, pooling
            and precision, which change a default, begin with ``option``.
    """

    base: str
    facts: Mapping[str, str]


def display_names(frame: pd.DataFrame) -> dict[str, str]:
    """For each method of some results its name for readers; different methods have different names.

    The name that the method declares comes first, then its own form in parentheses, then in what it differs
    from the other methods of ``frame`` that declare the same name, and how the encoder is tuned, where
    methods of ``frame`` differ in that. :func:`in_common` tells what is left out. A method whose files tell
    no name, and which is not of this project, keeps its id.

    Args:
        frame: The columns ``method`` and ``config`` of loaded results.

    Example:
        >>> config = {"stream": "sequential"}
        >>> methods = ["dkvb-np-oracle", "ewc-frozen", "ewc-frozen-lr=0.1"]
        >>> list(display_names(pd.DataFrame({"method": methods, "config": [config] * 3})).values())
        ['DKVB (oracle keys)', 'EWC', 'EWC, lr 0.1']
    """
    every = _parts_of(frame)
    tuning = {"tuning"} if common_tuning(frame) is None else set()
    names: dict[str, str] = {}
    for mine in _by_base(every).values():
        shown = {"stream", *_differing(mine.values()), *tuning, *(_FORM if len(mine) == 1 else ())}
        names |= {method: _written(parts, shown) for method, parts in mine.items()}
    counts = Counter(names.values())
    return {method: names[method] if counts[names[method]] == 1 else method for method in every}


def full_name(config: Mapping[str, Any]) -> str:
    """The name of the method of one run, with everything that its id holds.

    Example:
        >>> full_name({"method": "dkvb-np-oracle-lr=0.1", "stream": "sequential"})
        'DKVB (oracle keys), lr 0.1'
    """
    parts = _parts(str(config["method"]), config)
    return _written(parts, set(parts.facts))


def in_common(frame: pd.DataFrame) -> list[str]:
    """What the names of :func:`display_names` leave out, as all methods of one declared name have it.

    Example:
        >>> config = {"stream": "sequential"}
        >>> in_common(pd.DataFrame({"method": ["replay-frozen-capacity=256", "ncm"], "config": [config] * 2}))
        ['Replay: capacity 256']
    """
    lines = []
    for base, mine in sorted(_by_base(_parts_of(frame)).items()):
        every = list(mine.values())
        kept = {
            key for key in every[0].facts if key.startswith("option") or (key in _FORM and len(every) > 1)
        }
        texts = [text for key, text in every[0].facts.items() if key in kept - _differing(every)]
        lines += [f"{base}: {', '.join(texts)}"] if texts else []
    return lines


def enumerated(names: Sequence[str]) -> str:
    """Names in a line, told apart by semicolons where one of them has a comma.

    Example:
        >>> enumerated(["NCM", "SLDA"]), enumerated(["EWC, frozen", "SLDA"])
        ('NCM, SLDA', 'EWC, frozen; SLDA')
    """
    return ("; " if any("," in name for name in names) else ", ").join(names)


def common_tuning(frame: pd.DataFrame) -> str | None:
    """How the encoder is tuned, where all methods that could be tuned in several ways have the same.

    Empty where there is no such method, None where they differ.
    """
    found = {parts.facts["tuning"] for parts in _parts_of(frame).values() if "tuning" in parts.facts}
    return None if len(found) > 1 else "".join(found)


def _parts_of(frame: pd.DataFrame) -> dict[str, _Parts]:
    first = frame.drop_duplicates("method").sort_values("method")
    methods = zip(first["method"], first["config"], strict=True)
    return {method: _parts(method, config) for method, config in methods}


def _by_base(every: Mapping[str, _Parts]) -> dict[str, dict[str, _Parts]]:
    found: dict[str, dict[str, _Parts]] = {}
    for method, parts in every.items():
        found.setdefault(parts.base, {})[method] = parts
    return found


def _parts(method: str, config: Mapping[str, Any]) -> _Parts:
    text, ends = method, {}
    for key in ("stream", "precision", "pooling"):  # the last first
        value = config.get(key)
        if value and text.endswith(f"-{value}"):
            text = text.removesuffix(f"-{value}")
            ends[key if key == "stream" else f"option {key}"] = value + " pooling" * (key == "pooling")
    head, *arguments = re.split(r"-(?=[a-z_]+=)", text)
    word, *words = head.split("-")
    base = config.get("name") or KNOWN.get(word)
    if not base:
        return _Parts(method, {})
    facts = dict(_WORDS[each] for each in words if each in _WORDS)
    if form := "-".join(each for each in words if each not in (*_WORDS, *_SILENT)):
        facts["form"] = form
    for name, _, value in (each.partition("=") for each in arguments):
        facts[f"option {name}"] = f"{name.replace('_', ' ')} {value.removesuffix('.0')}"
    return _Parts(str(base), facts | dict(reversed(ends.items())))


def _differing(parts: Iterable[_Parts]) -> set[str]:
    """The facts in which these differ; that one lacks a fact is a difference."""
    every: Sequence[_Parts] = list(parts)
    keys = {key for each in every for key in each.facts}
    return {key for key in keys if len({each.facts.get(key) for each in every}) > 1}


def _written(parts: _Parts, shown: set[str]) -> str:
    own = [parts.facts[key] for key in _FORM if key in parts.facts and key in shown]
    rest = [text for key, text in parts.facts.items() if key in shown and key not in _FORM]
    return ", ".join([f"{parts.base} ({', '.join(own)})" if own else parts.base, *rest])
