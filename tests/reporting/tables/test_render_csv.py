"""The comparison as CSV."""

import csv as standard
import io
import json

import pandas as pd
from support.result_files import ORACLE, scored, write

from clbench.reporting.load import load_results
from clbench.reporting.measures import CLASSES, MEASURES, of_task
from clbench.reporting.tables.comparison import comparison_table
from clbench.reporting.tables.render import csv
from clbench.reporting.tables.render_csv import as_csv
from clbench.reporting.tables.summary import summary_tables


def read(text):
    return list(standard.DictReader(io.StringIO(text)))


def test_csv_reads_back_unrounded(frame):
    rows, table = read(csv(frame)), comparison_table(frame)
    assert [row["method"] for row in rows] == list(table["method"])
    ends = ("", "_low", "_high", "_sd", "_n")
    for name in (f"{measure.name}{end}" for measure in of_task(MEASURES, CLASSES) for end in ends):
        values = pd.Series([float(row[name] or "nan") for row in rows], name=name)
        pd.testing.assert_series_equal(values, table[name].astype(float), check_exact=True)
    assert [row["average_accuracy_mark"] for row in rows] == list(table["average_accuracy_mark"])
    assert [row["runs"] for row in rows] == list(map(str, table["runs"]))
    assert rows[1]["notes"] == "sees-future"
    assert [rows[1][key] for key in ("method", "name")] == [ORACLE, "DKVB (oracle keys)"]


def test_each_row_names_its_files(frame, tmp_path):
    rows = {(row["scenario"], row["method"]): row for row in read(csv(frame, relative_to=tmp_path / "out"))}
    folder = f"../runs/alpha/tiny/{ORACLE}"
    assert rows["alpha", ORACLE]["files"] == f"{folder}/order0-seed0.json;{folder}/order0-seed1.json"
    for file in rows["alpha", ORACLE]["files"].split(";"):
        assert (tmp_path / file.removeprefix("../")).exists()
    assert rows["beta", "ewc-frozen"]["files"].count("json") == 1


def test_chosen_columns_are_the_only_ones(frame):
    header = list(read(csv(frame, ["forgetting"]))[0])
    assert [name for name in header if "forgetting" in name] == [
        "forgetting", "forgetting_low", "forgetting_high", "forgetting_sd", "forgetting_n",
        "forgetting_mark", "forgetting_p",
    ]  # fmt: skip
    assert not any("accuracy" in name for name in header)


def test_summaries_of_encoders_with_other_scenarios_share_a_file(tmp_path):
    runs = [("alpha", "tiny"), ("beta", "tiny"), ("beta", "large"), ("gamma", "large")]
    for scenario, encoder in runs:
        for content in scored(scenario, "mine", [0.5, 0.7], encoder=encoder):
            write(tmp_path, content)
    frame = load_results([tmp_path])
    rows = read(as_csv(summary_tables(frame, comparison_table(frame))))
    assert [(row["encoder"], row["alpha"], row["rank"]) for row in rows] == [
        ("large", "", "1.0"),
        ("tiny", "0.6", "1.0"),
    ]
    assert list(rows[0])[-1] == "files"


def test_what_a_spreadsheet_would_run_is_text_in_every_cell_and_numbers_stay_numbers(tmp_path):
    for scenario in ("=1+1", "beta"):
        for method, score in (("@SUM(A1)", 0.5), ("-2", 0.25), (" =cmd", 0.5), ("-1+2", 0.5)):
            for content in scored(scenario, method, [score, score + 0.1]):
                content["metrics"]["bwt"] = -0.5
                path = (
                    tmp_path
                    / scenario
                    / f"{method.encode().hex()}"
                    / f"order0-seed{content['config']['seed']}.json"
                )
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(content))
    frame = load_results([tmp_path])
    for text in (csv(frame), as_csv(summary_tables(frame, comparison_table(frame)))):
        cells = {cell for row in standard.reader(io.StringIO(text)) for cell in row}
        assert "-2" in cells
        assert "'@SUM(A1)" in cells
        formulas = {cell for cell in cells if cell.strip().startswith(("=", "+", "-", "@"))}
        assert all(float(cell) < 0 for cell in formulas)
    assert "-0.5" in {row["bwt"] for row in read(csv(frame))}
