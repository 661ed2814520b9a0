"""The values that rooms exchange: callers, models and targets, usage and prices, records.

What belongs here: immutable values without behaviour beyond their own arithmetic. What does not: anything that opens
a socket, a file or a database, and anything specific to one wire.
"""

from enum import StrEnum
from typing import Any, Literal

import msgspec

PICO = 10**12
"""Picodollars in a dollar. Every amount of money is an integer of picodollars."""


class Secret:
    """A value that never appears in ``repr``, ``str``, a log line, an error or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value; the caller must not log, store or format it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("a Secret cannot be pickled")


class Origin(msgspec.Struct, frozen=True):
    """The server that a connection goes to and that a credential is bound to. Only Unix sockets have a ``path``."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Timeouts(msgspec.Struct, frozen=True):
    """Deadlines of a call in seconds."""

    connect: float = 5.0
    first_output: float = 60.0
    idle: float = 30.0
    total: float = 600.0


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The usage of one call: tokens in disjoint buckets, whose sum is the provider's total, and other billed units.

    ``estimated`` says that Antiphon counted, because the provider stated no usage or an impossible one.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    """Written to a cache for its shortest lifetime: 5 minutes at Anthropic, 30 at OpenAI."""
    cache_write_long: int = 0
    """Written to a cache for longer, at a higher price: 1 hour at Anthropic and on Bedrock, 12 hours at OpenAI."""
    audio_input: int = 0
    audio_cache_read: int = 0
    image_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0
    images: int = 0
    """Generated images that are billed by the piece; if they are billed by tokens, only the tokens are counted."""
    seconds: int = 0
    """Seconds of audio, rounded up."""
    characters: int = 0
    """Characters of speech synthesis."""
    searches: int = 0
    """Web searches, or search units of a reranker."""
    estimated: bool = False
    service_tier: str = ""
    """The service tier that the provider states, if it is not the standard one, so that its price may differ."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Every count, in the order of :data:`COUNTS`."""
        return msgspec.structs.astuple(self)[:_SIZE]

    @property
    def other_bits(self) -> int:
        """Every count but ``input`` and ``output``, combined by *or*: 0 in most calls, negative if any count is."""
        return (
            self.cache_read
            | self.cache_write
            | self.cache_write_long
            | self.audio_input
            | self.audio_cache_read
            | self.image_input
            | self.reasoning
            | self.audio_output
            | self.image_output
            | self.images
            | self.seconds
            | self.characters
            | self.searches
        )

    @property
    def total(self) -> int:
        """All tokens."""
        return sum(msgspec.structs.astuple(self)[:_TOKENS])

    @property
    def total_input(self) -> int:
        return (
            self.input
            + self.cache_read
            + self.cache_write
            + self.cache_write_long
            + self.audio_input
            + self.audio_cache_read
            + self.image_input
        )

    @property
    def total_output(self) -> int:
        return self.output + self.reasoning + self.audio_output + self.image_output


COUNTS = tuple(name for name in Usage.__struct_fields__ if name not in ("estimated", "service_tier"))
"""Every count that has a price, in the order of :class:`Usage` and :class:`Price`."""
UNITS = ("images", "seconds", "characters", "searches")
"""The counts that are not tokens."""
BUCKETS = tuple(name for name in COUNTS if name not in UNITS)
"""The token buckets."""
INPUT = frozenset(BUCKETS[: BUCKETS.index("output")])
"""The token buckets of the input."""
_SIZE, _TOKENS = len(COUNTS), len(BUCKETS)


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """Picodollars for each token of a bucket and for each unit of :class:`Usage`, and the version of the price list.

    ``None`` is *unknown*, which is not zero. If a bucket has no price of its own, the catalog fills in the fallback of
    the list's source, so this value is complete.
    """

    version: str
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_long: int | None = None
    audio_input: int | None = None
    audio_cache_read: int | None = None
    image_input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    audio_output: int | None = None
    image_output: int | None = None
    images: int | None = None
    seconds: int | None = None
    characters: int | None = None
    searches: int | None = None
    long_from: int | None = None
    """Input tokens above which ``long`` prices the whole call, if a provider charges more for long contexts."""
    long: "Price | None" = None
    tiers: "dict[str, Price] | None" = None
    """Service tier to its price; a tier that is missing has an unknown price. ``None``: all tiers have one price."""

    @property
    def free(self) -> bool:
        """Whether everything that has a price costs nothing."""
        return not any(msgspec.structs.astuple(self)[1 : 1 + _SIZE]) and self.input == 0

    def in_force(self, usage: Usage) -> "Price | None":
        """Return the price for a usage, by its service tier and length, or ``None`` if it is unknown."""
        price: Price | None = self
        if usage.service_tier and self.tiers is not None:
            price = self.tiers.get(usage.service_tier)
        if price is None or price.long is None or price.long_from is None or usage.total_input <= price.long_from:
            return price
        return price.long

    def compute_cost(self, usage: Usage) -> int | None:
        """Return the exact cost in picodollars, or ``None`` if a used bucket or unit has no known price."""
        price = self.in_force(usage) if usage.service_tier or self.long is not None else self
        if price is None:
            return None if any(usage.counts) else 0
        if not usage.other_bits and price.input is not None and price.output is not None:
            return usage.input * price.input + usage.output * price.output  # most calls, in half the time
        total = 0
        for count, each in zip(usage.counts, msgspec.structs.astuple(price)[1:], strict=False):
            if count:
                if each is None:
                    return None
                total += count * each
        return total


class Identity(msgspec.Struct, frozen=True, eq=False):
    """The source of credentials that expire and are renewed while the gateway runs."""

    source: str
    """The name of the source, for example ``google``."""
    params: dict[str, str]
    """Public parameters of the source: a scope, a profile, a file name."""
    secrets: dict[str, Secret] = {}
    """Secret parameters of the source, for example the ``client_secret`` of an Entra ID application."""
    advice: str = ""
    """What the user can do if no credential is available."""

    def __repr__(self) -> str:
        return f"Identity({self.source}, {self.params})"


class Signing(msgspec.Struct, frozen=True, eq=False):
    """How requests to a target are signed, if a fixed credential in a header is not enough.

    All targets of a provider share one object.
    """

    scheme: str
    """The scheme's name: ``sigv4``, or ``headers`` for a token that is renewed."""
    params: dict[str, str]
    """Public parameters of the scheme: for ``sigv4``, ``region`` and ``service``."""
    secrets: dict[str, Secret]
    """Secret parameters: for ``sigv4``, ``access_key``, ``secret_key`` and optionally ``session_token``."""
    identity: Identity | None = None
    """The source of the secrets, if they expire; ``secrets`` is then empty."""

    def __repr__(self) -> str:
        return f"Signing({self.scheme}, {self.params})"


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model accepts, whichever provider hosts it; ``catalog.profiles`` finds it by the model's name.

    The defaults hold for a model that no row describes. ``None`` is *unknown*: each wire then takes its safest form.
    """

    max_tokens: int | None = None
    """Output tokens to ask for if the caller sets no limit and the wire requires one."""
    thinking: Literal["none", "effort", "budget", "adaptive"] | None = None
    """How a request says how much to think: not at all, by an effort, by a number of tokens, or by the model's own
    judgment, which an effort guides."""
    thinking_off: Literal["omit", "disabled", "between_tools", "never"] = "omit"
    """How thinking is turned off: by leaving it out, by a type of thinking, or not at all."""
    efforts: tuple[str, ...] = ()
    """The efforts that the model knows, lowest first."""
    signature_wires: frozenset[str] = frozenset()
    """Other wires whose thinking signatures the model accepts: Claude's are the same on every platform."""
    sampling: bool = True
    """Accepts ``temperature``, ``top_p`` and ``top_k``."""
    temperature_with_top_p: bool = True
    """Accepts ``temperature`` and ``top_p`` in one request."""
    structured: bool = False
    """Enforces a JSON Schema of the answer and of strict tools."""
    system_turns: bool = False
    """Accepts ``system`` messages after a message of the user."""
    tool_result_media: bool = True
    """Accepts images and files in a tool's result, on wires that have a place for them there."""
    top_k_path: str = ""
    """Where ``top_k`` stands in a Converse request, as names joined by dots; ``""``: it cannot be sent."""
    effort_path: str = ""
    """Where the effort stands in a Converse request; ``""``: it cannot be sent."""
    effort_extras: dict[str, str] = {}
    """Path to value: what a Converse request must hold beside an effort."""
    embedding_task: Literal["field", "text"] = "text"
    """Where the task of an embedding is stated: in a field of the request, or in front of the text."""
    embedding_batch: int | None = None
    """Texts that one embedding request may hold, where the model takes fewer than its wire."""


class Target(msgspec.Struct, frozen=True, eq=False):
    """One upstream model at one provider: everything an attempt needs, computed once when the configuration loads."""

    name: str
    """``provider/model``."""
    provider: str
    model: str
    """The name the provider knows it by."""
    kind: str
    wire: str
    """The wire of its generation operation, for example ``openai``."""
    origin: Origin
    urls: dict[str, str]
    """Operation name to complete path and query; a missing operation is not offered.

    ``<operation>.stream`` is the path for a stream of that operation, on wires that have separate paths.
    """
    headers: tuple[tuple[str, str], ...] = ()
    auth: tuple[str, str] | None = None
    """Header name and value prefix for the credential, such as ``("authorization", "Bearer ")``."""
    credential: Secret | None = None
    signing: Signing | None = None
    """Instead of ``auth`` and ``credential``."""
    price: Price | None = None
    quirks: frozenset[str] = frozenset()
    timeouts: Timeouts = Timeouts()
    profile: Profile = Profile()

    def __repr__(self) -> str:
        # Header values may be credentials too.
        return f"Target({self.name} at {self.origin})"


class Strategy(StrEnum):
    """How a model chooses among its targets."""

    ORDER = "order"
    WEIGHTED = "weighted"


class Tier(msgspec.Struct, frozen=True, eq=False):
    """Targets that a strategy chooses among; ``weights`` is parallel to ``targets``."""

    targets: tuple[Target, ...]
    weights: tuple[int, ...] = ()
    strategy: Strategy = Strategy.ORDER


class Model(msgspec.Struct, frozen=True, eq=False):
    """A name that callers use, resolved to tiers of targets; a tier is used after the earlier ones have failed."""

    name: str
    tiers: tuple[Tier, ...]
    targets: tuple[Target, ...] = ()
    """Every target, tier after tier; derived from ``tiers``."""

    def __post_init__(self) -> None:
        tiers = self.tiers
        targets = tiers[0].targets if len(tiers) == 1 else tuple(target for tier in tiers for target in tier.targets)
        msgspec.structs.force_setattr(self, "targets", targets)


class Caller(msgspec.Struct, frozen=True):
    """The identity behind a key. Empty ``models`` means every model."""

    key_id: str
    name: str = ""
    models: frozenset[str] = frozenset()
    expires_at: int | None = None
    """Microseconds since the epoch, or never."""
    admin: bool = False

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models


class Outcome(StrEnum):
    """How a call ended."""

    __hash__ = str.__hash__  # that of Enum is a function in Python

    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"
    PARTIAL = "partial"


class AttemptRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One attempt at one target. Durations are microseconds; ``first_output_us`` is from the attempt's start."""

    target: str
    outcome: Outcome
    status: int = 0
    error: str = ""
    first_output_us: int | None = None
    duration_us: int = 0


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The record of a call and its attempts, which is journaled before the caller sees the last byte.

    ``time`` is the call's start in microseconds since the epoch, durations are microseconds, ``cost`` is picodollars
    (``None``: unknown price), and ``price_version`` names the price list that the cost was computed with.
    """

    id: str
    time: int
    operation: str
    model: str
    outcome: Outcome
    target: str = ""
    provider: str = ""
    key_id: str = ""
    status: int = 0
    error: str = ""
    stream: bool = False
    usage: Usage | None = None
    cost: int | None = None
    price_version: str = ""
    first_output_us: int | None = None
    duration_us: int = 0
    attempts: tuple[AttemptRecord, ...] = ()
