"""The evidence pack of a run: one zip to attach to a paper, which grades by itself and can be made again.

It holds the model card, the CLAIM checklist, recipe, hashes and versions, every prediction, tables and the printable
report, and the network with its weights and a script that grades with these files alone. It holds no picture of the
dataset, no path and no name of a person. The same run gives the same bytes.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jinja2
import onnx
import pandas as pd

from scalp_core import terms
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.evaluation.comparison import Model
from scalp_core.files import write_atomic
from scalp_core.inference.predict import INTENDED_USE
from scalp_core.inference.session import write_folded
from scalp_core.labels import Condition
from scalp_core.metrics.calibration import LEAST_PROBABILITY
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.operating_point import OperatingPoint, as_json
from scalp_core.reports.claim import claim_items
from scalp_core.reports.comparison_report import render_report
from scalp_core.reports.json_report import json_report
from scalp_core.runs import worker
from scalp_core.runs.ancestry import judging_dataset, overlap_of
from scalp_core.runs.evaluations import EvaluatedRun
from scalp_core.runs.run import Run
from scalp_core.version import __version__

FORMAT = 1  # raised when a file of the pack changes its name or meaning
SUMS = "SHA256SUMS"
_MOST_BYTES = 2**31  # of an unpacked file
_TEMPLATES = Path(__file__).with_name("templates")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: the time of packing would make other bytes
_INTERVALS = Text("Value and 95 % interval, whole captures resampled.", "값과 95% 신뢰 구간이에요(촬영 단위 재표집).")
_NO_INTERVALS = Text(
    "Without intervals: the dataset, which knows the captures, was not on the machine that packed.",
    "신뢰 구간이 없어요. 촬영 정보가 있는 데이터셋이 묶음을 만든 컴퓨터에 없었어요.",
)


def write_pack(run: Run, path: Path) -> None:
    """Write the evidence pack of a finished run as a zip file.

    Raises:
        ScalpError: as `pack_bytes`.
        OSError: the file cannot be written.
    """
    content = pack_bytes(run)
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def pack_bytes(run: Run) -> bytes:
    """Return the evidence pack of a finished run as the bytes of a zip file.

    Raises:
        ScalpError: the run is damaged, or cannot be exported.
    """
    if isinstance(run, EvaluatedRun):
        run = Run(run.folder)
    run.check_exportable()
    run.verify()
    files = _files(run)
    sums = "".join(f"{hashlib.sha256(files[key]).hexdigest()}  {key}\n" for key in sorted(files))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in sorted({**files, SUMS: sums.encode()}.items()):
            archive.writestr(zipfile.ZipInfo(f"{run.id}/{key}", _EPOCH), content, zipfile.ZIP_DEFLATED)
    return zipped.getvalue()


# ---- what is in it ----


def _files(run: Run) -> dict[str, bytes]:
    dataset, point = judging_dataset(run), run.operating_point
    metrics = {part: json_report([run], part) for part in ("test", "valid")}
    files = {
        "pack.json": _json(_facts(run)),
        "recipe.json": _json(asdict(run.recipe.without_folder)),
        "operating_point.json": _json(_without_names(point)),
        "model.json": _json(_model(run, point)),
        "model.onnx": _network(run, point),
        "grade.py": (_TEMPLATES / "grade.py.j2").read_bytes(),
        "predictions.parquet": run.predictions_path.read_bytes(),
        "predictions.csv": run.predictions.to_csv(index=False).encode(),
        "history.csv": run.history.to_csv(index=False).encode(),
        **{f"metrics-{part}.json": _json(report) for part, report in metrics.items()},
        **_documents(run, dataset, metrics["test"]),
    }
    if dataset is not None:
        model = Model(run.id, run.id, (run,))
        for language, ending in (("en", ""), ("ko", ".ko")):
            report = render_report(dataset, [model], [], "test", language, run.created[:10])
            files[f"report{ending}.html"] = report.encode()
    return files


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _facts(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "format": FORMAT,
        "made_by": f"Scalp Lab {__version__}",
        "intended_use": INTENDED_USE,
        "run": run.id,
        "created": run.created,
        "synthetic": run.synthetic,
        "synthetic_pictures": run.synthetic_data,
        "index_hash": run.index_hash,
        "evaluation_hash": run.evaluation_hash,
        "weights_sha256": manifest["files"]["model.safetensors"],
        "pictures_learned": manifest.get("pictures_learned"),
        "weights_used": manifest.get("weights_used", ""),
        "teacher": manifest.get("teacher", ""),
        "versions": {**manifest.get("versions", {}), "python": manifest.get("python", "")},
        "device": manifest.get("device", ""),
        "seconds": manifest.get("seconds"),
    }


def _without_names(point: OperatingPoint) -> dict[str, Any]:
    return {key: value for key, value in as_json(point).items() if key not in ("who", "why")}


def _model(run: Run, point: OperatingPoint) -> dict[str, Any]:
    """Return what `grade.py` reads."""
    preprocessing = run.preprocessing
    decisions = {condition.value: point.decision(condition) for condition in run.recipe.conditions}
    return {
        "intended_use": INTENDED_USE,
        "conditions": [condition.value for condition in run.recipe.conditions],
        "names": {condition.value: [condition.text.en, condition.text.ko] for condition in run.recipe.conditions},
        "height": preprocessing.height,
        "width": preprocessing.width,
        "interpolation": preprocessing.interpolation,
        "decoded_at_least": preprocessing.least,
        "least_probability": LEAST_PROBABILITY,
        "decisions": {key: asdict(decision) for key, decision in decisions.items()},
    }


def _network(run: Run, point: OperatingPoint) -> bytes:
    """Return the export with its weights inside, and with what `grade.py` reads as metadata."""
    if not run.exported:
        worker.export(run)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_folded(run.export_path, run.weights_path, path)
        network = onnx.load(path)
    metadata = {"scalp_lab": json.dumps(_model(run, point), sort_keys=True), "intended_use": INTENDED_USE}
    onnx.helper.set_model_props(network, metadata)
    return bytes(network.SerializeToString(deterministic=True))


# ---- documents ----


class _Result(NamedTuple):
    condition: Text
    n: int
    kappa: str
    recall: str
    error: str


def _documents(run: Run, dataset: Dataset | None, report: Mapping[str, Any]) -> dict[str, bytes]:
    manifest, overlap = run.manifest, overlap_of(run, dataset).text(run.id) if dataset else None
    parts = run.raw_predictions.drop_duplicates("image")["part"].value_counts()
    tempered = [terms.TEMPERED_DATA] if dataset and dataset.tempered else []
    notes = ([terms.SYNTHETIC_DATA] if run.synthetic_data else []) + ([terms.SYNTHETIC_MODEL] if run.synthetic else [])
    values = {
        "run": run,
        "recipe": run.recipe,
        "conditions": [condition.text for condition in run.recipe.conditions],
        "synthetic_data": run.synthetic_data,
        "notes": notes + tempered,
        "learned": manifest.get("pictures_learned"),
        "pictures": {part: int(parts[part]) for part in ("valid", "calib", "test") if part in parts},
        "weights_used": manifest.get("weights_used", ""),
        "teacher": manifest.get("teacher", ""),
        "results": _results(run, report),
        "interval_note": _INTERVALS if dataset else _NO_INTERVALS,
        "overlap": overlap or Text("", ""),
        "version": __version__,
        "versions": ", ".join(f"{library} {version}" for library, version in manifest.get("versions", {}).items()),
        "front_matter": _front_matter(run, report),
        "items": claim_items(run, dataset),
    }
    templates = {"README.md": "model_card.en.md.j2", "README.ko.md": "model_card.ko.md.j2", "CLAIM.md": "claim.md.j2"}
    return {key: _environment().get_template(template).render(values).encode() for key, template in templates.items()}


@cache
def _environment() -> jinja2.Environment:
    # Markdown, whose values are ids, hashes and numbers: nothing is escaped as HTML would be.
    return jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _results(run: Run, report: Mapping[str, Any]) -> list[_Result]:
    figures = {(row["condition"], row["metric"]): row for row in report["figures"]}
    names = ("quadratic_weighted_kappa", "worst_grade_recall", "average_mean_absolute_error")
    return [
        _Result(
            condition.text,
            figures[condition.value, names[0]]["n"],
            *(_estimate_words(figures[condition.value, name]) for name in names),
        )
        for condition in run.recipe.conditions
    ]


def _estimate_words(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "–"
    interval = "" if row["lower"] is None else f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    return f"{row['value']:.3f}{interval}"


def _front_matter(run: Run, report: Mapping[str, Any]) -> str:
    """Return the metadata of a model card (Hugging Face); JSON is YAML, too."""
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": run.recipe.data, "type": run.recipe.data, "split": "test"},
            "metrics": [
                {
                    "type": row["metric"],
                    "name": f"{METRICS[row['metric']].text.en}, {Condition(row['condition']).text.en}",
                    "value": row["value"],
                }
            ],
        }
        for row in report["figures"]
        if row["metric"] == "quadratic_weighted_kappa" and row["value"] is not None
    ]
    fields = {
        "license": "unknown",  # of the data, and so of what learned from them: for the author to state
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "language": ["en", "ko"],
        "tags": ["scalp", "ordinal", "research-only", *(["synthetic-data"] if run.synthetic else [])],
        "model-index": [{"name": run.id, "results": results}],
    }
    return "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())


# ---- reading one ----


class Pack(NamedTuple):
    """An evidence pack whose files are what SHA256SUMS says.

    Attributes:
        files: contents by name.
        facts: of pack.json.
    """

    files: dict[str, bytes]
    facts: dict[str, Any]

    @property
    def predictions(self) -> pd.DataFrame:
        """The run's raw predictions: image, condition, part, truth, p0 … p3."""
        return pd.read_parquet(io.BytesIO(self.files["predictions.parquet"]))


def read_pack(path: Path) -> Pack:
    """Read an evidence pack and check every file.

    Raises:
        ScalpError: `bad_pack`, it is none, a file is missing or is not what SHA256SUMS says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
            if any(member.file_size > _MOST_BYTES for member in members.values()):
                raise _bad_pack(path, "a file in it is too large", "들어 있는 파일이 너무 커요")
            files = {name: archive.read(member) for name, member in members.items() if name}
        sums = dict(line.split("  ", 1)[::-1] for line in files.pop(SUMS).decode().splitlines())
        facts = json.loads(files["pack.json"])
        if facts["format"] != FORMAT:
            raise _bad_pack(path, "it is of another version of Scalp Lab", "다른 버전의 Scalp Lab이 만들었어요")
    except OSError as error:
        reason = error.strerror or str(error)
        raise _bad_pack(path, reason, reason) from error
    except (zipfile.BadZipFile, zlib.error, LookupError, ValueError, TypeError, RuntimeError) as error:
        raise _bad_pack(path, "it is no evidence pack, or damaged", "증거 묶음이 아니거나 손상되었어요") from error
    for name in sorted({*sums, *files}):
        if name not in files or hashlib.sha256(files[name]).hexdigest() != sums.get(name):
            raise _bad_pack(path, f"{name} is not what {SUMS} says", f"{name} 파일이 {SUMS}와 달라요")
    return Pack(files, facts)


def _bad_pack(path: Path, en: str, ko: str) -> ScalpError:
    return ScalpError("bad_pack", f"{path.name} cannot be used: {en}.", f"{path.name} 파일을 쓸 수 없어요: {ko}.")
