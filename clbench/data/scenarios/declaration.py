"""The keys of a scenario's YAML file, their types, and the one line that says what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from clbench.core.data_source import Encoding, Format
from clbench.core.errors import UserError, shown, unknown
from clbench.core.ranges import Count, HeldOut, Seed
from clbench.core.scenario import Kind


def _as_text(value: Any) -> Any:
    """A label as it is in the data: YAML has made a number or a boolean of some."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, BeforeValidator(_as_text), StringConstraints(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Hub(_Section):
    """A dataset on the Hugging Face Hub."""

    hub: Text = Field(description="the name of a dataset on the hub, such as clinc/clinc_oos")
    revision: Text = Field(
        pattern="^[0-9a-f]{40}$", description="the commit of the dataset, 40 hexadecimal digits"
    )
    config: Text | None = Field(default=None, description="the configuration of a dataset that has several")


class Keys(_Section):
    """The names in the data."""

    text: Text | None = Field(default=None, description="the name of a column")
    text_pair: Text | None = Field(default=None, description="the name of a column")
    label: Text | None = Field(default=None, description="the name of a column")
    domain: Text | None = Field(default=None, description="the name of a column")


class Splits(_Section):
    """The names of the splits in the data."""

    train: Text | None = Field(default=None, description="the name of a split in the data")
    validation: Text | None = Field(default=None, description="the name of a split in the data")
    test: Text | None = Field(default=None, description="the name of a split in the data")


class ProtocolKeys(_Section):
    """The defaults of training; the learning rate is a matter of the method."""

    epochs: Count | None = Field(default=None, description="a whole number of at least 1")
    patience: Count | None = Field(default=None, description="a whole number of at least 1")
    batch_size: Count | None = Field(default=None, description="a whole number of at least 1")
    max_tokens: Annotated[int, Field(ge=3)] | None = Field(
        default=None, description="a whole number of at least 3: two special tokens and the text"
    )
    samples_per_epoch: Count | None = Field(default=None, description="a whole number of at least 1")
    validation_share: HeldOut | None = Field(default=None, description="a number of at least 0 and below 1")
    train_per_class: Count | None = Field(default=None, description="a whole number of at least 1")
    test_per_class: Count | None = Field(default=None, description="a whole number of at least 1")


class Declaration(_Section):
    """A scenario's YAML file."""

    data: Text | Hub = Field(
        description="a file or folder, from the place of this file, or {hub: NAME, revision: COMMIT}"
    )
    kind: Kind = Field(default="class", description=f"one of {', '.join(get_args(Kind))}")
    title: Text | None = Field(default=None, description="a line of text")
    task_aware: bool | None = Field(default=None, description="true or false")
    classes_per_experience: Count | Annotated[list[Count], Field(min_length=1)] = Field(
        default=1, description="a whole number of at least 1, or a list of them"
    )
    labels: Names | None = Field(default=None, description="a list of labels")
    domains: Names | None = Field(default=None, description="a list of domains")
    tasks: Names | None = Field(default=None, description="a list of names in the folder 'data'")
    order: Literal["declared", "random"] = Field(default="declared", description="declared or random")
    seed: Seed = Field(default=0, description="a whole number of at least 0")
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
    try:
        found = Declaration.model_validate(content)
    except ValidationError as error:
        raise UserError(f"scenario {path}: {_problem(content, error)}") from error
    given = found.model_fields_set
    for key, kind in ONLY_FOR.items():
        if key in given and found.kind != kind:
            raise UserError(f"scenario {path}: {key} goes with kind {kind}, and the kind is {found.kind}")
    if found.kind == "task" and "labels" in given:
        raise UserError(f"scenario {path}: labels goes with kind class or domain, and the kind is task")
    if found.kind == "task" and isinstance(found.data, Hub):
        raise UserError(f"scenario {path}: data: kind task needs a folder with a dataset for each task")
    for key in ("labels", "domains", "tasks", "columns"):
        names = getattr(found, key) or []
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"scenario {path}: {key} has '{twice}' twice")
    named = [name for _, name in found.keys if name is not None]
    if len(set(named)) < len(named):
        raise UserError(f"scenario {path}: keys has the same column twice: {', '.join(named)}")
    if "seed" in given and found.order == "declared" and not found.test_share:
        raise UserError(
            f"scenario {path}: seed is {found.seed}, but neither 'order: random' nor test_share is set"
        )
    return found


def _problem(content: Mapping[Any, Any], error: ValidationError) -> str:
    """The first error in one line: key, value and what is right."""
    first, *others = [_steps(content, each["loc"]) for each in error.errors(include_url=False)]
    # Of a value that can be of several types, what is wrong inside it says more.
    inside = [each for each in others if each[: len(first)] == first]
    *outer, key = max([first, *inside], key=len)
    where, value, model = "".join(f"{step}: " for step in outer), content, _model(outer)
    for step in outer:
        value = value[step]
    if key not in model.model_fields:
        return f"{where}{unknown('key', str(key), model.model_fields)}"
    about = model.model_fields[key].description
    if key not in value:
        return f"{where}the key '{key}' is missing; it is {about}"
    return f"{where}{key} is {shown(value[key])}; expected {about}"


def _steps(content: Mapping[Any, Any], places: Sequence[Any]) -> list[Any]:
    """The keys that lead to an error, without the members of a union and the places in a list."""
    first, *rest = places
    section, value = SECTIONS.get(first), content.get(first)
    if section is None or not isinstance(value, dict):
        return [first]
    return [first, *(step for step in rest if step in section.model_fields or step in value)][:2]


def _model(path: Sequence[Any]) -> type[BaseModel]:
    return SECTIONS.get(path[0], Declaration) if path else Declaration


SECTIONS: Mapping[str, type[BaseModel]] = {
    "data": Hub, "keys": Keys, "splits": Splits, "protocol": ProtocolKeys
}  # fmt: skip
