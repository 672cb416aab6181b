#!/usr/bin/env python3
"""Plays test vectors (spec/PORTS.md, section 5) against a port. It needs only Python.

    python3 stress/vectors/play.py [--limit SECONDS] FILE COMMAND [ARGUMENT...]
    python3 stress/vectors/play.py spec/vectors/withdraw-2.json ./my-port

COMMAND starts the port, once for each process of each schedule. Schedules that need a capability
which the port lacks are left out. A schedule ends where the port refuses a word out of range, as it
may. The last line counts both. This program sees whether the lock is held, and not by which process.

Exit code: 0 every schedule that was played went as the file says, 1 one did not, 2 usage or
environment, or a file that is not of that format, 75 every schedule was left out, 130 interrupted.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

WORDS = struct.Struct("=iii")  # enter, exit, flag, in the machine's own byte order
LONGEST = 4096  # bytes of an answer
COLUMNS = ["proc", "request", "answer", "enter", "exit", "flag", "holder"]
REQUEST = re.compile(r"call [0-9]{1,10}|go|giveup|abandon|kill|relink")
MOST = 1024  # processes


class Different(Exception):
    """The port does not do what the vectors say."""


class LeftOut(Exception):
    """The port lacks a capability that the schedule needs."""


class Unusable(Exception):
    """The file or the command is missing or wrong."""


def whole(value, least, most):
    """Return whether value is an integer from least to most. True and False are none."""
    return type(value) is int and least <= value <= most


def texts(value):
    """Return whether value is a list of strings."""
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def fault_of(file):
    """Say what is wrong with the file, which is what JSON gave; None: it can be played."""
    if not isinstance(file, dict) or not whole(file.get("version"), 0, 1 << 31):
        return "it has no version"
    if file["version"] != 2:
        return f"version {file['version']}, and this program reads version 2"
    if not isinstance(file.get("scenario"), str) or not file["scenario"].isprintable():
        return "scenario is no name"
    if file.get("columns") != COLUMNS:
        return f"columns is not {', '.join(COLUMNS)}"
    moves, schedules = file.get("moves"), file.get("schedules")
    if not isinstance(moves, list):
        return "moves is no list"
    if not isinstance(schedules, list) or not schedules:
        return "schedules is no list, or empty"
    for number, move in enumerate(moves):
        if not is_move(move):
            return f"move {number} is not {', '.join(COLUMNS)}, with a request of section 5"
    for number, schedule in enumerate(schedules):
        if not isinstance(schedule, dict):
            return f"schedule {number} is no object"
        fault = fault_of_schedule(schedule, moves)
        if fault:
            return f"schedule {number}: {fault}"
    return None


def is_move(move):
    """Return whether move is one that a runner can make."""
    if not isinstance(move, list) or len(move) != len(COLUMNS):
        return False
    p, request, answer, *words, holder = move
    return (whole(p, -1, MOST) and isinstance(request, str) and isinstance(answer, str) and whole(holder, -1, MOST)
            and all(whole(w, -1 << 31, (1 << 31) - 1) for w in words)
            and bool(REQUEST.fullmatch(request)) and (p == -1) == (request == "relink"))


def fault_of_schedule(schedule, moves):
    """Say what is wrong with the schedule; None: it can be played."""
    procs, start, run = (schedule.get(key) for key in ("procs", "start", "moves"))
    if not isinstance(schedule.get("name"), str):
        return "name is no string"
    if not whole(procs, 1, MOST):
        return f"procs is no number from 1 to {MOST}"
    for key in ("needs", "shows"):
        if not texts(schedule.get(key)):
            return f"{key} is no list of strings"
    if not texts(start) or len(start) != procs or not set(start) <= {"Call", "MakeEnter"}:
        return "start is no list of Call or MakeEnter, one for each process"
    if not isinstance(run, list) or not all(whole(index, 0, len(moves) - 1) for index in run):
        return f"moves is no list of numbers from 0 to {len(moves) - 1}"
    dead = set()
    for index in run:
        p, request, *_ = moves[index]
        if p >= procs or p in dead:
            return f"move {index} is of process {p}, which does not exist, or is dead"
        if request == "kill":
            dead.add(p)
    return None


class Port:
    def __init__(self, command, limit):
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
        except OSError as error:
            raise Unusable(f"{command[0]}: {error.strerror}") from None
        self.limit = limit  # of an answer, in seconds
        self.capabilities = []
        self.parties = 0  # of its call
        self.at = ""  # its last answer
        self.late = False  # it has attached and not called, so relink starts it again
        self.ahead = False  # it omitted the second announcement of InitExit

    def greet(self):
        hello = self.read().split(" ")
        if hello[:2] != ["port", "1"]:
            raise Different(f"the port says {' '.join(hello)!r} first")
        self.capabilities = hello[2:]

    def read(self):
        """Return the next line. Text after its newline makes it a wrong answer."""
        line, end = b"", time.monotonic() + self.limit
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Different(f"no answer for {self.limit} s, but {line!r}")
            more = os.read(self.process.stdout.fileno(), LONGEST)
            if not more:
                raise Different(f"the port has ended, after {line!r}")
            line += more
            if len(line) > LONGEST:
                raise Different(f"an answer that begins with {line[:80]!r} is longer than {LONGEST} bytes")
        return line[:-1].decode("utf-8", errors="replace")

    def ask(self, request):
        if request.startswith("call "):
            self.parties = int(request[5:])
        try:
            self.process.stdin.write(f"{request}\n".encode())
        except BrokenPipeError:
            raise Different(f"the port is gone, asked to {request!r}") from None
        return self.read()

    def may_refuse(self, words):
        """Return whether the port may refuse the words at its step (spec/PROTOCOL.md, section 9)."""
        enter, exit, flag = words
        in_range = 0 <= enter <= self.parties and -1 <= exit <= self.parties and flag in (0, 1)
        return self.at in ("at InitExit", "at TestFirst") and not in_range

    def kill(self):
        """Kill the port and its children, unless they are gone."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()


class Run:
    """One schedule: a segment, a lock file, and the ports."""

    def __init__(self, command, limit, schedule):
        self.command, self.limit, self.schedule = command, limit, schedule
        self.ports = [None] * schedule["procs"]
        self.folder = tempfile.TemporaryDirectory()
        self.lock = os.path.join(self.folder.name, "lock")
        self.name = "vectors-" + os.path.basename(self.folder.name)
        with open("/dev/shm/" + self.name, "xb") as segment:
            segment.write(WORDS.pack(0, -1, 1))

    def close(self):
        for port in self.ports:
            if port:
                port.kill()
        with contextlib.suppress(FileNotFoundError):  # the port has removed it
            os.remove("/dev/shm/" + self.name)
        self.folder.cleanup()

    def open(self, p):
        port = self.ports[p] = Port(self.command, self.limit)  # first: close kills it
        port.greet()
        needs = self.schedule["needs"]
        if not set(needs) <= set(port.capabilities):
            raise LeftOut
        mode = "splitRMW" if "splitRMW" in needs else "white"
        answer = port.ask(mode)
        if answer != "ok":
            raise Different(f"p{p} answers {answer!r} to {mode}")
        answer = port.ask(f"open {self.name} {self.lock}")
        port.late = answer == "opened"
        begins = self.schedule["start"][p] == "MakeEnter"
        if begins and answer == "opened":
            raise LeftOut
        while not begins and answer.startswith("at Make"):
            answer = port.ask("go")
        if answer != ("at MakeEnter" if begins else "opened"):
            raise Different(f"p{p} answers {answer!r} to open")

    def relink(self):
        with contextlib.suppress(FileNotFoundError):  # a port may unlink it when it unlocks
            os.remove(self.lock)
        open(self.lock, "x").close()
        for p, port in enumerate(self.ports):
            if port.late:
                port.kill()
                self.open(p)

    def check(self, words, holder):
        try:
            with open("/dev/shm/" + self.name, "rb") as segment:
                got = segment.read(WORDS.size + 1)
        except OSError as error:
            raise Different(f"the segment: {error.strerror}") from None
        if len(got) != WORDS.size:
            raise Different(f"the segment is not of {WORDS.size} bytes")
        got = WORDS.unpack(got)
        if got != words:
            raise Different(f"the words are {got}, want {words}")
        try:
            with open(self.lock, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = True
        except FileNotFoundError:
            free = True
        except BlockingIOError:
            free = False
        except OSError as error:
            raise Different(f"the lock file: {error.strerror}") from None
        if free != (holder == -1):
            raise Different(f"the lock is {'free' if free else 'held'}, want {'it held by p%d' % holder if free else 'it free'}")

    def play(self, moves):
        """Play the schedule. Return whether it went to its end, and no port refused a word."""
        for p in sorted(range(len(self.ports)), key=lambda p: self.schedule["start"][p] == "MakeEnter"):
            self.open(p)
        words = (0, -1, 1)
        for number, index in enumerate(self.schedule["moves"], 1):
            p, request, want, *after, holder = moves[index]
            port = self.ports[p]
            if p >= 0 and port.ahead:
                port.ahead = False
                continue
            try:
                if request == "kill":
                    port.kill()
                elif request == "relink":
                    self.relink()
                else:
                    port.late = port.late and not request.startswith("call ")
                    answer = port.ask(request)
                    if answer.startswith("error ") and port.may_refuse(words):
                        return False
                    port.ahead = "splitRMW" in self.schedule["needs"] and (want, answer) == ("at InitExit", "at UnlockInit")
                    if answer != want and not port.ahead:
                        raise Different(f"the answer is {answer!r}")
                    port.at = want
                words = tuple(after)
                self.check(words, holder)
            except Different as different:
                raise Different(f"move {number}, {moves[index]}: {different}") from None
        return True


def read(path):
    try:
        with open(path, encoding="utf-8") as text:
            file = json.load(text)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Unusable(f"{path}: no file of vectors: it is no JSON in UTF-8, or nested too deeply") from None
    fault = fault_of(file)
    if fault:
        raise Unusable(f"{path}: no file of vectors: {fault}; spec/PORTS.md, section 5, has the format")
    return file


def play(path, command, limit):
    """Play all schedules of a file and return the exit code."""
    file = read(path)
    played = refused = left_out = 0
    for schedule in file["schedules"]:
        run = Run(command, limit, schedule)
        try:
            if run.play(file["moves"]):
                played += 1
            else:
                refused += 1
        except LeftOut:
            left_out += 1
        except Different as different:
            print(f"{file['scenario']}, schedule {schedule['name']!r}: {different}")
            return 1
        finally:
            run.close()
    print(f"{file['scenario']}: {played} schedules went as they should, {refused} ended in a refusal, {left_out} were left out")
    return 0 if played + refused else 75


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=30, metavar="SECONDS", help="longest time for an answer (%(default)s)")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("command", metavar="COMMAND")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if not 0 < args.limit < 1e6:
        parser.error(f"--limit is {args.limit}; give a number of seconds above 0")
    sys.stdout.reconfigure(errors="backslashreplace")  # a name may have what the terminal cannot show
    sys.stderr.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)
    try:
        return play(args.file, [args.command, *args.arguments], args.limit)
    except Unusable as unusable:
        print(unusable, file=sys.stderr)
        return 2
    except OSError as error:  # of the folder or of the segment
        print(f"{error.filename or 'play.py'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
