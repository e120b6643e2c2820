"""Scalp Lab's core: everything that is true without a page, a server or a command line around it."""

import os

__version__ = "0.1.0"

if os.environ.get("SCALP_RUNTIME") == "torch":
    # Seconds and 300 MB that are spent only where torch is to answer: the runtime registers itself.
    from scalp_core.learning import torch_session as torch_session
