"""Mails about the life of an account, to its user and to the staff. All are part of the caller's transaction."""

from __future__ import annotations

from synnefo.astakos.models import User
from synnefo.astakos.services import mails, messages, providers, recipients
from synnefo.common.settings import conf

messages.declare(
    VERIFICATION_EMAIL_SUBJECT="Confirm your e-mail for {service_name}",
    ACCOUNT_CREATION_SUBJECT="{user} waits for approval at {service_name}",
    HELPDESK_NOTIFICATION_EMAIL_SUBJECT="{user} was accepted at {service_name}",
    GREETING_EMAIL_SUBJECT="Welcome to {service_name}",
    REPEATED_SIGNUP_SUBJECT="Somebody tried to sign up with your e-mail")


def verification(user: User, url: str) -> None:
    """The link that proves that the e-mail is the user's."""
    context = {"user": user, "url": url, "days": conf.ASTAKOS_VERIFICATION_DAYS}
    mails.queue("im/activation_email.txt", [mails.address_of(user)], messages.text("VERIFICATION_EMAIL_SUBJECT"), context)


def verified(user: User) -> None:
    """After the e-mail was confirmed: the user is welcome already, or moderators have to look."""
    if user.is_active:
        accepted(user)
    elif not user.moderated:
        mails.queue("im/account_pending_moderation_notification.txt", recipients.of("ACCOUNT_PENDING_MODERATION_RECIPIENTS"),
                    messages.text("ACCOUNT_CREATION_SUBJECT", user=user.email), {"user": user, "method": _method(user)})


def accepted(user: User) -> None:
    """Welcome, and word to the staff."""
    mails.queue("im/welcome_email.txt", [mails.address_of(user)], messages.text("GREETING_EMAIL_SUBJECT"), {
        "user": user, "url": f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login"})
    mails.queue("im/account_activated_notification.txt", recipients.of("ACCOUNT_ACTIVATED_RECIPIENTS"),
                messages.text("HELPDESK_NOTIFICATION_EMAIL_SUBJECT", user=user.email), {"user": user, "method": _method(user)})


def signed_up_again(user: User) -> None:
    """To the owner of an account whose e-mail somebody gave at sign-up, where pages do not tell that there is one."""
    mails.queue("im/repeated_signup_email.txt", [mails.address_of(user)], messages.text("REPEATED_SIGNUP_SUBJECT"), {
        "user": user, "url": f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login"})


def _method(user: User) -> str:
    first = user.login_methods.filter(active=True).order_by("pk").first()
    return providers.describe(first.module).title if first is not None else "none"
