"""Peers in NumPy and SciPy: reads one JSON request a line, answers each with one JSON line.

The formulas are those of the package's README, written as the Python model has them.
"""

import json
import sys
import time

import numpy as np
from scipy.signal import fftconvolve, lfilter, oaconvolve


class Run:
    def __init__(self, file, dtype, shape, tau, dt, window_length, kernel=None):
        self.input = np.fromfile(file, dtype=dtype).reshape(shape)
        self.isyn = np.zeros(shape[2])
        steps = np.arange(1, window_length + 1)
        self.window = np.exp(-steps[:, None] * dt / np.full(shape[2], tau))
        self.decay = np.exp(-dt / tau)
        if kernel is not None:
            self.window = np.fromfile(kernel, dtype=dtype)[:, None]
            self.repeated = np.repeat(self.window, shape[2], axis=1)

    def reference(self):
        """Convolution of the input, and of the state as an input, for each batch item."""
        batches, timesteps, _ = self.input.shape
        output = np.empty(self.input.shape)
        for b in range(batches):
            rollover = np.zeros(self.input.shape[1:])
            rollover[0] = self.isyn
            output[b] = fftconvolve(self.input[b], self.window, "full", axes=0)[:timesteps]
            output[b] += fftconvolve(rollover, self.window, "full", axes=0)[:timesteps]
        return output

    def fftconvolve(self):
        return fftconvolve(self.input, self.window[None], "full", axes=1)[:, : self.input.shape[1]]

    def oaconvolve(self):
        return oaconvolve(self.input, self.window[None], "full", axes=1)[:, : self.input.shape[1]]

    def oaconvolve_repeated(self):
        """With the kernel of each channel given, though all are equal: sometimes it is faster."""
        return oaconvolve(self.input, self.repeated[None], "full", axes=1)[:, : self.input.shape[1]]

    def lfilter(self):
        return lfilter([self.decay], [1.0, -self.decay], self.input, axis=1)

    def lfilter_second_order(self):
        """Of the alpha function (t / tau) exp(1 - t / tau)."""
        first = np.e * (-np.log(self.decay)) * self.decay
        return lfilter([first], [1.0, -2 * self.decay, self.decay**2], self.input, axis=1)

    def randn(self):
        return np.random.randn(*self.input.shape)


def main():
    runs = {}
    versions = {"python": sys.version.split()[0], "numpy": np.__version__}
    import scipy

    versions["scipy"] = scipy.__version__
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            runs = {request["id"]: Run(**request["run"])}
            print("{}", flush=True)
            continue
        function = getattr(runs[request["id"]], request["peer"])
        if "save" in request:
            np.asarray(function(), dtype="float64").tofile(request["save"])
            print("{}", flush=True)
            continue
        start = time.perf_counter_ns()
        function()
        print(json.dumps({"nanoseconds": time.perf_counter_ns() - start}), flush=True)


main()
