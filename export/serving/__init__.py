"""A bundle over HTTP, in the KServe v2 protocol (Open Inference Protocol). TensorFlow is never imported.

zoo serve bundle                                    from the command line
export.serving.serve("bundle", port=8000)           from Python, until SIGTERM or SIGINT
app = export.serving.create_app("bundle")           for an ASGI server of your own

Each signature of the bundle is a model of the protocol, with one version, "1".
"""

from typing import Any

from export.errors import ExportError
from export.serving.limits import Limits

__all__ = ["Limits", "create_app", "serve"]


def __getattr__(name: str) -> Any:
    # Loaded on first use (PEP 562): the web framework is an extra, and what lacks is then said in one line.
    if name not in ("create_app", "serve"):
        raise AttributeError(f"module 'export.serving' has no attribute '{name}'")
    try:
        from export.serving.app import create_app
        from export.serving.server import serve
    except ModuleNotFoundError as error:
        raise ExportError(f"serving needs the package {error.name}: pip install 'genzoo[serve]'") from None
    return {"create_app": create_app, "serve": serve}[name]
