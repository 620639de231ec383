"""`moe-tune tune`: what it prints, writes and survives."""

import json
import os
import pty
import shlex
import signal
import time

from moetune import BINARY, SMALL, SMALL_LINE, CliTest, main

ANSWER = (r"merged ran \d+\.\d\dx \[\d+\.\d\d, \d+\.\d\d\] as fast as three_kernel "
          r"\(ceiling \d+\.\d\dx\) at \d\.\d\d of the roofline")


class Tune(CliTest):
    def records(self, path="out/journal.jsonl"):
        return self.documents(path)

    def test_a_rank_of_expert_parallelism(self):
        line = "M=4,K=64,N1=64,N2=64,E=4,topk=2"
        ranks = [word for rank in (0, 1) for word in ("--problem", f"{line},ep_ranks=2,ep_rank={rank}")]
        self.run_tool("tune", "--device", "cpu", "--problem", line, *ranks, "--budget", "2s", "--out", "out")
        files = sorted(path.name for path in (self.folder / "out/best").iterdir())
        self.assertEqual(len(files), 3 * 2)
        self.assertEqual(sum("_ep2-rank1_" in name for name in files), 2)
        for name in files:
            best = self.documents(f"out/best/{name}")[0]
            self.assertEqual("ep_ranks" in best["problem"], "_ep2-" in name)
            self.assertEqual("local_slots" in best, "_ep2-" in name)
        bests = [r for r in self.documents("out/journal.jsonl") if r["kind"] == "best"]
        loads = {r["problem"]["ep_rank"]: r["local_slots"] for r in bests if "ep_rank" in r["problem"]}
        self.assertAlmostEqual(loads[0] + loads[1], 4 * 2, msg="what one rank leaves out, the other does")
        self.run_tool("report", "out", "--csv", "report.csv", "--markdown", "report.md")
        rows = [line.split(",") for line in (self.folder / "report.csv").read_text().splitlines()]
        self.assertEqual(rows[0][-2:], ["ep_ranks", "ep_rank"])
        self.assertEqual({tuple(row[-2:]) for row in rows[1:]}, {("1", "0"), ("2", "0"), ("2", "1")})
        for rank in (0, 1):
            self.assertIn(f"ep 2 rank {rank}", (self.folder / "report.md").read_text())

    def test_answers_and_writes_everything(self):
        stdout, stderr = self.tune()
        self.assertRegex(stdout.splitlines()[-1], f"^{ANSWER}$")
        self.assertRegex(stderr, r"(?m)^1 problem, about \d+ s; results in out$")
        self.assertRegex(stderr, r"(?m)^\d+ s of tuning: \d+ s on the device, 0 s waiting for compilers, \d+\.\d s of moe")
        self.assertNotIn("\x1b", stdout + stderr)

        header, *rest = self.records()
        self.assertEqual((header["kind"], header["schema_version"]), ("header", "1.7"))
        self.assertIn("tune", header["environment"]["command"])
        trials = [record for record in rest if record["kind"] == "trial"]
        bests = [record for record in rest if record["kind"] == "best"]
        self.assertEqual(sorted(best["impl"] for best in bests), ["merged", "three_kernel"])
        self.assertGreater(len(trials), 6)
        for trial in trials:
            self.assertTrue(trial["outcome"] == "ok" or trial["reason"])
            if trial["time"]:
                self.assertTrue(trial["verdict"]["passed"], "timed without being verified")

        for impl in ["merged", "three_kernel"]:
            (path,) = (self.folder / "out/best").glob(f"*.{impl}.json")
            (best,) = self.documents(path)
            self.assertTrue(best["verdict"]["passed"])
            self.assertIn("BLOCK_SIZE_M", best["stages"]["final"]["config"])
        report = (self.folder / "out/report.md").read_text()
        self.assertRegex(report.replace("\\", ""), ANSWER)
        self.assertIn("moe-tune bench --device cpu", report)

    def test_repro_commands_run(self):
        self.tune()
        best = next(record for record in self.records() if record["kind"] == "best" and record["impl"] == "merged")
        words = shlex.split(best["repro"])
        self.assertEqual(words[:2], ["moe-tune", "bench"])
        stdout, _ = self.run_tool(*words[1:], "--benchmark_format=json", "-q")
        self.assertIn("merged", json.loads(stdout)["benchmarks"][0]["name"])

    def test_json_on_stdout_is_all_there_is(self):
        stdout, stderr = self.tune("--json", "-", "-q")
        result = json.loads(stdout)
        self.assertEqual(stderr, "")
        self.assertRegex(result["answer"], ANSWER)
        self.assertEqual(len(result["results"]), 2)

    def test_json_into_a_file(self):
        stdout, _ = self.tune("--json", "results.json", "-q")
        self.assertIn("merged ran", stdout)
        self.assertEqual(self.documents("results.json")[0]["schema"], "moe-tune/report")

    def test_several_problems_are_averaged(self):
        (self.folder / "batch").write_text(f"# two\n{SMALL_LINE}\nM=8,K=64,N1=64,E=4,topk=2,routing=zipf:1.0 # skewed\n")
        stdout, _ = self.run_tool("tune", "--device", "cpu", "--batch", "batch", "--budget", "2s", "--out", "out", "-q")
        self.assertRegex(stdout.splitlines()[-1], ANSWER + r" \(geometric means of 2 problems\)$")
        self.assertEqual(len(list((self.folder / "out/best").iterdir())), 4)

    def test_one_implementation_alone(self):
        stdout, _ = self.tune("--impl", "merged", "-q")
        self.assertIn("three_kernel was not measured", stdout.splitlines()[-1])

    def test_runs_share_a_folder(self):
        self.tune("-q")
        self.tune("-q", "--seed", "2")
        self.assertEqual(sum(record["kind"] == "header" for record in self.records()), 2)
        stdout, _ = self.run_tool("report", "out", "--json", "-")
        self.assertEqual(len(json.loads(stdout)["results"]), 2, "the later run counts")

    def test_pinned_axes_and_stages(self):
        self.tune("-q", "-c", "BLOCK_SIZE_N=32", "-c", "gate.BLOCK_SIZE_N=64")
        # Defaults are tried and take part in the finals whatever the axes say; the searched trials keep to them.
        values = {"gate": set(), "gemm1": set(), "final": set()}
        for record in self.records():
            if record["kind"] == "trial" and record["phase"] == "screen" and record["stage"]:
                stage = record["stage"]
                values[stage].add(record["stages"][stage]["config"]["BLOCK_SIZE_N"])
        self.assertIn(64, values["gate"])
        self.assertIn(32, values["final"])
        self.assertNotIn(32, values["gate"])

    def test_replays(self):
        stdout, _ = self.tune("-q", "--load", "replays", "--cache", "warm")
        self.assertIn("warm cache, graph launch, load replays", stdout)
        for record in self.records():
            if record["kind"] != "header":
                self.assertTrue(record["kind"] == "done" or record["timing"]["load"] == "replays")
        self.fails("tune", *SMALL, "--budget", "2s", "--cache", "warm", "--out", "out", "--resume",
                   says="--load was 'replays' and is not given")

    def test_a_warm_start_is_tried_first(self):
        self.run_tool("tune", *SMALL, "--impl", "merged", "--budget", "1s", "--out", "out")
        (best,) = (self.folder / "out/best").glob("*.merged.json")
        (self.folder / "E=4,N=32.json").write_text(json.dumps({"4": {
            "BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": 64, "BLOCK_SIZE_K": 64, "GROUP_SIZE_M": 1, "num_warps": 4,
            "num_stages": 3}}))
        _, stderr = self.run_tool("tune", *SMALL, "--impl", "merged", "--budget", "2s", "--out", "again",
                                  "--warm-start", best, "--warm-start", "E=4,N=32.json")
        self.assertIn("mma bm16.bn64.bk64.gm1.w4.st3 is passed over: engine mma is not searched here", stderr)
        known = json.loads(best.read_text())["stages"]
        for stage in ["gate", "final"]:
            first = next(record for record in self.records("again/journal.jsonl")
                         if record["kind"] == "trial" and record["stage"] == stage)
            self.assertEqual(first["stages"][stage], known[stage])
        self.fails("tune", *SMALL, "--warm-start", "nowhere.json", says="nowhere.json")
        self.fails("tune", *SMALL, "--effort", "heroic", says=["heroic", "quick"])

    def test_a_model_with_axes(self):
        stdout, _ = self.run_tool("tune", "--device", "cpu", "--model", "qwen3-30b-a3b", "--tp", "8", "--ep", "16",
                                  "--M", "1,2", "--budget", "2s", "--out", "out", "-q", "--json", "-")
        shapes = {(each["problem"]["M"], each["problem"]["N1"], each["problem"]["E"]) for each in json.loads(stdout)["results"]}
        self.assertEqual(shapes, {(1, 192, 8), (2, 192, 8)})

    def test_default_folder_is_named_after_the_device(self):
        self.run_tool("tune", *SMALL, "--budget", "1s", "-q")
        (folder,) = (self.folder / "moe-tune-results").iterdir()
        self.assertRegex(folder.name, r"^[a-z0-9-]+$")
        self.assertTrue((folder / "journal.jsonl").exists())

    def test_ctrl_c_keeps_what_is_known(self):
        process = self.start("tune", "--device", "cpu", "--problem", SMALL_LINE, "--problem",
                             "M=64,K=1024,N1=1024,E=8,topk=2", "--budget", "120s", "--out", "out")
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count('"trial"') > 3):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("interrupted; what was found is in out; go on with: ", stderr)
        self.assertRegex(stderr.splitlines()[-1], r"--problem M=64,K=1024,N1=1024,E=8,topk=2 .* --out out --resume$")
        self.assertGreater(len([record for record in self.records() if record["kind"] == "trial"]), 3)

    def test_kill_loses_at_most_the_trial_in_flight(self):
        process = self.start("tune", *SMALL, "--budget", "120s", "--out", "out", "-q")
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 60
        seen = [0]
        while time.monotonic() < deadline and seen[-1] <= 5:
            seen.append(journal.read_text().count('"kind":"trial"') if journal.exists() else 0)
            time.sleep(0.002)
        process.kill()
        self.assertGreater(len(set(seen)), 4, "trials come to the journal several at a time: a kill loses what is held back")
        process.communicate()
        before = len(self.records())  # every line is whole
        self.assertGreater(before, 5)
        self.tune("-q")  # and the journal can be gone on with
        self.assertGreater(len(self.records()), before)

    def test_a_bar_and_colours_on_a_terminal_only(self):
        def on_terminal(**extra):
            pid, fd = pty.fork()
            if pid == 0:
                os.chdir(self.folder)
                os.execve(BINARY, [BINARY, "tune", *SMALL, "--budget", "1s", "--out", "out"],
                          {**self.environment(), "TERM": "xterm", **extra})
            output = b""
            while True:
                try:
                    piece = os.read(fd, 4096)
                except OSError:
                    break
                if not piece:
                    break
                output += piece
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
            os.close(fd)
            return output.decode()

        output = on_terminal()
        self.assertRegex(output, r"\[#*\.+\] +\d+ %")
        self.assertIn("\x1b[1m", output)
        output = on_terminal(NO_COLOR="1")
        self.assertNotIn("\x1b[1m", output)
        self.assertNotIn("\x1b[32m", output)

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        (self.folder / "out").mkdir()
        os.symlink("/dev/full", self.folder / "out/journal.jsonl")
        self.fails("tune", *SMALL, "--out", "out", says=["journal.jsonl", "No space left"])


if __name__ == "__main__":
    main()
