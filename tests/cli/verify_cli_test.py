"""`moe-tune verify`."""

from moetune import SMALL, SMALL_LINE, CliTest, main


class Verify(CliTest):
    def test_corner_shapes_pass_on_the_cpu(self):
        stdout, _ = self.run_tool("verify", "--device", "cpu", "-q", timeout=250)
        count, total = stdout.split()[0], stdout.split()[2]
        self.assertEqual(count, total)
        self.assertGreater(int(total), 150)
        self.assertEqual(len(stdout.splitlines()), 1, "quiet: only what fails, and the count")

    def test_table_for_a_given_problem(self):
        stdout, _ = self.run_tool("verify", *SMALL, "--samples", "2")
        self.assertIn("exact_integer", stdout)
        self.assertIn("4/4", stdout)  # all rows checked
        self.assertIn("bitwise", stdout)
        self.assertRegex(stdout, r"(\d+) of \1 checks passed")
        self.assertEqual(stdout.count("\n  ok"), 2 * 2 * 3)  # fills, implementations, the default and two samples

    def test_ranks_of_expert_parallelism(self):
        lines = [f"{SMALL_LINE},ep_ranks=2,ep_rank={rank}" for rank in (0, 1)]
        lines += ["M=9,K=64,N1=64,N2=64,E=4,topk=1,routing=one,ep_ranks=8,ep_rank=7"]  # no token chose it
        stdout, _ = self.run_tool("verify", "--device", "cpu", *(word for line in lines for word in ("--problem", line)))
        self.assertRegex(stdout, r"(\d+) of \1 checks passed")
        self.fails("verify", "--device", "cpu", "--problem", f"{SMALL_LINE},ep_ranks=2,ep_rank=2", says=["ep_rank = 2", "0 to 1"])
        self.fails("verify", "--device", "cpu", "--model", "mixtral-8x7b", "--ep-rank", "1", says=["--ep-rank", "--ep 8"])

    def test_best_config_files(self):
        self.tune("-q")
        stdout, _ = self.run_tool("verify", *(self.folder / "out/best").iterdir(), "--device", "cpu", "--fill", "random")
        self.assertIn("2 of 2 checks passed", stdout)

    def test_random_problems_pass_on_the_cpu(self):
        stdout, _ = self.run_tool("verify", "--device", "cpu", "--random", "200", "-q", timeout=250)
        self.assertRegex(stdout, r"\A200 of 200 random problems passed on .+ \(cpu\), seed 1\n\Z")

    def test_a_failures_command_repeats_one_check(self):
        config = "BLOCK_SIZE_M=16,BLOCK_SIZE_N=16,BLOCK_SIZE_K=128,num_threads=1,stream_rows=4"
        stdout, _ = self.run_tool("verify", "--device", "cpu", "--problem", SMALL_LINE, "--impl", "merged",
                                  "--config", f"gate=cpu:{config}", "--config", f"final=cpu:{config}",
                                  "--seed", "12345", "--fill", "exact_integer")
        self.assertIn("1 of 1 checks passed", stdout)

    def test_bad_input(self):
        self.fails("verify", "--random", "0", says="--random must be 1 or more")
        self.fails("verify", "--random", "5", "--samples", "1", says=["--random", "leave out"])
        for what in (["--problem", SMALL_LINE], ["--dtype", "fp16"], ["--weight-on-input"], ["best.json"]):
            self.fails("verify", "--random", "5", *what, says=["--random", "leave out"])
        self.fails("verify", "--samples", "-1", says="--samples")
        self.fails("verify", "--fill", "zeros", says=["zeros", "exact_integer"])
        self.fails("verify", "--seed", "-1", says="--seed")


if __name__ == "__main__":
    main()
