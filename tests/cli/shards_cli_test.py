"""Several devices, several hosts, and what a run says beforehand. On the fake device."""

import json
import os
import re
import time

from moetune import CliTest, main

MS = [1, 2, 3, 4, 6, 8, 12]
SHAPE = ["--M", ",".join(map(str, MS)), "--K", "16", "--N1", "32", "--E", "4", "--topk", "2"]


class Several(CliTest):
    def tune(self, *more, out="out", device="fake", budget="300evals", **kwargs):
        return self.run_tool("tune", *SHAPE, "--device", device, "--budget", budget, "--out", out, *more, **kwargs)

    def bests(self, out="out"):
        """What was found: file name -> configs."""
        return {file.name: json.loads(file.read_text())["stages"] for file in (self.folder / out / "best").glob("*.json")}

    def records(self, out, kind):
        lines = (self.folder / out / "journal.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]


class Devices(Several):
    def test_several_devices_find_what_one_finds(self):
        self.tune("-q", out="one")
        stdout, stderr = self.tune(device="fake:0,1,2", MOETUNE_PLANTED="pace=1")
        self.assertEqual(self.bests(), self.bests("one"))
        self.assertIn("on 3 devices", stderr)
        self.assertIn("on fake device (fake:0, fake:1, fake:2)", stdout)
        self.assertEqual(len(re.findall(r"^ +\d+  merged ", stdout, re.M)), len(MS), "all in one table")
        headers = self.records("out", "header")
        self.assertEqual({header["environment"]["device"]["id"] for header in headers}, {"fake:0", "fake:1", "fake:2"})
        self.assertEqual(len({header["run"] for header in headers}), 3)
        self.assertEqual(len({header["tuning"]["id"] for header in headers}), 1)
        done = self.records("out", "done")
        self.assertEqual(sorted(record["problem"]["M"] for record in done), MS)
        self.assertGreater(len({record["run"] for record in done}), 1, "one did it all")

    def test_two_devices_are_faster_than_one(self):
        def seconds(device, out):
            start = time.monotonic()
            self.tune("-q", device=device, out=out, budget="40evals", MOETUNE_PLANTED="pace=10")
            return time.monotonic() - start

        one = seconds("fake:0", "one")
        self.assertGreater(one / seconds("fake:0,1", "two"), 1.4)

    def test_the_largest_come_first(self):
        self.tune("-q", device="fake:0,1", MOETUNE_PLANTED="pace=1")
        begun = list(dict.fromkeys(trial["problem"]["M"] for trial in self.records("out", "trial")))
        self.assertEqual(set(begun[:2]), {8, 12})

    def test_a_killed_one_is_resumed_on_another_number_of_devices(self):
        self.tune("-q", out="one")
        process = self.start("tune", *SHAPE, "--device", "fake:0,1", "--budget", "300evals", "--out", "out", "-q",
                             MOETUNE_PLANTED="pace=1")
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (journal.exists() and '"done"' in journal.read_text()):
            time.sleep(0.01)
        process.kill()
        process.communicate()
        self.tune("-q", "--resume")
        self.assertEqual(self.bests(), self.bests("one"))

    def test_a_calamity_on_one_leaves_the_others_alone(self):
        config = "fake:BLOCK_SIZE_M=64,BLOCK_SIZE_N=64,num_warps=4"
        self.tune("-q", device="fake:0,1", MOETUNE_PLANTED=f"gate={config}=crash final={config}=break_device")
        self.assertEqual(len(self.records("out", "done")), len(MS))
        self.assertEqual(len(self.bests()), 2 * len(MS))

    def test_bad_lists(self):
        self.fails("tune", *SHAPE, "--device", "fake:0,0", says="fake:0 is named twice")
        self.fails("tune", *SHAPE, "--device", "fake:0,1", "--isolation", "off", says="one process drives one device")


class Shards(Several):
    def test_shards_merged_are_what_one_host_finds(self):
        self.tune("-q", out="one")
        for i in "123":
            self.tune("-q", "--shard", f"{i}/3", out=f"shard-{i}")
        self.assertEqual(sum(len(self.records(f"shard-{i}", "done")) for i in "123"), len(MS))
        stdout, stderr = self.run_tool("merge", "shard-1", "shard-2", "shard-3", "--out", "merged")
        self.assertRegex(stdout.splitlines()[-1], rf"^merged ran .* \(geometric means of {len(MS)} problems\)$")
        self.assertEqual(stderr, "")
        self.assertEqual(self.bests("merged"), self.bests("one"))
        for kind in ["trial", "best", "done"]:
            self.assertEqual(len(self.records("merged", kind)), len(self.records("one", kind)))
        for kind in ["text", "json"]:
            self.run_tool("report", "merged", *(["--json", "-"] if kind == "json" else []))
        self.assertIn("## custom shape", (self.folder / "merged/report.md").read_text())

    def test_shards_of_a_scheduler(self):
        slurm = {"SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "1"}
        self.tune("-q", "--shard", "auto", out="a", SLURM_ARRAY_TASK_ID="1", **slurm)
        self.tune("-q", "--shard", "auto", out="b", JOB_COMPLETION_INDEX="1", JOB_COMPLETIONS="2")
        done = [record["problem"]["M"] for out in "ab" for record in self.records(out, "done")]
        self.assertEqual(sorted(done), MS)
        self.fails("tune", *SHAPE, "--shard", "auto", says="neither SLURM_ARRAY_TASK_ID")
        self.fails("tune", *SHAPE, "--device", "fake", "--budget", "300evals", "--out", "a", "--shard", "2/2", "--resume",
                   says="--shard was '1/2' and is '2/2'")

    def test_of_two_findings_the_faster_one_counts_and_both_are_kept(self):
        self.tune("-q", out="thorough")
        time.sleep(1.1)  # the other is the later one
        self.tune("-q", "--seed", "5", "-c", "BLOCK_SIZE_M=16", "-c", "BLOCK_SIZE_N=16", out="poor")
        self.assertNotEqual(self.bests("thorough"), self.bests("poor"))
        self.run_tool("merge", "poor", "thorough", "--out", "a")
        self.run_tool("merge", "thorough", "poor", "--out", "b")
        self.assertEqual(self.bests("a"), self.bests("thorough"))
        self.assertEqual(self.bests("b"), self.bests("thorough"))
        self.assertEqual(len(self.records("a", "best")), 4 * len(MS))
        # Merged again, nothing is there twice.
        self.run_tool("merge", "a", "poor", "b", "--out", "c")
        self.assertEqual(len(self.records("c", "best")), 4 * len(MS))
        self.fails("merge", "poor", "--out", "a", says="'a' holds a journal already")
        self.run_tool("merge", "a", "poor", "--out", "a")
        self.assertEqual(self.bests("a"), self.bests("thorough"))

    def test_runs_with_the_same_id_stay_apart(self):
        self.tune("-q", out="a")
        self.tune("-q", "--seed", "2", out="b")
        (run,) = {header["run"] for header in self.records("a", "header")}
        (other,) = {header["run"] for header in self.records("b", "header")}
        journal = self.folder / "b/journal.jsonl"
        journal.write_text(journal.read_text().replace(other, run))
        self.run_tool("merge", "a", "b", "--out", "c")
        self.assertEqual({header["run"] for header in self.records("c", "header")}, {run, run + "_2"})
        for name, source in [(run, "a"), (run + "_2", "b")]:
            count = sum(trial["run"] == name for trial in self.records("c", "trial"))
            self.assertEqual(count, len(self.records(source, "trial")))

    def test_devices_are_not_mixed(self):
        self.tune("-q", out="a")
        self.tune("-q", out="b")
        for file in (self.folder / "b/best").iterdir():
            file.write_text(file.read_text().replace('"fake device"', '"another device"'))
        self.fails("merge", "a", "b", "--out", "c",
                   says=["was measured on fake device in 'a' and on another device in 'b'", "by themselves"])
        self.fails("merge", "nowhere", "--out", "c", says="nowhere")
        self.assertFalse((self.folder / "c").exists())


class Plans(Several):
    def test_a_dry_run_says_what_would_be_done_and_does_nothing(self):
        stdout, stderr = self.tune("--dry-run", device="fake:0,1")
        self.assertEqual(stdout.count("gate: 66 configs (14 more cannot run here), at most 14 trials"), len(MS))
        self.assertRegex(stdout.splitlines()[-1], r"^7 problems, at most 294 trials, about \d+ s on 2 devices; the device's "
                                                  r"ceilings are not known")
        self.assertIn("-> out/best/custom_M12_K16_N1-32_N2-16_E4_topk2_bf16_silu_uniform.{three_kernel,merged}.json", stdout)
        self.assertFalse((self.folder / "out").exists())
        self.assertEqual(os.listdir(self.folder), [])
        verbose, _ = self.tune("--dry-run", "-v", "--shard", "1/7")
        self.assertIn("    4 a tile has more than 16384 elements", verbose)
        self.assertEqual(verbose.count("gate: 66"), 1)

    def test_the_plan_comes_before_the_first_measurement(self):
        _, stderr = self.tune()
        self.assertEqual(len(re.findall(r"^7 problems, at most 294 trials, about .*; results in out$", stderr, re.M)), 1)
        for name in self.bests():
            stem = name.split(".")[0]
            self.assertIn(f"-> out/best/{stem}.{{three_kernel,merged}}.json", stderr)


if __name__ == "__main__":
    main()
