"""``antiphon config``: what is in force and why, whether a file can be used, the schema, and other programs' files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from antiphon.cli.output import complain, fail, print_json
from antiphon.errors import ConfigError

if TYPE_CHECKING:
    from antiphon.catalog import Catalog

app = typer.Typer(add_completion=False, help="Show, check, describe and import the configuration.")

ConfigOption = Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every value in force and where it comes from; no secret is shown."""
    from antiphon.config import load_config
    from antiphon.config.effective import list_settings

    catalog = load_config(config)
    settings = list_settings(catalog)
    if as_json:
        print_json({"file": catalog.file, "values": _nested((s.path, _leaf(s.value, s.source)) for s in settings)})
        return
    print(f"# {catalog.file or 'no file: providers are detected from the environment and this machine'}")
    for line in _lines(_nested((s.path, (s.value, s.source)) for s in settings)):
        print(line)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Say whether the configuration can be used; every fault is listed, and the exit code is 2."""
    from antiphon.config import load_config

    try:
        catalog = load_config(config)
    except ConfigError as error:
        if as_json:
            fields = ("file", "line", "field", "problem", "hint")
            faults = [{name: getattr(fault, name) for name in fields} for fault in error.faults]
            print_json({"ok": False, "faults": faults})
        else:
            for fault in error.faults:
                complain(str(fault))
        return 2
    if as_json:
        names = {"providers": list(catalog.providers), "models": list(catalog.routes)}
        print_json({"ok": True, "file": catalog.file, **names})
    else:
        print(
            f"{catalog.file or 'no file'}: fine; "
            f"{len(catalog.providers)} providers ({', '.join(catalog.providers)}), {len(catalog.routes)} models"
        )
        _hint_at_litellm(catalog)
    return 0


def _hint_at_litellm(catalog: "Catalog") -> None:
    """Say where a provider goes through LiteLLM, which is not here yet: no fault, for it may be installed later."""
    through = [provider.name for provider in catalog.providers.values() if provider.longtail is not None]
    if not through:
        return
    from antiphon.longtail.environment import get_environment, list_roots

    if not any(get_environment(root).installed for root in list_roots(catalog.settings.data)):
        problem = f"{', '.join(through)}: reached through LiteLLM, which is not installed here"
        complain(f"{problem}; run `antiphon longtail install`", label="hint: ")


@app.command()
def schema() -> None:
    """Print the JSON Schema of antiphon.yaml."""
    from antiphon.config.schema import make_json_schema

    print_json(make_json_schema())


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="YAML or JSON with an endpoint block, or several under names.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it here, readable by you alone [default: print it].")
    ] = None,
    keep_secrets: Annotated[
        bool, typer.Option("--keep-secrets", help="Write secrets out, where a variable would take their place.")
    ] = False,
) -> None:
    """Write an antiphon.yaml out of another program's endpoints (`type: openai` or `litellm`)."""
    from antiphon.config.imports import import_file

    if keep_secrets and output is None:
        fail("--keep-secrets wants --output: a secret is not printed", 2)
    text, notes = import_file(file, keep_secrets=keep_secrets)
    for note in notes:
        complain(note, label="note: ")
    if output is None:
        print(text, end="")
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}; name another file with --output")
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    print(f"{output}: written; `antiphon config check --config {output}` says whether it can be used")


def _leaf(value: Any, source: str) -> dict[str, Any]:
    return {"value": value, "source": source}


def _nested(pairs: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, leaf in pairs:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = leaf
    return tree


def _lines(tree: dict[str, Any], depth: int = 0) -> list[str]:
    """Return the tree in YAML's look, with each value's source behind it."""
    import json

    out = []
    for key, node in tree.items():
        indent = "  " * depth
        if isinstance(node, dict):
            out += [f"{indent}{key}:", *_lines(node, depth + 1)]
        else:
            value, source = node
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            out.append(f"{f'{indent}{key}: {shown}':<60}  # {source}")
    return out
