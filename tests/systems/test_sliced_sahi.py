"""Comparison of `Sliced` with the package `sahi`, where it is installed."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from lzu_viz import Warp
from lzu_viz.datasets import frames
from lzu_viz.datasets.video_files import COURTYARD
from lzu_viz.geometry.boxes import Detections, to_pixels
from lzu_viz.models.registry import network
from lzu_viz.systems import Sliced

sahi = pytest.importorskip("sahi")

TILE = (320, 416)
SCORE = 0.35


def sahi_model() -> Any:
    """Return the shipped detector as a model of sahi."""
    from sahi.models.base import DetectionModel
    from sahi.prediction import ObjectPrediction

    detector: Any = network("detector")

    class Model(DetectionModel):  # type: ignore[misc]
        def load_model(self) -> None:
            self.model = detector

        def set_model(self, model: Any, **_: Any) -> None:
            self.model = model

        def perform_inference(self, image: Any) -> None:
            tile = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None] / 255
            with torch.no_grad():
                outputs = detector.head(detector.features(tile))
            self._original_predictions = detector.decode(outputs, threshold=SCORE)

        @property
        def category_names(self) -> list[str]:
            return list(detector.classes)

        @property
        def num_categories(self) -> int:
            return len(detector.classes)

        @property
        def has_mask(self) -> bool:
            return False

        def _create_object_prediction_list_from_original_predictions(
            self, shift_amount_list: Any = None, full_shape_list: Any = None
        ) -> None:
            (found,) = self._original_predictions
            self._object_prediction_list_per_image = [
                [
                    ObjectPrediction(
                        bbox=box,
                        category_id=label,
                        category_name=detector.classes[label],
                        score=score,
                        shift_amount=shift_amount_list[0],
                        full_shape=full_shape_list[0],
                    )
                    for box, label, score in zip(
                        to_pixels(found.boxes, TILE).tolist(),
                        found.labels.tolist(),
                        found.scores.tolist(),
                        strict=True,
                    )
                ]
            ]

    return Model(model_path="", confidence_threshold=SCORE, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("merge", "options"),
    [
        ("nms", {"postprocess_type": "NMS", "postprocess_match_metric": "IOU"}),
        ("nmm", {"postprocess_type": "GREEDYNMM", "postprocess_match_metric": "IOS"}),
    ],
)
def test_boxes_equal_those_of_sahi(merge: Any, options: dict[str, str]) -> None:
    from sahi.predict import get_sliced_prediction
    from sahi.slicing import get_slice_bboxes

    image = frames(COURTYARD)[40].mul(255).round()
    size = image.shape[-2:]
    expected = get_sliced_prediction(
        image[0].permute(1, 2, 0).byte().numpy(), sahi_model(), slice_height=TILE[0],
        slice_width=TILE[1], perform_standard_pred=False, postprocess_match_threshold=0.5,
        verbose=0, **options,
    ).object_prediction_list  # fmt: skip

    tiles = torch.tensor(get_slice_bboxes(*size, *TILE, False, 0.2, 0.2)).float()
    x, y = (tiles[:, axis::2] / size[1 - axis] * 2 - 1 for axis in (0, 1))
    detector: Any = network("detector")
    sliced = Sliced.from_network(detector, size=TILE, merge=merge, with_whole=False)
    decode = partial(detector.decode, threshold=SCORE)
    (found,) = sliced.detect(image / 255, decode, Warp.from_axes(x, y))

    assert len(found.scores) == len(expected) > 10
    assert _table(found, size) == pytest.approx(
        np.array(
            sorted(
                [
                    -each.score.value,
                    each.category.id,
                    *(float(value) for value in each.bbox.to_xyxy()),
                ]
                for each in expected
            )
        ),
        abs=1.01,  # pixels; sahi rounds boxes
    )


def _table(found: Detections, size: Any) -> Any:
    columns = (-found.scores[:, None], found.labels[:, None], to_pixels(found.boxes, size))
    return np.array(sorted(torch.cat(columns, dim=1).tolist()))
