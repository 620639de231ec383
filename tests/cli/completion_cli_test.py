"""`moe-tune completion` and `moe-tune man`: what shells offer, asked of the shells themselves."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from moetune import BINARY, CliTest, main

# COMP_WORDS as bash fills it in, then what it would offer.
ASK_BASH = r"""
source ./script
function=$(complete -p moe-tune | sed 's/.*-F \([^ ]*\) .*/\1/')
mapfile -t COMP_WORDS < words
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$function" moe-tune "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def split_as_bash_does(line):
    """At blanks, and at '=' and ':', which stand in COMP_WORDBREAKS; these are words themselves."""
    words = [word for part in line.split() for word in re.split("([=:])", part) if word]
    return words + [""] if line.endswith(" ") else words


class Bash(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.script = subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, check=True).stdout

    def offers(self, line):
        (self.folder / "script").write_text(self.script)
        (self.folder / "words").write_text("".join(word + "\n" for word in split_as_bash_does(line)))
        done = subprocess.run(["bash", "--norc", "-uc", ASK_BASH], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        return set(done.stdout.split("\n")) - {""}

    def test_subcommands(self):
        self.assertLessEqual({"tune", "bench", "report", "completion", "man"}, self.offers("moe-tune "))
        self.assertEqual(self.offers("moe-tune t"), {"tune"})
        self.assertEqual(self.offers("moe-tune --v"), {"--version"})

    def test_options_are_those_of_help(self):
        stdout, _ = self.run_tool("tune", "--help")
        options = {name for line in stdout.splitlines() if line.startswith("  -") for name in
                   re.findall(r"(?<![\w-])--?[\w-]+", line[2:].split(" ")[0])}
        self.assertGreater(len(options), 20)
        self.assertEqual(self.offers("moe-tune tune -"), options)
        self.assertEqual(self.offers("moe-tune tune --model x --str"), {"--strategy"})

    def test_values(self):
        self.assertEqual(self.offers("moe-tune tune --model qwen3-30"), {"qwen3-30b-a3b"})
        self.assertEqual(self.offers("moe-tune tune --model=qwen3-30"), {"qwen3-30b-a3b"})
        self.assertEqual(self.offers("moe-tune tune --cache="), {"cold", "warm"})
        self.assertEqual(self.offers("moe-tune bench --load "), {"lasting", "replays"})
        self.assertLessEqual({"vllm", "sglang", "t4"}, self.offers("moe-tune export x.json --format "))
        self.assertLessEqual({"halving", "random"}, self.offers("moe-tune tune --strategy "))
        self.assertLessEqual({"models", "engines"}, self.offers("moe-tune list "))
        self.assertEqual(self.offers("moe-tune completion "), {"bash", "zsh", "fish"})
        self.assertEqual(self.offers("moe-tune tune --budget "), set())

    def test_lists_and_colons(self):
        self.assertEqual(self.offers("moe-tune tune --impl three_kernel,merged_"), {"three_kernel,merged_single"})
        self.assertLessEqual({"mma,wgmma", "mma,cpu"}, self.offers("moe-tune tune --engine mma,"))
        self.assertEqual(self.offers("moe-tune tune --device cuda:"), {"0"})
        self.assertEqual(self.offers("moe-tune tune --routing zipf:1"), {"1.0"})

    def test_files_and_folders(self):
        (self.folder / "out dir").mkdir()
        (self.folder / "out.jsonl").touch()
        self.assertEqual(self.offers("moe-tune report out"), {"out.jsonl", "out dir"})
        self.assertEqual(self.offers("moe-tune tune --out out"), {"out dir"})
        self.assertEqual(self.offers("moe-tune tune --batch out."), {"out.jsonl"})

    def test_at_a_prompt(self):
        (self.folder / "script").write_text(self.script)
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self.folder)
            os.environ.update(PS1="> ", TERM="dumb")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.addCleanup(os.waitpid, process, 0)
        self.addCleanup(os.close, terminal)
        os.write(terminal, b"moe-tune() { echo \"<$*>\"; }; source ./script\n")
        os.write(terminal, b"moe-tune tune --model olm\t --impl mer\t\n")
        seen, end = b"", time.monotonic() + 20
        while b"<tune" not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 0.5)[0]:
                seen += os.read(terminal, 4096)
        self.assertRegex(seen.decode(), r"<tune --model olmoe-1b-7b +--impl merged")
        os.write(terminal, b"\x03\nexit\n")


class OtherShells(CliTest):
    def script(self, shell):
        stdout, _ = self.run_tool("completion", shell)
        return stdout

    def check_syntax(self, shell, script):
        if shutil.which(shell) is None:
            self.skipTest(f"{shell} is not here")
        (self.folder / "script").write_text(script)
        done = subprocess.run([shell, "-n", "script"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_bash_syntax(self):
        self.check_syntax("bash", self.script("bash"))

    def test_zsh_syntax(self):
        self.check_syntax("zsh", self.script("zsh"))

    def test_fish_syntax(self):
        self.check_syntax("fish", self.script("fish"))

    def test_fish_offers_values(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not here")
        (self.folder / "script").write_text(self.script("fish"))
        done = subprocess.run(["fish", "--no-config", "-c", "source ./script; complete -C 'moe-tune tune --cache '"],
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual({line.split("\t")[0] for line in done.stdout.splitlines()}, {"cold", "warm"}, done.stderr)

    def test_zsh_has_every_option_once(self):
        script = self.script("zsh")
        self.assertTrue(script.startswith("#compdef moe-tune\n"))
        tune = script.split("      tune)\n")[1].split(";;")[0]
        self.assertEqual(tune.count("--model="), 1)
        self.assertRegex(tune, r"'\*--model=\[A model's?".replace("'s?", r"'\\''s") + r".*\]:ID:\(.*qwen3-30b-a3b")
        self.assertIn(":LIST:_sequence compadd - three_kernel merged merged_single'", tune)
        self.assertEqual(tune.count("'") % 2, 0)

    def test_fish_has_every_option_once(self):
        lines = self.script("fish").splitlines()
        (model,) = [line for line in lines if "from tune'" in line and " -l model " in line]
        self.assertIn("qwen3-30b-a3b", model)
        (quiet,) = [line for line in lines if "from tune'" in line and " -l quiet " in line]
        self.assertIn(" -s q ", quiet)
        for line in lines:
            self.assertEqual(len(re.findall(r"(?<!\\)'", line)) % 2, 0, line)

    def test_unknown_shells(self):
        self.fails("completion", "tcsh", says=["unknown shell 'tcsh'", "bash, zsh and fish"])
        self.fails("completion", says="shell")


class Man(CliTest):
    def test_says_what_help_says(self):
        page, _ = self.run_tool("man")
        plain = page.replace("\\-", "-").replace("\\(aq", "'").replace("\\(ga", "`").replace("\\e", "\\")
        plain = " ".join(re.sub(r"\\f[BIR]|\\[&:]", "", plain).split())
        for command in ["tune", "bench", "verify", "report", "export", "compare", "list", "doctor", "completion"]:
            stdout, _ = self.run_tool(command, "--help")
            for line in stdout.splitlines():
                if line.startswith("Usage:") or not line.strip() or line.endswith(":"):
                    continue
                text = re.split(r"  +", line.strip())[-1]
                if not text.startswith(("-", "inputs", "sides", "topic", "shell", "best-config")):
                    self.assertIn(" ".join(text.split()), plain, command)

    def test_roff_without_warnings(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not here")
        page, _ = self.run_tool("man")
        done = subprocess.run(["groff", "-k", "-man", "-Tutf8", "-ww", "-z"], input=page, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()
