"""Runs a command described by its signature alone, with nothing but the standard library.

For commands whose process stays: each parameter is ``name: Annotated[type, "help text"] = default``. One without a
default is positional; a ``bool`` is a flag; everything else is an option that takes a value.
"""

import argparse
import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, get_args, get_origin


def run(target: Callable[..., Any], prog: str, args: Sequence[str]) -> int:
    """Parse ``args`` as ``target``'s signature says, call it, and return the exit code."""
    result = target(**vars(build(target, prog).parse_args(args)))
    return result if isinstance(result, int) else 0


def build(target: Callable[..., Any], prog: str) -> argparse.ArgumentParser:
    """Return the argument parser for a function."""
    parser = argparse.ArgumentParser(prog=prog, description=inspect.getdoc(target), allow_abbrev=False)
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        annotation, text = get_args(parameter.annotation)
        _add(parser, name, _value_type(annotation), str(text), parameter.default)
    return parser


def _value_type(annotation: Any) -> Any:
    if isinstance(annotation, UnionType) or get_origin(annotation) is not None:
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _add(parser: argparse.ArgumentParser, name: str, kind: Any, text: str, default: Any) -> None:
    flag = "--" + name.replace("_", "-")
    shown = "" if default is None else f" [default: {default}]"
    if default is inspect.Parameter.empty:
        parser.add_argument(name, type=kind, help=text)
    elif kind is bool:
        parser.add_argument(flag, dest=name, action="store_true", default=default, help=text)
    else:
        # A percent sign is argparse's own template mark in help texts.
        help_text = (text + shown).replace("%", "%%")
        parser.add_argument(flag, dest=name, type=kind, default=default, metavar=f"<{kind.__name__}>", help=help_text)
