"""The gateway with everything off: no keys, no journal, no database. ``python -m bench.off CONFIG``.

It is the same server, engine and transport as ``antiphon serve``, over a runtime without a data directory. The bench
uses it to find what keys and records cost. The product has no such switch, because records that can be switched off
cannot be trusted.
"""

import asyncio
import gc
import signal
import sys

import uvloop

from antiphon.config import load_config
from antiphon.runtime import Runtime
from antiphon.server.app import Gateway
from antiphon.server.http.connection import HttpServer
from antiphon.server.http.limits import Limits
from antiphon.server.http.listener import Listener, listen
from antiphon.server.phase import Phase


async def serve(config: str) -> None:
    catalog = load_config(config)
    settings = catalog.settings
    runtime = Runtime(catalog, data=None)
    gateway = Gateway(runtime, open_to_all=True)
    listener = Listener(HttpServer(gateway, Limits(body=settings.body_limit)), listen(settings.host, settings.port))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await listener.start()
    await runtime.start()
    gateway.phase = Phase.READY
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    await stop.wait()
    await listener.stop(settings.drain)
    await runtime.close()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
