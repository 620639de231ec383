"""`moe-tune compare`: two files, two configs, two binaries; verdicts, exit codes and formats."""

import copy
import json
import os
import re
import random
import stat
import xml.etree.ElementTree as xml

from moetune import BINARY, SMALL, CliTest, main

PROBLEM = ["--problem", "M=64,K=256,N1=256,E=4,topk=2", "--device", "cpu", "--impl", "merged"]
GOOD = "cpu:BLOCK_SIZE_M=256,BLOCK_SIZE_N=128,BLOCK_SIZE_K=512,num_threads=1,stream_rows=4"
SLOW = "cpu:BLOCK_SIZE_M=4,BLOCK_SIZE_N=16,BLOCK_SIZE_K=16,num_threads=1,stream_rows=1"  # six times as slow


def configs(config):
    return ["--config", f"gate={config}", "--config", f"final={config}"]


class Compare(CliTest):
    """With journals made from one run: only their times are made up."""

    recorded = None

    def setUp(self):
        super().setUp()
        if Compare.recorded is None:
            self.run_tool("bench", *SMALL, "--benchmark_min_time=0.001", "-q", "--journal", "j.jsonl")
            Compare.recorded = [json.loads(line) for line in (self.folder / "j.jsonl").read_text().splitlines()]

    def journal(self, name, scale=1.0, runs=7, change=lambda line: None, noise=0.002):
        """A journal in which rows take 100 µs times `scale`, give or take noise, in each of `runs` runs."""
        rng = random.Random(name)
        lines = []
        for run in range(runs):
            for line in copy.deepcopy(self.recorded):
                line["run"] = str(run)
                if line["kind"] == "header":
                    line["environment"]["created"] = f"2025-01-31T12:00:{run:02}Z"
                else:
                    for key in [key for key in line["time"] if key.endswith("_us")]:
                        line["time"][key] = 100 * scale * (1 + noise * rng.gauss(0, 1))
                if change(line) != "drop":
                    lines.append(json.dumps(line) + "\n")
        (self.folder / name).write_text("".join(lines))
        return name

    def compare(self, *args, code=0, **extra):
        stdout, _ = self.run_tool("compare", *args, "--json", "gate.json", code=code, **extra)
        (gate,) = self.documents("gate.json")
        self.assertEqual(gate["exit_code"], code)
        return stdout, gate, {row["impl"]: row["verdict"] for row in gate["rows"]}

    def test_the_same_passes(self):
        stdout, gate, verdicts = self.compare(self.journal("base.jsonl"), self.journal("head.jsonl"))
        self.assertEqual(verdicts, {"merged": "SAME", "three_kernel": "SAME"})
        self.assertIn("**PASS: 2 rows: 2 SAME", stdout)
        self.assertEqual(gate["mean"]["verdict"], "SAME")
        self.assertEqual(len(gate["rows"][0]["runs"]), 7)

    def test_five_per_cent_fails(self):
        _, gate, verdicts = self.compare(self.journal("base.jsonl"), self.journal("head.jsonl", 1.05), code=1)
        self.assertEqual(verdicts, {"merged": "SLOWER", "three_kernel": "SLOWER"})
        self.assertAlmostEqual(gate["rows"][0]["ratio"]["value"], 1.05, delta=0.01)
        self.compare("base.jsonl", "head.jsonl", "--margin", "8", "--mean-margin", "8")
        _, _, verdicts = self.compare("head.jsonl", "base.jsonl")
        self.assertEqual(verdicts, {"merged": "FASTER", "three_kernel": "FASTER"})

    def test_what_doctor_knows_of_the_device_counts(self):
        cache = {"MOETUNE_CACHE_DIR": str(self.folder / "cache")}
        self.run_tool("doctor", "--device", "cpu", **cache)
        (known,) = (self.folder / "cache/noise").iterdir()
        document = json.loads(known.read_text())
        document["noise_floor"] = 0.08
        known.write_text(json.dumps(document))
        sides = self.journal("base.jsonl"), self.journal("head.jsonl", 1.05)
        _, gate, verdicts = self.compare(*sides, "--mean-margin", "8", **cache)
        self.assertEqual(verdicts, {"merged": "SAME", "three_kernel": "SAME"})
        self.assertEqual(gate["rule"]["noise"], 0.08)
        self.compare(*sides, "--noise", "0", code=1, **cache)

    def test_one_run_each_only_warns(self):
        base, head = self.journal("base.jsonl", runs=1), self.journal("head.jsonl", 1.3, runs=1)
        stdout, gate, verdicts = self.compare(base, head)
        self.assertEqual(verdicts["merged"], "SLOWER")
        self.assertTrue(gate["rows"][0]["only_warns"])
        self.assertIn("only warns", stdout)
        self.compare(base, head, "--fail-on", "warning", code=1)

    def test_inconclusive_fails_where_asked_to(self):
        base, head = self.journal("base.jsonl", noise=0.05), self.journal("head.jsonl", 1.02, noise=0.05)
        _, _, verdicts = self.compare(base, head)
        self.assertEqual(verdicts["merged"], "INCONCLUSIVE")
        self.compare(base, head, "--fail-on", "inconclusive", code=4)

    def test_rows_that_are_missing_or_changed_are_said(self):
        def without_merged(line):
            return "drop" if line.get("impl") == "merged" else None

        def warm(line):
            if line["kind"] == "best":
                line["timing"]["cache"] = "warm"

        base = self.journal("base.jsonl")
        _, _, verdicts = self.compare(base, self.journal("head.jsonl", change=without_merged), code=5)
        self.assertEqual(verdicts, {"merged": "MISSING", "three_kernel": "SAME"})
        _, _, verdicts = self.compare("head.jsonl", base)
        self.assertEqual(verdicts, {"merged": "ADDED", "three_kernel": "SAME"})
        stdout, _, verdicts = self.compare(base, self.journal("head.jsonl", change=warm), code=5)
        self.assertEqual(verdicts, {"merged": "CHANGED", "three_kernel": "CHANGED"})
        self.assertIn("cache cold", stdout)

    def test_other_devices_are_not_compared(self):
        def elsewhere(line):
            if line["kind"] == "header":
                line["environment"]["device"]["name"] = "Another Processor"

        stdout, _, _ = self.compare(self.journal("base.jsonl"), self.journal("head.jsonl", change=elsewhere), code=5)
        self.assertIn("Another Processor", stdout)
        self.compare("base.jsonl", "head.jsonl", "--across")

    def test_wrong_results(self):
        def wrong(line):
            if line.get("impl") == "merged":
                line["verdict"] |= {"passed": False, "reason": "row 3 is off"}

        stdout, _, verdicts = self.compare(self.journal("base.jsonl"), self.journal("head.jsonl", change=wrong), code=3)
        self.assertEqual(verdicts, {"merged": "WRONG", "three_kernel": "SAME"})
        self.assertIn("row 3 is off", stdout)

    def test_for_github(self):
        base, head = self.journal("base.jsonl"), self.journal("head.jsonl", 1.05)
        (self.folder / "summary").write_text("before\n")
        stdout, _ = self.run_tool("compare", base, head, code=1, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary",
                                  GITHUB_OUTPUT="output")
        self.assertIn("::error title=moe-tune%3A SLOWER::", stdout)
        self.assertTrue((self.folder / "summary").read_text().startswith("before\n### moe-tune compare"))
        self.assertIn("verdict=fail\nexit_code=1\nslower=2\n", (self.folder / "output").read_text())
        stdout, _ = self.run_tool("compare", base, head, "--json", "-", code=1, GITHUB_ACTIONS="true")
        json.loads(stdout)

    def test_junit(self):
        self.run_tool("compare", self.journal("base.jsonl"), self.journal("head.jsonl", 1.05), "--junit", "g.xml", code=1)
        suite = xml.parse(self.folder / "g.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("3", "3"))
        self.assertEqual(len(suite.findall("testcase/failure")), 3)

    def test_history(self):
        base = self.journal("base.jsonl")
        for run in range(6):
            self.compare(base, self.journal(f"head{run}.jsonl", 1 + 0.001 * run), "--history", "past")
        self.assertEqual(len(self.documents("past/history.jsonl")), 6)
        # Base has crept along: only the history knows.
        crept = self.journal("crept.jsonl", 1.06)
        stdout, gate, verdicts = self.compare(crept, self.journal("head.jsonl", 1.06), "--history", "past")
        self.assertEqual(verdicts["merged"], "SAME")
        self.assertEqual(gate["rows"][0]["history"]["verdict"], "SLOWER")
        self.assertIn("SLOWER than the median of 6 earlier runs", stdout)
        self.compare(crept, "head.jsonl", "--history", "past", "--fail-on", "warning", code=1)
        self.assertEqual(len((self.folder / "past/history.jsonl").read_text().splitlines()), 7, "a failure is not added")

    def test_bad_files(self):
        base, head = self.journal("base.jsonl"), self.journal("head.jsonl")
        text = (self.folder / head).read_text()
        lines = text.splitlines(keepends=True)
        # A line that is cut off is named; the rest is compared.
        (self.folder / "cut.jsonl").write_text(text[: len(text) - 40])
        stdout, stderr = self.run_tool("compare", base, "cut.jsonl")
        self.assertIn(f"cut.jsonl:{len(lines)}:", stderr)
        self.assertIn("7 runs of base, 6 of head", stdout)
        # A time that is none.
        nan = [json.loads(line) for line in lines]
        for line in nan:
            if line["kind"] == "best" and line["impl"] == "merged":
                line["time"]["median_us"] = "nan"
        (self.folder / "nan.jsonl").write_text("".join(json.dumps(line) + "\n" for line in nan))
        stdout, stderr = self.run_tool("compare", base, "nan.jsonl", code=5)
        self.assertIn("'time.median_us'", stderr)
        self.assertIn("MISSING", stdout)
        # Nothing at all.
        (self.folder / "header.jsonl").write_text(lines[0])
        self.fails("compare", base, "header.jsonl", says=["head", "no measured row", "header.jsonl"])
        (self.folder / "empty.jsonl").write_text("")
        self.fails("compare", "empty.jsonl", head, says="empty.jsonl")
        (self.folder / "empty").mkdir()
        self.fails("compare", base, "empty", says="'empty'")
        self.fails("compare", base, "nowhere.jsonl", says="nowhere.jsonl")
        # A schema of the future.
        future = re.sub(r'("schema_version": )"[0-9.]+"', r'\1"2.0"', text)
        self.assertNotEqual(future, text)
        (self.folder / "new.jsonl").write_text(future)
        self.fails("compare", base, "new.jsonl", says="2.0")

    def test_self_test(self):
        stdout, _ = self.run_tool("compare", "--self-test")
        self.assertRegex(stdout, r"planted \+5 %: (99\d|1000) of 1000 rows are SLOWER")
        self.assertRegex(stdout, r"planted \+0 %: [0-5] of 1000 rows are SLOWER")
        self.assertTrue(stdout.splitlines()[-1].startswith("PASS"))
        stdout, _ = self.run_tool("compare", "--self-test", "--margin", "5", code=1)
        self.assertTrue(stdout.splitlines()[-1].startswith("FAIL"))
        self.fails("compare", "--self-test", "a.jsonl", "b.jsonl", says=["sides", "--self-test"])
        self.fails("compare", "--self-test", "--pairs", "0", says="--pairs 0")

    def test_bad_options(self):
        base, head = self.journal("base.jsonl"), self.journal("head.jsonl")
        self.fails("compare", base, says="two sides")
        self.fails("compare", base, head, "--pairs", "9", says="--run")
        self.fails("compare", base, head, "--model", "qwen3-30b-a3b", says="--run")
        self.fails("compare", base, head, "--margin", "-3", says="--margin")
        self.fails("compare", base, head, "--fail-on", "rain", says="rain")
        self.fails("compare", base, head, "--benchmark_min_time=1", says="--benchmark_min_time")
        self.fails("compare", "--run", BINARY, BINARY, says="what are the binaries to measure")
        self.fails("compare", "--run", BINARY, head, "--model", "qwen3-30b-a3b", "--M", "1", says="one side is a program")
        self.fails("compare", "--run", base, head, "--pairs", "0", says="--pairs 0")
        self.fails("compare", "--by-turns", base, head, says="--run")
        self.fails("compare", "--run", "--by-turns", BINARY, BINARY, says="--by-turns is for two configs")
        self.fails("compare", "--run", "--by-turns", base, head, "--benchmark_min_time=1", says="--benchmark_min_time")
        self.fails("compare", "--run", "--by-turns", base, head, "--device", "cpu", "--impl", "merged_single",
                   says=["base.jsonl", "merged_single"])


class CompareRun(CliTest):
    """The real thing, on this CPU."""

    def run_pairs(self, *args, code):
        stdout, _ = self.run_tool("compare", "--run", *args, "--pairs", "5", "--max-pairs", "15", "--device", "cpu", "-q",
                                  "--json", "gate.json", "--out", "kept", "--benchmark_min_time=0.01", code=code, timeout=280)
        return stdout, self.documents("gate.json")[0]

    def test_two_configs_of_which_one_is_slower(self):
        for name, config in [("good.jsonl", GOOD), ("slow.jsonl", SLOW)]:
            self.run_tool("bench", *PROBLEM, *configs(config), "--journal", name, "-q", "--benchmark_min_time=0.001")
        stdout, gate = self.run_pairs("good.jsonl", "slow.jsonl", code=1)
        self.assertEqual([row["verdict"] for row in gate["rows"]], ["SLOWER"])
        self.assertGreater(gate["rows"][0]["ratio"]["value"], 2)
        self.assertIn("another config", stdout)
        # The journals that were kept say the same again.
        again, _ = self.run_tool("compare", "kept/base.jsonl", "kept/head.jsonl", code=1)
        self.assertEqual(again, stdout)
        self.fails("compare", "--run", "good.jsonl", "slow.jsonl", "--out", "kept", says="earlier comparison")

    def test_by_turns_in_one_process(self):
        both = [("base.jsonl", GOOD, GOOD), ("head.jsonl", SLOW, GOOD)]
        for name, first, second in both:
            self.run_tool("bench", *PROBLEM, *configs(first), "--journal", name, "-q", "--benchmark_min_time=0.001")
            self.run_tool("bench", *PROBLEM[:1], PROBLEM[1].replace("M=64", "M=16"), *PROBLEM[2:], *configs(second),
                          "--journal", name, "-q", "--benchmark_min_time=0.001")
        stdout, _ = self.run_tool("compare", "--run", "--by-turns", "base.jsonl", "head.jsonl", "--pairs", "5",
                                  "--max-pairs", "5", "--device", "cpu", "-q", "--json", "gate.json", "--out", "kept",
                                  code=1)
        rows = {row["problem"]["M"]: row for row in self.documents("gate.json")[0]["rows"]}
        self.assertEqual(rows[64]["verdict"], "SLOWER")
        self.assertGreater(rows[64]["ratio"]["value"], 2)
        self.assertNotEqual(rows[16]["verdict"], "SLOWER")
        for row in rows.values():  # a round of each draw is a run, of both sides
            self.assertGreaterEqual(len(row["runs"]), 5)
        runs = [json.loads(line)["run"] for line in (self.folder / "kept/base.jsonl").read_text().splitlines()]
        self.assertGreaterEqual(len(set(runs)), 5)
        again, _ = self.run_tool("compare", "kept/base.jsonl", "kept/head.jsonl", code=1)
        self.assertEqual(again, stdout)
        self.fails("compare", "--run", "--by-turns", "base.jsonl", "head.jsonl", "--device", "cpu", "--out", "kept",
                   says="earlier comparison")

    def test_by_turns_a_config_that_fails_is_named(self):
        self.run_tool("bench", *PROBLEM, *configs(GOOD), "--journal", "good.jsonl", "-q", "--benchmark_min_time=0.001")
        text = (self.folder / "good.jsonl").read_text()
        (self.folder / "bad.jsonl").write_text(text.replace('"BLOCK_SIZE_M":256', '"BLOCK_SIZE_M":0'))
        stdout, _ = self.run_tool("compare", "--run", "--by-turns", "good.jsonl", "bad.jsonl", "--pairs", "5", "--device",
                                  "cpu", "-q", code=5)
        self.assertIn("is not between 1 and 1024", stdout)

    def program(self, name, *lines):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def test_two_binaries_of_which_one_is_slower(self):
        tool = os.path.realpath(BINARY)
        good = self.program("good", f'exec {tool} "$@" {" ".join(configs(GOOD))}')
        slow = self.program("slow", f'exec {tool} "$@" {" ".join(configs(SLOW))}')
        _, gate = self.run_pairs(good, slow, *PROBLEM[:2], "--impl", "merged", code=1)
        self.assertEqual([row["verdict"] for row in gate["rows"]], ["SLOWER"])

    def test_nothing_is_slower_than_itself(self):
        self.run_tool("bench", *PROBLEM, *configs(GOOD), "--journal", "good.jsonl", "-q", "--benchmark_min_time=0.001")
        _, gate = self.run_pairs("good.jsonl", "good.jsonl", code=0)
        self.assertIn(gate["rows"][0]["verdict"], ["SAME", "INCONCLUSIVE", "FASTER"])

    def test_a_binary_that_fails_is_named(self):
        broken = self.program("broken", "echo 'moe-tune: it is broken' >&2", "exit 2")
        self.fails("compare", "--run", os.path.realpath(BINARY), broken, *PROBLEM, "-q",
                   says=["head", "exit code 2", "it is broken"])
        crashing = self.program("crashing", "kill -ABRT $$")
        self.fails("compare", "--run", crashing, os.path.realpath(BINARY), *PROBLEM, "-q", says=["base", "signal 6"])

    def test_no_gpu(self):
        tool = os.path.realpath(BINARY)
        self.fails("compare", "--run", tool, tool, *PROBLEM[:2], "--device", "cuda:99", "-q", code=77, says="base")


if __name__ == "__main__":
    main()
