"""Imports torchvision and timm so that they load beside a CPU build of torch.

torch is installed here and in small images as a CPU wheel while the registry's Linux torchvision is a CUDA build. Its
C++ operators then do not load, and `import torchvision` fails where it registers a fake kernel for two of them.
Declaring these two first is enough: everything of torchvision written in Python works. (Its C++ image codecs do not;
pictures come in through `images.py`.) No other module imports torchvision or timm before this one.
"""

import importlib.util
from pathlib import Path

import torch


def _torchvision_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    origin = spec.origin if spec else None
    assert origin is not None, "torchvision is not installed: see requirements.txt"
    library = next(Path(origin).parent.glob("_C.*"), None)
    if library is None:
        return False
    try:
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]  # torch does not annotate these three
    except OSError:  # the loader's words for a missing libtorch_cuda
        return False
    return True


if not _torchvision_operators_load():
    # Kept alive for the life of the process: the declarations vanish with this object.
    _DECLARED = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for _operator in ("nms", "qnms"):
        _schema = f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        _DECLARED.define(_schema)  # type: ignore[no-untyped-call]

import timm  # noqa: E402  after the declarations above
import timm.optim  # noqa: E402
import timm.scheduler  # noqa: E402
import torchvision  # noqa: E402
import torchvision.models as torchvision_models  # noqa: E402
import torchvision.transforms.v2 as transforms  # noqa: E402

__all__ = ["timm", "torchvision", "torchvision_models", "transforms"]
