"""Tests of the selection of the cells that a notebook's widgets depend on."""

from notebook_slices import cells_of_widgets


def test_cells_that_bind_or_change_what_a_widget_uses_are_chosen() -> None:
    sources = [
        "import torch\nfrom lzu_viz.plots import figures\nfrom lzu_viz.widgets import Explorer",
        "torch.set_grad_enabled(False)\nscene, other = 1, 2",
        "values = []\nfor value in range(3):\n    values.append(value * scene)",
        "figures.show_image(scene)\nprint(values)",
        "other += 1",
        "value = torch.ones(1)",
        "Explorer(scene, values, torch.zeros(1))",
        "print(other)",
    ]
    assert cells_of_widgets(sources) == [0, 1, 2, 6]


def test_rebound_names_do_not_need_the_cells_before() -> None:
    sources = ["a = 1", "a = 2\nb = a", "c = [a for a in (1, 2)]", "Player(b, c)"]
    assert cells_of_widgets(sources) == [1, 2, 3]
    assert cells_of_widgets(["a = 1", "a = a + 1", "Player(a)"]) == [0, 1, 2]


def test_functions_of_the_notebook_may_change_their_arguments() -> None:
    sources = ["runs = {}", "other = {}", "fill(runs)", "InteractiveFigure(runs)", "fill(other)"]
    assert cells_of_widgets(sources) == [0, 2, 3]


def test_without_widgets_no_cell_is_chosen() -> None:
    assert cells_of_widgets(["a = 1", "print(a)"]) == []
