"""`python -m scalp_core TASK …`: the entry of the processes that the core starts itself (`processes.command`)."""

import gc
import signal
import sys


def main(task: str, *arguments: str) -> int:
    """Run one task in this process and return its exit code.

    Args:
        task: `worker` trains what waits; `train FOLDER [AT_ONCE]` and `export FOLDER` work on one run; `speed` measures
            the recipe on standard input; `import NAME` and `draw NAME` make a dataset that was asked for.
    """
    # Each process imports what it needs and nothing else: a worker or an import never loads torch.
    match task:
        case "worker":
            from scalp_core.runs import worker

            worker.main()
        case "import":
            from scalp_core.importing import background

            background.main(*arguments)
        case "draw":
            from scalp_core.synthetic import demonstration

            demonstration.main(*arguments)
        case "train" | "export" | "speed":
            gc.disable()  # what torch and timm make is no garbage: a fifth of the time until a training begins
            from scalp_core.learning import process

            gc.freeze()
            gc.enable()
            return process.main([task, *arguments])
        case _:
            sys.exit(f"There is no task “{task}”: worker, train, export, speed, import, draw.")
    return 0


if __name__ == "__main__":
    # Ended at once, as by any other signal: an exception in the midst of an import leaves half a module, and then some
    # other error is blamed.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(*(sys.argv[1:] or ["help"])))
