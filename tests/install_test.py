"""`cmake --install` and `cpack`: everything where a distribution expects it, and the installed binary works by itself."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["MOETUNE_BUILD"])
CMAKE = os.environ.get("MOETUNE_CMAKE", "cmake")
CPACK = os.environ.get("MOETUNE_CPACK", "cpack")
ROOT = pathlib.Path(__file__).resolve().parent.parent
FETCHED = (BUILD / "_deps").exists()

EXPECTED = {
    "bin/moe-tune", "share/man/man1/moe-tune.1", "share/bash-completion/completions/moe-tune",
    "share/fish/vendor_completions.d/moe-tune.fish", "share/moe-tune/search_spaces/models.json",
    "share/moe-tune/search_spaces/mma.json", "share/moe-tune/schemas/journal.json", "share/doc/moe-tune/README.md",
    "include/moetune/moe.h", "include/moetune/moe.hpp", "share/moe-tune/python/merged_moe_kernel/__init__.py"}
LIBRARIES = {"libmoetune.so", "libmoetune.so.1", "libmoetune.a", "moetune.pc"}  # in lib/ or lib/<architecture>/


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="moe-tune-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run(CMAKE, "--install", BUILD, "--prefix", "/usr/local", env={**os.environ, "DESTDIR": str(cls.folder)})
        cls.prefix = cls.folder / "usr/local"

    def tool(self, *args, **options):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "MOETUNE_CACHE_DIR": str(self.folder / "cache")}
        return run(self.prefix / "bin/moe-tune", *args, cwd=self.folder, env=environment, **options)

    def test_everything_has_its_place(self):
        found = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        self.assertLessEqual(EXPECTED | {"share/zsh/site-functions/_moe-tune"}, found)
        self.assertLessEqual(LIBRARIES, {path.split("/")[-1] for path in found if path.startswith("lib")})
        # And nothing of the modules, tests or their headers.
        self.assertEqual({path.split("/")[0] for path in found} - {"lib64"}, {"bin", "include", "lib", "share"})
        self.assertEqual({path for path in found if path.startswith("bin/")}, {"bin/moe-tune"})
        self.assertEqual({path for path in found if path.startswith("include/")},
                         {"include/moetune/moe.h", "include/moetune/moe.hpp"})
        self.assertEqual({path for path in found if path.endswith(".a")},
                         {path for path in found if path.endswith("/libmoetune.a")})

    def library_folder(self):
        (found,) = self.prefix.rglob("libmoetune.a")
        return found.parent

    def test_a_program_links_against_either_library(self):
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no C compiler here")
        source, folder = ROOT / "tests/library/header_program.c", self.library_folder()
        flags = ["-std=c11", "-I", self.prefix / "include", source]
        run(compiler, *flags, "-L", folder, "-lmoetune", f"-Wl,-rpath,{folder}", "-o", self.folder / "shared")
        self.assertIn("43e0 4360", run(self.folder / "shared"))
        private = next(line for line in (folder / "pkgconfig/moetune.pc").read_text().splitlines()
                       if line.startswith("Libs.private: ")).split()[1:]
        if FETCHED:
            self.skipTest("fmt, Highway or zlib were built from source: no libraries of the system to link against")
        run(compiler, *flags, folder / "libmoetune.a", *private, "-o", self.folder / "static")
        self.assertIn("43e0 4360", run(self.folder / "static"))

    def test_the_python_module_finds_its_library(self):
        script = "import merged_moe_kernel; print(merged_moe_kernel.__version__)"
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1",
                       "PYTHONPATH": str(self.prefix / "share/moe-tune/python")}
        version = run(sys.executable, "-c", script, cwd=self.folder, env=environment).strip()
        self.assertIn(f"moe-tune {version} ", self.tool("--version"))

    def test_the_binary_finds_its_search_spaces(self):
        spaces = self.tool("list", "spaces")
        for path in (self.prefix / "share/moe-tune/search_spaces").glob("*.json"):
            space = json.loads(path.read_text())
            if "engine" in space and "axes" in space:
                self.assertIn(f"{space['engine']}: ", spaces)
        models = json.loads((self.prefix / "share/moe-tune/search_spaces/models.json").read_text())["models"]
        self.assertIn(models[0]["id"], self.tool("list", "models"))

    def test_the_binary_computes(self):
        stdout = self.tool("verify", "--problem", "M=4,K=64,N1=64,E=4,topk=2", "--device", "cpu")
        self.assertIn("4 of 4 checks passed", stdout)

    def test_version_has_the_revision(self):
        pattern = r"^moe-tune \d+\.\d+\.\d+ \(([0-9a-f]{12}(\+changes)?|unknown), .*\)$"
        self.assertRegex(self.tool("--version").strip(), pattern)
        if (ROOT / ".git").exists() and shutil.which("git"):
            self.assertNotIn("unknown", self.tool("--version"))

    def test_pages_are_those_of_this_binary(self):
        page = (self.prefix / "share/man/man1/moe-tune.1").read_text()
        self.assertEqual(page, self.tool("man"))
        for shell, path in [("bash", "bash-completion/completions/moe-tune"), ("zsh", "zsh/site-functions/_moe-tune"),
                            ("fish", "fish/vendor_completions.d/moe-tune.fish")]:
            self.assertEqual((self.prefix / "share" / path).read_text(), self.tool("completion", shell))


class Package(unittest.TestCase):
    def test_deb(self):
        if shutil.which("dpkg-deb") is None or shutil.which("dpkg-shlibdeps") is None:
            self.skipTest("no dpkg here")
        with tempfile.TemporaryDirectory(prefix="moe-tune-test-") as folder:
            run(CPACK, "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", folder)
            (package,) = pathlib.Path(folder).glob("*.deb")
            files = {line.split()[-1].removeprefix("./usr/") for line in run("dpkg-deb", "-c", package).splitlines()}
            self.assertLessEqual(EXPECTED, files)
            self.assertTrue({"share/zsh/vendor-completions/_moe-tune", "share/zsh/site-functions/_moe-tune"} & files)
            self.assertIn("libc6", run("dpkg-deb", "-f", package, "Depends"))
            self.assertEqual(run("dpkg-deb", "-f", package, "Package").strip(), "moe-tune")


if __name__ == "__main__":
    unittest.main(verbosity=2)
