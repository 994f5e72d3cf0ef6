"""The keys of a scenario's YAML file, their types, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from clbench.core.data_source import Encoding, Format
from clbench.core.errors import UserError
from clbench.core.file_keys import Section, as_text, checked
from clbench.core.ranges import Count, HeldOut, Positive, Ratio, Seed, Tokens, Words
from clbench.core.scenario import Kind

Text = Annotated[str, StringConstraints(strip_whitespace=True), Words(1000)]
Name = Annotated[str, BeforeValidator(as_text), StringConstraints(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]


def _refuse_twice(what: str, names: Sequence[str | None]) -> None:
    twice = next((name for name in names if name is not None and names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the {what} '{twice}' is used twice")


class Keys(Section):
    """The names in the data."""

    text: Text | None = Field(default=None, description="the name of a column")
    text_pair: Text | None = Field(default=None, description="the name of a column")
    label: Text | None = Field(default=None, description="the name of a column")
    domain: Text | None = Field(default=None, description="the name of a column")

    @model_validator(mode="after")
    def _different(self) -> Keys:
        # A label can come from a column called domain: only kind domain looks at domains.
        columns = [self.text or "text", self.text_pair or "text_pair", self.label or "label", self.domain]
        _refuse_twice("column", columns)
        return self


class Hub(Section):
    """A dataset on the Hugging Face Hub."""

    hub: Text = Field(description="the name of a dataset on the hub, such as clinc/clinc_oos")
    revision: Text = Field(
        pattern="^[0-9a-f]{40}$", description="the commit of the dataset, 40 hexadecimal digits"
    )
    config: Text | None = Field(default=None, description="the configuration of a dataset that has several")
    keys: Keys = Field(default=Keys(), description="a mapping such as {label: intent}")


class Splits(Section):
    """The names of the splits in the data."""

    train: Text | None = Field(default=None, description="the name of a split in the data")
    validation: Text | None = Field(default=None, description="the name of a split in the data")
    test: Text | None = Field(default=None, description="the name of a split in the data")

    @model_validator(mode="after")
    def _different(self) -> Splits:
        _refuse_twice("split", [self.train, self.validation, self.test])
        return self


class DriftKeys(Section):
    """How the texts of the last experience are transformed."""

    typos: Ratio = Field(default=0.0, description="a number between 0 and 1")
    casing: Ratio = Field(default=0.0, description="a number between 0 and 1")
    truncation: HeldOut = Field(default=0.0, description="a number of at least 0 and below 1")
    seed: Seed = Field(default=0, description="a whole number of at least 0")


class ProtocolKeys(Section):
    """The defaults of training; the learning rate is a matter of the method."""

    epochs: Count | None = Field(default=None, description="a whole number of at least 1")
    patience: Count | None = Field(default=None, description="a whole number of at least 1")
    batch_size: Count | None = Field(default=None, description="a whole number of at least 1")
    max_tokens: Annotated[Tokens, Field(ge=3)] | None = Field(
        default=None, description="a whole number of at least 3: two special tokens and the text"
    )
    samples_per_epoch: Count | None = Field(default=None, description="a whole number of at least 1")
    validation_share: HeldOut | None = Field(default=None, description="a number of at least 0 and below 1")
    train_per_class: Count | None = Field(default=None, description="a whole number of at least 1")
    test_per_class: Count | None = Field(default=None, description="a whole number of at least 1")


def _form(data: Any) -> str:
    """Which of the forms of ``data`` is meant, so that an error is about that one."""
    if not isinstance(data, Mapping):
        return "<place>"
    return "<tasks>" if Hub.model_fields.keys().isdisjoint(data) else "<hub>"


Place = Annotated[Text, Tag("<place>")] | Annotated[Hub, Tag("<hub>")]
Tasks = Annotated[
    dict[
        Name,
        Annotated[Place, Discriminator(lambda data: "<hub>" if isinstance(data, Mapping) else "<place>")],
    ],
    Field(min_length=1),
]


class Declaration(Section):
    """A scenario's YAML file."""

    data: Annotated[Place | Annotated[Tasks, Tag("<tasks>")], Discriminator(_form)] = Field(
        description="a file or folder, from the place of this file, or {hub: NAME, revision: COMMIT}; for "
        "kind task, also {TASK: one of these, ...}"
    )
    kind: Kind = Field(default="class", description=f"one of {', '.join(get_args(Kind))}")
    title: Text | None = Field(default=None, description="a line of text")
    task_aware: bool | None = Field(default=None, description="true or false")
    classes_per_experience: Count | Annotated[list[Count], Field(min_length=1)] = Field(
        default=1, description="a whole number of at least 1, or a list of them"
    )
    labels: Names | None = Field(default=None, description="a list of labels")
    domains: Names | None = Field(default=None, description="a list of domains")
    tasks: Names | None = Field(default=None, description="a list of names in 'data'")
    order: Literal["declared", "random"] = Field(default="declared", description="declared or random")
    seed: Seed = Field(default=0, description="a whole number of at least 0")
    visits: Count = Field(default=1, description="a whole number of at least 1")
    drift: DriftKeys | None = Field(
        default=None, description="a mapping such as {typos: 0.2, casing: 0.5, truncation: 0.5, seed: 0}"
    )
    encoder_drift: Positive | None = Field(default=None, description="a number above 0, such as 5.0e-5")
    keys: Keys = Field(default=Keys(), description="a mapping such as {text: body, label: queue}")
    columns: Names | None = Field(
        default=None, description="a list of the columns of a file without a header"
    )
    separator: Annotated[str, Field(min_length=1, max_length=1, pattern=r'^[^"\r\n]$')] = Field(
        default=",", description="one character, such as ';'"
    )
    format: Format | None = Field(default=None, description=f"one of {', '.join(get_args(Format))}")
    encoding: Encoding = Field(default="utf-8", description=f"one of {', '.join(get_args(Encoding))}")
    splits: Splits = Field(default=Splits(), description="a mapping such as {test: dev}")
    test_share: HeldOut = Field(default=0.0, description="a number of at least 0 and below 1")
    empty_texts: Literal["refuse", "drop"] = Field(default="refuse", description="refuse or drop")
    protocol: ProtocolKeys = Field(default=ProtocolKeys(), description="a mapping such as {epochs: 5}")
    citation: Text | None = Field(default=None, description="a line of text")
    license: Text | None = Field(default=None, description="a line of text")


ONLY_FOR: Mapping[str, Kind] = {"classes_per_experience": "class", "domains": "domain", "tasks": "task"}
"""Keys that belong to one kind of scenario."""


def declaration(path: Path, content: Any) -> Declaration:
    """The checked content of a scenario's YAML file.

    Raises:
        UserError: A key is unknown, missing or does not go with another one, or a value is wrong.
    """
    if not isinstance(content, dict):
        raise UserError(f"scenario {path}: expected a mapping with keys such as 'data' and 'kind'")
    found = checked(f"scenario {path}", Declaration, content)
    given = found.model_fields_set
    for key, kind in ONLY_FOR.items():
        if key in given and found.kind != kind:
            raise UserError(f"scenario {path}: {key} goes with kind {kind}, and the kind is {found.kind}")
    if found.kind == "language-model" and found.task_aware:
        raise UserError(f"scenario {path}: task_aware is true, but a language model is not told its domain")
    for key in ("labels", "visits"):
        if found.kind == "task" and key in given:
            raise UserError(
                f"scenario {path}: {key} goes with kind class, domain or language-model, and the kind is task"
            )
    if found.kind == "task" and isinstance(found.data, Hub):
        raise UserError(
            f"scenario {path}: data is one dataset; kind task needs one for each task: a folder of them, or "
            "{NAME: {hub: ..., revision: ...}, ...}"
        )
    if found.kind != "task" and isinstance(found.data, dict):
        raise UserError(
            f"scenario {path}: data with a dataset for each name goes with kind task, and the kind is "
            f"{found.kind}; a dataset on the hub is {{hub: NAME, revision: COMMIT}}"
        )
    for key in ("labels", "domains", "tasks", "columns"):
        names = getattr(found, key) or []
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"scenario {path}: {key} has '{twice}' twice")
    if "seed" in given and found.order == "declared" and not found.test_share:
        raise UserError(
            f"scenario {path}: seed is {found.seed}, but neither 'order: random' nor test_share is set"
        )
    return found
