"""moe-tune record: what a journal measured, as spaces."""

import gzip
import json
import pathlib
import unittest

import moetune

JOURNALS = pathlib.Path(__file__).resolve().parents[2] / "results/nvidia-h200-single"


class Record(moetune.CliTest):
    def test_every_stage_of_every_problem_is_a_space(self):
        stdout, stderr = self.run_tool("record", JOURNALS, "--out", "spaces")
        files = stdout.splitlines()
        self.assertEqual(len(files), 2 * 4)  # M = 1 and 64; gemm1, gate, final, mlp
        self.assertEqual(stderr.count("legal configs"), 8)
        with gzip.open(self.folder / files[0], "rt") as file:
            space = json.load(file)
        self.assertEqual(space["schema"], "moe-tune/space")
        configs = sum(len(engine["configs"]) for engine in space["engines"])
        self.assertEqual({row[0] for row in space["trials"]}, set(range(configs)))
        journal = [json.loads(line) for line in (JOURNALS / "journal.jsonl").read_text().splitlines()]
        times = {round(trial["time"]["median_us"], 2) for trial in journal
                 if trial["kind"] == "trial" and trial["stage"] == space["stage"] and trial["time"]}
        self.assertTrue({round(row[4], 2) for row in space["trials"] if row[2] == "ok"} <= times)

    def test_journals_of_one_space_are_taken_together(self):
        header, *lines = (JOURNALS / "journal.jsonl").read_text().splitlines(keepends=True)
        for name, half in [("one", lines[::2]), ("other", lines[1::2])]:
            (self.folder / f"{name}.jsonl").write_text(header + "".join(half))

        def configs(*inputs):
            _, stderr = self.run_tool("record", *inputs, "--out", "spaces")
            return sum(int(line.split()[0]) for line in stderr.splitlines() if "legal configs" in line)
        together = configs("one.jsonl", "other.jsonl")
        self.assertEqual(together, configs(JOURNALS))
        self.assertLess(configs("one.jsonl"), together)

    def test_what_is_missing_is_said(self):
        self.fails("record", JOURNALS, says="--out")
        self.fails("record", "nowhere.jsonl", "--out", "spaces", says="nowhere.jsonl")
        self.fails("record", JOURNALS / "best", "--out", "spaces", says="--strategy exhaustive")


if __name__ == "__main__":
    unittest.main()
