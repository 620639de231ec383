"""Checks documents against the part of JSON Schema, draft 2020-12, that the schemas of this project use.

A keyword that is not known here is an error in the schema, so that none can be passed over.
"""

import json
import pathlib
import re

ANNOTATIONS = {"$schema", "$defs", "title", "description"}


class UnknownKeyword(Exception):
    """The schema says something that this validator does not understand."""


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": is_number,
    "integer": lambda value: is_number(value) and value == int(value),
}


def same(a, b):
    return a == b and isinstance(a, bool) == isinstance(b, bool)


class Errors(list):
    """What is wrong, each with its place, and which members of an object some schema has spoken of."""

    def __init__(self):
        super().__init__()
        self.evaluated = set()

    def take(self, other):
        self.extend(other)
        self.evaluated |= other.evaluated


class Schema:
    """The schema of one file, with all that it refers to in the same folder."""

    def __init__(self, path):
        self.folder = pathlib.Path(path).parent
        self.documents = {}
        self.name = pathlib.Path(path).name

    def errors(self, value):
        """A list of "place: what is wrong"; empty where `value` is valid."""
        return list(self._check(self.name, self._document(self.name), value, "$"))

    def _document(self, name):
        if name not in self.documents:
            self.documents[name] = json.loads((self.folder / name).read_text())
        return self.documents[name]

    def _check(self, file, schema, value, place):
        found = Errors()
        if isinstance(schema, bool):
            if not schema:
                found.append(f"{place}: nothing is allowed here")
            return found
        for keyword, argument in schema.items():
            if keyword in ANNOTATIONS or keyword == "unevaluatedProperties":
                continue
            check = getattr(self, "_" + keyword.removeprefix("$"), None)
            if check is None:
                raise UnknownKeyword(f"{file}: {keyword}")
            check(file, schema, argument, value, place, found)
        if "unevaluatedProperties" in schema and isinstance(value, dict):  # last: it asks what all others saw
            self._rest(file, schema["unevaluatedProperties"], value, place, found, found.evaluated)
        return found

    def _rest(self, file, schema, value, place, found, known):
        for key in [key for key in value if key not in known]:
            if schema is False:
                found.append(f"{place}.{key}: unknown key")
            else:
                found.extend(self._check(file, schema, value[key], f"{place}.{key}"))
            found.evaluated.add(key)

    # Each with the arguments (file, schema, argument, value, place, found).

    def _ref(self, file, _, reference, value, place, found):
        name, _, pointer = reference.partition("#")
        file = name or file
        target = self._document(file)
        for part in pointer.split("/")[1:]:
            target = target[part]
        found.take(self._check(file, target, value, place))

    def _type(self, _file, _schema, name, value, place, found):
        if not TYPES[name](value):
            found.append(f"{place}: {json.dumps(value)[:40]} is no {name}")

    def _const(self, _file, _schema, expected, value, place, found):
        if not same(value, expected):
            found.append(f"{place}: {json.dumps(value)[:40]} is not {json.dumps(expected)}")

    def _enum(self, _file, _schema, values, value, place, found):
        if not any(same(value, each) for each in values):
            found.append(f"{place}: {json.dumps(value)[:40]} is none of {json.dumps(values)}")

    def _required(self, _file, _schema, keys, value, place, found):
        if isinstance(value, dict):
            found.extend(f"{place}.{key}: missing" for key in keys if key not in value)

    def _properties(self, file, _, properties, value, place, found):
        if isinstance(value, dict):
            for key in properties.keys() & value.keys():
                found.extend(self._check(file, properties[key], value[key], f"{place}.{key}"))
                found.evaluated.add(key)

    def _additionalProperties(self, file, schema, rest, value, place, found):
        if isinstance(value, dict):
            self._rest(file, rest, value, place, found, schema.get("properties", {}).keys())

    def _propertyNames(self, file, _, names, value, place, found):
        if isinstance(value, dict):
            for key in value:
                found.extend(self._check(file, names, key, f"{place}.{key} (the name)"))

    def _minProperties(self, _file, _schema, least, value, place, found):
        if isinstance(value, dict) and len(value) < least:
            found.append(f"{place}: fewer than {least} members")

    def _items(self, file, _, items, value, place, found):
        if isinstance(value, list):
            for i, each in enumerate(value):
                found.extend(self._check(file, items, each, f"{place}[{i}]"))

    def _minItems(self, _file, _schema, least, value, place, found):
        if isinstance(value, list) and len(value) < least:
            found.append(f"{place}: fewer than {least} elements")

    def _uniqueItems(self, _file, _schema, unique, value, place, found):
        if unique and isinstance(value, list) and any(same(a, b) for i, a in enumerate(value) for b in value[:i]):
            found.append(f"{place}: an element stands there twice")

    def _minimum(self, _file, _schema, least, value, place, found):
        if is_number(value) and not value >= least:
            found.append(f"{place}: {value} is below {least}")

    def _exclusiveMinimum(self, _file, _schema, bound, value, place, found):
        if is_number(value) and not value > bound:
            found.append(f"{place}: {value} is not above {bound}")

    def _maximum(self, _file, _schema, most, value, place, found):
        if is_number(value) and not value <= most:
            found.append(f"{place}: {value} is above {most}")

    def _multipleOf(self, _file, _schema, step, value, place, found):
        if is_number(value) and value % step != 0:
            found.append(f"{place}: {value} is no multiple of {step}")

    def _minLength(self, _file, _schema, least, value, place, found):
        if isinstance(value, str) and len(value) < least:
            found.append(f"{place}: shorter than {least}")

    def _pattern(self, _file, _schema, pattern, value, place, found):
        if isinstance(value, str) and not re.search(pattern, value):
            found.append(f"{place}: {json.dumps(value)[:40]} does not match {pattern}")

    def _alternatives(self, file, schemas, value, place, found):
        """How many are valid; where none is, what is wrong with the one that comes closest: it fails further inside."""
        def distance(result):
            return any(error.startswith(f"{place}: ") for error in result), len(result)

        results = [self._check(file, schema, value, place) for schema in schemas]
        valid = [result for result in results if not result]
        for result in valid or [min(results, key=distance)]:
            found.take(result)
        return len(valid)

    def _anyOf(self, file, _, schemas, value, place, found):
        self._alternatives(file, schemas, value, place, found)

    def _oneOf(self, file, _, schemas, value, place, found):
        if self._alternatives(file, schemas, value, place, found) > 1:
            found.append(f"{place}: is of more than one kind")
