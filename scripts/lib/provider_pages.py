"""The pages that scripts/docs-catalog writes from the provider kinds: an index, and one page for each kind."""

from collections.abc import Iterator

from antiphon.catalog.kinds import (
    CERTAINTY,
    CREDENTIAL_SOURCES,
    FEATURES,
    OPERATIONS,
    PARAMS,
    QUIRKS,
    SECRETS,
    SETTINGS,
    Kind,
    load_kinds,
)
from antiphon.catalog.kinds.kind import list_placeholders
from antiphon.catalog.kinds.rows import load_families
from antiphon.catalog.kinds.vocabulary import WIRES
from antiphon.catalog.models import load_facts
from antiphon.catalog.prices import format_per_million
from antiphon.wires.table import COUNTERS, EMBEDDERS

GENERATION = frozenset(WIRES.values())


def write_pages() -> dict[str, str]:
    """Return the pages by their path under docs/."""
    return {"providers.md": write_index()} | {
        f"providers/{kind.name}.md": write_page(kind) for kind in load_kinds().values()
    }


# -- the index ------------------------------------------------------------------------------------------------------


def write_index() -> str:
    facts = load_facts()
    kinds = load_kinds()
    lines = [
        "# Providers",
        "",
        "<!-- written by scripts/docs-catalog from src/antiphon/catalog/kinds and facts.json -->",
        "",
        f"A provider *kind* is one of {len(kinds)} rows of data. A *provider* is an account of a kind, under",
        "a name in `antiphon.yaml` (see [configuration.md](configuration.md)). Without a file, Antiphon detects",
        "providers from the variables below, and from local servers that listen on their usual port. Each kind has a",
        "page with its requirements, variables, operations with their paths, features, limits, and an example.",
        "",
    ]
    for family, heading in load_families().items():
        lines += [f"## {heading}", "", "| kind | service | operations | detected by |", "|---|---|---|---|"]
        lines += [_index_write_row(kind) for kind in kinds.values() if kind.family == family] + [""]
    lines += [
        *OTHERS,
        "",
        "## Quirks",
        "",
        "A quirk is a difference between a kind and its wire. A wire's code checks for the quirk, never for the kind.",
        "",
        "| quirk | the service … | kinds |",
        "|---|---|---|",
        *[f"| `{quirk}` | {text} | {_list_with_quirk(quirk)} |" for quirk, text in QUIRKS.items()],
        "",
        "## How reliable a row is",
        "",
        *[f"- *{word}*: {text}.{_count_with_certainty(word)}" for word, text in CERTAINTY.items()],
        "",
        "No row was tested with a paid account; to test yours, run `antiphon ask --model <kind>/<model> Hello`.",
        "",
        "## Known models",
        "",
        f"`scripts/facts` takes limits, prices and capabilities (as of {facts.as_of}) from "
        + " and ".join(f"`{version}`" for version in facts.versions)
        + ".",
        "A price version in the ledger names the list with which a cost was computed.",
        "",
        *PRICES,
    ]
    return "\n".join(lines) + "\n"


OTHERS = """\
## Any other server

If a service speaks one of the supported wires but has no row, its address is enough:

```yaml
providers:
  mine: {kind: openai-compatible, base_url: http://10.0.0.5:9000, api_key: ${MY_KEY}}
```

`responses-compatible`, `anthropic-compatible` and `gemini-compatible` do the same for the other wires. The models are
`mine/<model>`. Their price is unknown, which is not zero, unless a model's `price` states it. A service with its own
wire is reached through LiteLLM: `via: litellm`.

If a service does not offer generation on the caller's wire, the call is translated to the first generation operation
that it offers. A call on a wire that the service speaks is passed on unchanged. For this reason a row omits a wire that
the service supports only in part (Responses without stored responses, Messages for some models only): translation works
better.
""".splitlines()


PRICES = """\
Rules for cases that the lists leave open:

- Prices are exact, in picodollars per token. *Unknown* is a separate value: it is shown as `unknown`, and the cost of a
  call is then unknown, never zero. A listed price that is not a whole number of picodollars is unknown.
- If a bucket has no price, `cache_read`, `cache_write` and `image_input` cost the same as `input`, `audio_cache_read`
  the same as `cache_read`, and `reasoning` the same as `output`. Audio output and image output stay unknown.
- `cache_write` is the price for the shortest time to live, `cache_write_long` for the longer one (1 hour at Anthropic
  and on Bedrock, 12 hours at OpenAI). If a list has no long price it is unknown, except for Anthropic's models, which
  are documented to cost twice the input.
- Operations that are not billed by tokens have a price per unit: images, seconds of audio, characters, searches of a
  reranker. If the price of an image depends on its size or quality, it is unknown.
- A web search has a price if the price is the same for every search. It is unknown if it depends on the amount
  requested, and with Gemini models that bill the prompt instead of the search. Free allowances are not deducted.
- A provider that charges more for long contexts has a second price, which applies to the whole call if its input is
  longer than the stated length.
- If an answer names a service tier (flex, priority), a speed or a region, the list's prices for it apply; if the list
  has none, the cost is unknown. A region that appears only in the address has the usual prices.
- If the price depends on the time of day, the price of the expensive hours is used.
- Servers on your own hardware cost nothing, and that price is known. A model of Hugging Face has a price if its name
  includes the provider that serves it (`org/model:groq`); otherwise its price is unknown.
- You choose the names of Azure deployments; a deployment that is named after its model has that model's facts.
- Bedrock's prices are those of the named model or inference profile, and differ by region (`us.…`, `eu.…`).
- Tiers: `free` costs nothing. Otherwise the price is a blend of three parts input and one part output: `low` is under
  $1 per million tokens, `mid` under $5, `high` above.
- A model that its provider has withdrawn keeps its price, but is not listed.""".splitlines()


def _index_write_row(kind: Kind) -> str:
    operations = ", ".join(operation for operation in kind.list_operations() if "." not in operation)
    return f"| [`{kind.name}`](providers/{kind.name}.md) | {kind.title} | {operations} | {_describe_detection(kind)} |"


def _describe_detection(kind: Kind) -> str:
    if kind.always:
        return "always available"
    if not kind.detect:
        return "configuration only"
    if kind.key != "required":
        signs = [f"`{name}`" for name in kind.base_url_env] + ([f"port {kind.probe}"] if kind.probe else [])
        return ", ".join(signs) or "configuration only"
    if not kind.base_url and not kind.base_url_env:
        return "configuration only"
    keys = [f"`{name}`" for name in kind.env]
    keys += (
        [" and ".join(f"`{kind.signing.secrets[name][0]}`" for name in kind.signing.required)] if kind.signing else []
    )
    renewed = f"[renewed credentials](providers/{kind.name}.md#renewed-credentials)"
    keys += [renewed] if kind.identity else []
    others = _list_other_variables(kind)
    return " or ".join(keys) + (f", with {' and '.join(others)}" if others else "")


def _list_other_variables(kind: Kind) -> list[str]:
    """Return the variables that are needed besides those of the key."""
    needed = [f"`{param.env[0]}`" for param in kind.params.values() if param.env and not param.default]
    return needed + ([f"`{kind.base_url_env[0]}`"] if not kind.base_url and kind.base_url_env else [])


def _list_with_quirk(quirk: str) -> str:
    return ", ".join(f"`{kind.name}`" for kind in load_kinds().values() if quirk in kind.quirks) or "none"


def _count_with_certainty(word: str) -> str:
    names = [f"`{kind.name}`" for kind in load_kinds().values() if kind.certainty == word]
    return f" ({', '.join(names)})" if word != "documented" else f" ({len(names)} kinds)"


# -- the page of one kind ---------------------------------------------------------------------------------------------


def write_page(kind: Kind) -> str:
    family = load_families()[kind.family]
    docs = kind.docs if "://" in kind.docs else "../" + kind.docs.removeprefix("docs/")
    lines = [
        f"# {kind.title}",
        "",
        f"<!-- written by scripts/docs-catalog from src/antiphon/catalog/kinds/{kind.family}.toml -->",
        "",
        f"Kind `{kind.name}`, in the family [{family.lower()}](../providers.md), on the wire `{kind.wire}`.",
        f"[Its documentation]({docs}) was read on {kind.checked}; the row is",
        f"[{kind.certainty}](../providers.md#how-reliable-a-row-is).",
        "",
        "## Requirements",
        "",
        *_write_requirements(kind),
        "",
        _write_detection(kind),
        "",
        "## Operations",
        "",
        *_write_operations(kind),
        "",
        *_write_features(kind),
        *_write_limits(kind),
        *_write_credentials(kind),
        "## Models",
        "",
        *_write_models(kind),
        "",
        "## Example",
        "",
        *_write_examples(kind),
    ]
    return "\n".join(lines) + "\n"


def _write_requirements(kind: Kind) -> Iterator[str]:
    if kind.always:
        yield "None: it is always available."
        return
    yield "| key | variable | |"
    yield "|---|---|---|"
    if kind.key != "none":
        alternatives = ["signing keys"] if kind.signing else []
        alternatives += ["renewed credentials"] if kind.identity else []
        needed = "required" if kind.key == "required" else "optional"
        needed += f" (or use {' or '.join(alternatives)})" if alternatives else ""
        yield _write_row("api_key", kind.env, f"{needed}; sent as `{kind.auth[0]}: {kind.auth[1]}…`")
    for name, variables in (kind.signing.secrets if kind.signing else {}).items():
        optional = "optional" if kind.signing and name in kind.signing.optional else "instead of `api_key`"
        yield _write_row(name, variables, f"{optional}; {_lower(SECRETS[name])}")
    yield from _write_identity(kind)
    for name, param in kind.params.items():
        needed = f"default `{param.default}`" if param.default else "required"
        if name not in list_placeholders(kind.base_url) and (others := kind.base_urls.get(name)):
            needed += f", or {', '.join(f'`{value}` (`{address}`)' for value, address in others.items())}"
        yield _write_row(name, param.env, f"{needed}; {_lower(PARAMS[name])}")
    default = f"default `{kind.base_url}`" if kind.base_url else "required: the address of your account or server"
    note = (
        "" if kind.base_url else f"; an address without a path gets `{kind.prefix}`" if kind.prefix.strip("/") else ""
    )
    yield _write_row("base_url", kind.base_url_env, default + note)


def _write_identity(kind: Kind) -> Iterator[str]:
    """Yield the settings of credentials that expire."""
    if kind.identity is None:
        return
    source = CREDENTIAL_SOURCES[kind.identity.source]
    for name in source.settings:
        default = kind.identity.params.get(name)
        text = f"{'instead of `api_key`' if default is None else f'default `{default}`'}; {_lower(SETTINGS[name])}"
        yield _write_row(name, (source.files[name],) if name in source.files else (), text)


def _write_row(key: str, variables: tuple[str, ...], text: str) -> str:
    return f"| `{key}` | {', '.join(f'`{name}`' for name in variables)} | {text} |"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:].rstrip(".")


def _write_detection(kind: Kind) -> str:
    if kind.always:
        return f"Its models are `{kind.name}/<model>`."
    conditions = []
    if kind.detect and kind.key == "required":
        needed = [f"`{kind.env[0]}`" if len(kind.env) == 1 else "one of the key's variables"]
        others = ["signing keys"] if kind.signing else []
        others += ["a source of renewed credentials"] if kind.identity else []
        if others:
            needed = [f"a key (or {' or '.join(others)})"]
        needed += _list_other_variables(kind)
        conditions = [f"{' and '.join(needed)} {'is' if len(needed) == 1 else 'are'} set"]
        conditions = conditions if kind.base_url or kind.base_url_env else []
    elif kind.detect:
        conditions = [f"`{name}` is set" for name in kind.base_url_env]
        conditions += [f"something listens on port {kind.probe} of this machine"] if kind.probe else []
    if not conditions:
        reason = ", because another kind has the same variables" if not kind.detect else ""
        return f"It needs an entry in the configuration{reason}. Its models are `<provider>/<model>`."
    return f"Without a file, it is detected if {' or '.join(conditions)}. Its models are `{kind.name}/<model>`."


def _write_operations(kind: Kind) -> Iterator[str]:
    yield "| operation | | path |"
    yield "|---|---|---|"
    for operation, path in kind.list_operations().items():
        note = (
            "" if operation in kind.operations or not kind.operations else " (not if `base_url` has a different path)"
        )
        pattern = kind.model_patterns.get(operation, "").replace("|", r"\|")
        models = f" (models that match `{pattern}`)" if pattern else ""
        yield f"| `{operation}` | {OPERATIONS[operation]}{models} | `{path}`{note} |"
    if native := next((operation for operation in kind.list_operations() if operation in GENERATION), ""):
        yield ""
        yield f"Generation calls on other wires are translated to `{native}`."
    for family, calls in ((EMBEDDERS, "Embedding calls"), (COUNTERS, "Token counting calls")):
        if own := [f"`{operation}`" for operation in kind.list_operations() if operation in family]:
            yield ""
            yield f"{calls} on other wires are translated to {' or '.join(own)}."


def _write_features(kind: Kind) -> list[str]:
    if not kind.features:
        return []
    listed = [f"- `{feature}`: {FEATURES[feature]}" for feature in kind.features]
    return ["## Features", "", "According to its documentation, some of its models have:", "", *listed, ""]


def _write_limits(kind: Kind) -> list[str]:
    listed = [f"- {note}" for note in kind.notes]
    listed += [f"- It {QUIRKS[quirk]} (`{quirk}`)." for quirk in sorted(kind.quirks)]
    return ["## Limits", "", *listed, ""] if listed else []


def _write_credentials(kind: Kind) -> list[str]:
    """Return the section about credentials that expire, if the kind has them."""
    if kind.identity is None:
        return []
    source = CREDENTIAL_SOURCES[kind.identity.source]
    groups = "; or ".join(_join_variables(group) for group in source.env)
    return [
        "## Renewed credentials",
        "",
        "With `credentials: default`, or another key above that replaces `api_key`, credentials come from",
        f"{source.title} and are renewed before they expire",
        "([configuration](../configuration.md#credentials-that-expire)). If an account states neither credentials nor",
        "an address, these variables do the same:",
        f"{groups}.",
        "",
        "This needs an extra:",
        "",
        "```sh",
        f"pip install 'antiphon[{source.extra}]'",
        "```",
        "",
    ]


def _join_variables(names: tuple[str, ...]) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _write_models(kind: Kind) -> Iterator[str]:
    if (flat := kind.flat_price) is not None:
        price = (
            f"have a price, {format_per_million(flat.input)} per million input tokens and"
            f" {format_per_million(flat.output)} per million output tokens, so that costs can be tested"
            if flat.input
            else "cost nothing"
        )
        yield f"All its models {price}."
        return
    names = list(load_facts().list_names(kind.facts_kind))
    known = [facts for name in names if (facts := load_facts().find(kind.facts_kind, name)) is not None]
    if not known:
        yield "No models are known in advance: their price is unknown unless a model's `price` states it."
        return
    priced = sum(facts.price is not None for facts in known)
    owner = f" (those of `{kind.facts}`)" if kind.facts else ""
    yield f"{len(known)} models are known{owner}, {priced} of them with a price; `antiphon models` lists them. You can"
    yield "call any other model too; its price is unknown unless a model's `price` states it."


def _write_examples(kind: Kind) -> Iterator[str]:
    model = kind.sample or next(iter(kind.models))
    first = list(_write_account(kind, {"api_key": kind.env} if kind.key == "required" else {}))
    yield from _write_yaml(kind, first, model)
    if kind.signing is not None:
        yield ""
        yield from _write_yaml(kind, list(_write_account(kind, kind.signing.secrets)), model)
    if kind.identity is not None:
        yield ""
        yield from _write_yaml(kind, ["    credentials: default", *_write_account(kind, {})], model)
    if any(operation in GENERATION for operation in kind.list_operations()):
        yield ""
        yield "```sh"
        yield f'antiphon ask --model {kind.name}/{model} "Hello"'
        yield "```"


def _write_account(kind: Kind, secrets: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for name, variables in secrets.items():
        if kind.signing is None or name not in kind.signing.optional:
            yield f"    {name}: ${{{variables[0]}}}"
    for name, param in kind.params.items():
        if not param.default:
            yield f"    {name}: {f'${{{param.env[0]}}}' if param.env else '…'}"
    if not kind.base_url:
        yield f"    base_url: {f'${{{kind.base_url_env[0]}}}' if kind.base_url_env else 'https://host.example'}"


def _write_yaml(kind: Kind, account: list[str], model: str) -> Iterator[str]:
    yield "```yaml"
    if not kind.always:
        yield "providers:"
        yield from [f"  {kind.name}:", *account] if account else [f"  {kind.name}: {{}}"]
    yield "models:"
    yield f"  mine: {kind.name}/{model}"
    yield "```"
