"""The published original as a port (spec/PORTS.md).

The original is not changed. In black-box mode only its `sleep` is replaced, by one that also looks
for requests. In white-box mode its words, its lock and its `sleep` are wrapped from outside. The
line of the original that makes an access says which step it is.
"""

import inspect
import os
import sys
import threading
from queue import SimpleQueue

import original
from filelock import Timeout

CALL = [  # the lines of the original's __call__ in their order: the line, the access, the step
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
    """The call leaves its wait."""


class Conversation:
    """The requests of the runner and the answers of the port."""

    def __init__(self) -> None:
        self.mode = 'black'
        self.requests = None  # what a thread reads, in black-box mode once the barrier is open
        self.announced = None  # the counting step whose read was announced

    def listen_meanwhile(self) -> None:
        """Read requests in a thread, so that a call can look for them."""

        def listen() -> None:
            while True:
                self.requests.put(self.read())

        self.requests = SimpleQueue()
        threading.Thread(target=listen, daemon=True).start()

    def read(self) -> str:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # a port ends with its input
        return line.rstrip('\n')

    def next(self) -> str:
        return self.read() if self.requests is None else self.requests.get()

    def say(self, line: str) -> None:
        sys.stdout.write(line + '\n')
        sys.stdout.flush()

    def fail(self, text: str) -> None:
        """Answer with an error, cut so that it fits in a line."""
        self.say('error ' + text.replace('\n', '; ')[:1000])

    def refuse(self, request: str) -> None:
        self.fail(f'{request[:80]!r} is not in place, or no request')

    def announce(self, step: str) -> None:
        """Announce the step and wait for the request to go on."""
        self.say('at ' + step)
        while True:
            request = self.read()
            if request == 'go':
                return
            if request == 'abandon' and step in POLLS:
                raise Abandoned
            self.refuse(request)

    def access(self, kind: str) -> None:
        """Announce the step of an access that the original is about to make.

        A counting step reads its word, writes it, and reads it again. It is announced before its
        first read, and in splitRMW mode also before its write.
        """
        caller = sys._getframe(2)
        step = STEPS[caller.f_code][caller.f_lineno, kind]
        if step not in COUNTS:
            self.announce(step)
        elif self.announced != step:
            self.announced = step
            self.announce(step)
        elif self.mode == 'splitRMW' and kind == 'write':
            self.announce(step)
        if step not in COUNTS:
            self.announced = None

    def sleep(self, seconds: float) -> None:
        """The original's sleep in black-box mode: it also looks for requests."""
        real_sleep(seconds)
        while not self.requests.empty():
            request = self.requests.get()
            if request == 'abandon':
                raise Abandoned
            self.refuse(request)


conversation = Conversation()
real_sleep = original.module.sleep


class Lock:
    """The original's lock, which announces each attempt."""

    def __init__(self, lock) -> None:
        self.lock = lock

    def acquire(self) -> None:
        caller = sys._getframe(1)
        step = STEPS[caller.f_code][caller.f_lineno, 'acquire']
        while True:
            conversation.announced = None
            conversation.announce(step)
            try:
                self.lock.acquire(blocking=False)
                return
            except Timeout:
                pass

    def release(self, *_) -> None:
        conversation.access('release')
        self.lock.release()

    __enter__, __exit__ = acquire, release


def watched(word: property) -> property:
    """Wrap a property of the original so that it announces each access."""

    def read(self):
        conversation.access('read')
        return word.fget(self)

    def write(self, value) -> None:
        conversation.access('write')
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
    if conversation.mode == 'black':
        original.module.sleep = conversation.sleep
        if conversation.requests is None:  # an open that has failed may be made again
            conversation.listen_meanwhile()
        return original.SharedBarrier(path, name)
    original.module.sleep = lambda _: None  # the runner says when to try again
    return Watched(path, name)


def call(barrier, argument: str) -> str:
    n = int(argument)
    if n < 1:
        raise ValueError(f'a party count of {n}; want at least 1')
    try:
        if conversation.mode != 'black':
            conversation.announced = None
            conversation.announce('Call')
        barrier(n)
        return 'returned'
    except Abandoned:
        return 'abandoned'


def main() -> None:
    barrier = None
    conversation.say('port 1 white abandon splitRMW')
    while True:
        line = conversation.next()
        request, _, argument = line.partition(' ')
        try:
            if line in ('white', 'splitRMW') and barrier is None:
                conversation.mode = line
                conversation.say('ok')
            elif request == 'open' and argument and barrier is None:
                barrier = open_barrier(argument)
                conversation.say('opened')
            elif request == 'call' and barrier is not None:
                conversation.say(call(barrier, argument))
            elif line == 'close' and barrier is not None:
                conversation.say('closed')
                return
            elif line == 'abandon' and barrier is not None and conversation.mode == 'black':
                pass  # it crossed with the answer of its call
            else:
                conversation.refuse(line)
        except Exception as error:  # noqa: BLE001: the answer names any error
            conversation.fail(f'{type(error).__name__}: {error}')


main()
