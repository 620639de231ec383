"""Runs the moe-tune binary for the tests in this folder."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from json_schema import Schema

SCHEMAS = {path.stem: Schema(path) for path in (TESTS.parent / "schemas").glob("*.json")}
BINARY = os.environ.get("MOETUNE", "moe-tune")

# A problem that takes milliseconds on any machine.
SMALL = ["--M", "4", "--K", "64", "--N1", "64", "--E", "4", "--topk", "2", "--device", "cpu"]
SMALL_LINE = "M=4,K=64,N1=64,N2=64,E=4,topk=2"


class CliTest(unittest.TestCase):
    """A folder of its own for each test, with the cache inside it."""

    @classmethod
    def setUpClass(cls):
        # Ceilings take a second to measure: once for each test file.
        cls.shared = tempfile.mkdtemp(prefix="moe-tune-test-")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared, ignore_errors=True)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="moe-tune-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def environment(self, **extra):
        env = {**os.environ, "MOETUNE_CACHE_DIR": self.shared, "LC_ALL": "C.UTF-8", **extra}
        env.pop("NO_COLOR", None)
        return env

    def start(self, *args, **extra):
        return subprocess.Popen(
            [BINARY, *map(str, args)], cwd=self.folder, env=self.environment(**extra), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_tool(self, *args, code=0, stdin=None, timeout=120, **extra):
        """Runs to the end, checks the exit code, and returns (stdout, stderr)."""
        done = subprocess.run(
            [BINARY, *map(str, args)], cwd=self.folder, env=self.environment(**extra), text=True, input=stdin,
            capture_output=True, timeout=timeout)
        self.assertEqual(done.returncode, code, f"{args}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done.stdout, done.stderr

    def fails(self, *args, says, code=2, **extra):
        """Fails with one line on stderr that contains all of `says`."""
        stdout, stderr = self.run_tool(*args, code=code, **extra)
        lines = [line for line in stderr.splitlines() if line.startswith("moe-tune: ")]
        self.assertEqual(len(lines), 1, stderr)
        self.assertTrue(stderr.splitlines()[-1].startswith("moe-tune: "), stderr)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, lines[0])
        self.assertNotIn("internal error", lines[0])
        return lines[0]

    def documents(self, path):
        """What a file holds, one JSON document or one a line, each of which follows its schema."""
        text = (self.folder / path).read_text()
        documents = [json.loads(text)] if text.startswith("{\n") else [json.loads(line) for line in text.splitlines()]
        name = documents[0]["schema"].removeprefix("moe-tune/")
        for number, document in enumerate(documents, 1):
            self.assertEqual(SCHEMAS[name].errors(document), [], f"{path}, document {number}")
        return documents

    def tune(self, *args, **kwargs):
        """A short tuning run into self.folder/out."""
        return self.run_tool("tune", *SMALL, "--budget", "2s", "--out", "out", *args, **kwargs)


def main():
    unittest.main(verbosity=2)
