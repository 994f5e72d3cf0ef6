"""The texts of an experience: those that are declared, and of them those within the limits."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from clbench.core.errors import UserError
from clbench.core.scenario import SPLITS, Part, Protocol, Scenario
from clbench.data.drift import drifted
from clbench.data.holdout import Columns, by_hash, hold_out, take


def own_texts(
    scenario: Scenario, protocol: Protocol, part: Part, table: Mapping[str, Columns]
) -> Mapping[str, Columns]:
    """All texts of an experience by split, with the output column of each in place of its label.

    Args:
        scenario: The scenario.
        protocol: Gives the share of validation texts, where the dataset has none.
        part: The experience.
        table: The dataset.
    """
    columns = {label: scenario.columns.index(scenario.column(part, label)) for label in part.labels}
    own = {name: _shared(part, _rows_of(part, split)) for name, split in table.items()}
    for rows in own.values():
        rows["label"] = [columns[label] for label in rows["label"]]
    if "validation" not in own:
        kept, held = hold_out(own["train"], protocol.validation_share, "validation")
        own = {**own, "train": take(own["train"], kept), "validation": take(own["train"], held)}
    return own


def kept_texts(
    scenario: Scenario, protocol: Protocol, part: Part, own: Mapping[str, Columns]
) -> dict[str, Columns]:
    """The texts of an experience within the limits, drifted if it drifts.

    Args:
        scenario: The scenario.
        protocol: Gives the limits on texts per class.
        part: The experience.
        own: See ``own_texts``.

    Raises:
        UserError: No training or no test texts are left.
    """
    limits = dict(zip(SPLITS, (protocol.train_per_class, *[protocol.test_per_class] * 2), strict=True))
    splits: dict[str, Columns] = {}
    for name in SPLITS:
        split = _limited(own[name], limits[name])
        if not split["text"] and name != "validation":
            raise UserError(
                f"scenario '{scenario.name}', experience '{part.name}': no {name} texts in "
                f"'{part.dataset}' with label {' or '.join(part.labels)}"
                + (f" and domain {part.domain}" if part.domain else "")
            )
        splits[name] = {
            "text": _drifted(part, split["text"]),
            "text_pair": _drifted(part, split["text_pair"]),
            "column": split["label"],
        }
    return splits


def _rows_of(part: Part, split: Columns) -> dict[str, list[Any]]:
    wanted = {(label, part.domain) for label in part.labels}
    domains = split["domain"] if part.domain is not None else itertools.repeat(None)
    rows = enumerate(zip(split["label"], domains, strict=False))
    return take(split, [at for at, row in rows if row in wanted])


def _shared(part: Part, split: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The rows of a part's share: of the texts of each label, about as many as other shares have."""
    if part.share is None:
        return split
    own, shares = part.share
    kept = (at for places in by_hash(split, "share").values() for at in places[own::shares])
    return take(split, sorted(kept))


def _drifted(part: Part, texts: Sequence[str | None]) -> Sequence[str | None]:
    drift = part.drift
    return texts if drift is None else [text if text is None else drifted(text, drift) for text in texts]


def _limited(split: Columns, per_class: int | None) -> Columns:
    if per_class is None:
        return split
    kept = (at for places in by_hash(split, "limit").values() for at in places[:per_class])
    return take(split, sorted(kept))
