"""What a tuning survives: configs that break things, kills, full disks, company. On the fake device, where it is quick,
and on a real one: $MOETUNE_TEST_DEVICE, the CPU unless said otherwise."""

import collections
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import shlex
import signal
import subprocess
import sys
import time

from moetune import BINARY, SMALL_LINE, CliTest, main

DEVICE = os.environ.get("MOETUNE_TEST_DEVICE", "cpu")
KILLS = int(os.environ.get("MOETUNE_TEST_KILLS", "200"))
TINY = ["M=6,K=16,N1=32,E=4,topk=2", "M=3,K=16,N1=32,E=4,topk=2"]
# What each calamity is recorded as, and a part of the reason.
RECORDED = {
    "crash": ("runtime_error", "signal 11"),
    "hang": ("timeout", "no sign of life"),
    "exhaust_memory": ("out_of_memory", "no more memory"),
    "break_device": ("runtime_error", ""),
}


def fake(m, n, warps):
    return f"fake:BLOCK_SIZE_M={m},BLOCK_SIZE_N={n},num_warps={warps}"


def argument(stage, config):
    values = ",".join(f"{key}={value}" for key, value in config["config"].items())
    return f"{stage}={config['engine']}:{values}"


class Tuning(CliTest):
    def options(self, *more, device="fake", problems=TINY, budget="60evals", out="out"):
        words = ["tune", "--device", device, "--budget", budget, "--out", out]
        for problem in problems:
            words += ["--problem", problem]
        return [*words, *more]

    def records(self, out="out", kind=None):
        lines = (self.folder / out / "journal.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [record for record in records if kind in (None, record["kind"])]

    def bests(self, out="out"):
        """What was found: file name -> configs."""
        files = (self.folder / out / "best").glob("*.json")
        return {file.name: json.loads(file.read_text())["stages"] for file in files}

    def check_calamities(self, planted, records):
        """Each cost the trials it was in, and nothing else failed."""
        failed = collections.defaultdict(list)
        for record in records:
            if record["kind"] != "trial" or record["outcome"] == "ok":
                continue
            hit = [word for stage, config in record["stages"].items() for word in planted if word == argument(stage, config)]
            self.assertEqual(len(hit), 1, f"failed without cause: {record}")
            failed[hit[0]].append(record)
        self.assertEqual(set(failed), set(planted))
        for word, calamity in planted.items():
            outcome, reason = RECORDED[calamity]
            for record in failed[word]:
                self.assertEqual(record["outcome"], outcome)
                self.assertIn(reason, record["reason"])
                self.assertIsNone(record["time"])


class Calamities(Tuning):
    def test_each_costs_its_own_trial(self):
        planted = {
            f"gate={fake(64, 64, 4)}": "crash",
            f"gemm1={fake(16, 64, 2)}": "exhaust_memory",
            f"gemm1={fake(64, 64, 4)}": "break_device",
            f"final={fake(64, 64, 4)}": "hang",
        }
        text = " ".join(f"{word}={calamity}" for word, calamity in planted.items())
        stdout, stderr = self.run_tool(*self.options("--trial-timeout", "0.3"), MOETUNE_PLANTED=text)
        self.assertIn("merged ran", stdout)
        self.assertEqual(stderr.count("gate: 66 configs"), 2, "the plan of each problem, once")
        self.check_calamities(planted, self.records())
        for stages in self.bests().values():
            for stage, config in stages.items():
                self.assertNotIn(argument(stage, config), planted)
        self.assertEqual(len(self.records(kind="done")), 2)

    def test_the_default_itself_may_be_the_one(self):
        planted = {f"gate={fake(32, 32, 4)}": "crash"}
        self.run_tool(*self.options(), MOETUNE_PLANTED=f"gate={fake(32, 32, 4)}=crash")
        self.check_calamities(planted, self.records())
        self.assertEqual(len(self.bests()), 4)

    def test_without_isolation_a_broken_device_ends_the_run_and_resume_goes_on(self):
        options = self.options("-c", "BLOCK_SIZE_M=32,128", "-c", "BLOCK_SIZE_N=32,128", "--isolation", "off")
        planted = f"gemm1={fake(32, 32, 2)}=break_device"
        _, stderr = self.run_tool(*options, code=2, MOETUNE_PLANTED=planted)
        self.assertIn("fake is lost to this process after a fault", stderr)
        self.assertEqual(self.records(kind="done"), [])
        self.run_tool(*options, "--resume", code=2, MOETUNE_PLANTED=planted)  # breaks in the second problem
        self.assertEqual(len(self.records(kind="done")), 1)
        self.run_tool(*options, "--resume", MOETUNE_PLANTED=planted)
        self.assertEqual(len(self.records(kind="done")), 2)

    def test_isolation_changes_nothing_that_is_found(self):
        self.run_tool(*self.options("-q"))
        self.run_tool(*self.options("-q", "--isolation", "off", out="off"))
        self.assertEqual(self.bests(), self.bests("off"))
        keys = ["stages", "stage", "rung", "phase", "outcome"]
        tried = [[[trial[key] for key in keys] for trial in self.records(out, "trial")] for out in ["out", "off"]]
        self.assertEqual(*tried)

    def test_bad_options_are_one_line(self):
        self.fails("tune", "--problem", TINY[0], "--device", "nowhere", says="unknown device 'nowhere'")
        self.fails(*self.options("-c", "BLOCK=3"), says="no engine here has 'BLOCK'")
        self.fails(*self.options("--isolation", "maybe"), says="give on or off")
        self.fails(*self.options("--trial-timeout", "0"), says="--trial-timeout")


class Kills(Tuning):
    def workers(self):
        """Processes that work in this test's folder."""
        found = []
        for process in pathlib.Path("/proc").iterdir():
            try:
                if process.name.isdigit() and os.readlink(process / "cwd") == str(self.folder.resolve()):
                    if "Z" not in (process / "stat").read_text().rsplit(")", 1)[1].split()[0]:
                        found.append(process.name)
            except OSError:
                pass
        return found

    def test_killed_anywhere_and_resumed_it_ends_in_the_same_best_configs(self):
        start = time.monotonic()
        self.run_tool(*self.options("-q", out="undisturbed"))
        whole_s = time.monotonic() - start
        expected = self.bests("undisturbed")
        self.assertEqual(len(expected), 4)

        def torment(name):
            chance = random.Random(name)
            kills = folders = 0
            while kills < KILLS / 2:
                out = f"{name}{folders}"
                folders += 1
                while True:
                    process = self.start(*self.options("-q", "--resume", out=out))
                    try:
                        _, stderr = process.communicate(timeout=chance.uniform(0, 1.2 * whole_s))
                        break
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.communicate()
                        kills += 1
                if process.returncode != 0 or self.bests(out) != expected:
                    return f"{out} after {kills} kills: {process.returncode}, {self.bests(out)}\n{stderr}"
                # Not records(): the line that a kill tore stays, and the next run begins another.
                done = [line for line in (self.folder / out / "journal.jsonl").read_text().splitlines()
                        if line.startswith('{"kind":"done"') and line.endswith("}")]
                if len(done) != 2:
                    return f"{out}: done are {done}"
            return "survived"

        with concurrent.futures.ThreadPoolExecutor() as both:
            self.assertEqual(list(both.map(torment, ["a", "b"])), ["survived", "survived"])
        deadline = time.monotonic() + 5
        while self.workers() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.workers(), [], "workers outlive the one that started them")

    def test_a_worker_killed_from_outside_costs_a_trial(self):
        process = self.start(*self.options("-q"), MOETUNE_PLANTED="pace=5")
        self.wait_for_trials(5)
        (worker,) = [pid for pid in self.workers() if int(pid) != process.pid]
        os.kill(int(worker), signal.SIGKILL)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        failed = [trial for trial in self.records(kind="trial") if trial["outcome"] != "ok"]
        self.assertLessEqual(len(failed), 1)
        for trial in failed:
            self.assertEqual(trial["outcome"], "out_of_memory")
        self.assertEqual(len(self.bests()), 4)

    def test_ctrl_c_reaches_both_and_says_how_to_go_on(self):
        self.check_interrupt(signal.SIGINT)

    def test_so_does_the_signal_that_ends_a_job(self):
        self.check_interrupt(signal.SIGTERM)

    def test_a_worker_that_is_asked_to_end_is_replaced(self):
        process = self.start(*self.options("-q"), MOETUNE_PLANTED="pace=5")
        self.wait_for_trials(5)
        (worker,) = [pid for pid in self.workers() if int(pid) != process.pid]
        os.kill(int(worker), signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(len(self.records(kind="done")), 2)
        self.assertEqual(len(self.bests()), 4)

    def wait_for_trials(self, count):
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count('"trial"') > count):
            time.sleep(0.01)

    def check_interrupt(self, how):
        process = subprocess.Popen(
            [BINARY, *self.options()], cwd=self.folder, env=self.environment(MOETUNE_PLANTED="pace=5"), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.wait_for_trials(5)
        os.killpg(process.pid, how)
        _, stderr = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, stderr)
        for trial in self.records(kind="trial"):
            self.assertIn(trial["outcome"], ["ok", "skipped"], "a config is blamed for the signal")
        again = shlex.split(stderr.splitlines()[-1].split("go on with: ")[1])
        self.run_tool(*again[1:])
        self.run_tool(*self.options("-q", out="undisturbed"))
        self.assertEqual(self.bests(), self.bests("undisturbed"))


class Resuming(Tuning):
    def test_a_resumed_run_says_what_it_knows_and_a_finished_one_gives_the_same_answer(self):
        process = self.start(*self.options("-q"), MOETUNE_PLANTED="pace=5")
        journal = self.folder / "out/journal.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (journal.exists() and '"done"' in journal.read_text()):
            time.sleep(0.01)
        process.kill()
        process.communicate()
        known = len(self.records(kind="trial"))
        stdout, stderr = self.run_tool(*self.options("--resume"))
        self.assertIn(f"going on after {known} trials and 1 problems", stderr)
        self.assertNotIn("\nM=6,", stderr, "the first problem is done")
        self.assertRegex(stdout.splitlines()[-1], r"\(geometric means of 2 problems\)$")
        first, second = self.records(kind="header")
        self.assertEqual(first["tuning"], second["tuning"])

        before = len(self.records())
        again, _ = self.run_tool(*self.options("--resume", "-q"))
        self.assertEqual(again, stdout)
        self.assertEqual(len(self.records()), before + 1, "a header and no trial")

    def test_it_wants_the_same_options(self):
        self.run_tool(*self.options("-q"))
        self.fails(*self.options("-q", "--resume", "--seed", "2", budget="50evals"),
                   says=["--budget was '60evals' and is '50evals'", "--seed was '1' and is '2'"])
        self.fails(*self.options("-q", "--resume", problems=TINY[:1]), says="--problem was")
        self.run_tool(*self.options("-q", "--resume", "--isolation", "off", "--json", "all.json"))
        batch = ["tune", "--device", "fake", "--batch", "batch", "--budget", "20evals", "--out", "b", "-q", "--resume"]
        (self.folder / "batch").write_text(TINY[0])
        _, stderr = self.run_tool(*[word for word in batch if word != "-q"])
        self.assertIn("nothing to go on with: beginning", stderr)
        (self.folder / "batch").write_text(TINY[1])
        self.fails(*batch, says="problems was")
        header, *rest = (self.folder / "b/journal.jsonl").read_text().splitlines(keepends=True)
        (self.folder / "batch").write_text(TINY[0])
        (self.folder / "b/journal.jsonl").write_text(header.replace('"fake device"', '"old device"') + "".join(rest))
        self.fails(*batch, says="was measured with another device: 'old device', not 'fake device'")


class Disks(Tuning):
    def test_a_full_disk_is_an_error_and_the_journal_stays_readable(self):
        limit = 60_000
        done = subprocess.run(
            [BINARY, *self.options("-q")], cwd=self.folder, env=self.environment(), text=True, capture_output=True,
            timeout=60, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"^moe-tune: cannot write the journal 'out/journal.jsonl': File too large")
        self.assertEqual((self.folder / "out/journal.jsonl").stat().st_size, limit)
        self.run_tool(*self.options("-q", "--resume"))
        self.run_tool(*self.options("-q", out="undisturbed"))
        self.assertEqual(self.bests(), self.bests("undisturbed"))
        _, stderr = self.run_tool("report", "out")
        self.assertEqual(stderr.count("moe-tune: "), 1, "the line that was cut")

    def test_two_in_one_folder(self):
        both = [self.start(*self.options("-q", "--seed", seed)) for seed in "12"]
        for process in both:
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
        for seed in "12":
            self.run_tool(*self.options("-q", "--seed", seed, out=seed))
        runs = {header["run"]: header["tuning"]["options"]["--seed"] for header in self.records(kind="header")}
        for record in self.records(kind="trial"):
            self.assertIn(record["data"]["seed"] - int(runs[record["run"]]), (0, 1))
        for seed in "12":
            count = sum(runs[record["run"]] == seed for record in self.records())
            self.assertEqual(count, len(self.records(seed)), f"all of seed {seed} is there")
        stdout, stderr = self.run_tool("report", "out", "--json", "-")
        self.assertEqual((len(json.loads(stdout)["results"]), stderr), (4, ""))


class OnARealDevice(Tuning):
    def test_calamities_cost_their_own_trials(self):
        # A random order does not depend on times, so that the second run comes by the same configs.
        more = ["-q", "--strategy", "random", "--trial-timeout", "1"]
        options = dict(device=DEVICE, problems=[SMALL_LINE])
        # Ten trials of each stage, then twenty, however slow the CPU. A GPU's kernels are compiled first.
        brief, ample = ("30evals", "60evals") if DEVICE == "cpu" else ("12s", "24s")
        self.run_tool(*self.options(*more, out="first", budget=brief, **options))
        defaults = {argument(stage, config) for trial in self.records("first", "trial") if trial["stage"] is None
                    for stage, config in trial["stages"].items()}
        alone = {argument(trial["stage"], trial["stages"][trial["stage"]]): None
                 for trial in self.records("first", "trial") if trial["stage"] and trial["outcome"] == "ok"}
        victims = [word for word in alone if word not in defaults]
        calamities = [name for name in RECORDED if name != "break_device" or DEVICE != "cpu"]
        planted = dict(zip(victims, calamities))
        self.assertEqual(len(planted), len(calamities))
        text = " ".join(f"{word}={calamity}" for word, calamity in planted.items())
        stdout, _ = self.run_tool(*self.options(*more, budget=ample, **options), MOETUNE_PLANTED=text)
        self.assertIn("merged ran", stdout)
        # A kernel that spills is refused: a result of its own.
        self.check_calamities(planted, [record for record in self.records()
                                        if not record.get("reason", "").startswith("spills ")])


if __name__ == "__main__":
    if DEVICE != "cpu":
        done = subprocess.run([BINARY, "tune", "--problem", SMALL_LINE, "--device", DEVICE, "--engine", "none"],
                              capture_output=True, text=True)
        if done.returncode == 77:  # no such GPU
            sys.exit(77)
        sys.argv.append("OnARealDevice")  # the rest needs none
    main()
