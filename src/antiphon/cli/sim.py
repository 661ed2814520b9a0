"""``antiphon sim``: runs the simulator as a provider."""

from typing import Annotated

import uvloop

from antiphon.cli.output import fail
from antiphon.sim import script_file
from antiphon.sim.server import serve


def run_simulator(
    host: Annotated[str, "Address to listen on; any key is accepted."] = "127.0.0.1",
    port: Annotated[int, "Port to listen on; 0 selects a free one."] = 0,
    script: Annotated[str | None, "YAML file of scripted answers."] = None,
    tps: Annotated[float, "Tokens per second of models whose name states none; 0 means no limit."] = 0.0,
    seed: Annotated[int | None, "Makes identifiers and random faults the same on every start."] = None,
    record: Annotated[bool, "Keep requests and answers, for GET /sim/served."] = False,
) -> int:
    """Run the simulator as a provider that speaks every wire, until a signal stops it."""
    if not 0 <= tps <= 1e6:
        fail(f"--tps must be from 0 to 1000000, not {tps}", 2)
    if not 0 <= port <= 65535:
        fail(f"--port must be from 0 to 65535, not {port}", 2)
    rules = script_file.load_script(script) if script is not None else None
    try:
        uvloop.run(serve(host, port, _print_ready, rules, tps, seed, record))
    except OSError as error:
        fail(f"cannot listen on {host} port {port}: {error.strerror or error}; choose another --host or --port")
    return 0


def _print_ready(url: str) -> None:
    print(f"The simulator is ready at {url}/v1", flush=True)
