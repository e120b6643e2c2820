"""Losses against torch and dlordinal, at the ends of what a float holds, and what they think of a far error."""

import pytest
import torch
from dlordinal.losses import CDWCELoss
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from scalp_core.learning.losses import DISTANCE_POWER, cue_loss, loss_of, teacher_loss

NAMES = ["cross_entropy", "smoothed", "triangular", "beta", "distance_weighted"]
every_loss = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(40, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def truth() -> Tensor:
    return torch.arange(40) % 4


def targets(truth: Tensor) -> Tensor:
    return one_hot(truth, 4).float()


def soft_labels(name: str) -> Tensor:
    """Return the soft label of each true grade: at even odds the gradient of the loss is 1/4 less that."""
    logits = torch.zeros(4, 4, requires_grad=True)
    loss_of(name)(logits, torch.eye(4), torch.ones(4)).backward()
    assert logits.grad is not None
    return 1 / 4 - logits.grad


@pytest.mark.parametrize(("name", "smoothing"), [("cross_entropy", 0.0), ("smoothed", 0.1)])
def test_cross_entropy_is_torch_s(logits: Tensor, truth: Tensor, name: str, smoothing: float) -> None:
    weights = torch.rand(40, generator=torch.Generator().manual_seed(1))
    each = cross_entropy(logits, truth, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(loss_of(name)(logits, targets(truth), weights), (each * weights).sum())


def test_distance_weighted_is_dlordinal_s(logits: Tensor, truth: Tensor) -> None:
    theirs = CDWCELoss(num_classes=4, alpha=DISTANCE_POWER)(logits, truth)
    torch.testing.assert_close(loss_of("distance_weighted")(logits, targets(truth), torch.ones(40)) / 40, theirs)


@pytest.mark.parametrize("name", ["smoothed", "triangular", "beta"])
def test_soft_labels_are_distributions_about_the_true_grade(name: str) -> None:
    labels = soft_labels(name)
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(4))
    torch.testing.assert_close(labels, labels.flip(0, 1), msg="grade 3 is treated as grade 0 is")
    assert labels.min() > -1e-6
    assert torch.equal(labels.argmax(dim=1), torch.arange(4))
    assert (labels.diagonal() > 0.6).all()


@pytest.mark.parametrize("name", ["triangular", "beta"])
def test_ordinal_soft_labels_fall_with_the_distance(name: str) -> None:
    for grade, row in enumerate(soft_labels(name)):
        assert (row[: grade + 1].diff() > -1e-6).all()
        assert (row[grade:].diff() < 1e-6).all()


@every_loss
def test_a_mixed_target_costs_the_mixture(logits: Tensor, truth: Tensor, name: str) -> None:
    loss, weights, share = loss_of(name), torch.ones(40), 0.3
    mixed = loss(logits, share * targets(truth) + (1 - share) * targets(3 - truth), weights)
    parts = share * loss(logits, targets(truth), weights) + (1 - share) * loss(logits, targets(3 - truth), weights)
    torch.testing.assert_close(mixed, parts)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_give_a_finite_loss_and_gradient(name: str, dtype: torch.dtype) -> None:
    corners = (160 * torch.eye(4) - 80).repeat(4, 1).to(dtype).requires_grad_()
    loss = loss_of(name)(corners, targets(torch.arange(4).repeat_interleave(4)), torch.ones(16))
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert corners.grad is not None
    assert torch.isfinite(corners.grad).all()


@every_loss
def test_the_gradient_leads_to_the_true_grade(name: str) -> None:
    logits = torch.zeros(4, 4, requires_grad=True)
    optimizer, loss = torch.optim.Adam([logits], lr=0.1), loss_of(name)
    for _ in range(100):
        optimizer.zero_grad()
        loss(logits, targets(torch.arange(4)), torch.ones(4)).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(dim=1), torch.arange(4))


@pytest.mark.parametrize("name", ["triangular", "beta", "distance_weighted"])
def test_a_neighbour_costs_less_than_a_far_grade(name: str) -> None:
    sure = 4 * torch.eye(4)
    costs = [float(loss_of(name)(sure[g : g + 1], targets(torch.tensor([0])), torch.ones(1))) for g in range(4)]
    assert costs[0] < costs[1] <= costs[2] <= costs[3]
    assert costs[1] < costs[3]


def test_distance_weighted_prefers_grade_of_least_squared_error() -> None:
    # Half of such pictures are 0, the others 2 or 3: what errs least in the square is a grade none of them has.
    shares = torch.tensor([[0.5, 0.0, 0.25, 0.25]])
    logits = torch.zeros(1, 4, requires_grad=True)
    optimizer, loss = torch.optim.Adam([logits], lr=0.05), loss_of("distance_weighted")
    for _ in range(200):
        optimizer.zero_grad()
        loss(logits, shares, torch.ones(1)).backward()
        optimizer.step()
    assert logits.argmax() == 1


@every_loss
def test_nothing_at_all_costs_nothing(name: str) -> None:
    assert loss_of(name)(torch.empty(0, 4), torch.empty(0, 4), torch.empty(0)) == 0


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(KeyError):
        loss_of("hinge")


# ---- evidence that points ----


def test_evidence_learns_to_lie_on_cues() -> None:
    cues = torch.zeros(1, 2, 32, 32)
    cues[0, 0, 4:8, 20:24] = 1  # four cells of eight by eight: the second has no cue
    evidence = torch.zeros(1, 2, 4, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([evidence], lr=0.3)
    first = float(cue_loss(evidence.detach(), cues))
    for _ in range(50):
        optimizer.zero_grad()
        cue_loss(evidence, cues).backward()
        optimizer.step()
    speaking = (evidence[:, :, 1:].logsumexp(dim=2) - evidence[:, :, 0]).detach()
    assert speaking[0, 0].flatten().argmax() == 8 + 5
    assert (evidence[0, 1] == 0).all()
    assert float(cue_loss(evidence.detach(), cues)) < 0.1 * first


def test_cue_cost_ignores_how_much_evidence() -> None:
    cues = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    evidence = torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    more = evidence.clone()
    more[:, :, 1:] += 5
    torch.testing.assert_close(cue_loss(more, cues), cue_loss(evidence, cues))


def test_teacher_is_met_where_evidence_differs_by_nothing_that_tells() -> None:
    wanted = 3 * torch.randn(4, 3, 4, 16, 16, generator=torch.Generator().manual_seed(4))
    same = wanted + torch.randn(4, 3, 1, 16, 16, generator=torch.Generator().manual_seed(5))  # of all grades alike
    assert float(teacher_loss(same, wanted)) == pytest.approx(0, abs=1e-6)
    nothing = torch.zeros_like(wanted)
    assert float(teacher_loss(nothing, wanted)) == pytest.approx(1, abs=0.01)
    assert float(teacher_loss(10 * nothing, 10 * wanted)) == pytest.approx(1, abs=0.01)  # a share, whatever the size


@pytest.mark.parametrize("cells", [4, 12, 32])
def test_teacher_may_have_another_grid(cells: int) -> None:
    evidence = torch.zeros(2, 3, 4, cells, cells)
    evidence[:, :, 2, cells // 2 :] = 5.0
    wanted = torch.zeros(2, 3, 4, 16, 16)
    wanted[:, :, 2, 8:] = 5.0
    assert float(teacher_loss(evidence, wanted)) < 0.1
    assert float(teacher_loss(evidence.flip(3), wanted)) > 1
