"""Whatever is in a file, the lab reads it or refuses it in a sentence."""

from pathlib import Path

import pytest

from tests.faults.mutations import count_mutations


@pytest.mark.filterwarnings("ignore")
def test_odd_content_is_read_or_refused(tmp_path: Path) -> None:
    answers, leaks = count_mutations(1500, seed=1, folder=tmp_path)
    assert leaks == []
    assert answers.total() == 1500
    refused = sum(count for name, count in answers.items() if name.endswith("refused"))
    assert 500 < refused < 1400  # the changes are odd, and not all of them are
