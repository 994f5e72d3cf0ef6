"""The comparison as a fragment of a page."""

from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from support.result_files import HOSTILE, close, scored, write, write_all

from clbench.reporting.load import load_results
from clbench.reporting.tables.render import html


class Reader(HTMLParser):
    """Reads rows of cells, as (attributes, text, tags within), and checks that all tags are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.titles, self.links, self.seen = [], [], [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.add(tag)
        if tag == "table":
            self.tables.append([])
            self.titles.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            self.titles[-1].append(dict(attributes).get("title"))
        elif tag in ("td", "th"):
            self.tables[-1][-1].append([dict(attributes), "", set()])
        elif tag == "a":
            self.links.append(dict(attributes)["href"])
        if {"td", "th"} & set(self.open[:-1]):
            self.tables[-1][-1][-1][2].add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open) and "ul" not in self.open:
            self.tables[-1][-1][-1][1] += data


def row(table, name):
    (found,) = (cells for cells in table if cells[0][1].startswith(name))
    return found


def test_cells_carry_numbers_and_files(frame, tmp_path):
    page = Reader(html(frame, relative_to=tmp_path / "out"))
    assert len(page.tables) == 3
    names = [attributes.get("data-name") for attributes, _, _ in page.tables[0][0]]
    cells = row(page.tables[0], "EWC")
    attributes, text, _ = cells[names.index("average_accuracy")]
    assert text == "65.0"  # two runs have no interval
    assert float(attributes["data-value"]) == pytest.approx(0.65)
    assert "data-low" not in attributes
    assert attributes["data-n"] == "2"
    assert "title" not in attributes  # its row has it
    assert page.titles[0][page.tables[0].index(cells)] == (
        "../runs/alpha/tiny/ewc-frozen/order0-seed0.json; ../runs/alpha/tiny/ewc-frozen/order0-seed1.json"
    )
    assert (tmp_path / unquote(page.links[0]).removeprefix("../")).exists()
    assert cells[1][1] == "2"


def test_the_best_and_the_close_are_told_apart_without_color(frame, tmp_path):
    page = Reader(html(frame))
    names = [attributes.get("data-name") for attributes, _, _ in page.tables[0][0]]
    assert row(page.tables[0], "DKVB (oracle keys)")[names.index("average_accuracy")][2] == {"strong"}
    assert row(page.tables[0], "Fine-tuning")[names.index("average_accuracy")][2] == set()
    near = html(close(tmp_path / "close"))
    attributes, text, tags = row(Reader(near).tables[0], "near")[names.index("average_accuracy")]
    assert (text, tags) == ("82.3 [80.0, 85.0]", {"u"})
    assert [float(attributes[f"data-{end}"]) for end in ("low", "high")] == pytest.approx([0.8, 0.85])
    assert "Underlined: not significantly worse" in near


def test_a_cell_over_fewer_runs_names_only_these(tmp_path):
    runs = scored("alpha", "mine", [0.5, 0.6])
    runs[1]["metrics"]["forgetting"] = None
    for content in runs:
        write(tmp_path, content)
    page = Reader(html(load_results([tmp_path]), ["forgetting"], relative_to=tmp_path))
    attributes, text, _ = row(page.tables[0], "mine")[2]
    assert text == "30.0 (n = 1)"
    assert attributes["title"] == "alpha/tiny/mine/order0-seed0.json"
    assert attributes["data-n"] == "1"


def test_text_from_files_is_only_text(tmp_path):
    name = '"><script>alert(1)</script>'
    for content in scored("alpha", name, [0.5], title=name, encoder="tiny", notes=[f"differs: {name}", name]):
        write(tmp_path / 'a" onclick="b' / "javascript:alert(1)", content)
    write_all(tmp_path / "runs")
    page = Reader(html(load_results([tmp_path]), relative_to=tmp_path))
    permitted = {"section", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "a", "u"}
    assert page.seen <= permitted | {"strong", "details", "summary", "dl", "dt", "dd"}
    for attributes, _, _ in (cell for table in page.tables for cells in table for cell in cells):
        assert not any(key.startswith("on") for key in attributes)
    assert not any(link.startswith("javascript:") for link in page.links)
    assert any(HOSTILE in cells[0][1] for cells in page.tables[0])


def test_missing_cells_are_cells(tmp_path):
    for content in [*scored("alpha", "a", [0.5]), *scored("beta", "b", [0.5])]:
        write(tmp_path, content)
    page = Reader(html(load_results([tmp_path])))
    cells = row(page.tables[0], "b")
    assert {text for _, text, _ in cells[2:]} == {"missing"}
    assert not any("data-value" in attributes for attributes, _, _ in cells[2:])
