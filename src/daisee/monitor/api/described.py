"""What the API's document says beyond its questions: the token that each needs, and how each may be refused."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

LOCK = "token"
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `daisee monitor token new`, with the scope of the question",
}
WRONG_NAME = "Asked by a name that is not this monitor's"
LOCKED = {
    "401": "A token is needed",
    "403": "This token is for something else",
    "503": "The store does not answer now; what was sent must be sent again",
}
FORM = {
    "type": "object",
    "required": ["login", "password"],
    "properties": {
        "login": {"type": "string", "description": "Anything"},
        "password": {"type": "string", "description": "A token with the scope read"},
    },
}
"""The body of 2017, which its clients send under whatever content type."""
CHOICES = {"what": ["watts", "kwatthours", "euros"], "rate": ["day", "night"]}


def describe(app: FastAPI) -> None:
    """Let an application's document say it all."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = FastAPI.openapi(app)
            told.setdefault("components", {})["securitySchemes"] = {LOCK: TOKEN}
            told["security"] = [{LOCK: []}]
            for operations in told["paths"].values():
                for operation in operations.values():
                    _complete(operation)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    names = {each["name"] for each in operation.get("parameters", [])}
    told = {"421": WRONG_NAME}
    if "security" not in operation:
        told |= LOCKED
    if "meter" in names:
        told["404"] = "No such meter"
    if {"from", "to"} & names:
        told["400"] = "A time, or a stretch of time, that makes no sense"
    if "requestBody" in operation:
        told["413"] = "A body of more than 2 MB"
    for status, what in told.items():
        answers.setdefault(status, {"description": what})


def of_2017(path: str, *, form: bool) -> dict[str, Any]:
    """Answer the description of a path of 2017: with a token in its header, or in a form."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    choices = {name: {"enum": CHOICES[name]} for name in names if name in CHOICES}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", **choices.get(name, {})}} for name in names
    ]
    forbidden = "No token in the password's place, or old_login is off" if form else LOCKED["403"]
    answers = {
        "400": {"description": "A range that makes no sense"},
        "403": {"description": f"{forbidden}; or more than may be asked for"},
    }
    described: dict[str, Any] = {"parameters": parameters, "responses": answers}
    if form:
        answers["503"] = {"description": "The store does not answer now"}
        described["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": FORM}}}
        described["security"] = []
    return described
