"""Files whose keys a pydantic model declares, and the one line that says what is wrong in such a file.

Each field of a model has a description: what its value should be, in the words of that line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from clbench.core.errors import UserError, shown, unknown

Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A mapping with these keys and no others, whose values are of these types without conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def as_text(value: Any) -> Any:
    """A name as it was written: YAML has made a number or a boolean of some."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def checked(what: str, model: type[Model], content: Mapping[str, Any]) -> Model:
    """The content of a file as its model.

    Args:
        what: The file, for the message.
        model: Declares its keys.
        content: What was read.

    Raises:
        UserError: A key is unknown or missing, or a value is wrong; it is named with what would be right.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{what}: {_problem(model, content, error)}") from error


@dataclass(frozen=True)
class _Place:
    """Where an error is.

    Attributes:
        path: The declared keys that lead there, each with the entry of its mapping or list, if any.
        section: The model that declares the last key; None where the error is about the whole file.
        name: The last key.
        values: The content of its section.
        whole: Whether the error is about all keys of the section there, and not about one value.
    """

    path: tuple[str, ...]
    section: type[BaseModel] | None
    name: str
    values: Mapping[str, Any]
    whole: bool


def _problem(model: type[BaseModel], content: Mapping[str, Any], error: ValidationError) -> str:
    """The first error in one line."""
    errors = error.errors(include_url=False)
    # An unknown key says more than the missing one that was meant; of a value that can be of several types,
    # what is wrong inside it says more than that it is of no other type.
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    inside = [each for each in errors if each["loc"][:1] == first["loc"][:1]]
    found = max([first, *inside], key=lambda each: len(_place(model, content, each["loc"]).path))
    place, steps = _place(model, content, found["loc"]), found["loc"]
    reason = found["msg"].removeprefix("Value error, ")
    *outer, _ = place.path or ("",)
    where = "".join(f"{step}: " for step in outer)
    if "[key]" in steps:
        return f"{where}{place.name} has the key {shown(steps[steps.index('[key]') - 1])}: {reason}"
    if place.section is None or (place.whole and found["type"] == "value_error"):
        return "".join(f"{step}: " for step in place.path) + reason
    if place.name not in place.section.model_fields:
        return f"{where}{unknown('key', place.name, place.section.model_fields)}"
    about = place.section.model_fields[place.name].description
    if place.name not in place.values:
        return f"{where}the key '{place.name}' is missing; it is {about}"
    return f"{where}{place.name} is {shown(place.values[place.name])}; expected {about}"


def _place(model: type[BaseModel], content: Mapping[str, Any], steps: Sequence[Any]) -> _Place:
    """Follows the steps to an error, of which some only name the member of a union that was tried."""
    path: list[str] = []
    section, name, values = None, "", content
    kind: Any = model
    value: Any = content
    for step in steps:
        if isinstance(value, Mapping) and (declaring := _section(kind, {step, *value})) is not None:
            if step in value or step in declaring.model_fields:
                section, name, values = declaring, str(step), value
                path.append(name)
                kind, value = _type_of(declaring, name), value.get(step)
        elif isinstance(value, Mapping) and step in value:
            path[-1] += f" {step}"
            kind, value = _entry(kind, dict), value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            path[-1] += f" {step + 1}"
            kind, value = _entry(kind, list), value[step]
    whole = isinstance(value, Mapping) and _section(kind, value) is not None
    return _Place(tuple(path), section, name, values, whole)


def _section(kind: Any, keys: Collection[Any]) -> type[BaseModel] | None:
    """The model among types that has one of these keys, or any if there are no mappings of other keys."""
    models = [each for each in _members(kind) if isinstance(each, type) and issubclass(each, BaseModel)]
    known = [each for each in models if not each.model_fields.keys().isdisjoint(keys)]
    return next(iter(known or (models if _entry(kind, dict) is None else ())), None)


def _type_of(section: type[BaseModel], name: str) -> Any:
    return section.model_fields[name].annotation if name in section.model_fields else None


def _entry(kind: Any, origin: type) -> Any:
    """The type of the values of a mapping or a list; None if it is neither."""
    return next((get_args(each)[-1] for each in _members(kind) if get_origin(each) is origin), None)


def _members(kind: Any) -> Iterator[Any]:
    """The types of a union, without what is annotated to them."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _members(get_args(kind)[0])
    elif origin in (dict, list) or not get_args(kind):
        yield kind
    else:
        for each in get_args(kind):
            yield from _members(each)
