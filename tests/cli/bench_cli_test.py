"""`moe-tune bench`: Google Benchmark's output and options over verified pipelines."""

import json

from moetune import SMALL, CliTest, main


class Bench(CliTest):
    def bench(self, *args, **kwargs):
        stdout, _ = self.run_tool("bench", *args, "--benchmark_format=json", "--benchmark_min_time=0.001", "-q", **kwargs)
        return json.loads(stdout)

    def test_both_implementations_by_default(self):
        output = self.bench(*SMALL)
        names = [each["name"] for each in output["benchmarks"]]
        self.assertEqual(len(names), 2)
        self.assertTrue(any("/merged/" in name for name in names) and any("/three_kernel/" in name for name in names))
        for each in output["benchmarks"]:
            self.assertGreater(each["real_time"], 0)
            self.assertGreater(each["FLOP/s"], 0)
            self.assertGreater(each["of_roofline"], 0)
        self.assertIn("device", output["context"])

    def test_stages(self):
        names = " ".join(each["name"] for each in self.bench(*SMALL, "--stages", "--cache", "warm")["benchmarks"])
        for stage in ["route", "gemm1", "activate", "gate", "final", "combine"]:
            self.assertIn(f"/{stage}/", names)

    def test_best_config_files(self):
        self.tune("-q")
        files = sorted((self.folder / "out/best").iterdir())
        self.assertEqual(len(self.bench(*files, "--device", "cpu")["benchmarks"]), 2)
        self.assertEqual(len(self.bench(*files, "--device", "cpu", "--impl", "merged")["benchmarks"]), 1)

    def test_a_journal_gets_what_was_timed(self):
        for _ in range(2):  # appended
            self.bench(*SMALL, "--stages", "--cache", "warm", "--journal", "j.jsonl", "--benchmark_filter=M:4/merged")
        lines = self.documents("j.jsonl")
        self.assertEqual([line["kind"] for line in lines], ["header", "best"] * 2)
        best = lines[1]
        self.assertEqual((best["impl"], best["verdict"]["passed"], best["time"]["stopped_by"]), ("merged", True, "benchmark"))
        self.assertEqual(sorted(best["stage_times"]), ["combine", "final", "gate", "route"])
        self.assertGreater(best["time"]["n"], 0)
        self.assertLessEqual(best["time"]["ci_low_us"], best["time"]["median_us"])
        stdout, _ = self.run_tool("report", "j.jsonl")
        self.assertIn("merged", stdout)
        self.fails("bench", *SMALL, "--journal", "j.jsonl/below", says="j.jsonl")

    def test_replays_are_a_visit_of_each_draw(self):
        stdout, _ = self.run_tool("bench", *SMALL, "-q", "--load", "replays", "--cache", "warm", "--routing-draws", "2",
                                  "--stages", "--journal", "j.jsonl", "--benchmark_filter=M:4/merged",
                                  "--benchmark_format=json")
        self.assertEqual(json.loads(stdout)["context"]["load"], "replays")
        best = self.documents("j.jsonl")[1]
        self.assertEqual(best["timing"]["load"], "replays")
        self.assertIn("--load replays", best["repro"])
        for time in best["time"], *best["stage_times"].values():
            self.assertTrue(2 * 10 <= time["n"] <= 2 * 200 and time["n"] % 2 == 0, time)

    def test_options_of_google_benchmark_pass_through(self):
        output = self.bench(*SMALL, "--benchmark_repetitions=3", "--benchmark_filter=merged")
        self.assertIn("median", {each.get("aggregate_name") for each in output["benchmarks"]})
        self.run_tool("bench", *SMALL, "-q", "--benchmark_min_time=0.001", "--benchmark_out=b.json")
        self.assertEqual(len(json.loads((self.folder / "b.json").read_text())["benchmarks"]), 2)
        self.fails("bench", *SMALL, "--benchmark_nope", says="--benchmark_nope")
        self.fails("bench", *SMALL, "--nope", says="--nope")

    def test_the_least_time_has_a_unit_or_none(self):
        for seconds in ["0.001", "0.001s", "1e-3s", "0"]:
            self.run_tool("bench", *SMALL, "-q", "--impl", "merged", f"--benchmark_min_time={seconds}",
                          "--benchmark_format=json")
        # At once: there is no such device, so nothing can have been built.
        for bad in ["=", "=s", "=fast", "=0.6sec", "=0.6 s", "=-1s", "=inf", "=nan", "=1e999", "=x", "=0x", "=1.5x", ""]:
            line = self.fails("bench", *SMALL[:-2], "--device", "cuda:99", f"--benchmark_min_time{bad}",
                              says="--benchmark_min_time" + bad)
            self.assertIn("0.6s", line)
        self.fails("bench", *SMALL[:-2], "--device", "cuda:99", "--benchmark_nope", says="--benchmark_nope")

    def test_configs_that_cannot_run_are_refused(self):
        line = self.fails("bench", *SMALL, "--impl", "merged", "--config", "gate=mma:BLOCK_SIZE_M=64,BLOCK_SIZE_N=64,"
                          "BLOCK_SIZE_K=32,GROUP_SIZE_M=8,num_warps=4,num_stages=2", says="mma")
        self.assertIn("does not run on", line)


if __name__ == "__main__":
    main()
