"""The pages of scripts/docs-catalog that follow from the provider kinds: an index, and one for each kind."""

from collections.abc import Iterator

from antiphon.catalog.kinds import (
    CERTAINTY,
    FEATURES,
    OPERATIONS,
    PARAMS,
    QUIRKS,
    SECRETS,
    SETTINGS,
    SOURCES,
    Kind,
    load_kinds,
)
from antiphon.catalog.kinds.kind import fields
from antiphon.catalog.kinds.rows import families
from antiphon.catalog.kinds.words import WIRES
from antiphon.catalog.models import load_facts
from antiphon.catalog.prices import per_million
from antiphon.wires.table import COUNTERS, EMBEDDERS

GENERATION = frozenset(WIRES.values())


def pages() -> dict[str, str]:
    """Return the pages by their path under docs/."""
    return {"providers.md": index()} | {f"providers/{kind.name}.md": page(kind) for kind in load_kinds().values()}


# -- the index ------------------------------------------------------------------------------------------------------


def index() -> str:
    facts = load_facts()
    kinds = load_kinds()
    lines = [
        "# Providers",
        "",
        "<!-- written by scripts/docs-catalog from src/antiphon/catalog/kinds and facts.json -->",
        "",
        f"A provider *kind* is a row of data, of which there are {len(kinds)}; a *provider* is an account of that kind",
        "under a name in `antiphon.yaml` (see [configuration.md](configuration.md)). Without a file, providers are",
        "found from the variables below and from local servers that listen on their usual port. A kind's page has all",
        "of it: requirements, variables, operations with their paths, features, limits, an example.",
        "",
    ]
    for family, heading in families().items():
        lines += [f"## {heading}", "", "| kind | service | operations | found by |", "|---|---|---|---|"]
        lines += [_index_row(kind) for kind in kinds.values() if kind.family == family] + [""]
    lines += [
        *OTHERS,
        "",
        "## Quirks",
        "",
        "What a kind does otherwise than its wire says; the wire acts on the quirk, never on the kind.",
        "",
        "| quirk | the service … | kinds |",
        "|---|---|---|",
        *[f"| `{quirk}` | {text} | {_with_quirk(quirk)} |" for quirk, text in QUIRKS.items()],
        "",
        "## How sure a row is",
        "",
        *[f"- *{word}*: {text}.{_with_certainty(word)}" for word, text in CERTAINTY.items()],
        "",
        "No row was tried with a paid account; `antiphon ask --model <kind>/<model> Hello` tries yours.",
        "",
        "## What is known of models",
        "",
        f"Limits, prices and capabilities as of {facts.as_of}, from "
        + " and ".join(f"`{version}`" for version in facts.versions)
        + ", by `scripts/facts`.",
        "A price version in the ledger names the list a cost was computed with.",
        "",
        *PRICES,
    ]
    return "\n".join(lines) + "\n"


OTHERS = """\
## Any other server

Where a service speaks a wire that is spoken here, but has no row, an address is enough:

```yaml
providers:
  mine: {kind: openai-compatible, base_url: http://10.0.0.5:9000, api_key: ${MY_KEY}}
```

`responses-compatible`, `anthropic-compatible` and `gemini-compatible` are the same for the other wires. Its models are
`mine/<model>`; their price is unknown, which is not zero, until a model's `price` says it. A service that speaks a wire
of its own is reached through LiteLLM: `via: litellm`.

A generation that a service does not offer on the wire it is asked on is translated to the first one it does offer. An
operation on a service's own wire goes there unchanged. That is why a wire which a service speaks in part (Responses
without stored responses, Messages for some models only) is left out of its row: translation serves them better.
""".splitlines()


PRICES = """\
Rules that the lists leave open:

- Prices are picodollars per token, exact. *Unknown* is a value of its own: it is shown as `unknown`, and a call's cost
  is then unknown, never zero. A list's price that is no whole number of picodollars is unknown.
- A bucket without a price of its own: `cache_read`, `cache_write` and `image_input` cost what `input` does,
  `audio_cache_read` what `cache_read` does, `reasoning` what `output` does. Audio and pictures that are made stay
  unknown.
- `cache_write` is the price of the shortest time to live, `cache_write_long` that of the longer one (1 hour at
  Anthropic and on Bedrock, 12 hours at OpenAI). Where a list has none it is unknown, but for Anthropic's models, which
  are documented to cost twice the input.
- Units are priced where an operation is not billed by tokens: images, seconds of audio, characters, units of a
  reranker. A picture whose price depends on its size or quality has no one price, and is unknown.
- A search of the web is priced where it costs the same whatever it brings. It is unknown where that depends on how
  much was asked for, and with Gemini models that bill the prompt instead of the search. Free allowances are not taken
  off.
- A provider that charges more for long contexts has a second price, which holds for the whole call when its input is
  longer than the stated length.
- A service tier (flex, priority), a speed or a region that the answer names has prices of its own where the list has
  them; where it has not, the cost is unknown. Regions that only the address tells are priced as anywhere.
- Where the hour of the day decides, the price of the dear hours is used.
- Servers on your own hardware cost nothing, and that is known. Models of Hugging Face are priced with the provider that
  serves them in their name (`org/model:groq`); without it the price is unknown.
- Azure deployments have names of your choice; one that is named as the model it deploys has that model's facts.
- Bedrock's prices are those of the model or inference profile as named, which differ by region (`us.…`, `eu.…`).
- Tiers: `free` costs nothing; otherwise three parts input and one part output are blended: `low` under $1 per million
  tokens, `mid` under $5, `high` above.
- A model that its provider has withdrawn keeps its price, but is not shown.""".splitlines()


def _index_row(kind: Kind) -> str:
    operations = ", ".join(operation for operation in kind.offered() if "." not in operation)
    return f"| [`{kind.name}`](providers/{kind.name}.md) | {kind.title} | {operations} | {_found_by(kind)} |"


def _found_by(kind: Kind) -> str:
    if kind.always:
        return "always there"
    if not kind.detect:
        return "configuration only"
    if kind.key != "required":
        found = [f"`{name}`" for name in kind.base_url_env] + ([f"port {kind.probe}"] if kind.probe else [])
        return ", ".join(found) or "configuration only"
    if not kind.base_url and not kind.base_url_env:
        return "configuration only"
    ways = [f"`{name}`" for name in kind.env]
    ways += (
        [" and ".join(f"`{kind.signing.secrets[name][0]}`" for name in kind.signing.required)] if kind.signing else []
    )
    renewed = f"[credentials that are renewed](providers/{kind.name}.md#credentials-that-are-renewed)"
    ways += [renewed] if kind.identity else []
    beside = _beside(kind)
    return " or ".join(ways) + (f", with {' and '.join(beside)}" if beside else "")


def _beside(kind: Kind) -> list[str]:
    """Return the variables that are needed beside those of the key."""
    needed = [f"`{param.env[0]}`" for param in kind.params.values() if param.env and not param.default]
    return needed + ([f"`{kind.base_url_env[0]}`"] if not kind.base_url and kind.base_url_env else [])


def _with_quirk(quirk: str) -> str:
    return ", ".join(f"`{kind.name}`" for kind in load_kinds().values() if quirk in kind.quirks) or "none"


def _with_certainty(word: str) -> str:
    names = [f"`{kind.name}`" for kind in load_kinds().values() if kind.certainty == word]
    return f" ({', '.join(names)})" if word != "documented" else f" ({len(names)} kinds)"


# -- the page of one kind ---------------------------------------------------------------------------------------------


def page(kind: Kind) -> str:
    family = families()[kind.family]
    docs = kind.docs if "://" in kind.docs else "../" + kind.docs.removeprefix("docs/")
    lines = [
        f"# {kind.title}",
        "",
        f"<!-- written by scripts/docs-catalog from src/antiphon/catalog/kinds/{kind.family}.toml -->",
        "",
        f"Kind `{kind.name}` of [{family.lower()}](../providers.md), on the wire `{kind.wire}`.",
        f"[Its documentation]({docs}) was read on {kind.checked}; the row is",
        f"[{kind.certainty}](../providers.md#how-sure-a-row-is).",
        "",
        "## Requirements",
        "",
        *_requirements(kind),
        "",
        _detected(kind),
        "",
        "## Operations",
        "",
        *_operations(kind),
        "",
        *_features(kind),
        *_limits(kind),
        *_credentials(kind),
        "## Models",
        "",
        *_models(kind),
        "",
        "## Example",
        "",
        *_examples(kind),
    ]
    return "\n".join(lines) + "\n"


def _requirements(kind: Kind) -> Iterator[str]:
    if kind.always:
        yield "None: it is always there."
        return
    yield "| key | variable | |"
    yield "|---|---|---|"
    if kind.key != "none":
        instead = ["the keys that sign"] if kind.signing else []
        instead += ["credentials that are renewed"] if kind.identity else []
        needed = ", or ".join(["required", *instead]) if kind.key == "required" else "optional"
        yield _row("api_key", kind.env, f"{needed}; sent as `{kind.auth[0]}: {kind.auth[1]}…`")
    for name, variables in (kind.signing.secrets if kind.signing else {}).items():
        optional = "optional" if kind.signing and name in kind.signing.optional else "instead of `api_key`"
        yield _row(name, variables, f"{optional}; {_lower(SECRETS[name])}")
    yield from _renewed(kind)
    for name, param in kind.params.items():
        needed = f"default `{param.default}`" if param.default else "required"
        if name not in fields(kind.base_url) and (others := kind.base_urls.get(name)):
            needed += f", or {', '.join(f'`{value}` (`{address}`)' for value, address in others.items())}"
        yield _row(name, param.env, f"{needed}; {_lower(PARAMS[name])}")
    default = f"default `{kind.base_url}`" if kind.base_url else "required: the address of your account or server"
    note = "" if kind.base_url else f"; without a path it gets `{kind.prefix}`" if kind.prefix.strip("/") else ""
    yield _row("base_url", kind.base_url_env, default + note)


def _renewed(kind: Kind) -> Iterator[str]:
    """Yield what an account may say of where its credentials come from, where they expire."""
    if kind.identity is None:
        return
    source = SOURCES[kind.identity.source]
    for name in source.settings:
        own = kind.identity.params.get(name)
        text = f"{'instead of `api_key`' if own is None else f'default `{own}`'}; {_lower(SETTINGS[name])}"
        yield _row(name, (source.files[name],) if name in source.files else (), text)


def _row(key: str, variables: tuple[str, ...], text: str) -> str:
    return f"| `{key}` | {', '.join(f'`{name}`' for name in variables)} | {text} |"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:].rstrip(".")


def _detected(kind: Kind) -> str:
    if kind.always:
        return f"Its models are `{kind.name}/<model>`."
    ways = []
    if kind.detect and kind.key == "required":
        needed = [f"`{kind.env[0]}`" if len(kind.env) == 1 else "one of the key's variables"]
        others = ["the keys that sign"] if kind.signing else []
        others += ["what says where credentials come from"] if kind.identity else []
        if others:
            needed = [f"a key, or {', or '.join(others)},"]
        needed += _beside(kind)
        ways = [f"{' and '.join(needed)} {'is' if len(needed) == 1 else 'are'} set"]
        ways = ways if kind.base_url or kind.base_url_env else []
    elif kind.detect:
        ways = [f"`{name}` is set" for name in kind.base_url_env]
        ways += [f"something listens on port {kind.probe} of this machine"] if kind.probe else []
    if not ways:
        reason = ": another kind has the same variables" if not kind.detect else ""
        return f"It is there when the configuration names it{reason}. Its models are `<provider>/<model>`."
    return f"Without a file, it is there when {' or '.join(ways)}. Its models are `{kind.name}/<model>`."


def _operations(kind: Kind) -> Iterator[str]:
    yield "| operation | | path |"
    yield "|---|---|---|"
    for operation, path in kind.offered().items():
        apart = (
            "" if operation in kind.operations or not kind.operations else " (not behind a `base_url` of another path)"
        )
        pattern = kind.only.get(operation, "").replace("|", r"\|")
        models = f" (models that fit `{pattern}`)" if pattern else ""
        yield f"| `{operation}` | {OPERATIONS[operation]}{models} | `{path}`{apart} |"
    if native := next((operation for operation in kind.offered() if operation in GENERATION), ""):
        yield ""
        yield f"Calls on other wires that generate text are translated to `{native}`."
    for family, what in ((EMBEDDERS, "Embeddings"), (COUNTERS, "Counts of tokens")):
        if own := [f"`{operation}`" for operation in kind.offered() if operation in family]:
            yield ""
            yield f"{what} that are asked for on other wires are translated to {' or '.join(own)}."


def _features(kind: Kind) -> list[str]:
    if not kind.features:
        return []
    listed = [f"- `{feature}`: {FEATURES[feature]}" for feature in kind.features]
    return ["## Features", "", "Of some of its models, as its documentation says:", "", *listed, ""]


def _limits(kind: Kind) -> list[str]:
    listed = [f"- {note}" for note in kind.notes]
    listed += [f"- It {QUIRKS[quirk]} (`{quirk}`)." for quirk in sorted(kind.quirks)]
    return ["## Limits", "", *listed, ""] if listed else []


def _credentials(kind: Kind) -> list[str]:
    """Say how credentials are had that expire."""
    if kind.identity is None:
        return []
    source = SOURCES[kind.identity.source]
    groups = "; or ".join(_all_of(group) for group in source.env)
    return [
        "## Credentials that are renewed",
        "",
        "With `credentials: default`, or another key above that stands instead of `api_key`, credentials come from",
        f"{source.title} and are renewed before they end",
        "([configuration](../configuration.md#credentials-that-expire)). Where an account says nothing of its",
        "credentials and its address, the environment may say so, by",
        f"{groups}.",
        "",
        "The library for it is an extra:",
        "",
        "```sh",
        f"pip install 'antiphon[{source.extra}]'",
        "```",
        "",
    ]


def _all_of(names: tuple[str, ...]) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _models(kind: Kind) -> Iterator[str]:
    if (flat := kind.flat_price) is not None:
        price = (
            f"cost {per_million(flat.input)} in and {per_million(flat.output)} out for a million tokens, so that there"
            " is something to count"
            if flat.input
            else "cost nothing, and that is known"
        )
        yield f"All its models {price}."
        return
    names = list(load_facts().names(kind.known_as))
    known = [facts for name in names if (facts := load_facts().get(kind.known_as, name)) is not None]
    if not known:
        yield "Nothing is known of its models ahead: their price is unknown until a model's `price` says it."
        return
    priced = sum(facts.price is not None for facts in known)
    owner = f" (as `{kind.facts}`'s)" if kind.facts else ""
    yield f"{len(known)} are known{owner}, {priced} of them with a price; `antiphon models` lists them. Any other can"
    yield "be called too; its price is then unknown until a model's `price` says it."


def _examples(kind: Kind) -> Iterator[str]:
    model = kind.sample or next(iter(kind.models))
    first = list(_account(kind, {"api_key": kind.env} if kind.key == "required" else {}))
    yield from _yaml(kind, first, model)
    if kind.signing is not None:
        yield ""
        yield from _yaml(kind, list(_account(kind, kind.signing.secrets)), model)
    if kind.identity is not None:
        yield ""
        yield from _yaml(kind, ["    credentials: default", *_account(kind, {})], model)
    if any(operation in GENERATION for operation in kind.offered()):
        yield ""
        yield "```sh"
        yield f'antiphon ask --model {kind.name}/{model} "Hello"'
        yield "```"


def _account(kind: Kind, secrets: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for name, variables in secrets.items():
        if kind.signing is None or name not in kind.signing.optional:
            yield f"    {name}: ${{{variables[0]}}}"
    for name, param in kind.params.items():
        if not param.default:
            yield f"    {name}: {f'${{{param.env[0]}}}' if param.env else '…'}"
    if not kind.base_url:
        yield f"    base_url: {f'${{{kind.base_url_env[0]}}}' if kind.base_url_env else 'https://host.example'}"


def _yaml(kind: Kind, account: list[str], model: str) -> Iterator[str]:
    yield "```yaml"
    if not kind.always:
        yield "providers:"
        yield from [f"  {kind.name}:", *account] if account else [f"  {kind.name}: {{}}"]
    yield "models:"
    yield f"  mine: {kind.name}/{model}"
    yield "```"
