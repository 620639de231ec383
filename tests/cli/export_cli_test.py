"""`moe-tune export`: what other programs read, and input that has nothing for them."""

import json

from moetune import CliTest, main

KEYS = ["BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "GROUP_SIZE_M", "num_warps", "num_stages"]


def mma(*values):
    return {"engine": "mma", "config": dict(zip(KEYS, values))}


WGMMA = {"engine": "wgmma", "config": {"BLOCK_SIZE_M": 128, "BLOCK_SIZE_N": 256, "num_consumers": 2}}


def best(M, first=mma(16, 64, 128, 1, 4, 3), final=None, impl="three_kernel", median_us=100.0, E=128, N1=1536,
         device="NVIDIA H200"):
    """A best-config file as `tune` writes it."""
    time = {"median_us": median_us, "ci_low_us": median_us - 1, "ci_high_us": median_us + 1, "min_us": median_us,
            "p10_us": median_us, "p90_us": median_us, "n": 20, "stopped_by": "interval"}
    stages = {"gemm1" if impl == "three_kernel" else "gate": first, "final": final or first}
    return {
        "schema": "moe-tune/best-config", "schema_version": "1.0",
        "problem": {"model": "", "M": M, "K": 2048, "N1": N1, "N2": 2048, "E": E, "topk": 8, "dtype": "bf16",
                    "activation": "silu", "bias": "none", "weight_on_input": False, "routing": "uniform"},
        "impl": impl, "stages": stages, "data": {"fill": "random", "seed": 1},
        "timing": {"cache": "cold", "launch": "graph"}, "experts_hit": 8, "time": time,
        "stage_times": {stage: time for stage in stages}, "work": {"flops": 1e9, "bytes": 1e8},
        "roofline_us": 50.0, "ceiling": 1.1, "versus_three_kernel": None,
        "verdict": {"passed": True, "reason": "", "relative_l2": 1e-3, "worst_row": 1e-3, "worst_element": 0.1,
                    "nonfinite": 0, "unwritten": 0, "bitwise_repeatable": True, "exact": False, "rows_checked": M,
                    "rows_total": M, "experts_checked": 8, "experts_hit": 8, "group_ends_checked": True},
        "environment": {
            "tool": {"version": "0.1.0", "git_revision": "0123456789ab", "compiler": "GNU"},
            "created": "2025-01-31T12:00:00Z", "command": ["moe-tune", "tune"],
            "host": {"system": "Linux", "cpu": "A Processor", "hardware_threads": 16, "memory_bytes": 1},
            "device": {"backend": "cuda", "id": "cuda:0", "name": device, "uuid": "GPU-0", "compute_capability": 90,
                       "multiprocessors": 132, "l2_bytes": 1, "memory_bytes": 1, "shared_memory_per_block": 1,
                       "shared_memory_per_multiprocessor": 1, "registers_per_multiprocessor": 1, "driver": "13.0",
                       "compiler": "nvrtc 13.0"},
            "ceilings": {"read_bytes_per_s": 4e12, "matrix_flops_per_s": 8e14}}}


class Engine:
    """The rules by which vLLM and SGLang find a launch config, from their published behaviour."""

    def __init__(self, folder, device):
        self.folder, self.device = folder, device

    def file_name(self, E, N, dtype=None, block_shape=None, suffix=""):
        parts = [f"E={E}", f"N={N}", f"device_name={self.device_name()}"]
        if dtype is not None:
            parts.append(f"dtype={dtype}")
        if block_shape is not None:
            parts.append("block_shape=" + str(list(block_shape)).replace(" ", ""))
        return ",".join(parts) + suffix + ".json"

    def device_name(self):
        words = self.device.split(" ")
        return "NVIDIA_H200" if "H200" in words else "_".join(words)

    def load(self, w2_shape, suffix=""):
        E, _, N = w2_shape
        text = (self.folder / self.file_name(E, N, suffix=suffix)).read_text()
        return {int(M): config for M, config in json.loads(text).items()}

    def config(self, w2_shape, M, suffix=""):
        configs = self.load(w2_shape, suffix)
        nearest = sorted(configs, key=lambda have: (abs(have - M), list(configs).index(have)))[0]
        return self.launch(**configs[nearest])

    @staticmethod
    def launch(*, BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, GROUP_SIZE_M, num_warps, num_stages):
        """As a Triton kernel is launched: a key too many or too few is an error, and tiles are powers of two."""
        for tile in (BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K):
            assert tile >= 16 and tile & (tile - 1) == 0, tile
        return BLOCK_SIZE_M, BLOCK_SIZE_N, BLOCK_SIZE_K, GROUP_SIZE_M, num_warps, num_stages


class SGLang(Engine):
    def device_name(self):
        return self.device.replace(" ", "_")

    def both(self, w2_shape, M):
        up, down = self.config(w2_shape, M), self.config(w2_shape, M, "_down")
        assert up[0] == down[0], "one list of sorted tokens for both GEMMs"
        return up, down


class Export(CliTest):
    def give(self, *bests):
        """Writes them to files, the names of which it returns."""
        names = []
        for i, document in enumerate(bests):
            names.append(f"{i}.json")
            (self.folder / names[-1]).write_text(json.dumps(document, indent=2))
        return names

    def export(self, name, inputs, *args, out="out"):
        stdout, stderr = self.run_tool("export", "--format", name, *inputs, "--out", out, *args)
        return stdout.splitlines(), stderr

    def test_vllm_finds_and_takes_its_files(self):
        small, large = mma(16, 64, 128, 1, 4, 3), mma(128, 256, 64, 16, 8, 4)
        inputs = self.give(best(1, small), best(1024, large, final=small), best(16, small), best(4096, WGMMA),
                           best(16, large, E=8, N1=28672, device="NVIDIA H100 80GB HBM3"))
        written, stderr = self.export("vllm", inputs)
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()),
                         sorted(path.removeprefix("out/") for path in written))
        engine = Engine(self.folder / "out", "NVIDIA H200")
        w2 = (128, 2048, 768)
        self.assertEqual(list(engine.load(w2)), [1, 16, 1024])
        for config in engine.load(w2).values():
            self.assertEqual(list(config), KEYS)
        for M, expected in [(1, small), (16, small), (500, small), (520, small), (521, large), (100000, large)]:
            self.assertEqual(engine.config(w2, M), tuple(expected["config"].values()), M)
        other = Engine(self.folder / "out", "NVIDIA H100 80GB HBM3")
        self.assertEqual(other.config((8, 2048, 14336), 1), tuple(large["config"].values()))
        # The family of the H200 goes by one name.
        self.assertEqual(Engine(self.folder / "out", "NVIDIA H200 NVL").load(w2), engine.load(w2))

        sidecar = json.loads((self.folder / "out/E=128,N=768,device_name=NVIDIA_H200.moe-tune.json").read_text())
        self.assertEqual(sidecar["schema"], "moe-tune/export")
        self.assertEqual([(row["M"], row["exported"]) for row in sidecar["rows"]],
                         [(1, True), (16, True), (1024, True), (4096, False)])
        self.assertIn("wgmma", sidecar["rows"][3]["left_out"])
        self.assertIn("second GEMM", sidecar["rows"][2]["note"])
        self.assertEqual(sidecar["rows"][3]["stages"]["gemm1"], WGMMA)
        self.assertIn("leaves out 1 of 4 rows (M=4096: ", stderr)
        self.assertEqual(len(stderr.splitlines()), 1)

    def test_sglang_has_a_file_for_each_gemm(self):
        up, down = mma(64, 64, 128, 1, 4, 3), mma(64, 128, 64, 16, 8, 4)
        inputs = self.give(best(64, up, down), best(128, up), best(256, up, mma(32, 64, 64, 1, 4, 3)), best(512, up, WGMMA))
        _, stderr = self.export("sglang", inputs)
        engine = SGLang(self.folder / "out", "NVIDIA H200")
        for M in [1, 64, 128, 256, 512, 10000]:
            engine.both((128, 2048, 768), M)
        self.assertEqual(engine.both((128, 2048, 768), 70), tuple(tuple(c["config"].values()) for c in [up, down]))
        self.assertEqual(list(engine.load((128, 2048, 768), "_down")), [64, 128])
        self.assertIn("leaves out 2 of 4 rows", stderr)

    def test_which_implementation(self):
        three, merged = mma(16, 64, 64, 1, 4, 3), mma(32, 64, 64, 1, 4, 3)
        inputs = self.give(best(16, three), best(16, merged, impl="merged", median_us=90.0))
        engine = Engine(self.folder / "out", "NVIDIA H200")
        for args, block_m in [([], 16), (["--impl", "merged"], 32), (["--impl", "three_kernel"], 16)]:
            self.export("vllm", inputs, *args)
            self.assertEqual(engine.config((128, 2048, 768), 16)[0], block_m)
        for args, median in [([], 90.0), (["--impl", "three_kernel"], 100.0)]:
            lines, _ = self.export("gbench", inputs, *args, out="-")
            (benchmark,) = json.loads("\n".join(lines))["benchmarks"]
            self.assertEqual(benchmark["real_time"], median)

    def test_gbench(self):
        inputs = self.give(best(1), best(16, median_us=123.5))
        lines, _ = self.export("gbench", inputs, out="new/bench.json")
        self.assertEqual(lines, ["new/bench.json"])
        document = json.loads((self.folder / "new/bench.json").read_text())
        self.assertEqual(document["context"]["json_schema_version"], 1)
        benchmarks = document["benchmarks"]
        self.assertEqual(len({benchmark["name"] for benchmark in benchmarks}), 2)
        for benchmark in benchmarks:
            self.assertEqual((benchmark["run_type"], benchmark["time_unit"]), ("iteration", "us"))
            self.assertEqual(benchmark["real_time"], benchmark["cpu_time"])
        self.assertEqual(benchmarks[1]["real_time"], 123.5)

    def test_github_action_benchmark(self):
        lines, _ = self.export("github-action-benchmark", self.give(best(1)), out="-")
        (entry,) = json.loads("\n".join(lines))
        self.assertEqual((entry["unit"], entry["value"], entry["range"]), ("us", 100.0, "± 1.000"))
        self.assertTrue(entry["name"].endswith("/M:1"))
        self.assertIn("moe-tune bench", entry["extra"])

    def test_t4_has_every_trial(self):
        document = best(16)
        run = {"kind": "header", "run": "r", "schema": "moe-tune/journal", "schema_version": "1.0",
               "environment": document["environment"]}
        trial = {"kind": "trial", "run": "r", "phase": "screen", "stage": "gemm1", "outcome": "ok", "reason": "", "wall_s": 0.5,
                 **{key: document[key] for key in ["problem", "impl", "stages", "data", "timing", "verdict", "time"]}}
        failed = {**trial, "outcome": "timeout", "reason": "it hangs", "verdict": None, "time": None}
        pipeline = {**trial, "phase": "final", "stage": None}
        # No best config: the run was killed. What it tried is there all the same.
        (self.folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [run, trial, failed, pipeline]))
        written, _ = self.export("t4", ["journal.jsonl"])
        self.assertEqual(len(written), 3)
        documents = {path.split(".three_kernel.")[-1]: json.loads((self.folder / path).read_text()) for path in written}
        first, second = documents["gemm1.t4.json"]["results"]
        self.assertEqual([first["configuration"]["engine"], first["configuration"]["num_warps"]], ["mma", 4])
        self.assertEqual([first["invalidity"], first["correctness"], first["times"]["runtimes"]], ["correct", 1, [0.1]])
        self.assertEqual([second["invalidity"], second["correctness"], second["times"]["runtimes"]], ["timeout", 0, []])
        self.assertIn({"name": "reason", "value": "it hangs", "unit": ""}, second["measurements"])
        (third,) = documents["pipeline.t4.json"]["results"]
        self.assertEqual(third["configuration"]["final.engine"], "mma")
        self.fails("export", "--format", "t4", *self.give(best(16)), "--out", "out", says=["no trial", "journal"])

    def test_header_in_a_folder(self):
        lines, _ = self.export("header", self.give(best(1), best(16, WGMMA)), out="include/")
        self.assertEqual(lines, ["include/moe_tune_configs.h"])
        self.assertIn("kEntries[]", (self.folder / lines[0]).read_text())

    def test_bad_lines_are_named_and_the_rest_exported(self):
        documents = [best(1), best(16)]
        header = {"kind": "header", "run": "r", "schema": "moe-tune/journal", "schema_version": "1.0",
                  "environment": documents[0]["environment"]}
        lines = [json.dumps(header)] + [json.dumps({"kind": "best", "run": "r", **d}) for d in documents]
        (self.folder / "journal.jsonl").write_text(f"{lines[0]}\n{lines[1][:50]}\n{lines[2]}\n")
        written, stderr = self.export("gbench", ["."], out="-")
        self.assertEqual(len(json.loads("\n".join(written))["benchmarks"]), 1)
        self.assertIn("journal.jsonl:2:", stderr)

    def test_check_knows_this_machine(self):
        self.tune("-q")
        stdout, _ = self.run_tool("export", "--check", "out/best", "--device", "cpu")
        lines = stdout.splitlines()
        self.assertEqual([line[:7] for line in lines[:-1]], ["fresh  "] * 2, stdout)
        self.assertEqual(lines[-1], "0 of 2 entries are stale")
        path = next((self.folder / "out/best").glob("*.merged.json"))
        document = json.loads(path.read_text())
        document["environment"]["tool"]["kernels"]["cpu"] = "0" * 16
        path.write_text(json.dumps(document, indent=2))
        stdout, _ = self.run_tool("export", "--check", "out/best", "--device", "cpu", code=1)
        self.assertIn(f"stale  {path.name}: the kernels of cpu changed", stdout)
        self.assertTrue(stdout.endswith("1 of 2 entries are stale\n"), stdout)

    def test_check_of_exported_files(self):
        self.export("vllm", self.give(best(1), best(16)))
        name = "out/E=128,N=768,device_name=NVIDIA_H200.json"
        for source in ["out", name]:
            stdout, _ = self.run_tool("export", "--check", source, "--device", "cpu", code=1)
            self.assertIn(f"stale  {name} M=16: the device was NVIDIA H200 and is ", stdout)
            self.assertTrue(stdout.endswith("2 of 2 entries are stale\n"), stdout)
        (self.folder / "out/E=128,N=768,device_name=NVIDIA_H200.moe-tune.json").unlink()
        stdout, _ = self.run_tool("export", "--check", name, "--device", "cpu", code=1)
        self.assertIn("M=1: nothing is known of where it comes from", stdout)
        self.fails("export", "--check", name, "--out", "x", says=["--out", "--check writes nothing"])
        (self.folder / name).write_text('{"many": {}}')
        self.fails("export", "--check", name, "--device", "cpu", says=["E=128", "'many' is no number of tokens"])
        (self.folder / "empty").mkdir()
        self.fails("export", "--check", "empty", "--device", "cpu", says="empty")

    def test_nothing_to_export(self):
        inputs = self.give(best(16, WGMMA))
        for name in ["vllm", "sglang"]:
            self.fails("export", "--format", name, *inputs, "--out", "out",
                       says=[f"nothing to export as {name}", "M=16", "gemm1", "'wgmma'", "--engine mma"])
        self.fails("export", "--format", "header", *inputs, "--out", "out", "--impl", "merged",
                   says=["no best config of merged", "--impl"])
        self.assertFalse((self.folder / "out").exists(), "something was written")

    def test_bad_input(self):
        inputs = self.give(best(16))
        self.fails("export", *inputs, "--out", "out", says=["which format?", "--format vllm"])
        self.fails("export", "--format", "vllm", *inputs, says="--out")
        self.fails("export", "--formt", "vllm", *inputs, "--out", "out", says=["unknown option '--formt'", "--format"])
        self.fails("export", "--format", "vllm", "--out", "out", says="inputs")
        self.fails("export", "--format", "triton", *inputs, "--out", "out",
                   says=["unknown format 'triton'", "vllm", "header"])
        self.fails("export", "--format", "vllm", *inputs, "--out", "out", "--impl", "fused", says=["fused", "merged"])
        self.fails("export", "--format", "vllm", *inputs, "--out", "-", says=["vllm", "folder"])
        self.fails("export", "--format", "vllm", "missing.json", "--out", "out", says="missing.json")
        inputs += self.give(best(16), best(64, WGMMA))[1:]
        self.fails("export", "--format", "vllm", *inputs, "--out", inputs[0], says=[inputs[0], "not a folder"])
        self.fails("export", "--format", "gbench", *inputs, "--out", f"{inputs[0]}/x.json", says=inputs[0])
        self.assertFalse((self.folder / "out").exists(), "something was written")


if __name__ == "__main__":
    main()
