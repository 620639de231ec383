"""moe-tune replay: strategies on recorded spaces."""

import json
import pathlib
import unittest

import moetune

RESULTS = pathlib.Path(__file__).resolve().parents[2] / "results"
JOURNALS = RESULTS / "nvidia-h200-single"
WHOLE = RESULTS / "nvidia-h200-spaces"


class Replay(moetune.CliTest):
    def setUp(self):
        super().setUp()
        self.spaces = pathlib.Path(self.shared) / "spaces"  # recorded once: reading journals takes longest
        if not self.spaces.exists():
            self.run_tool("record", JOURNALS, "--out", self.spaces)

    def overall(self, *options):
        """Of each strategy, over all spaces."""
        stdout, _ = self.run_tool("replay", *options, "--json", "-")
        return {row["strategy"]: row for row in json.loads(stdout)["results"] if row["problem"] is None}

    def test_every_strategy_has_a_row_for_every_space_and_one_for_all(self):
        stdout, stderr = self.run_tool("replay", self.spaces, "--strategy", "halving,random", "--seeds", "10",
                                       "--budget", "30%", "--json", "replay.json")
        self.assertEqual(stdout.count("halving"), 9)
        self.assertEqual(stdout.count("random"), 9)
        self.assertIn("legal configs were recorded", stderr)
        document = json.loads((self.folder / "replay.json").read_text())
        self.assertEqual(document["schema"], "moe-tune/replay")
        overall = {row["strategy"]: row for row in document["results"] if row["problem"] is None}
        self.assertEqual(overall["random"]["runs"], 80)
        self.assertLess(overall["halving"]["regret"]["median"], overall["random"]["regret"]["p95"])

    def test_the_default_ends_within_1_percent_of_what_an_h200_can_with_5_percent_of_its_configs(self):
        overall = self.overall(WHOLE, "--strategy", "halving,model,random", "--seeds", "20", "--budget", "5%")
        self.assertEqual(overall["halving"]["runs"], 8 * 20)
        for name in ["halving", "model"]:
            self.assertLess(overall[name]["regret"]["median"], 0.01)
            self.assertLess(overall[name]["regret"]["p95"], 0.02)
            self.assertLess(overall[name]["regret"]["p95"], overall["random"]["regret"]["p95"])

    def test_the_same_seeds_give_the_same_figures(self):
        once, again = (self.run_tool("replay", self.spaces, "--seeds", "5", "--json", "-", "--budget", "20evals")[0]
                       for _ in range(2))
        self.assertEqual(once, again)

    def test_what_cannot_be_replayed_is_named(self):
        self.fails("replay", "nowhere.json.gz", says="nowhere.json.gz")
        self.fails("replay", self.folder, says="moe-tune record")
        self.fails("replay", JOURNALS / "journal.jsonl", says="journal.jsonl")
        self.fails("replay", self.spaces, "--strategy", "luck", says=["luck", "halving"])


if __name__ == "__main__":
    unittest.main()
