"""Render, import, split and audit datasets: `python -m training.prepare COMMAND`."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from scalp_core.data.audit import audit
from scalp_core.data.audit_messages import as_json
from scalp_core.data.dataset import PARTS, Dataset, open_dataset
from scalp_core.data.filters import counts
from scalp_core.data.relocation import relocate
from scalp_core.data.splits import OFFICIAL_RULES, OVERLAPS, SPLIT_METHODS, reassign_splits
from scalp_core.importing.importer import FAULT_LIST, FAULTS, KEPT, WARNINGS, ImportRequest, import_tree, read_report
from scalp_core.importing.table_file import SEPARATORS
from scalp_core.importing.table_labels import FIELDS
from scalp_core.labels import META, Condition
from scalp_core.runs.ancestry import learned_pictures
from scalp_core.runs.store import find_run
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.aihub_export import check_folder, write_aihub_tree
from scalp_core.synthetic.generate import EVALUATION_PRIORS, PRIORS, Progress, make_dataset
from scalp_core.terms import TEMPERED_DATA, singular
from training.command_line import Bar, explained

_EXAMPLES = 3  # of each kind of fault, on the screen

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if done, 2 after an explained mistake, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        print("\nInterrupted. What is done stays; start the same command again and it goes on.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description="Prepare a dataset.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_rendering(commands)
    _add_imports(commands)
    _add_changes(commands)
    return parser


def _add_rendering(commands: Commands) -> None:
    synthetic = commands.add_parser("synthetic", help="render a synthetic dataset")
    synthetic.add_argument("--images", type=int, default=3000, help="how many pictures (default %(default)s)")
    synthetic.add_argument("--evaluation", type=int, help="how many of them to be judged on (default: 40 %%)")
    synthetic.add_argument("--seed", type=_seed, default=0, help="the same seed gives the same data (default 0)")
    synthetic.add_argument(
        "--prior",
        choices=list(PRIORS),
        default="tempered",
        help="grades to train on as rare as they really are, or rare ones more often (default %(default)s)",
    )
    synthetic.add_argument(
        "--evaluation-prior",
        choices=list(EVALUATION_PRIORS),
        default="real",
        help="the same for the pictures to be judged on; tempered gives each grade enough of them for its recall "
        "(default %(default)s)",
    )
    synthetic.add_argument("--name", default="synthetic", help="name of the dataset (default %(default)s)")
    synthetic.add_argument(
        "--as-aihub",
        type=Path,
        metavar="FOLDER",
        help="also write the pictures as an AI Hub 216 tree into this new folder, to try the importer on",
    )
    synthetic.add_argument("--processes", type=_processes, help="worker processes (default: one a core)")
    synthetic.set_defaults(command=_make)

    demo = commands.add_parser(
        "demo",
        help=f"render the demonstration dataset ({demonstration.IMAGES:,} pictures), as a server does at its start",
    )
    demo.add_argument("--processes", type=_processes, help="worker processes (default: one a core)")
    demo.set_defaults(command=_make_demo)


def _add_imports(commands: Commands) -> None:
    aihub = commands.add_parser("aihub", help="import the AI Hub 216 tree as it was delivered, zips or unpacked")
    aihub.add_argument("folder", type=Path, help="the folder that holds Training and Validation, in any spelling")
    _import_options(aihub)
    aihub.set_defaults(command=lambda options: _import(options, "aihub", options.folder))

    folders = commands.add_parser("folders", help="import class folders <condition>/<grade>/…")
    folders.add_argument("folder", type=Path)
    _import_options(folders)
    folders.set_defaults(command=lambda options: _import(options, "folders", options.folder))

    table = commands.add_parser("csv", help="import a table of labels beside a folder of pictures")
    table.add_argument("file", type=Path, help="CSV or .xlsx with a header; columns are found by name")
    table.add_argument("--images", type=Path, required=True, help="the folder of the pictures")
    table.add_argument(
        "--map",
        action="append",
        default=[],
        type=_mapping,
        metavar="FIELD=COLUMN",
        help=f"say which column holds a field: {', '.join(FIELDS)}, value_1 … value_6; may be given several times",
    )
    table.add_argument(
        "--separator",
        default="",
        help=f"between the columns: {', '.join(SEPARATORS)} or a character (default: as the header has it)",
    )
    table.add_argument("--encoding", default="", help="of a CSV, as cp1252 (default: UTF-8, UTF-16 or cp949)")
    _import_options(table)
    table.set_defaults(command=lambda options: _import(options, "csv", options.images))


def _add_changes(commands: Commands) -> None:
    parts = commands.add_parser("split", help="split the pictures of a dataset into train, valid, calib and test anew")
    parts.add_argument("name")
    parts.add_argument(
        "--by", choices=list(SPLIT_METHODS), default="site", help="what never lies in two splits (default site)"
    )
    parts.add_argument("--seed", type=_seed, default=0)
    _learning_option(parts)
    parts.add_argument(
        "--keep-out-of-test",
        action="append",
        default=[],
        metavar="RUN",
        help="pictures that this run or its ancestors learned from stay in the training split, with all of their site "
        "or capture, so that a run that starts from it is judged on others; may be given several times",
    )
    parts.set_defaults(command=_split)

    moved = commands.add_parser("relocate", help="say where the folder of a dataset's pictures has moved to")
    moved.add_argument("name")
    moved.add_argument("folder", type=Path)
    moved.set_defaults(command=_relocate)

    audited = commands.add_parser("audit", help="leaks, gaps, contradictions and bad pictures of a dataset")
    audited.add_argument("name")
    audited.add_argument("--json", action="store_true", help="for programs")
    audited.set_defaults(command=_audit)


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument(
        "--by", choices=list(SPLIT_METHODS), default="", help="how to split (default: by site where possible)"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="of the split (default 0)")
    _learning_option(parser)
    parser.add_argument("--extract", action="store_true", help="copy the pictures instead of reading them in place")
    parser.add_argument("--processes", type=_processes, help="worker processes (default: one a core)")


def _learning_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--learn-from-test",
        action="store_true",
        help="take pictures marked test by their publisher as any others (default: they are tested on)",
    )


def _mapping(text: str) -> tuple[str, str]:
    field, _, column = text.partition("=")
    if not field or not column:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=COLUMN")
    return field, column


def _seed(text: str) -> int:
    return _at_least(text, 0)


def _processes(text: str) -> int:
    return _at_least(text, 1)


def _at_least(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
    return int(text)


def _make(options: argparse.Namespace) -> None:
    if options.as_aihub:
        check_folder(options.as_aihub)  # before an hour of rendering
    dataset = _rendered(
        options.name,
        options.images,
        lambda progress: make_dataset(
            options.name,
            options.images,
            options.seed,
            evaluation=options.evaluation,
            prior=options.prior,
            evaluation_prior=options.evaluation_prior,
            processes=options.processes,
            progress=progress,
        ),
    )
    if options.as_aihub:
        _write_tree(dataset, options)


def _rendered(name: str, images: int, render: Callable[[Progress], Dataset]) -> Dataset:
    """Render a dataset with a progress bar, and print what it holds."""
    with Bar(total=images, unit=" images", desc=name, dynamic_ncols=True) as bar:
        dataset = render(bar.show)
        bar.show(images, images)
    _report(dataset)
    return dataset


def _write_tree(dataset: Dataset, options: argparse.Namespace) -> None:
    with _Bars() as bars:
        tree = write_aihub_tree(
            dataset, options.as_aihub, options.seed, lambda done, total: bars("writing", done, total)
        )
    print(f"Written as an AI Hub tree to {options.as_aihub}: {tree.images:,} pictures in {tree.files:,} files of zips.")
    print(
        f"Its official split, which leaks: {tree.only_training:,} pictures only in Training, {tree.only_validation:,} "
        f"only in Validation, {tree.both:,} in both."
    )


def _make_demo(options: argparse.Namespace) -> None:
    """Make the demonstration dataset; one that an earlier version rendered is rendered anew."""
    name, settings = demonstration.NAME, demonstration.settings()

    def announce() -> None:
        print(f"Dataset “{name}” is of an earlier version, or damaged. Its pictures are rendered anew.")

    _rendered(
        name,
        settings["images"],
        lambda progress: demonstration.draw(settings, options.processes, progress, announce),
    )


def _report(dataset: Dataset) -> None:
    part = dataset.column("part")
    site = dataset.column("site")
    site = site.where(site != "")  # unknown ones are not one site
    any_site = site.notna().any()
    size = singular(f"{dataset.images:,} images" + (f" of {site.nunique():,} known sites" if any_site else ""))
    print(f"Dataset “{dataset.name}”: {size} in {dataset.folder}")
    for name in PARTS:
        sites = f", {site[part == name].nunique():>5,} sites" if any_site else ""
        print(singular(f"  {name:<5} {(part == name).sum():>7,} images{sites}"))
    print("Images of grade 0 / 1 / 2 / 3 by split:")
    counted = counts(dataset, np.arange(dataset.images)).dropna(subset="grade")
    for (condition, name), images in counted.groupby(["condition", "part"], sort=False)["images"]:
        if name in PARTS:
            label = f"{Condition(condition).code:<13}" if name == PARTS[0] else " " * 13
            print(f"  {label} {name:<5} {' / '.join(f'{number:>6,}' for number in images)}")
    if dataset.synthetic:
        print("These pictures are synthetic: rendered by a program, not taken of people. What is measured on them says")
        print("nothing about real scalps.")
    if dataset.tempered:
        print(TEMPERED_DATA.en)


def _import(options: argparse.Namespace, kind: str, source: Path) -> None:
    table, columns = (str(options.file), dict(options.map)) if kind == "csv" else ("", {})
    form = {name: getattr(options, name, "") for name in ("separator", "encoding")}
    request = ImportRequest(
        kind,
        str(source),
        table,
        columns,
        options.by,
        options.seed,
        options.extract,
        learn_from_test=options.learn_from_test,
        **form,
    )
    with _Bars() as bars:
        dataset = import_tree(request, options.name, processes=options.processes, progress=bars)
    _report(dataset)
    _report_official(dataset)
    report = read_report(dataset) or {}
    if report["splits"]:
        print(KEPT.en.format(**report["splits"]))
    if facts := [name.removeprefix(META) for name in dataset.columns if name.startswith(META)] if table else []:
        print(
            f"Columns kept as facts: {_printable(', '.join(facts))}. Is one a site, capture, device or region? Say so:"
        )
        print("--map FIELD=COLUMN.")
    for warning in report["warnings"]:
        print(f"Warning: {WARNINGS[warning].en}")
    for kind_of_fault, count in report["counts"].items():
        print(singular(f"{count:>8,}  {FAULTS[kind_of_fault].en}"))
        for fault in report["faults"][kind_of_fault][:_EXAMPLES]:
            print(f"{'':10}{_printable(_fault_words(fault))}")
    if report["ignored"]:
        endings = ", ".join(f"{ending or 'no ending'} {count:,}" for ending, count in report["ignored_endings"].items())
        print(singular(f"{report['ignored']:>8,}  other files (passed over): {_printable(endings)}"))
    if report["counts"]:
        print(f"Each is listed in {dataset.folder / FAULT_LIST}")


def _fault_words(fault: Mapping[str, str]) -> str:
    """Return where it is, the name of the picture unless the place ends with it, and the details."""
    name = "" if fault["where"].endswith(fault["name"]) else fault["name"]
    return ": ".join(filter(None, (fault["where"], name, fault["detail"])))


def _printable(text: str) -> str:
    """Return a text of a foreign file without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


class _Bars:
    """Progress bar of each stage, with the remaining time."""

    def __init__(self) -> None:
        self.stage, self.bar = "", Bar(disable=True)

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self.stage:
            self.bar.close()
            self.stage, self.bar = stage, Bar(total=total, desc=stage, unit=" files", dynamic_ncols=True)
        self.bar.update(done - self.bar.n)


def _split(options: argparse.Namespace) -> None:
    dataset = open_dataset(options.name)
    earlier = {run_id: learned_pictures(find_run(run_id)) for run_id in options.keep_out_of_test}
    learned = frozenset(sha256 for pictures in earlier.values() for sha256 in pictures.sha256)
    dataset = reassign_splits(
        dataset, options.by, options.seed, learn_from_test=options.learn_from_test, learned=learned
    )
    _report(dataset)
    _report_kept_out(dataset, learned)
    for run_id, pictures in earlier.items():
        if not pictures.complete:
            print(f"Not all that run {run_id} or its ancestors learned from is known: some may be in test.")
    print(f"How it is split: {SPLIT_METHODS[options.by].en} (seed {options.seed}).")
    _report_official(dataset)
    for warning in ("marked_test", "learn_from_test"):
        if dataset.parts.get(warning):
            print(WARNINGS[warning].en)
    print("Runs that were judged on the former split are no longer compared with new ones.")


def _report_kept_out(dataset: Dataset, learned: frozenset[str]) -> None:
    """Print where pictures are that earlier runs learned from, if there are any."""
    parts = dataset.column("part")[dataset.column("sha256").isin(learned).to_numpy()]
    if len(parts):
        places = ", ".join(f"{(parts == part).sum():,} {part}" for part in PARTS)
        print(f"Learned from by earlier runs: {len(parts):,} pictures of this dataset, now in {places}.")


def _report_official(dataset: Dataset) -> None:
    """Print by which rule the published split is followed, what was cut from training, and what leaks."""
    parts = dataset.parts
    if "rule" in parts:
        print(f"The published split is followed: {OFFICIAL_RULES[str(parts['rule'])].en}.")
        if parts["cut"]:
            print(f"Cut from training: {', '.join(parts['cut'])}.")
    if parts.get("leaky"):
        shares = ", ".join(f"{100 * share:.1f} % {OVERLAPS[key].en}" for key, share in parts["overlap"].items())
        print(f"This split LEAKS. Of the test pictures, training has {shares}.")


def _relocate(options: argparse.Namespace) -> None:
    dataset = relocate(open_dataset(options.name), options.folder)
    print(f"The pictures of “{dataset.name}” are read from {dataset.source}.")


def _audit(options: argparse.Namespace) -> None:
    findings = audit(open_dataset(options.name))
    if options.json:
        print(json.dumps([as_json(finding) for finding in findings], ensure_ascii=False, indent=1))
        return
    for finding in findings:
        print(f"[{finding.severity.text.en}] {finding.title.en}: {finding.text.en}")
        if finding.images:
            print(f"    {', '.join(finding.images[:3])}{' …' if finding.count > 3 else ''}")


if __name__ == "__main__":
    sys.exit(main())
