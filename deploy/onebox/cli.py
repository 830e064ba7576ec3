"""The command line of `./synnefo`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from onebox import lanes, status, steps, supervisor
from onebox.machine import Problem
from onebox.progress import bold, colour
from onebox.state import State, default_directory

DESCRIPTION = """Synnefo: a self-service cloud on one machine.

  ./synnefo up       install what is missing, start everything, boot a first virtual machine
  ./synnefo status   addresses, credentials, processes
  ./synnefo down     stop everything; nothing is lost
  ./synnefo test     run every test this machine can carry
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="synnefo", description=DESCRIPTION,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--state-dir", type=Path, default=default_directory(), metavar="DIR",
                     help="where everything is kept (default %(default)s; also $SYNNEFO_STATE_DIR)")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, run: Callable[[State, argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
        command.set_defaults(run=run)
        command.add_argument("--state-dir", type=Path, default=argparse.SUPPRESS, metavar="DIR", help=argparse.SUPPRESS)
        return command

    up = add("up", _up, "make the cloud and start it; safe to repeat")
    up.add_argument("--backend", choices=("auto", "ganeti", "simulated"), default="auto",
                    help="real Ganeti, the simulated cluster, or whichever this machine carries (default)")
    up.add_argument("--port", type=int, help="port of the web interface and the APIs (default 8080)")
    up.add_argument("--listen", metavar="ADDRESS", help="address to listen on (default 127.0.0.1: this machine only)")
    up.add_argument("--database", metavar="URL", help="postgresql://... instead of the embedded SQLite")
    up.add_argument("--broker", metavar="URL", help="amqp://... instead of the embedded event spool")
    up.add_argument("--no-vm", action="store_true", help="do not boot a first virtual machine")
    add("down", _down, "stop all processes and the cluster; data stays")
    show = add("status", _status, "show addresses, credentials and the state of every process")
    show.add_argument("--json", action="store_true", help="as JSON, in the form docs/reference/status.md describes")
    logs = add("logs", _logs, "show the end of a process's log, or of all")
    logs.add_argument("name", nargs="?", help="process name as in `status`")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--lines", type=int, default=40)
    reset = add("reset", _reset, "stop and delete the cloud with all its data; downloads are kept")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    lanes.add_arguments(add)
    hidden = commands.add_parser("_supervise")
    hidden.set_defaults(run=lambda state, _args: supervisor.Supervisor(state).run() or 0)
    return top


def _up(state: State, args: argparse.Namespace) -> int:
    steps.up(state, steps.Options(backend=args.backend, port=args.port, listen=args.listen, database=args.database,
                                  broker=args.broker, first_vm=not args.no_vm))
    return 0


def _down(state: State, _args: argparse.Namespace) -> int:
    print("Stopped." if steps.down(state) else "Nothing was running.")
    return 0


def _status(state: State, args: argparse.Namespace) -> int:
    return status.show(state, as_json=args.json)


def _logs(state: State, args: argparse.Namespace) -> int:
    files = [state.log / f"{args.name}.log"] if args.name else sorted(state.log.glob("*.log"))
    missing = [str(path) for path in files if not path.exists()]
    if missing or not files:
        names = ", ".join(path.stem for path in sorted(state.log.glob("*.log"))) or "none yet"
        raise Problem(f"There is no log named {args.name!r}.", hint=f"Logs: {names}")
    command = ["tail", "-n", str(args.lines), *(["-F"] if args.follow else []), *map(str, files)]
    os.execvp("tail", command)


def _reset(state: State, args: argparse.Namespace) -> int:
    if not state.directory.exists():
        print("There is nothing to delete.")
        return 0
    if not args.yes:
        if not sys.stdin.isatty():
            raise Problem("This deletes every machine and file of the cloud.", hint="Say --yes to do it unasked.")
        if input(f"Delete the cloud in {state.directory} with all its data? [y/N] ").lower() not in {"y", "yes"}:
            return 1
    steps.down(state)
    steps.purge_cluster(state)
    for path in state.directory.iterdir():
        if path == state.cache:
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    print("Deleted. `./synnefo up` makes a new one.")
    return 0


def main(arguments: list[str] | None = None) -> int:
    top = parser()
    args = top.parse_args(arguments)
    if not args.command:
        top.print_help()
        return 2
    try:
        return int(args.run(State(args.state_dir.resolve()), args) or 0)
    except Problem as problem:
        _explain(problem)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again: it goes on where it stopped.", file=sys.stderr)
        return 130


def _explain(problem: Problem) -> None:
    print(colour(f"\nFailed: {problem}", 31), file=sys.stderr)
    if problem.log is not None and problem.log.exists():
        print(bold(f"The end of {problem.log}:"), file=sys.stderr)
        for line in problem.log.read_text("utf-8", "replace").splitlines()[-15:]:
            print("  " + line, file=sys.stderr)
    if problem.hint:
        print(f"What to do: {problem.hint}", file=sys.stderr)
