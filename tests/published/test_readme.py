"""README.md says what is so: its tables are those of the committed reports, its commands are accepted."""

import re
import shlex
from pathlib import Path

import pytest

from clbench.cli import COMMANDS, main
from clbench.core.errors import UserError
from clbench.engine.parser import parse_run
from clbench.reporting.publish.readme import filled
from clbench.studies.experiment import experiment_files, find_experiment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = sorted(
    set(re.findall(r"^clbench .*$", README, re.MULTILINE)) | set(re.findall(r"`(clbench [^`]+)`", README))
)


def test_the_tables_are_those_of_the_committed_reports():
    assert filled(README, ROOT) == README, "clbench report --readme README.md brings them up to date"


def test_a_block_is_filled_with_its_section_alone(tmp_path):
    (tmp_path / "t.md").write_text("# All\n\n## One\n\nfirst\n\n## Two words\n\nsecond\n")
    text = "a\n<!-- table t.md: Two -->\nold\n<!-- end -->\nb\n"
    done = "a\n<!-- table t.md: Two -->\n\n**Two words**\n\nsecond\n\n<!-- end -->\nb\n"
    assert filled(text, tmp_path) == done
    assert filled(done, tmp_path) == done
    with pytest.raises(UserError, match="no section 'Three'"):
        filled(text.replace("Two", "Three"), tmp_path)


@pytest.mark.parametrize("line", LINES)
def test_every_command_shown_is_accepted(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_method.py").write_text(re.search(r"```python\n(.*?)```", README, re.DOTALL)[1])
    (tmp_path / "tickets.yaml").write_text(re.search(r"```yaml\n(# tickets.*?)```", README, re.DOTALL)[1])
    (tmp_path / "FILE").write_text("scenario: pydocs-cil\nbaseline: finetune\n")
    command, *words = shlex.split(line, comments=True)[1:]
    assert command in COMMANDS
    if command in ("run", "tune") and words:
        parse_run(words)
    elif command == "reproduce":
        names = [word for word in words if word in experiment_files()]
        for name in names:
            experiment = find_experiment(name)
            profile = (
                words[words.index("--profile") + 1]
                if "--profile" in words
                else next(iter(experiment.profiles))
            )
            assert experiment.runs(profile, tmp_path, None)
    action = words[:1] if command == "wandb" else []
    with pytest.raises(SystemExit) as ended:
        main([command, *action, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out.replace("-", "_")
    if command == "tune":
        return  # its help sends to that of run for these
    options = [word.partition("=")[0] for word in words if word.startswith("--") and "." not in word]
    assert all(option.replace("-", "_") in shown for option in options)


@pytest.mark.parametrize("name", experiment_files())
def test_every_experiment_has_runs_in_every_profile(name):
    experiment = find_experiment(name)
    for profile in experiment.profiles:
        assert experiment.runs(profile, Path("runs"), None)
