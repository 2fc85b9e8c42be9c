from pathlib import Path

from tables import markdown_table, write_section


def test_a_tables_columns_line_up() -> None:
    assert markdown_table(("what", "s"), [("a", "1.0"), ("longer", "12.0")]).splitlines() == [
        "| what   |    s |",
        "| ------ | ---: |",
        "| a      |  1.0 |",
        "| longer | 12.0 |",
    ]


def test_a_section_replaces_its_own_former_self_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    write_section(path, "one", "## One\n\nfirst")
    write_section(path, "two", "## Two\n\nsecond")
    before = path.read_text()
    write_section(path, "one", "## One\n\nfirst")
    assert path.read_text() == before
    write_section(path, "one", "## One\n\nanew")
    text = path.read_text()
    assert text == before.replace("first", "anew")
    assert text.index("## One") < text.index("## Two")
    assert text.startswith("# Results\n")


def test_a_section_that_ends_in_another_ones_name_is_not_taken_for_it(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    write_section(path, "peers long", "long")
    write_section(path, "long", "short")
    assert path.read_text().count("<!-- peers long -->") == path.read_text().count("<!-- long -->") == 1
