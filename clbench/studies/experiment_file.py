"""The keys of an experiment's file and their types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from clbench.core.errors import UserError, unknown
from clbench.core.file_keys import Section, as_text, checked
from clbench.core.ranges import Count, Line, Name, Order, Positive, Seed

NAMES = "a list of names such as [r8-cil]"
OPTIONS = "a mapping of options such as {epochs: 5}"
MAPPING = "a mapping such as {quick: {scenarios: [r8-cil]}}"
Options = dict[Line, Any]


Scenarios = Annotated[list[Annotated[Line, BeforeValidator(as_text)]], Field(min_length=1)]
Seeds = Annotated[list[Seed], Field(min_length=1)]
Orders = Annotated[list[Annotated[Order, BeforeValidator(as_text)]], Field(min_length=1)]


class Method(BaseModel):
    """One method of an experiment. Other keys are options of a run, which are checked with it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)
    baseline: Line = Field(description="the name of a method")
    scenarios: Scenarios | None = Field(default=None, description=NAMES)
    arguments: Options = Field(default={}, description="a mapping of the method's arguments")
    lr: Positive | Annotated[list[Positive], Field(min_length=1)] | None = Field(
        default=None, description="a number above 0, or a list of them"
    )


Methods = Annotated[list[Method], Field(min_length=1)]


class Axes(Section):
    """The values of which each run has one."""

    seeds: Seeds = Field(default=[0], description="a list of seeds such as [0, 1]")
    orders: Orders = Field(default=["0"], description="a list of orders such as [0, random:1]")

    @model_validator(mode="after")
    def _different(self) -> Axes:
        for each in ("scenarios", "seeds", "orders", "encoders"):
            values = getattr(self, each, [])
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"{each} has {twice} twice")
        return self


class OneScenario(Axes):
    """What is otherwise on one scenario. Other keys are options of a run, which are checked with it."""

    model_config = ConfigDict(extra="allow")


class Trained(Axes):
    """What is otherwise for runs that train the encoder."""

    options: Options = Field(default={}, description=OPTIONS)


class Tune(Section):
    """The budget of the hyperparameter search of each method and scenario."""

    trials: Count = Field(default=16, description="a whole number of at least 1")
    experiences: Count | Literal["all"] = Field(default=3, description="a whole number of at least 1, or all")
    train_per_class: Count | None = Field(default=None, description="a whole number of at least 1")


class Profile(Trained):
    """The axes of all runs of a profile."""

    scenarios: Scenarios = Field(description=NAMES)
    encoders: Annotated[list[Line], Field(min_length=1)] = Field(
        default=[], description="a list of encoders such as [minilm]"
    )
    scenario_options: dict[Line, OneScenario] = Field(
        default={}, description="a mapping such as {r8-cil: {epochs: 5}}"
    )
    tune: Tune | None = Field(default=None, description="a mapping such as {trials: 16}")
    methods: Methods = Field(default=[], description="a list of methods such as [{baseline: ncm}]")
    trained: Trained = Field(default=Trained(), description="a mapping such as {seeds: [0]}")

    @model_validator(mode="after")
    def _known(self) -> Profile:
        for name in self.scenario_options:
            if name not in self.scenarios:
                raise ValueError(str(unknown("scenario of scenario_options", name, self.scenarios)))
        if self.encoders and "encoder" in self.options:
            raise ValueError("encoders and the option encoder exclude each other")
        return self


class ExperimentFile(Section):
    """A file of runs, and of a table of them."""

    title: Line = Field(description="one line of text")
    methods: Methods = Field(description="a list of methods such as [{baseline: ncm}]")
    profiles: Annotated[dict[Name, Profile], Field(min_length=1)] = Field(description=MAPPING)
    table: Annotated[list[Line], Field(min_length=1)] | None = Field(
        default=None, description="a list of measures such as [average_accuracy]"
    )

    @model_validator(mode="after")
    def _scenarios_known(self) -> ExperimentFile:
        known = {name for profile in self.profiles.values() for name in profile.scenarios}
        for name in (name for each in self.methods for name in each.scenarios or ()):
            if name not in known:
                raise ValueError(str(unknown("scenario of a method", name, known)))
        return self


class TableFile(Section):
    """A file of another table of an experiment's runs."""

    title: Line = Field(description="one line of text")
    runs_of: Name = Field(description="the name of an experiment")
    table: Annotated[list[Line], Field(min_length=1)] | None = Field(
        default=None, description="a list of measures such as [average_accuracy]"
    )


def experiment_content(path: Path, content: Any) -> dict[str, Any]:
    """The content of an experiment's file, as far as it can be told without its runs.

    Raises:
        UserError: A key is unknown or missing, or a value is wrong.
    """
    if not isinstance(content, dict):
        raise UserError(f"experiment {path}: 'key: value' lines are expected")
    model: type[BaseModel] = TableFile if "runs_of" in content else ExperimentFile
    return checked(f"experiment {path}", model, content).model_dump(exclude_unset=True)
