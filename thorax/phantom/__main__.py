"""`python -m thorax.phantom OUT.png` writes a contact sheet of the phantom."""

import argparse
from pathlib import Path

import cv2

from thorax.phantom import contact_sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m thorax.phantom", description=__doc__)
    parser.add_argument("out", type=Path, help="image file to write, e.g. docs/phantom.png")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patients", type=int, default=6, help="patients per finding")
    parser.add_argument("--image-size", type=int, default=256)
    options = parser.parse_args()
    if not cv2.imwrite(str(options.out), contact_sheet(options.seed, options.patients, options.image_size)):
        parser.error(f"cannot write {options.out}")


if __name__ == "__main__":
    main()
