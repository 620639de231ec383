"""`moe-tune list`, `--help` and `--version`."""

import re

from moetune import SMALL, CliTest, main


class List(CliTest):
    def test_topics(self):
        models, _ = self.run_tool("list", "models")
        for model in ["qwen3-30b-a3b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b"]:
            self.assertIn(model, models)
        self.assertIn("unverified", models)
        engines, _ = self.run_tool("list", "engines")
        for engine in ["wgmma", "wgmma_swap_ab", "mma", "cpu"]:
            self.assertRegex(engines, rf"(?m)^  {engine} ")
        for key in ["BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K", "GROUP_SIZE_M", "num_warps", "num_stages",
                    "num_consumers", "CLUSTER_SIZE_M", "blocks_per_sm", "evict_first", "dynamic",
                    "fuse_combine", "permute_tokens", "SPLIT_K"]:
            self.assertIn(key, engines)
        spaces, _ = self.run_tool("list", "spaces")
        for preset in ["default", "a100_h100", "v100"]:
            self.assertIn(preset, spaces)
        self.assertIn("halving", self.run_tool("list", "strategies")[0])
        self.assertIn("markdown", self.run_tool("list", "formats")[0])

    def test_configs_and_why_not(self):
        legal, _ = self.run_tool("list", "configs", *SMALL, "--impl", "merged", "-c", "num_threads=1,100000")
        self.assertNotIn("not legal", legal)
        every, _ = self.run_tool("list", "configs", *SMALL, "--impl", "merged", "-c", "num_threads=1,100000", "--why")
        self.assertRegex(every, r"t100000\S*  not legal: \S+")
        for stage in ["gate", "final"]:
            count, total = map(int, re.search(rf"^{stage}, engine cpu: (\d+) of (\d+) configs", every, re.M).groups())
            self.assertTrue(0 < count < total)
        self.assertNotIn("gemm1", every)

    def test_help(self):
        stdout, _ = self.run_tool("--help")
        for name in ["tune", "bench", "verify", "report", "list", "doctor"]:
            self.assertIn(name, stdout)
            text, _ = self.run_tool(name, "--help")
            if name != "doctor":
                self.assertIn("Example", text)
        self.assertRegex(self.run_tool("--version")[0], r"^moe-tune \d+\.\d+\.\d+ \((unknown|[0-9a-f]{12}(\+changes)?), ")


if __name__ == "__main__":
    main()
