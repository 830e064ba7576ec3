"""The framework of `snf-manage`: what all commands share.

A command is a module `management/commands/server_list.py` of an enabled service, with a class `Command` made from one
of the bases here; people call it `snf-manage server-list`. A list declares its fields and queryset and gets columns,
filters, order, paging, formats and owners' e-mails for nothing. Commands parse, call a service and print: data on
stdout, words on stderr. Exit status: 0 done, 1 refused, 2 wrong usage, 3 done in part, 4 a check found problems.
"""

from synnefo.common.commands.base import (
    PARTIAL,
    PROBLEMS,
    REFUSED,
    USAGE,
    BaseCommand,
    CommandError,
    Field,
    RemoveCommand,
    ShowCommand,
    add_confirmation,
    unknown,
)
from synnefo.common.commands.listing import ListCommand, TableCommand
from synnefo.common.commands.output import FORMATS, Renderer, escape_controls
from synnefo.common.commands.values import (
    INFINITE,
    UNIT_STYLES,
    Amount,
    amount,
    boolean,
    comma_list,
    format_amount,
    object_id,
    resolve_user,
)

__all__ = [
    "FORMATS", "INFINITE", "PARTIAL", "PROBLEMS", "REFUSED", "UNIT_STYLES", "USAGE", "Amount", "BaseCommand",
    "CommandError", "Field", "ListCommand", "RemoveCommand", "Renderer", "ShowCommand", "TableCommand",
    "add_confirmation", "amount", "boolean", "comma_list", "escape_controls", "format_amount", "object_id",
    "resolve_user", "unknown",
]
