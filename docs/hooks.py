"""Hooks of the documentation site.

Files of the repository that lie outside of ``docs/`` join the site. Pages link to them by paths that work in
the repository, such as ``../results/README.md``; in the site these files lie beside the pages.
"""

import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "results/**/*.md", "results/**/*.svg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files of ``OUTSIDE``, each at its path in the repository."""
    root = Path(config.config_file_path).parent
    for pattern in OUTSIDE:
        for path in sorted(root.glob(pattern)):
            files.append(File.generated(config, path.relative_to(root).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites links between ``docs/`` and the repository's root, and renders Markdown in ``<details>``."""
    if not page.file.src_uri.startswith("results/"):
        markdown = markdown.replace("](../", "](").replace("](docs/", "](")
    return markdown.replace("<details>", "<details markdown>")


class ExampleSections(griffe.Extension):
    """Lets the docstring section ``Example:`` be read as ``Examples:``, which Griffe renders as a doctest."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Renames the section."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
