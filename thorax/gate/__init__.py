"""The regression gate: are a candidate's predictions worse than the baseline's on the same test films?

"Any drop fails" is a coin toss, and a fixed band misses half of the drops of its own width. Here a drop fails if it is
significant *and* larger than its margin; no drop passes unless one as large as the margin is ruled out; between the
two the answer is that these films cannot tell. docs/gate.md has the reasons and what the rule was measured to do.
"""
