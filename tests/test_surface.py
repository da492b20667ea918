"""What `import fggm_lab as lab` offers: every room and name, to Python and to type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fggm_lab as lab

ROOMS = sorted(
    path.parent.name
    for path in Path(lab.__file__).parent.glob("*/__init__.py")
    if path.parent.name not in ("cli", "explorer", "files")  # used through other rooms alone
)


def test_type_checkers_see_the_names_that_python_gives() -> None:
    tree = ast.parse(Path(lab.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [
        (alias.asname, (node.module or "").removeprefix("fggm_lab").lstrip("."))
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert dict(imports) == lab._HOMES | dict.fromkeys(lab._ROOMS, "")
    assert len(imports) == len(lab.__all__) == len(set(lab.__all__))


def test_every_public_name_and_room_can_be_had() -> None:
    for name in lab.__all__:
        assert getattr(lab, name) is not None
        assert name in dir(lab)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_can_be_had_before_anything_else(room: str) -> None:
    assert lab.__getattr__(room).__name__ == f"fggm_lab.{room}"


def test_importing_the_package_imports_no_torch() -> None:
    code = (
        "import sys, fggm_lab as lab; lab.__version__; dir(lab); "
        "print([m for m in ('torch', 'transformers', 'plotly', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(AttributeError, match="did you mean 'fisher_scores'"):
        _ = lab.fisher_score
