"""A sweep file: the concrete sections of main/config with choices and ranges in them, study and run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from main.annotations import KeyPath, value_at
from main.checking import Problem, check, complaints
from main.complaints import ConfigError
from main.config import SECTIONS, DataConfig, Section, TrainingConfig, check_training
from main.document import Document, read
from main.names import Name, valid_name
from main.yaml12 import Plain
from optimize.advice.commas import told_of_the_whole
from optimize.advice.consequences import as_an_override, without_consequences
from optimize.advice.homes import of_a_sweep
from optimize.combinations import check_combinations, substituted
from optimize.conditions import conditioned
from optimize.extraction import extract
from optimize.forms import forms_within
from optimize.paths import SWEEPABLE, keys_of, placed, removed
from optimize.results import Results
from optimize.rules import Draft, missing_packages, most_epochs, study_problems, sweep_problems
from optimize.sections import RunConfig, StudyConfig
from optimize.space import SearchSpace, Values, short_names
from optimize.tables import DamagedFile
from optimize.writing import block

CONFIGS = "configs"
"""The folder of sweep files whose folders the results mirror."""
RESULTS = Path("results")
"""The folder of all results."""
LONGEST_QUESTION = 200
MOST_SWEPT = 100
_MOST_EXPLAINED = 100  # of a file with more mistakes than that, nobody reads where each key belongs
_TOO_MANY = f"one value more than the {MOST_SWEPT} that can be swept at most"


class SweepFile(Section):
    """A sweep file, in which choices and ranges may stand instead of values of `model` and `train`."""

    name: Name | None = None
    """Name of the sweep, and of its folder in results/; the file's own name unless written."""
    question: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)] | None = None
    """What the sweep answers: the title of its charts and its report."""
    data: DataConfig
    """Which images, and which of them train and validate."""
    model: dict[str, Any]
    """The network."""
    train: dict[str, Any] = Field(default_factory=dict)
    """How it is trained."""
    study: StudyConfig = StudyConfig()
    """Which trials there are, and how they are compared."""
    run: RunConfig = RunConfig()
    """Where and how trials are trained."""


@dataclass(frozen=True)
class SweepConfig:
    """A sweep, whole and checked."""

    name: str
    question: str
    base: TrainingConfig
    """The training in which everything swept has its first value."""
    space: SearchSpace
    study: StudyConfig
    run: RunConfig
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """By path, where a value comes from that another sweep decides: `the winner of pooling`."""
    group: str = field(default="", compare=False, kw_only=True)
    """The folders between `configs` and the sweep's file, which its results mirror: `study`, of
    configs/study/loss.yaml."""
    document: Document = field(compare=False, repr=False, kw_only=True)
    """The file, for complaints that point at a line of it."""
    _sections: dict[str, Plain] = field(compare=False, repr=False, kw_only=True)
    """Plain data of `data`, `model` and `train`."""

    @property
    def study_name(self) -> str:
        """What Optuna's storage calls the sweep: `loss`, or `study/loss` of configs/study/loss.yaml."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def usual_results(self) -> Path:
        """The folder that holds the sweep's own where nobody names another: results, or results/study."""
        return RESULTS / self.group

    @property
    def most_epochs(self) -> int | None:
        """Epochs of the longest trial; None where they cannot be told."""
        return most_epochs(self.space, self.base)

    def concrete(self, values: Values) -> TrainingConfig:
        """The training in which the swept parameters have these values; those absent have their defaults.

        Raises:
            ConfigError: If there is no such training.
        """
        config, problems = check_training(substituted(self._sections, self.space, values))
        if config is None:
            raise ConfigError(complaints(self.document, problems))
        return config

    def allows(self, values: Values) -> bool:
        """Whether there is a training with these values, though they may lie outside the search space."""
        return check_training(substituted(self._sections, self.space, values))[0] is not None

    def refusal(self, place: KeyPath, message: str) -> ConfigError:
        """What is found wrong with a value of the file only when it is used, by line."""
        return ConfigError(complaints(self.document, [Problem(place, message)]))

    def written(self, path: str) -> Plain:
        """The value at a path as it was written, or as another sweep decided it; defaults are left out."""
        return value_at(self._sections, keys_of(path))

    def with_data(self, data: DataConfig) -> SweepConfig:
        """The same sweep on other images: on those that are used where the file's own cannot be had."""
        sections = {**self._sections, "data": data.model_dump()}
        return replace(self, base=replace(self.base, data=data), _sections=sections)

    def with_threads(self, threads: int) -> SweepConfig:
        """The same sweep with other cores for each trial."""
        return replace(self, run=self.run.model_copy(update={"threads": threads}))

    def resolved(self) -> str:
        """The sweep file with everything that was left out written in; it loads to an equal sweep."""
        return block(self.to_dict(), self.origins)

    def to_dict(self) -> dict[str, Any]:
        """Every value by section and key, what is swept as it stands in a file."""
        concrete = self.base.to_dict()
        sections: Any = {key: _ordered(_stated(concrete[key]), self._sections[key]) for key in SECTIONS}
        if "model.network" in self.space:  # the keys of one network are not those of the next
            sections["model"] = self._sections["model"]
        for parameter in self.space.parameters:
            sections = placed(sections, keys_of(parameter.path), parameter.written())
        points = ("start", "baseline")
        study = _stated(self.study.model_dump(mode="json", exclude=set(points)))
        study |= {key: getattr(self.study, key) for key in points}
        run = self.run.model_dump(mode="json")
        return {"name": self.name, "question": self.question, **sections, "study": study, "run": run}

    def identity(self) -> dict[str, Any]:
        """What a trial of this sweep means, JSON-able: a study is resumed only where all of it is the same.

        More trials, seeds of a grid, workers or time mean the same trials; so do another pruner, baseline or factor.
        """
        whole = self.to_dict()
        seeds = () if self.study.sampler.name == "grid" else ("seeds",)  # the one that every draw is trained with
        study = {key: whole["study"][key] for key in ("metric", "sampler", "folds", *seeds)}
        return {
            **{section: whole[section] for section in SECTIONS},
            "study": {**study, "direction": self.study.direction},
            "run": {"precision": self.run.precision},
        }


def group_of(path: Path | str) -> str:
    """The folders between `configs` and a sweep file, `study` of configs/study/loss.yaml; nothing elsewhere."""
    parts = Path(os.path.normpath(path)).parent.parts
    above = len(parts) - parts[::-1].index(CONFIGS) if CONFIGS in parts else len(parts)
    return "/".join(parts[above:])


def load_config(
    path: Path | str, overrides: Iterable[str] = (), results: Path | str | None = None, *, to_run: bool = True
) -> SweepConfig:
    """The sweep that a file describes, checked as a whole.

    Args:
        path: The file.
        overrides: The command line's `PATH=VALUE`.
        results: The parent of the sweeps' folders, where `{winner: ...}` finds verdicts; the usual one unless given.
        to_run: Whether what its sampler needs must be installed here, rather than where the sweep was run.

    Raises:
        ConfigError: With everything that is wrong, by line.
    """
    group = group_of(path)
    parent = RESULTS / group if results is None else Path(results)
    return replace(sweep_of(read(path, overrides), Path(path).stem, parent, to_run=to_run), group=group)


def stored_sweep(results: Results) -> SweepConfig:
    """The sweep whose results these are, as it was run; what running it needs may be missing here.

    Raises:
        optimize.tables.DamagedFile: the file that was kept holds no sweep.
    """
    try:
        return load_config(results.sweep_file, to_run=False)
    except ConfigError as error:
        first = error.complaints[0]
        raise DamagedFile(results.sweep_file, f"line {first.line}: {first.message}") from None


def sweep_of(document: Document, stem: str, results: Path, *, to_run: bool = True) -> SweepConfig:
    """The sweep that a document describes; `stem` is its name where it names none. See `load_config`.

    Args:
        document: What was read.
        stem: Its file's name.
        results: The parent of the other sweeps' folders.
        to_run: Whether what its sampler needs must be installed here.
    """

    def refused(other: Document) -> ConfigError | None:
        sweep, problems = _checked(other, stem, results, to_run=to_run)
        return _told(other, problems) if sweep is None else None

    sweep, problems = _checked(document, stem, results, to_run=to_run)
    if sweep is not None:
        return sweep
    told = _told(document, problems)
    raise told if len(problems) > _MOST_EXPLAINED else told_of_the_whole(document, problems, told, refused)


def _checked(document: Document, stem: str, results: Path, *, to_run: bool) -> tuple[SweepConfig | None, list[Problem]]:
    """The sweep that a document describes, or everything that is wrong with it, as it is found."""
    misplaced = _misplaced(document.data)
    file, problems = check(SweepFile, _without(document.data, misplaced))
    written = {problem.path for problem in misplaced}
    study, _ = check(StudyConfig, document.data.get("study", {}))  # by itself: its rules do not wait for the rest
    swept = _read_swept(document.data, results)
    told = {(problem.path, problem.message) for problem in swept.problems}
    problems = [problem for problem in problems if (problem.path, problem.message) not in told]
    problems += _bad_name(stem) if document.data.get("name") is None else []
    problems += swept.problems
    if study is not None:
        problems += study_problems(study) + (missing_packages(study) if to_run else [])
        if swept.is_whole:
            problems += sweep_problems(Draft(study, swept.space, swept.base))
    problems = [*misplaced, *(problem for problem in problems if problem.path not in written)]
    if problems or file is None or swept.base is None:
        return None, problems
    return _sweep(document, stem, file, swept), []


def _sweep(document: Document, stem: str, file: SweepFile, swept: _Swept) -> SweepConfig:
    """The sweep of a file in which nothing is wrong."""
    assert swept.base is not None
    return SweepConfig(
        file.name or stem,
        file.question or _question(swept.space),
        swept.base,
        swept.space,
        _in_space(file.study, swept.space),
        file.run,
        swept.origins,
        document=document,
        _sections=swept.sections,
    )


def _told(document: Document, problems: list[Problem]) -> ConfigError:
    """What is wrong with a document, in words for a person: explained, each mistake once."""
    sections = SweepFile.model_fields
    explained = [of_a_sweep(problem, document.data, sections) for problem in problems[:_MOST_EXPLAINED]]
    explained = without_consequences(explained, document.data, sections)
    return ConfigError(map(as_an_override, complaints(document, [*explained, *problems[_MOST_EXPLAINED:]])))


class _Swept(NamedTuple):
    """`data`, `model` and `train` of a file."""

    sections: dict[str, Plain]
    """Plain data, with the first value of all that is swept."""
    space: SearchSpace
    base: TrainingConfig | None
    origins: dict[str, str]
    problems: list[Problem]
    is_whole: bool
    """Whether all that is swept could be told."""


def _read_swept(data: Mapping[str, Plain], results: Path) -> _Swept:
    sections: dict[str, Plain] = {key: data.get(key) or {} for key in SECTIONS}
    found = extract(sections, results)
    sections |= {section: found.sections.get(section, {}) for section in SWEEPABLE}  # one may wait for what is broken
    surplus = [Problem(keys_of(parameter.path), _TOO_MANY) for parameter in found.parameters[MOST_SWEPT:][:1]]
    if surplus:  # of each, values and pairs of values would be looked at
        checked = check_combinations(sections, SearchSpace(()))
        return _Swept(sections, SearchSpace(()), None, {}, [*found.problems, *surplus, *checked], is_whole=False)
    space, circular = conditioned(found.parameters, found.conditions)
    problems = [*found.problems, *circular]
    if not circular:
        problems += [found.located(p) for p in check_combinations(sections, space) if not found.is_about_broken(p)]
    base, _ = check_training(substituted(sections, space, space.complete({})))
    is_whole = not found.broken and not circular and all(isinstance(data.get(key, {}), dict) for key in SWEEPABLE)
    return _Swept(sections, space, base, found.origins, problems, is_whole=is_whole)


def _stated(section: dict[str, Any]) -> dict[str, Any]:
    """A section whose mappings are without what is null in them, as it is where it is not written."""
    return {
        key: {name: item for name, item in value.items() if item is not None} if isinstance(value, dict) else value
        for key, value in section.items()
    }


def _ordered(section: Any, written: Plain) -> Any:
    """A section with its keys in the order in which they were written; those that were not follow."""
    if not isinstance(section, dict) or not isinstance(written, dict):
        return section
    keys = [*(key for key in written if key in section), *(key for key in section if key not in written)]
    return {key: _ordered(section[key], written.get(key)) for key in keys}


def _misplaced(data: Mapping[str, Plain]) -> list[Problem]:
    """Choices and ranges in sections that cannot be swept."""
    message = "only values under `model` and `train` can be swept"
    return [
        Problem((section, *path), message)
        for section in ("data", "study", "run")
        for path in forms_within(data.get(section))
    ]


def _without(data: Plain, problems: Iterable[Problem]) -> Plain:
    """`data` without the values that have been complained of, which are not to be complained of again."""
    for problem in problems:
        data = removed(data, problem.path)
    return data


def _bad_name(stem: str) -> list[Problem]:
    """What is wrong with the name that a sweep would have from its file."""
    try:
        valid_name(stem)
    except ValueError as error:
        message = f"the sweep would be named after its file, but {error}"
        return [Problem(("name",), message, "write `name: ...` into the file")]
    return []


def _question(space: SearchSpace) -> str:
    """`Which pooling is best?`, or of a sweep of one `How good is what is written?`."""
    if not space.parameters:
        return "How good is what is written?"
    titles = {"train": "training"} | short_names(path for path in space.paths if path != "train")
    names = [titles[path].replace("_", " ").replace(".", " ") for path in space.paths]
    listed = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    question = f"Which {listed} {'is' if len(names) == 1 else 'are'} best?"
    return question if len(question) <= LONGEST_QUESTION else f"Which values of {len(names)} parameters are best?"


def _in_space(study: StudyConfig, space: SearchSpace) -> StudyConfig:
    """The study with the values of its points as they stand in the search space."""
    start = tuple(map(space.own, study.start))
    baseline = None if study.baseline is None else space.complete(space.own(study.baseline))
    return study.model_copy(update={"start": start, "baseline": baseline})
