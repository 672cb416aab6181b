"""Prints the nanoseconds that a round of multiprocessing.Barrier takes.

Usage: multiprocessing_barrier.py PROCESSES ROUNDS

As in BenchmarkRound, the processes do nothing but wait. The clock runs from the
end of the first round to that of the last, in the slowest process.
"""

import multiprocessing
import sys
import time


def work(barrier, rounds, results):
    barrier.wait()
    start = time.monotonic_ns()
    for _ in range(rounds - 1):
        barrier.wait()
    results.put(time.monotonic_ns() - start)


def main():
    processes, rounds = int(sys.argv[1]), int(sys.argv[2])
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    workers = [context.Process(target=work, args=(barrier, rounds, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    elapsed = max(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    print(elapsed / (rounds - 1))


if __name__ == "__main__":
    main()
