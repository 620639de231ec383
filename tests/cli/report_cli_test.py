"""`moe-tune report`: formats, and journals that are not whole."""

import csv
import io
import json
import pathlib
import shutil
import xml.etree.ElementTree as xml

from moetune import CliTest, main

COLUMNS = ("model,M,K,N1,N2,E,topk,dtype,activation,bias,routing,impl,engine,median_us,ci_low_us,ci_high_us,roofline_us,"
           "roofline_fraction,ceiling,tflops,gbps,verified,burst_us,ep_ranks,ep_rank")


class Report(CliTest):
    def setUp(self):
        super().setUp()
        kept = pathlib.Path(self.shared) / "out"  # one run for all these tests
        if not kept.exists():
            self.tune("-q")
            shutil.copytree(self.folder / "out", kept)
        else:
            shutil.copytree(kept, self.folder / "out")
        self.journal = self.folder / "out/journal.jsonl"

    def test_table_by_default(self):
        for source in ["out", "out/journal.jsonl"]:
            stdout, stderr = self.run_tool("report", source)
            self.assertIn("three_kernel", stdout)
            self.assertRegex(stdout.splitlines()[-1], "^merged ran ")
            self.assertEqual(stderr, "")
        stdout, _ = self.run_tool("report", *(self.folder / "out/best").iterdir())
        self.assertRegex(stdout.splitlines()[-1], "^merged ran ")

    def test_csv(self):
        stdout, _ = self.run_tool("report", "out", "--csv", "-")
        self.assertEqual(stdout.splitlines()[0], COLUMNS)
        rows = list(csv.DictReader(io.StringIO(stdout)))
        self.assertEqual([row["impl"] for row in rows], ["three_kernel", "merged"])
        for row in rows:
            self.assertEqual((row["model"], row["engine"], row["bias"], row["verified"]), ("custom", "cpu", "none", "true"))
            self.assertLessEqual(float(row["ci_low_us"]), float(row["median_us"]))
            self.assertAlmostEqual(float(row["roofline_fraction"]), float(row["roofline_us"]) / float(row["median_us"]), delta=2e-3)

    def test_several_formats_at_once(self):
        self.run_tool("report", "out", "--markdown", "a/r.md", "--csv", "a/r.csv", "--json", "a/r.json", "--console", "a/r.txt")
        self.assertIn("# Expert MLP", (self.folder / "a/r.md").read_text())
        self.assertEqual(self.documents("a/r.json")[0]["schema"], "moe-tune/report")

    def test_one_page_and_its_charts(self):
        stdout, stderr = self.run_tool("report", "out", "--html", "a/r.html", "--svg", "a/charts")
        self.assertEqual((stdout, stderr), ("", ""))
        page = (self.folder / "a/r.html").read_text()
        self.assertNotRegex(page, r'(src|href)="?(http|//|\./)')  # all of it is inside
        charts = {path.name for path in (self.folder / "a/charts").iterdir()}
        self.assertLessEqual({"speedup-custom-shape.svg", "stages-custom-shape.svg"}, charts)
        self.assertEqual(page.count("<svg "), len(charts))
        for name in charts:
            self.assertEqual(xml.parse(self.folder / "a/charts" / name).getroot().tag, "{http://www.w3.org/2000/svg}svg")
        self.fails("report", "out", "--svg", "a/r.html", says="a/r.html")

    def test_a_corrupt_line_is_named_and_the_rest_reported(self):
        lines = self.journal.read_text().splitlines(keepends=True)
        lines[2] = lines[2][: len(lines[2]) // 2] + "\n"
        self.journal.write_text("".join(lines))
        stdout, stderr = self.run_tool("report", "out")
        self.assertIn("journal.jsonl:3:", stderr)
        self.assertEqual(len(stderr.splitlines()), 1)
        self.assertIn("merged ran", stdout)

    def test_a_run_without_an_end_has_nothing_to_report(self):
        self.journal.write_text(self.journal.read_text().splitlines(keepends=True)[0])
        self.fails("report", "out", says="no best config")

    def test_unwritable_targets(self):
        self.fails("report", "out", "--csv", "out/journal.jsonl/x.csv", says="journal.jsonl")


if __name__ == "__main__":
    main()
