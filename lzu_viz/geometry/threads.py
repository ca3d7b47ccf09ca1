"""Control of the number of threads that torch uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set torch's number of intra-op threads within a ``with`` block, and restore it afterwards.

    An operation on a few thousand numbers is no faster with a second thread, but has to wait for
    it: milliseconds for each operation if another program occupies the core.

    The number applies to the calling thread; operations running in other threads are not affected.
    However, a thread that runs its first operation within the block starts with this number, and
    the matrix products of all threads may use fewer threads during the block. Results do not
    depend on it.

    Example:
        >>> with threads(1):
        ...     torch.get_num_threads()
        1
    """
    previous = torch.get_num_threads()
    if previous == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous)
