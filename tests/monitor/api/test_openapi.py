"""Whatever may be asked by the document of the API, and what may not, is answered, and never with an error of ours."""

from __future__ import annotations

from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from tests.monitor.api.conftest import T0, Asked, monitor_of

from daisee.model.readings import Reading
from daisee.monitor.api import create_monitor_app

EXAMPLES = 30
"""Of each operation."""
FORMS = 3
"""Of each that has a twin, and stays shut without a token in its form."""
OURS = {"Host": "127.0.0.1"}
STREAM = "/api/v1/live"
"""It has no end that a test could wait for."""


def test_no_question_is_answered_with_an_error_of_ours(tmp_path: Path) -> None:
    for monitor in monitor_of(tmp_path):
        for at_s in range(0, 4_000, 10):
            monitor.collector.take("meter", [Reading(at_s=T0 + at_s, power_w=1_000.0)])
        asked = Asked(monitor)
        schema = schemathesis.openapi.from_asgi("/openapi.json", create_monitor_app(monitor), headers=OURS).exclude(path=STREAM)
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        assert len(operations) > 15
        for operation in operations:
            _ask(operation, asked)


def _ask(operation: schemathesis.schemas.APIOperation, asked: Asked) -> None:  # type: ignore[type-arg]
    token = asked.push if operation.method.upper() == "POST" else asked.read

    examples = FORMS if "as clients of 2017" in operation.definition.raw["summary"] else EXAMPLES

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    def ask(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        answer = case.call(headers={**OURS, "Authorization": f"Bearer {token}"})
        assert answer.status_code < 500, (answer.status_code, case.as_curl_command())
        assert answer.status_code != 401

    ask()
