"""Runs a command that is described by its signature, with the standard library only.

For commands whose process keeps running. Each parameter is ``name: Annotated[type, "help text"] = default``. A
parameter without a default is positional, a ``bool`` is a flag, and any other is an option that takes a value.
"""

import argparse
import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, get_args, get_origin


def run(function: Callable[..., Any], prog: str, args: Sequence[str]) -> int:
    """Parse ``args`` by the signature of ``function``, call it, and return the exit code."""
    result = function(**vars(build_parser(function, prog).parse_args(args)))
    return result if isinstance(result, int) else 0


def build_parser(function: Callable[..., Any], prog: str) -> argparse.ArgumentParser:
    """Return the argument parser for a function."""
    parser = argparse.ArgumentParser(prog=prog, description=inspect.getdoc(function), allow_abbrev=False)
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        annotation, text = get_args(parameter.annotation)
        _add_argument(parser, name, _find_value_type(annotation), str(text), parameter.default)
    return parser


def _find_value_type(annotation: Any) -> Any:
    if isinstance(annotation, UnionType) or get_origin(annotation) is not None:
        return next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _add_argument(parser: argparse.ArgumentParser, name: str, kind: Any, text: str, default: Any) -> None:
    flag = "--" + name.replace("_", "-")
    if default is inspect.Parameter.empty:
        parser.add_argument(name, type=kind, help=text)
    elif kind is bool:
        parser.add_argument(flag, dest=name, action="store_true", default=default, help=text)
    else:
        suffix = "" if default is None else f" [default: {default}]"
        # A percent sign starts a template in argparse's help texts.
        help_text = (text + suffix).replace("%", "%%")
        parser.add_argument(flag, dest=name, type=kind, default=default, metavar=f"<{kind.__name__}>", help=help_text)
