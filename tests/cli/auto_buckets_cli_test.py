"""`moe-tune tune --auto-buckets`: on the fake device, where it is known which M can share a config, and on the CPU."""

import json
import pathlib
import re
import shutil
import signal
import time

from moetune import CliTest, main

MS = [1, 2, 3, 4, 6, 8, 12]
SHAPE = ["--M", ",".join(map(str, MS)), "--K", "16", "--N1", "32", "--E", "4", "--topk", "2"]
TIMES = "times=by_M"  # 1 and 2 have one best BLOCK_SIZE_M, 3 … 6 another, 8 and 12 a third
KEPT = [1, 4, 12]  # the only three of which each is nearest to its likes, but for 1, 6 and 8 or 12
IMPLS = ["merged", "three_kernel"]
SERVED = {1: [2], 4: [3, 6], 12: [8]}


class AutoBuckets(CliTest):
    def words(self, *more, device="fake", out="out"):
        return ["tune", *SHAPE, "--device", device, "--budget", "300evals", "--out", out, *more]

    def tune(self, *more, planted=TIMES, code=0, **where):
        return self.run_tool(*self.words(*more, **where), MOETUNE_PLANTED=planted, code=code)

    def copy_of_tuned(self, *more, out="out"):
        """What tune() leaves, from a run for all tests: each takes seconds."""
        made = pathlib.Path(self.shared) / f"tuned{''.join(more)}"
        if not made.exists():
            self.tune("-q", *more, out=made)
        shutil.copytree(made, self.folder / out)

    def bests(self, out="out"):
        """(M, implementation) -> what its best-config file holds."""
        found = {}
        for file in (self.folder / out / "best").glob("*.json"):
            (best,) = self.documents(file)
            found[best["problem"]["M"], best["impl"]] = best
        return found

    def answer(self, out="out"):
        """What has to be the same whatever happened on the way."""
        return {key: (best["stages"], [(each["M"], each["served"], each["regret"] and round(each["regret"], 6))
                                       for each in best.get("bucket_transfer", [])])
                for key, best in self.bests(out).items()}

    def records(self, kind, out="out"):
        lines = (self.folder / out / "journal.jsonl").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]

    def interrupted_in_the_second_pass(self, how):
        self.copy_of_tuned()
        process = self.start(*self.words("--auto-buckets", "--resume"), MOETUNE_PLANTED=f"{TIMES} pace=5")
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (journal.exists() and '"kind":"transfer"' in journal.read_text()):
            time.sleep(0.01)
        process.send_signal(how)
        _, stderr = process.communicate(timeout=60)
        self.assertLess(len(self.records("transfer")), len(MS), "too late")
        return process.returncode, stderr

    def test_best_holds_the_m_that_serve_all(self):
        stdout, stderr = self.tune("--auto-buckets", "--json", "all.json")
        bests = self.bests()
        self.assertEqual(sorted(bests), [(M, impl) for M in KEPT for impl in IMPLS])
        for (M, _), best in bests.items():
            transfers = {each["M"]: each for each in best["bucket_transfer"]}
            self.assertEqual(sorted(transfers), [other for other in MS if other != M])
            self.assertEqual([other for other in transfers if transfers[other]["served"]], SERVED[M])
            for other, each in transfers.items():
                self.assertLessEqual(each["ci_low"], each["regret"])
                if each["served"]:
                    self.assertEqual(each["regret"], 0)
                else:
                    self.assertGreater(each["regret"], 0.18, "a step of two in BLOCK_SIZE_M, in two stages")
        *_, three_kernel, merged, answer = stdout.splitlines()
        for line, impl in [(three_kernel, "three_kernel"), (merged, "merged")]:
            self.assertEqual(line, f"{impl}: 3 of 7 M have a config of their own: 1, 4, 12; the others lose nothing with their "
                                   "neighbour's")
        self.assertTrue(answer.endswith("(geometric means of 7 problems)"), answer)
        self.assertRegex(stderr, r"(?m)^7 problems, .*; then, for --auto-buckets, 7 of them again with the configs of their "
                                 r"neighbours: at most 94 trials, about \d+ s; results in out$")
        self.assertRegex(stderr, r"(?m)^trying the configs of neighbouring M at 7 problems, about \d+ s$")
        # The journal has all.
        self.documents("out/journal.jsonl")
        self.assertEqual(sorted(record["problem"]["M"] for record in self.records("transfer")), MS)
        self.assertEqual(len(self.records("best")), 2 * len(MS))
        results = self.documents("all.json")[0]["results"]
        self.assertEqual(len(results), 2 * len(MS))
        self.assertEqual(sum("bucket_transfer" in each for each in results), 2 * len(KEPT))

    def test_what_reads_the_folder_can(self):
        self.copy_of_tuned("--auto-buckets")
        stdout, stderr = self.run_tool("report", "out")
        self.assertIn("(geometric means of 7 problems)", stdout)
        stdout, more = self.run_tool("report", "out/best", "--json", "-")
        self.assertEqual((stderr, more), ("", ""))
        self.assertEqual(sorted({each["problem"]["M"] for each in json.loads(stdout)["results"]}), KEPT)
        self.run_tool("export", "--format", "header", "out/best", "--out", "configs.h")
        self.assertEqual((self.folder / "configs.h").read_text().count('"fake device"'), len(KEPT))
        self.run_tool("merge", "out", "--out", "merged")
        self.assertEqual(self.answer("merged"), self.answer())

    def test_nothing_is_measured_without_it_and_it_can_come_later(self):
        self.copy_of_tuned("--auto-buckets", out="at-once")
        plain, stderr = self.tune()
        self.assertNotIn("auto-buckets", stderr)
        self.assertNotIn("config of their own", plain)
        self.assertEqual(self.records("transfer"), [])
        self.assertEqual(len(self.bests()), 2 * len(MS))
        for best in self.bests().values():
            self.assertNotIn("bucket_transfer", best)
        trials = len(self.records("trial"))
        self.assertEqual(len(self.records("trial", "at-once")), trials + 7 * 2 * 3, "three configs at each M")
        self.tune("-q", "--resume", "--auto-buckets")
        self.assertEqual(self.answer(), self.answer("at-once"))
        # Known by now: another margin needs no measurement, and without the option all M are back.
        known = len(self.records("trial"))
        stdout, _ = self.tune("-q", "--resume", "--auto-buckets", "--bucket-margin", "50")
        self.assertEqual(sorted(self.bests()), [(3, impl) for impl in IMPLS], "in the middle of all")
        self.assertIn("merged: 1 of 7 M have a config of their own: 3; the others lose at most 19.0 % with their neighbour's "
                      "(M=1 with M=3's)", stdout)
        self.tune("-q", "--resume")
        self.assertEqual(len(self.bests()), 2 * len(MS))
        self.assertEqual(len(self.records("trial")), known)

    def test_neither_isolation_nor_the_number_of_devices_matters(self):
        self.copy_of_tuned("--auto-buckets")
        self.tune("-q", "--auto-buckets", "--isolation", "off", out="off")
        _, stderr = self.tune("--auto-buckets", device="fake:0,1,2", planted=f"{TIMES} pace=1", out="three")
        self.assertIn("of their neighbours: at most 94 trials", stderr)
        self.assertGreater(len({record["run"] for record in self.records("transfer", "three")}), 1, "one did it all")
        for out in ["off", "three"]:
            self.assertEqual(self.answer(out), self.answer())

    def test_ctrl_c_leaves_all_files_and_resume_goes_on(self):
        self.copy_of_tuned("--auto-buckets", out="undisturbed")
        code, stderr = self.interrupted_in_the_second_pass(signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertIn("--auto-buckets did not come to an end: every M keeps the config of its own", stderr)
        self.assertEqual(len(self.bests()), 2 * len(MS))
        self.tune("-q", "--auto-buckets", "--resume")
        self.assertEqual(self.answer(), self.answer("undisturbed"))
        self.assertEqual(sorted(record["problem"]["M"] for record in self.records("transfer")), MS, "one was measured again")

    def test_a_kill_loses_nothing(self):
        self.copy_of_tuned("--auto-buckets", out="undisturbed")
        self.interrupted_in_the_second_pass(signal.SIGKILL)
        self.assertEqual(len(self.bests()), 2 * len(MS))
        self.tune("-q", "--auto-buckets", "--resume")
        self.assertEqual(self.answer(), self.answer("undisturbed"))
        # Also of a kill before the last files were removed.
        stray = self.folder / "out/best/custom_M2_K16_N1-32_N2-16_E4_topk2_bf16_silu_uniform.merged.json"
        self.assertFalse(stray.exists())
        stray.write_text("{}")
        self.tune("-q", "--auto-buckets", "--resume")
        self.assertEqual(self.answer(), self.answer("undisturbed"))

    def test_a_config_that_crashes_at_another_m_is_not_chosen_for_it(self):
        self.copy_of_tuned()
        self.assertEqual(self.bests()[2, "merged"]["stages"], self.bests()[1, "merged"]["stages"])
        gate = self.bests()[12, "merged"]["stages"]["gate"]
        config = ",".join(f"{key}={value}" for key, value in gate["config"].items())
        self.tune("-q", "--auto-buckets", "--resume", planted=f"{TIMES} gate={gate['engine']}:{config}=crash")
        self.assertEqual(sorted(self.bests()), [(M, impl) for M in KEPT for impl in IMPLS])
        transfers = {each["M"]: each for each in self.bests()[12, "merged"]["bucket_transfer"]}
        self.assertEqual(transfers[8]["regret"], 0, "the very config of 8")
        for M in [1, 2, 3, 4, 6]:
            self.assertIsNone(transfers[M]["regret"])
            self.assertIn("signal 11", transfers[M]["reason"])
        transfers = {each["M"]: each for each in self.bests()[4, "merged"]["bucket_transfer"]}
        self.assertIn("nothing to compare with: the best config of M=12 itself: ", transfers[12]["reason"])
        self.assertGreater(transfers[1]["regret"], 0.18)

    def test_one_m_is_left_as_it_is(self):
        stdout, stderr = self.run_tool("tune", "--M", "4", *SHAPE[2:], "--device", "fake", "--budget", "50evals", "--out",
                                       "out", "--auto-buckets", MOETUNE_PLANTED=TIMES)
        self.assertNotIn("of their own", stdout)
        self.assertNotIn("neighbour", stderr)
        self.assertEqual(len(self.bests()), 2)

    def test_families_are_named_where_there_are_several(self):
        lines = [f"M={M},K={K},N1=32,E=4,topk=2" for K in (16, 32) for M in (1, 2)]
        (self.folder / "batch").write_text("\n".join(lines))
        stdout, _ = self.run_tool("tune", "--batch", "batch", "--device", "fake", "--budget", "200evals", "--out", "out", "-q",
                                  "--auto-buckets", "--impl", "merged", MOETUNE_PLANTED=TIMES)
        for K in (16, 32):
            self.assertRegex(stdout, rf"(?m)^K={K},N1=32,.*: merged: 1 of 2 M have a config of their own: 1; ")
        self.assertEqual(len(list((self.folder / "out/best").iterdir())), 2)

    def test_a_dry_run_has_it_in_its_plan(self):
        stdout, _ = self.tune("--auto-buckets", "--dry-run")
        self.assertRegex(stdout.splitlines()[-1], r"^7 problems, at most 294 trials, about \d+ s; then, for --auto-buckets, 7 of "
                                                  r"them again with the configs of their neighbours: at most 94 trials, about \d+ s")
        self.assertNotIn("auto-buckets", self.tune("--dry-run")[0])

    def test_bad_options_are_one_line(self):
        self.fails(*self.words("--auto-buckets", "--shard", "1/2"), says=["--auto-buckets", "--device cuda:all"])
        self.fails(*self.words("--bucket-margin", "2"), says="without --auto-buckets all do")
        self.fails(*self.words("--auto-buckets", "--bucket-margin", "-1"), says="--bucket-margin -1: a percentage")
        self.assertFalse((self.folder / "out").exists())


class OnTheCpu(CliTest):
    def test_libmoetune_takes_what_was_kept(self):
        shape = ["--K", "64", "--N1", "64", "--E", "4", "--topk", "2", "--device", "cpu"]
        # One config, so that finals are short; then the M get different ones, whatever is the best here.
        config = "cpu:BLOCK_SIZE_M=64,BLOCK_SIZE_N=32,BLOCK_SIZE_K=512,num_threads=1,stream_rows=32"
        tune = ["tune", *shape, "--M", "1,2,4", "--impl", "merged", "--config", f"gate={config}", "--config",
                f"final={config}", "--budget", "3s", "--out", "out"]
        self.run_tool(*tune, "-q")
        journal = self.folder / "out/journal.jsonl"
        records = [json.loads(line) for line in journal.read_text().splitlines()]
        for record in records:
            if record["kind"] == "best":
                block_n = {1: 32, 2: 64, 4: 32}[record["problem"]["M"]]
                for stage in record["stages"].values():
                    stage["config"]["BLOCK_SIZE_N"] = block_n
        journal.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records))
        stdout, _ = self.run_tool(*tune, "--resume", "--auto-buckets", "--bucket-margin", "10")
        measured = [each["regret"] for record in self.documents(journal) if record["kind"] == "transfer"
                    for each in record["transfers"]]
        self.assertEqual(measured.count(0), 2, "1 and 4 have one config")
        self.assertNotIn(None, measured)
        line = next(line for line in stdout.splitlines() if line.startswith("merged: "))
        kept = re.search(r"of their own: ([\d, ]+)", line)
        kept = [int(M) for M in kept.group(1).split(", ")] if kept else [1, 2, 4]
        files = [self.documents(path)[0] for path in (self.folder / "out/best").iterdir()]
        self.assertEqual(sorted(best["problem"]["M"] for best in files), kept)
        stdout, _ = self.run_tool("prebuild", *shape, "--M", "4", "--configs", "out")
        ranges = {}
        for first, last, M in re.findall(r"^  M (\d+)(?:\.\.\.(\d+))? .*tuned at M=(\d+): ", stdout, re.M):
            for each in range(int(first), int(last or first) + 1):
                ranges[each] = int(M)
        self.assertEqual(sorted(set(ranges.values())), kept)
        for best in files:
            for each in best["bucket_transfer"]:
                self.assertEqual(each["served"], ranges[each["M"]] == best["problem"]["M"], "the library serves it otherwise")
                if each["served"]:
                    self.assertLessEqual(each["regret"], 0.1)


if __name__ == "__main__":
    main()
