"""The Python module with PyTorch on a GPU, against the formulas in fp32. Needs torch and a GPU: without, it exits with 77.

    MOETUNE_LIBRARY=build/libmoetune.so python3 tests/gpu/merged_moe_kernel_test.py
"""

import itertools
import pathlib
import sys
import threading
import unittest

try:
    import torch
except ImportError:
    print("no PyTorch here: skipped")
    sys.exit(77)
if not torch.cuda.is_available():
    print("no GPU here: skipped")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src/library/python"))
import merged_moe_kernel as moe  # noqa: E402

DEVICE = torch.device("cuda", torch.cuda.current_device())
ACTIVATIONS = {
    "silu": lambda g, u: torch.nn.functional.silu(g) * u,
    "gelu": lambda g, u: torch.nn.functional.gelu(g) * u,
    "gelu_tanh": lambda g, u: torch.nn.functional.gelu(g, approximate="tanh") * u,
    "swigluoai_uninterleave": lambda g, u: (u.clamp(-7, 7) + 1) * g.clamp(max=7) * torch.sigmoid(1.702 * g.clamp(max=7)),
}
# M, K, N1/2, N2, E, topk: one of everything, tiles ragged on all sides, one expert, all experts, many slots.
SHAPES = [(1, 8, 8, 8, 1, 1), (1, 128, 128, 128, 64, 8), (5, 72, 88, 104, 5, 2), (33, 200, 136, 264, 24, 3),
          (257, 64, 8, 8, 2, 1), (40, 72, 136, 1032, 6, 6), (300, 192, 128, 128, 2, 1), (1200, 128, 128, 64, 16, 8),
          (6000, 64, 32, 64, 32, 3)]


def inputs(M=33, K=200, inner=136, N2=264, E=24, topk=3, dtype=torch.bfloat16, bias=False, seed=0):
    generator = torch.Generator(DEVICE).manual_seed(seed)

    def tensor(*shape, scale=1.0):
        return (torch.randn(shape, generator=generator, device=DEVICE) * scale).to(dtype)
    call = dict(hidden_states=tensor(M, K), w1=tensor(E, 2 * inner, K, scale=K ** -0.5),
                w2=tensor(E, N2, inner, scale=2 * inner ** -0.5),
                topk_weights=torch.rand((M, topk), generator=generator, device=DEVICE),
                topk_ids=draw_ids(M, E, topk, generator))
    if bias:
        call.update(b1=tensor(E, 2 * inner, scale=0.5), b2=tensor(E, N2, scale=0.5))
    return call


def draw_ids(M, E, topk, generator):
    return torch.rand((M, E), generator=generator, device=DEVICE).topk(topk).indices.to(torch.int32)


def expected(hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, activation="silu",
             apply_router_weight_on_input=False, expert_map=None):
    x = hidden_states.float()
    out = torch.zeros((x.shape[0], w2.shape[1]), device=x.device)
    for e in range(w1.shape[0]):
        experts = topk_ids.long() if expert_map is None else expert_map.long()[topk_ids.long()]
        token, choice = (experts == e).nonzero(as_tuple=True)
        if token.numel() == 0:
            continue
        weight = topk_weights[token, choice].unsqueeze(1)
        both = x[token] @ w1[e].float().T + (0 if b1 is None else b1[e].float())
        both = both * weight if apply_router_weight_on_input else both
        gate, up = both.chunk(2, 1)
        y = ACTIVATIONS[activation](gate, up) @ w2[e].float().T + (0 if b2 is None else b2[e].float())
        out.index_add_(0, token, y if apply_router_weight_on_input else y * weight)
    return out


class GpuTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.backends.cuda.matmul.allow_tf32 = False

    def assert_right(self, out, call, **options):
        right = expected(**call, **options)
        self.assertEqual(out.dtype, call["hidden_states"].dtype)
        error = (out.float() - right).norm() / right.norm().clamp(min=1e-30)
        self.assertFalse(bool(error.isnan()))
        self.assertLess(float(error), 1e-2)
        rows = (out.float() - right).norm(dim=1) / right.norm(dim=1).clamp(min=float(right.norm()) * 1e-3 + 1e-30)
        self.assertLess(float(rows.max()), 5e-2, "one row")


class Computes(GpuTest):
    def test_shapes(self):
        for shape in SHAPES:
            for dtype in (torch.bfloat16, torch.float16):
                with self.subTest(shape=shape, dtype=dtype):
                    call = inputs(*shape, dtype=dtype)
                    self.assert_right(moe.merged_fused_experts_impl(**call), call)
                    self.assert_right(moe.fused_experts_impl(**call), call)

    def test_variants(self):
        for activation, bias, on_input in itertools.product(ACTIVATIONS, (False, True), (False, True)):
            with self.subTest(activation=activation, bias=bias, on_input=on_input):
                call, options = inputs(bias=bias), dict(activation=activation, apply_router_weight_on_input=on_input)
                self.assert_right(moe.merged_fused_experts_impl(**call, **options), call, **options)

    def test_three_kernels(self):
        call = inputs(bias=True)
        out = moe._compute(True, *call.values(), "silu", False, False, -1, None, None, None)
        self.assert_right(out, call)

    def test_no_tokens(self):
        self.assertEqual(tuple(moe.merged_fused_experts_impl(**inputs(M=0)).shape), (0, 264))

    def test_strides(self):
        call = inputs()
        x = call["hidden_states"]
        right = moe.merged_fused_experts_impl(**call)
        wide = torch.full((33, 512), float("nan"), dtype=x.dtype, device=DEVICE)
        for strided in (wide[:, :200], wide[:, 8:208], wide[:, 3:203], torch.empty_like(x.T).T,
                        torch.empty((33, 400), dtype=x.dtype, device=DEVICE)[:, ::2]):
            strided.copy_(x)
            self.assertTrue(torch.equal(moe.merged_fused_experts_impl(**{**call, "hidden_states": strided}), right))
        for name in ("w1", "w2"):
            with self.assertRaisesRegex(ValueError, f"{name} is not contiguous"):
                moe.merged_fused_experts_impl(**{**call, name: call[name].transpose(1, 2).contiguous().transpose(1, 2)})
        self.assertTrue(torch.equal(
            moe.merged_fused_experts_impl(**{**call, "topk_ids": call["topk_ids"].long()}), right))

    def test_inplace(self):
        call = inputs(N2=200)
        right = moe.merged_fused_experts_impl(**call)
        out = moe.merged_fused_experts_impl(**call, inplace=True)
        self.assertIs(out, call["hidden_states"])
        self.assertTrue(torch.equal(out, right))

    def test_guard_bands(self):
        """Around the output and the workspace, with both of them cut out of tensors full of a pattern."""
        tensors = sys.modules["merged_moe_kernel._tensors"]
        bands, band = [], 4096

        def framed(size, dtype, device):
            width = torch.empty(0, dtype=dtype).element_size()
            whole = torch.full((2 * band + size * width,), 0xA5, dtype=torch.uint8, device=device)
            bands.append(whole)
            return whole[band:band + size * width].view(dtype)
        kept = tensors.empty, tensors.workspace
        tensors.empty = lambda like, shape: framed(shape[0] * shape[1], like.dtype, like.device).view(shape)
        tensors.workspace = lambda like, size: framed(size, torch.uint8, like.device)
        try:
            for shape in SHAPES:
                call = inputs(*shape, bias=True)
                self.assert_right(moe.merged_fused_experts_impl(**call), call)
                for whole in bands:
                    self.assertTrue(bool((whole[:band] == 0xA5).all() and (whole[-band:] == 0xA5).all()), shape)
                bands.clear()
        finally:
            tensors.empty, tensors.workspace = kept

    def test_expert_map(self):
        call = inputs(E=8, topk=2)
        ids = draw_ids(33, 24, 2, torch.Generator(DEVICE).manual_seed(5))
        expert_map = torch.full((24,), -1, dtype=torch.int32, device=DEVICE)
        expert_map[8:16] = torch.arange(8, device=DEVICE, dtype=torch.int32)
        call["topk_ids"] = ids
        out = moe.merged_fused_experts_impl(**call, expert_map=expert_map, global_num_experts=24)
        self.assert_right(out, call, expert_map=expert_map)
        for M in (1, 2, 33):  # one rank has all experts, in an order of its own
            call = inputs(M=M, E=24, topk=2)
            order = torch.randperm(24, device=DEVICE).to(torch.int32)
            self.assert_right(moe.merged_fused_experts_impl(**call, expert_map=order), call, expert_map=order)
        call = inputs(E=8, topk=2)
        call["topk_ids"] = ids
        for rubbish in (8, 2 ** 31 - 1, -2 ** 31):  # no expert here has such a number
            self.assert_right(moe.merged_fused_experts_impl(
                **call, expert_map=torch.where(expert_map < 0, rubbish, expert_map)), call, expert_map=expert_map)
        nowhere = torch.full_like(expert_map, -1)
        self.assertEqual(float(moe.merged_fused_experts_impl(**call, expert_map=nowhere).float().abs().max()), 0)


class Runs(GpuTest):
    def test_on_the_current_stream(self):
        call = inputs(M=300)
        right = moe.merged_fused_experts_impl(**call)
        torch.cuda.synchronize()
        stream = torch.cuda.Stream()
        late = torch.zeros_like(call["hidden_states"])
        with torch.cuda.stream(stream):
            torch.cuda._sleep(20_000_000)
            late.copy_(call["hidden_states"])  # a call on another stream would see zeros
            out = moe.merged_fused_experts_impl(**{**call, "hidden_states": late})
        stream.synchronize()
        self.assertTrue(torch.equal(out, right))

    def test_every_device(self):
        for index in range(torch.cuda.device_count()):
            call = {name: value.to(f"cuda:{index}") for name, value in inputs().items()}
            out = moe.merged_fused_experts_impl(**call)
            self.assertEqual(out.device.index, index)
            self.assert_right(out, call)

    def test_threads_at_once(self):
        calls = [inputs(M=64, seed=seed) for seed in range(2)]
        rights = [moe.merged_fused_experts_impl(**call) for call in calls]
        torch.cuda.synchronize()
        failures = []

        def work(call, right):
            try:
                with torch.cuda.stream(torch.cuda.Stream()):
                    outs = [moe.merged_fused_experts_impl(**call) for _ in range(200)]
                    torch.cuda.current_stream().synchronize()
                failures.extend(i for i, out in enumerate(outs) if not torch.equal(out, right))
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=each) for each in zip(calls, rights)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_a_graph_stays_right_when_routing_changes(self):
        for shape in SHAPES:
            call = inputs(*shape)
            moe.merged_fused_experts_impl(**call)  # plans
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = moe.merged_fused_experts_impl(**call)
            for seed in range(3):
                generator = torch.Generator(DEVICE).manual_seed(seed + 10)
                call["topk_ids"].copy_(draw_ids(*call["topk_ids"].shape[:1], call["w1"].shape[0],
                                                call["topk_ids"].shape[1], generator))
                call["hidden_states"].normal_(generator=generator)
                out.fill_(float("nan"))
                graph.replay()
                graph.replay()
                torch.cuda.synchronize()
                self.assert_right(out, call)

    def test_compiled(self):
        @torch.compile(fullgraph=True)
        def layer(**call):
            return moe.merged_fused_experts_impl(**call) * 2
        call = inputs()
        self.assertTrue(torch.equal(layer(**call), moe.merged_fused_experts_impl(**call) * 2))

        @torch.compile(fullgraph=True)
        def inplace(**call):
            return moe.merged_fused_experts_impl(**call, inplace=True) + 1
        call = inputs(N2=200)
        right = moe.merged_fused_experts_impl(**call) + 1
        self.assertTrue(torch.equal(inplace(**call), right))

    def test_compiled_into_graphs(self):
        call = inputs()
        layer = torch.compile(lambda **c: moe.merged_fused_experts_impl(**c), fullgraph=True, mode="reduce-overhead")
        for _ in range(4):
            torch.compiler.cudagraph_mark_step_begin()
            out = layer(**call).clone()
        self.assertTrue(torch.equal(out, moe.merged_fused_experts_impl(**call)))

    def test_the_operator_is_sound(self):
        call = inputs()
        ops = sys.modules["merged_moe_kernel._tensors"]
        arguments = (*call.values(), None, None, "silu", False, -1, None, False)
        torch.library.opcheck(ops.fused_experts, arguments, test_utils=("test_schema", "test_faketensor"))


class Refuses(GpuTest):
    def expect(self, message, error=moe.MoeArgumentError, **changes):
        with self.assertRaisesRegex(error, message):
            moe.merged_fused_experts_impl(**{**inputs(), **changes})
        torch.cuda.synchronize()

    def test_what_does_not_fit(self):
        good = inputs()
        self.expect("w1 is on another device than hidden_states: cpu", w1=good["w1"].cpu())
        self.expect("w2 is of torch.float16", w2=good["w2"].half())
        self.expect("hidden_states is of torch.float32", hidden_states=good["hidden_states"].float())
        self.expect("topk_weights is of torch.bfloat16", topk_weights=good["topk_weights"].bfloat16())
        self.expect("topk_ids has the shape", topk_ids=good["topk_ids"][:5])
        self.expect("use_int4_w4a16 is given", moe.MoeUnsupported, use_int4_w4a16=True)

    def test_ids_on_request(self):
        call = inputs()
        moe.check_topk_ids(**call)
        call["topk_ids"][7, 2] = 24
        with self.assertRaisesRegex(moe.MoeArgumentError, r"topk_ids\[7, 2\] is 24: there are 24 experts"):
            moe.check_topk_ids(**call)

    def test_ids_of_no_expert_are_passed_over(self):
        call = inputs()
        right = {**call, "topk_weights": call["topk_weights"].clone()}
        right["topk_weights"][:, 1] = 0
        call["topk_ids"] = call["topk_ids"].clone()
        call["topk_ids"][::2, 1] = -1
        call["topk_ids"][1::2, 1] = 24
        self.assert_right(moe.merged_fused_experts_impl(**call), right)


if __name__ == "__main__":
    unittest.main(verbosity=2)
