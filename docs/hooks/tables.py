"""Tables made from the library's registries, and the command line's page from its commands.

A page asks for one with a line `<!-- table: methods -->`.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from rooms import about, path_of, sentence
from typer.main import get_command
from typing_extensions import NotRequired, Required, get_type_hints

import fggm_lab
from fggm_lab.cli import app
from fggm_lab.fisher import ESTIMATORS
from fggm_lab.methods import METHODS, Method
from fggm_lab.plots import FIGURES
from fggm_lab.project import requirements
from fggm_lab.runs import NUMBERS
from fggm_lab.runs.events import EVENT_TYPES, MeasuredGeneral, PassedTokens, TaskScores

_MARK = re.compile(r"^<!-- table: (\w+) -->$", re.M)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def methods() -> str:
    """Every method by the command line's name."""
    rows = (
        [f"`{n}`", f"`{m.__name__}`", sentence(m.__doc__ or ""), m.paper, _first_task(m), m.stores]
        for n, m in METHODS.items()
    )
    heads = ["name", "class", "what it does", "source"]
    return table([*heads, "masks the first task", "keeps from task to task"], rows)


def _first_task(method: type[Method]) -> str:
    """Whether a method masks the first task unless its `first_task` says otherwise."""
    if not method.masks:
        return "–"
    return "yes" if getattr(method, "first_task") else "no"  # noqa: B009  (no field of `Method`)


def estimators() -> str:
    """Every estimator of the Fisher."""
    rows = ([f"`{e.name}`", e.description] for e in ESTIMATORS.values())
    return table(["name", "which gradients are squared"], rows)


def figures() -> str:
    """Every figure of the registry."""
    rows = (
        [f"[`{name}`][{path_of('plots', name)}]", kind.heading, about("plots", name)]
        for name, kind in FIGURES.items()
    )
    return table(["drawn by", "figure", "what it shows"], rows)


def numbers() -> str:
    """Every number of a run: the columns of the tables."""
    rows = (
        [
            f"`{key}`",
            number.label,
            number.definition,
            number.unit,
            {"higher": "more", "lower": "less", None: "as of General"}[number.better],
            number.source or "–",
        ]
        for key, number in NUMBERS.items()
    )
    return table(["key", "column", "what it is", "unit", "better", "source"], rows)


def events() -> str:
    """Every kind of event of a run's log, with its fields."""
    kinds = {f"## {kind}": event for kind, event in EVENT_TYPES.items()}
    kinds |= {"### One task in `evaluation.tasks`": TaskScores}
    kinds |= {"### `evaluation.general`": MeasuredGeneral}
    kinds |= {"### One purpose in `task.tokens`": PassedTokens}
    return "\n\n".join(
        f"{heading}\n\n{sentence(event.__doc__ or '')}.\n\n{_fields(event)}"
        for heading, event in kinds.items()
    )


def _fields(event: Any) -> str:
    """The fields of one kind of event, in the order in which they are written."""
    hints = get_type_hints(event, include_extras=True)
    rows = []
    for name, hint in hints.items():
        optional = name in event.__optional_keys__
        while get_origin(hint) in (Required, NotRequired):
            hint = get_args(hint)[0]
        what = hint.__metadata__[0] if get_origin(hint) is Annotated else "the kind of the event"
        note = " (not in runs of every version)" if optional else ""
        rows.append([f"`{name}`", what + note])
    return table(["field", "what it holds"], rows)


def surface() -> str:
    """Every name of `fggm_lab`, with the room it comes from."""
    rows = []
    for name in fggm_lab.__all__:
        room = fggm_lab._HOMES.get(name)
        description = (
            sentence(getattr(fggm_lab, name).__doc__) if room is None else about(room, name)
        )
        rows.append([f"`lab.{name}`", f"[{room or name}]({room or name}.md)", description])
    return table(["name", "room", "what it is"], rows)


def commands() -> str:
    """The command line: every command with its arguments and options."""
    parts = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        parts += [f"## fggm-lab {name}", command.help, _options(command.shown().params)]
    return "\n\n".join(parts)


def _options(params: Iterable[Any]) -> str:
    rows = []
    for param in params:
        if getattr(param, "hidden", False):
            continue  # an option's former name
        option = param.param_type_name == "option"
        spelled = " / ".join(f"`{o}`" for o in [*param.opts, *param.secondary_opts])
        spelled = spelled if option else f"`{param.name.upper()}`"
        description = (param.help or "").replace("[default: ", "[").split(" [")
        default = "required" if param.required else _default(param.default)
        rows.append(
            [
                spelled,
                description[0],
                description[1].rstrip("]") if len(description) > 1 else default,
            ]
        )
    return table(["option", "what it sets", "default"], rows)


def _default(value: Any) -> str:
    if value is None or value is False or value == []:
        return "–"
    return "on" if value is True else f"`{value}`"


def families() -> str:
    """What `check_model` finds on a tiny model of each family, from `docs/families.json`."""
    path = Path(__file__).parents[1] / "families.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    heads: list[str] = []
    for family, check in record["families"].items():
        cells: dict[str, list[str]] = {}
        for finding in check["findings"]:
            cells.setdefault(finding["question"], []).append(_outcome(finding))
        heads = list(cells)
        rows.append([f"`{family}`", *("; ".join(parts) for parts in cells.values())])
    return f"{table(['family', *heads], rows)}\n\nWith transformers {record['transformers']}."


def versions() -> str:
    """What `make compat` tested the lab with, from `docs/compat.json`."""
    path = Path(__file__).parents[1] / "compat.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    parts = requirements()
    required = {name for part in parts.keys() - {"dev", "bench"} for name in parts[part]}
    rows = [["Python", *(tested["python"] for tested in report.values())]]
    for name in sorted(required):
        installed = [tested["versions"].get(name) for tested in report.values()]
        if all(installed):
            rows.append([name, *installed])
    for folder in next(iter(report.values()))["tests"]:
        outcomes = (tested["tests"][folder] for tested in report.values())
        cells = (f"{o['passed']} passed, {len(o['failed'])} failed" for o in outcomes)
        rows.append([f"`tests/{folder}`", *cells])
    return table(["", *report], rows)


def scaling() -> str:
    """What models of many sizes take, from `docs/scaling.json`."""
    path = Path(__file__).parents[1] / "scaling.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    columns = {
        "weights": "weights",
        "sft": "step, plain",
        "sft_checkpointing": "… with checkpointing",
        "fggm": "step, FGGM",
        "fggm_checkpointing": "… with checkpointing ",
        "fisher": "Fisher pass, 1 text",
    }
    rows = [
        [name, f"{cells['parameters'] / 1e9:.2f}", *(f"{cells[c] / 2**30:.1f}" for c in columns)]
        for name, cells in record["models"].items()
    ]
    heads = ["model", "parameters, 10⁹", *columns.values()]
    return (
        f"{table(heads, rows)}\n\nGiB in {record['dtype']}, weights included, for AdamW on a GPU: "
        f"{record['batch']} texts of {record['length']:,} tokens per step, {record['answer']} of "
        "them the answer; FGGM lets 30 % of the rows move."
    )


def _outcome(finding: dict[str, str]) -> str:
    """One finding in a cell."""
    outcome, count = finding["outcome"], finding["detail"].partition(":")[0]
    if outcome == "exact":
        return finding["detail"] if "by a rule" in finding["detail"] else "✓"
    if outcome in ("slow", "unused"):
        return f"{count} {outcome}"
    return "handled: own loss" if outcome == "handled" else f"**{outcome}**: {finding['detail']}"


TABLES: dict[str, Callable[[], str]] = {
    make.__name__: make
    for make in (
        methods,
        estimators,
        figures,
        numbers,
        events,
        surface,
        commands,
        families,
        versions,
        scaling,
    )
}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables in where a page asks for them."""
    return _MARK.sub(lambda mark: TABLES[mark[1]](), markdown)
