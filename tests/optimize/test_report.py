"""The report: one file that says everything, fetches nothing, runs nothing, and reads well anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
import shutil
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import fake_results
import pandas as pd
import pytest
from fake_results import FAKES, HOSTILE, NOTICE
from PIL import Image

from optimize import report
from optimize.results import Results
from optimize.tables import read_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: on Debian, apt-get install chromium")
DARK = "--blink-settings=preferredColorScheme=0"
CARD = {
    "sha256": "ab" * 32,
    "configuration": "blur",
    "trial": 7,
    "seed": 1,
    "epoch": 6,
    "test": {"accuracy": 0.9812, "low": 0.9601, "high": 0.9913, "n": 360, "crossentropy": 0.05},
}

Made = Callable[..., tuple[Results, str]]


class Outline(HTMLParser):
    """What of a page a test asks about: its tags with their attributes, its headings, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "tags are nested as they should be"

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", " ".join(data.split())))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def said(self) -> str:
        return " ".join(text for tag, text in self.texts if tag != "style")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Makes a made-up sweep with its report; returns its folder and the page."""
    kept: dict[str, tuple[Results, str]] = {}

    def of(name: str, *, card: bool = False, **changes: object) -> tuple[Results, str]:
        key = f"{name} {card} {sorted(changes)}"
        if key not in kept:
            results = fake_results.made(tmp_path_factory.mktemp("sweep"), name, **changes)
            if card:
                results.card_file.write_text(json.dumps(CARD))
            assert report.write(results) == results.report
            kept[key] = results, results.report.read_text(encoding="utf-8")
        return kept[key]

    return of


@pytest.mark.parametrize("name", ["learning_rate", "hostile"])
def test_a_page_is_whole_and_nothing_warns(tmp_path: Path, name: str) -> None:
    results = fake_results.made(tmp_path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.write(results)
    outline = Outline(results.report.read_text(encoding="utf-8"))
    assert outline.tags[0][0] == "html"
    assert not list(results.folder.glob(".report*")), "nothing half-written is left"


def test_nothing_is_fetched_or_run(made: Made) -> None:
    _, page = made("joint")
    outline = Outline(page)
    assert {tag for tag, _ in outline.tags}.isdisjoint({"script", "link", "iframe", "object", "form", "base"})
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in outline.all("img"))
    assert all(link["href"].startswith("#") for link in outline.all("a"))
    assert "http" not in re.sub(r"data:[^\"]*", "", page).replace("http-equiv", "")
    assert not any(name.startswith("on") or name == "style" for _, attributes in outline.tags for name in attributes)


def test_the_policy_allows_this_style_sheet_and_no_other(made: Made) -> None:
    _, page = made("pooling")
    (policy,) = (meta["content"] for meta in Outline(page).all("meta") if "http-equiv" in meta)
    style = page.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_charts_hold_no_script_and_fetch_nothing(made: Made) -> None:
    _, page = made("cube")
    for image in Outline(page).all("img"):
        svg = base64.b64decode(image["src"].split(",")[1]).decode()
        assert "<script" not in svg
        assert not re.search(r"href=\"(?!#|data:)", svg)
        assert "prefers-color-scheme:dark" in svg


def test_hostile_texts_are_shown_as_they_are(made: Made) -> None:
    _, page = made("hostile")
    assert "<script>" not in page
    outline = Outline(page)
    assert ("h1", HOSTILE) in outline.texts
    assert ("title", HOSTILE) in outline.texts
    assert "ResourceExhausted: <out of memory> & 'killed'" in outline.said


def test_the_verdict_stands_first_with_its_chart(made: Made) -> None:
    results, page = made("pooling")
    verdict = results.verdict()
    assert verdict is not None
    outline = Outline(page)
    sentence = html.escape(verdict["sentence"], quote=False)
    assert page.index(sentence) < page.index("<img")
    assert outline.all("img")[0]["alt"].startswith("Chart, Every choice, trial by trial: ")
    assert outline.all("img")[0]["alt"].endswith(verdict["sentence"])
    assert ("p", "Decided" if verdict["decided"] else "Open") in outline.texts
    assert all(condition in outline.said for condition in verdict["conditions"])


def test_the_notice_about_the_data_stands_on_top(made: Made) -> None:
    _, page = made("pooling")
    assert page.index(NOTICE) < page.index("Verdict</a>")
    _, quiet = made("cube")
    assert NOTICE not in quiet
    assert 'role="note"' not in quiet


def test_every_choice_and_pair_is_in_a_table(made: Made) -> None:
    results, page = made("learning_rate")
    verdict = results.verdict()
    assert verdict is not None
    cells = [text for tag, text in Outline(page).texts if tag in ("td", "th")]
    for choice in verdict["choices"]:
        assert choice["choice"] in cells
        assert any(
            float(cell[:-2]) == pytest.approx(100 * choice["mean"], abs=0.006) for cell in cells if "%" in cell[-1:]
        )
    assert cells.count("yes") + cells.count("open") == len(verdict["pairs"])
    for column in ("seeds", "mean", "standard deviation (points)", "95 % interval", "p (Holm)"):
        assert column in cells
    assert "So many more decide an open pair with probability 0.8" in page


def test_every_trial_is_listed_with_what_became_of_it(made: Made) -> None:
    results, page = made("joint")
    outline = Outline(page)
    trials = results.trials()
    rows = Counter(attributes["class"] for attributes in outline.all("tr") if "class" in attributes)
    assert rows == Counter(trials["state"])
    headings = [text for tag, text in outline.texts if tag == "h3"]
    assert "Search: 100 trials" in headings
    assert "Confirmation: 15 trials" in headings
    cells = [text for tag, text in outline.texts if tag == "td"]
    assert cells.count("✗ failed") == (trials["state"] == "failed").sum()
    assert cells.count("✂ pruned") == (trials["state"] == "pruned").sum()
    assert cells.count("2 ↻") + cells.count("3 ↻") == (trials["attempts"] > 1).sum()
    assert cells.count(fake_results.REASONS["failed"]) == (trials["state"] == "failed").sum()


def test_settings_and_provenance_are_there_in_full(made: Made) -> None:
    results, page = made("cube")
    assert html.escape(results.sweep_file.read_text(), quote=False).strip().splitlines()[0] in page
    said = Outline(page).said
    for value in ("AMD EPYC 9R14", "2.21.0", "9f2c" * 16, "28 × 28 × 1", "float32"):
        assert value in said


def test_no_line_can_begin_with_a_per_cent_sign(made: Made) -> None:
    """But what was written in the sweep file is shown to the letter."""
    results, _ = made("pooling", card=True)
    results.sweep_file.write_text(results.sweep_file.read_text() + "# 5 % of what there is\n")
    page = report.write(results).read_text(encoding="utf-8")
    head, settings, tail = re.split("<pre>|</pre>", page)
    assert "95\N{NO-BREAK SPACE}% interval" in head
    assert not re.search(r"\d %", re.sub("<style>.*?</style>", "", head, flags=re.DOTALL) + tail)
    assert "# 5 % of what there is" in settings


def test_of_folds_the_facts_are_those_of_one_fold(tmp_path: Path) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 5, "folds": 5})
    for file in (results.trials_file, results.curves_file):
        table = read_table(file)
        table.assign(fold=table["seed"], seed=0).to_csv(file, index=False)
    report.write(results)
    said = Outline(results.report.read_text(encoding="utf-8")).said
    assert "Data digits: 1,150 to train on, 287 to validate on, in each of 5 folds" in said
    assert re.search(r"Spread over folds \d\.\d+ points", said)
    assert "Spread over seeds" not in said


def test_the_model_and_its_test_score_stand_apart(made: Made) -> None:
    _, page = made("pooling", card=True)
    outline = Outline(page)
    assert ("h2", "The model") in outline.texts
    assert "test accuracy 98.12 % (95 % 96.01 to 99.13, 360 images)" in outline.said
    assert "the test images were scored once" in outline.said
    assert ("h2", "The model") not in Outline(made("pooling")[1]).texts


def test_a_factor_is_reported_at_its_best_and_the_finalists_too(made: Made) -> None:
    results, page = made("joint", study={**FAKES["joint"].study, "compare": "model.pooling"})
    headings = [text for tag, text in Outline(page).texts if tag == "h3"]
    assert "Choices, each at its best" in headings
    assert "Finalists, trained again on fresh seeds" in headings
    assert headings.index("Differences between choices") < headings.index("Differences between finalists")
    assert "Least squares over all complete trials of the search;" in page
    trials = results.trials()
    searched = ((trials["state"] == "complete") & (trials["purpose"] == "search")).sum()
    counts = re.search(r"What each value adds.*?</table>", page, re.DOTALL)
    assert counts is not None
    added = re.findall(r">pooling<.*?>\w+<.*?>(\d+)<", counts[0])
    assert sum(map(int, added)) == searched


def test_effects_without_intervals_have_the_same_digits(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    effects = pd.DataFrame(
        [("model.pooling", "max", 1, 0.0042), ("model.kernel_size", "3", 1, -1.5e-8)],
        columns=["path", "level", "n", "effect"],
    ).assign(standard_error=None, low=None, high=None)
    monkeypatch.setattr("optimize.report.tables.marginal_effects", lambda *_, **__: effects)
    page = made("joint", failed=0.0)[1]
    table = re.search(r"What each value adds.*?</table>", page, re.DOTALL)
    assert table is not None
    assert ">0.42<" in table[0]
    assert ">0.00<" in table[0]


def test_a_sweep_whose_trials_all_failed_still_has_a_report(made: Made) -> None:
    _, page = made("pooling", failed=1.0)
    outline = Outline(page)
    assert "There is no verdict: no trial is complete." in outline.said
    assert len([tag for tag, attributes in outline.tags if attributes.get("class") == "failed"]) == 20


def test_charts_that_make_no_sense_are_named_with_the_reason(made: Made) -> None:
    said = Outline(made("pooling")[1]).said
    assert "contour: a contour needs a swept range and another parameter beside it" in said


@pytest.mark.parametrize("name", ["joint", "hostile"])
def test_the_page_is_accessible(made: Made, name: str) -> None:
    outline = Outline(made(name)[1])
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert outline.all("html")[0]["lang"] == "en"
    assert all(len(image["alt"]) > 20 for image in outline.all("img"))
    assert all(header["scope"] in ("col", "row") for header in outline.all("th"))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in outline.all("a")} <= set(ids)
    assert {attributes["aria-labelledby"] for _, attributes in outline.tags if "aria-labelledby" in attributes} <= set(
        ids
    )
    for box in (attributes for _, attributes in outline.tags if attributes.get("class") == "scroll"):
        assert box["tabindex"] == "0", "what scrolls can be scrolled with the keyboard"


def test_writing_again_gives_the_same_page(made: Made) -> None:
    results, page = made("cube")
    report.write(results)
    assert results.report.read_text(encoding="utf-8") == page


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(made: Made, tmp_path: Path, width: int, scheme: str) -> None:
    results, _ = made("joint")
    picture = screenshot(results.report, tmp_path, width, dark=scheme == "dark")
    colours = picture.quantize(16).convert("RGB").getcolors()
    assert colours is not None
    _, paper = max(colours)
    assert paper == pytest.approx((18, 22, 28) if scheme == "dark" else (255, 255, 255), abs=6)
    assert len(colours) > 8, "text and charts are drawn"
    right_edge = picture.crop((width - 4, 0, width, picture.height)).convert("L")
    low, high = right_edge.getextrema()
    assert high - low < 12, "nothing runs over the right edge"


@needs_chromium
def test_on_a_phone_the_facts_have_more_room_than_their_names(made: Made, tmp_path: Path) -> None:
    """Measured by a script in a copy of the page, in the narrowest window that Chromium opens."""
    _, page = made("cube", card=True)
    share_of = "(row) => row.cells[1].offsetWidth / row.offsetWidth"
    narrowest = f"Math.min(...[...document.querySelectorAll('.facts tr')].map({share_of}))"
    measured = tmp_path / "page.html"
    measured.write_text(re.sub("<meta http-equiv[^>]*>", "", page) + f"<script>document.title = {narrowest}</script>")
    dumped = chromium(tmp_path, "--window-size=390,1000", "--dump-dom", measured.as_uri()).stdout
    share = re.search("<title>([0-9.]+)</title>", dumped)
    assert share, "the page was measured"
    assert float(share[1]) > 0.5


@needs_chromium
def test_the_browser_refuses_nothing_of_the_page(made: Made, tmp_path: Path) -> None:
    results, _ = made("cube", card=True)
    log = chromium(tmp_path, "--enable-logging=stderr", "--v=0", "--dump-dom", results.report.as_uri())
    assert "Refused" not in log.stderr
    assert "Content Security Policy" not in log.stderr
    assert "The model" in log.stdout


def screenshot(page: Path, folder: Path, width: int, *, dark: bool) -> Image.Image:
    """The top of a page in a window of this width, which a frame makes as narrow as a phone's."""
    frame = folder / "frame.html"
    frame.write_text(
        "<!doctype html><body style='margin:0;overflow:hidden'>"
        f"<iframe src='{page.as_uri()}' width={width} height=3000 style='border:0;display:block'></iframe>"
    )
    picture = folder / "page.png"
    window = f"--window-size={max(width, 600)},3000"
    chromium(folder, f"--screenshot={picture}", window, "--hide-scrollbars", *([DARK] if dark else []), frame.as_uri())
    with Image.open(picture) as image:
        return image.convert("RGB").crop((0, 0, width, image.height))


def chromium(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Chromium without a window, a profile or a network."""
    assert CHROMIUM is not None
    return subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", *arguments,
        ],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_pruning_says_what_it_saved_and_what_each_rule_would_have_cost(made: Made) -> None:
    _, page = made("joint")
    said = Outline(page).said
    assert re.search(r"Saved by pruning \d+ epochs, \d+ % of the search", said)
    assert "What each pruner would have done" in said
    assert "hyperband" in said


def test_a_sweep_of_too_few_trials_is_not_replayed(made: Made) -> None:
    _, page = made("pooling", study={"seeds": 2})
    assert "What each pruner" not in Outline(page).said
