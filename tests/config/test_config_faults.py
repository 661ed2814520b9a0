"""Every fault that a file can have, with its line, field, problem and hint."""

import pytest

# text (its first line is line 1), line, field, part of the problem, part of the hint
FAULTS = {
    "unknown key": ("version: 1\nserve: {}\n", 2, "serve", "unknown key", "`server`"),
    "unknown key without a similar one": ("zzzz: 1\n", 1, "zzzz", "unknown key", "providers"),
    "unknown key in a block": ("server:\n  hosts: x\n", 2, "server.hosts", "unknown key", "`host`"),
    "unknown key of a provider": (
        "providers:\n  openai:\n    apikey: ${OPENAI_API_KEY}\n",
        3,
        "providers.openai.apikey",
        "unknown key",
        "`api_key`",
    ),
    "unknown key of a model": (
        "models:\n  a:\n    targets: [sim/echo]\n    alias: [b]\n",
        4,
        "models.a.alias",
        "unknown key",
        "`aliases`",
    ),
    "unknown key of a target": (
        "models:\n  a:\n    targets:\n      - model: sim/echo\n        wieght: 2\n",
        5,
        "models.a.targets[0].wieght",
        "unknown key",
        "`weight`",
    ),
    "unknown bucket of a price": (
        "models:\n  a:\n    targets: [sim/echo]\n    price:\n      input: 1\n      outptu: 2\n",
        6,
        "models.a.price.outptu",
        "unknown key",
        "`output`",
    ),
    "duplicate key": ("data: a\nserver: {}\ndata: b\n", 3, "data", "twice (first on line 1)", ""),
    "duplicate model": ("models:\n  a: sim/echo\n  a: sim/fast\n", 3, "models.a", "twice", ""),
    "unsupported version": ("version: 2\n", 1, "version", "expected 1, found `2`", ""),
    "port out of range": ("server:\n  port: 70000\n", 2, "server.port", "at most 65535", ""),
    "port below zero": ("server:\n  port: -1\n", 2, "server.port", "at least 0", ""),
    "port as text": ('server:\n  port: "7777"\n', 2, "server.port", "expected a whole number, found text", ""),
    "port as a flag": ("server:\n  port: true\n", 2, "server.port", "whole number, found true or false", ""),
    "port as a fraction": ("server: {port: 77.5}\n", 1, "server.port", "expected a whole number", ""),
    "list for a mapping": ("server: [1]\n", 1, "server", "expected a mapping, found a list", ""),
    "mapping for text": ("data: {a: b}\n", 1, "data", "expected text, found a mapping", ""),
    "list of providers": ("providers: [openai]\n", 1, "providers", "expected a mapping of names, found a list", ""),
    "text for a list": (
        "models:\n  a:\n    targets: sim/echo\n",
        3,
        "models.a.targets",
        "expected a list, found text",
        "",
    ),
    "flag as other text": ("sim: no\n", 1, "sim", "expected true or false, found text", ""),
    "not a choice": ("durability: disc\n", 1, "durability", "process or disk, found `disc`", "`disk`"),
    "unknown journal policy": ("on_journal_full: server\n", 1, "on_journal_full", "refuse or serve", "`serve`"),
    "no value": ("data:\n", 1, "data", "has no value", "remove the key"),
    "timeout of zero": ("timeouts:\n  idle: 0\n", 2, "timeouts.idle", "more than 0", ""),
    "timeout of a year": ("timeouts: {total: 31536000}\n", 1, "timeouts.total", "at most 86400", ""),
    "size with an unknown unit": ("journal_cap: 5 apples\n", 1, "journal_cap", "with KiB, MiB or GiB", ""),
    "empty text": ('data: ""\n', 1, "data", "is empty", ""),
    "empty source of a model": (
        'providers: {local: {models: {a: ""}}}\n',
        1,
        "providers.local.models.a",
        "is empty",
        "",
    ),
    "prefix without a slash": ("server:\n  prefixes:\n    - api\n", 3, "server.prefixes[0]", "such as /api/v1", ""),
    "prefix like an own path": (
        "server:\n  prefixes: [/api, /v1/x]\n",
        2,
        "server.prefixes[1]",
        "own /v1",
        "",
    ),
    "prefix under another": ("server:\n  prefixes: [/api, /api/v2]\n", 2, "server.prefixes", "under another", ""),
    "body limit too small": ("server: {body_limit: 1}\n", 1, "server.body_limit", "at least 1024", ""),
    "missing variable": (
        "providers:\n  openai:\n    api_key: ${OPENAI_API_KAY}\n",
        3,
        "providers.openai.api_key",
        "the environment variable OPENAI_API_KAY is not set",
        "${OPENAI_API_KEY}",
    ),
    "missing variable in braces": (
        "providers: {openai: {api_key: ${NOPE_NOT_THERE}}}\n",
        1,
        "providers.openai.api_key",
        "NOPE_NOT_THERE is not set",
        "export NOPE_NOT_THERE",
    ),
    "malformed variable": ("data: ${1X}\n", 1, "data", "`${1X}` is not a variable", "${NAME}"),
    "unclosed variable": ('data: "${HOME"\n', 1, "data", "is not a variable", "$$"),
    "variable in a key": ("models:\n  ${X}: sim/echo\n", 2, "models", "a key cannot contain a variable", ""),
    "empty secret": ('providers: {openai: {api_key: ""}}\n', 1, "providers.openai.api_key", "the secret is empty", ""),
    "secret of spaces": (
        'providers:\n  openai: {api_key: "  "}\n',
        2,
        "providers.openai.api_key",
        "the secret is empty",
        "",
    ),
    "secret of digits": (
        "providers: {openai: {api_key: 123}}\n",
        1,
        "providers.openai.api_key",
        "put a key that consists of digits in quotes",
        "",
    ),
    "missing key": (
        "providers:\n  mistral:\n",
        2,
        "providers.mistral",
        "needs an `api_key`; MISTRAL_API_KEY is not set",
        "export",
    ),
    "key for a custom address": (
        "providers:\n  openai: {base_url: https://proxy.example}\n",
        2,
        "providers.openai",
        "sent to a custom `base_url` only if you say so",
        "${OPENAI_API_KEY}",
    ),
    "key for a kind without": (
        "providers: {sim: {api_key: x}}\n",
        1,
        "providers.sim.api_key",
        "takes no key",
        "remove",
    ),
    "unknown kind": (
        "providers:\n  mine:\n    kind: openay\n",
        3,
        "providers.mine.kind",
        "unknown kind `openay`",
        "`openai`",
    ),
    "name that is not a kind": (
        "providers:\n  olama: {}\n",
        2,
        "providers.olama",
        "`olama` is not a kind",
        "`ollama`",
    ),
    "kind without an address": (
        "providers: {mine: {kind: openai-compatible}}\n",
        1,
        "providers.mine",
        "needs a `base_url`",
        "address",
    ),
    "name with a slash": ("providers: {a/b: {kind: ollama}}\n", 1, "providers.a/b", "no `/`", ""),
    "scheme": ("providers: {ollama: {base_url: ftp://x}}\n", 1, "providers.ollama.base_url", "http://, https://", ""),
    "address without a scheme": (
        "providers: {ollama: {base_url: localhost:11434}}\n",
        1,
        "providers.ollama.base_url",
        "must start with http://",
        "",
    ),
    "credential in an address": (
        "providers: {ollama: {base_url: 'http://u:hunter2@h'}}\n",
        1,
        "providers.ollama.base_url",
        "contains a credential",
        "",
    ),
    "query in an address": (
        "providers: {ollama: {base_url: 'http://h/v1?x=1'}}\n",
        1,
        "providers.ollama.base_url",
        "a query",
        "",
    ),
    "address without a host": (
        "providers: {ollama: {base_url: 'http:///v1'}}\n",
        1,
        "providers.ollama.base_url",
        "names no host",
        "",
    ),
    "address with a bad port": (
        "providers: {ollama: {base_url: 'http://h:99999'}}\n",
        1,
        "providers.ollama.base_url",
        "is not a URL",
        "",
    ),
    "socket with two slashes": (
        "providers: {ollama: {base_url: unix://run/x.sock}}\n",
        1,
        "providers.ollama.base_url",
        "three slashes",
        "",
    ),
    "line break in an address": (
        'providers: {ollama: {base_url: "http://h\\r\\nX: y"}}\n',
        1,
        "providers.ollama.base_url",
        "line break",
        "",
    ),
    "line break in a key": (
        'providers: {openai: {api_key: "sk-1\\nX-Evil: 1"}}\n',
        1,
        "providers.openai.api_key",
        "line break",
        "",
    ),
    "line break in a header": (
        'providers: {ollama: {headers: {x-a: "b\\r\\nc"}}}\n',
        1,
        "providers.ollama.headers.x-a",
        "line break",
        "",
    ),
    "line break in a model's name": ('models: {"a\\nb": sim/echo}\n', 1, "models", "line break", ""),
    "line break in a target": (
        'models: {a: "sim/e\\ncho"}\n',
        1,
        "models.a",
        "line break",
        "",
    ),
    "invalid header name": (
        "providers: {ollama: {headers: {a b: c}}}\n",
        1,
        "providers.ollama.headers.a b",
        "not a header",
        "",
    ),
    "header of the gateway": (
        "providers: {ollama: {headers: {Host: c}}}\n",
        1,
        "providers.ollama.headers.Host",
        "gateway",
        "",
    ),
    "header of the key": (
        "providers:\n  openai:\n    headers: {Authorization: x}\n",
        3,
        "providers.openai.headers.Authorization",
        "is the header of the key",
        "`api_key`",
    ),
    "version for a kind without": (
        "providers: {ollama: {api_version: 2024-10-21}}\n",
        1,
        "providers.ollama.api_version",
        "kind `ollama` has no `api_version`",
        "remove",
    ),
    "open on every address": (
        "server:\n  host: 0.0.0.0\n  auth: open\n",
        3,
        "server.auth",
        "the host must be a loopback address, but it is 0.0.0.0",
        "`auth: keys`",
    ),
    "metrics for callers": (
        "server: {metrics: keys}\n",
        1,
        "server.metrics",
        "expected admin or open, found `keys`",
        "",
    ),
    "missing certificate file": (
        "tls: {ca_file: /no/such.pem}\n",
        1,
        "tls.ca_file",
        "there is no file /no/such.pem",
        "working directory",
    ),
    "unknown provider of a target": (
        "providers: {openai: {}}\nmodels:\n  a: openia/gpt-4o\n",
        3,
        "models.a",
        "unknown provider `openia`",
        "`openai`",
    ),
    "provider that is not configured": (
        "models:\n  a:\n    targets:\n      - sim/echo\n      - mistral/mistral-large-latest\n",
        5,
        "models.a.targets[1]",
        "unknown provider `mistral`",
        "${MISTRAL_API_KEY}",
    ),
    "target without a provider": (
        "providers: {openai: {}}\nmodels: {a: gpt-4o}\n",
        2,
        "models.a",
        "does not have the form `provider/model`",
        "`openai/gpt-4o`",
    ),
    "model for a target": (
        "models:\n  a: sim/echo\n  b: {targets: [a]}\n",
        3,
        "models.b.targets[0]",
        "does not have the form",
        "`fallbacks`",
    ),
    "simulator switched off": (
        "sim: false\nmodels: {a: sim/echo}\n",
        2,
        "models.a",
        "unknown provider `sim`",
        "switched off by `sim: false`",
    ),
    "no targets": ("models: {a: {targets: []}}\n", 1, "models.a.targets", "is empty", ""),
    "targets missing": ("models:\n  a: {aliases: [b]}\n", 2, "models.a.targets", "is missing", ""),
    "target listed twice": (
        "models:\n  a:\n    targets: [sim/echo, sim/echo]\n",
        3,
        "models.a.targets[1]",
        "never be used",
        "remove",
    ),
    "negative weight": (
        "models:\n  a:\n    targets:\n      - {model: sim/echo, weight: -1}\n",
        4,
        "models.a.targets[0].weight",
        "at least 0",
        "",
    ),
    "weights all zero": (
        "models:\n  a:\n    targets: [{model: sim/echo, weight: 0}, {model: sim/fast, weight: 0}]\n",
        3,
        "models.a.targets",
        "every weight is 0",
        "raise one",
    ),
    "weights without effect": (
        "models:\n  a:\n    strategy: order\n    targets: [{model: sim/echo, weight: 3}]\n",
        3,
        "models.a.strategy",
        "no effect",
        "`weighted`",
    ),
    "alias that is a model": (
        "models:\n  a: sim/echo\n  b:\n    aliases: [c, a]\n    targets: [sim/echo]\n",
        4,
        "models.b.aliases[1]",
        "`a` is taken by models.a (line 2)",
        "",
    ),
    "alias of two models": (
        "models:\n  a: {aliases: [x], targets: [sim/echo]}\n  b: {aliases: [x], targets: [sim/echo]}\n",
        3,
        "models.b.aliases[0]",
        "`x` is taken by models.a.aliases[0] (line 2)",
        "",
    ),
    "alias that is its own name": (
        "models: {a: {aliases: [a], targets: [sim/echo]}}\n",
        1,
        "models.a.aliases[0]",
        "taken by models.a",
        "",
    ),
    "unknown fallback": (
        "models:\n  smart: sim/echo\n  b:\n    targets: [sim/echo]\n    fallbacks: [smrt]\n",
        5,
        "models.b.fallbacks[0]",
        "unknown model `smrt`",
        "`smart`",
    ),
    "fallback to itself": (
        "models:\n  a:\n    targets: [sim/echo]\n    fallbacks: [a]\n",
        4,
        "models.a.fallbacks",
        "a → a",
        "",
    ),
    "fallbacks in a circle": (
        "models:\n"
        "  a: {targets: [sim/echo], fallbacks: [b]}\n"
        "  b: {aliases: [x], targets: [sim/echo], fallbacks: [c]}\n"
        "  c: {targets: [sim/echo], fallbacks: [a]}\n",
        2,
        "models.a.fallbacks",
        "a → b → c → a",
        "",
    ),
    "fallbacks in a circle through an alias": (
        "models:\n"
        "  a: {targets: [sim/echo], fallbacks: [x]}\n"
        "  b: {aliases: [x], targets: [sim/echo], fallbacks: [a]}\n",
        2,
        "models.a.fallbacks",
        "a → b → a",
        "",
    ),
    "negative price": (
        "models: {a: {targets: [sim/echo], price: {input: -0.1}}}\n",
        1,
        "models.a.price.input",
        "is negative",
        "",
    ),
    "price too fine": (
        "models: {a: {targets: [sim/echo], price: {input: 0.0000001}}}\n",
        1,
        "models.a.price.input",
        "finer than a picodollar",
        "",
    ),
    "price as words": (
        "models: {a: {targets: [sim/echo], price: {input: cheap}}}\n",
        1,
        "models.a.price.input",
        "expected a number of dollars",
        "",
    ),
    "price without a number": (
        "models: {a: {targets: [sim/echo], price: {}}}\n",
        1,
        "models.a.price",
        "a price needs at least one number",
        "",
    ),
    "negative price of a unit": (
        "models: {a: {targets: [sim/echo], price: {images: -0.04}}}\n",
        1,
        "models.a.price.images",
        "is negative",
        "",
    ),
    "panels": ("panels: {jury: {kind: consensus}}\n", 1, "panels", "not available in this version", ""),
    "redis": ("redis: redis://localhost\n", 1, "redis", "not available in this version", ""),
    "database": ("database: postgresql://x\n", 1, "database", "not available in this version", ""),
    "region for a kind without": (
        "providers:\n  openai:\n    region: eu\n",
        3,
        "providers.openai.region",
        "kind `openai` has no `region`",
        "remove it",
    ),
    "no region": (
        "providers:\n  bedrock:\n    api_key: k\n",
        2,
        "providers.bedrock",
        "kind `bedrock` needs a `region`",
        "export AWS_REGION",
    ),
    "no region with a custom address and signed requests": (
        "providers:\n  bedrock: {base_url: https://vpce.example, access_key: a, secret_key: b}\n",
        2,
        "providers.bedrock",
        "needs a `region`",
        "",
    ),
    "no project": ("providers:\n  vertex: {api_key: k}\n", 2, "providers.vertex", "needs a `project`", "add it"),
    "no account": ("providers:\n  snowflake: {api_key: k}\n", 2, "providers.snowflake", "needs a `account`", "add it"),
    "no account id": (
        "providers:\n  cloudflare: {api_key: k}\n",
        2,
        "providers.cloudflare",
        "needs a `account_id`",
        "export CLOUDFLARE_ACCOUNT_ID",
    ),
    "region that is not part of a host name": (
        "providers:\n  bedrock:\n    api_key: k\n    region: evil.example/x\n",
        4,
        "providers.bedrock.region",
        "part of a host name",
        "",
    ),
    "region that the kind does not have": (
        "providers:\n  qwen:\n    api_key: k\n    region: mars\n",
        4,
        "providers.qwen.region",
        "must be one of: intl, cn, us",
        "",
    ),
    "parameter that changes the path": (
        "providers:\n  cloudflare:\n    api_key: k\n    account_id: ..\n",
        4,
        "providers.cloudflare.account_id",
        "is part of a path, which it would change",
        "",
    ),
    "half a signing key": (
        "providers:\n  bedrock:\n    access_key: AKID\n    region: eu-west-1\n",
        2,
        "providers.bedrock",
        "needs a `secret_key` with its `access_key`",
        "add it",
    ),
    "a key and a signature": (
        "providers:\n  bedrock:\n    api_key: k\n    access_key: a\n    secret_key: b\n    region: eu-west-1\n",
        3,
        "providers.bedrock.api_key",
        "a request carries a key or is signed, not both",
        "remove one",
    ),
    "neither a key nor a signature": (
        "providers:\n  bedrock: {region: eu-west-1}\n",
        2,
        "providers.bedrock",
        "needs an `api_key` (or `access_key` and `secret_key`, or `credentials: default`); AWS_BEARER_TOKEN_BEDROCK is"
        " not set either",
        "export AWS_BEARER_TOKEN_BEDROCK",
    ),
    "a signing key for a kind that does not sign": (
        "providers:\n  openai:\n    secret_key: b\n",
        3,
        "providers.openai.secret_key",
        "kind `openai` has no `secret_key`",
        "remove it",
    ),
    "region of a provider through LiteLLM": (
        "providers:\n  watsonx:\n    via: litellm\n    region: eu\n",
        4,
        "providers.watsonx.region",
        "under LiteLLM's own name for it",
        "`params`",
    ),
    "alias as a name": (
        "providers:\n  google: {api_key: k}\n",
        2,
        "providers.google",
        "not a kind",
        "did you mean `gemini`?",
    ),
    "alias as a kind": (
        "providers:\n  mine: {kind: claude, api_key: k}\n",
        2,
        "providers.mine.kind",
        "unknown kind `claude`",
        "did you mean `anthropic`?",
    ),
    "a kind that only LiteLLM has": (
        "providers:\n  watsonx: {api_key: k}\n",
        2,
        "providers.watsonx",
        "not a kind",
        "add `via: litellm`",
    ),
    "unknown via": (
        "providers:\n  ollama:\n    via: litelm\n",
        3,
        "providers.ollama.via",
        "expected litellm, found `litelm`",
        "`litellm`",
    ),
    "via, and an unknown provider of LiteLLM": (
        "providers:\n  watsonxx:\n    via: litellm\n",
        2,
        "providers.watsonxx",
        "LiteLLM has no provider `watsonxx`",
        "`watsonx`",
    ),
    "via, and an unknown kind of LiteLLM": (
        "providers:\n  x: {via: litellm, kind: replicat}\n",
        2,
        "providers.x.kind",
        "LiteLLM has no provider `replicat`",
        "`replicate`",
    ),
    "via, and a socket": (
        "providers:\n  ollama: {via: litellm, base_url: 'unix:///run/x'}\n",
        2,
        "providers.ollama.base_url",
        "must start with http:// or https://",
        "",
    ),
    "reserved parameter": (
        "providers:\n  bedrock:\n    via: litellm\n    params:\n      api_key: x\n",
        5,
        "providers.bedrock.params.api_key",
        "cannot be set here",
        "use the provider's `api_key`",
    ),
    "parameters without via": (
        "providers:\n  openai: {params: {a: 1}}\n",
        2,
        "providers.openai.params",
        "`params` needs `via: litellm`",
        "",
    ),
    "strategy of a later version": (
        "models:\n  a:\n    targets: [sim/echo]\n    strategy: cheapest\n",
        4,
        "models.a.strategy",
        "`cheapest` is not available in this version",
        "`weighted`",
    ),
    "unknown strategy": (
        "models: {a: {targets: [sim/echo], strategy: weigted}}\n",
        1,
        "models.a.strategy",
        "expected order or weighted",
        "`weighted`",
    ),
    "on_break": (
        "models: {a: {targets: [sim/echo], on_break: continue}}\n",
        1,
        "models.a.on_break",
        "not available in this version",
        "",
    ),
    "not YAML": ("server: {host: a\n", 2, "(file)", "is not YAML", ""),
    "tab": ("server:\n\thost: a\n", 2, "(file)", "is not YAML", ""),
    "list at the top": ("- a\n", 1, "(file)", "a mapping of keys", ""),
    "text at the top": ("hello\n", 1, "(file)", "a mapping of keys", ""),
    "tag": ("data: !!python/object:os.system x\n", 1, "data", "tag", ""),
    "tag on a mapping": ("server: !thing {}\n", 1, "server", "tag", ""),
    "two documents": ("version: 1\n---\nversion: 1\n", 2, "(file)", "is not YAML", ""),
    "key that is a list": ("? [a]\n: b\n", 1, "(file)", "a key must be text", ""),
    "alias of itself": ("models: &a\n  x: *a\n", 2, "models.x", "refers to itself", ""),
    "merge of a text": ("server: {<<: x}\n", 1, "server", "needs a mapping", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_its_line_its_field_and_what_to_do(files, name: str):
    text, line, field, problem, hint = FAULTS[name]
    fault = files.find_fault(text)
    assert (fault.line, fault.field) == (line, field), str(fault)
    assert problem in fault.problem, str(fault)
    assert hint in fault.hint, str(fault)


def test_all_faults_come_at_once_in_the_order_of_the_file(files):
    faults = files.find_faults(
        """
        version: 1
        server: {port: 99999, hosts: x}
        providers:
          openai: {api_key: ${NOT_SET_AT_ALL}}
          olama: {}
          groq: {base_url: ftp://x}
        models:
          a: openai/gpt-4o
          b: {targets: [opena/x], aliases: [a]}
          c: {targets: [sim/x], fallbacks: [c], strategy: fastest}
        """
    )
    assert [(fault.line, fault.field) for fault in faults] == [
        (2, "server.port"),
        (2, "server.hosts"),
        (4, "providers.openai.api_key"),
        (5, "providers.olama"),
        (6, "providers.groq.base_url"),
        (6, "providers.groq"),
        (9, "models.b.aliases[0]"),
        (9, "models.b.targets[0]"),
        (10, "models.c.strategy"),
        (10, "models.c.fallbacks"),
    ]


def test_a_faulty_provider_is_not_reported_again_by_the_models_that_use_it(files):
    fault = files.find_fault("providers:\n  openai: {api_key: ${NOT_SET}}\nmodels:\n  a: openai/gpt-4o\n")
    assert fault.field == "providers.openai.api_key"


def test_a_fault_never_repeats_a_secret(files):
    faults = files.find_faults(
        'providers: {openai: {api_key: "hunter2 \\n"},\n'
        '  groq: {base_url: "https://u:hunter2@h", headers: {a b: hunter2}}}\n'
    )
    assert "hunter2" not in "\n".join(map(str, faults))


def test_an_alias_bomb_is_a_fault_and_not_a_long_wait(files):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "too large for a configuration" in files.find_fault("\n".join(lines)).problem


def test_deep_nesting_is_a_fault(files):
    assert "nested deeper" in files.find_fault("data: " + "[" * 5000).problem


def test_a_large_file_is_a_fault(files):
    assert "larger than" in files.find_fault("data: " + "x" * (1024 * 1024)).problem


def test_bytes_that_are_no_text_are_a_fault(files):
    files.path.write_bytes(b"data: \xff\xfe\n")
    from antiphon.config import load_config
    from antiphon.errors import ConfigError

    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(str(files.path), {})
