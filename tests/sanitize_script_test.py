"""scripts/sanitize, with a moe-tune and a compute-sanitizer that do as they are told."""

import os
import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "scripts/sanitize"
TOOLS = ["memcheck", "racecheck", "synccheck", "initcheck"]

# Writes down how it was called. $HOPPER: whether the GPU is one; $PLAIN: the exit code.
MOETUNE = """#!/bin/sh
echo "$*" >>calls
case $HOPPER$* in
  no*wgmma*) echo "moe-tune: stage gate: engine wgmma does not run on A100" >&2; exit 2 ;;
esac
[ "${PLAIN:-0}" = 0 ] || echo "moe-tune: the reason" >&2
exit "${PLAIN:-0}"
"""

# Runs the program as the real one does. $FINDS and $HANGS name a tool.
SANITIZER = """#!/bin/sh
tool=$2
shift 4
"$@" || exit $?
if [ "$tool" = "$HANGS" ]; then sleep 30; fi
if [ "$tool" = "$FINDS" ]; then echo "========= ERROR SUMMARY: 7 errors"; exit 99; fi
echo "========= ERROR SUMMARY: 0 errors"
"""


class Sanitize(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="moe-tune-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.put("moe-tune", MOETUNE)
        self.put("bin/compute-sanitizer", SANITIZER)

    def put(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def sanitize(self, *args, code=0, **env):
        done = subprocess.run(
            [SCRIPT, "--out", "logs", *args], cwd=self.folder, text=True, capture_output=True, timeout=60,
            env={**os.environ, "MOETUNE": str(self.folder / "moe-tune"),
                 "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", **env})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout.splitlines(), done.stderr

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def test_a_line_and_a_log_for_each_tool(self):
        lines, _ = self.sanitize()
        self.assertEqual([line.split()[:2] for line in lines], [[tool, "clean"] for tool in TOOLS])
        for tool in TOOLS:
            self.assertIn("0 errors", (self.folder / f"logs/{tool}.log").read_text())
        # The matrix, once plain and once under each tool.
        matrix = self.calls()
        self.assertEqual(len(matrix), 5 * len(set(matrix)))
        self.assertTrue(all(call.startswith("verify --device cuda:0") for call in matrix))
        self.assertTrue(any("--config" not in call for call in matrix), "every engine at its first guess")
        for part in ["wgmma:", "wgmma_swap_ab:", "CLUSTER_SIZE_M=2", "bias=both", "dynamic=1", "final=wgmma_swap_ab", "mlp=",
                     "fuse_combine=1", "fuse_combine=2"]:
            self.assertTrue(any(part in call for call in matrix), part)

    def test_other_gpus_run_what_they_can(self):
        self.sanitize(HOPPER="no")
        under_tools = self.calls()[7:]
        self.assertEqual(len(under_tools), len(TOOLS))
        self.assertFalse(any("wgmma" in call for call in under_tools))

    def test_what_is_found_fails_and_the_others_still_run(self):
        lines, _ = self.sanitize(code=1, FINDS="racecheck")
        self.assertEqual([line.split()[1] for line in lines], ["clean", "FOUND", "clean", "clean"])
        self.assertIn("ERROR SUMMARY: 7 errors", lines[1])

    def test_a_tool_that_does_not_end_is_not_clean(self):
        lines, _ = self.sanitize("--limit", "5", code=1, HANGS="memcheck")
        self.assertIn("NOT DONE after 5 s", lines[0])
        self.assertEqual([line.split()[1] for line in lines[1:]], ["clean"] * 3)

    def test_without_a_gpu_it_is_skipped(self):
        lines, stderr = self.sanitize(code=77, PLAIN="77")
        self.assertEqual(lines, [])
        self.assertIn("there is no GPU cuda:0: moe-tune: the reason", stderr)

    def test_wrong_results_come_first(self):
        lines, stderr = self.sanitize(code=1, PLAIN="3")
        self.assertEqual(lines, [])
        self.assertIn("fails without a sanitizer already", stderr)

    def test_without_compute_sanitizer_it_says_how_to_get_it(self):
        (self.folder / "bin/compute-sanitizer").unlink()
        for folder in os.environ["PATH"].split(":") + ["/usr/local/cuda/bin", "/opt/cuda/bin"]:
            if os.path.exists(f"{folder}/compute-sanitizer"):
                self.skipTest(f"there is one in {folder}")
        _, stderr = self.sanitize(code=2, CUDA_HOME="", CUDA_PATH="")
        self.assertIn("apt-get install cuda-sanitizer", stderr)
        # That of a toolkit will do.
        self.put("toolkit/bin/compute-sanitizer", SANITIZER)
        self.sanitize(CUDA_HOME=str(self.folder / "toolkit"))

    def test_bad_usage(self):
        for args in (["--limit", "soon"], ["--limit"], ["--device", "cpu"], ["--fast"]):
            _, stderr = self.sanitize(*args, code=2)
            self.assertIn("usage: scripts/sanitize", stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
