"""``clbench wandb``: send finished results to Weights & Biases, and build the dashboards that show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from clbench.core.config import RunConfig
from clbench.core.errors import UserError, unknown
from clbench.core.io import write_json
from clbench.reporting.load import load_results
from clbench.tracking.push import push
from clbench.tracking.session import login_problem, one_line


def main(arguments: Sequence[str]) -> int:
    """Runs one action; 1 if a result was not sent."""
    words = list(arguments)
    if not words or words[0] in ("-h", "--help"):
        print("usage: clbench wandb push|dashboard [options]\n")
        for name, (_, summary) in ACTIONS.items():
            print(f"  {name:<12}{summary}")
        print("\nclbench wandb ACTION --help lists its options.")
        return 0
    if words[0] not in ACTIONS:
        raise unknown("action of clbench wandb", words[0], ACTIONS)
    return ACTIONS[words[0]][0](words[1:])


def _parser(name: str) -> ArgumentParser:
    parser = ArgumentParser(prog=f"clbench wandb {name}", description=ACTIONS[name][1].capitalize() + ".")
    parser.add_argument("results", nargs="*", type=str, default=["runs"], help="result files or folders")
    parser.add_argument("--project", type=str, default=RunConfig.wandb_project, help="where runs are")
    parser.add_argument("--entity", type=str, default=None, help="whose project it is; default: your own")
    parser.add_argument("--dry_run", "--dry-run", action="store_true", help="say what would be sent")
    return parser


def _push(words: Sequence[str]) -> int:
    parser = _parser("push")
    parser.add_argument(
        "--group", type=str, default=None, help="default: the experiment of a run, or its scenario"
    )
    parser.add_argument(
        "--mode", type=str, default="online", help="online, or offline: files for 'wandb sync' to send later"
    )
    options = parser.parse_args(list(words))
    if options.mode not in ("online", "offline"):
        raise unknown("mode", options.mode, ("online", "offline"))
    files = [Path(each) for each in load_results(options.results)["path"]]
    if options.mode == "online" and not options.dry_run:
        _need_login("'--mode offline' writes files that 'wandb sync' sends later")
    sent = failed = skipped = 0
    for each in push(
        files,
        options.mode,
        project=options.project,
        entity=options.entity,
        group=options.group,
        dry=options.dry_run,
    ):
        failed, skipped = failed + bool(each.error), skipped + bool(each.skipped)
        sent += not (each.error or each.skipped)
        outcome = each.error or each.skipped or each.where or "to send"
        state = "failed " if each.error else "skipped " if each.skipped else ""
        print(f"{each.group}  {each.name}: {state}{outcome}", flush=True)
    what = "to send" if options.dry_run else "written" if options.mode == "offline" else "sent"
    print(f"{sent} {what}, {skipped} not finished, {failed} failed")
    return 1 if failed else 0


def _dashboard(words: Sequence[str]) -> int:
    parser = _parser("dashboard")
    parser.add_argument("--json", type=str, default=None, help="write what is built to this file")
    options = parser.parse_args(list(words))
    scenarios = sorted(set(load_results(options.results)["scenario"]))
    from clbench.tracking import dashboard

    entity = options.entity or ""
    if not options.dry_run:
        _need_login("'--dry-run --json FILE' builds the dashboards without")
        entity = entity or _default_entity()
    view = dashboard.workspace(options.project, entity)
    chapters = dashboard.report(options.project, entity, scenarios)
    if options.json is not None:
        built = {"workspace": dashboard.specification(view), "report": dashboard.specification(chapters)}
        write_json(Path(options.json), built)
        print(options.json)
    if options.dry_run:
        print(f"workspace with {len(view.sections)} sections, report on {', '.join(scenarios)}")
        return 0
    try:
        addresses = dashboard.save(view, chapters)
    except Exception as error:  # of the library, the network or the server
        raise UserError(f"the dashboards were not saved: {one_line(error)}") from error
    print("\n".join(addresses))
    return 0


def _need_login(instead: str) -> None:
    problem = login_problem()
    if problem is not None:
        raise UserError(f"Weights & Biases: {problem}; {instead}")


def _default_entity() -> str:
    import wandb

    try:
        return str(wandb.Api().default_entity or "")
    except Exception as error:  # of the library, the network or the server
        raise UserError(f"Weights & Biases: {one_line(error)}; name the entity with --entity") from error


ACTIONS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "push": (_push, "upload finished results"),
    "dashboard": (_dashboard, "build a workspace and a report that compare methods"),
}
