"""Old names of public functions, arguments and attributes, for one version after a renaming."""

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed_arguments(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Accept old keyword arguments of a function, with a warning that names the new ones.

    The wrapper keeps the signature of the function, so that type checkers and ``help`` show the new
    names only. Decorate constructors and factories rather than what runs inside a compiled model:
    a ``forward`` has no need of it.

    Args:
        renamed: the new name of each old one, ``old="new"``.

    Returns:
        A decorator. The decorated function warns with ``DeprecationWarning`` where an old keyword
        is used, and raises ``TypeError`` where both the old and the new keyword are given.

    Example:
        >>> @renamed_arguments(width="sigma")
        ... def gaussian(*, sigma: float) -> float:
        ...     return sigma
        >>> gaussian(sigma=0.1)
        0.1
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            # Nothing more than a look-up per old name, where only new names are used.
            for old, new in renamed.items():
                if old not in kwargs:
                    continue
                if new in kwargs:
                    raise TypeError(
                        f"{function.__qualname__}() got both {old!r} and {new!r}; "
                        f"{old!r} is the old name of {new!r}, pass {new!r} alone"
                    )
                warnings.warn(
                    f"the argument {old!r} of {function.__qualname__}() is now called {new!r}; "
                    f"{old!r} will be removed in the next version",
                    DeprecationWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return inner

    return decorate


def renamed_names(
    module: str, namespace: Mapping[str, Any], **renamed: str
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module that still answers to old names.

    Args:
        module: name of the module, ``__name__``.
        namespace: of the module, ``globals()``; the new names are looked up when they are asked
            for.
        renamed: the new name of each old one, ``old="new"``.

    Returns:
        A function from an old name to the object of the new name; it warns with
        ``DeprecationWarning``, and raises ``AttributeError`` for any other name.

    Example:
        In a module::

            __getattr__ = renamed_names(__name__, globals(), pareto_front="pareto_front")
    """

    def getattr_of_module(name: str) -> Any:
        if name not in renamed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = renamed[name]
        warnings.warn(
            f"{module}.{name} is now called {module}.{new}; "
            f"{name!r} will be removed in the next version",
            DeprecationWarning,
            stacklevel=2,
        )
        return namespace[new]

    return getattr_of_module


def renamed_attribute(old: str, new: str) -> Any:
    """Return a read-only property for the old name of an attribute or a method, with a warning.

    It works in classes, named tuples, frozen dataclasses and ``torch.nn.Module``. It is typed as
    ``Any``, so that it can stand for an attribute of any type.

    Args:
        old: the name that it is assigned to. It is asked for as ``NamedTuple`` does not call
            ``__set_name__``.
        new: name of the attribute that took its place.

    Example:
        >>> class System:
        ...     upsample_factor = 2
        ...     upsample_factor = renamed_attribute("finer", "upsample_factor")
    """

    def read(instance: object) -> Any:
        owner = type(instance).__name__
        warnings.warn(
            f"{owner}.{old} is now called {owner}.{new}; "
            f"{old!r} will be removed in the next version",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(instance, new)

    return property(read, doc=f"Old name of ``{new}``.")


def ignored_arguments(*ignored: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Accept keyword arguments that no longer do anything, with a warning that says so.

    Args:
        ignored: their names.

    Returns:
        A decorator. The decorated function warns with ``DeprecationWarning`` where one is given.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def inner(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in ignored:
                if name in kwargs:
                    warnings.warn(
                        f"the argument {name!r} of {function.__qualname__}() does nothing; "
                        "it will be removed in the next version",
                        DeprecationWarning,
                        stacklevel=2,
                    )
                    del kwargs[name]
            return function(*args, **kwargs)

        return inner

    return decorate
