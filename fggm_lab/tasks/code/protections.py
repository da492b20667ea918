"""Which protections are in force when a program runs on this machine, and how to say so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Isolation:
    """What keeps a program in, on this system; each a fact that was tried, not assumed.

    Attributes:
        plan: `namespaces` (own root, network, process numbers), `user` (another user's rights
            only, where the lab runs as root), `plain` (limits and killing only; never as root).
        no_network: whether it has no network.
        own_files: whether it sees only the interpreter and the system's libraries, read-only, and
            its own folder, and can write nowhere else.
        own_processes: whether it cannot see or signal any process but its own.
        process_limit: whether the number of its processes is bounded.
        kills_all: whether every child is killed with it, however it hides.
        filtered_calls: whether the kernel refuses it sockets, memory files, io_uring, namespaces,
            debugging and signals to others (a seccomp filter).
        memory_in_sum: whether its processes and its files together stay within the limit on memory.
    """

    plan: str
    no_network: bool
    own_files: bool
    own_processes: bool
    process_limit: bool
    kills_all: bool
    filtered_calls: bool
    memory_in_sum: bool

    def _facts(self) -> tuple[tuple[bool, str, str, str], ...]:
        """(whether it holds, its name, the sentence where it holds, the one where it does not)."""
        return (
            (
                True,
                "time, memory, open files and file size are limited",
                "time, memory, open files and file size are limited, in a process of its own",
                "",
            ),
            (self.no_network, "no network", "no network", "the network is within reach"),
            (
                self.own_files,
                "own files only",
                "files: only its own folder is writable, yours are not visible",
                "files: it may read and write whatever the user it runs as may",
            ),
            (
                self.own_processes,
                "own processes only",
                "processes: it sees none but its own",
                "processes: it sees those of the system",
            ),
            (
                self.process_limit,
                "limited number of processes",
                "the number of its processes is limited",
                "the number of its processes is not limited",
            ),
            (
                self.kills_all,
                "children killed with it",
                "all its children are killed with it",
                "a child that leaves its process group may survive it",
            ),
            (
                self.filtered_calls,
                "filtered system calls",
                "system calls: no sockets, memory files, io_uring, namespaces or debugging",
                "system calls: all that the user it runs as may make",
            ),
            (
                self.memory_in_sum,
                "memory limited in sum",
                "memory: the limit holds for its processes and files together",
                "memory: the limit holds for each process, not for the sum and not for files",
            ),
        )

    def lines(self) -> list[str]:
        """One sentence for each protection, in force or not."""
        return [
            sentence if holds else f"not in force: {lack}"
            for holds, _, sentence, lack in self._facts()
        ]

    def summary(self) -> str:
        """All of them in one line: what is in force, what is not."""
        held = [name for holds, name, _, _ in self._facts() if holds]
        lacking = [name for holds, name, _, _ in self._facts() if not holds]
        return f"in force: {', '.join(held)}; not in force: {', '.join(lacking) or 'nothing'}"
