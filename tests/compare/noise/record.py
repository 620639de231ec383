"""Turns a journal into recorded noise: the runs of one binary, one after the other, on the same problems.

    for run in $(seq 120); do moe-tune bench --model qwen3-30b-a3b --M 1,64,1024 --journal runs.jsonl -q; done
    python3 tests/compare/noise/record.py runs.jsonl 0.05 "what else ran there" > tests/compare/noise/nvidia-h200.json

The second argument is the slowdown that the gate has to catch in this noise, over 7 pairs, in 99 % of trials.
"""

import json
import sys


def main(journal, caught, where):
    medians, device = {}, ""
    with open(journal) as lines:
        for line in map(json.loads, lines):
            if line["kind"] == "header":
                device = line["environment"]["device"]["name"]
            elif line["kind"] == "best":
                problem = line["problem"]
                shape = "/".join(f"{axis}:{problem[axis]}" for axis in ("K", "N1", "N2", "E", "topk", "M"))
                medians.setdefault(f"{shape}/{line['impl']}", []).append(round(line["time"]["median_us"], 2))
    rows = ",\n".join(f"  {json.dumps(name)}: {values}" for name, values in medians.items())
    print(f'{{"device": {json.dumps(device)}, "where": {json.dumps(where)}, "caught": {float(caught)},\n'
          f' "medians_us": {{\n{rows}}}}}')


if __name__ == "__main__":
    main(*sys.argv[1:])
