import pytest
import throughput
from throughput import Measured, rank_correlation, ranks_lines, summary, throughput_table


def test_workers_are_added_up_against_their_own_roofs() -> None:
    row = summary("bfloat16", [Measured(1000.0, 50.0, 100.0, 1100.0, 0.8), Measured(3000.0, 150.0, 100.0, 3900.0, 0.6)])
    assert row.images_per_second == 4000
    assert row.share_of_roof == pytest.approx(1.0)
    assert row.share_of_bare == pytest.approx(0.8)
    assert row.computing == pytest.approx(0.7)
    assert row.share_while_computing == pytest.approx(1 / 0.7)


def test_the_table_names_rate_roof_and_share() -> None:
    row = summary("float32", [Measured(2000.0, 30.0, 120.0, 2500.0, 0.5)])
    cells = [cell.strip() for cell in throughput_table([row], flops=15e6).splitlines()[-1].split("|")[1:-1]]
    assert cells == ["float32", "1", "2,000", "30", "120", "25%", "50%", "80%"]


def test_operations_are_six_per_multiply_add_of_the_forward_pass() -> None:
    convolutions = 26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64
    assert throughput.flops_per_image() == 6 * (convolutions + 1600 * 10)


def test_ranks_are_compared_not_values() -> None:
    assert rank_correlation([0.1, 0.2, 0.9], [0.5, 0.6, 0.7]) == pytest.approx(1)
    assert rank_correlation([0.1, 0.2, 0.9], [0.7, 0.6, 0.5]) == pytest.approx(-1)


def test_a_winner_that_precision_changes_is_named() -> None:
    alike = {"max": [0.98, 0.99], "average": [0.95, 0.96], "blur": [0.97, 0.97]}
    other = {**alike, "average": [0.99, 1.0]}
    assert "name the same winner" in ranks_lines({"float32": alike, "bfloat16": alike})
    assert "name NOT the same winner, max and average" in ranks_lines({"float32": alike, "bfloat16": other})


def test_where_there_is_amx_bfloat16_is_measured_without_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("main.backend.instruction_flags", lambda: frozenset({"avx512_bf16"}))
    assert list(throughput.measurements()) == ["float32", "bfloat16"]
    monkeypatch.setattr("main.backend.instruction_flags", lambda: frozenset({"avx512_bf16", "amx_bf16"}))
    assert throughput.measurements()["bfloat16, no AMX"] == ("bfloat16", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"})
