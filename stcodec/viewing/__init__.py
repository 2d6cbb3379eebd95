"""A blinded pair test with people: which of two files looks better.

    import stcodec.viewing as viewing
    made, scores = viewing.make_test("reference.mp4", ["a.mp4", "b.mp4"], "test/")      # test/for-viewers/, test/key.json
    found = viewing.judge(["answers-1-0a1b.json", "answers-2-9f00.json"], "test/key.json")
    print(found.pairs[0].share, found.pairs[0].low, found.pairs[0].high)

`stcodec compare REFERENCE A B --ab DIR` and `stcodec compare --ab-results FILES` are these two.
"""

from stcodec.viewing.judging import Judgement, judge
from stcodec.viewing.making import make_test
from stcodec.viewing.options import PairTestOptions

__all__ = ["Judgement", "PairTestOptions", "judge", "make_test"]
