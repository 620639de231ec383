"""`moe-tune prebuild`. On the CPU there is nothing to compile, but configs are chosen as anywhere."""

from moetune import SMALL_LINE, CliTest, main


SIZES = ["--K", "64", "--N1", "64", "--E", "4", "--topk", "2", "--device", "cpu"]


class Prebuild(CliTest):
    def test_says_what_it_chose(self):
        stdout, _ = self.run_tool("prebuild", *SIZES, "--M", "4,64")
        first, *ranges = stdout.splitlines()
        self.assertRegex(first, r"^M=64,K=64,.* merged: 0 kernels, 0 compiled in ")
        self.assertRegex(ranges[0], r"^  M 1\.\.\.\d+  merged gate\[cpu .* final\[cpu .*\(a guess: nothing was tuned")
        self.assertRegex(ranges[-1], r"\.\.\.64  ")

    def test_takes_tuned_configs(self):
        self.run_tool("tune", *SIZES, "--M", "4", "--budget", "4evals", "--out", "out")
        stdout, _ = self.run_tool("prebuild", *SIZES, "--M", "4", "--impl", "merged,three_kernel", "--configs", "out")
        self.assertEqual(stdout.count("tuned at M=4: "), 2, stdout)

    def test_a_model_is_planned_for_what_servers_ask(self):
        stdout, _ = self.run_tool("prebuild", "--model", "qwen3-30b-a3b", "--device", "cpu")
        self.assertIn("M=16384,", stdout)

    def test_bad_input(self):
        self.fails("prebuild", says=["which problem?"])
        self.fails("prebuild", "--problem", SMALL_LINE, "--device", "cpu", "--configs", "nowhere", says=["'nowhere' cannot be read"])
        self.fails("prebuild", "--problem", SMALL_LINE, "--device", "cpu", "--impl", "merged_single", says=["give merged"])


if __name__ == "__main__":
    main()
