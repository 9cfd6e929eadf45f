"""The port of a monitor: what it measured, for programs that have a token; readings that others push; and the paths of 2017.

Every answer that takes from the store holds the lock of its books. Nothing is told without a token but that we are alive, and
what can be asked.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from daisee import __version__
from daisee.errors import StoreError, UsageError
from daisee.monitor.api.citizenwatt import old_routes
from daisee.monitor.api.described import describe
from daisee.monitor.api.gate import Gate, HostCheck
from daisee.monitor.api.home import home_routes
from daisee.monitor.api.metrics import metrics_routes
from daisee.monitor.api.push import push_routes
from daisee.monitor.running import Monitor

ABOUT = """What a home measured. Energies are whole joules, powers watts, times Unix seconds or ISO 8601.

All but `/healthz`, `/docs` and `/openapi.json` need `Authorization: Bearer TOKEN`; `daisee monitor token new` makes a token."""


def create_monitor_app(monitor: Monitor) -> FastAPI:
    """Serve a running monitor."""
    # No pages of FastAPI's own: they load scripts from elsewhere. No telemetry: nothing leaves this machine.
    app = FastAPI(
        title="DAISEE monitor",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    gate = Gate(monitor)
    reads, pushes = Depends(gate.reads), Depends(gate.pushes)
    app.include_router(push_routes(monitor), dependencies=[pushes])
    app.include_router(home_routes(monitor, gate), dependencies=[reads])
    app.include_router(metrics_routes(monitor), dependencies=[reads])
    app.include_router(old_routes(monitor, gate))

    @app.get("/healthz", summary="Whether it is alive", response_class=PlainTextResponse, openapi_extra={"security": []})
    def healthy() -> str:
        return "ok\n"

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(_page(app))

    describe(app)
    app.add_exception_handler(StoreError, _store_failed)
    app.add_exception_handler(UsageError, _asked_wrongly)
    app.add_middleware(HostCheck, names=frozenset({monitor.settings.host, *monitor.settings.names}))
    return app


async def _store_failed(_request: Request, error: Exception) -> Response:
    """Say that the store does not answer now: who pushed, has to push again."""
    return JSONResponse({"detail": str(error)}, status_code=503, headers={"Retry-After": "60"})


async def _asked_wrongly(_request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=400)


def _page(app: FastAPI) -> str:
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td><code>{path}</code></td><td>{said.get('summary', '')}</td></tr>"
        for path, methods in app.openapi()["paths"].items()
        for method, said in methods.items()
    )
    style = "body{font:16px system-ui;margin:2em;max-width:70em}td{padding:.2em 1em .2em 0;vertical-align:top}"
    return (
        f'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>DAISEE monitor</title>'
        f"<style>{style}</style><h1>What this monitor answers</h1><p>{ABOUT.replace('`', '')}</p>"
        f'<p>The whole description: <a href="openapi.json">openapi.json</a></p><table>{rows}</table></html>'
    )
