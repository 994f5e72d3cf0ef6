"""The documentation site, built as ``make docs`` builds it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.committed_reports import ROOT

pytest.importorskip("mkdocs", reason="needs mkdocs: pip install '.[docs]'")
pytest.importorskip("material", reason="needs mkdocs-material: pip install '.[docs]'")
pytestmark = pytest.mark.slow


def test_the_site_has_all_committed_runs_and_each_kind_of_figure_once(tmp_path):
    line = [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(tmp_path)]
    made = subprocess.run(
        line, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    check_browser(tmp_path)
    check_gallery(tmp_path)


def check_browser(site: Path) -> None:
    overview = (site / "browse/index.html").read_text(encoding="utf-8")
    assert "<h2>Findings</h2>" in overview
    assert (site / "browse/static/charts.js").exists()
    pages = list((site / "browse/runs").glob("*.html"))
    assert len(pages) == len(list((ROOT / "results/small").rglob("order*-seed*.json*"))) > 100
    home = (site / "index.html").read_text(encoding="utf-8")
    assert re.search(r'href="browse/"', home)


def check_gallery(site: Path) -> None:
    page = (site / "gallery/index.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img[^>]* src="\.\./gallery/([^"]+\.svg)"|<img[^>]* src="([^"/]+\.svg)"', page)
    names = ["".join(each) for each in shown]
    kinds = [name.partition("-")[0].removesuffix(".svg") for name in names]
    assert len(set(kinds)) == len(kinds)
    assert {
        "stream_accuracy",
        "forgetting",
        "accuracy_cost",
        "accuracy_matrix",
        "critical_difference",
    } <= set(kinds)
    assert all((site / "gallery" / name).exists() for name in names)
