"""What a program may use, and what became of it."""

from dataclasses import dataclass, fields

from fggm_lab.errors import SettingError

MIB = 1 << 20

_WALL_FACTOR = 12
"""The clock's limit over that of CPU time: for a machine that has 12 programs to each core."""


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: of CPU time, of the program and its children together, so that a verdict does not
            depend on what else the machine does.
        wall_seconds: of the clock, until the program and all its children are killed, for one that
            sleeps or waits. None: 12 times `seconds`.
        memory: bytes of all its processes and of its working folder together (an interpreter
            itself takes about 20 MiB).
        processes: how many there may be at once, threads included, the program itself counted.
        open_files: for each process.
        file_size: bytes in one file.
        disk: bytes in the working folder, where it is a file system of its own.
        output: bytes of standard output and error together.
        children: whether it may start processes, not only threads; each then gets an equal share
            of the memory, so that the sum holds.

    Raises:
        SettingError: one of them is not above 0, or `disk` leaves nothing of the memory.
    """

    seconds: float = 5.0
    memory: int = 512 * MIB
    processes: int = 8
    open_files: int = 64
    file_size: int = 16 * MIB
    disk: int = 32 * MIB
    output: int = 64 * 1024
    wall_seconds: float | None = None
    children: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not isinstance(value, bool) and not value > 0:
                raise SettingError(f"limit {field.name} is {value}; it must be above 0")
        if self.disk >= self.memory:
            raise SettingError(
                f"limit disk is {self.disk} and memory {self.memory}; the working folder lies in "
                "memory, so disk must be below memory"
            )

    @property
    def clock(self) -> float:
        """Seconds of the clock until a program is killed."""
        return _WALL_FACTOR * self.seconds if self.wall_seconds is None else self.wall_seconds

    @property
    def address_space(self) -> int:
        """Bytes of address space of each process, with the working folder `memory` in sum."""
        return (self.memory - self.disk) // (self.processes if self.children else 1)


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    Attributes:
        passed: whether it came to its end with every test true.
        reason: `passed`; `wrong answer` (an assertion was false), `syntax error`,
            `exception NAME`, `timeout`, `memory`, `too many processes`, `too many open files`,
            `file too large`, `disk full`, `no network`, `too much output`, `early exit`,
            `folder deleted`, `killed`.
        detail: the exception's message and line, a signal's name, of a timeout which limit was
            reached (CPU time or the clock); may be empty.
        seconds: how long it ran, by the clock.
        output: what it printed, cut to the limit.
    """

    passed: bool
    reason: str
    detail: str
    seconds: float
    output: str
