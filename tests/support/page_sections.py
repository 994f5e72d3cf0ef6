"""The text of the pages of the documentation."""

import re

from support.committed_reports import ROOT


def sentences(page: str, section: str) -> str:
    """The text of a section but for its tables."""
    content = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    text = content.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.sub(r"<!-- table .*?<!-- end -->", "", text, flags=re.DOTALL)
