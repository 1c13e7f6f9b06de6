"""How long `zoo.VAE.from_preset("vae_mnist")` takes to its first samples, imports aside.

python tests/benchmarks/preset_load.py
"""

import subprocess
import sys

RUNS = 7
CODE = """
import time
import zoo
zoo.VAE
started = time.perf_counter()
zoo.VAE.from_preset("vae_mnist").sample(16)
print(time.perf_counter() - started)
"""


def main() -> None:
    """Prints the least, the median and the largest time over fresh processes."""
    seconds = sorted(
        float(subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout)
        for _ in range(RUNS)
    )
    least, median, largest = seconds[0], seconds[RUNS // 2], seconds[-1]
    print(f"first samples after {least:.2f} / {median:.2f} / {largest:.2f} s (least, median, largest)")


if __name__ == "__main__":
    main()
