"""Bad input: one line that names the thing and the way out, the right exit code, nothing written."""

import struct

from moetune import SMALL, SMALL_LINE, CliTest, main


def npy(rows, columns, values, dtype="<i4"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}i", *values)


class BadInput(CliTest):
    def tearDown(self):
        self.assertFalse((self.folder / "moe-tune-results").exists(), "something was written")

    def test_nothing_to_do(self):
        self.fails(says=["which subcommand?", "moe-tune tune --model"])
        self.fails("tune", says=["which problem?", "--model qwen3-30b-a3b"])
        self.fails("bench", says="which problem?")

    def test_unknown_names(self):
        self.fails("tun", says=["unknown subcommand 'tun'", "'tune'", "doctor"])
        self.fails("tune", "--modle", "x", says=["unknown option '--modle'", "--model"])
        self.fails("--nope", says="unknown option '--nope'")
        self.fails("tune", "--model", "qwen3-30b-a3", says=["'qwen3-30b-a3'", "qwen3-30b-a3b"])
        self.fails("tune", "--P", "3", says="unknown option '--P'")
        self.fails("list", "modles", says=["'modles'", "models"])
        self.fails("tune", *SMALL, "extra", says="unexpected argument 'extra'")
        self.fails("tune", *SMALL, "--dtype", "fp8", says=["fp8", "bf16"])
        self.fails("tune", *SMALL, "--activation", "relu", says=["relu", "swigluoai"])
        self.fails("tune", *SMALL, "--bias", "b3", says=["b3", "both"])
        self.fails("tune", *SMALL, "--routing", "random", says=["random", "zipf"])
        self.fails("tune", *SMALL, "--impl", "fused", says=["fused", "merged"])
        self.fails("tune", *SMALL, "--strategy", "luck", says=["luck", "halving"])
        self.fails("tune", *SMALL, "--budget", "soon", says=["soon", "90s"])
        self.fails("tune", *SMALL, "--cache", "hot", says=["hot", "cold"])
        for command in "tune", "bench":
            self.fails(command, *SMALL, "--load", "heavy", says=["unknown load 'heavy'", "lasting, replays"])
        self.fails("tune", *SMALL[:-1], "tpu", says=["tpu", "cuda:N"])

    def test_config_keys_and_values(self):
        self.fails("tune", *SMALL, "-c", "BLOCK_SIZ_M=64", says=["BLOCK_SIZ_M", "BLOCK_SIZE_M"])
        self.fails("tune", *SMALL, "-c", "BLOCK_SIZE_M=many", says=["BLOCK_SIZE_M=many", "integer"])
        self.fails("tune", *SMALL, "-c", "BLOCK_SIZE_M", says="KEY=VALUES")
        self.fails("tune", *SMALL, "-c", "route.BLOCK_SIZE_M=64", says="route")
        self.fails("bench", *SMALL, "--config", "gate", says="STAGE=ENGINE")
        self.fails("bench", *SMALL, "--config", "gate=cpu:BLOCK=3", says=["no 'BLOCK'", "BLOCK_SIZE_M"])
        self.fails("bench", *SMALL, "--config", "gate=nope:BLOCK_SIZE_M=3", says=["nope", "cpu"])

    def test_sizes(self):
        def sizes(M=4, K=64, N1=64, E=4, topk=2):
            return ["tune", "--device", "cpu", "--M", M, "--K", K, "--N1", N1, "--E", E, "--topk", topk]

        self.fails(*sizes(topk=5), says=["topk = 5", "4"])
        self.fails(*sizes(M=0), says="--M '0'")
        self.fails(*sizes(M=-3), says="--M '-3'")
        self.fails(*sizes(K=0), says="--K '0'")
        self.fails(*sizes(N1=63), says=["N1 = 63", "odd"])
        self.fails(*sizes(N1=72), says="36")
        self.fails(*sizes(K=60), says=["K = 60", "56 or 64"])
        self.fails(*sizes(E=2000), says=["E = 2000", "1024"])
        self.fails(*sizes(M=20000000), says="M")
        self.fails(*sizes(M="9" * 30), says="no integer")
        self.fails(*sizes(), "--N2", "60", says="N2 = 60")
        self.fails("tune", "--model", "mixtral-8x7b", "--tp", "3", says=["mixtral-8x7b", "tp = 3"])
        self.fails("tune", "--model", "mixtral-8x7b", "--ep", "3", says="ep = 3")
        self.fails("tune", "--model", "mixtral-8x7b", "--tp", "0", says="tp")

    def test_problem_lines_and_batch_files(self):
        self.fails("tune", "--problem", "M=4", says="'K' is missing")
        self.fails("tune", "--problem", SMALL_LINE + ",X=3", says="X")
        (self.folder / "batch").write_text(f"{SMALL_LINE}\nM=4,K=64\n")
        self.fails("tune", "--batch", "batch", says="batch:2:")
        (self.folder / "batch").write_text("# nothing\n")
        self.fails("tune", "--batch", "batch", says="no problem")
        self.fails("tune", "--batch", "missing", says="missing")
        self.fails("tune", "--batch", ".", says="folder")

    def test_routing_files(self):
        def check(content, says):
            (self.folder / "ids.npy").write_bytes(content)
            self.fails("tune", *SMALL, "--routing", "file:ids.npy", says=["ids.npy", says])

        self.fails("tune", *SMALL, "--routing", "file:missing.npy", says="missing.npy")
        check(b"text", "")
        check(npy(4, 2, [0, 1, 1, 2, 2, 3, 3, 9]), "9")
        check(npy(4, 2, [0, 1, 1, 2, 2, 3, 3, -1]), "-1")
        check(npy(4, 2, [0, 1, 1, 2, 2, 3, 3, 3]), "3")
        check(npy(3, 2, [0, 1, 1, 2, 2, 3]), "3")
        check(npy(4, 2, [0, 1, 1]), "")

    def test_unwritable_output(self):
        (self.folder / "file").write_text("")
        self.fails("tune", *SMALL, "--out", "file", says="file")
        self.fails("tune", *SMALL, "--out", "file/below", says="file")

    def test_no_gpu(self):
        line = self.fails("tune", *SMALL[:-1], "cuda:99", code=77, says="")
        self.assertGreater(len(line), 30)

    def test_damaged_ceilings(self):
        # Not the shared cache: it is about to be damaged.
        env = {"MOETUNE_CACHE_DIR": str(self.folder / "cache")}
        self.run_tool("doctor", "--device", "cpu", **env)
        (path,) = (self.folder / "cache/ceilings").iterdir()
        path.write_text("{")
        self.fails("tune", *SMALL, "--out", "out", says=[path.name, "delete this file", "doctor --measure"], **env)
        self.run_tool("doctor", "--device", "cpu", "--measure", **env)
        self.run_tool("doctor", "--device", "cpu", **env)

    def test_other_files_as_journal_or_best_config(self):
        (self.folder / "text").write_text("hello\n")
        (self.folder / "empty.jsonl").write_text("")
        (self.folder / "best.json").write_text('{"schema": "moe-tune/best-config", "schema_version": "2.0"}')
        self.fails("report", "text", says=["text", "no moe-tune journal"])
        self.fails("report", "empty.jsonl", says="empty")
        self.fails("report", "best.json", says=["best.json", "schema_version"])
        self.fails("bench", "best.json", says=["best.json", "schema_version"])
        self.fails("report", "missing", says="missing")
        self.fails("report", ".", says=["empty.jsonl"])
        self.fails("report", says="inputs")

    def test_a_journal_is_never_mixed_with_another_file(self):
        (self.folder / "out").mkdir()
        (self.folder / "out/journal.jsonl").write_text("my notes\n")
        self.fails("tune", *SMALL, "--out", "out", says=["journal.jsonl", "no moe-tune journal"])
        self.assertEqual((self.folder / "out/journal.jsonl").read_text(), "my notes\n")

    def test_too_large_for_the_device(self):
        stdout, stderr = self.run_tool("tune", "--device", "cpu", "--out", "out", "--budget", "2s",
                                       "--problem", "M=1,K=1048576,N1=1048576,E=1024,topk=1",
                                       "--problem", SMALL_LINE, code=2)
        self.assertRegex(stderr, r"moe-tune: M=1,K=1048576.*(GB|GiB|TB|TiB|bytes)")
        self.assertIn("merged ran", stdout)  # the rest went on


if __name__ == "__main__":
    main()
