"""The oracle: what drawn quantities tell of a severity, and the command that puts it beside the ceiling."""

import numpy as np
import pytest

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.cues import cues_of
from scalp_core.synthetic.fidelity import scene_of
from scalp_core.synthetic.label_noise import best_grades, best_kappa, expected_kappa, label_chances
from scalp_core.synthetic.oracle import OracleResult, ask_oracle, drawn_quantities, estimated_severity
from training import oracle as command


def quantities(condition: Condition, severity: float, seed: int) -> np.ndarray:
    cues = cues_of(scene_of({condition: severity}, seed), np.random.default_rng(seed))
    return drawn_quantities(cues)[CONDITIONS.index(condition)]


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c is not Condition.HAIR_LOSS], ids=lambda c: c.code)
def test_the_drawn_area_grows_with_severity(condition: Condition) -> None:
    areas = [np.mean([quantities(condition, level, seed)[0] for seed in range(3)]) for level in (0, 1, 2, 3)]
    assert areas[0] == 0
    assert (np.diff(areas) > 0).all(), areas


def test_hair_that_is_lost_is_less() -> None:
    covered = [np.mean([quantities(Condition.HAIR_LOSS, level, seed)[0] for seed in range(8)]) for level in (0, 3)]
    assert covered[1] < 0.7 * covered[0]


def test_an_estimate_follows_telling_quantities_alone() -> None:
    generator = np.random.default_rng(0)
    severity = generator.uniform(0, 3, 200)
    captures = np.repeat(np.arange(50), 4).astype(str)
    telling = estimated_severity(np.stack([severity * 2, np.zeros(200)], axis=1), severity, captures)
    silent = estimated_severity(generator.normal(size=(200, 2)), severity, captures)
    assert abs(telling - severity).mean() < 0.15
    assert abs(silent - severity).mean() > 0.5


def test_an_exact_estimate_reaches_the_ceiling() -> None:
    severities = np.random.default_rng(1).uniform(0, 3, (60, 6))
    chances = label_chances(severities)[:, 0]
    assert expected_kappa(best_grades(chances), chances) == best_kappa(chances)
    assert expected_kappa(np.full(60, 2), chances) == pytest.approx(0)


def test_no_oracle_is_above_the_ceiling() -> None:
    results = ask_oracle(24, 0, processes=1)
    assert [result.condition for result in results] == list(CONDITIONS)
    assert all(result.oracle <= result.ceiling + 1e-9 for result in results)


@pytest.mark.parametrize(("oracle", "code"), [(0.9, 0), (0.6, 1), (float("nan"), 1)])
def test_the_command_fails_where_drawings_fall_short(
    oracle: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = OracleResult(Condition.DANDRUFF, 12, 0.95, oracle)
    monkeypatch.setattr(command, "ask_oracle", lambda *_, **__: [result])
    assert command.main(["--images", "20", "--markdown"]) == code
    printed = capsys.readouterr().out
    assert ("SHORT" in printed) == bool(code)
    assert printed.startswith("| condition |")


@pytest.mark.parametrize("flags", [["--images", "3"], ["--seed", "-1"]])
def test_impossible_requests_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err
