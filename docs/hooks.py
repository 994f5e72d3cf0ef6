"""Hooks of the documentation site.

Files of the repository that lie outside of ``docs/`` join the site. Pages link to them by paths that work in
the repository, such as ``../results/README.md``; in the site these files lie beside the pages. The page of
committed runs and the gallery of figures are made when the site is built.
"""

import atexit
import inspect
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from clbench.reporting.figures.canvas import save
from clbench.reporting.figures.gallery import PLOTS, gallery
from clbench.reporting.load import load_results
from clbench.reporting.site import write_page

OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "results/**/*.md", "results/**/*.svg")
BROWSED = "full"
"""The committed results behind the page of runs."""
PICTURED = ("quick", "full", "generative", "rates", "memory", "long_streams")
"""Those behind the gallery: each kind of figure is of the first of these that has it."""
GALLERY = """# Gallery

The figures that `clbench report` makes, here of the committed results. Where a figure has a file for each
scenario, the first is shown. All figures are vector graphics (SVG and PDF).
[Reading the tables](reading-tables.md) says what the numbers are.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files of ``OUTSIDE``, each at its path in the repository, and what is made of the results."""
    root = Path(config.config_file_path).parent
    for pattern in OUTSIDE:
        for path in sorted(root.glob(pattern)):
            files.append(File.generated(config, path.relative_to(root).as_posix(), abs_src_path=str(path)))
    made = _made(root / "results")
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        files.append(File.generated(config, path.relative_to(made).as_posix(), abs_src_path=str(path)))
    return files


@cache
def _made(results: Path) -> Path:
    """A folder with the page of all runs and the gallery; made once, however often the site is built."""
    folder = Path(tempfile.mkdtemp(prefix="clbench-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_page(load_results([results / BROWSED]), folder / "browse")
    (folder / "gallery").mkdir()
    meanings = {plot.name: (inspect.getdoc(plot.draw) or "").partition("\n")[0] for plot in PLOTS}
    kinds = {*meanings, "critical_difference", "ranks"}
    text = [GALLERY]
    for source in PICTURED:
        for name, figure in gallery(load_results([results / source]), frozenset(kinds)):
            kind = name.partition("-")[0]
            if kind in kinds:
                kinds.remove(kind)
                save(figure, folder / "gallery" / name)
                heading = kind.replace("_", " ").capitalize()
                text += [f"## {heading}\n", meanings.get(kind, ""), f"From `results/{source}`.\n"]
                text.append(f"![{heading}](gallery/{name}.svg)\n")
    (folder / "gallery.md").write_text("\n".join(text), encoding="utf-8")
    return folder


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links between ``docs/`` and the repository's root, and renders Markdown in ``<details>``."""
    if page.file.src_uri.startswith("results/"):
        markdown = markdown.replace("](../docs/", "](../")
    else:
        markdown = markdown.replace("](../", "](").replace("](docs/", "](")
    return markdown.replace("<details>", "<details markdown>")


class ExampleSections(griffe.Extension):
    """Lets the docstring section ``Example:`` be read as ``Examples:``, which Griffe renders as a doctest."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Renames the section."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
