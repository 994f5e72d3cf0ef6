"""``clbench wandb``: send finished results to Weights & Biases, and build the dashboards that show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from clbench.core.arguments import DOCUMENTATION, Parser, word
from clbench.core.config import RunConfig
from clbench.core.errors import UserError, unknown
from clbench.core.io import check_file, write_json
from clbench.core.ranges import Label, Place
from clbench.tracking.session import login_problem, one_line


def main(arguments: Sequence[str]) -> int:
    """Runs one action; 1 if a result was not sent."""
    words = list(arguments)
    if not words or words[0] in ("-h", "--help"):
        print("usage: clbench wandb push|dashboard [options]\n")
        for name, (_, summary) in ACTIONS.items():
            print(f"  {name:<12}{summary}")
        print(f"\n'clbench wandb ACTION --help' shows the options of an action.\n\n{DOCUMENTATION}")
        return 0
    if words[0] not in ACTIONS:
        raise unknown("action of clbench wandb", words[0], ACTIONS)
    return ACTIONS[words[0]][0](words[1:])


def _parser(name: str) -> Parser:
    summary = ACTIONS[name][1]
    parser = Parser(f"wandb {name}", f"{summary.capitalize()}.", f"clbench wandb {name} runs --dry-run")
    parser.add_results()
    project, text = RunConfig.wandb_project, "W&B project of the runs"
    parser.add_argument("--project", type=word(Label), default=project, help=text)
    text = "user or team of the project; without it, your default entity"
    parser.add_argument("--entity", type=word(Label), help=text)
    parser.add_argument("--dry-run", action="store_true", help="only print what would be sent")
    return parser


def _push(words: Sequence[str]) -> int:
    parser = _parser("push")
    text = "W&B group; without it, the experiment of a run, or its scenario"
    parser.add_argument("--group", type=word(Label), help=text)
    parser.add_argument(
        "--mode",
        choices=("online", "offline"),
        default="online",
        help="offline writes files that 'wandb sync' sends later",
    )
    options = parser.read(words)
    from clbench.reporting.load import load_results  # pandas takes a second
    from clbench.tracking.push import push

    files = [Path(each) for each in load_results(options.results, strict=options.strict)["path"]]
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
    text = "write the specification of the dashboards here"
    parser.add_argument("--json", type=word(Place), metavar="FILE", help=text)
    options = parser.read(words)
    if options.json is not None:
        check_file(options.json, "option --json")
    from clbench.reporting.load import load_results
    from clbench.tracking import dashboard

    scenarios = sorted(set(load_results(options.results, strict=options.strict)["scenario"]))

    entity = options.entity or ""
    if not options.dry_run:
        _need_login("'--dry-run --json FILE' builds the dashboards without")
        entity = entity or _default_entity()
    view = dashboard.workspace(options.project, entity)
    chapters = dashboard.report(options.project, entity, scenarios)
    if options.json is not None:
        built = {"workspace": dashboard.specification(view), "report": dashboard.specification(chapters)}
        write_json(options.json, built)
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
