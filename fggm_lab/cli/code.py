"""What the command line says about code tasks: how they are scored, and what shuts programs in."""

from typing import TYPE_CHECKING

from fggm_lab.cli.console import console

if TYPE_CHECKING:  # the tasks' own imports would slow every command's start
    from fggm_lab.tasks import TaskSequence


def tell_about_code(tasks: "TaskSequence", allowed: bool) -> None:
    """One line where `tasks` has code tasks: how they are scored; where programs run, more.

    Args:
        allowed: whether programs may be run.
    """
    from fggm_lab.tasks import PASS_AT_1
    from fggm_lab.tasks.code import isolation

    names = [task.name for task in tasks if task.metric == PASS_AT_1]
    if not names:
        return
    if not allowed:
        console.print(
            f"{', '.join(names)}: scored by exact match of the text; --allow-code-execution runs "
            "the programs with their tests instead",
            highlight=False,
        )
        return
    console.print(f"{', '.join(names)}: scored by running programs", highlight=False)
    for line in isolation().lines():
        console.print(f"  {line}", highlight=False)
