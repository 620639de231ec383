"""`moe-tune doctor`."""

import pathlib

from moetune import CliTest, main


class Doctor(CliTest):
    def test_says_what_there_is(self):
        stdout, _ = self.run_tool("doctor")
        self.assertRegex(stdout, r"(?m)^host$")
        self.assertRegex(stdout, r"(?m)^cpu$")
        self.assertRegex(stdout, r"ceilings +\d+\.\d GB/s read, \d+\.\d\d TFLOP/s")
        self.assertIn("nvrtc", stdout)
        self.assertIn(self.shared, stdout)
        # Measured once.
        files = list(pathlib.Path(self.shared, "ceilings").iterdir())
        before = [path.stat().st_mtime_ns for path in files]
        again, stderr = self.run_tool("doctor")
        self.assertEqual(before, [path.stat().st_mtime_ns for path in files])
        self.assertEqual(stdout, again)
        self.assertEqual(stderr, "")

    def test_a_cache_that_cannot_be_written(self):
        (self.folder / "file").write_text("")
        stdout, _ = self.run_tool("doctor", "--device", "cpu", "--no-ceilings", code=2,
                                  MOETUNE_CACHE_DIR=str(self.folder / "file"))
        self.assertIn("set MOETUNE_CACHE_DIR", stdout)

    def test_no_such_gpu(self):
        self.fails("doctor", "--device", "cuda:99", code=77, says="")


if __name__ == "__main__":
    main()
