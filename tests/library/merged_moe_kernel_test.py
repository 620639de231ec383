"""The Python module on NumPy arrays and the CPU engine, against the formulas in fp64. Skipped where there is no NumPy."""

import os
import pathlib
import sys
import tempfile
import threading
import unittest

try:
    import numpy as np
except ImportError:
    print("no NumPy here: skipped")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src/library/python"))
import merged_moe_kernel as moe  # noqa: E402

random = np.random.default_rng(1)


def to_bits(values, dtype):
    """fp16, or the bits of bf16, rounded to nearest even."""
    if dtype == np.float16:
        return values.astype(np.float16)
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def to_values(array):
    if array.dtype == np.uint16:
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "silu": lambda g, u: g * sigmoid(g) * u,
    "gelu": lambda g, u: g * 0.5 * (1 + np.vectorize(__import__("math").erf)(g / np.sqrt(2))) * u,
    "gelu_tanh": lambda g, u: g * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (g + 0.044715 * g ** 3))) * u,
    "swigluoai_uninterleave": lambda g, u: (np.clip(u, -7, 7) + 1) * np.minimum(g, 7) * sigmoid(1.702 * np.minimum(g, 7)),
}


def inputs(M=5, K=24, inner=16, N2=40, E=6, topk=2, dtype=np.uint16, bias=False):
    def tensor(*shape, scale=1.0):
        return to_bits(random.standard_normal(shape) * scale, dtype)
    ids = np.stack([random.permutation(E)[:topk] for _ in range(M)]).astype(np.int32) if M else np.zeros((0, topk), np.int32)
    call = dict(hidden_states=tensor(M, K), w1=tensor(E, 2 * inner, K, scale=K ** -0.5),
                w2=tensor(E, N2, inner, scale=2 * inner ** -0.5),
                topk_weights=random.random((M, topk)).astype(np.float32), topk_ids=ids)
    if bias:
        call.update(b1=tensor(E, 2 * inner), b2=tensor(E, N2))
    return call


def expected(hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, activation="silu",
             apply_router_weight_on_input=False):
    x, w1, w2 = to_values(hidden_states), to_values(w1), to_values(w2)
    out = np.zeros((x.shape[0], w2.shape[1]))
    for m in range(x.shape[0]):
        for weight, e in zip(topk_weights[m].astype(np.float64), topk_ids[m]):
            both = x[m] @ w1[e].T + (0 if b1 is None else to_values(b1)[e])
            both *= weight if apply_router_weight_on_input else 1
            gate, up = np.split(both, 2)
            y = ACTIVATIONS[activation](gate, up) @ w2[e].T + (0 if b2 is None else to_values(b2)[e])
            out[m] += y * (1 if apply_router_weight_on_input else weight)
    return out


class Computes(unittest.TestCase):
    def expect(self, call, **options):
        out = moe.merged_fused_experts_impl(**call, **options)
        right = expected(**call, **{key: value for key, value in options.items() if key != "inplace"})
        self.assertEqual(out.dtype, call["hidden_states"].dtype)
        error = np.linalg.norm(to_values(out) - right) / max(np.linalg.norm(right), 1e-30)
        self.assertLess(error, 1e-2)
        return out

    def test_every_variant(self):
        for dtype in (np.uint16, np.float16):
            for activation in ACTIVATIONS:
                for bias in (False, True):
                    with self.subTest(dtype=dtype, activation=activation, bias=bias):
                        self.expect(inputs(dtype=dtype, bias=bias), activation=activation,
                                    apply_router_weight_on_input=bias)

    def test_shapes(self):
        for M, K, inner, N2, E, topk in [(1, 8, 8, 8, 1, 1), (33, 200, 8, 136, 64, 1), (3, 64, 176, 24, 16, 16)]:
            self.expect(inputs(M=M, K=K, inner=inner, N2=N2, E=E, topk=topk))
        self.assertEqual(moe.merged_fused_experts_impl(**inputs(M=0)).shape, (0, 40))

    def test_three_kernels_give_the_same(self):
        call = inputs()
        a, b = to_values(moe.fused_experts_impl(**call)), to_values(moe._compute(
            True, *call.values(), None, None, "silu", False, False, -1, None, None, None))
        self.assertLess(np.linalg.norm(a - b) / np.linalg.norm(a), 1e-2)

    def test_rows_apart_other_strides_and_wide_ids(self):
        call = inputs(M=9, K=24)
        for change in (lambda x: np.pad(x, ((0, 0), (0, 16)))[:, :24], lambda x: np.pad(x, ((0, 0), (1, 2)))[:, 1:25],
                       np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2], lambda x: np.repeat(x, 2, 0)[::2]):
            other = {**call, "hidden_states": change(call["hidden_states"])}
            np.testing.assert_array_equal(other["hidden_states"], call["hidden_states"])
            np.testing.assert_array_equal(self.expect(other), self.expect(call))
        self.expect({**call, "topk_ids": call["topk_ids"].astype(np.int64)})
        self.expect({**call, "topk_weights": np.asfortranarray(call["topk_weights"])})

    def test_a_call_like_one_before_may_differ_in_what_was_not_kept(self):
        call = inputs(M=9)
        right = self.expect(call)
        for name in ("hidden_states", "topk_weights", "topk_ids"):
            array = call[name]
            bytes_ = np.empty(array.nbytes + 32, np.uint8)
            start = -bytes_.ctypes.data % 16 + array.itemsize  # the same shape and strides at an address that is not aligned
            moved = bytes_[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
            moved[...] = array
            np.testing.assert_array_equal(moe.merged_fused_experts_impl(**{**call, name: moved}), right)
        with self.assertRaisesRegex(moe.MoeArgumentError, "w2 is a list"):
            moe.merged_fused_experts_impl(**{**call, "w2": [1]})
        with self.assertRaisesRegex(moe.MoeArgumentError, "w2 is a list"):  # nor is that kept
            moe.merged_fused_experts_impl(**{**call, "w2": [1]})
        with self.assertRaisesRegex(moe.MoeUnsupported, "activation is 'relu'"):
            moe.merged_fused_experts_impl(**call, activation="relu")
        np.testing.assert_array_equal(self.expect(call, inplace=False), right)

    def test_expert_map(self):
        call, ids = inputs(E=12), inputs(E=12)["topk_ids"]
        here = np.array([4, 9, 2], np.int32)  # of twelve experts, in this order
        expert_map = np.full(12, -1, np.int32)
        expert_map[here] = np.arange(3)
        weights = np.where(np.isin(ids, here), call["topk_weights"], 0).astype(np.float32)
        right = expected(**{**call, "topk_ids": ids, "topk_weights": weights})
        out = to_values(moe.merged_fused_experts_impl(
            call["hidden_states"], call["w1"][here], call["w2"][here], call["topk_weights"], ids, expert_map=expert_map,
            global_num_experts=12))
        self.assertLess(np.linalg.norm(out - right), 1e-2 * np.linalg.norm(right) + 1e-12)

    def test_an_expert_map_may_be_an_order_of_its_own(self):
        call, order = inputs(E=6), random.permutation(6).astype(np.int32)
        right = self.expect({**call, "topk_ids": order[call["topk_ids"]]})
        np.testing.assert_array_equal(moe.merged_fused_experts_impl(**call, expert_map=order), right)

    def test_ids_of_no_expert_choose_nothing(self):
        call = inputs()
        call["topk_ids"][::2, 0], call["topk_ids"][1::2, 1] = -1, 6
        weights = np.where(call["topk_ids"] % 6 == call["topk_ids"], call["topk_weights"], 0).astype(np.float32)
        right = expected(**{**call, "topk_ids": call["topk_ids"] % 6, "topk_weights": weights})
        out = to_values(moe.merged_fused_experts_impl(**call))
        self.assertLess(np.linalg.norm(out - right) / np.linalg.norm(right), 1e-2)

    def test_inplace(self):
        call = inputs(N2=24)
        right = self.expect(call)
        out = moe.merged_fused_experts_impl(**call, inplace=True)
        self.assertIs(out, call["hidden_states"])
        np.testing.assert_array_equal(out, right)

    def test_names_of_vllm(self):
        call = inputs(bias=True)
        right = self.expect(call)
        call["w1_bias"], call["w2_bias"] = call.pop("b1"), call.pop("b2")
        np.testing.assert_array_equal(
            moe.merged_fused_experts_impl(**call, use_fp8_w8a8=False, w1_scale=None, global_num_experts=6), right)

    def test_uninterleave(self):
        w1 = inputs()["w1"]
        by_turns = np.empty_like(w1)
        by_turns[:, 0::2], by_turns[:, 1::2] = w1[:, :16], w1[:, 16:]
        np.testing.assert_array_equal(moe.uninterleave(by_turns), w1)

    def test_threads_at_once(self):
        calls = [inputs(M=4 + t) for t in range(4)]
        failures = []

        def work(call):
            try:
                for _ in range(20):
                    self.expect(call)
            except BaseException as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_plans_tell_their_choice(self):
        self.expect(inputs())
        self.assertIn("K=24 N1=32 N2=40 E=6 topk=2 bf16 silu", moe.describe())


class Refuses(unittest.TestCase):
    def expect(self, message, error=moe.MoeArgumentError, **changes):
        call = {**inputs(bias=True), **changes}
        before = call["hidden_states"].copy() if hasattr(call["hidden_states"], "copy") else None
        with self.assertRaisesRegex(error, message):
            moe.merged_fused_experts_impl(**call)
        if before is not None:
            np.testing.assert_array_equal(call["hidden_states"], before)
        support = moe.supports(**{key: value for key, value in call.items() if key != "inplace"})
        if "inplace" not in changes:
            self.assertFalse(support)
            self.assertRegex(support.reason, message)

    def test_what_does_not_fit(self):
        good = inputs(bias=True)
        self.expect("hidden_states is a list", hidden_states=[1])
        self.expect("w1 is a list and should be a NumPy array", w1=[1])
        self.expect("hidden_states is of float32", hidden_states=np.zeros((5, 24), np.float32))
        self.expect("hidden_states has 3 axes", hidden_states=np.zeros((5, 24, 1), np.uint16))
        self.expect(r"w1 has the shape \[6, 32, 16\] and should have \[6, 32, 24\]", w1=np.zeros((6, 32, 16), np.uint16))
        self.expect("w2 has the shape", w2=np.zeros((6, 40, 32), np.uint16))
        self.expect("w2 is of float16", w2=np.zeros((6, 40, 16), np.float16))
        self.expect("b1 has the shape", b1=np.zeros((6, 16), np.uint16))
        self.expect("b2 is of float16", b2=np.zeros((6, 40), np.float16))
        self.expect("topk_weights is of float64", topk_weights=good["topk_weights"].astype(np.float64))
        self.expect("topk_weights has the shape", topk_weights=good["topk_weights"][:, :1])
        self.expect("topk_ids is of float32", topk_ids=good["topk_ids"].astype(np.float32))
        self.expect("topk_ids has the shape", topk_ids=good["topk_ids"][:3])
        self.expect(r"w1 is not contiguous: its strides are", w1=np.zeros((6, 24, 32), np.uint16).transpose(0, 2, 1))
        self.expect("global_num_experts is 8, w1 has 6", global_num_experts=8)
        self.expect("inplace: hidden_states has 24 columns and the output 40", inplace=True)

    def test_what_there_is_no_kernel_for(self):
        self.expect("use_fp8_w8a8 is given", moe.MoeUnsupported, use_fp8_w8a8=True)
        self.expect("w1_scale is given", moe.MoeUnsupported, w1_scale=np.ones(6))
        self.expect("block_shape is given", moe.MoeUnsupported, block_shape=[128, 128])
        self.expect("activation is 'relu'.*: there are silu", moe.MoeUnsupported, activation="relu")
        self.expect("activation is 'swigluoai': .*uninterleave", moe.MoeUnsupported, activation="swigluoai")

    def test_sizes_that_no_kernel_has(self):
        self.expect("problem: K = 20", hidden_states=np.zeros((5, 20), np.uint16), w1=np.zeros((6, 32, 20), np.uint16))

    def test_ids_on_request(self):
        call = inputs()
        moe.check_topk_ids(**call)
        call["topk_ids"][3, 1] = 6
        with self.assertRaisesRegex(moe.MoeArgumentError, r"topk_ids\[3, 1\] is 6: there are 6 experts"):
            moe.check_topk_ids(**call)

    def test_a_folder_without_configs(self):
        try:
            with tempfile.TemporaryDirectory() as folder:
                moe.configure(folder)
                self.expect("configs: .*has no best configs")
        finally:
            moe.configure(None)


class InPlaceOf(unittest.TestCase):
    def setUp(self):
        def fused_experts_impl(hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, inplace=False,
                               activation="silu", is_gated=True, use_fp8_w8a8=False, w1_scale=None, no_combine=False):
            self.theirs.append((activation, is_gated, use_fp8_w8a8, no_combine))
            return "theirs"
        self.theirs = []
        self.function = moe.in_place_of(fused_experts_impl)

    def test_arguments_by_position(self):
        call = inputs(bias=True)
        right = moe.merged_fused_experts_impl(**call, activation="gelu")
        np.testing.assert_array_equal(self.function(*call.values(), False, "gelu", True, False, None), right)
        self.assertEqual(self.theirs, [])

    def test_what_it_does_not_take_goes_to_theirs(self):
        call = inputs()
        for options in ({"use_fp8_w8a8": True}, {"no_combine": True}, {"is_gated": False}, {"activation": "swigluoai"}):
            self.assertEqual(self.function(**call, **options), "theirs")
        self.assertEqual(self.function(**{**call, "w1": call["w1"].transpose(0, 2, 1)}), "theirs")
        self.assertEqual(len(self.theirs), 5)

    def test_it_looks_like_theirs(self):
        self.assertEqual(self.function.__name__, "fused_experts_impl")


class Supports(unittest.TestCase):
    def test_says_yes(self):
        self.assertTrue(moe.supports(**inputs(bias=True)))
        self.assertEqual(moe.supports(**inputs()).reason, "")

    def test_version(self):
        self.assertRegex(moe.__version__, r"^\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
