"""The five families and their variants by name. Knows no weights; `models.py` builds them.

Apart from `models.py` so that pages and the runner can offer and check names without importing torch.
"""

import importlib.util
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from scalp_core.errors import ScalpError

FAMILIES: dict[str, tuple[str, ...]] = {
    "VGG": ("vgg11_bn", "vgg16_bn"),
    "ResNet": ("resnet18", "resnet50"),
    "EfficientNet": ("efficientnet_b0", "efficientnet_b4"),
    "GoogLeNet": ("googlenet",),
    "ViT": ("vit_tiny", "vit_small", "vit_base"),
}
ARCHITECTURES = tuple(variant for variants in FAMILIES.values() for variant in variants)

# Our short names for timm's; any other timm name works as it is.
_TIMM_NAMES = {name: f"{name}_patch16_224" for name in FAMILIES["ViT"]}

# What timm names look like: lower case, with an optional tag of the pretrained weights behind a dot.
ARCHITECTURE_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,80}(\.[a-z0-9_]{1,60})?")


def timm_name(architecture: str) -> str:
    """Return timm's name of an architecture."""
    return _TIMM_NAMES.get(architecture, architecture)


def check_architecture(architecture: str) -> None:
    """Raise ScalpError for a name that timm does not have; its tag of weights is looked at by `learning.network`.

    timm's names are read from its source: importing it takes torch along, which takes seconds that no page has.
    """
    base = timm_name(architecture).partition(".")[0]
    if architecture in ARCHITECTURES or not _timm_names() or base in _timm_names():
        return
    close = get_close_matches(base, sorted(_timm_names()), 3)
    en = f"Do you mean {', '.join(close)}?" if close else f"Use one of {', '.join(ARCHITECTURES)}."
    ko = f"혹시 {', '.join(close)}인가요?" if close else f"{', '.join(ARCHITECTURES)} 가운데 하나를 쓰세요."
    raise ScalpError(
        "unknown_architecture",
        f"timm has no architecture “{architecture[:80]}”. {en} Every name that timm.list_models() gives will do.",
        f"timm에 “{architecture[:80]}” 구조가 없어요. {ko} timm.list_models()에 나오는 이름은 모두 쓸 수 있어요.",
    )


# A function that timm registers as a model; and an older name for a newer one.
_REGISTERED = re.compile(r"""^@register_model\s+def (\w+)\(|^    ["'](\w+)["'] ?: ["'][\w.]+["'],?$""", re.MULTILINE)


@cache
def _timm_names() -> frozenset[str]:
    """Return the names of timm's models; none where its source is not there."""
    spec = importlib.util.find_spec("timm")
    folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path("/nowhere")
    texts = (path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    return frozenset(name or older for text in texts for name, older in _REGISTERED.findall(text))


def family(architecture: str) -> str:
    """`VGG`, `ResNet`, … or `other` for an expert's timm name."""
    return next((name for name, variants in FAMILIES.items() if architecture in variants), "other")


def weights_file(weights: str) -> Path:
    """The safetensors file that a recipe's `weights` names.

    Raises:
        ScalpError: it is not there, or another kind of file.
    """
    # A plain path: no “~” or variables, which mean something else to the runner.
    path = Path(weights)
    if path.suffix != ".safetensors" or len(weights) > 1000 or not path.is_file():
        raise ScalpError(
            "no_weights",
            f"“{weights[:100]}” is not a safetensors file on this machine. Give “pretrained”, “none” or its "
            "path; other formats can run code when opened and are not read.",
            f"“{weights[:100]}”은(는) 이 컴퓨터에 있는 safetensors 파일이 아니에요. “pretrained”, “none” 또는 파일 "
            "경로를 지정하세요. 다른 형식은 열 때 코드가 실행될 수 있어 읽지 않아요.",
        )
    return path
