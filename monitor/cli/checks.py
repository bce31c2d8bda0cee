"""``monitor checks``: the check types, their keys and the presets."""

from __future__ import annotations

import dataclasses
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from monitor.cli.app import json_option, print_json, print_table
from monitor.errors import InputError
from monitor.probes.check_types import CHECK_TYPES, CheckType
from monitor.probes.presets import PRESETS
from monitor.probes.settings import CheckSettings, Duration, settings_fields

_TYPE_NAMES: dict[object, str] = {str: "text", int: "number", bool: "true or false", Duration: "number"}
_COMMON_KEYS = {field.name for field in dataclasses.fields(CheckSettings)}
_EVERY_TYPE = "all"


@click.command("checks")
@click.argument("name", metavar="[TYPE]", required=False)
@json_option
def checks(*, name: str | None, as_json: bool) -> None:
    """List the check types, their keys, and presets for the software that support covers; or only one type.

    The keys belong into a [[server.service]], beside its name and type.
    """
    if name is not None and name not in CHECK_TYPES:
        raise InputError(f"{name}: no such check type; known: {', '.join(CHECK_TYPES)}")
    types = [_check_type_json(each) for each in CHECK_TYPES.values() if name in (None, each.name)]
    offered = [each for each in PRESETS if name in (None, each.type)]
    if as_json:
        presets = [
            {"name": each.name, "kind": each.kind, "type": each.type, "keys": dict(each.keys)} for each in offered
        ]
        print_json({"checks": types, "presets": presets})
        return
    rows = [_key_row(each["type"], key) for each in types for key in each["keys"] if key["key"] not in _COMMON_KEYS]
    rows += [_key_row(_EVERY_TYPE, key) for key in types[0]["keys"] if key["key"] in _COMMON_KEYS]
    print_table(("type", "ok when"), [(each["type"], each["doc"]) for each in types], empty="")
    click.echo()
    print_table(("type", "key", "default", "allowed", "meaning"), rows, empty="")
    click.echo()
    print_table(
        ("preset", "kind", "type", "keys"),
        [
            (each.name, each.kind, each.type, ", ".join(f"{key} = {_format_toml(value)}" for key, value in each.keys))
            for each in offered
        ],
        empty="no presets of that type",
    )


def _key_row(check_type: str, key: dict[str, Any]) -> tuple[str, ...]:
    return check_type, key["key"], _format_default(key), key["allowed"], key["doc"]


def _check_type_json(check_type: CheckType) -> dict[str, Any]:
    hints = get_type_hints(check_type.settings)
    return {
        "type": check_type.name,
        "doc": check_type.doc,
        "tls": check_type.tls,
        "keys": [_key_json(field, hints[field.name]) for field in settings_fields(check_type.settings)],
    }


def _key_json(field: dataclasses.Field[Any], hint: object) -> dict[str, Any]:
    required = field.default is dataclasses.MISSING
    default = None if required else field.default
    return {
        "key": field.name,
        "kind": _value_type(hint),
        "required": required,
        "default": list(default) if isinstance(default, tuple) else default,
        "allowed": field.metadata["allowed"],
        "doc": field.metadata["doc"],
    }


def _value_type(hint: object) -> str:
    """Return the name of the TOML value for a type hint."""
    if get_origin(hint) is Literal:
        return "text"
    options = [each for each in get_args(hint) if each is not NoneType]
    if get_origin(hint) is tuple:
        return f"list of {_value_type(options[0])}s"
    return _value_type(options[0]) if options else _TYPE_NAMES.get(hint, "file")


def _format_default(key: dict[str, Any]) -> str:
    if key["required"]:
        return "required"
    return "-" if key["default"] is None else _format_toml(key["default"])


def _format_toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_format_toml(each) for each in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
