"""The transport to LiteLLM: HTTP over a worker's Unix socket, behind the same interface as any other."""

from typing import Any

from msgspec import structs

from antiphon.errors import ConnectFailed, Disconnected, TransportMisuse, Truncated
from antiphon.longtail.supervisor import Supervisor
from antiphon.longtail.worker_slot import RestartPolicy, WorkerSlot
from antiphon.transport.http import HttpTransport
from antiphon.transport.interface import Headers, OnChunk, Request, Response

SECRET_HEADER = b"x-longtail-secret"


class LongtailTransport:
    """Sends requests to LiteLLM, which starts with the first request. Creating a transport does no I/O.

    ``data`` is the gateway's data directory, ``ca_file`` names authorities (PEM) to trust beside the usual ones,
    ``longtail_workers`` is the number of processes that share the calls, ``longtail_in_flight`` the most calls at once
    per process.
    """

    def __init__(
        self,
        *,
        data: str,
        ca_file: str | None = None,
        longtail_workers: int = 1,
        longtail_in_flight: int = 64,
        policy: RestartPolicy | None = None,
    ) -> None:
        self._supervisor = Supervisor(
            data, ca_file, longtail_workers, longtail_in_flight, policy if policy is not None else RestartPolicy()
        )
        # On a kept connection a worker's crash looks like an idle close; sent again, a call could be paid twice.
        self._http = HttpTransport(environ={}, resend=False)

    async def send(self, request: Request, connect_timeout: float) -> "LongtailResponse":
        """See :meth:`antiphon.transport.interface.Transport.send`; the first call also waits for LiteLLM's start.

        Raises :class:`~antiphon.errors.UpstreamStatus` (503) if LiteLLM has as many calls as it may.
        """
        if request.bound_to is not None and request.bound_to != request.origin:
            raise TransportMisuse(
                f"The credential of this request is bound to {request.bound_to}; it is not sent to {request.origin}."
            )
        while True:
            slot, process = await self._supervisor.take_worker()
            head = b"%b%b: %b\r\n" % (request.head, SECRET_HEADER, process.secret.encode())
            try:
                forwarded = structs.replace(request, origin=slot.origin, head=head, bound_to=slot.origin)
                response = await self._http.send(forwarded, connect_timeout)
            except ConnectFailed:
                # If the worker has just died, nothing was sent, and the call can go to another worker.
                slot.in_flight -= 1
                if not await slot.notice_end(process):
                    raise
                continue
            except Disconnected:
                slot.in_flight -= 1
                await slot.notice_end(process)  # before the next call, which would get the same worker
                raise Disconnected("LiteLLM's process ended during the call; another is being started.") from None
            except BaseException:
                slot.in_flight -= 1
                raise
            return LongtailResponse(response, slot)

    def read_health(self) -> dict[str, Any]:
        """Return the state of LiteLLM's processes."""
        return self._supervisor.describe()

    async def close(self) -> None:
        """End LiteLLM's processes and every connection to them."""
        await self._http.close()
        await self._supervisor.close()


class LongtailResponse:
    """A worker's response; reading it whole, finishing or closing it makes room for another call."""

    __slots__ = ("_inner", "_slot", "headers", "status")

    def __init__(self, inner: Response, slot: WorkerSlot) -> None:
        self.status = inner.status
        self.headers: Headers = inner.headers
        self._inner = inner
        self._slot: WorkerSlot | None = slot

    async def read_chunk(self, on_chunk: OnChunk | None = None) -> bytes | None:
        """See :meth:`antiphon.transport.interface.Response.read_chunk`."""
        try:
            return await self._inner.read_chunk(on_chunk)
        except Truncated:
            raise _make_truncated() from None

    async def read(self, cap: int) -> bytes:
        """See :meth:`antiphon.transport.interface.Response.read`."""
        try:
            body = await self._inner.read(cap)
        except Truncated:
            raise _make_truncated() from None
        self._release()
        return body

    def nudge(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.nudge`."""
        self._inner.nudge()

    def finish(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.finish`."""
        self._inner.finish()
        self._release()

    def close(self) -> None:
        """See :meth:`antiphon.transport.interface.Response.close`."""
        self._inner.close()
        self._release()

    def _release(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.in_flight -= 1


def _make_truncated() -> Truncated:
    """Return the error that callers see; the path of a worker's socket would tell them nothing."""
    return Truncated("The answer of LiteLLM broke off before its end.")
