"""Holds requests and answers against an OpenAPI 3.1 description: the part of it that payroll.openapi.json uses.

    description = Description(path)
    operation = description.find(method, path)            Mismatch: 404 or 405
    arguments = operation.check_request(query, body, …)   Mismatch: 400 or 415
    operation.check_answer(status, document)              Mismatch

A Mismatch says where and what. All is read-only after Description(), so any thread may use it.
"""

import datetime
import json
import re
import urllib.parse

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


class Mismatch(Exception):
    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status


def is_date(text):
    try:
        return len(text) == 10 and bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


FORMATS = {"date": is_date, "email": lambda text: bool(re.fullmatch(r"[^@\s]+@[^@\s]+", text))}


def has_type(value, name):
    return isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name in ("integer", "number"))


class Description:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = json.load(file)
        self.operations = [Operation(self, template, method.upper(), operation)
                           for template, methods in self.document["paths"].items() for method, operation in methods.items()]

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def find(self, method, path):
        """(operation, path arguments as text)"""
        here = [(operation, match) for operation in self.operations if (match := operation.pattern.fullmatch(path))]
        if not here:
            raise Mismatch(f"{path}: there is no such path", 404)
        for operation, match in here:
            if operation.method == method:
                return operation, {name: urllib.parse.unquote(text) for name, text in match.groupdict().items()}
        raise Mismatch(f"{method} is not allowed on {path}", 405)

    def check(self, value, schema, where):
        schema = self.resolve(schema)
        types = schema.get("type", list(TYPES))
        types = types if isinstance(types, list) else [types]
        if not any(has_type(value, name) for name in types):
            raise Mismatch(f"{where or '/'}: expected {' or '.join(types)}, got {json.dumps(value)[:40]}")
        if "enum" in schema and value not in schema["enum"]:
            raise Mismatch(f"{where}: expected one of {schema['enum']}")
        if isinstance(value, dict):
            self._check_object(value, schema, where)
        elif isinstance(value, list):
            for number, entry in enumerate(value):
                self.check(entry, schema.get("items", {}), f"{where}/{number}")
        elif isinstance(value, str):
            self._check_text(value, schema, where)

    def _check_object(self, value, schema, where):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                raise Mismatch(f"{where}/{name} is missing")
        for name, member in value.items():
            if name in properties:
                self.check(member, properties[name], f"{where}/{name}")
            elif schema.get("additionalProperties", True) is False:
                raise Mismatch(f"{where}/{name}: there is no such member")

    @staticmethod
    def _check_text(value, schema, where):
        if len(value) < schema.get("minLength", 0) or len(value) > schema.get("maxLength", len(value)):
            raise Mismatch(f"{where}: a text of {len(value)} characters")
        if "format" in schema and not FORMATS[schema["format"]](value):
            raise Mismatch(f"{where}: {value[:40]!r} is no {schema['format']}")


class Operation:
    def __init__(self, description, template, method, operation):
        self.description, self.method, self.operation = description, method, operation
        self.name = operation["operationId"]
        self.pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
        self.parameters = [description.resolve(parameter) for parameter in operation.get("parameters", [])]

    def _argument(self, parameter, text):
        """Path and query hold text; the schema says what it stands for."""
        if description_type(parameter) == "integer":
            if not re.fullmatch(r"[0-9]{1,18}", text):
                raise Mismatch(f"{parameter['name']}: {text[:40]!r} is no number", 404 if parameter["in"] == "path" else 400)
            return int(text)
        self.description.check(text, parameter["schema"], parameter["name"])
        return text

    def check_request(self, path, query, content_type, body):
        """(arguments of path and query, the body or None)"""
        arguments = {}
        known = {(parameter["in"], parameter["name"]): parameter for parameter in self.parameters}
        for place, given in (("path", path), ("query", query)):
            for name, text in given.items():
                if (place, name) not in known:
                    raise Mismatch(f"{name}: there is no such parameter")
                arguments[name] = self._argument(known[place, name], text)
        return arguments, self._check_body(content_type, body)

    def _check_body(self, content_type, body):
        allowed = self.operation.get("requestBody", {}).get("content")
        if allowed is None:
            if body:
                raise Mismatch("a body where none is expected")
            return None
        kind = content_type.split(";")[0].strip().lower()
        if kind not in allowed:
            raise Mismatch(f"Content-Type {kind or '(none)'}: expected {' or '.join(allowed)}", 415)
        try:
            document = json.loads(body)
        except ValueError as error:
            raise Mismatch(f"the body is no JSON: {error}") from None
        self.description.check(document, allowed[kind]["schema"], "")
        return document

    def check_answer(self, status, document):
        responses = self.operation["responses"]
        if str(status) not in responses:
            raise Mismatch(f"{self.name} answers {status}, which is not described")
        content = self.description.resolve(responses[str(status)]).get("content")
        if content is None:
            if document is not None:
                raise Mismatch(f"{self.name} {status} has a body")
            return
        self.description.check(document, content["application/json"]["schema"], "")


def description_type(parameter):
    return parameter["schema"].get("type")
