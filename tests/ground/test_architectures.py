"""Names of architectures: the five families, and what may be typed in."""

import pytest

from scalp_core.architectures import (
    ARCHITECTURE_NAME,
    ARCHITECTURES,
    FAMILIES,
    _timm_names,
    check_architecture,
    family,
    timm_name,
)
from scalp_core.errors import ScalpError
from scalp_core.learning.backbones import timm


def test_the_five_families_are_offered() -> None:
    assert list(FAMILIES) == ["VGG", "ResNet", "EfficientNet", "GoogLeNet", "ViT"]
    assert len(set(ARCHITECTURES)) == sum(map(len, FAMILIES.values())) == len(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_variants_exist_in_timm_or_torchvision(name: str) -> None:
    assert ARCHITECTURE_NAME.fullmatch(name)
    assert name == "googlenet" or timm.is_model(timm_name(name))
    assert name in FAMILIES[family(name)]


def test_any_timm_name_is_legal_without_family() -> None:
    assert all(ARCHITECTURE_NAME.fullmatch(name) for name in timm.list_models(pretrained=True))
    assert family("convnext_tiny") == "other"
    assert timm_name("convnext_tiny") == "convnext_tiny"


def test_names_are_known_without_timm_s_import() -> None:
    registered = set(timm.list_models()) | set(timm.models._registry._deprecated_models)
    assert registered <= _timm_names()
    for name in ("convnext_tiny.fb_in22k", "vit_tiny", "googlenet", *ARCHITECTURES):
        check_architecture(name)


def test_unknown_names_are_refused_with_similar_ones() -> None:
    with pytest.raises(ScalpError, match="convnext_tiny") as caught:
        check_architecture("convnext_tinny")
    assert caught.value.code == "unknown_architecture"
    assert "convnext_tiny" in caught.value.text.ko
    with pytest.raises(ScalpError, match="efficientnet_b0"):
        check_architecture("qqqqqqqqqq")


@pytest.mark.parametrize("name", ["", "../x", "hf-hub:a/b", "Resnet18", "a b", "a/b", "x" * 200, "resnet18\n", "a.b.c"])
def test_other_names_are_not(name: str) -> None:
    assert not ARCHITECTURE_NAME.fullmatch(name)
