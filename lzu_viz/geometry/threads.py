"""How many threads torch computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set torch's number of intra-op threads within a ``with`` block, and restore it after.

    An operation on a few thousand numbers gains nothing from a second thread, but has to wait for
    it, and where another program holds the core that is milliseconds for every operation.

    The number belongs to the calling thread: operations that other threads have under way keep
    theirs. Only a thread that runs its first operation within the block starts with this number,
    and the matrix products of all threads may use fewer for as long as the block lasts; results do
    not depend on it.

    Example:
        >>> with threads(1):
        ...     torch.get_num_threads()
        1
    """
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
