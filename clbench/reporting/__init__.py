"""Tables and plots, made from result files alone: no torch, so a laptop without it is enough.

In a notebook, every table and every figure is a function of the frame that :func:`load_results` returns, one
row per run. A figure is a Matplotlib ``Figure``, which a notebook shows by itself, and which belongs to no
``pyplot`` state.

Example:
    >>> import clbench.reporting as r
    >>> runs = r.load_results(["runs"])
    >>> list(r.comparison_table(runs))[:5]
    ['scenario', 'title', 'task', 'encoder', 'method']
    >>> few = runs[runs["method"].isin(["ncm", "ewc-frozen"])]
    >>> figure = r.stream_accuracy_figure(few, whole=runs)  # methods look as they do among all runs
    >>> r.save(figure, "stream_accuracy")
    [PosixPath('stream_accuracy.svg'), PosixPath('stream_accuracy.pdf')]
"""

from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.costs import accuracy_cost_figure
from clbench.reporting.figures.curves import forgetting_figure, stream_accuracy_figure
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.keys import key_overlap_figure, key_use_figure
from clbench.reporting.figures.matrices import accuracy_matrix_figure
from clbench.reporting.figures.memory import memory_figure
from clbench.reporting.figures.pareto import pareto_front
from clbench.reporting.figures.phases import phase_seconds_figure
from clbench.reporting.figures.ranks import rank_figure
from clbench.reporting.figures.rates import learning_rate_figure
from clbench.reporting.figures.styles import line_styles
from clbench.reporting.load import load_results
from clbench.reporting.publish.report import write_report
from clbench.reporting.statistics.ranking import average_ranks
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.render import csv, html, latex, markdown, text_table

__all__ = [
    "accuracy_cost_figure",
    "accuracy_matrix_figure",
    "average_ranks",
    "comparison_table",
    "csv",
    "forgetting_figure",
    "gallery",
    "html",
    "key_overlap_figure",
    "key_use_figure",
    "latex",
    "learning_rate_figure",
    "line_styles",
    "load_results",
    "markdown",
    "memory_figure",
    "pareto_front",
    "phase_seconds_figure",
    "rank_figure",
    "save",
    "stream_accuracy_figure",
    "text_table",
    "write_report",
]
