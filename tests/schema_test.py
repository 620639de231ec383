"""The schemas of what moe-tune writes: what is committed follows them, and what is not right does not."""

import copy
import json
import pathlib
import tempfile
import unittest

from json_schema import Schema, UnknownKeyword

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMAS = {path.stem: Schema(path) for path in (ROOT / "schemas").glob("*.json") if path.stem != "records"}
GOLDEN = ROOT / "tests/golden"


def read(path):
    return json.loads(path.read_text())


def best_files():
    return sorted((ROOT / "results").glob("*/best/*.json"))


class Committed(unittest.TestCase):
    def valid(self, name, document, where):
        self.assertEqual(SCHEMAS[name].errors(document)[:3], [], where)

    def test_journals(self):
        for path in sorted((ROOT / "results").glob("*/journal.jsonl")):
            kinds = set()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                # All headers and bests, and some of the many trials: each is much like the next.
                if number % 20 == 0 or '"kind":"trial"' not in line[:40]:
                    document = json.loads(line)
                    kinds.add(document["kind"])
                    self.valid("journal", document, f"{path}:{number}")
            self.assertLessEqual({"header", "trial", "best"}, kinds, path)

    def test_best_files(self):
        self.assertGreater(len(best_files()), 0)
        for path in best_files()[::4]:
            self.valid("best-config", read(path), path)

    def test_times_of_the_library(self):
        paths = sorted((ROOT / "results").glob("*/library.json"))
        self.assertGreater(len(paths), 0)
        for path in paths:
            self.valid("library", read(path), path)

    def test_golden_files(self):
        self.valid("report", read(GOLDEN / "report.json"), "report.json")
        sidecars = sorted((GOLDEN / "export").glob("*/*.moe-tune.json"))
        self.assertGreater(len(sidecars), 0)
        for path in sidecars:
            self.valid("export", read(path), path)

    def test_search_spaces(self):
        schema = Schema(ROOT / "search_spaces/schema.json")
        for path in sorted((ROOT / "search_spaces").glob("*.json")):
            if path.name != "schema.json":
                self.assertEqual(schema.errors(read(path)), [], path)

    def test_the_documentation_names_every_schema(self):
        text = (ROOT / "results/README.md").read_text()
        for path in (ROOT / "schemas").glob("*.json"):
            self.assertIn(f"`{path.name}`", text)


def places(value, path=()):
    """The path of every value in a document."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, child in children:
        yield from places(child, path + (key,))


def text_of(path):
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def changed(document, path, change):
    """A copy in which `change` was called with the parent and the key of the value at `path`."""
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return document


def get(document, path):
    for key in path:
        document = document[key]
    return document


class WhatIsNotRight(unittest.TestCase):
    """A best-config file holds nearly everything that there is."""

    document = read(next(path for path in best_files() if path.name.endswith(".merged.json")))
    optional = {"burst", "sm_clock_mhz", "slowed_by", "slow_visits", "rounds_us", "load", "routing_draws", "kernels", "choice", "bucket_transfer"}

    def errors(self, path, change):
        return SCHEMAS["best-config"].errors(changed(self.document, path, change))

    def test_another_type_anywhere(self):
        for path in places(self.document):
            if not path:
                continue
            with self.subTest(path=path):
                def put_another_type(parent, key):
                    parent[key] = 7 if isinstance(parent[key], dict) else {}
                self.assertTrue(self.errors(path, put_another_type))

    def test_ranks_of_expert_parallelism(self):
        document = copy.deepcopy(self.document)
        document["problem"].update(ep_ranks=8, ep_rank=7)
        document.update(local_slots=31.5, local_tokens=14.25)
        self.assertEqual(SCHEMAS["best-config"].errors(document), [])
        for place, key, value in [("problem", "ep_ranks", 1), ("problem", "ep_ranks", "8"), ("problem", "ep_rank", -1)]:
            with self.subTest(key=key, value=value):
                self.assertTrue(SCHEMAS["best-config"].errors(changed(document, (place, key), lambda parent, name: parent.update({name: value}))))
        document["local_slots"] = -1
        self.assertTrue(SCHEMAS["best-config"].errors(document))

    def test_bucket_transfer(self):
        document = copy.deepcopy(self.document)
        sound = [{"M": 24, "regret": 0.008, "ci_low": -0.002, "ci_high": 0.016, "served": True},
                 {"M": 96, "regret": None, "reason": "invalid: too large", "served": False}]
        line = {"kind": "transfer", "run": "r", "problem": document["problem"],
                "transfers": [{"impl": "merged", "tuned_M": each["M"], **{key: value for key, value in each.items()
                                                                         if key not in ("M", "served")}} for each in sound]}
        for schema, whole, entries in [("best-config", document, "bucket_transfer"), ("journal", line, "transfers")]:
            if entries == "bucket_transfer":
                whole[entries] = sound
            self.assertEqual(SCHEMAS[schema].errors(whole), [])
            for index, key, value in [(0, "regret", "much"), (0, "regret", -1), (0, "regret", None), (1, "reason", ""),
                                      (1, "regret", 0.5), (1, "ci_low", 0), (0, "unheard_of", 1)]:
                with self.subTest(schema=schema, index=index, key=key, value=value):
                    self.assertTrue(SCHEMAS[schema].errors(changed(whole, (entries, index, key), lambda parent, name: parent.update({name: value}))))
            for index, entry in enumerate(whole[entries]):
                for key in entry:
                    with self.subTest(schema=schema, index=index, missing=key):
                        self.assertTrue(SCHEMAS[schema].errors(changed(whole, (entries, index, key), lambda parent, name: parent.pop(name))))

    def test_a_missing_key_anywhere(self):
        free = {("stage_times",), ("stages",), ("environment", "tool", "kernels")}
        for path in places(self.document):
            is_free = path[:-1] in free or "stages" in path[-2:-1] or "config" in path[-2:-1]
            if not path or isinstance(path[-1], int) or is_free or path[-1] in self.optional:
                continue
            with self.subTest(path=path):
                errors = self.errors(path, lambda parent, key: parent.pop(key))
                self.assertIn(f"{text_of(path)}: missing", errors)

    def test_an_unknown_key_anywhere(self):
        for path in places(self.document):
            if not isinstance(get(self.document, path), dict):
                continue
            with self.subTest(path=path):
                self.assertTrue(self.errors(path + ("unheard_of",), lambda parent, key: parent.update({key: {}})))

    def test_values_out_of_range(self):
        for path, value in [(("schema",), "moe-tune/journal"), (("schema_version",), "2.0"), (("impl",), "fused"),
                            (("problem", "M"), 0), (("problem", "K"), 2047), (("problem", "dtype"), "fp8"),
                            (("problem", "routing"), "zipf"), (("time", "median_us"), 0), (("time", "n"), 1.5),
                            (("verdict", "nonfinite"), -1), (("environment", "created"), "yesterday"),
                            (("verdict", "worst_row"), "much")]:
            with self.subTest(path=path):
                errors = self.errors(path, lambda parent, key, value=value: parent.update({key: value}))
                self.assertEqual(len(errors), 1, errors)
                self.assertTrue(errors[0].startswith(f"$.{'.'.join(path)}: "), errors)

    def test_what_is_not_finite_has_its_words(self):
        self.assertEqual(self.errors(("verdict", "worst_row"), lambda parent, key: parent.update({key: "nan"})), [])

    def test_a_line_of_a_journal_is_of_one_kind(self):
        schema = SCHEMAS["journal"]
        record = {key: value for key, value in self.document.items()
                  if key not in ("schema", "schema_version", "environment")}
        self.assertEqual(schema.errors({"kind": "best", "run": "r", **record}), [])
        self.assertTrue(schema.errors({"kind": "trial", "run": "r", **record}))
        self.assertTrue(schema.errors({"kind": "note", "run": "r", **record}))
        self.assertTrue(schema.errors({"kind": "best", **record}))


class TheValidatorItself(unittest.TestCase):
    def errors(self, schema, value):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "schema.json"
            path.write_text(json.dumps(schema))
            return Schema(path).errors(value)

    def test_numbers_and_booleans_differ(self):
        self.assertTrue(self.errors({"type": "integer"}, True))
        self.assertTrue(self.errors({"const": 1}, True))
        self.assertEqual(self.errors({"type": "integer"}, 3.0), [])
        self.assertTrue(self.errors({"type": "number"}, "3"))

    def test_members_that_a_failed_alternative_saw_stay_unknown(self):
        schema = {"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]},
                            {"properties": {"b": {"type": "string"}}, "required": ["b"]}],
                  "unevaluatedProperties": False}
        self.assertEqual(self.errors(schema, {"a": "x"}), [])
        self.assertTrue(self.errors(schema, {"a": 1, "b": "x"}))

    def test_more_than_one_of_one(self):
        schema = {"oneOf": [{"type": "integer"}, {"minimum": 3}]}
        self.assertEqual(self.errors(schema, 2), [])
        self.assertTrue(self.errors(schema, 4))

    def test_a_keyword_that_is_not_known(self):
        with self.assertRaisesRegex(UnknownKeyword, "maxLenght"):
            self.errors({"maxLenght": 3}, "abcd")


if __name__ == "__main__":
    unittest.main()
