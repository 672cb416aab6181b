"""What happens when the original's handle, made in a parent, is used in forked children.

    python fork.py inherited|own NAME LOCKPATH

Two children call once each, in the handle that they inherited or in one of their own. The last
line says what became of the two calls: "returned returned", or the errors' names.
"""

import os
import signal
import sys

import original

HOW, NAME, PATH = sys.argv[1:]
CHILDREN = 2

# The parent makes a handle in any case; so all that is constructed here is so before the first call.
barrier = original.SharedBarrier(PATH, NAME)
ends = []
go_reader, go_writer = os.pipe()
for _ in range(CHILDREN):
    reader, writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    if os.fork() == 0:
        os.close(go_writer)
        signal.alarm(120)  # if the other fails, this one would wait for ever
        try:
            if HOW == 'own':
                barrier = original.SharedBarrier(PATH, NAME)
            os.write(ready_writer, b'.')
            os.read(go_reader, 1)  # until the parent closes it: all handles are there
            barrier(CHILDREN)
            outcome = 'returned'
        except Exception as error:  # noqa: BLE001: its name is what is asked for
            outcome = type(error).__name__
            sys.stderr.write(f'{error}\n')
        os.write(writer, outcome.encode())
        os._exit(0)
    os.close(writer)
    os.read(ready_reader, 1)
    ends.append(reader)
os.close(go_writer)
print(*(os.read(reader, 100).decode() for reader in ends))
