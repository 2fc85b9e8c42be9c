"""What the rest of the project asks of data: training data, the test set, a description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from main.config import DataConfig
from main.data.checksums import checksum
from main.data.errors import DataError, MissingData
from main.data.known import KNOWN
from main.data.records import DataInfo, Split, TrainingData
from main.data.source import Header, Source
from main.data.sources import is_to_be_downloaded, open_source
from main.data.splits import hold_out, sizes

SIZES = ("train", "validation", "split")
"""What a fallback replaces by the other source's own defaults."""


def load_training(config: DataConfig) -> TrainingData:
    """The images that train and those that validate; the test set stays out of reach.

    Raises MissingData where the source can be neither found nor downloaded and the file names no
    `otherwise`, DataError where it is not what it should be.
    """
    with _refused_by_name(config):
        source, config, notice = _settled(config)
        header = source.header()
        train, validation = hold_out(source.training(), header, config, source.name)
    return TrainingData(
        train=train,
        validation=validation,
        n_classes=len(header.classes),
        source=source.name,
        checksum=checksum(train, validation),
        notice=notice,
        classes=header.classes,
        remark=header.remark,
    )


def load_test(config: DataConfig) -> Split:
    """The test set of the source that `load_training` uses: nothing may be chosen by it.

    Raises as `load_training` does.
    """
    with _refused_by_name(config):
        source, _, _ = _settled(config)
        return source.test()


def describe(config: DataConfig) -> DataInfo:
    """Sizes and classes of what `load_training` would give, from headers where the format has them.

    Downloads nothing: a known data set that is not here yet is described as it will be. Raises as
    `load_training` does, for what headers show.
    """
    with _refused_by_name(config):
        if is_to_be_downloaded(config.source):
            return _info(config.source, KNOWN[config.source].header(), config, _download_notice(config))
        other = config.otherwise
        if other is not None and is_to_be_downloaded(other) and _is_missing(config.source):
            used = fallback(config)
            said = f"{config.source} was not found; {_download_notice(used)}"
            return _info(other, KNOWN[other].header(), used, said)
        source, config, notice = _settled(config)
        return _info(source.name, source.header(), config, notice)


def _is_missing(name: str) -> bool:
    """Whether a source that would not be downloaded is not there."""
    try:
        open_source(name)
    except MissingData:
        return True
    return False


def fallback(config: DataConfig) -> DataConfig:
    """The section that is used where `source` is missing: `otherwise`, in its own default sizes.

    Raises ValueError where the section names no `otherwise`.
    """
    if config.otherwise is None:
        raise ValueError("the data section names no `otherwise`")
    return DataConfig(source=config.otherwise, seed=config.seed)


def _settled(config: DataConfig) -> tuple[Source, DataConfig, str | None]:
    """The source, the section that applies to it, and what to say of a fallback."""
    try:
        return open_source(config.source), config, None
    except MissingData as missing:
        if config.otherwise is None:
            raise
        used = fallback(config)
        try:
            source = open_source(used.source)
        except MissingData as also_missing:
            raise MissingData(f"{missing}\n{also_missing}") from None
    return source, used, _fallback_notice(config, source, used)


def _info(source: str, header: Header, config: DataConfig, notice: str | None) -> DataInfo:
    n_train, n_validation = sizes(header, config, source)
    return DataInfo(
        source=source,
        input_shape=header.image_shape,
        n_classes=len(header.classes),
        n_train=n_train,
        n_validation=n_validation,
        notice=notice,
        classes=header.classes,
        remark=header.remark,
    )


def _fallback_notice(config: DataConfig, source: Source, used: DataConfig) -> str:
    n_train, n_validation = sizes(source.header(), used, source.name)
    written = [f"{key}: {getattr(config, key)}" for key in SIZES if getattr(config, key) is not None]
    replaced = f", in place of `{', '.join(written)}`" if written else ""
    happened = "could be neither found nor downloaded" if config.source in KNOWN else "was not found"
    return (
        f"{config.source} {happened}: {source.name} is used instead, with "
        f"{n_train:,} images to train and {n_validation:,} to validate{replaced}."
    )


def _download_notice(config: DataConfig) -> str:
    failing = f"; if that fails, {config.otherwise} will be used instead" if config.otherwise else ""
    return f"{config.source} is not on this machine yet: it will be downloaded{failing}."


@contextmanager
def _refused_by_name(config: DataConfig) -> Iterator[None]:
    """Whatever keeps a file from being read becomes a DataError with the file's name."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or config.source}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{config.source}: takes more memory than this machine has to give") from None
