"""Libraries that only an extra installs: asked for where they are needed, in one sentence.

Which library belongs to which extra is read from the project's own requirements.
"""

from importlib.util import find_spec

from fggm_lab.errors import MissingExtra
from fggm_lab.project import NAME, requirements


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
