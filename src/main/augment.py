"""Random changes to training images: one map per image, and one bilinear resampling with zeros outside.

Every number drawn follows from (seed, epoch, step), so a training that is resumed sees the very same images.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from main.config import AugmentConfig

SMOOTHNESS = 1 / 7
"""Standard deviation that smooths a distortion, of the image's smaller side: Simard's 4 pixels of 28."""
REACH = 3
"""Standard deviations beyond the image's edges whose noise is still felt within."""
PADDING = ((0, 0), (1, 2), (1, 2), (0, 0))
"""Zeros around an image: a sample anywhere outside meets nothing else."""


def augment_batch(batch: Any, augment: AugmentConfig, seed: Any) -> Any:
    """The images as seen in one step of training: shifted, turned, zoomed, sheared and distorted at random.

    Args:
        batch: Images, a float32 tensor (b, h, w, c) in [0, 1], of which h, w and c are known to the graph.
        augment: The largest change of each kind.
        seed: Training seed, epoch and step, an int64 tensor (3,).

    Returns:
        Tensor of the batch's shape, type and range; the batch itself where nothing is to change.
    """
    import tensorflow as tf

    if augment == AugmentConfig():
        return batch
    count, (height, width, _) = tf.shape(batch)[0], batch.shape[1:]
    affine_seed, elastic_seed = tf.unstack(_seeds(seed))
    inverse = inverse_affine(count, (height, width), augment, affine_seed)
    if not augment.elastic:
        return _transformed(batch, inverse)
    displacement = elastic_displacement(count, (height, width), augment.elastic, elastic_seed)
    return _sampled(batch, *_places(inverse, displacement))


def inverse_affine(count: Any, size: tuple[int, int], augment: AugmentConfig, seed: Any) -> Any:
    """Where in an image each pixel of its changed version comes from, one random map per image.

    An image is sheared along x, zoomed and turned about its centre, and then shifted; this is the way back.
    Each of these is drawn uniformly up to its largest, either way.

    Args:
        count: Number of images.
        size: Their height and width, in pixels.
        augment: The largest shift, rotation, zoom and shear.
        seed: Integer tensor (2,).

    Returns:
        float32 (count, 6): a, b, c, d, e, f of x' = a x + b y + c and y' = d x + e y + f, where x and y count
        the pixels from 0, to the right and downwards.
    """
    import tensorflow as tf

    height, width = size
    drawn = tf.random.stateless_uniform((5, count), seed, minval=-1.0, maxval=1.0, alg="philox")
    right, down, turn, zoom, slant = tf.unstack(drawn)
    angle, shear = turn * math.radians(augment.rotation), slant * augment.shear
    scale = 1.0 + zoom * augment.zoom
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    a, b, d, e = cos + shear * sin, sin - shear * cos, -sin, cos
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x, y = middle_x + right * (augment.shift * width), middle_y + down * (augment.shift * height)
    return tf.stack([a, b, middle_x - a * x - b * y, d, e, middle_y - d * x - e * y], axis=1)


def elastic_displacement(count: Any, size: tuple[int, int], largest: float, seed: Any) -> Any:
    """Smooth random displacements, the longest of each image `largest` pixels long (Simard et al. 2003).

    Uniform noise smoothed by a Gaussian of standard deviation σ, then scaled so that the longest displacement
    is as told; on 28 × 28 pixels, the longest of their σ = 4 and α = 34 is about 4. Noise on a grid σ apart
    does for noise in every pixel: once smoothed, its variance is the same everywhere to 2 in 10,000.

    Args:
        count: Number of images.
        size: Their height and width, in pixels.
        largest: Length of the longest displacement, in pixels.
        seed: Integer tensor (2,).

    Returns:
        float32 (2, count, height, width): along x, and along y.
    """
    import tensorflow as tf

    height, width = size
    deviation = SMOOTHNESS * min(size)
    along_y, along_x = _smoothing(height, deviation), _smoothing(width, deviation)
    (rows, _), (columns, _) = along_y.shape, along_x.shape
    noise = tf.random.stateless_uniform((2 * count * columns, rows), seed, minval=-1.0, maxval=1.0, alg="philox")
    tall = tf.reshape(noise @ along_y, (2 * count, columns, height))
    wide = tf.reshape(tf.transpose(tall, (0, 2, 1)), (-1, columns)) @ along_x
    field = tf.reshape(wide, (2, count, height, width))
    longest = tf.sqrt(tf.reduce_max(field[0] ** 2 + field[1] ** 2, axis=(1, 2), keepdims=True))
    return field * (largest / longest)


def _seeds(seed: Any) -> Any:
    """Two seeds (2, 2), one of the affine maps and one of the distortions."""
    import tensorflow as tf

    step = tf.random.experimental.stateless_fold_in(seed[:2], seed[2], alg="philox")
    return tf.random.experimental.stateless_split(step, 2, alg="philox")


def _smoothing(side: int, deviation: float) -> np.ndarray:
    """Weight of each grid point (rows) in each pixel (columns) of a line of `side` pixels, float32."""
    points = math.ceil((side - 1) / deviation) + 1 + 2 * REACH
    grid = (np.arange(points) - (points - 1) / 2) * deviation + (side - 1) / 2
    distances = (np.arange(side) - grid[:, np.newaxis]) / deviation
    return np.exp(-(distances**2) / 2).astype(np.float32)


def _transformed(batch: Any, inverse: Any) -> Any:
    """The images resampled by their affine maps: TensorFlow's own operation takes half the time of `_sampled`."""
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=batch,
        transforms=tf.pad(inverse, ((0, 0), (0, 2))),  # nothing projective
        output_shape=batch.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _places(inverse: Any, displacement: Any) -> tuple[Any, Any]:
    """Where to sample each image, x and y (b, h, w) in pixels: displacements of the image, then its affine map."""
    import tensorflow as tf

    height, width = displacement.shape[2:]
    column, row = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, np.newaxis]
    a, b, c, d, e, f = (part[:, tf.newaxis, tf.newaxis] for part in tf.unstack(inverse, axis=1))
    return (a * column + c) + b * row + displacement[0], (d * column + f) + e * row + displacement[1]


def _sampled(batch: Any, x: Any, y: Any) -> Any:
    """The images (b, h, w, c) at the places x and y (b, h, w), by bilinear interpolation with zeros outside."""
    import tensorflow as tf

    height, width, channels = batch.shape[1:]
    padded = tf.pad(batch, PADDING)
    row_length, image_length = width + 3, (height + 3) * (width + 3)
    x, y = tf.clip_by_value(x + 1.0, 0.0, width + 1.0), tf.clip_by_value(y + 1.0, 0.0, height + 1.0)
    left, above = tf.cast(x, tf.int32), tf.cast(y, tf.int32)  # rounds down, as none is below 0
    images = tf.range(tf.shape(batch)[0])[:, tf.newaxis, tf.newaxis] * image_length
    corner = (images + above * row_length + left)[..., tf.newaxis]
    pixels = tf.reshape(padded, (-1, channels))
    top_left, top_right, bottom_left, bottom_right = (
        tf.gather_nd(pixels, corner + step) for step in (0, 1, row_length, row_length + 1)
    )
    across, down = (tf.expand_dims(place - tf.cast(whole, tf.float32), -1) for place, whole in ((x, left), (y, above)))
    top = top_left + across * (top_right - top_left)
    bottom = bottom_left + across * (bottom_right - bottom_left)
    return top + down * (bottom - top)
