"""Requests made of the OpenAPI schema, and against it, by schemathesis: every answer is one that the schema names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from export.serving import Limits, create_app

CHECKS = [
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]
FEW, MANY = 8, 300


@pytest.fixture(scope="module")
def schema(small_bundle):
    app = create_app(small_bundle, Limits(max_rows=8, max_body=100_000))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def fuzz(schema, examples: int) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    for operation in operations:
        with_inputs = operation.method == "post"
        modes = list(schemathesis.GenerationMode) if with_inputs else [schemathesis.GenerationMode.POSITIVE]
        for mode in modes:
            call(operation, mode, examples if with_inputs else 1)
    live = next(operation for operation in operations if operation.path.endswith("live"))
    assert live.Case().call().status_code == 200


def call(operation, mode, examples: int) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def one(case):
        case.call_and_validate(checks=CHECKS)

    one()


def test_a_few(schema):
    fuzz(schema, FEW)


@pytest.mark.slow
def test_many(schema):
    fuzz(schema, MANY)
