"""The network: every variant, its evidence, its export, and where its weights come from."""

import contextlib
import http.server
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file, save_file

from scalp_core.architectures import ARCHITECTURES, FAMILIES
from scalp_core.errors import ScalpError
from scalp_core.files import sha256
from scalp_core.images import Preprocessing, fit_whitening
from scalp_core.labels import CONDITIONS
from scalp_core.learning.backbones import timm, torchvision_models
from scalp_core.learning.export import export
from scalp_core.learning.network import MIN_CELLS, Network, adopt, build, logits, strides_in
from scalp_core.runs.run import OUTPUTS


def pictures(count: int, size: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(1)).float()


def frames(size: int) -> npt.NDArray[np.uint8]:
    return pictures(3, size).permute(0, 2, 3, 1).byte().contiguous().numpy()


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "test_vit2", "test_convnext", "test_mambaout"])
def test_every_variant_grades_a_picture(architecture: str) -> None:
    network, preprocessing = build(architecture, 6, 64, "none")
    assert (preprocessing.height, preprocessing.width, preprocessing.crop) == (64, 64, "squash")
    network.eval()
    with torch.inference_mode():
        evidence = network(pictures(1, 64))
    assert evidence.shape[:3] == (1, 6, 4)
    assert evidence.ndim == 5
    assert torch.equal(logits(evidence), evidence.mean(dim=(3, 4)))
    assert logits(evidence).shape == (1, 6, 4)
    assert logits(evidence).std() > 0
    # No fully connected head of 120 M parameters is kept.
    assert sum(weight.numel() for weight in network.parameters()) < 90_000_000


@pytest.mark.parametrize("architecture", FAMILIES["VGG"])
def test_a_file_of_weights_holds_all_of_a_vgg(architecture: str) -> None:
    """`load_network` lays it out on torch's meta device, where whatever is in no file would be lost."""
    with torch.device("meta"):
        network, _ = build(architecture, 6, 64, "none")
    assert dict(network.named_buffers()).keys() - network.state_dict().keys() == {"mean", "scale"}


def test_single_condition_is_same_network_with_smaller_head() -> None:
    network, _ = build("test_resnet", 1, 64, "none")
    assert network.eval()(pictures(2, 64)).shape[:3] == (2, 1, 4)


def test_some_pictures_are_judged_by_the_finest_map() -> None:
    network, _ = build("test_resnet", 6, 64, "none")
    with torch.inference_mode():
        for head in network.heads:
            torch.nn.init.normal_(head.weight)
        features = network.eval().features(pictures(2, 64))
        both, some = network.evidence(features), network.evidence(features, torch.tensor([True, False]))
        finest = network.heads[0](features[0]).unflatten(1, (6, 4))
    assert len(features) > 1
    assert torch.equal(some[0], finest[0])
    assert torch.equal(some[1], both[1])
    assert not torch.allclose(some[0], both[0])


def test_normalisation_is_inside_the_network() -> None:
    network, preprocessing = build("test_resnet", 6, 64, "none")
    network.eval()
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255
    with torch.inference_mode():
        grey = network(mean.expand(1, 3, 64, 64))
        assert torch.equal(grey, network.evidence(network.features_of(torch.zeros(1, 3, 64, 64))))


def coloured_whitening(preprocessing: Preprocessing) -> Preprocessing:
    """A whitening that mixes the channels."""
    generator = np.random.default_rng(0)
    light, colour = generator.integers(0, 200, (4, 32, 32, 1)), generator.integers(0, 50, (4, 32, 32, 3))
    return fit_whitening(preprocessing, (light + colour).astype(np.uint8))


def test_whitening_is_inside_the_network_and_its_export(tmp_path: Path) -> None:
    network, plain = build("test_resnet", 6, 64, "none")
    network.eval()
    batch = pictures(3, 64)
    with torch.inference_mode():
        before = network(batch)
        preprocessing = coloured_whitening(plain)
        network.normalise(preprocessing)
        after = network(batch)
        assert preprocessing.whitening is not None
        matrix = torch.tensor(preprocessing.whitening).view(3, 3)
        mixed = torch.einsum("oc,nchw->nohw", matrix, batch / 255 - torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        expected = network.evidence(network.features_of(mixed))
    assert torch.allclose(after, expected, atol=1e-4)
    assert not torch.allclose(after, before, atol=1e-2)
    assert export(network, frames(64), tmp_path / "model.onnx", OUTPUTS) < 1e-4
    network.normalise(plain)
    with torch.inference_mode():
        assert torch.equal(network(batch), before)


@pytest.mark.parametrize("architecture", ["vgg11_bn", "googlenet", "resnet18", "efficientnet_b0", "vit_tiny"])
def test_layers_count_from_the_pixels_to_the_head(architecture: str) -> None:
    network, _ = build(architecture, 2, 64, "none")
    layers = network.layers()
    assert set(layers) == {name for name, _ in network.named_parameters()}
    assert min(layers.values()) == 0
    last = {name for name, depth in layers.items() if depth == max(layers.values())}
    assert last == {name for name in layers if not name.startswith("backbone.")}
    assert {"head.weight", "head.bias"} < last
    depths = [depth for name, depth in layers.items() if not name.startswith("side.")]
    assert len(set(depths)) == max(depths) + 1 or len(set(depths)) >= 5
    first = next(name for name, weight in network.named_parameters() if weight.ndim == 4)
    assert layers[first] == 0
    assert np.corrcoef(depths, range(len(depths)))[0, 1] > 0.9


def saved(network: Network, path: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
    return path


def test_a_finished_network_is_adopted_condition_by_condition(tmp_path: Path) -> None:
    learned = (CONDITIONS[3], CONDITIONS[0])
    source, _ = build("test_resnet", 2, 64, "none")
    weights = saved(source, tmp_path / "model.safetensors")
    wanted = (CONDITIONS[0], CONDITIONS[5], CONDITIONS[3])
    network, _ = build("test_resnet", 3, 64, "none")
    fresh = network.head.weight[4:8].clone()
    adopt(network, "test_resnet", weights, wanted, learned)
    with torch.inference_mode():
        before, after = source.eval()(pictures(2, 64)), network.eval()(pictures(2, 64))
    assert torch.allclose(after[:, 0], before[:, 1], atol=1e-5)
    assert torch.allclose(after[:, 2], before[:, 0], atol=1e-5)
    assert torch.equal(network.head.weight[4:8], fresh)


@pytest.mark.parametrize("architecture", ["vgg11_bn", "resnet18", "efficientnet_b0", "googlenet", "vit_tiny"])
def test_every_family_has_fine_cells(architecture: str) -> None:
    for size in (96, 160):
        network, _ = build(architecture, 1, size, "none")
        taught(network)
        with torch.inference_mode():
            maps = network.eval().features(pictures(1, size))
            evidence = network.evidence(maps)
            each = [head(features).mean(dim=(-2, -1)) for head, features in zip(network.heads, maps, strict=True)]
        assert evidence.shape[-1] == evidence.shape[-2] >= MIN_CELLS
        torch.testing.assert_close(logits(evidence)[:, 0], sum(each[1:], each[0]))


def taught(network: Network) -> Network:
    """The network with finer heads that say something: they start at zero."""
    generator = torch.Generator().manual_seed(5)
    for head in network.finer.values():
        torch.nn.init.normal_(head.weight, std=0.1, generator=generator)
        torch.nn.init.normal_(head.bias, generator=generator)
    return network


def test_finest_map_alone_grades_some() -> None:
    network = taught(build("test_resnet", 6, 128, "none")[0]).eval()
    batch = pictures(3, 128)
    with torch.inference_mode():
        features = network.features(batch)
        mixed = network(batch, torch.tensor([True, False, True]))
        together = network(batch)
        finest = network.heads[0](features[0]).unflatten(1, (6, 4))
    assert torch.equal(mixed[[0, 2]], finest[[0, 2]])
    assert torch.equal(mixed[1], together[1])


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit"])
def test_weights_with_one_head_answer_as_before(architecture: str, tmp_path: Path) -> None:
    source, _ = build(architecture, 6, 64, "none", ())
    weights = saved(source, tmp_path / "model.safetensors")
    assert strides_in(weights) == ()
    network, _ = build(architecture, 6, 64, "none", strides_in(weights))
    adopt(network, architecture, weights, CONDITIONS, CONDITIONS)
    going_on, _ = build(architecture, 6, 64, "none")
    adopt(going_on, architecture, weights, CONDITIONS, CONDITIONS)
    batch = pictures(2, 64)
    with torch.inference_mode():
        before, after, finer = (each.eval()(batch) for each in (source, network, going_on))
    assert torch.equal(before, after)
    assert finer.shape[-1] > before.shape[-1]
    torch.testing.assert_close(logits(finer), logits(before))


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit"])
def test_finer_heads_come_back_from_weights(architecture: str, tmp_path: Path) -> None:
    source = taught(build(architecture, 6, 64, "none")[0])
    weights = saved(source, tmp_path / "model.safetensors")
    network, _ = build(architecture, 6, 64, "none", strides_in(weights))
    adopt(network, architecture, weights, CONDITIONS, CONDITIONS)
    with torch.inference_mode():
        assert torch.equal(network.eval()(pictures(2, 64)), source.eval()(pictures(2, 64)))


def test_another_size_adopts_heads_of_its_strides(tmp_path: Path) -> None:
    source = taught(build("test_resnet", 6, 64, "none")[0])
    weights = saved(source, tmp_path / "model.safetensors")
    network, _ = build("test_resnet", 6, 128, "none")
    adopt(network, "test_resnet", weights, CONDITIONS, CONDITIONS)
    assert list(source.finer) == ["4", "8", "16"]
    assert list(network.finer) == ["8", "16"]
    assert torch.equal(network.heads[0].weight, source.heads[1].weight)


def test_half_precision_is_adopted_as_what_it_says(tmp_path: Path) -> None:
    source, _ = build("test_resnet", 6, 64, "none")
    weights = saved(source.half(), tmp_path / "model.safetensors")
    network, _ = build("test_resnet", 6, 64, "none")
    adopt(network, "test_resnet", weights, CONDITIONS, CONDITIONS)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert torch.equal(network.head.weight, source.head.weight.float())


def test_transformer_adopted_at_another_size_sees_about_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small, _ = build("test_vit", 6, 64, "none")
    save_file(small.state_dict(), tmp_path / "model.safetensors")
    large, _ = build("test_vit", 6, 96, "none")
    adopt(large, "test_vit", tmp_path / "model.safetensors", CONDITIONS, CONDITIONS)
    # One colour everywhere: what is left to differ are the positions.
    seen = [
        network.eval()(torch.full((1, 3, side, side), 90.0)).mean(dim=(-2, -1))
        for network, side in ((small, 64), (large, 96))
    ]
    assert torch.allclose(*seen, atol=0.05 * float(seen[0].detach().abs().max()))
    assert torch.equal(large.head.weight, small.head.weight)


def test_what_cannot_be_adopted_is_told(tmp_path: Path) -> None:
    source, _ = build("test_vit", 6, 64, "none")
    weights = saved(source, tmp_path / "model.safetensors")
    for architecture in ("test_resnet", "googlenet"):
        network, _ = build(architecture, 6, 64, "none")
        with pytest.raises(ScalpError, match="weights") as caught:
            adopt(network, architecture, weights, CONDITIONS, CONDITIONS)
        assert caught.value.code == "misfit"


def test_evidence_is_where_the_picture_is() -> None:
    """Changing the top left corner changes the evidence there and hardly at the bottom right, tokens or not."""
    for architecture in ("test_resnet", "test_vit"):
        network, _ = build(architecture, 6, 160, "none")
        before = pictures(1, 160)
        after = before.clone()
        after[..., :16, :16] = 255 - after[..., :16, :16]
        with torch.inference_mode():
            change = (taught(network).eval()(after) - network(before)).abs().sum(dim=(0, 1, 2))
        assert change[0, 0] > 2 * change[-1, -1]


@pytest.mark.parametrize("architecture", ["test_vit", "test_resnet"])
def test_the_export_says_what_the_network_says(architecture: str, tmp_path: Path) -> None:
    network = taught(build(architecture, 6, 64, "none")[0]).eval()
    assert export(network, frames(64), tmp_path / "model.onnx", OUTPUTS) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 2, 5):
        batch = pictures(count, 64)
        with torch.inference_mode():
            evidence = network(batch)
        source = {"pixels": batch.permute(0, 2, 3, 1).byte().numpy()}
        probabilities, maps = session.run(["probabilities", "evidence"], source)
        assert np.abs(probabilities - logits(evidence).softmax(-1).numpy()).max() < 1e-5
        assert np.abs(maps - evidence.numpy()).max() < 1e-4
        assert np.abs(probabilities.sum(axis=-1) - 1).max() < 1e-5


# ---- what cannot be built ----


@pytest.mark.parametrize("name", ["resnet19", "no_such_thing", "resnet50.no_such_tag"])
def test_an_unknown_architecture_is_explained(name: str) -> None:
    with pytest.raises(ScalpError, match="efficientnet_b0") as caught:
        build(name, 6, 64, "none")
    assert caught.value.code == "unknown_architecture"


def test_a_size_that_does_not_fit_is_explained() -> None:
    with pytest.raises(ScalpError, match="divisible by 16"):
        build("vgg11_bn", 6, 16, "none")


def backbone_file(path: Path, architecture: str = "test_resnet") -> dict[str, torch.Tensor]:
    model = timm.create_model(architecture)
    save_file(model.state_dict(), path)
    return dict(model.state_dict())


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit", "vit_tiny"])
def test_safetensors_file_really_gives_backbone_its_weights(architecture: str, tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224" if architecture == "vit_tiny" else architecture
    source = timm.create_model(name, num_classes=10)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    size = 224 if architecture == "vit_tiny" else 160  # the file's own: position embeddings are not resized
    network, _ = build(architecture, 6, size, str(tmp_path / "weights.safetensors"))
    loaded = network.backbone.model.state_dict()
    assert len(loaded) > 10
    assert all(torch.equal(weight, source.state_dict()[key]) for key, weight in loaded.items())


def test_a_backbone_of_ours_is_taken_again(tmp_path: Path) -> None:
    source = build("vgg11_bn", 6, 64, "none")[0].backbone.model.state_dict()
    save_file(source, tmp_path / "weights.safetensors")
    loaded = build("vgg11_bn", 6, 64, str(tmp_path / "weights.safetensors"))[0].backbone.model.state_dict()
    assert all(torch.equal(weight, source[key]) for key, weight in loaded.items())


def test_position_embeddings_of_a_file_are_resized(tmp_path: Path) -> None:
    backbone_file(tmp_path / "weights.safetensors", "test_vit")
    network, _ = build("test_vit", 6, 64, str(tmp_path / "weights.safetensors"))
    assert network.eval().features(pictures(1, 64))[-1].shape[-2:] == (4, 4)


def test_googlenet_takes_its_weights_from_a_file(tmp_path: Path) -> None:
    source = torchvision_models.googlenet(weights=None, aux_logits=True, init_weights=False)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    network, _ = build("googlenet", 6, 64, str(tmp_path / "weights.safetensors"))
    assert torch.equal(network.backbone.conv1.conv.weight, source.conv1.conv.weight)
    assert torch.equal(network.backbone.inception5b.branch4[1].conv.weight, source.inception5b.branch4[1].conv.weight)


@pytest.mark.parametrize("architecture", ["test_resnet", "googlenet"])
def test_weights_that_do_not_fit_are_refused(architecture: str, tmp_path: Path) -> None:
    backbone_file(tmp_path / "vit.safetensors", "test_vit")
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 500)
    (tmp_path / "huge.safetensors").write_bytes((2**40).to_bytes(8, "little") + b"{}")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for file in ("vit", "noise", "huge", "other"):
        with pytest.raises(ScalpError, match="weights") as caught:
            build(architecture, 6, 64, str(tmp_path / f"{file}.safetensors"))
        assert caught.value.code == "misfit"


def test_weights_with_a_layer_too_few_are_refused(tmp_path: Path) -> None:
    weights = backbone_file(tmp_path / "weights.safetensors")
    removed = next(name for name in reversed(weights) if name.endswith("bn2.weight"))
    save_file({name: tensor for name, tensor in weights.items() if name != removed}, tmp_path / "less.safetensors")
    with pytest.raises(ScalpError, match=removed):
        build("test_resnet", 6, 64, str(tmp_path / "less.safetensors"))


def test_files_that_could_run_code_are_not_opened(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    payload = b"cposix\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."
    for name in ("weights.pt", "weights.pth", "weights.bin", "weights.safetensors"):
        (tmp_path / name).write_bytes(payload)
        with pytest.raises(ScalpError):
            build("test_resnet", 6, 64, str(tmp_path / name))
    with pytest.raises(ScalpError, match="pretrained"):
        build("test_resnet", 6, 64, str(tmp_path / "missing.safetensors"))
    assert not marker.exists()


# ---- downloads: in processes of their own, as the libraries read the environment when they are imported ----

# Builds one after another; where it cannot, it says why.
BUILD = """
import sys
from safetensors.torch import save_file
from scalp_core.errors import ScalpError
from scalp_core.learning.network import build
for architecture in sys.argv[2:]:
    try:
        network, _ = build(architecture, 6, 64, "pretrained")
        save_file(network.backbone.model.state_dict(), f"{sys.argv[1]}/{architecture}.safetensors")
        print(f"{architecture}: built")
    except ScalpError as error:
        print(f"{architecture}: {error.code} {error}")
"""


def build_elsewhere(home: Path, *architectures: str, **environment: str) -> dict[str, str]:
    """Build them in one process of its own; what it says of each. Their weights are in this home."""
    quiet = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and "HF_" not in name}
    folders = {"HOME": str(home), "HF_HOME": str(home / "hf"), "TORCH_HOME": str(home / "torch")}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(home), *architectures],
        cwd=ROOT,
        env=quiet | folders | {"HF_HUB_DISABLE_TELEMETRY": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Retrying" not in done.stderr
    words = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return {architecture: words[architecture] for architecture in architectures}


# Nothing listens there: as a machine without a network.
NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("architectures", "environment"),
    [(("resnet18",), {"HF_HUB_OFFLINE": "1"}), (("test_resnet", "googlenet"), NOWHERE)],
    ids=["offline", "no network, for timm and torchvision"],
)
def test_without_network_pretrained_weights_are_missed_in_words(
    architectures: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    words = build_elsewhere(tmp_path, *architectures, **environment)
    for sentence in words.values():
        assert sentence.startswith("no_download")
        assert "weights: none" in sentence


class _Hub(http.server.BaseHTTPRequestHandler):
    """The part of the Hugging Face hub that a download needs: HEAD and GET of /REPOSITORY/resolve/REVISION/FILE."""

    file: Path
    cut_short: str  # a part of the addresses whose files end half-way
    requests: list[str]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        self.requests.append(f"{self.command} {self.path}")
        exists = "/resolve/" in self.path and self.path.endswith("/model.safetensors")
        body = self.file.read_bytes() if exists else json.dumps({"error": "Entry not found"}).encode()
        self.send_response(200 if exists else 404)
        if not exists:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("ETag", f'"{sha256(self.file)}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            cut_short = self.cut_short and self.cut_short in self.path
            self.wfile.write(body[: len(body) // 2] if cut_short else body)

    def log_message(self, format: str, *arguments: object) -> None:
        logging.getLogger(__name__).debug(format, *arguments)


@contextlib.contextmanager
def hub(file: Path, cut_short: str = "") -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    handler = type("Hub", (_Hub,), {"file": file, "requests": requests, "cut_short": cut_short})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_downloaded_weights_are_exactly_those_and_half_of_them_are_told(tmp_path: Path) -> None:
    published = backbone_file(tmp_path / "published.safetensors")
    with hub(tmp_path / "published.safetensors", cut_short="test_vit") as (address, requests):
        words = build_elsewhere(tmp_path, "test_vit", "test_resnet", HF_ENDPOINT=address)
    assert words["test_vit"].startswith("no_download")
    assert words["test_resnet"] == "built"
    assert any(line.startswith("GET /timm/test_resnet") for line in requests)
    got = load_file(tmp_path / "test_resnet.safetensors")
    assert len(got) > 10
    assert all(torch.equal(weight, published[name]) for name, weight in got.items())


def test_one_class_builds_all() -> None:
    assert all(isinstance(build(name, 2, 64, "none")[0], Network) for name in ("googlenet", "test_vit"))
