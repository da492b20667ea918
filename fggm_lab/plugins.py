"""Objects that users bring along: by `module:name`, or registered by an installed package.

A method, an estimator or a figure of one's own is named in two ways:

- as `module:name`, such as `mymodule:MyMethod`; the module is looked for in the current folder
  first, as `python -m` would;
- by the name under which an installed package registers it, in its `pyproject.toml`:

        [project.entry-points."fggm_lab.methods"]
        mine = "mypackage.methods:MyMethod"

Nothing is imported before a user names it or asks for the list of what is installed. In
particular, no function of this module is called on a name that was read from a file of a run.
"""

import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from fggm_lab.errors import SettingError, nearest, shortened

METHODS_GROUP = "fggm_lab.methods"
"""The entry-point group of methods; each name is the method's `name`."""
ESTIMATORS_GROUP = "fggm_lab.estimators"
"""The entry-point group of estimators of the Fisher information."""
FIGURES_GROUP = "fggm_lab.figures"
"""The entry-point group of figures."""

_IDENTIFIER = r"[^\W\d]\w*"
REFERENCE = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*:{_IDENTIFIER}"
"""The regular expression of a `module:name`."""
_METHOD = rf"(?:{REFERENCE}|[\w-]+)"
_SETTING = re.compile(rf"(?P<method>{_METHOD}(?:\+{_METHOD})*)\.(?P<setting>.+)")


def is_reference(name: str) -> bool:
    """Whether a name has the form `module:name`."""
    return re.fullmatch(REFERENCE, name) is not None


def load_object(reference: str) -> Any:
    """Import what `module:name` names; the current folder is searched before installed packages.

    Args:
        reference: such as `mymodule:MyMethod` or `package.module:function`.

    Returns:
        The object of that name in the module.

    Raises:
        SettingError: the reference has another form, there is no such module, importing it fails,
            or it defines no such name.
    """
    if not is_reference(reference):
        raise SettingError(
            f"'{reference}' is not of the form module:name, such as mymodule:MyClass"
        )
    module, _, name = reference.partition(":")
    with _current_folder_first():
        return _attribute(_imported(module, reference), name, reference)


def entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    """What installed packages register in a group; none of it is imported.

    Args:
        group: such as `METHODS_GROUP`.

    Returns:
        Name → entry point. Of two packages that register one name, the first on `sys.path` counts.
    """
    points: dict[str, metadata.EntryPoint] = {}
    for entry_point in metadata.entry_points(group=group):
        points.setdefault(entry_point.name, entry_point)
    return dict(sorted(points.items()))


def load_entry_point(entry_point: metadata.EntryPoint) -> Any:
    """Import what an installed package registered.

    Args:
        entry_point: one of `entry_points`.

    Returns:
        The object it names.

    Raises:
        SettingError: the module cannot be imported or has no such name.
    """
    origin = f"{entry_point.name} of group {entry_point.group} ({entry_point.value})"
    return _attribute(_imported(entry_point.module, origin), entry_point.attr, origin)


def look_up(kind: str, name: str, shipped: Mapping[str, Any], group: str) -> Any:
    """What a user named: one of the lab's own, a `module:name`, or one of an installed package.

    Args:
        kind: what is looked for, for messages: `method`, `estimator`, `figure`.
        name: as the user wrote it.
        shipped: the lab's own, by name; they are found first.
        group: the entry-point group.

    Returns:
        The value of `shipped`, or the object that was imported, whose type the caller checks.

    Raises:
        SettingError: nothing has that name, or it cannot be imported.
    """
    if name in shipped:
        return shipped[name]
    if ":" in name:
        return load_object(name)
    installed = entry_points(group)
    if name in installed:
        return load_entry_point(installed[name])
    names = list(dict.fromkeys([*shipped, *installed]))
    raise SettingError(
        f"no {kind} is named '{shortened(name)}'; there are: {', '.join(names)}"
        f"{nearest(name, names)}"
    )


def split_setting(text: str) -> tuple[str, str] | None:
    """Split `METHOD.SETTING` after the method, which may be a `module:Class` or a combination.

    Args:
        text: such as `fggm.keep`, `package.module:Class.keep` or `lora+fggm.fggm.keep`.

    Returns:
        The method as it was written, and its setting; None if the text has no such form.
    """
    match = _SETTING.fullmatch(text)
    return None if match is None else (match["method"], match["setting"])


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Search the current folder first; afterwards last, where it hides no installed module.

    It stays on the path, so that a function of the module can import a neighbour later.
    """
    folder = str(Path.cwd())
    if "" in sys.path or folder in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)


def _imported(module: str, origin: str) -> ModuleType:
    """Import a module; `origin` is what names it, for messages."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise SettingError(
                f"{origin}: there is no module '{error.name}'; a module is looked for in the "
                "current folder and among installed packages"
            ) from None
        raise _import_failed(module, origin, error) from error
    except Exception as error:
        raise _import_failed(module, origin, error) from error


def _import_failed(module: str, origin: str, error: Exception) -> SettingError:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    where = f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return SettingError(
        f"{origin}: importing {module} fails{where}: {type(error).__name__}: {error}"
    )


def _attribute(module: ModuleType, name: str, origin: str) -> Any:
    """The object of a (dotted) name in a module."""
    try:
        return reduce(getattr, name.split("."), module)
    except AttributeError:
        file = getattr(module, "__file__", None)
        where = f"module {module.__name__}" + (f" ({file})" if file else "")
        public = [attribute for attribute in vars(module) if not attribute.startswith("_")]
        raise SettingError(f"{origin}: {where} has no '{name}'{nearest(name, public)}") from None
