"""Reading a run needs neither torch nor a library for terminals."""

import subprocess
import sys


def test_the_room_of_runs_imports_no_torch_and_no_terminal_library() -> None:
    code = "import sys, fggm_lab.runs; print({name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pydantic" in done.stdout
    for library in ("torch", "transformers", "rich", "plotly", "IPython"):
        assert f"'{library}'" not in done.stdout
