"""A party that waits at a barrier of Python, and does nothing else.

See board_unsafe.go for the board, and worker.go for what a worker does.

    worker.py multiprocessing BOARD all SEGMENT LOCK    starts all parties
    worker.py original FOLDER BOARD PARTY SEGMENT LOCK  FOLDER has original.py of the port
    worker.py version FOLDER
"""

import mmap
import os
import resource
import sys
import time

LINE = 16
PARTIES, WARM_UP, FOR = range(3)
START, LAST = LINE, LINE + 1
READY, BEGUN, STARTED, ENDED, CPU, VOLUNTARY, INVOLUNTARY, EARLY, EARLY_PEER = range(9)
EXIT_SAFETY = 12


class Worker:
    """One party."""

    def __init__(self, path: str, party: int) -> None:
        file = os.open(path, os.O_RDWR)
        self.board = memoryview(mmap.mmap(file, 0)).cast('q')
        os.close(file)
        self.party, self.parties = party, self.board[PARTIES]

    def of(self, party: int, word: int) -> int:
        """Return the index of a word of the party."""
        return (2 + party) * LINE + word

    def await_ready(self, party: int) -> None:
        while not self.board[self.of(party, READY)]:
            time.sleep(0.001)

    def run(self, wait, *arguments) -> None:
        """Make the calls."""
        board, party, parties = self.board, self.party, self.parties
        board[self.of(party, READY)] = 1
        for peer in range(parties):
            self.await_ready(peer)
        clock, begun = time.monotonic_ns, self.of(party, BEGUN)
        warm, started, ended = clock() + board[WARM_UP], self.of(party, STARTED), self.of(party, ENDED)
        number = 0
        while True:
            number += 1
            if party == 0:
                if not board[START]:
                    if number > 1 and clock() >= warm:
                        board[START] = number
                elif not board[LAST] and clock() - board[started] >= board[FOR]:
                    board[LAST] = number
            board[begun] = number
            wait(*arguments)
            if parties > 1:
                peer = (party + 1 + number % (parties - 1)) % parties
                if board[self.of(peer, BEGUN)] < number:
                    board[self.of(party, EARLY_PEER)] = peer
                    board[self.of(party, EARLY)] = number
                    sys.exit(EXIT_SAFETY)
            if number == board[START]:
                board[started] = clock()
                before = resource.getrusage(resource.RUSAGE_SELF)
            elif number == board[LAST]:
                board[ended] = clock()
                after = resource.getrusage(resource.RUSAGE_SELF)
                seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
                board[self.of(party, CPU)] = round(seconds * 1e9)
                board[self.of(party, VOLUNTARY)] = after.ru_nvcsw - before.ru_nvcsw
                board[self.of(party, INVOLUNTARY)] = after.ru_nivcsw - before.ru_nivcsw
            elif 0 < board[LAST] < number:
                return  # one more round, so that no exit disturbs the last one


def multiprocessing_barrier(path: str) -> None:
    """Start all parties at one multiprocessing.Barrier."""
    import multiprocessing
    import multiprocessing.connection

    context = multiprocessing.get_context('fork')
    parties = Worker(path, 0).parties
    barrier = context.Barrier(parties)
    processes = [context.Process(target=lambda party=party: Worker(path, party).run(barrier.wait)) for party in range(parties)]
    for process in processes:
        process.start()
    running = {process.sentinel: process for process in processes}
    while running:
        for sentinel in multiprocessing.connection.wait(running):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode:
                sys.exit(process.exitcode)


def original_barrier(path: str, party: int, segment: str, lock: str) -> None:
    """Be one party of the published original."""
    import original

    worker = Worker(path, party)
    if party > 0:
        worker.await_ready(0)
    worker.run(original.SharedBarrier(lock, segment), worker.parties)


def main() -> None:
    kind, *arguments = sys.argv[1:]
    if kind == 'multiprocessing':
        multiprocessing_barrier(arguments[0])
        return
    sys.path.insert(0, arguments[0])
    if kind == 'original':
        path, party, segment, lock = arguments[1:]
        original_barrier(path, int(party), segment, lock)
        return
    import platform
    from importlib.metadata import version

    print(f'mosaicml-streaming {version("mosaicml-streaming")}, filelock {version("filelock")}, {platform.python_implementation()} {platform.python_version()}')


main()
