"""Imports and configures LiteLLM: quiet, offline, without its own retries and callbacks."""

import logging
import os
from pathlib import Path
from typing import Any

from .calls import OPERATIONS

# LiteLLM reads these while it is imported: no download of prices or lists, no `.env` of the working directory, no
# telemetry, no fetching of the addresses in a caller's message.
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "CRITICAL",
    "MAX_IMAGE_URL_DOWNLOAD_SIZE_MB": "0",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}
SETTINGS: dict[str, Any] = {
    "telemetry": False,
    "suppress_debug_info": True,
    "set_verbose": False,
    "drop_params": False,
    "modify_params": False,
    "num_retries": 0,
    "num_retries_per_request": 0,
    "redact_messages_in_exceptions": True,
    "disable_hf_tokenizer_download": True,
    # If a provider states no usage, the gateway estimates and marks it; LiteLLM's counting may fetch a caller's images.
    "disable_token_counter": True,
    "cache": None,
    "callbacks": [],
    "success_callback": [],
    "failure_callback": [],
}


def load(socket: str, ca_file: str | None) -> Any:
    """Return LiteLLM, imported and configured; a file of authorities may be written beside ``socket``."""
    os.environ.update(ENVIRONMENT)
    import litellm

    for name, value in SETTINGS.items():
        setattr(litellm, name, value)
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx", "botocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.getLogger(name).handlers.clear()
    unwrap_extra_body(litellm)
    if ca_file is not None:
        litellm.ssl_verify = trust(ca_file, Path(socket).with_suffix(".pem"))
    for operation in OPERATIONS.values():
        getattr(litellm, operation.function)  # imported lazily; the first call should not pay for it
    return litellm


def unwrap_extra_body(litellm: Any) -> None:
    """Put unknown fields into the provider's body for the two providers to which LiteLLM would send their wrapping.

    The change is made to the final body; at any earlier step a caller's field could steer the call.
    """
    messages, converse = litellm.AnthropicConfig, litellm.AmazonConverseConfig
    transform, prepare = messages.transform_request, converse._prepare_request_params

    def transform_request(self: Any, *args: Any, **more: Any) -> dict[str, Any]:
        body = transform(self, *args, **more)
        extra = body.pop("extra_body", None) or {}
        return {**body, **extra}

    def prepare_params(self: Any, optional_params: dict[str, Any], *args: Any, **more: Any) -> Any:
        extra = optional_params.pop("extra_body", None) or {}
        inference, additional, *rest = prepare(self, optional_params, *args, **more)
        return inference, {**additional, **extra}, *rest

    messages.transform_request, converse._prepare_request_params = transform_request, prepare_params


def trust(ca_file: str, bundle: Path) -> str:
    """Write a file with the usual authorities and those of ``ca_file``, make libraries use it, and return its path."""
    import certifi

    bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + Path(ca_file).read_bytes())
    os.environ["SSL_CERT_FILE"] = os.environ["AWS_CA_BUNDLE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
    return str(bundle)
