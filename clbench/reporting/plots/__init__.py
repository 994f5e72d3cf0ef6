"""Figures of loaded results, each a function of the table that ``load_results`` returns."""

from clbench.reporting.plots.canvas import save
from clbench.reporting.plots.costs import accuracy_cost_figure
from clbench.reporting.plots.curves import forgetting_figure, stream_accuracy_figure
from clbench.reporting.plots.gallery import gallery
from clbench.reporting.plots.keys import key_overlap_figure, key_use_figure
from clbench.reporting.plots.matrices import accuracy_matrix_figure
from clbench.reporting.plots.pareto import pareto_front
from clbench.reporting.plots.phases import phase_seconds_figure
from clbench.reporting.plots.ranks import rank_figure

__all__ = [
    "accuracy_cost_figure",
    "accuracy_matrix_figure",
    "forgetting_figure",
    "gallery",
    "key_overlap_figure",
    "key_use_figure",
    "pareto_front",
    "phase_seconds_figure",
    "rank_figure",
    "save",
    "stream_accuracy_figure",
]
