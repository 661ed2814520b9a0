"""``antiphon serve``: run the gateway."""

from typing import Annotated


def command(
    config: Annotated[str | None, "Path of an antiphon.yaml; without it ./antiphon.yaml, or what is detected."] = None,
    host: Annotated[str | None, "Address to listen on, instead of the configuration's."] = None,
    port: Annotated[int | None, "Port to listen on, instead of the configuration's; 0 takes a free one."] = None,
    data: Annotated[str | None, "Directory of journal, ledger and keys, instead of the configuration's."] = None,
    log_level: Annotated[str, "What is logged to standard error: debug, info, warning or error."] = "warning",
) -> int:
    """Run the gateway until SIGTERM or Ctrl+C; the first one lets running answers end, the second cancels them."""
    from antiphon.cli.output import fail
    from antiphon.config import load_config
    from antiphon.server.process import serve

    if log_level not in ("debug", "info", "warning", "error"):
        fail(f"--log-level is {log_level}; expected debug, info, warning or error", 2)
    return serve(load_config(config, data=data).override(host=host, port=port), log_level)
