"""The web application: routes, what goes wrong, and the answers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import onnxruntime
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from export.errors import ExportError
from export.images import image_output
from export.pictures import to_png
from export.runtime import Bundle
from export.serving import openapi, protocol
from export.serving.bodies import Bodies
from export.serving.engine import Engine
from export.serving.errors import RequestError
from export.serving.limits import Limits
from export.session import run_session

_REFUSALS = {
    400: "The request is not of the protocol.",
    406: "A picture is asked for, and the outputs are none.",
    408: "The body took too long to arrive.",
    413: "The body, or what it asks for, is too large.",
    415: "The body is compressed.",
    422: "The tensors are not those that the signature takes.",
    500: "The graph fails on these inputs.",
    503: "Too many requests are in progress.",
    504: "The request took too long, and was stopped.",
}


def create_app(directory: str | Path, limits: Limits | None = None) -> FastAPI:
    """Returns an ASGI application that serves a bundle, all of whose signatures are loaded.

    Args:
        directory: A folder written by `export.save`.
        limits: What to allow, by default `Limits()`.

    Raises:
        ExportError: It is no bundle, has no ONNX files, or one is missing or altered.
    """
    # Without spinning: cores that ONNX Runtime keeps busy between requests are those that read and write them.
    limits = limits or Limits()
    bundle, engine, bodies = Bundle(directory, spinning=False), Engine(limits), Bodies(limits)
    for name in bundle.signatures:
        bundle.session(name)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.close()

    kind = bundle.manifest["model"]["class"]
    app = FastAPI(
        title=f"{kind} over KServe v2",
        version=protocol.VERSION,
        description="Each signature of the bundle is a model of the Open Inference Protocol (KServe v2).",
        lifespan=lifespan,
        redoc_url=None,
    )
    for name in bundle.signatures:
        _add_signature(app, bundle, engine, bodies, name)
    _add_server(app, bundle)
    _add_errors(app, list(bundle.signatures))
    return app


def _add_server(app: FastAPI, bundle: Bundle) -> None:
    known = openapi.ServerMetadata(
        name="genzoo",
        version=bundle.manifest.get("versions", {}).get("genzoo", "unknown"),
        extensions=["binary_tensor_data"],
        models=list(bundle.signatures),
    )

    @app.get("/v2", tags=["server"])
    async def server_metadata() -> openapi.ServerMetadata:
        """The server, and the models it has."""
        return known

    @app.head("/v2/health/live", include_in_schema=False)
    @app.get("/v2/health/live", tags=["server"])
    async def live() -> openapi.Health:
        """Whether the server answers."""
        return openapi.Health()

    @app.head("/v2/health/ready", include_in_schema=False)
    @app.get("/v2/health/ready", tags=["server"])
    async def ready() -> openapi.Readiness:
        """Whether all signatures are loaded; the server does not listen before."""
        return openapi.Readiness(name="genzoo")


def _add_signature(app: FastAPI, bundle: Bundle, engine: Engine, bodies: Bodies, name: str) -> None:
    signature, session = bundle.signatures[name], bundle.session(name)
    limits, picture, described = engine.limits, image_output(signature), openapi.metadata(signature)

    def answer(body: bytes, header_length: str | None, as_picture: bool, options: onnxruntime.RunOptions) -> Response:
        request = protocol.parse(body, header_length, signature, limits)
        outputs = run_session(session, request.inputs, name, options)
        if as_picture and picture:
            protocol.check_finite(outputs[picture], picture, signature, "a picture")
            return Response(to_png(outputs[picture]), media_type="image/png")
        content, json_length = protocol.respond(request, outputs, signature, limits)
        if json_length is None:
            return Response(content, media_type="application/json")
        headers = {protocol.HEADER_LENGTH: str(json_length)}
        return Response(content, headers=headers, media_type="application/octet-stream")

    async def infer(request: Request) -> Response:
        end = time.monotonic() + limits.timeout
        as_picture = _accepts_png(request.headers.get("accept", ""))
        if as_picture and not picture:
            raise RequestError(406, f"the outputs of '{name}' are no pictures. Leave image/png out of Accept.")
        engine.check_place()  # before anything is read in vain
        body = await bodies.read(request)
        engine.check_place()
        header_length = request.headers.get(protocol.HEADER_LENGTH)
        return await engine.run(
            lambda options: answer(body, header_length, as_picture, options), end - time.monotonic(), _left(request)
        )

    async def metadata() -> openapi.ModelMetadata:
        return described

    async def ready() -> openapi.Readiness:
        return openapi.Readiness(name=name)

    for path in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{protocol.VERSION}"):
        shown = {"include_in_schema": path.endswith(name), "tags": [name]}
        app.add_api_route(
            f"{path}/infer",
            infer,
            methods=["POST"],
            response_class=Response,
            summary=f"Run {name}",
            description=openapi.summary(signature),
            openapi_extra=openapi.inference(signature, limits.max_rows),
            responses=openapi.answers(signature, _REFUSALS),
            **shown,
        )
        app.add_api_route(path, metadata, summary=f"The tensors of {name}", **shown)
        app.add_api_route(f"{path}/ready", ready, summary=f"Whether {name} is loaded", **shown)


def _accepts_png(accept: str) -> bool:
    """Whether a picture is asked for, by its name, and no less than JSON is."""
    wanted = dict(map(_media_range, accept.split(",")))
    return wanted.get("image/png", 0.0) > 0 and wanted["image/png"] >= wanted.get("application/json", 0.0)


def _media_range(text: str) -> tuple[str, float]:
    """Returns a kind of content that a client takes, and how gladly, from 0, not at all, to 1."""
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return kind, float(quality)
    except ValueError:
        return kind, 0.0


async def _left(request: Request) -> None:
    """Returns when the client of a request, all of whose body has been read, has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_errors(app: FastAPI, names: list[str]) -> None:
    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, error.status, error.headers)

    @app.exception_handler(ExportError)
    async def failed(_: Request, error: ExportError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 500)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        message = f"the server failed ({type(error).__name__}); its log says where. Please report it."
        return JSONResponse({"error": message}, 500)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}. See the OpenAPI page at /docs."
        if error.status_code == 404:
            message += f" Models, each of version {protocol.VERSION}: {', '.join(names)}."
        return JSONResponse({"error": message}, error.status_code, error.headers)
