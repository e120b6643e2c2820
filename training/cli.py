"""`scalp-lab COMMAND …`: every command of Scalp Lab under one name; `scalp-lab COMMAND --help` describes one."""

import os
import runpy
import sys
from collections.abc import Sequence
from importlib import import_module

from scalp_core import terms
from scalp_core.paths import APP, artifacts_folder, data_folder
from training.command_line import explained

# Command → its module, and a line for the help screen. `python -m MODULE` is the same command.
COMMANDS = {
    "prepare": ("training.prepare", "render, import, split and audit datasets"),
    "train": ("training.train", "train one run and watch it"),
    "sweep": ("training.sweep", "train several architectures and seeds"),
    "ablate": ("training.ablate", "train the ablation study of the measures against lost grades"),
    "report": ("training.report", "metrics, confusion matrices, printed comparison"),
    "evaluate": ("training.evaluate", "judge finished runs on another dataset"),
    "calibrate": ("training.calibrate", "fit operating point and gate of finished runs anew"),
    "gate": ("training.gate", "fit only the gate of finished runs anew"),
    "pack": ("training.pack", "a finished run as an evidence pack, one zip"),
    "reproduce": ("training.reproduce", "make the run of an evidence pack again"),
    "export": ("training.export", "make finished runs ready to answer (ONNX)"),
    "optimize": ("training.optimize", "let runs answer faster where their grades stay the same"),
    "predict": ("training.predict", "grade many pictures into one table"),
    "fidelity": ("training.fidelity", "distance of rendered frames from real pictures"),
    "contact-sheets": ("training.contact_sheets", "rendered frames side by side"),
    "pointing": ("training.pointing", "where evidence points, against the drawn cues and Grad-CAM"),
    "oracle": ("training.oracle", "agreement that rendered pictures allow beside the ceiling"),
    "masks": ("training.masks", "where the cues of rendered pictures lie"),
    "postman": ("training.postman", "REST as a Postman collection"),
    "benchmark": ("benchmarks.commands", "measure time and memory"),
}
_SERVE = "dashboard and REST on one port (PORT, HOST); --api: REST alone"


def main() -> None:
    """Run the command that the first argument names."""
    words = sys.argv[1:]
    if words[:1] == ["serve"]:
        _serve(words[1:])
    else:
        sys.exit(_run(words))


@explained
def _run(words: Sequence[str] | None) -> int:
    command, *arguments = words or ["--help"]
    if command in ("--help", "-h", "help"):
        print(_help())
        return 0
    if command not in COMMANDS:
        sys.exit(f"scalp-lab: there is no command “{command}”.\n\n{_help()}")
    return int(import_module(COMMANDS[command][0]).main(arguments))


def _help() -> str:
    lines = [("serve", _SERVE), *((name, text) for name, (_, text) in COMMANDS.items())]
    listed = "\n".join(f"  {name:<16}{text}" for name, text in lines)
    return (
        f"usage: scalp-lab COMMAND …\n{listed}\nDatasets: {data_folder().resolve()} (SCALP_DATA), runs: "
        f"{artifacts_folder().resolve()} (SCALP_ARTIFACTS)\n{terms.RESEARCH_ONLY_SHORT.en}"
    )


def _serve(arguments: list[str]) -> None:
    # Pages may be drawn from another folder later: both are settled now.
    os.environ |= {"SCALP_DATA": str(data_folder().resolve()), "SCALP_ARTIFACTS": str(artifacts_folder().resolve())}
    if arguments[:1] == ["--api"]:
        import_module("scalp_core.rest.__main__").main(arguments[1:])
        return
    if arguments:
        sys.exit(
            "usage: [PORT=8501] [HOST=127.0.0.1] scalp-lab serve\n       scalp-lab serve --api [--help]   (PORT=8502)"
        )
    runpy.run_path(str(APP / "serve.py"), run_name="__main__")


if __name__ == "__main__":
    main()
