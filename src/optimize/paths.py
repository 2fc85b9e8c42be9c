"""Plain data changed at a path, without changing what they were."""

from __future__ import annotations

from functools import lru_cache

from main.annotations import KeyPath, is_index
from main.yaml12 import Plain

SWEEPABLE = ("model", "train")
"""The sections in which values can be swept, or each as a whole."""


@lru_cache
def keys_of(path: str) -> KeyPath:
    """`model.filters.1` as keys and indices."""
    return tuple(int(key) if is_index(key) else key for key in path.split("."))


def are_nested(path: KeyPath, other: KeyPath) -> bool:
    """Whether one of two paths leads into the other, or both are the same."""
    return all(key == beside for key, beside in zip(path, other, strict=False))


def placed(tree: Plain, keys: KeyPath, value: Plain) -> Plain:
    """`tree` with `value` at `keys`."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(tree, tuple | list) and isinstance(key, int):
        return (*tree[:key], placed(tree[key], tuple(rest), value), *tree[key + 1 :])
    inner = tree if isinstance(tree, dict) else {}
    return {**inner, str(key): placed(inner.get(str(key)), tuple(rest), value)}


def removed(tree: Plain, keys: KeyPath) -> Plain:
    """`tree` without what stands at `keys`."""
    key, *rest = keys
    if not isinstance(tree, dict) or key not in tree:
        return tree
    if not rest:
        return {name: item for name, item in tree.items() if name != key}
    return {**tree, str(key): removed(tree[str(key)], tuple(rest))}
