"""``antiphon config``: shows and checks a configuration, prints the schema, and imports other programs' files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from antiphon.cli.output import complain, fail, print_json
from antiphon.errors import ConfigError

if TYPE_CHECKING:
    from antiphon.catalog import Catalog

app = typer.Typer(add_completion=False, help="Show, check, describe or import a configuration.")

ConfigOption = Annotated[str | None, typer.Option(help="Path of an antiphon.yaml.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every effective value and its source, without secrets."""
    from antiphon.config import load_config
    from antiphon.config.effective import list_settings

    catalog = load_config(config)
    settings = list_settings(catalog)
    if as_json:
        print_json(
            {
                "file": catalog.file,
                "values": _build_tree((s.path, {"value": s.value, "source": s.source}) for s in settings),
            }
        )
        return
    print(f"# {catalog.file or 'no file: providers are detected from the environment and on this machine'}")
    for line in _format_tree(_build_tree((s.path, (s.value, s.source)) for s in settings)):
        print(line)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Check whether the configuration can be used; list every fault and exit with 2 if not."""
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
            f"{catalog.file or 'no file'}: OK; "
            f"{len(catalog.providers)} providers ({', '.join(catalog.providers)}), {len(catalog.routes)} models"
        )
        _hint_at_litellm(catalog)
    return 0


def _hint_at_litellm(catalog: "Catalog") -> None:
    """Print a hint if a provider needs LiteLLM, which is not installed; no fault, because it can be installed later."""
    names = [provider.name for provider in catalog.providers.values() if provider.longtail is not None]
    if not names:
        return
    from antiphon.longtail.environment import get_environment, list_roots

    if not any(get_environment(root).installed for root in list_roots(catalog.settings.data)):
        problem = f"{', '.join(names)}: reached through LiteLLM, which is not installed"
        complain(f"{problem}; run `antiphon longtail install`", label="hint: ")


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of antiphon.yaml."""
    from antiphon.config.schema import make_json_schema

    print_json(make_json_schema())


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="A YAML or JSON file with one endpoint block, or with several under names.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, readable only by you [default: print it].")
    ] = None,
    keep_secrets: Annotated[
        bool, typer.Option("--keep-secrets", help="Keep secrets in the file instead of replacing them with variables.")
    ] = False,
) -> None:
    """Write an antiphon.yaml from another program's endpoints (`type: openai` or `litellm`)."""
    from antiphon.config.imports import import_file

    if keep_secrets and output is None:
        fail("--keep-secrets needs --output, because secrets are not printed", 2)
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
    print(f"{output}: written; check it with `antiphon config check --config {output}`")


def _build_tree(pairs: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, leaf in pairs:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = leaf
    return tree


def _format_tree(tree: dict[str, Any], depth: int = 0) -> list[str]:
    """Return the lines of the tree in the style of YAML, each value followed by its source."""
    import json

    lines = []
    for key, node in tree.items():
        indent = "  " * depth
        if isinstance(node, dict):
            lines += [f"{indent}{key}:", *_format_tree(node, depth + 1)]
        else:
            value, source = node
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{f'{indent}{key}: {shown}':<60}  # {source}")
    return lines
