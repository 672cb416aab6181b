#!/usr/bin/env python3
"""Plays test vectors (spec/PROTOCOL.md, section 16) against a port, with nothing but Python.

    python3 stress/vectors/play.py spec/vectors/withdraw-2.json COMMAND [ARGUMENT...]

COMMAND starts the port (section 14). Every process of every schedule is one of it. Schedules for
which the port lacks a capability are left out, and counted. Exit code: 0 all that were played went
as the file says, 1 one did not, 2 usage.
"""

import fcntl
import json
import os
import struct
import subprocess
import sys
import tempfile

WORDS = struct.Struct("=iii")  # enter, exit, flag, in the machine's own byte order


class Different(Exception):
    """What was seen is not what the vectors say."""


class LeftOut(Exception):
    """The port lacks what the schedule needs."""


class Port:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        hello = self.read().split(" ")
        if hello[:2] != ["port", "1"]:
            raise Different(f"the port says {' '.join(hello)!r} first")
        self.capabilities = hello[2:]
        self.parties = 0  # of its call
        self.at = ""  # what it said last
        self.ahead = False  # it has left out the second announcement of InitExit

    def read(self):
        return self.process.stdout.readline().removesuffix("\n")

    def ask(self, request):
        if request.startswith("call "):
            self.parties = int(request[5:])
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Different(f"the port is gone, asked to {request!r}") from None
        return self.read()

    def may_refuse(self, words):
        """Whether the step that the port is at reads a word that is out of range (section 9)."""
        enter, exit, _ = words
        return (self.at == "at InitExit" and not -1 <= exit <= self.parties
                or self.at == "at TestFirst" and not 0 <= enter <= self.parties)

    def kill(self):
        self.process.kill()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # of a request that it did not read any more
        self.process.stdout.close()
        self.process.wait()


class Run:
    """One schedule: a segment and a lock file of its own, and the ports."""

    def __init__(self, command, schedule):
        self.command, self.schedule = command, schedule
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
        os.remove("/dev/shm/" + self.name)
        self.folder.cleanup()

    def open(self, p):
        port = self.ports[p] = Port(self.command)
        needs = self.schedule["needs"]
        if not set(needs) <= set(port.capabilities):
            raise LeftOut
        port.ask("fine" if "fine" in needs else "white")
        answer = port.ask(f"open {self.name} {self.lock}")
        port.late = answer == "opened"  # it attaches, and has not called: it may as well come later
        begins = self.schedule["start"][p] == "MakeEnter"
        if begins and answer == "opened":
            raise LeftOut
        while not begins and answer.startswith("at Make"):
            answer = port.ask("go")
        if answer != ("at MakeEnter" if begins else "opened"):
            raise Different(f"p{p} answers {answer!r} to open")

    def relink(self):
        os.remove(self.lock)
        open(self.lock, "x").close()
        for p, port in enumerate(self.ports):
            if port.late:
                port.kill()
                self.open(p)

    def check(self, words, holder):
        with open("/dev/shm/" + self.name, "rb") as segment:
            got = WORDS.unpack(segment.read())
        if got != words:
            raise Different(f"the words are {got}, want {words}")
        try:
            with open(self.lock) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = True
        except FileNotFoundError:
            free = True
        except BlockingIOError:
            free = False
        if free != (holder == -1):
            raise Different(f"the lock is {'free' if free else 'held'}, want {'it held by p%d' % holder if free else 'it free'}")

    def play(self, moves):
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
                        return
                    port.ahead = "fine" in self.schedule["needs"] and (want, answer) == ("at InitExit", "at UnlockInit")
                    if answer != want and not port.ahead:
                        raise Different(f"the answer is {answer!r}")
                    port.at = want
                words = tuple(after)
                self.check(words, holder)
            except Different as different:
                raise Different(f"move {number}, {moves[index]}: {different}") from None


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as text:
        file = json.load(text)
    if file["version"] != 1:
        print(f"{sys.argv[1]}: version {file['version']}, and this program reads version 1", file=sys.stderr)
        return 2
    played = left_out = 0
    for schedule in file["schedules"]:
        run = Run(sys.argv[2:], schedule)
        try:
            run.play(file["moves"])
            played += 1
        except LeftOut:
            left_out += 1
        except Different as different:
            print(f"{file['scenario']}, schedule {schedule['name']!r}: {different}")
            return 1
        finally:
            run.close()
    print(f"{file['scenario']}: {played} schedules went as they should, {left_out} were left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
