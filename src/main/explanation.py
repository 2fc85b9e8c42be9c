"""What a model looks at, and how it sees the test images, as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from main.backend import input_gradient
from main.data.records import Images
from main.evaluate import MOST_VALUES, at_once, outputs_of
from main.evaluation import Evaluation
from main.modelfile import ModelFileError
from main.predict import Predictor

if TYPE_CHECKING:
    import keras

Projection = Literal["tsne", "pca"]

MAX_MAPS = 8
"""Channels shown of a layer: those whose values differ most."""
MAX_STAGES = 8
MAX_POINTS = 1_500
"""Test images drawn in two dimensions; t-SNE of so many takes about five seconds."""
MIN_POINTS = 200
"""Test images drawn however wide the layer is."""
MAX_CLASSES = 10
"""Classes of which an example's saliency is drawn."""
SMOOTHING_SAMPLES, SMOOTHING_NOISE = 32, 0.15
"""SmoothGrad's images per image, and the standard deviation of their noise (Smilkov et al. 2017: 0.1 to
0.2).
"""
CONVOLUTIONS = frozenset({"Conv2D", "SeparableConv2D"})
HIDDEN = frozenset({"InputLayer", "Dropout", "SpatialDropout2D", "BatchNormalization", "ZeroPadding2D"})
"""Layers whose outputs show nothing that a neighbour's does not."""


@dataclass(frozen=True, eq=False)
class Filters:
    """The weights of the first layer that has any, as images."""

    layer: str
    weights: NDArray[np.float32]
    """(filters, height, width, channels)."""


class Step(NamedTuple):
    """One layer's part in what a model makes of its input."""

    layer: Any
    output: Any
    """Of this call of it. `layer.output` is another's where it is called twice, and a network's own where it is one."""


@dataclass(frozen=True, eq=False)
class Stage:
    """What one layer makes of one image."""

    layer: str
    maps: NDArray[np.float32]
    """(maps, height, width), those that vary most first."""
    n_maps: int
    """How many the layer has."""


@dataclass(frozen=True, eq=False)
class Saliency:
    """Which pixels of an image the model's answer hangs on."""

    image: Images
    """(height, width, channels)."""
    pixels: NDArray[np.float32]
    """(height, width), mean size of the gradient of the answer's logit."""
    answer: str
    confidence: float


@dataclass(frozen=True, eq=False)
class Features:
    """Test images where the model's last hidden layer sees them, brought to two dimensions."""

    layer: str
    width: int
    """Dimensions there."""
    method: Projection
    places: NDArray[np.int64]
    """(n,), which of the evaluation's images."""
    points: NDArray[np.float64]
    """(n, 2)."""
    explained: float | None
    """Share of the variance that the two dimensions hold; of PCA only."""


def first_filters(model: keras.Model) -> Filters | None:
    """The first convolution's kernels, or a first dense layer's weights as images; None of other networks."""
    for layer in _leaves(model):
        if not layer.weights or type(layer).__name__ in HIDDEN:
            continue
        weights = np.asarray(layer.weights[0], dtype=np.float32)
        if type(layer).__name__ == "Conv2D":
            return Filters(layer.name, np.moveaxis(weights, -1, 0))
        shape = model.input_shape[1:]
        if type(layer).__name__ == "Dense" and weights.shape[0] == np.prod(shape):
            return Filters(layer.name, weights.T.reshape(-1, *shape))
        return None
    return None


def feature_maps(model: keras.Model, image: Images) -> tuple[Stage, ...]:
    """What each convolution and each pooling makes of one image, uint8 (height, width, channels).

    Of the layers between one convolution and the next are shown the last one in the convolution's own
    resolution (its activation, as a rule) and the last of all (its pooling).
    """
    import keras

    steps = shown_steps(model)
    if not steps:
        return ()
    watched = keras.Model(model.inputs[0], [step.output for step in steps])
    outputs = keras.tree.flatten(watched(_as_input(image[np.newaxis])))
    return tuple(
        stage(step.layer.name, np.asarray(output[0], dtype=np.float32))
        for step, output in zip(steps, outputs, strict=True)
    )


def stage(layer: str, output: NDArray[np.float32]) -> Stage:
    """The liveliest maps of a layer's output of one image, (height, width, maps).

    They vary most; those of a single pixel, which cannot vary, answer most.
    """
    maps = np.moveaxis(output, -1, 0)
    life = maps.std(axis=(1, 2)) if maps[0].size > 1 else maps[:, 0, 0]
    liveliest = np.argsort(-life, kind="stable")[:MAX_MAPS]
    return Stage(layer, maps[liveliest], len(maps))


def shown_steps(model: keras.Model) -> list[Step]:
    """The layers whose outputs `feature_maps` shows."""
    stages: list[list[Step]] = []
    for step in _chain(model):
        kind = type(step.layer).__name__
        if kind in CONVOLUTIONS:
            stages.append([])
        if stages and len(step.output.shape) == 4 and kind not in HIDDEN:
            stages[-1].append(step)
    shown = []
    for stage in stages:
        own = [step for step in stage if step.output.shape[1:3] == stage[0].output.shape[1:3]]
        shown += [own[-1]] if own[-1] is stage[-1] else [own[-1], stage[-1]]
    evenly = np.unique(np.linspace(0, len(shown) - 1, min(MAX_STAGES, len(shown))).round().astype(int))
    return [shown[place] for place in evenly]


def saliency(predictor: Predictor, images: Images) -> tuple[Saliency, ...]:
    """Which pixels of each image, uint8 (n, height, width, channels), the model's answer hangs on.

    The gradient of the answer's logit by the image, its size averaged over noisy copies of the image
    (SmoothGrad, Smilkov et al. 2017, arXiv 1706.03825), summed over channels.
    """
    probabilities = predictor.probabilities(images)
    answers = probabilities.argmax(axis=1)
    scores = _scoring_model(predictor.model)
    noise = np.random.default_rng(0)
    found = []
    for image, answer, row in zip(images, answers, probabilities, strict=True):
        copies = np.repeat(_as_input(image[np.newaxis]), SMOOTHING_SAMPLES, axis=0)
        noisy = copies + noise.normal(0, SMOOTHING_NOISE, copies.shape).astype(np.float32)
        chunks = np.array_split(noisy, -(-len(noisy) // at_once(scores)))
        gradients = np.concatenate([input_gradient(scores, chunk, int(answer)) for chunk in chunks])
        pixels = np.abs(gradients).mean(axis=0).sum(axis=-1)
        found.append(Saliency(image, pixels, predictor.classes[answer], float(row[answer])))
    return tuple(found)


def _scoring_model(model: keras.Model) -> keras.Model:
    """The model up to its logits where it has such a layer: behind a softmax that is sure, all gradients
    vanish.
    """
    import keras

    names = {layer.name for layer in model.layers}
    return keras.Model(model.inputs[0], model.get_layer("logits").output) if "logits" in names else model


def typical(evaluation: Evaluation) -> NDArray[np.int64]:
    """Places of one test image per class, for at most ten classes: the one of median probability for its
    class.
    """
    true = evaluation.probabilities[np.arange(len(evaluation.labels)), evaluation.labels]
    places: list[int] = []
    for label in range(len(evaluation.classes)):
        members = np.flatnonzero(evaluation.labels == label)
        if len(members) and len(places) < MAX_CLASSES:
            places.append(members[np.argsort(true[members], kind="stable")[len(members) // 2]])
    return np.array(places, dtype=np.int64)


def deep_features(model: keras.Model, evaluation: Evaluation, method: Projection) -> Features:
    """Test images, at most 1,500 evenly drawn, as the last hidden layer has them, in two dimensions.

    Of a layer of more than 90,000 numbers fewer are drawn, at least 200, for they are all in memory together.
    """
    import keras

    layer, output = _last_hidden(model)
    deep = keras.Model(model.inputs[0], output)
    width = math.prod(deep.output_shape[1:])
    n = len(evaluation.labels)
    drawn = min(n, MAX_POINTS, max(MIN_POINTS, MOST_VALUES // width))
    places = np.unique(np.linspace(0, n - 1, drawn).round().astype(np.int64))
    values = outputs_of(deep, evaluation.images[places]).reshape(len(places), -1)
    if len(places) < 3:
        raise ModelFileError(f"{evaluation.source}: {len(places)} test images are too few to draw their features")
    points, explained = _projected(values, method)
    return Features(layer.name, values.shape[1], method, places, points.astype(np.float64), explained)


def _last_hidden(model: keras.Model) -> Step:
    """The layer whose output the last dense layer reads; without one, the layer before the output."""
    steps = [step for step in _chain(model) if type(step.layer).__name__ not in HIDDEN]
    dense = [place for place, step in enumerate(steps) if type(step.layer).__name__ == "Dense"]
    return steps[max(dense[-1] - 1, 0) if dense else max(len(steps) - 2, 0)]


def _projected(values: NDArray[np.float32], method: Projection) -> tuple[NDArray[np.floating], float | None]:
    """Points (n, 2), and of PCA the share of the variance that they hold; all in one place where nothing varies.

    Where the first component's variance is 0 in float32, t-SNE divides by it and then ends the whole process with a
    segmentation fault; so values that are all alike never reach it, and others are brought to a common size first.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn's own dependency

    apart = values - values[0]
    farthest = np.abs(apart).max()
    if farthest == 0:
        return np.zeros((len(values), 2)), None
    values = apart / farthest
    if method == "pca" or values.shape[1] < 3:
        components = PCA(2 if values.shape[1] > 1 else 1, random_state=0).fit(values)
        points = components.transform(values)
        return np.pad(points, ((0, 0), (0, 2 - points.shape[1]))), float(components.explained_variance_ratio_.sum())
    fewer = PCA(min(50, *values.shape), random_state=0).fit_transform(values)  # as van der Maaten and Hinton advise
    perplexity = min(30.0, (len(fewer) - 1) / 3)
    with threadpool_limits(1):  # its threads wait for each other by spinning: four times slower on a busy machine
        return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(fewer)), None


def _chain(model: keras.Model) -> list[Step]:
    """The layers from the input to the output, one after the other.

    Where several are joined, the first: of an ensemble this is its first member.
    """
    chain: list[Step] = []
    tensor = model.outputs[0]
    while True:
        layer, call, _ = tensor._keras_history
        chain.append(Step(layer, tensor))
        sources = layer._inbound_nodes[call].input_tensors
        if not sources:
            return chain[::-1]
        tensor = sources[0]


def _leaves(model: keras.Model) -> Sequence[Any]:
    """Layers in order, those of networks within the network in their place."""
    return [
        leaf
        for layer in model.layers
        for leaf in (_leaves(layer) if hasattr(layer, "layers") else [layer])
    ]  # fmt: skip


def _as_input(images: Images) -> NDArray[np.float32]:
    return images.astype(np.float32) / 255.0
