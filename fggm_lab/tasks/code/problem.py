"""A code problem: the beginning of a program, a right rest, and the tests of the whole."""

from dataclasses import dataclass

from fggm_lab.tasks.code.completion_end import cut_completion
from fggm_lab.tasks.task import Example


@dataclass(frozen=True, slots=True)
class CodeProblem:
    """One problem of a code benchmark or a code task.

    Attributes:
        name: its id in the benchmark.
        prompt: what the model reads, and the program's beginning; always valid Python so far.
        solution: a right continuation, the benchmark's own.
        test: statements that raise unless the program is right.
        entry_point: the function the tests call; empty where the benchmark names none.
    """

    name: str
    prompt: str
    solution: str
    test: str
    entry_point: str = ""

    def program(self, completion: str) -> str:
        """The whole text to run: prompt, completion, tests."""
        return program_text(self.prompt, completion, self.test)

    def cut(self, completion: str) -> str:
        """The part of a completion that answers this problem (`cut_completion`)."""
        return cut_completion(self.prompt, completion)

    def example(self) -> Example:
        """The problem as an example to train on."""
        return Example(self.prompt, self.solution, self.test)


def program_text(prompt: str, completion: str, test: str) -> str:
    """Prompt, completion and tests as one program."""
    return f"{prompt}{completion}\n\n{test}\n"
