"""Deprecated names of functions, arguments and attributes, kept for one version after a rename."""

import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed_arguments(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that accepts old keyword arguments with a warning.

    The wrapper keeps the signature of the function, so that type checkers and ``help`` show only
    the new names. Decorate constructors and factories rather than functions that run inside a
    compiled model, such as ``forward``.

    Args:
        renamed: the new name for each old name, ``old="new"``.

    Returns:
        A decorator. The decorated function emits a ``DeprecationWarning`` if an old keyword is
        used, and raises ``TypeError`` if both the old and the new keyword are given.

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
            # Calls with new names only cost one look-up for each old name.
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
    """Return a ``__getattr__`` for a module that resolves old names with a warning.

    Args:
        module: name of the module, ``__name__``.
        namespace: of the module, ``globals()``; new names are looked up on each access.
        renamed: the new name for each old name, ``old="new"``.

    Returns:
        A function from an old name to the object with the new name; it emits a
        ``DeprecationWarning``, and raises ``AttributeError`` for any other name.

    Example:
        In a module::

            __getattr__ = renamed_names(__name__, globals(), frontier="pareto_front")
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

    The property works in classes, named tuples, frozen dataclasses and ``torch.nn.Module``. Its
    type is ``Any``, so that it can replace an attribute of any type.

    Args:
        old: the name to which the property is assigned; required because ``NamedTuple`` does not
            call ``__set_name__``.
        new: the new name of the attribute.

    Example:
        >>> class System:
        ...     upsample_factor = 2
        ...     finer = renamed_attribute("finer", "upsample_factor")
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
    """Return a decorator that accepts and ignores obsolete keyword arguments, with a warning.

    Args:
        ignored: names of the arguments.

    Returns:
        A decorator. The decorated function emits a ``DeprecationWarning`` if one of them is given.
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
