"""What is wanted: OS parameters from the environment, overridden by what the one-time address tells."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from synnefo_node.image.errors import ImageError

TIMEOUT_S = 30.0
ATTEMPTS = 5
MAX_BYTES = 2 * 2**20
FORMATS = ("diskdump", "raw", "qcow2")
"""Whole disks. Which of the two it is, the image itself tells."""


class PersonalityFile(BaseModel):
    path: str
    contents: str = Field(repr=False)
    owner: str = "root"
    group: str = "root"
    mode: int = 0o440


class Parameters(BaseModel):
    """Unknown keys are ignored: the service may be newer than the node."""

    model_config = ConfigDict(extra="ignore")

    img_id: str
    img_format: str = "diskdump"
    img_passwd: str | None = Field(None, repr=False)
    img_passwd_hash: str | None = Field(None, repr=False)
    auth_keys: str = ""
    img_properties: dict[str, str] = Field(default_factory=dict)
    inst_properties: dict[str, str] = Field(default_factory=dict)
    img_personality: list[PersonalityFile] = Field(default_factory=list)
    cloud_userdata: str = Field("", repr=False)

    @field_validator("img_properties", "inst_properties", "img_personality", mode="before")
    @classmethod
    def _decoded(cls, value: Any) -> Any:
        """From the environment they come as JSON text."""
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("img_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError(f"unknown image format {value!r}; use one of {', '.join(FORMATS)}")
        return value

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.img_passwd and self.img_passwd_hash:
            raise ValueError("give img_passwd or img_passwd_hash, not both")
        return self

    def property(self, name: str, default: str = "") -> str:
        """An image property, that of the instance first; names do not mind case."""
        merged = {key.upper(): value for key, value in (self.img_properties | self.inst_properties).items()}
        return merged.get(name.upper(), default)

    def is_excluded(self, task: str) -> bool:
        return any(self.property(name).lower() in {"yes", "true", "1", "on", "set"} for name in ("EXCLUDE_ALL_TASKS", f"EXCLUDE_TASK_{task}"))


def from_environment(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The OSP_* variables, lower case."""
    return {key.removeprefix("OSP_").lower(): value for key, value in environ.items() if key.startswith("OSP_")}


def parse(values: Mapping[str, Any]) -> Parameters:
    """Raises `ImageError` saying what is wrong, without repeating secrets."""
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False, include_url=False))
        raise ImageError(f"Bad parameters: {problems}") from error
    except ValueError as error:
        raise ImageError("Bad parameters: a JSON value is malformed") from error


def gather(environ: Mapping[str, str] = os.environ) -> Parameters:
    """All parameters, the one-time address fetched. Raises `ImageError`."""
    values = from_environment(environ)
    url = values.pop("config_url", "")
    if url:
        values |= fetch(url)
    return parse(values)


def fetch(url: str) -> dict[str, Any]:
    """The parameters behind the one-time address. The address is never shown."""
    transport = httpx.HTTPTransport(retries=ATTEMPTS)
    try:
        with httpx.Client(transport=transport, timeout=TIMEOUT_S) as client:
            response = client.get(url)
    except httpx.HTTPError as error:
        raise ImageError(f"The parameters could not be fetched: {type(error).__name__}") from error
    if response.status_code != 200:
        raise ImageError(f"The parameters could not be fetched: the address was used before, or has expired ({response.status_code})")
    if len(response.content) > MAX_BYTES:
        raise ImageError("The parameters are too long")
    try:
        found = response.json()
    except ValueError as error:
        raise ImageError("The parameters are no JSON") from error
    if not isinstance(found, dict):
        raise ImageError("The parameters are no JSON object")
    return {str(key).lower(): value for key, value in found.items()}
