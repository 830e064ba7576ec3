"""Forms of astakos' pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html

from synnefo.common.errors import InvalidInput


class LoginForm(forms.Form):
    """E-mail and password. What is wrong is one text for unknown users and wrong passwords."""

    username = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput(
        attrs={"autocomplete": "username", "autofocus": True}))
    password = forms.CharField(label="Password", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class DirectoryForm(forms.Form):
    """Name and password at a directory. The name is free text."""

    username = forms.CharField(label="Username", max_length=254, widget=forms.TextInput(
        attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none", "spellcheck": "false"}))
    password = forms.CharField(label="Password", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class AccountForm(forms.Form):
    """What is asked about somebody who wants an account."""

    email = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    first_name = forms.CharField(label="First name", max_length=150, required=False, widget=forms.TextInput(
        attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(label="Last name", max_length=150, required=False, widget=forms.TextInput(
        attrs={"autocomplete": "family-name"}))

    def __init__(self, *args: Any, terms: int = 0, **kwargs: Any) -> None:
        """`terms` is the version to agree to, if there is one."""
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        if terms:
            self.fields["has_signed_terms"] = forms.BooleanField(
                label="I agree with the terms of use", error_messages={"required": "Tick the box if you agree."},
                help_text=format_html('<a href="{}" target="_blank" rel="noopener">Read them</a>', reverse("astakos-terms-version", args=[terms])))
            self.fields["terms"] = forms.IntegerField(widget=forms.HiddenInput, initial=terms, required=False)


class NewPassword(forms.Form):
    """A new password, twice. Whether it is good enough the services say, about the field `password1`."""

    password1 = forms.CharField(
        label="Password", max_length=1024, strip=False, help_text="At least 10 characters; not a common one, and not like your name or e-mail.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "data-strength": ""}))
    password2 = forms.CharField(label="Password again", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "new-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "password1" in data and "password2" in data and data["password1"] != data["password2"]:
            self.add_error("password2", "The two passwords differ.")
        return data

    def refuse(self, error: InvalidInput) -> None:
        """Show what the services found wrong, at its field."""
        field = {"password": "password1"}.get(error.field or "", error.field)
        self.add_error(field if field in self.fields else None, error.public)


class SignupForm(NewPassword, AccountForm):
    """An account with a password of ours."""

    field_order = ("email", "first_name", "last_name", "password1", "password2")


class PasswordForm(NewPassword):
    """The present password and a new one."""

    old_password = forms.CharField(label="Present password", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "current-password", "autofocus": True}))
    renew = forms.BooleanField(label="Renew my API token too", required=False)
    field_order = ("old_password", "password1", "password2", "renew")

    def __init__(self, *args: Any, renews_always: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label, self.fields["password2"].label = "New password", "New password again"
        if renews_always:
            del self.fields["renew"]


class EmailForm(forms.Form):
    """A new e-mail, and the password where the account has one."""

    new_email = forms.CharField(label="New e-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}))
    password = forms.CharField(label="Your password", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, has_password: bool, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        if not has_password:
            del self.fields["password"]


class ProfileForm(forms.Form):
    """The user's names. Those that a provider decides about are shown, not read."""

    first_name = forms.CharField(label="First name", max_length=150, required=False, widget=forms.TextInput(
        attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(label="Last name", max_length=150, required=False, widget=forms.TextInput(
        attrs={"autocomplete": "family-name"}))

    def __init__(self, *args: Any, forced: Collection[str], **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for name in set(forced) & set(self.fields):
            self.fields[name].disabled = True


class CodeForm(forms.Form):
    """A code of the authenticator, or a recovery code."""

    code = forms.CharField(label="Code", max_length=40, widget=forms.TextInput(
        attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True, "autocapitalize": "none", "spellcheck": "false"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class ResetForm(forms.Form):
    """Whose password is forgotten."""

    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class ThirdPartySignupForm(AccountForm):
    """The account of somebody whom a provider vouches for. Fields that the provider decides about are shown, not read."""

    def __init__(self, *args: Any, forced: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "Contact e-mail"
        for name, value in forced.items():
            self.fields[name].disabled = True
            self.initial[name] = value
