"""libmoetune.so shows what its header declares, under a version, and nothing else."""

import os
import pathlib
import re
import subprocess
import unittest

LIBRARY = os.environ["MOETUNE_LIBRARY"]
HEADER = pathlib.Path(__file__).resolve().parents[2] / "src/library/include/moetune/moe.h"


class Exports(unittest.TestCase):
    def test_they_are_the_header_s(self):
        declared = set(re.findall(r"^MOE_API [^(]*?(moe_\w+)\(", HEADER.read_text(), re.M))
        self.assertGreaterEqual(len(declared), 10)
        listed = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", LIBRARY],
                                capture_output=True, text=True, check=True).stdout
        symbols = {line.split()[-1] for line in listed.splitlines() if line.split()[-2] != "A"}
        self.assertEqual(symbols, {f"{name}@@MOETUNE_1.0" for name in declared})

    def test_the_name_has_a_version(self):
        text = subprocess.run(["readelf", "-d", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertRegex(text, r"SONAME.*\[libmoetune\.so\.1\]")


if __name__ == "__main__":
    unittest.main()
