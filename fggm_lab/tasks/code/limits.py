"""What a program may use, and what became of it."""

from dataclasses import dataclass, fields

from fggm_lab.errors import SettingError

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: of the clock, until the program and all its children are killed.
        memory: bytes of address space, for each process (an interpreter itself takes about 20 MiB).
        processes: how many there may be at once, threads included, the program itself counted.
        open_files: for each process.
        file_size: bytes in one file.
        disk: bytes in the working folder, where it is a file system of its own.
        output: bytes of standard output and error together.

    Raises:
        SettingError: one of them is not above 0.
    """

    seconds: float = 5.0
    memory: int = 512 * MIB
    processes: int = 8
    open_files: int = 64
    file_size: int = 16 * MIB
    disk: int = 32 * MIB
    output: int = 64 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise SettingError(f"limit {field.name} is {value}; it must be above 0")


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    Attributes:
        passed: whether it came to its end with every test true.
        reason: `passed`; `wrong answer` (an assertion was false), `syntax error`,
            `exception NAME`, `timeout`, `memory`, `too many processes`, `too many open files`,
            `file too large`, `disk full`, `no network`, `too much output`, `early exit`,
            `folder deleted`, `killed`.
        detail: the exception's message and line, a signal's name; may be empty.
        seconds: how long it ran.
        output: what it printed, cut to the limit.
    """

    passed: bool
    reason: str
    detail: str
    seconds: float
    output: str
