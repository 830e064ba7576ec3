"""Forms of astakos' pages."""

from __future__ import annotations

from typing import Any

from django import forms


class LoginForm(forms.Form):
    """E-mail and password. What is wrong is one text for unknown users and wrong passwords."""

    username = forms.CharField(label="E-mail", max_length=254, widget=forms.EmailInput(
        attrs={"autocomplete": "username", "autofocus": True}))
    password = forms.CharField(label="Password", max_length=1024, strip=False, widget=forms.PasswordInput(
        attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
