"""The documentation site, built as ``make docs`` builds it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.committed_reports import ROOT

from clbench.reporting.figures.gallery import PLOTS

pytest.importorskip("mkdocs", reason="needs mkdocs: pip install '.[docs]'")
pytest.importorskip("material", reason="needs mkdocs-material: pip install '.[docs]'")
pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site: built here, or the one just built where the environment variable ``SITE`` says so."""
    if built := os.environ.get("SITE"):
        return ROOT / built
    line = [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(tmp_path)]
    made = subprocess.run(
        line, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return tmp_path


def test_the_site_has_the_runs_at_full_size_and_each_kind_of_figure_once(site):
    check_browser(site)
    check_gallery(site)


def check_browser(site: Path) -> None:
    overview = (site / "browse/index.html").read_text(encoding="utf-8")
    assert "<h2>Findings</h2>" in overview
    assert (site / "browse/static/charts.js").exists()
    pages = list((site / "browse/runs").glob("*.html"))
    assert len(pages) == len(list((ROOT / "results/full").rglob("order*-seed*.json*"))) > 100
    home = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="browse/"', home)


def check_gallery(site: Path) -> None:
    page = (site / "gallery/index.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img[^>]* src="\.\./gallery/([^"]+\.svg)"|<img[^>]* src="([^"/]+\.svg)"', page)
    names = ["".join(each) for each in shown]
    kinds = [name.partition("-")[0].removesuffix(".svg") for name in names]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == {*(plot.name for plot in PLOTS), "critical_difference", "ranks"}
    assert all((site / "gallery" / name).exists() for name in names)
