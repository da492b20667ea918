"""Faults at random for as long as one likes: kills, flipped bits, odd contents, hostile programs.

    python -m tests.faults.soak --minutes 30

Prints what was tried and how it went, and ends with status 1 if anything went wrong. The seed that
it prints repeats the choices.
"""

import argparse
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fggm_lab.methods import FGGM, make_method
from fggm_lab.runs import Run, verify
from fggm_lab.tasks.code import Limits, isolation, run_programs
from tests.faults.flips import READERS, count_flips
from tests.faults.kills import killed_run
from tests.faults.mutations import count_mutations
from tests.support.hostile import DECEITS, REACHING
from tests.support.resuming import assert_same_run
from tests.support.small import small_run, small_tasks


class Soak:
    """What the faults are tried on, and how it went.

    Attributes:
        tried: kind of fault → how often.
        held: kind of fault → how often it went as it should.
        failures: what went otherwise.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        """Train the runs that stay as they are.

        Args:
            folder: an empty one.
            rng: chooses.
        """
        self._folder, self._rng = folder, rng
        self._uninterrupted = small_run(FGGM(), folder / "whole")
        self._every_kind = small_run(
            make_method("replay+fggm"), folder / "kinds", tasks=small_tasks(2), epochs=1
        )
        self._events = len(self._uninterrupted.events())
        self.tried: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.failures: list[str] = []

    def _note(self, kind: str, tried: int, held: int, failure: str = "") -> None:
        self.tried[kind] += tried
        self.held[kind] += held
        if failure:
            self.failures.append(f"{kind}: {failure}")

    def kill(self) -> None:
        """Kill a training once or more, go on, and compare with the one that was left alone."""
        folder = self._folder / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        kills = self._rng.randint(1, 2)
        for _ in range(kills):
            lines = self._rng.randint(1, self._events)
            run = killed_run(folder, lines, self._rng.random() * 0.05)
            problems = verify(run).problems
            assert not problems, problems
            Run.open(folder).metrics()
        assert_same_run(self._uninterrupted, small_run(FGGM(), folder, resume=True))
        self._note("kills resumed", kills, kills)

    def flip(self) -> None:
        """Flip bits in files of one kind."""
        kind = self._rng.choice(list(READERS))
        counts = count_flips(self._every_kind, kind, 50, self._rng)
        failure = "; ".join(counts.unnoticed)
        self._note(f"flips in {kind}", counts.tried, counts.noticed + counts.harmless, failure)

    def mutate(self) -> None:
        """Put odd content into files of every kind."""
        folder = self._folder / "odd"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        seed = self._rng.randrange(2**32)
        answers, leaks = count_mutations(500, seed, folder)
        self._note("odd contents", 500, answers.total(), "".join(leaks))

    def hostile(self) -> None:
        """Run hostile programs, each of which must neither pass nor reach what it must not."""
        filtered = isolation().filtered_calls
        programs = {**DECEITS, **(REACHING if filtered else {})}
        names = self._rng.sample(list(programs), 10)
        texts = [f"{programs[name]}\nassert False, 'the tests'" for name in names]
        outcomes = run_programs(texts, limits=Limits(seconds=2.0), allow=True)
        out = [
            name
            for name, outcome in zip(names, outcomes, strict=True)
            if outcome.passed or "ESCAPED" in outcome.output
        ]
        self._note("hostile programs contained", len(names), len(names) - len(out), ", ".join(out))

    def go_on(self, minutes: float) -> None:
        """Try faults until the time is over."""
        faults: list[Callable[[], None]] = [
            self.kill, self.kill, self.kill, self.flip, self.mutate, self.hostile,
        ]  # fmt: skip
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            fault = self._rng.choice(faults)
            try:
                fault()
            except Exception:  # what is looked for; the others are still to be tried
                self._note(fault.__name__, 1, 0, traceback.format_exc(limit=-4))


def main() -> None:
    """Try, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), random.Random(chosen.seed))
        soak.go_on(chosen.minutes)
    print(f"seed {chosen.seed}, {chosen.minutes:g} minutes")
    for kind, tried in sorted(soak.tried.items()):
        print(f"{kind}: {soak.held[kind]:,} of {tried:,}")
    for failure in soak.failures[:20]:
        print(failure)
    raise SystemExit(1 if soak.failures else 0)


if __name__ == "__main__":
    main()
