"""Tests of greedy matching of detections with objects."""

import numpy as np
import pytest

from lzu_viz.metrics.matching import match_greedily


def test_first_row_is_matched_to_its_cheapest_column() -> None:
    # The second row would have been closer to the same object, but has the lower score.
    cost = np.array([[0.3, 0.9], [0.1, 0.8]])
    assert match_greedily(cost).tolist() == [0, 1]
    assert match_greedily(cost[::-1]).tolist() == [0, 1]


def test_a_cost_at_the_limit_is_no_match() -> None:
    cost = np.array([[0.5], [0.4]])
    assert match_greedily(cost, limit=0.5).tolist() == [-1, 0]
    assert match_greedily(cost, limit=0.51).tolist() == [0, -1]


def test_pairs_of_infinite_cost_are_not_matched() -> None:
    cost = np.array([[np.inf, 2.0], [1.0, np.inf], [np.inf, np.inf]])
    assert match_greedily(cost).tolist() == [1, 0, -1]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_without_detections_or_objects_there_is_no_match(shape: tuple[int, int]) -> None:
    assert match_greedily(np.zeros(shape)).tolist() == [-1] * shape[0]


def test_costs_are_not_modified() -> None:
    cost = np.array([[0.1, 0.2], [0.1, 0.2]])
    match_greedily(cost)
    assert cost.tolist() == [[0.1, 0.2], [0.1, 0.2]]
