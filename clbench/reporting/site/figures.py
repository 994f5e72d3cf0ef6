"""Matplotlib's figures as parts of a page.

A page that allows no inline styles takes them as attributes, and ids must not be those of another figure.
"""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from clbench.reporting.figures.canvas import drawing
from clbench.reporting.figures.gallery import PLOTS

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


CHARTS = ("stream_accuracy", "accuracy_matrix", "accuracy_cost", "bits_cost")
"""The figures that a page has as charts of its own, and which are therefore not drawn for it."""


@dataclass(frozen=True)
class Drawn:
    """A figure of a page.

    Attributes:
        name: Of the kind of figure.
        heading: The same for readers.
        caption: What it shows, one sentence.
        svg: The drawing itself.
    """

    name: str
    heading: str
    caption: str
    svg: Markup


def figures(runs: pd.DataFrame, whole: pd.DataFrame) -> Iterator[Drawn]:
    """Every figure of the runs of one scenario, but those that are charts; methods look as in ``whole``."""
    for plot in PLOTS:
        part = plot.part(runs)
        if plot.name in CHARTS or part.empty or not (part["status"] == "done").any():
            continue
        caption = (inspect.getdoc(plot.draw) or "").partition("\n")[0]
        heading = plot.name.replace("_", " ").capitalize()
        yield Drawn(plot.name, heading, caption, inline(plot.draw(part, whole=whole), plot.name, caption))


def inline(figure: Figure, name: str, label: str) -> Markup:
    """A figure as an SVG element of an HTML page.

    Args:
        figure: What to draw.
        name: Set before each id of it.
        label: What it is for those who do not see it.
    """
    with drawing(), io.BytesIO() as file:
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
        root = ElementTree.fromstring(file.getvalue())  # leaves out comments
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _attributes(element, name)
    root.attrib |= {
        "role": "img",
        "aria-label": label,
        # The style sheet of the file, for all that say nothing else.
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    root.attrib.pop("version", None)
    # The names in it are drawn as paths; what text there is, ElementTree has escaped.
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _attributes(element: ElementTree.Element, name: str) -> None:
    """Styles as attributes, and ids that are this figure's own."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if value:
            element.set(key.strip(), value.strip())
    if target := element.attrib.pop(_LINK, None):
        element.set("href", target)
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif value.startswith("#") and key == "href":
            element.set(key, f"#{name}-{value[1:]}")
        else:
            element.set(key, re.sub(r"url\(#", f"url(#{name}-", value))
