"""What the README and the pages tell people to type exists, with the options they name."""

import ast
import importlib
import inspect
import re
import shlex
from typing import Any

import pytest
from typer.main import get_command

import fggm_lab as lab
from fggm_lab.cli import app
from tests.support.pages import ROOT, Block, blocks, inline

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
SHELL = ("", "bash", "sh", "console")


def typed(name: str) -> list[tuple[str, str]]:
    """Every command line that begins with a program's name, inside a block: (page, arguments)."""
    pieces = []
    for block in blocks(*SHELL):
        for line in block.code.replace("\\\n", " ").split("\n"):
            if match := re.match(rf"(?:\$ )?(?:\w+=\S+ )*{name} (.*)", line.strip()):
                pieces.append((block.page, match[1]))
    return pieces


@pytest.mark.parametrize(("page", "line"), typed("fggm-lab"))
def test_a_command_line_is_understood(page: str, line: str) -> None:
    line = re.sub(r"\$\(.*?\)|\$seed", "1", line)  # what a shell would put there
    words = shlex.split(line, comments=True)
    COMMANDS[words[0]].make_context(words[0], words[1:])  # raises what a user would be told


def test_commands_in_prose_exist_and_have_the_options_named() -> None:
    quoted = [(page, code.split()) for page, code in inline() if code.startswith("fggm-lab ")]
    assert len(quoted) > 3
    for page, (_, name, *words) in quoted:
        assert name in COMMANDS, f"{page}: there is no fggm-lab {name}"
        options = {
            option
            for param in COMMANDS[name].params
            for option in [*param.opts, *param.secondary_opts]
        }
        unknown = {word for word in words if word.startswith("--")} - options
        assert not unknown, f"{page}: fggm-lab {name} has no {unknown}"


def test_options_in_prose_belong_to_some_command() -> None:
    options = {
        option
        for command in COMMANDS.values()
        for param in command.params
        for option in [*param.opts, *param.secondary_opts]
    }
    pages = {"README.md", "docs/howto/researcher.md", "docs/howto/teacher.md"}
    named = [code.split()[0] for page, code in inline() if page in pages and code.startswith("--")]
    assert named and set(named) <= options | {"--help"}


def test_every_make_target_exists() -> None:
    defined = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    quoted = [code.split()[1] for _, code in inline() if re.match(r"make [a-z]+$", code)]
    quoted += [line.split()[0] for _, line in typed("make")]
    assert {"demo", "test", "lab", "docs", "pictures"} <= set(quoted) <= defined


PYTHON = blocks("python")


def dotted(node: ast.expr) -> list[str]:
    """`a.b.c` as a list; empty if it is not that."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return [*head, node.attr]
    return []


def public(names: list[str]) -> Any:
    """What `lab.a.b` is; raises AttributeError if there is none."""
    value: Any = lab
    for name in names[1:]:
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("block", PYTHON, ids=[f"{b.page}-{i}" for i, b in enumerate(PYTHON)])
def test_python_compiles_and_names_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fggm_lab"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"
        if isinstance(node, ast.Attribute) and dotted(node)[:1] == ["lab"]:
            public(dotted(node))
        if isinstance(node, ast.Call) and dotted(node.func)[:1] == ["lab"]:
            takes = inspect.signature(public(dotted(node.func))).parameters
            if not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
                arguments = {keyword.arg for keyword in node.keywords if keyword.arg}
                assert arguments <= takes.keys(), (
                    f"{ast.unparse(node.func)} takes no {arguments - {*takes}}"
                )


def test_names_in_prose_exist() -> None:
    for page, code in inline():
        if match := re.match(r"lab(\.\w+)+", code):
            try:
                public(match[0].split("."))
            except AttributeError:
                pytest.fail(f"{page}: there is no {match[0]}")
