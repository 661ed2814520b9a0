"""The shape of ``antiphon.yaml``, as pydantic models. Imported only where a file is read or its schema is asked for.

The descriptions are what ``docs/configuration.md`` and the JSON Schema say of each key.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from antiphon.catalog.kinds import PARAMS, SECRETS, SETTINGS
from antiphon.catalog.prices import dollars, dollars_each
from antiphon.catalog.settings import GIB, KIB, MIB, Settings
from antiphon.config.document import FromVariable, Written
from antiphon.types import Secret, Timeouts

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_SIZE = re.compile(r"([0-9]+) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB}


def _whole(value: Any) -> Any:
    """Read a whole number out of text that came from a variable."""
    if isinstance(value, FromVariable) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, FromVariable) and re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)", value):
        return float(value)
    return float(value) if isinstance(value, Written) else value


def _size(value: Any) -> Any:
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        return int(match[1]) * _UNITS[match[2]]
    whole = _whole(value)
    if not isinstance(whole, int) or isinstance(whole, bool):
        raise ValueError("expected a whole number of bytes, or one with KiB, MiB or GiB, such as `32 MiB`")
    return whole


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, FromVariable) else value


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, FromVariable) else value


def _secret(value: Any) -> Secret:
    if not isinstance(value, str):
        raise ValueError("expected text; a key made of digits needs quotes")
    if not value.strip():
        raise ValueError("the secret is empty")
    if value != value.strip() or not value.isascii():
        raise ValueError("the secret has spaces around it or characters that no header can carry")
    return Secret(value)


def _dollars(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, Written, FromVariable)):
        raise ValueError("expected a number of dollars per million tokens")
    return dollars(value.text if isinstance(value, Written) else str(value))


def _dollars_each(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, Written, FromVariable)):
        raise ValueError("expected a number of dollars")
    return dollars_each(value.text if isinstance(value, Written) else str(value))


_OWN_PATHS = ("v1", "v1beta", "model", "metrics", "health")
"""First segments of the gateway's own paths."""


def _prefix(value: str) -> str:
    """Check a path under which the API is found again, which must be unlike our own."""
    segments = value.split("/")[1:]
    if not _PREFIX.fullmatch(value) or {".", ".."} & set(segments):
        raise ValueError(
            f"`{value}` is not a prefix: expected a path such as /api/v1/litellm, which starts with a slash and does "
            "not end with one, of letters, digits and `-._~`"
        )
    if segments[0] in _OWN_PATHS:
        raise ValueError(f"`{value}` begins like the gateway's own /{segments[0]}; begin with another word")
    return value


def _apart(value: list[str]) -> list[str]:
    for prefix in value:
        if sum(f"{prefix}/".startswith(f"{other}/") for other in value) > 1:
            raise ValueError(f"`{prefix}` is there twice or lies under another prefix; paths would mean two things")
    return value


def _target(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


def _model(value: Any) -> Any:
    return {"targets": [value]} if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=1024)]
Name = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=256)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=86_400, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=65_535)]
Weight = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=1_000_000)]
Workers = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=64)]
InFlight = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=10_000)]
SecretText = Annotated[Secret, PlainValidator(_secret), WithJsonSchema({"type": "string", "minLength": 1})]
Dollars = Annotated[int, PlainValidator(_dollars), WithJsonSchema({"type": "number", "minimum": 0})]
DollarsEach = Annotated[int, PlainValidator(_dollars_each), WithJsonSchema({"type": "number", "minimum": 0})]
Prefixes = Annotated[list[Annotated[Name, AfterValidator(_prefix)]], AfterValidator(_apart), Field(max_length=16)]


_LIST = TypeAdapter(list[Name])
_PLACES = TypeAdapter(dict[Name, Text])


def _models(value: Any) -> Any:
    """Read a list of names, or names each with its place; by two shapes, so that a fault has its own path."""
    return (_PLACES if isinstance(value, dict) else _LIST).validate_python(value, strict=True)


_MODELS_SCHEMA = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 256}},
        {"type": "object", "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 1024}},
    ]
}
Models = Annotated[list[str] | dict[str, str], PlainValidator(_models), WithJsonSchema(_MODELS_SCHEMA)]


def _size_schema(low: int, high: int) -> dict[str, Any]:
    whole = {"type": "integer", "minimum": low, "maximum": high}
    return {"anyOf": [whole, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}


BodyLimit = Annotated[
    int, BeforeValidator(_size), Field(ge=KIB, le=2 * GIB), WithJsonSchema(_size_schema(KIB, 2 * GIB))
]
JournalCap = Annotated[
    int, BeforeValidator(_size), Field(ge=MIB, le=1024 * GIB), WithJsonSchema(_size_schema(MIB, 1024 * GIB))
]


class Block(BaseModel):
    """A mapping that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


class ServerBlock(Block):
    """How the HTTP server listens."""

    host: Text = Field(
        default=Settings().host, description="The address to listen on; with `auth: open` a loopback one."
    )
    port: Port = Field(default=Settings().port, description="The port to listen on; 0 takes a free one.")
    auth: Literal["keys", "open"] = Field(
        default=Settings().auth,
        description="`keys`: callers need a key of this gateway. `open`: any bearer token, loopback only.",
    )
    metrics: Literal["admin", "open"] = Field(
        default=Settings().metrics,
        description="Who may read `/metrics`. `admin`: holders of an admin key. `open`: anyone who can reach the port.",
    )
    body_limit: BodyLimit = Field(
        default=Settings().body_limit, description="The largest request body: bytes, or a number with KiB, MiB or GiB."
    )
    heartbeat: Seconds = Field(
        default=Settings().heartbeat, description="Seconds of silence after which a stream gets a sign of life."
    )
    drain: Seconds = Field(
        default=Settings().drain, description="Seconds for open calls to finish when the server stops."
    )
    prefixes: Prefixes = Field(
        default=[],
        description="Paths under which the whole API is found again, such as `/api/v1/litellm` ([http.md](http.md)).",
    )


class TimeoutsBlock(Block):
    """Deadlines of a call, in seconds."""

    connect: Seconds | None = Field(default=None, description=f"Until connected. Default {Timeouts().connect:g}.")
    first_output: Seconds | None = Field(
        default=None, description=f"Until the first real output. Default {Timeouts().first_output:g}."
    )
    idle: Seconds | None = Field(default=None, description=f"Between two outputs. Default {Timeouts().idle:g}.")
    total: Seconds | None = Field(default=None, description=f"For the whole call. Default {Timeouts().total:g}.")


class TlsBlock(Block):
    """How providers' certificates are checked."""

    ca_file: Text | None = Field(default=None, description="A PEM file of authorities to trust beside the system's.")


class LongtailBlock(Block):
    """The process of LiteLLM, for providers with `via: litellm` ([longtail.md](longtail.md))."""

    workers: Workers = Field(
        default=Settings().longtail_workers, description="Processes, started when a call first needs one."
    )
    in_flight: InFlight = Field(
        default=Settings().longtail_in_flight,
        description="Calls at once per process; more are answered with 503 and `Retry-After`.",
    )


def _of_kinds(name: str) -> str:
    meaning = next(words[name] for words in (PARAMS, SECRETS, SETTINGS) if name in words)
    return f"{meaning} For kinds that have one ([providers.md](providers.md))."


class ProviderBlock(Block):
    """An account: a kind, credentials and an address, under a name."""

    kind: Name | None = Field(default=None, description="A kind of [providers.md](providers.md). Default: the name.")
    base_url: Text | None = Field(
        default=None,
        description="`http://`, `https://` or `unix://` address. Without a path it gets the kind's path.",
    )
    api_key: SecretText | None = Field(
        default=None,
        description="The credential; write `${NAME}`. Default: the kind's usual variable, unless `base_url` is given.",
    )
    api_version: Name | None = Field(default=None, description=_of_kinds("api_version"))
    region: Name | None = Field(default=None, description=_of_kinds("region"))
    project: Name | None = Field(default=None, description=_of_kinds("project"))
    account: Name | None = Field(default=None, description=_of_kinds("account"))
    account_id: Name | None = Field(default=None, description=_of_kinds("account_id"))
    access_key: SecretText | None = Field(default=None, description=_of_kinds("access_key"))
    secret_key: SecretText | None = Field(default=None, description=_of_kinds("secret_key"))
    session_token: SecretText | None = Field(default=None, description=_of_kinds("session_token"))
    credentials: Literal["default"] | None = Field(default=None, description=_of_kinds("credentials"))
    credentials_file: Text | None = Field(default=None, description=_of_kinds("credentials_file"))
    profile: Name | None = Field(default=None, description=_of_kinds("profile"))
    tenant_id: Name | None = Field(default=None, description=_of_kinds("tenant_id"))
    client_id: Name | None = Field(default=None, description=_of_kinds("client_id"))
    client_secret: SecretText | None = Field(default=None, description=_of_kinds("client_secret"))
    scope: Name | None = Field(default=None, description=_of_kinds("scope"))
    via: Literal["litellm"] | None = Field(
        default=None,
        description="`litellm`: reached through it; `kind` is then its name for the provider. See"
        " [longtail.md](longtail.md).",
    )
    params: dict[str, Any] = Field(
        default={}, description="With `via`: more parameters for every call, verbatim; values are secret."
    )
    headers: dict[str, Text] = Field(default={}, description="More headers for every request; values are secret.")
    timeouts: TimeoutsBlock = Field(
        default=TimeoutsBlock(), description="Deadlines for this provider; what is absent is taken from `timeouts`."
    )
    models: Models = Field(
        default=[],
        description="Names to show and to resolve without `provider/`; for kind `local` each with its folder, or its"
        " name at the hub ([local.md](local.md)).",
    )


class TargetBlock(Block):
    """One upstream model at one provider."""

    model: Name = Field(description="`provider/model`.")
    weight: Weight | None = Field(default=None, description="The share of calls beside the others. Default 1.")


class PriceBlock(Block):
    """Dollars per million tokens, or for one unit; what has neither a price nor a default stays unknown."""

    input: Dollars | None = Field(default=None, description="Input tokens. Default: unknown.")
    cache_read: Dollars | None = Field(default=None, description="Input tokens read from a cache. Default: `input`.")
    cache_write: Dollars | None = Field(default=None, description="Input tokens written to a cache. Default: `input`.")
    cache_write_long: Dollars | None = Field(
        default=None, description="The same, kept for an hour or more. Default: unknown."
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
    images: DollarsEach | None = Field(default=None, description="Dollars for one image. Default: unknown.")
    seconds: DollarsEach | None = Field(default=None, description="Dollars for one second of audio. Default: unknown.")
    characters: DollarsEach | None = Field(
        default=None, description="Dollars for one character read aloud. Default: unknown."
    )
    searches: DollarsEach | None = Field(
        default=None, description="Dollars for one search, of the web or by a reranker. Default: unknown."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "PriceBlock":
        if not self.model_fields_set:
            raise ValueError("a price needs at least one number; for tokens, `input` and `output`")
        return self


class ModelBlock(Block):
    """A name that callers use."""

    targets: list[Annotated[TargetBlock, BeforeValidator(_target)]] = Field(
        description="What can serve it, in order: `provider/model`, or `{model, weight}`.", min_length=1
    )
    aliases: list[Name] = Field(default=[], description="Other names for it.")
    strategy: Literal["order", "weighted"] | None = Field(
        default=None,
        description="`order` or `weighted`. Default: `weighted` where a target has a weight.",
    )
    fallbacks: list[Name] = Field(
        default=[], description="Models (or `provider/model`) that serve when no target can, in order."
    )
    price: PriceBlock | None = Field(default=None, description="What its own targets cost, instead of the known price.")


class SettingsBlock(Block):
    """Everything but providers and models."""

    version: Literal[1] = Field(default=1, description="The version of this format.")
    server: ServerBlock = Field(default=ServerBlock(), description="How the HTTP server listens.")
    data: Text = Field(default=Settings().data, description="The directory of journal, database and admin key.")
    durability: Literal["process", "disk"] = Field(
        default=Settings().durability,
        description="`process`: a record survives the death of the process. `disk`: also that of the machine.",
    )
    journal_cap: JournalCap = Field(
        default=Settings().journal_cap,
        description="How far the journal may grow while the database is away; as `body_limit`.",
    )
    on_journal_full: Literal["refuse", "serve"] = Field(
        default=Settings().on_journal_full,
        description="At the cap: `refuse` calls, or `serve` them without a record, which is counted and logged.",
    )
    timeouts: TimeoutsBlock = Field(default=TimeoutsBlock(), description="Deadlines of a call, in seconds.")
    tls: TlsBlock = Field(default=TlsBlock(), description="How providers' certificates are checked.")
    longtail: LongtailBlock = Field(default=LongtailBlock(), description="The process of LiteLLM.")
    sim: Flag = Field(default=True, description="Whether the simulator answers as `sim/…`.")


class File(SettingsBlock):
    """The whole file."""

    providers: dict[str, ProviderBlock] = Field(default={}, description="Accounts by name.")
    models: dict[str, Annotated[ModelBlock, BeforeValidator(_model)]] = Field(
        default={}, description="Names that callers use, each with its targets."
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, for editors."""
    schema = _tidy(File.model_json_schema())
    schema["$defs"]["ModelBlock"]["properties"]["targets"]["items"] = _short("TargetBlock", "string")
    schema["properties"]["models"]["additionalProperties"] = _short("ModelBlock", "string")
    schema["properties"]["providers"]["additionalProperties"] = _short("ProviderBlock", "null")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "antiphon.yaml", **schema}


def _short(block: str, other: str) -> dict[str, Any]:
    return {"anyOf": [{"type": other}, {"$ref": f"#/$defs/{block}"}]}


def _tidy(node: Any) -> Any:
    """Leave out titles, and the ``null`` of optional keys: a key without a value is refused."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {
        key: _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }
    variants = [variant for variant in out.get("anyOf", ()) if variant != {"type": "null"}]
    if len(variants) == 1:
        del out["anyOf"]
        out = variants[0] | out
    return out
