from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.models import Resource, User
from synnefo.astakos.services import base_quota, passwords, tokens, users
from synnefo.astakos.services.user_changes import LOCAL_ENABLED, Changes, modify_user
from synnefo.common.commands import BaseCommand, CommandError, add_confirmation, amount


class Command(BaseCommand):
    help = "Change a user; with --all, the base quota of all users."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", metavar="ID|UUID|EMAIL")
        admin = parser.add_mutually_exclusive_group()
        admin.add_argument("--set-admin", dest="admin", action="store_true", default=None, help="Make an administrator.")
        admin.add_argument("--set-noadmin", dest="admin", action="store_false", help="Take the administrator's rights.")
        active = parser.add_mutually_exclusive_group()
        active.add_argument("--set-active", dest="active", action="store_true", default=None, help="Open the account.")
        active.add_argument("--set-inactive", dest="active", action="store_false", help="Close the account.")
        parser.add_argument("--inactive-reason", default="", help="Why it is closed.")
        parser.add_argument("--verify", action="store_true", help="The e-mail is known to be the user's.")
        parser.add_argument("--accept", action="store_true", help="Accept and activate the account.")
        parser.add_argument("--reject", action="store_true", help="Reject an account that waits for moderation.")
        parser.add_argument("--reject-reason", default="", help="Why it is rejected.")
        parser.add_argument("--password", default=None, help="New password, at least 10 characters.")
        parser.add_argument("--renew-password", action="store_true", help="Make up a new password and print it.")
        parser.add_argument("--renew-token", action="store_true",
                            help="Revoke all tokens of the user and print a new one.")
        parser.add_argument("--set-email", default=None, metavar="EMAIL", help="New e-mail.")
        parser.add_argument("--first-name", default=None)
        parser.add_argument("--last-name", default=None)
        parser.add_argument("--add-group", action="append", default=[], metavar="GROUP", help="May be repeated.")
        parser.add_argument("--delete-group", action="append", default=[], metavar="GROUP", help="May be repeated.")
        parser.add_argument("--add-permission", action="append", default=[], metavar="PERMISSION",
                            help="Give a permission, which is made when missing. May be repeated.")
        parser.add_argument("--delete-permission", action="append", default=[], metavar="PERMISSION",
                            help="Take a permission. May be repeated.")
        parser.add_argument("--base-quota", "--set-base-quota", nargs=2, action="append", default=[],
                            metavar=("RESOURCE", "VALUE"), help="Set the base quota of a resource. May be repeated.")
        parser.add_argument("--all", action="store_true", help="With --base-quota: of all accepted users.")
        parser.add_argument("--exclude", default="", metavar="U1,U2", help="With --all: but not these.")
        parser.add_argument("--level", type=_count, default=None, metavar="N", help="Level for invitations.")
        parser.add_argument("--invitations", type=_count, default=None, metavar="N", help="How many people the user may still invite.")
        parser.add_argument("--reset-2fa", action="store_true", help="Switch off the second factor of somebody who has lost it.")
        parser.add_argument("--set-default-project", default=None, metavar="UUID", help="The project that pays when the user names none.")
        parser.add_argument("--release-provider", action="append", default=[], metavar="PROVIDER",
                            help="Unlink the user's identities of a sign-in provider. May be repeated.")
        parser.add_argument("--enable-local", action="store_true", help="Enable sign-in by password; prints a new one if there is none.")
        parser.add_argument("--sign-terms", action="store_true", help="The user agreed to the newest terms of use.")
        parser.add_argument("--delete", action="store_true", help="Delete an account that was never accepted.")
        add_confirmation(parser)
        parser.add_argument("--no-confirm", dest="force", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["all"]:
            self._all(options)
            return
        if options["user"] is None:
            raise CommandError("Name a user, or use --all with --base-quota.", code=2)
        user = users.get_user(options["user"])
        if options["delete"]:
            self._delete(user, options)
            return
        password = passwords.new_password() if options["renew_password"] else options["password"]
        local = passwords.new_password() if options["enable_local"] else ""
        changes = self._changes(options, password, local)
        quotas = self._quotas(options)
        if not changes.is_empty or not (quotas or options["renew_token"]):
            done = modify_user(user.user_id, changes)
            for line in done:
                self.note(line)
            if LOCAL_ENABLED in done:  # with the new password
                self.line(f"User's new password: {self.secret(local)}")
        if quotas:
            base_quota.set_for_users([user], quotas)
            self.note(f"Base quota of {user.email} changed")
        if options["renew_password"]:
            self.line(f"User's new password: {self.secret(password)}")
        if options["renew_token"]:
            self.line(f"User's new token: {self.secret(tokens.replace_all(user.user_id).secret)}")

    def _changes(self, options: dict[str, Any], password: str | None, local: str) -> Changes:
        for text in (password, local):
            if text:
                self.secret(text)
        return Changes(
            set_admin=options["admin"], reject_reason=options["reject_reason"] if options["reject"] else None,
            verify=options["verify"], accept=options["accept"], active=options["active"],
            inactive_reason=options["inactive_reason"], password=password, first_name=options["first_name"],
            last_name=options["last_name"], email=options["set_email"], add_groups=tuple(options["add_group"]),
            delete_groups=tuple(options["delete_group"]), add_permissions=tuple(options["add_permission"]),
            delete_permissions=tuple(options["delete_permission"]),
            level=options["level"], invitations=options["invitations"], sign_terms=options["sign_terms"], reset_second_factor=options["reset_2fa"],
            default_project=options["set_default_project"], release=tuple(options["release_provider"]), local_password=local)

    def _quotas(self, options: dict[str, Any]) -> dict[str, int]:
        known = set(Resource.objects.values_list("name", flat=True)) if options["base_quota"] else set()
        quotas: dict[str, int] = {}
        for name, value in options["base_quota"]:
            if name not in known:
                raise CommandError(f"Resource {name} does not exist. Try: snf-manage resource-list")
            quotas[name] = self._amount(value)
        return quotas

    def _amount(self, value: str) -> int:
        try:
            return amount(value)
        except argparse.ArgumentTypeError as error:
            raise CommandError(str(error), code=2) from error

    def _all(self, options: dict[str, Any]) -> None:
        quotas = self._quotas(options)
        if not quotas or options["user"] is not None:
            raise CommandError("--all goes with --base-quota and without a user.", code=2)
        excluded = [users.get_user(text).pk for text in options["exclude"].split(",") if text.strip()]
        count = base_quota.set_for_all(quotas, excluded)
        self.note(f"Base quota of {count} users changed")

    def _delete(self, user: User, options: dict[str, Any]) -> None:
        self.ask(f"Delete the account {user.email} ({user.status})?", options)
        users.delete_account(user.user_id)
        self.note(f"Account {user.email} deleted")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise argparse.ArgumentTypeError("a number from 0 to 9999")
    return int(text)
