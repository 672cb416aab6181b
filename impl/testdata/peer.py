"""A peer that is written from PROTOCOL.md alone and waits by polling only.

    peer.py SEGMENT LOCKFILE PARTIES ROUNDS keep|unlink

With unlink it unlinks the lock file before it releases it, as some versions of
Python's filelock do.
"""

import fcntl
import mmap
import os
import struct
import sys
import time

TICK = 0.007
ENTER, EXIT, FLAG = 0, 4, 8


class Lock:
    def __init__(self, path, unlinks):
        self.path, self.unlinks = path, unlinks

    def __enter__(self):
        while True:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self.fd)
                time.sleep(TICK)
                continue
            if os.fstat(self.fd).st_nlink > 0:
                return
            os.close(self.fd)

    def __exit__(self, *_):
        if self.unlinks:
            os.unlink(self.path)
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)


class Barrier:
    def __init__(self, segment, lock):
        with open(segment, "r+b") as f:
            self.words = mmap.mmap(f.fileno(), 12)
        self.lock = lock

    def read(self, word):
        return struct.unpack_from("=i", self.words, word)[0]

    def write(self, word, value):
        struct.pack_into("=i", self.words, word, value)

    def wait(self, n):
        with self.lock:
            if self.read(EXIT) == -1:
                self.write(EXIT, n)
        self.lock.__enter__()
        if self.read(ENTER) == 0:
            self.lock.__exit__()
            while self.read(EXIT) != n:
                time.sleep(TICK)
            self.lock.__enter__()
            self.write(FLAG, 0)
        self.write(ENTER, self.read(ENTER) + 1)
        if self.read(ENTER) == n:
            self.write(ENTER, 0)
            self.write(EXIT, 0)
            self.write(FLAG, 1)
        self.lock.__exit__()
        while self.read(FLAG) == 0:
            time.sleep(TICK)
        with self.lock:
            self.write(EXIT, self.read(EXIT) + 1)
            if self.read(EXIT) == n:
                self.write(EXIT, -1)


segment, path, parties, rounds, release = sys.argv[1:]
barrier = Barrier(segment, Lock(path, release == "unlink"))
for _ in range(int(rounds)):
    barrier.wait(int(parties))
print("returned", rounds)
