"""The schema of ``antiphon.yaml``, as pydantic models. Imported only to read a file or to print the schema.

The descriptions appear in ``docs/configuration.md`` and in the JSON Schema.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from antiphon.catalog.kinds import PARAMS, SECRETS, SETTINGS
from antiphon.catalog.settings import Settings
from antiphon.config.values import (
    BodyLimit,
    Dollars,
    Flag,
    InFlight,
    JournalCap,
    Models,
    Name,
    Port,
    Prefixes,
    Seconds,
    SecretText,
    Text,
    UnitDollars,
    Weight,
    Workers,
)
from antiphon.types import Timeouts


def _expand_target(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


def _expand_model(value: Any) -> Any:
    return {"targets": [value]} if isinstance(value, str) else value


class Block(BaseModel):
    """A mapping that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class ServerBlock(Block):
    """The HTTP server."""

    host: Text = Field(
        default=Settings().host, description="The address to listen on; `auth: open` needs a loopback address."
    )
    port: Port = Field(default=Settings().port, description="The port to listen on; 0 selects a free one.")
    auth: Literal["keys", "open"] = Field(
        default=Settings().auth,
        description="`keys`: callers need a key of this gateway. `open`: any bearer token will do, on loopback only.",
    )
    metrics: Literal["admin", "open"] = Field(
        default=Settings().metrics,
        description="Who may read `/metrics`. `admin`: holders of an admin key. `open`: anyone who can reach the port.",
    )
    body_limit: BodyLimit = Field(
        default=Settings().body_limit,
        description="The largest request body, in bytes, or a number with KiB, MiB or GiB.",
    )
    heartbeat: Seconds = Field(
        default=Settings().heartbeat, description="Seconds of silence after which a stream gets a heartbeat."
    )
    drain: Seconds = Field(
        default=Settings().drain, description="Seconds that running calls have to finish when the server stops."
    )
    prefixes: Prefixes = Field(
        default=[],
        description="Paths under which the whole API is also served, such as `/api/v1/litellm` ([http.md](http.md)).",
    )


class TimeoutsBlock(Block):
    """The timeouts of a call, in seconds."""

    connect: Seconds | None = Field(default=None, description=f"To connect. Default {Timeouts().connect:g}.")
    first_output: Seconds | None = Field(
        default=None, description=f"To the first output. Default {Timeouts().first_output:g}."
    )
    idle: Seconds | None = Field(
        default=None, description=f"Between two pieces of output. Default {Timeouts().idle:g}."
    )
    total: Seconds | None = Field(default=None, description=f"For the whole call. Default {Timeouts().total:g}.")


class TlsBlock(Block):
    """How providers' certificates are verified."""

    ca_file: Text | None = Field(
        default=None, description="A PEM file of authorities to trust in addition to the system's."
    )


class LongtailBlock(Block):
    """The LiteLLM processes, for providers with `via: litellm` ([longtail.md](longtail.md))."""

    workers: Workers = Field(
        default=Settings().longtail_workers,
        description="The number of processes; they are started when a call first needs one.",
    )
    in_flight: InFlight = Field(
        default=Settings().longtail_in_flight,
        description="Concurrent calls per process; further calls are answered with 503 and `Retry-After`.",
    )


def _describe_param(name: str) -> str:
    meaning = next(words[name] for words in (PARAMS, SECRETS, SETTINGS) if name in words)
    return f"{meaning} Only for kinds that have it ([providers.md](providers.md))."


class ProviderBlock(Block):
    """An account under a name: a kind, credentials and an address."""

    kind: Name | None = Field(default=None, description="A kind of [providers.md](providers.md). Default: the name.")
    base_url: Text | None = Field(
        default=None,
        description="An `http://`, `https://` or `unix://` address. If it has no path, the kind's path is added.",
    )
    api_key: SecretText | None = Field(
        default=None,
        description="The credential; write `${NAME}`. Default: the kind's usual variable, unless `base_url` is given.",
    )
    api_version: Name | None = Field(default=None, description=_describe_param("api_version"))
    region: Name | None = Field(default=None, description=_describe_param("region"))
    project: Name | None = Field(default=None, description=_describe_param("project"))
    account: Name | None = Field(default=None, description=_describe_param("account"))
    account_id: Name | None = Field(default=None, description=_describe_param("account_id"))
    access_key: SecretText | None = Field(default=None, description=_describe_param("access_key"))
    secret_key: SecretText | None = Field(default=None, description=_describe_param("secret_key"))
    session_token: SecretText | None = Field(default=None, description=_describe_param("session_token"))
    credentials: Literal["default"] | None = Field(default=None, description=_describe_param("credentials"))
    credentials_file: Text | None = Field(default=None, description=_describe_param("credentials_file"))
    profile: Name | None = Field(default=None, description=_describe_param("profile"))
    tenant_id: Name | None = Field(default=None, description=_describe_param("tenant_id"))
    client_id: Name | None = Field(default=None, description=_describe_param("client_id"))
    client_secret: SecretText | None = Field(default=None, description=_describe_param("client_secret"))
    scope: Name | None = Field(default=None, description=_describe_param("scope"))
    via: Literal["litellm"] | None = Field(
        default=None,
        description="`litellm`: the provider is reached through LiteLLM, and `kind` is LiteLLM's name for it"
        " ([longtail.md](longtail.md)).",
    )
    params: dict[str, Any] = Field(
        default={},
        description="With `via`: additional parameters for every call, passed on unchanged; values are secret.",
    )
    headers: dict[str, Text] = Field(default={}, description="Additional headers for every request; values are secret.")
    timeouts: TimeoutsBlock = Field(
        default=TimeoutsBlock(),
        description="Timeouts for this provider; a missing one is taken from the top-level `timeouts`.",
    )
    models: Models = Field(
        default=[],
        description="Names to list and to resolve without `provider/`. For kind `local`: each name with its folder, or"
        " with its name at the hub ([local.md](local.md)).",
    )


class TargetBlock(Block):
    """One upstream model at one provider."""

    model: Name = Field(description="`provider/model`.")
    weight: Weight | None = Field(
        default=None, description="Its share of the calls, relative to the other weights. Default 1."
    )


class PriceBlock(Block):
    """Dollars per million tokens, or per unit; a price that is neither stated nor has a default stays unknown."""

    input: Dollars | None = Field(default=None, description="Input tokens. Default: unknown.")
    cache_read: Dollars | None = Field(default=None, description="Input tokens read from a cache. Default: `input`.")
    cache_write: Dollars | None = Field(default=None, description="Input tokens written to a cache. Default: `input`.")
    cache_write_long: Dollars | None = Field(
        default=None, description="Input tokens written to a cache for an hour or longer. Default: unknown."
    )
    audio_input: Dollars | None = Field(default=None, description="Audio input tokens. Default: unknown.")
    audio_cache_read: Dollars | None = Field(
        default=None, description="Audio input tokens read from a cache. Default: `cache_read`."
    )
    image_input: Dollars | None = Field(default=None, description="Image input tokens. Default: `input`.")
    output: Dollars | None = Field(default=None, description="Output tokens. Default: unknown.")
    reasoning: Dollars | None = Field(default=None, description="Reasoning tokens. Default: `output`.")
    audio_output: Dollars | None = Field(default=None, description="Audio output tokens. Default: unknown.")
    image_output: Dollars | None = Field(default=None, description="Image output tokens. Default: unknown.")
    images: UnitDollars | None = Field(default=None, description="Dollars per generated image. Default: unknown.")
    seconds: UnitDollars | None = Field(default=None, description="Dollars per second of audio. Default: unknown.")
    characters: UnitDollars | None = Field(
        default=None, description="Dollars per character of speech synthesis. Default: unknown."
    )
    searches: UnitDollars | None = Field(
        default=None, description="Dollars per web search or rerank search. Default: unknown."
    )

    @model_validator(mode="after")
    def _check_any(self) -> "PriceBlock":
        if not self.model_fields_set:
            raise ValueError("a price needs at least one number; for tokens, `input` and `output`")
        return self


class ModelBlock(Block):
    """A model name for callers."""

    targets: list[Annotated[TargetBlock, BeforeValidator(_expand_target)]] = Field(
        description="The targets that serve it, in order: `provider/model`, or `{model, weight}`.", min_length=1
    )
    aliases: list[Name] = Field(default=[], description="Other names for it.")
    strategy: Literal["order", "weighted"] | None = Field(
        default=None,
        description="Default: `weighted` if a target has a weight, else `order`.",
    )
    fallbacks: list[Name] = Field(
        default=[], description="Models (or `provider/model`) to use if no target can serve a call, in order."
    )
    price: PriceBlock | None = Field(
        default=None, description="The price of its own targets, instead of the known price."
    )


class SettingsBlock(Block):
    """Everything except providers and models."""

    version: Literal[1] = Field(default=1, description="The version of this format.")
    server: ServerBlock = Field(default=ServerBlock(), description="The HTTP server.")
    data: Text = Field(
        default=Settings().data, description="The directory of the journal, the database and the admin key."
    )
    durability: Literal["process", "disk"] = Field(
        default=Settings().durability,
        description="`process`: a record survives a crash of the process. `disk`: also a crash of the machine.",
    )
    journal_cap: JournalCap = Field(
        default=Settings().journal_cap,
        description="The largest journal while the database is unavailable; written as `body_limit`.",
    )
    on_journal_full: Literal["refuse", "serve"] = Field(
        default=Settings().on_journal_full,
        description="If the journal is full: `refuse` calls, or `serve` them without a record (counted and logged).",
    )
    timeouts: TimeoutsBlock = Field(default=TimeoutsBlock(), description="The timeouts of a call, in seconds.")
    tls: TlsBlock = Field(default=TlsBlock(), description="How providers' certificates are verified.")
    longtail: LongtailBlock = Field(default=LongtailBlock(), description="The LiteLLM processes.")
    sim: Flag = Field(default=True, description="Whether the simulator is available as `sim/…`.")


class File(SettingsBlock):
    """The whole file."""

    providers: dict[str, ProviderBlock] = Field(default={}, description="Accounts by name.")
    models: dict[str, Annotated[ModelBlock, BeforeValidator(_expand_model)]] = Field(
        default={}, description="Model names for callers, each with its targets."
    )


def make_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, for editors."""
    schema = _simplify(File.model_json_schema())
    schema["$defs"]["ModelBlock"]["properties"]["targets"]["items"] = _allow_shorthand("TargetBlock", "string")
    schema["properties"]["models"]["additionalProperties"] = _allow_shorthand("ModelBlock", "string")
    schema["properties"]["providers"]["additionalProperties"] = _allow_shorthand("ProviderBlock", "null")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "antiphon.yaml", **schema}


def _allow_shorthand(block: str, kind: str) -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"$ref": f"#/$defs/{block}"}]}


def _simplify(node: Any) -> Any:
    """Remove titles, and the ``null`` of optional keys: a key without a value is rejected."""
    if isinstance(node, list):
        return [_simplify(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {
        key: _simplify(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    variants = [variant for variant in out.get("anyOf", ()) if variant != {"type": "null"}]
    if len(variants) == 1:
        del out["anyOf"]
        out = variants[0] | out
    return out
