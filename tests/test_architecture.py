"""The page on architecture and the import contract name the same rooms, in the same order."""

import re

from tests.support.project import PYPROJECT, ROOT

LAYERS = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]


def test_the_page_has_the_rooms_of_the_contract_in_its_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| room |")[2].partition("\n\n")[0]
    rooms = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    contract = [re.findall(r"\w+", layer) for layer in reversed(LAYERS)]
    assert [sorted(names) for names in rooms] == [sorted(names) for names in contract]


def test_every_room_is_in_the_contract() -> None:
    rooms = {
        path.stem
        for path in (ROOT / "fggm_lab").iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert rooms <= {name for layer in LAYERS for name in re.findall(r"\w+", layer)}
