"""What happens when the original's handle, made in a parent, is used in forked children.

    python fork.py inherited|own NAME LOCKPATH

Two children call once each, with the handle that they inherited or with one of their own. The last
line has the two results: "returned returned", or the names of the errors.
"""

import os
import signal
import sys

import original

HOW, NAME, PATH = sys.argv[1:]
CHILDREN = 2

# The parent makes a handle in both cases, so it constructs before the first call.
barrier = original.SharedBarrier(PATH, NAME)
ends = []
go_reader, go_writer = os.pipe()
for _ in range(CHILDREN):
    reader, writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    if os.fork() == 0:
        os.close(go_writer)
        signal.alarm(120)  # if the other child fails, this one hangs
        try:
            if HOW == 'own':
                barrier = original.SharedBarrier(PATH, NAME)
            os.write(ready_writer, b'.')
            os.read(go_reader, 1)  # until the parent closes it, when all handles exist
            barrier(CHILDREN)
            outcome = 'returned'
        except Exception as error:  # noqa: BLE001: its name is the result
            outcome = type(error).__name__
            sys.stderr.write(f'{error}\n')
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    os.read(ready_reader, 1)
    ends.append(reader)
os.close(go_writer)
print(*(os.read(reader, 100).decode() for reader in ends))
