"""Routes for those who run it, and for those who read what it offers."""

import asyncio
from html import escape
from typing import Any, Literal

import msgspec
from aiohttp import web

from bridge.api.call import Call, Probe
from bridge.api.shapes import HealthAnswer

DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document", dict)
"""Where the application keeps its OpenAPI document."""

_PROBE_SECONDS = 3.0


async def get_live(_call: Call) -> web.Response:
    """Say that the process runs."""
    return web.json_response({"status": "ok"})


async def get_ready(call: Call) -> web.Response:
    """Say whether to send requests here: 503 when something that we need does not answer, and while we drain."""
    probes = call.actions.probes
    found = await asyncio.gather(*(_answers(probe) for probe in probes.values()))
    results = dict(zip(probes, found, strict=True))
    status: Literal["ok", "unavailable", "draining"] = "ok" if all(results.values()) else "unavailable"
    if call.actions.is_draining():
        status = "draining"
    answer = HealthAnswer(status=status, dependencies=results)
    return web.Response(
        body=msgspec.json.encode(answer), status=200 if status == "ok" else 503, content_type="application/json"
    )


async def _answers(probe: Probe) -> bool:
    """Say what a probe says; what takes its time counts as away, because who asks us is not patient either."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await probe()
    except TimeoutError:
        return False


async def get_openapi(call: Call) -> web.Response:
    """Give the OpenAPI document."""
    return web.Response(body=msgspec.json.encode(call.request.app[DOCUMENT]), content_type="application/json")


async def get_docs(call: Call) -> web.Response:
    """Show the API to a person."""
    return web.Response(text=_docs_page(call.request.app[DOCUMENT]), content_type="text/html")


def _docs_page(document: dict[str, Any]) -> str:
    sections: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sections.setdefault(operation["tags"][0], []).append(_docs_row(path, method, operation))
    tables = "".join(
        f"<h2>{escape(noun)}</h2><table><tr><th></th><th>Path</th><th>What it does</th><th>Credential</th></tr>"
        f"{''.join(rows)}</table>"
        for noun, rows in sections.items()
    )
    return _PAGE.replace("{tables}", tables)


def _docs_row(path: str, method: str, operation: dict[str, Any]) -> str:
    who = ", ".join(name for entry in operation["security"] for name in entry) or "no credential"
    return (
        f"<tr><td><b>{method.upper()}</b></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation['summary'])}</td><td>{escape(who)}</td></tr>"
    )


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>BitNexus Chat API</title>
<meta name="viewport" content="width=device-width"><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1f2430;background:#fff}
table{border-collapse:collapse;width:100%;table-layout:auto}td,th{text-align:left;padding:.4rem .8rem .4rem 0;
border-bottom:1px solid #dde1ea;vertical-align:top}code{font-size:.9em}h2{margin-top:2rem}
@media(prefers-color-scheme:dark){body{color:#e6e9f0;background:#14171f}td,th{border-color:#2c3240}}
</style><h1>BitNexus Chat API</h1>
<p>Send a bearer token. The machine-readable document, with every field, is
<a href="/v1/openapi.json">/v1/openapi.json</a>.</p>{tables}</html>"""
