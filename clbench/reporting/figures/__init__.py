"""Figures of loaded results, each a function of the table that ``load_results`` returns."""

from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.costs import accuracy_cost_figure
from clbench.reporting.figures.curves import forgetting_figure, stream_accuracy_figure
from clbench.reporting.figures.gallery import gallery
from clbench.reporting.figures.keys import key_overlap_figure, key_use_figure
from clbench.reporting.figures.matrices import accuracy_matrix_figure
from clbench.reporting.figures.pareto import pareto_front
from clbench.reporting.figures.phases import phase_seconds_figure
from clbench.reporting.figures.ranks import rank_figure

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
