"""What a saved model looks at, and how it sees the test images, as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from main.evaluate import assess
from main.explanation import Projection, deep_features, feature_maps, first_filters, saliency, typical
from main.predict import Predictor
from main.prepare import Preparation

FOLDER = "explanation"


def explain(
    model_path: Path | str,
    image: Path | None = None,
    *,
    data: str | None = None,
    out: Path | None = None,
    method: Projection = "tsne",
    preparation: Preparation | None = None,
) -> tuple[Path, ...]:
    """Draw what a model looks at, as PNGs; gives their paths.

    Of an image: the first layer's filters, the image's feature maps and its saliency. Without one: the
    filters, feature maps and saliency of test images, the deep features of many in two dimensions, the
    hardest of them, and the model's calibration.

    Args:
        model_path: The model's file, …/cnn.h5.
        image: A picture of any size.
        data: A source whose test set is used; that of the model's card unless given.
        out: Where to write; the folder `explanation` beside the model unless given.
        method: How deep features are brought to two dimensions.
        preparation: How the picture is prepared; as the model's card says unless given.

    Raises:
        ModelFileError: The model cannot be loaded.
        DataError: The image or the data cannot be had, or do not fit the model.
        OSError: The folder cannot be written.
    """
    from main import explanation_charts

    path = Path(model_path)
    predictor = Predictor(path, preparation)
    folder = out or path.parent / FOLDER
    filters = first_filters(predictor.model)
    if image is not None:
        prepared = predictor.read(image)
        seen = saliency(predictor, prepared[np.newaxis])
        stages = feature_maps(predictor.model, prepared)
        return explanation_charts.draw_image(folder, filters, stages, seen[0])
    evaluation = assess(predictor.model, path, data, predictor.card)
    examples = evaluation.images[typical(evaluation)]
    return explanation_charts.draw_test(
        folder,
        filters,
        feature_maps(predictor.model, examples[0]),
        saliency(predictor, examples),
        deep_features(predictor.model, evaluation, method),
        evaluation,
    )
