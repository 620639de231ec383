"""The integration guide of README.md, line by line: its commands on a small model of the CPU engine, its Python with engines
of the same names, its C++ compiled and run."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["MOETUNE_BUILD"])
sys.path.insert(0, str(ROOT / "src/library/python"))

try:
    import numpy as np
except ImportError:
    np = None

PROGRAM = """
#include <cstdio>
#include <vector>
%(includes)s
int main() {
%(plan)s
  const std::int64_t M = 3;
  const std::vector<moe::Half> x(M * 2048), w1(problem.E * 1536 * 2048), w2(problem.E * 2048 * 768);
  const std::vector<float> topk_weights(M * 8);
  std::vector<std::int32_t> ids(M * 8);
  for (std::size_t i = 0; i < ids.size(); i++) ids[i] = i %% 8;
  std::vector<moe::Half> result(M * 2048, 1);
  std::vector<std::byte> memory(plan.workspace_size(M));
  const std::span<const moe::Half> hidden_states(x);
  const std::span<const std::int32_t> topk_ids(ids);
  const std::span<moe::Half> out(result);
  const std::span<std::byte> workspace(memory);
  void* const stream = nullptr;
%(call)s
  for (const moe::Half value : result)
    if (value != 0) return 1;
  std::puts("zeros");
}
"""


def blocks(language):
    guide = (ROOT / "README.md").read_text().split("## In an inference engine\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, re.M | re.S)


class Shell(unittest.TestCase):
    def test_commands(self):
        tune, prebuild = blocks("sh")[0].splitlines()
        with tempfile.TemporaryDirectory(prefix="moe-tune-test-") as folder:
            environment = {**os.environ, "MOETUNE_CACHE_DIR": f"{folder}/cache"}
            # What the guide says, but a model that a test has time for.
            for line in (tune, prebuild):
                words = shlex.split(line)
                self.assertEqual(words[0], "build/moe-tune")
                words[words.index("--model"):words.index("--tp") + 2] = [
                    "--K", "64", "--N1", "64", "--E", "4", "--topk", "2", "--device", "cpu"]
                if "tune" == words[1]:
                    words[words.index("--M") + 1] = "pow2:0:1"
                    words += ["--budget", "4evals"]
                else:
                    words += ["--M", "4"]
                done = subprocess.run([BUILD / "moe-tune", *words[1:]], cwd=folder, env=environment, capture_output=True,
                                      text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("tuned at M=", done.stdout)

    def test_environment(self):
        names = re.findall(r"^export (\w+)=", blocks("sh")[1], re.M)
        self.assertEqual(names, ["PYTHONPATH", "MOETUNE_LIBRARY", "MOETUNE_CONFIGS"])
        self.assertTrue((ROOT / "src/library/python/merged_moe_kernel/__init__.py").exists())


@unittest.skipIf(np is None, "no NumPy here")
class Python(unittest.TestCase):
    def inputs(self):
        return (np.zeros((3, 8), np.uint16), np.zeros((2, 16, 8), np.uint16), np.zeros((2, 8, 8), np.uint16),
                np.ones((3, 1), np.float32), np.zeros((3, 1), np.int32))

    def test_engines(self):
        for block in blocks("python")[:2]:
            path = re.match(r"from ([\w.]+) import fused_moe$", block, re.M).group(1)
            parts = path.split(".")
            for i in range(len(parts)):
                sys.modules[".".join(parts[:i + 1])] = types.ModuleType(parts[i])
            engine = types.ModuleType("fused_moe")
            engine.fused_experts_impl = lambda hidden_states, w1, w2, topk_weights, topk_ids, activation="silu": "theirs"
            sys.modules[path].fused_moe = engine
            exec(block, {})
            self.assertEqual(engine.fused_experts_impl(*self.inputs()).shape, (3, 8))
            self.assertEqual(engine.fused_experts_impl(*self.inputs(), "relu"), "theirs")

    def test_condition(self):
        names = {}
        exec(blocks("python")[2], names)
        self.assertEqual(names["experts"](*self.inputs()).shape, (3, 8))


class Cpp(unittest.TestCase):
    def test_program(self):
        compiler = shutil.which("c++")
        (block,) = blocks("cpp")
        include, _, rest = block.partition("\n\n")
        plan, _, call = rest.partition("// hidden_states")
        program = PROGRAM % {"includes": include,
                             "plan": plan.replace('"cuda:0", "tuned"', '"cpu"').replace("problem.E = 128", "problem.E = 8"),
                             "call": "// " + call}
        self.assertIn('"cpu"', program)
        with tempfile.TemporaryDirectory(prefix="moe-tune-test-") as folder:
            (pathlib.Path(folder) / "guide.cpp").write_text(program)
            subprocess.run([compiler, "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/src/library/include",
                            "guide.cpp", f"-L{BUILD}", "-lmoetune", f"-Wl,-rpath,{BUILD}", "-o", "guide"],
                           cwd=folder, check=True)
            done = subprocess.run([f"{folder}/guide"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "zeros\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
