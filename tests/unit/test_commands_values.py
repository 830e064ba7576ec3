"""Amounts, booleans and ids of commands, filter expressions, and what output does to hostile text."""

from __future__ import annotations

import argparse
import datetime
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo.common.commands import (
    INFINITE,
    Amount,
    Renderer,
    amount,
    boolean,
    escape_controls,
    format_amount,
    object_id,
)
from synnefo.common.commands.filters import Term, holds, parse
from synnefo.common.commands.runlog import masked_arguments
from synnefo.common.errors import InvalidInput


@pytest.mark.parametrize(("text", "value"), [
    ("0", 0), ("10", 10), ("10bytes", 10), ("1K", 1024), ("1kb", 1024), ("1KiB", 1024), (" 2 MiB ", 2 * 1024**2),
    ("1.5G", 1024**3 * 3 // 2), ("0.5KiB", 512), ("3TB", 3 * 1024**4), ("1PiB", 1024**5), ("inf", INFINITE),
    ("Infinite", INFINITE), (str(INFINITE), INFINITE),
])
def test_amounts(text: str, value: int) -> None:
    assert amount(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "1X", "1.5", "1e3", "1 2", "9999999P", "1" * 30, "0x10", "1.K", "KiB", "\u0661"])
def test_amounts_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        amount(text)


@given(st.integers(0, INFINITE - 1))
def test_raw_amounts_come_back(value: int) -> None:
    assert amount(format_amount(Amount(value), "none")) == value


@pytest.mark.parametrize(("value", "style", "text"), [
    (1536, "kb", "1.5KB"), (5 * 1024**3, "mb", "5120MB"), (5 * 1024**3, "auto", "5GB"), (100, "auto", "100"),
    (1024**2, "none", "1048576"), (INFINITE, "mb", "inf"), (0, "mb", "0MB"), (10, "b", "10B"),
])
def test_amounts_by_unit_style(value: int, style: str, text: str) -> None:
    assert format_amount(Amount(value), style) == text


def test_counts_have_no_unit() -> None:
    assert format_amount(Amount(4096, ""), "mb") == "4096"


@pytest.mark.parametrize(("text", "value"), [("True", True), ("yes", True), ("FALSE", False), ("no", False)])
def test_booleans(text: str, value: bool) -> None:
    assert boolean(text) is value


@pytest.mark.parametrize("text", ["1", "0", "", "maybe", "t"])
def test_booleans_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        boolean(text)


def test_object_ids_come_with_or_without_the_prefix() -> None:
    assert object_id("server")("12") == object_id("server")("snf-12") == 12
    assert object_id("network")("snf-net-3") == object_id("volume")("snf-vol-3") == object_id("port")("snf-nic-3") == 3
    for bad in ("snf-net-3", "snf-", "snf-x", "other-12", "", "x", "-1", "1.0", "9" * 19, "1 ", "\u0661"):
        with pytest.raises(argparse.ArgumentTypeError, match="Invalid server ID"):
            object_id("server")(bad)


@pytest.mark.parametrize(("expression", "terms"), [
    ("a=1", [("a", "=", "1")]), ("a>=1", [("a", ">=", "1")]), ("a=>1", [("a", ">=", "1")]), ("a<=1", [("a", "<=", "1")]),
    ("a=<1", [("a", "<=", "1")]), ("a!=1", [("a", "!=", "1")]), ("a>1,b<2", [("a", ">", "1"), ("b", "<", "2")]),
    ("name=a=b", [("name", "=", "a=b")]), ("name='a,b', c=d ", [("name", "=", "a,b"), ("c", "=", "d")]),
    ("a~=x", [("a", "~=", "x")]), ("a^=x", [("a", "^=", "x")]), ("a=", [("a", "=", "")]), ("a.b__c=1", [("a.b__c", "=", "1")]),
    ("a=in:(x;y),b=1", [("a", "=in:", "(x;y)"), ("b", "=", "1")]),
])
def test_filter_terms(expression: str, terms: list[tuple[str, str, str]]) -> None:
    assert [(term.key, term.operator, term.value) for term in parse(expression)] == terms


@pytest.mark.parametrize("expression", ["", "a", "=1", "a?1", "1a=2", "a='x", ",,", "a=1,b", "x" * 20_000, ",".join(["a=1"] * 60)])
def test_filters_that_are_none(expression: str) -> None:
    with pytest.raises(InvalidInput):
        parse(expression)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused(expression: str) -> None:
    try:
        terms = parse(expression)
    except InvalidInput:
        return
    assert terms


@pytest.mark.parametrize(("text", "actual", "result"), [
    ("a>=10M", Amount(10 * 1024**2), True), ("a<inf", Amount(INFINITE), False), ("a=1", "1", True), ("a=1", 1, True),
    ("a=yes", True, True), ("a=0", False, True), ("a=1", None, False), ("a!=1", None, True), ("a=null", None, True),
    ("a~=B", "abc", True), ("a^=b", "abc", False), ("a=in:(1;2)", 2, True), ("a=in:(1;2)", 3, False),
    ("a>2026-01-01", datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC), True),
])
def test_terms_on_computed_values(text: str, actual: object, result: bool) -> None:
    assert holds(parse(text)[0], actual) is result


def test_values_that_do_not_compare_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be compared"):
        holds(Term("a", ">", "x", "a>x"), 3)


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert escape_controls("a\x1b[31m\n\u202eb\u200f") == "a\\x1b[31m\\n\\u202eb\\u200f"
    assert escape_controls("Ωmega 漢字") == "Ωmega 漢字"


def _table(form: str, rows: list[tuple[object, ...]], **options: object) -> str:
    stream = io.StringIO()
    Renderer(stream, form, **options).table(("name", "n"), rows)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_pretty_table_is_aligned_to_the_right() -> None:
    assert _table("pretty", [("a", 1), ("漢字", 1000)]) == "name     n\n----------\n   a     1\n漢字  1000\n"
    assert _table("pretty", [("a", None)], headers=False) == "a  \n"


def test_json_keeps_types_and_streams_valid_text() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    rows: list[tuple[object, ...]] = [("a\x1b", True), (None, moment), ("x", Amount(2048)), ("y", ["1", 2])]
    assert json.loads(_table("json", rows)) == [
        {"name": "a\x1b", "n": True}, {"name": None, "n": "2026-01-02T03:04:05+00:00"}, {"name": "x", "n": 2048},
        {"name": "y", "n": ["1", 2]}]
    assert json.loads(_table("json", [])) == []
    assert json.loads(_table("json-strings", [(1, None)])) == [{"name": "1", "n": ""}]
    assert json.loads(_table("json", [("x", Amount(2048))], unit_style="kb"))[0]["n"] == "2KB"


def test_csv_and_yaml() -> None:
    assert _table("csv", [('a,"b', "x\ny")]) == 'name,n\n"a,""b",x\\ny\n'
    assert _table("csv", [("a", 1)], headers=False) == "a,1\n"
    assert _table("yaml", [("a: b", 1), (None, True)]) == '- name: "a: b"\n  n: 1\n- name: null\n  n: true\n'
    assert _table("yaml", []) == "[]\n"


def test_secrets_do_not_reach_the_command_log() -> None:
    argv = ["snf-manage", "user-add", "--password", "s3cret-word", "--auth-token=abcdef", "--renew-password", "ann"]
    assert masked_arguments(argv) == [
        "snf-manage", "user-add", "--password", "********", "--auth-token=********", "--renew-password", "ann"]
