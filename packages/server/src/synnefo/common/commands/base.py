"""The base of every command: exit codes, errors, prompts and output in the chosen format."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand as DjangoCommand
from django.core.management.base import CommandError as DjangoCommandError
from django.core.management.base import CommandParser

from synnefo import __version__
from synnefo.common.commands import runlog
from synnefo.common.commands.output import FORMATS, Renderer, escape_controls
from synnefo.common.commands.values import UNIT_STYLES
from synnefo.common.errors import DomainError

REFUSED, USAGE, PARTIAL, PROBLEMS = 1, 2, 3, 4


class CommandError(DjangoCommandError):
    """Stops a command with one line on stderr and an exit status."""

    def __init__(self, text: str, *, code: int = REFUSED) -> None:
        super().__init__(text, returncode=code)


@dataclass(frozen=True, slots=True)
class Field:
    """A column or line of output. `source` is an attribute path (`flavor__name` or `flavor.name`) or a function of the
    row; `order` is the ORM path to sort by when `source` is a function.
    """

    source: str | Callable[[Any], Any]
    help: str
    order: str = ""

    def value(self, row: Any) -> Any:
        if callable(self.source):
            return self.source(row)
        for part in self.source.replace("__", ".").split("."):
            row = row.get(part) if isinstance(row, Mapping) else getattr(row, part, None)
            if row is None:
                return None
        return row

    @property
    def path(self) -> str:
        """The ORM path behind the field, empty when there is none."""
        return self.order or (self.source.replace(".", "__") if isinstance(self.source, str) else "")


class BaseCommand(DjangoCommand):
    """Django's command with our conventions. Subclasses define `add_arguments` and `handle`."""

    requires_system_checks: ClassVar[list[str]] = []  # type: ignore[misc]
    uses_amounts = False
    """Adds `--unit-style`."""

    def get_version(self) -> str:
        return __version__

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand.replace("_", "-"), **kwargs)
        common = parser.add_argument_group("common options")
        common.add_argument("--output-format", choices=FORMATS, default="pretty", help="Form of the output.")
        if self.uses_amounts:
            common.add_argument("--unit-style", choices=UNIT_STYLES, default=None,
                                help="Unit of amounts: mb by default, raw numbers in data formats.")
        self.add_common_arguments(common)
        return parser

    def add_common_arguments(self, group: Any) -> None:
        """Options of the kind of command; subclasses of this package use it."""

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except DomainError as error:
            raise CommandError(error.public) from error

    def run_from_argv(self, argv: list[str]) -> None:
        """As Django's, with one plain line for an error and its exit status."""
        self._called_from_command_line = True
        parser = self.create_parser(argv[0], argv[1])
        options = vars(parser.parse_args(_joined(argv[2:])))
        args = options.pop("args", ())
        try:
            self.execute(*args, **options)
        except DjangoCommandError as error:
            if options.get("traceback"):
                raise
            self.stderr.write(escape_controls(str(error).replace("\n", " ")))
            sys.exit(error.returncode)

    def line(self, text: str = "") -> None:
        """Data, on stdout."""
        self.stdout.write(escape_controls(text))

    def note(self, text: str) -> None:
        """Words for the operator, on stderr."""
        self.stderr.write(escape_controls(text))

    def secret(self, value: str) -> str:
        """Mark a value as secret: it is shown, but masked in the command log."""
        runlog.mask(value)
        return value

    def renderer(self, options: Mapping[str, Any]) -> Renderer:
        stream: Any = getattr(self.stdout, "_out", self.stdout)  # Django's wrapper ends every write with a new line
        return Renderer(stream, options["output_format"], headers=not options.get("no_headers"),
                        unit_style=options.get("unit_style"))

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Any]], options: Mapping[str, Any]) -> None:
        """Print rows in the format asked for."""
        self.renderer(options).table(headers, rows)

    def detail(self, values: dict[str, Any], options: Mapping[str, Any], *, title: str = "") -> None:
        """Print one object in the format asked for."""
        self.renderer(options).detail(values, title=title)

    def fail(self, text: str, *, hint: str = "", code: int = REFUSED) -> NoReturn:
        """Stop with one line on stderr."""
        raise CommandError(f"{text} {hint}".strip(), code=code)

    def problems_found(self, text: str = "Problems were found and not fixed.") -> NoReturn:
        """Stop a check that found problems and was not asked to fix them."""
        raise CommandError(text, code=PROBLEMS)

    def ask(self, question: str, options: Mapping[str, Any]) -> None:
        """Return when the operator agrees or an option says so beforehand; stop otherwise."""
        if options.get("force") or options.get("yes"):
            return
        if not sys.stdin.isatty():
            raise CommandError(f"{question} Not a terminal: add --yes to confirm.")
        self.stderr.write(f"{question} [Y/N] ", ending="")
        self.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in {"n", "no"}:
            raise CommandError("Aborted.")
        if answer not in {"y", "yes"}:
            raise CommandError("Unknown answer: type y or n.")


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--sort-by -name` as one word: the parser would take `-name` for options."""
    result: list[str] = []
    for argument in arguments:
        if result and result[-1] == "--sort-by" and argument.startswith("-"):
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


def add_confirmation(parser: Any) -> None:
    """The options that answer a question beforehand."""
    parser.add_argument("-f", "--force", "--yes", dest="force", action="store_true", help="Do not ask.")


class ShowCommand(BaseCommand):
    """`*-show`: one object. Define `kind`, `fields`, `find`, and `sections` for tables below the details."""

    kind = "object"
    argument = ""
    argument_type: Callable[[str], Any] = str
    fields: ClassVar[dict[str, Field]] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("object", metavar=(self.argument or self.kind).upper(), type=self.argument_type)
        self.add_show_arguments(parser)

    def add_show_arguments(self, parser: CommandParser) -> None:
        """Further options."""

    def find(self, key: Any, options: Mapping[str, Any]) -> Any:
        """The object; raise `NotFound` with `unknown(...)`'s text when there is none."""
        raise TypeError(f"{type(self).__module__} does not define find()")

    def sections(self, found: Any, options: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        """Tables after the details: (title, headers, rows)."""
        return []

    def handle(self, *args: Any, **options: Any) -> None:
        found = self.find(options["object"], options)
        values = {name: field.value(found) for name, field in self.fields.items()}
        sections = self.sections(found, options)
        if options["output_format"] in {"json", "json-strings", "yaml"}:
            for title, headers, rows in sections:
                values[title] = [dict(zip(headers, row, strict=True)) for row in rows]
            self.detail(values, options)
            return
        self.detail(values, options)
        for title, headers, rows in sections:
            self.stdout.write(f"\n{title}\n")
            self.table(headers, rows, options)


class RemoveCommand(BaseCommand):
    """`*-remove`: several ids, each on its own; failures are listed and the rest is done. Define `kind`, `remove`."""

    kind = "object"
    argument = ""
    argument_type: Callable[[str], Any] = str

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("objects", metavar=(self.argument or self.kind).upper(), nargs="+",
                            type=self.argument_type)
        add_confirmation(parser)
        self.add_remove_arguments(parser)

    def add_remove_arguments(self, parser: CommandParser) -> None:
        """Further options."""

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        """Remove one; raise a `DomainError` when it cannot be."""
        raise TypeError(f"{type(self).__module__} does not define remove()")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = list(dict.fromkeys(options["objects"]))
        names = ", ".join(str(key) for key in keys)
        self.ask(f"Are you sure you want to delete {self.kind} {names}?", options)
        failed = 0
        for key in keys:
            try:
                self.remove(key, options)
            except (DomainError, DjangoCommandError) as error:
                failed += 1
                self.note(error.public if isinstance(error, DomainError) else str(error))
            else:
                self.note(f"Deleted {self.kind} {key}.")
        if failed:
            raise CommandError(f"{failed} of {len(keys)} could not be deleted.",
                               code=REFUSED if failed == len(keys) else PARTIAL)


def unknown(kind: str, key: object, listing: str) -> str:
    """The text for an id nobody has, naming the command that lists what there is."""
    return f"{kind.capitalize()} with ID {key} does not exist. Try: snf-manage {listing}"


def argument_error(text: str) -> argparse.ArgumentTypeError:
    """For parsers of `type=`."""
    return argparse.ArgumentTypeError(text)
