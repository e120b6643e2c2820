"""Names of architectures: the five families, and what may be typed in."""

import pytest

from scalp_core.architectures import ARCHITECTURE_NAME, ARCHITECTURES, FAMILIES, family, timm_name
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


@pytest.mark.parametrize("name", ["", "../x", "hf-hub:a/b", "Resnet18", "a b", "a/b", "x" * 200, "resnet18\n", "a.b.c"])
def test_other_names_are_not(name: str) -> None:
    assert not ARCHITECTURE_NAME.fullmatch(name)
