"""What the build cannot see: a module includes only from modules below it, and PTX stays in its folder.

The order of the modules is that of add_subdirectory() in the root CMakeLists.txt, bottom to top.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
SOURCES = {".h", ".cpp", ".cu", ".cuh"}


def module_order(text):
    return re.findall(r"^add_subdirectory\(src/(\w+)\)", text, re.M)


def includes(text):
    return INCLUDE.findall(text)


def violations(order, module, text):
    """Includes of `text`, a file of `module`, that reach upwards or nowhere."""
    found = []
    for name in includes(text):
        first = name.split("/")[0]
        if first == "kernels":
            continue  # formulas that host and device share
        if first not in order or order.index(first) > order.index(module):
            found.append(name)
    return found


def sources(folder):
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in SOURCES)


class Layers(unittest.TestCase):
    order = module_order((ROOT / "CMakeLists.txt").read_text())

    def test_every_folder_is_a_module(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertEqual(folders, set(self.order))

    def test_modules_include_only_from_below(self):
        for path in sources("src"):
            module = path.relative_to(ROOT / "src").parts[0]
            with self.subTest(path=str(path.relative_to(ROOT))):
                self.assertEqual(violations(self.order, module, path.read_text()), [])

    def test_kernels_include_only_kernels(self):
        for path in sources("kernels"):
            with self.subTest(path=str(path.relative_to(ROOT))):
                self.assertEqual([name for name in includes(path.read_text()) if not name.startswith("kernels/")], [])

    def test_kernels_that_nvrtc_reads_have_no_system_headers(self):
        for path in sources("kernels"):
            if "cpu" in path.relative_to(ROOT / "kernels").parts:
                continue
            with self.subTest(path=str(path.relative_to(ROOT))):
                self.assertEqual(re.findall(r"^\s*#\s*include\s*<.*", path.read_text(), re.M), [])

    def test_asm_only_in_kernels_ptx(self):
        for path in sources("kernels") + sources("src"):
            if path.is_relative_to(ROOT / "kernels/ptx"):
                continue
            with self.subTest(path=str(path.relative_to(ROOT))):
                self.assertNotRegex(path.read_text(), r"\basm\b\s*(volatile|\()")

    def test_no_catch_all_files(self):
        for path in sources("src") + sources("kernels"):
            self.assertNotIn(path.stem, {"util", "utils", "common", "helper", "helpers", "misc"}, path)

    def test_json_hpp_stays_out_of_headers(self):
        for path in sources("src"):
            if path.suffix == ".h":
                self.assertNotIn("<nlohmann/json.hpp>", path.read_text(), f"{path}: json_fwd.hpp compiles far faster")

    def test_files_can_be_read_in_one_sitting(self):
        for path in sources("src") + sources("kernels"):
            self.assertLessEqual(path.read_text().count("\n"), 450, path)


class TheCheckItself(unittest.TestCase):
    """It can fail."""

    def test_upward_includes_are_found(self):
        order = ["base", "data", "cli"]
        text = '#include "base/error.h"\n#include "cli/command.h"\n#include <vector>\n  #  include "nowhere.h"\n'
        self.assertEqual(violations(order, "data", text), ["cli/command.h", "nowhere.h"])
        self.assertEqual(violations(order, "cli", '#include "data/fill.h"'), [])

    def test_the_order_is_read(self):
        self.assertEqual(module_order("add_subdirectory(src/base)\n  # add_subdirectory(src/x)\nadd_subdirectory(src/cli)\n"),
                         ["base", "cli"])


if __name__ == "__main__":
    unittest.main()
