"""A workspace and a report in Weights & Biases that compare methods.

Building them needs no network; ``save`` uploads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from clbench.core.errors import UserError
from clbench.reporting.figures.keys import USE
from clbench.tracking import names

TITLE = "clbench"
AVERAGE_ACCURACY = f"{names.METRICS}/average_accuracy"
FORGETTING = f"{names.METRICS}/forgetting"
COST_AXES = {
    f"{names.COSTS}/seconds/total": "seconds of the algorithm",
    f"{names.COSTS}/carried_bytes/total": "bytes carried beyond the encoder",
    f"{names.COSTS}/flops/algorithm": "FLOPs of the algorithm",
}
"""Costs that accuracy is plotted against, with axis labels. Runs without a value are not shown."""
KEYS = {**USE, "quantization_error": "Quantization error"}
"""Diagnostics of a bottleneck after each experience, with titles."""
SUMMARY_COLUMNS = (
    AVERAGE_ACCURACY,
    f"{names.METRICS}/learning_accuracy",
    FORGETTING,
    f"{names.METRICS}/bwt",
    f"{names.METRICS}/macro_f1",
    *COST_AXES,
)
CONFIG_COLUMNS = ("scenario", "encoder", "method", names.FAMILY, "order", "seed")
COLUMNS = [
    "run:displayName",
    *(f"config:{name}.value" for name in CONFIG_COLUMNS),
    *(f"summary:{name}" for name in SUMMARY_COLUMNS),
]
"""The columns of the table of runs."""
_UNFILTERABLE = frozenset("'\"\\=<>!")  # the library writes filters as text, and does not escape it
_RUNS = 100  # as many lines or bars as the service draws


def curves(by: Mapping[str, Any]) -> list[Any]:
    """Stream accuracy over experiences: a line per method and one per family, mean and standard deviation."""
    shown = {"Stream accuracy": by, "Stream accuracy by family": _BY_FAMILY}
    return [
        wr.LinePlot(
            title=title,
            x=names.EXPERIENCE,
            y=[names.STREAM_ACCURACY],
            range_y=(0, 1),
            title_x="experiences seen",
            title_y="stream accuracy",
            max_runs_to_show=_RUNS,
            layout=wr.Layout(x=12 * place, w=12, h=10),
            **grouped,
        )
        for place, (title, grouped) in enumerate(shown.items())
    ]


def bars(by: Mapping[str, Any]) -> list[Any]:
    """Average accuracy and forgetting, one bar per method."""
    shown = {"Average accuracy": AVERAGE_ACCURACY, "Forgetting": FORGETTING}
    return [
        wr.BarPlot(
            title=title,
            metrics=[wr.SummaryMetric(metric)],
            max_runs_to_show=_RUNS,
            max_bars_to_show=_RUNS,
            layout=wr.Layout(x=12 * place, w=12, h=10),
            **by,
        )
        for place, (title, metric) in enumerate(shown.items())
    ]


def scatters(_: Mapping[str, Any]) -> list[Any]:
    """Average accuracy against each cost, one point per run, costs on a logarithmic axis.

    A line is the most accurate run so far from the cheapest: the Pareto front.
    """
    return [
        wr.ScatterPlot(
            title=f"Average accuracy against {label}",
            x=wr.SummaryMetric(cost),
            y=wr.SummaryMetric(AVERAGE_ACCURACY),
            log_x=True,
            running_ymax=True,
            layout=wr.Layout(x=8 * place, w=8, h=10),
        )
        for place, (cost, label) in enumerate(COST_AXES.items())
    ]


def keys(by: Mapping[str, Any]) -> list[Any]:
    """How the keys of bottlenecks are used, over experiences; other runs have no such values."""
    return [
        wr.LinePlot(
            title=title,
            x=names.EXPERIENCE,
            y=[f"{names.DIAGNOSTICS}/{name}"],
            title_x="experiences seen",
            max_runs_to_show=_RUNS,
            layout=wr.Layout(x=12 * (place % 2), y=8 * (place // 2), w=12, h=8),
            **by,
        )
        for place, (name, title) in enumerate(KEYS.items())
    ]


def matrices(_: Mapping[str, Any]) -> list[Any]:
    """The accuracy matrix of each run, and a comparison of configurations and costs."""
    return [
        wr.MediaBrowser(
            title="Accuracy matrices", media_keys=[names.MATRIX_IMAGE], layout=wr.Layout(w=24, h=12)
        ),
        wr.RunComparer(diff_only="split", layout=wr.Layout(y=12, w=24, h=12)),
    ]


SECTIONS = {
    "Leaderboard": bars,
    "Accuracy over experiences": curves,
    "Accuracy and cost": scatters,
    "Keys of DKVB": keys,
    "Runs": matrices,
}
"""Sections of the workspace and of each chapter of the report; each function takes how runs are grouped."""
_BY_FAMILY = {"groupby": wr.Config(names.FAMILY), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
_BY_METHOD = {"groupby": wr.Config("method"), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
_AS_THE_TABLE = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}


def workspace(project: str, entity: str) -> ws.Workspace:
    """A workspace of the whole project, with runs grouped by scenario and method."""
    return ws.Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[
            ws.Section(name=name, panels=make(_AS_THE_TABLE), is_open=True) for name, make in SECTIONS.items()
        ],
        settings=ws.WorkspaceSettings(x_axis=names.EXPERIENCE, max_runs=_RUNS),
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Config("scenario"), ws.Config("method")],
            order=[ws.Ordering(ws.Summary(AVERAGE_ACCURACY), ascending=False)],
            pinned_columns=list(COLUMNS),
        ),
    )


def report(project: str, entity: str, scenarios: Sequence[str]) -> wr.Report:
    """A report with one chapter per scenario: the panels of the workspace and a table of runs.

    Raises:
        UserError: The name of a scenario has characters that a filter cannot express.
    """
    blocks: list[Any] = [wr.TableOfContents()]
    for scenario in scenarios:
        blocks.append(wr.H1(scenario))
        for name, make in SECTIONS.items():
            grid = wr.PanelGrid(runsets=[_runs_of(project, scenario)], panels=make(_BY_METHOD))
            blocks += [wr.H2(name), grid]
    return wr.Report(
        project=project,
        entity=entity,
        title=TITLE,
        description="Accuracy, forgetting and cost of each method, by scenario.",
        blocks=blocks,
        width="fluid",
    )


def _runs_of(project: str, scenario: str) -> wr.Runset:
    if bad := sorted(set(scenario) & _UNFILTERABLE):
        raise UserError(f"scenario {scenario}: a report cannot filter by a name with {' or '.join(bad)}")
    # Without an entity: with one, the library asks the server for the project already when it is built.
    return wr.Runset(
        project=project,
        name=scenario,
        filters=ws.And(ws.Config("scenario") == scenario),
        groupby=["config.method"],
        order=[wr.OrderBy(wr.SummaryMetric(AVERAGE_ACCURACY), ascending=False)],
        pinned_columns=list(COLUMNS),
    )


def specification(built: ws.Workspace | wr.Report) -> dict[str, Any]:
    """The JSON that is uploaded for a workspace or report."""
    content: dict[str, Any] = built._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return content


def save(view: ws.Workspace, chapters: wr.Report) -> list[str]:
    """Uploads both and returns their URLs.

    Raises:
        Exception: Whatever the library raises.
    """
    view.save()
    for block in chapters.blocks:
        for runs in block.runsets if isinstance(block, wr.PanelGrid) else ():
            runs.entity = chapters.entity
    chapters.save()
    return [view.url, chapters.url]
