"""Greedy one-to-one matching of detections with ground truth objects."""

import numpy as np
from numpy.typing import NDArray


def match_greedily(cost: NDArray[np.floating], limit: float = np.inf) -> NDArray[np.int64]:
    """Match each detection in turn with the unmatched object of lowest cost below a limit.

    Args:
        cost: `n m`, of each detection (rows, in descending order of score) and each object, for
            instance a distance or 1 - IoU; infinite for pairs that must not be matched.
        limit: costs from here on are no match.

    Returns:
        `n`, the index of each detection's object; -1 without one.

    Example:
        >>> match_greedily(np.array([[0.1, 0.3], [0.2, 0.4], [0.2, 0.9]]), limit=0.5).tolist()
        [0, 1, -1]
    """
    matched = np.full(len(cost), -1)
    remaining = cost.copy()
    for row in np.flatnonzero(cost.min(axis=1, initial=np.inf) < limit):
        column = remaining[row].argmin()
        if remaining[row, column] < limit:
            matched[row] = column
            remaining[:, column] = np.inf
    return matched
