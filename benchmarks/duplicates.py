"""Time of finding near-duplicates: 100,000 films against each other; expected: about a minute of processor time.

Run `python -m benchmarks.duplicates [films]`.
"""

import resource
import sys
import time

import numpy as np

from thorax.duplicates import pairs


def main(films: int = 100_000) -> None:
    """Print seconds, and the peak memory of the process, on invented thumbnails of which one in a hundred is a copy."""
    random = np.random.default_rng(0)
    thumbnails = random.integers(0, 256, (films, 16, 16), dtype=np.uint8)
    copies = films // 100
    thumbnails[-copies:] = thumbnails[:copies] // 2  # half as bright
    wall, cpu = time.perf_counter(), time.process_time()
    found, cosines = pairs(thumbnails)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{films:,} films: {len(found):,} pairs of {copies:,} (least cosine {cosines.min():.4f}) in {wall:.1f} s "
          f"({cpu:.1f} s of CPU), peak {peak:.0f} MB of memory")


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
