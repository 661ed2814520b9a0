"""``antiphon serve``: runs the gateway."""

from typing import Annotated


def serve_gateway(
    config: Annotated[str | None, "Path of an antiphon.yaml. Default: ./antiphon.yaml, else detection."] = None,
    host: Annotated[str | None, "Address to listen on, instead of the configured one."] = None,
    port: Annotated[int | None, "Port to listen on, instead of the configured one; 0 selects a free one."] = None,
    data: Annotated[str | None, "Directory of journal, ledger and keys, instead of the configured one."] = None,
    log_level: Annotated[str, "Level of the log on standard error: debug, info, warning or error."] = "warning",
) -> int:
    """Run the gateway until SIGTERM or Ctrl+C. The first signal lets running answers finish, a second cancels them."""
    from antiphon.cli.output import fail
    from antiphon.config import load_config
    from antiphon.server.process import serve

    if log_level not in ("debug", "info", "warning", "error"):
        fail(f"--log-level is {log_level}; expected debug, info, warning or error", 2)
    return serve(load_config(config, data=data).override(host=host, port=port), log_level)
