"""Where a server listens."""

from __future__ import annotations

import ssl

from aiohttp import web

# Seconds after which a connection that says nothing, or half a request, is closed. Go's clients, API servers among
# them, give up an idle one after 90: it must not be us who close it in the moment in which they use it again.
QUIET_S = 120.0


async def serve(
    served: web.Application, context: ssl.SSLContext | None, address: str, port: int, most_headers: int = 128
) -> web.AppRunner:
    """Serves until the runner is cleaned up. ``context``: None without TLS; it may get another certificate meanwhile.

    ``address``: empty for all addresses of the pod. ``most_headers``: a request with more is refused with 400.

    Raises OSError where it cannot listen.
    """
    runner = web.AppRunner(served, access_log=None, keepalive_timeout=QUIET_S, max_headers=most_headers)
    await runner.setup()
    try:
        await web.TCPSite(runner, address or None, port, ssl_context=context).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner
