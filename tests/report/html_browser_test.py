"""The HTML report in a browser: every chart there, nothing on the console, no label on another, at two widths, light and dark.

Needs Chromium; without it the test is skipped.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from browser import Browser, find_chromium

BINARY = os.environ.get("MOETUNE", "moe-tune")
RESULTS = pathlib.Path(__file__).resolve().parents[2] / "results"
WIDTHS = [390, 1280]

# Texts of one chart that lie on each other, or beyond its edge.
LABELS = """
[...document.querySelectorAll("svg.chart")].flatMap(svg => {
  const frame = svg.getBoundingClientRect(), name = svg.parentElement.id;
  const labels = [...svg.querySelectorAll("text")].map(text => ({text: text.textContent, box: text.getBoundingClientRect()}));
  const found = [];
  labels.forEach((a, i) => {
    if (a.box.left < frame.left - .5 || a.box.right > frame.right + .5 || a.box.top < frame.top - .5 || a.box.bottom > frame.bottom + .5)
      found.push(`${name}: '${a.text}' leaves the chart`);
    for (const b of labels.slice(i + 1))
      if (Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left) > .5 &&
          Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top) > Math.min(a.box.height, b.box.height) * .25)
        found.push(`${name}: '${a.text}' lies on '${b.text}'`);
  });
  return found;
})
"""


class HtmlReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="moe-tune-test-")
        cls.page = pathlib.Path(cls.folder.name) / "report.html"
        subprocess.run([BINARY, "report", RESULTS / "nvidia-h200/journal.jsonl", "--html", cls.page,
                        "--svg", cls.page.parent / "svg"], check=True)
        cls.browser = Browser(find_chromium())

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def each_view(self):
        for width in WIDTHS:
            for dark in [False, True]:
                self.browser.open(self.page, width, dark)
                with self.subTest(width=width, dark=dark):
                    yield width

    def test_nothing_on_the_console_and_nothing_from_the_network(self):
        for _ in self.each_view():
            self.assertEqual(self.browser.messages, [])
            self.assertEqual(self.browser.ask("performance.getEntriesByType('resource').length"), 0)

    def test_every_chart_is_there_and_drawn(self):
        self.browser.open(self.page, 1280)
        ids = self.browser.ask("[...document.querySelectorAll('figure.card')].map(figure => figure.id)")
        for kind in ["speedup", "roofline", "stages", "slice"]:
            self.assertEqual(len([name for name in ids if name.startswith(kind + "-")]), 6 + (kind == "speedup"), kind)
        for engine in ["mma", "wgmma", "wgmma_swap_ab"]:
            self.assertIn(f"tunable-{engine}-BLOCK_SIZE_M", ids)
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(sorted(path.stem for path in (self.page.parent / "svg").iterdir()), sorted(ids))
        empty = self.browser.ask("[...document.querySelectorAll('svg.chart')]"
                                 ".filter(svg => svg.querySelectorAll('.mark, .open, .cell').length < 2"
                                 " || svg.getBoundingClientRect().height < 100).map(svg => svg.parentElement.id)")
        self.assertEqual(empty, [])
        wild = self.browser.ask("document.body.innerHTML.match(/[\\\"> ](nan|inf|NaN|undefined)[\\\"< ]/g)")
        self.assertIsNone(wild)

    def test_no_label_lies_on_another(self):
        for _ in self.each_view():
            self.assertEqual(self.browser.ask(LABELS), [])

    def test_the_check_of_labels_can_fail(self):
        self.browser.open(self.page, 1280)
        self.browser.ask("document.querySelectorAll('svg.chart text').forEach(text => text.setAttribute('x', 300))")
        self.assertGreater(len(self.browser.ask(LABELS)), 100)

    def test_the_page_is_no_wider_than_the_screen(self):
        for width in self.each_view():
            self.assertLessEqual(self.browser.ask("document.documentElement.scrollWidth"), width)

    def test_light_and_dark_differ(self):
        colours = []
        for dark in [False, True]:
            self.browser.open(self.page, 1280, dark)
            colours.append(self.browser.ask("[document.body, document.querySelector('svg.chart text')].map(each => "
                                            "getComputedStyle(each)).map(style => style.backgroundColor + style.fill)"))
        self.assertNotEqual(colours[0][0], colours[1][0])
        self.assertNotEqual(colours[0][1], colours[1][1])

    def test_tables_sort_both_ways(self):
        self.browser.open(self.page, 1280)
        column = """(() => { const table = document.querySelector("#shape-0 table");
          const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === "µs");
          const click = () => table.tHead.rows[0].cells[at].firstElementChild.click();
          const read = () => [...table.tBodies[0].rows].map(row => +row.cells[at].textContent);
          const sort = table.tHead.rows[0].cells[at];
          click(); const up = read(), said = sort.ariaSort; click();
          return [up, read(), said, sort.ariaSort]; })()"""
        up, down, first, second = self.browser.ask(column)
        self.assertEqual(len(up), 14)
        self.assertEqual(up, sorted(up))
        self.assertEqual(down, up[::-1])
        self.assertEqual((first, second), ("ascending", "descending"))

    def test_points_lead_to_their_rows(self):
        self.browser.open(self.page, 1280)
        lost = self.browser.ask("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href'))"
                                ".filter(href => !document.getElementById(href.slice(1)))")
        self.assertEqual(lost, [])
        hint = self.browser.ask("document.querySelector('#speedup-deepseek-v3 a title').textContent")
        self.assertIn("as fast as three_kernel", hint)
        self.assertIn("moe-tune bench --device", hint)

    def test_svg_files_stand_alone(self):
        for path in sorted((self.page.parent / "svg").glob("s*.svg")):
            self.browser.open(path, 800)
            with self.subTest(path=path.name):
                self.assertEqual(self.browser.ask("document.documentElement.nodeName"), "svg")
                self.assertEqual(self.browser.ask("document.querySelectorAll('parsererror, a').length"), 0)
                self.assertGreater(self.browser.ask("document.documentElement.getBoundingClientRect().width"), 100)
        self.assertEqual(self.browser.messages, [])


if __name__ == "__main__":
    if find_chromium() is None:
        print("no Chromium here: skipped", file=sys.stderr)
        sys.exit(77)
    unittest.main(verbosity=2)
