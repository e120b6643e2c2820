"""A run's network answering through torch, on a GPU where there is one. Loaded where `SCALP_RUNTIME` asks for it."""

import torch

from scalp_core.inference.session import Network, Outputs, Pictures
from scalp_core.learning.network import Exported
from scalp_core.learning.train import load_network
from scalp_core.runs.runs import Run


def network(run: Run) -> Network:
    """Raises ScalpError where the run is damaged."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    exported = Exported(load_network(run)).eval().to(device)

    def outputs(pictures: Pictures) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(values.cpu().numpy() for values in exported(torch.tensor(pictures, device=device))))

    return outputs
