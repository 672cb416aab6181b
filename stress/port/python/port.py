"""The published original as a port (spec/PORTS.md).

Not one line of it is changed. In black-box mode it runs as it is, but that its `sleep` looks for
requests. In white-box mode its words, its lock and its `sleep` are wrapped from outside: each access
says, by the line of the original that it comes from, which step it is.
"""

import inspect
import os
import sys
import threading
from queue import SimpleQueue

import original
from filelock import Timeout

CALL = [  # the lines of the original's __call__, in its order: what it accesses, and the step
    ('with self.lock:', 'acquire', 'LockInit'),
    ('with self.lock:', 'release', 'UnlockInit'),
    ('if self.num_exit == -1:', 'read', 'InitExit'),
    ('self.num_exit = num_procs', 'write', 'InitExit'),
    ('self.lock.acquire()', 'acquire', 'LockEnter'),
    ('if not self.num_enter:', 'read', 'TestFirst'),
    ('self.lock.release()', 'release', 'UnlockFirst'),
    ('while self.num_exit != num_procs:', 'read', 'AwaitDrain'),
    ('self.lock.acquire()', 'acquire', 'LockFirst'),
    ('self.flag = False', 'write', 'LowerFlag'),
    ('self.num_enter += 1', 'read', 'CountEnter'),
    ('self.num_enter += 1', 'write', 'CountEnter'),
    ('if self.num_enter == num_procs:', 'read', 'CountEnter'),
    ('self.num_enter = 0', 'write', 'ResetEnter'),
    ('self.num_exit = 0', 'write', 'ResetExit'),
    ('self.flag = True', 'write', 'RaiseFlag'),
    ('self.lock.release()', 'release', 'UnlockEnter'),
    ('while not self.flag:', 'read', 'AwaitFlag'),
    ('with self.lock:', 'acquire', 'LockExit'),
    ('with self.lock:', 'release', 'UnlockExit'),
    ('self.num_exit += 1', 'read', 'CountExit'),
    ('self.num_exit += 1', 'write', 'CountExit'),
    ('if self.num_exit == num_procs:', 'read', 'CountExit'),
    ('self.num_exit = -1', 'write', 'ClearExit'),
]
CONSTRUCTION = [
    ('self.num_enter = 0', 'write', 'MakeEnter'),
    ('self.num_exit = -1', 'write', 'MakeExit'),
    ('self.flag = True', 'write', 'MakeFlag'),
]
POLLS = {'AwaitDrain', 'AwaitFlag'}
COUNTS = {'InitExit', 'CountEnter', 'CountExit'}


def find_steps(function, lines) -> dict:
    """Map each line number and access of the original's function to its step."""
    source, number = inspect.getsourcelines(function)
    steps, at, last = {}, -1, None
    for text, access, step in lines:
        if text != last or (number + at, access) in steps:
            at = next((i for i in range(at + 1, len(source)) if source[i].strip() == text), None)
            if at is None:
                sys.exit(f'{function.__qualname__} has not the line {text!r}: it is not the original')
        steps[number + at, access], last = step, text
    return steps


STEPS = {
    original.SharedBarrier.__call__.__code__: find_steps(original.SharedBarrier.__call__, CALL),
    original.SharedBarrier.__init__.__code__: find_steps(original.SharedBarrier.__init__, CONSTRUCTION),
}


class Abandoned(Exception):
    """The call is to leave its wait."""


class Conversation:
    """What the port and its runner say to each other."""

    def __init__(self) -> None:
        self.mode = 'black'
        self.heard = None  # requests that a thread has read, in black-box mode once the barrier is open
        self.said = None  # the counting step that was announced last

    def listen_meanwhile(self) -> None:
        """Read requests in a thread of its own, so that they are noticed during a call."""

        def listen() -> None:
            while True:
                self.heard.put(self.read())

        self.heard = SimpleQueue()
        threading.Thread(target=listen, daemon=True).start()

    def read(self) -> str:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # at the end of its input a port ends, whatever it is doing
        return line.rstrip('\n')

    def next(self) -> str:
        return self.read() if self.heard is None else self.heard.get()

    def say(self, line: str) -> None:
        sys.stdout.write(line + '\n')
        sys.stdout.flush()

    def refuse(self, request: str) -> None:
        self.say(f'error {request[:80]!r} is not in place, or no request')

    def announce(self, step: str) -> None:
        """Say where the call is and wait for the word to go on."""
        self.say('at ' + step)
        while True:
            request = self.read()
            if request == 'go':
                return
            if request == 'abandon' and step in POLLS:
                raise Abandoned
            self.refuse(request)

    def access(self, kind: str) -> None:
        """Announce the step of an access that the original is about to make."""
        caller = sys._getframe(2)
        step = STEPS[caller.f_code][caller.f_lineno, kind]
        if step not in COUNTS:
            self.announce(step)
        elif self.said != step:  # its read
            self.said = step
            self.announce(step)
        elif self.mode == 'splitRMW' and kind == 'write':
            self.announce(step)
        # A counting step's later accesses are part of it. So is the second look at the word
        # that it has just written.
        if step not in COUNTS:
            self.said = None

    def sleep(self, seconds: float) -> None:
        """The original's sleep in black-box mode: it also looks for requests."""
        real_sleep(seconds)
        while not self.heard.empty():
            request = self.heard.get()
            if request == 'abandon':
                raise Abandoned
            self.refuse(request)


talk = Conversation()
real_sleep = original.module.sleep


class Lock:
    """The original's lock, with each attempt announced."""

    def __init__(self, lock) -> None:
        self.lock = lock

    def acquire(self) -> None:
        self.attempt()

    def release(self) -> None:
        talk.access('release')
        self.lock.release()

    def __enter__(self) -> None:
        self.attempt()

    def __exit__(self, *_) -> None:
        talk.access('release')
        self.lock.release()

    def attempt(self) -> None:
        caller = sys._getframe(2)
        step = STEPS[caller.f_code][caller.f_lineno, 'acquire']
        while True:
            talk.said = None
            talk.announce(step)
            try:
                self.lock.acquire(blocking=False)
                return
            except Timeout:
                pass


def watched(word: property) -> property:
    """A property of the original, with each access announced."""

    def read(self):
        talk.access('read')
        return word.fget(self)

    def write(self, value) -> None:
        talk.access('write')
        word.fset(self, value)

    return property(read, write)


class Watched(original.SharedBarrier):
    """The original in white-box mode."""

    num_enter = watched(original.SharedBarrier.num_enter)
    num_exit = watched(original.SharedBarrier.num_exit)
    flag = watched(original.SharedBarrier.flag)

    @property
    def lock(self) -> Lock:
        return self._lock

    @lock.setter
    def lock(self, lock) -> None:
        self._lock = Lock(lock)


def open_barrier(argument: str):
    name, _, path = argument.partition(' ')
    if talk.mode == 'black':
        original.module.sleep = talk.sleep
        talk.listen_meanwhile()
        return original.SharedBarrier(path, name)
    original.module.sleep = lambda _: None  # the runner says when to look again
    return Watched(path, name)


def call(barrier, argument: str) -> str:
    n = int(argument)
    if n < 1:
        raise ValueError(f'a party count of {n}; want at least 1')
    try:
        if talk.mode != 'black':
            talk.said = None
            talk.announce('Call')
        barrier(n)
        return 'returned'
    except Abandoned:
        return 'abandoned'


def main() -> None:
    barrier = None
    talk.say('port 1 white abandon splitRMW')
    while True:
        line = talk.next()
        request, _, argument = line.partition(' ')
        try:
            if line in ('white', 'splitRMW') and barrier is None:
                talk.mode = line
                talk.say('ok')
            elif request == 'open' and argument and barrier is None:
                barrier = open_barrier(argument)
                talk.say('opened')
            elif request == 'call' and barrier is not None:
                talk.say(call(barrier, argument))
            elif line == 'close' and barrier is not None:
                talk.say('closed')
                return
            elif line == 'abandon' and barrier is not None and talk.mode == 'black':
                pass  # it has crossed with the answer of its call
            else:
                talk.refuse(line)
        except Exception as error:  # noqa: BLE001: whatever it is, the runner is to know
            talk.say('error ' + f'{type(error).__name__}: {error}'.replace('\n', '; '))


main()
