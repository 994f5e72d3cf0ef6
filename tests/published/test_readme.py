"""README.md and the documentation say what is so: tables are up to date, commands, files and names work."""

import ast
import functools
import importlib
import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
from support.committed_reports import ROOT, pages, with_methods

import clbench
from clbench.cli import COMMANDS, main
from clbench.core.errors import UserError
from clbench.data.scenarios import SCENARIOS, find_scenario
from clbench.engine.build import prepare
from clbench.engine.parser import parse_run, run_config
from clbench.engine.registry import baseline_names
from clbench.models.declared import ENCODERS
from clbench.reporting.publish.readme import filled
from clbench.studies.experiment import experiment_files, find_experiment
from clbench.testing.streams import SCENARIOS as SMALL
from clbench.testing.streams import write_texts

DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in pages()}
PAGES["CONTRIBUTING.md"] = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text: str) -> set[str]:
    """The lines of ``clbench`` in code blocks without a language, and those in inline code."""
    blocks = "\n".join(FENCE.findall(text))
    return set(re.findall(r"^clbench .*$", blocks, re.MULTILINE)) | set(
        re.findall(r"`(clbench [^`\n]+)`", text)
    )


LINES = [(page, line) for page, text in PAGES.items() for line in sorted(commands(text))]
NAMED = re.compile(r"```\w+\n(# ([\w.]+)\n.*?)```", re.DOTALL)


def write_files(page: str, folder: Path) -> None:
    """Writes the code blocks of a page whose first line is a file name, and what else its commands name."""
    for content, name in NAMED.findall(PAGES[page]):
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "FILE").write_text("scenario: pydocs-cil\nbaseline: finetune\n")
    (folder / "tickets").mkdir()
    for split in ("train", "test"):
        lines = [{"body": f"a text about {queue}", "queue": queue} for queue in "abcd" for _ in range(3)]
        (folder / "tickets" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != "CONTRIBUTING.md"]
)  # it shows an empty block
def test_the_tables_are_those_of_the_committed_reports(page):
    folder = (ROOT / page).parent
    assert filled(PAGES[page], folder) == PAGES[page], "make results brings them up to date"


def test_the_table_of_methods_is_that_of_their_declarations():
    page = PAGES["docs/methods.md"]
    assert page.count("<!-- methods -->") == 1
    assert with_methods(page) == page, "make results brings it up to date"


def test_a_block_is_filled_with_its_section_alone(tmp_path):
    (tmp_path / "t.md").write_text("# All\n\n## One\n\nfirst\n\n## Two words\n\nsecond\n")
    text = "a\n<!-- table t.md: Two -->\nold\n<!-- end -->\nb\n"
    done = "a\n<!-- table t.md: Two -->\n\n**Two words**\n\nsecond\n\n<!-- end -->\nb\n"
    assert filled(text, tmp_path) == done
    assert filled(done, tmp_path) == done
    with pytest.raises(UserError, match="no section 'Three'"):
        filled(text.replace("Two", "Three"), tmp_path)


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_pages_count_the_methods():
    counts = {
        (page, number)
        for page, text in PAGES.items()
        for number in re.findall(r"(\d+) (?:implemented methods|methods behind one interface)", text)
    }
    assert counts == {(page, str(len(baseline_names()))) for page in ("README.md", "docs/index.md")}


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)", PAGES[page]):
        if "://" not in link:
            # In the site, files of the repository's root lie beside the pages.
            assert any((folder / link).exists() for folder in ((ROOT / page).parent, DOCS)), link


@pytest.mark.parametrize(("page", "line"), LINES)
def test_every_command_shown_is_accepted(page, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_files(page, tmp_path)
    command, *words = shlex.split(line, comments=True)[1:]
    if command == "--help":
        assert main([command]) == 0
        return
    assert command in COMMANDS
    if "--baseline.help" in words:
        with pytest.raises(SystemExit, match="0"):
            parse_run(words)
        return
    if command in ("run", "tune") and words and words != ["--help"]:
        parse_run(words)
        return
    if command == "reproduce":
        for name in itertools.takewhile(lambda word: not word.startswith("--"), words):
            experiment = find_experiment(name)
            first = next(iter(experiment.profiles))
            profile = words[words.index("--profile") + 1] if "--profile" in words else first
            assert experiment.runs(profile, tmp_path, None)
    action = words[:1] if command == "wandb" else []
    with pytest.raises(SystemExit) as ended:
        main([command, *action, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out.replace("-", "_")
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert all(option.replace("-", "_") in shown for option in options)


@pytest.mark.parametrize("page", ["README.md", "docs/add-a-scenario.md"])
def test_the_scenario_shown_is_read(page, tmp_path):
    write_files(page, tmp_path)
    scenario = find_scenario(str(tmp_path / "tickets.yaml"))
    assert [part.labels for part in scenario.parts] == [("a", "b"), ("c", "d")]
    assert not scenario.task_aware


@pytest.fixture
def shown_method(tmp_path, monkeypatch):
    """The folder of the method that the documentation shows, on the import path."""
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    write_files("docs/add-a-method.md", tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["class", "domain", "task"])
def test_the_method_shown_keeps_the_contract_by_the_test_shown(kind, shown_method):
    module = importlib.import_module("test_my_method")
    work = shown_method / "work"
    work.mkdir()
    module.test_contract(kind, work)


def test_the_method_shown_has_the_name_and_the_bytes_that_the_page_says(shown_method):
    write_texts(shown_method / "data")
    options = {
        "scenario": "class",
        "encoder": "tiny",
        "tuning": "frozen",
        "data_dir": str(shown_method / "data"),
    }
    own = {"baseline": "my_method.WeightInterpolation", "arguments": {"share": 0.7}}
    run = prepare(run_config({**options, **own}), scenario=SMALL["class"])
    naive = prepare(run_config({**options, "baseline": "finetune"}), scenario=SMALL["class"])
    name = run.result.config["method"]
    assert name == "weightinterpolation-frozen-share=0.7"
    assert f"`{name}`" in PAGES["docs/add-a-method.md"]
    assert run.learner.carried_bytes()["total"] == 2 * naive.learner.carried_bytes()["total"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("docs/methods.md", baseline_names()),
        ("docs/scenarios-and-data.md", SCENARIOS),
        ("docs/encoders.md", ENCODERS),
        ("docs/experiments-and-profiles.md", experiment_files()),
    ],
)
def test_the_lists_of_the_guide_are_complete(page, names):
    assert all(f"`{name}`" in PAGES[page] for name in names)


@pytest.mark.parametrize("page", PAGES)
def test_every_name_of_clbench_in_python_code_exists(page):
    for block in re.findall(r"```python\n(.*?)```", PAGES[page], re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if re.fullmatch(r"clbench(\.\w+)+", name):
                functools.reduce(getattr, name.split(".")[1:], clbench)


@pytest.mark.parametrize("name", experiment_files())
def test_every_experiment_has_runs_in_every_profile(name):
    experiment = find_experiment(name)
    for profile in experiment.profiles:
        assert experiment.runs(profile, Path("runs"), None)
