"""Libraries that are missing or too old, in one sentence before they are imported.

Which library belongs to which extra, and the lowest versions, are the project's own requirements.
"""

import re
from functools import cache
from importlib.util import find_spec

from fggm_lab.errors import MissingExtra, OldVersion
from fggm_lab.project import NAME, installed, lower_bounds, requirements

_REASONS = {
    "torch": "transformers does not import with older ones",
    "transformers": "older ones score some model families differently",
}


@cache
def check_versions() -> None:
    """Refuse a torch or transformers older than the lab was tested with.

    pip sees to that, but not where a cluster brings its own torch and pip is told to leave it.

    Raises:
        OldVersion: one is too old; the message has the lowest version and the reason.
    """
    bounds = lower_bounds()
    for name, reason in _REASONS.items():
        version, bound = installed(name), bounds.get(name)
        if version is not None and bound is not None and _numbers(version) < _numbers(bound):
            raise OldVersion(
                f"{name} {version} is installed, and {NAME} needs {bound} or newer ({reason}); "
                f'install with: pip install "{name}>={bound}"'
            )


def _numbers(version: str) -> list[int]:
    """`2.13.0+cpu` → [2, 13]; a patch release neither brings nor removes a feature."""
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


def is_installed(module: str) -> bool:
    """Whether a top-level module can be found; it is not imported."""
    return find_spec(module) is not None


def require(purpose: str, *modules: str) -> None:
    """Ask for libraries of extras before they are imported.

    Args:
        purpose: what they are for, as the message says it, such as `drawing figures`.
        modules: top-level modules, such as `rouge_score`; none of them is imported.

    Raises:
        MissingExtra: one is not installed; the message has the line that installs all.
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        extras = dict.fromkeys(_extra_of(module) for module in missing)
        raise MissingExtra(
            f"{purpose} needs {', '.join(map(_distribution, missing))}; "
            f'install with: pip install "{NAME}[{",".join(extras)}]"'
        )


def _distribution(module: str) -> str:
    return module.replace("_", "-")


def _extra_of(module: str) -> str:
    """The smallest extra that installs a module."""
    name = _distribution(module)
    sizes = {extra: len(names) for extra, names in requirements().items() if name in names}
    return min(sizes, key=lambda extra: sizes[extra])
