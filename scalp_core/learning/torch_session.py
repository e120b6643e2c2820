"""A run's network answering through torch, on a GPU where there is one: the runtime `torch` of `inference.session`."""

import torch

from scalp_core.inference.session import RUNTIMES, Network, Outputs, Pictures
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.export import ExportedNetwork
from scalp_core.runs.run import Run, Serving


def network(run: Run, _serving: Serving, _threads: int) -> Network:
    """Return the network of a run in full precision.

    Raises:
        ScalpError: the run is damaged.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    exported = ExportedNetwork(load_network(run)).eval().to(device)

    def outputs(pictures: Pictures) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(values.cpu().numpy() for values in exported(torch.tensor(pictures, device=device))))

    return outputs


RUNTIMES["torch"] = network
