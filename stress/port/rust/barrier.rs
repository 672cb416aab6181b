//! The shared barrier as a port, in Rust with nothing but the standard library: the sample of
//! stress/PORTING.md, and the least that a new port needs. Section numbers are those of
//! spec/PROTOCOL.md, which says what a barrier must do. spec/PORTS.md says how a port talks to the
//! runner.
//!
//!     rustc --edition 2021 -O barrier.rs && ./barrier
//!
//! It does not sleep on a futex and wakes no process. It looks at its word often, which is all that
//! section 8 requires.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::fd::AsRawFd;
use std::os::raw::{c_int, c_void};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::process::exit;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::Duration;

// What the standard library lacks; the constants are those of Linux.
extern "C" {
    fn mmap(addr: *mut c_void, length: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn flock(fd: c_int, operation: c_int) -> c_int;
}
const PROT_READ_WRITE: c_int = 1 | 2;
const MAP_SHARED: c_int = 1;
const LOCK_EX_NB: c_int = 2 | 4;
const LOCK_UN: c_int = 8;
const O_NONBLOCK: c_int = 0o4000;
const O_NOFOLLOW: c_int = if cfg!(any(target_arch = "arm", target_arch = "aarch64")) { 0o100000 } else { 0o400000 };

// ---- The segment (section 2) ----

const NOT_SET: i32 = -1;

/// The three words. Only a holder of the lock writes them, and the lock orders that. The two polls
/// without the lock need an atomic load and no order (section 7).
#[repr(C)]
struct Words {
    enter: AtomicI32,
    exit: AtomicI32,
    flag: AtomicI32,
}

/// Maps an existing segment until the process ends, and writes nothing to it.
fn attach(name: &str) -> io::Result<&'static Words> {
    let bad = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, format!("segment {name:?} {why}")));
    if name.is_empty() || name.len() > 255 || name.contains(['/', '\0']) || name == "." || name == ".." {
        return bad("has no name that a segment can have");
    }
    let file = OpenOptions::new().read(true).write(true).custom_flags(O_NOFOLLOW).open(format!("/dev/shm/{name}"))?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() != 12 {
        return bad("is not a file of 12 bytes");
    }
    // SAFETY: the mapping is new, page-aligned, 12 bytes long and never unmapped, and every access
    // to it is atomic.
    let words = unsafe {
        let mapping = mmap(std::ptr::null_mut(), 12, PROT_READ_WRITE, MAP_SHARED, file.as_raw_fd(), 0);
        if mapping as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        &*(mapping as *const Words)
    };
    if words.enter.load(Relaxed) < 0 || words.exit.load(Relaxed) < NOT_SET || !(0..=1).contains(&words.flag.load(Relaxed)) {
        return bad("has words that are not those of a barrier");
    }
    if [&words.enter, &words.exit, &words.flag].iter().all(|word| word.load(Relaxed) == 0) {
        return bad("is not constructed yet: try again");
    }
    Ok(words)
}

// ---- The lock (section 3) ----

/// The lock file, and the descriptor of it while the lock is held. (Rust opens all files
/// close-on-exec.)
struct Lock {
    path: String,
    held: Option<File>,
}

impl Lock {
    /// Opens the lock file, and makes it only if it is missing: in a sticky directory the kernel
    /// refuses to open the file of another user with O_CREAT (fs.protected_regular).
    fn open(&self) -> io::Result<File> {
        loop {
            match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(&self.path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Ok(file) if !file.metadata()?.is_file() => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the lock file is not a regular file"));
                }
                opened => return opened,
            }
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    /// Makes one attempt. False: another process has the lock.
    fn attempt(&mut self) -> io::Result<bool> {
        loop {
            let file = self.open()?;
            if unsafe { flock(file.as_raw_fd(), LOCK_EX_NB) } != 0 {
                return match io::Error::last_os_error() {
                    e if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
                    e if e.kind() == io::ErrorKind::Interrupted => continue,
                    e => Err(e),
                };
            }
            // If a peer has unlinked the file meanwhile, the others will lock another file.
            if file.metadata()?.nlink() > 0 {
                self.held = Some(file);
                return Ok(true);
            }
        }
    }

    fn release(&mut self) {
        if let Some(file) = self.held.take() {
            unsafe { flock(file.as_raw_fd(), LOCK_UN) }; // the file is closed after that
        }
    }
}

// ---- The call (sections 4 and 5) ----

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Call, LockInit, InitExit, UnlockInit, LockEnter, TestFirst, UnlockFirst, AwaitDrain, LockFirst, LowerFlag,
    CountEnter, ResetEnter, ResetExit, RaiseFlag, UnlockEnter, AwaitFlag, LockExit, CountExit, ClearExit, UnlockExit,
    LockWithdraw, TestFlag, UncountEnter, UnlockWithdraw,
}
use Step::*;

impl Step {
    fn acquires(self) -> bool {
        matches!(self, LockInit | LockEnter | LockFirst | LockExit | LockWithdraw)
    }
    /// The end of its context has an effect on a call at this step.
    fn withdraws(self) -> bool {
        matches!(self, LockInit | LockEnter | LockFirst | AwaitDrain | AwaitFlag)
    }
}

/// What the caller wants before a step, and again after the step has blocked.
enum Wish {
    GoOn,
    GiveUp,
}

enum Outcome {
    Returned,
    Withdrawn,
}

/// Makes one call with party count n. It has one case for each step, in the order of the tables.
/// After a step that blocks, `at` stays as it is for another attempt, after `wait`.
fn call(words: &Words, lock: &mut Lock, n: i32, wish: &mut dyn FnMut(Step) -> Wish, wait: &dyn Fn()) -> io::Result<Outcome> {
    let (enter, exit, flag) = (&words.enter, &words.exit, &words.flag);
    let mut at = Call;
    loop {
        if let Wish::GiveUp = wish(at) {
            if at != AwaitFlag {
                return Ok(Outcome::Withdrawn);
            }
            at = LockWithdraw;
            continue;
        }
        if at.acquires() && !lock.attempt()? {
            wait();
            continue;
        }
        at = match at {
            Call => LockInit,
            LockInit => InitExit,
            InitExit => {
                let v = exit.load(Relaxed);
                check(words, lock, NOT_SET <= v && v <= n)?;
                if v == NOT_SET {
                    exit.store(n, Relaxed);
                }
                UnlockInit
            }
            UnlockInit => { lock.release(); LockEnter }
            LockEnter => TestFirst,
            TestFirst => {
                let v = enter.load(Relaxed);
                check(words, lock, 0 <= v && v <= n)?;
                if v == 0 { UnlockFirst } else { CountEnter }
            }
            UnlockFirst => { lock.release(); AwaitDrain }
            AwaitDrain if exit.load(Relaxed) == n => LockFirst,
            AwaitDrain => { wait(); AwaitDrain }
            LockFirst => LowerFlag,
            LowerFlag => { flag.store(0, Relaxed); CountEnter }
            CountEnter => {
                let v = enter.load(Relaxed).wrapping_add(1); // a peer may have left any value there
                enter.store(v, Relaxed);
                if v == n { ResetEnter } else { UnlockEnter }
            }
            ResetEnter => { enter.store(0, Relaxed); ResetExit }
            ResetExit => { exit.store(0, Relaxed); RaiseFlag }
            RaiseFlag => { flag.store(1, Relaxed); UnlockEnter }
            UnlockEnter => { lock.release(); AwaitFlag }
            AwaitFlag if flag.load(Relaxed) != 0 => LockExit,
            AwaitFlag => { wait(); AwaitFlag }
            LockExit => CountExit,
            CountExit => {
                let v = exit.load(Relaxed).wrapping_add(1);
                exit.store(v, Relaxed);
                if v == n { ClearExit } else { UnlockExit }
            }
            ClearExit => { exit.store(NOT_SET, Relaxed); UnlockExit }
            UnlockExit => { lock.release(); return Ok(Outcome::Returned) }
            LockWithdraw => TestFlag,
            TestFlag => if flag.load(Relaxed) != 0 { CountExit } else { UncountEnter },
            UncountEnter => { enter.store(enter.load(Relaxed).wrapping_sub(1), Relaxed); UnlockWithdraw }
            UnlockWithdraw => { lock.release(); return Ok(Outcome::Withdrawn) }
        }
    }
}

/// Releases the lock and fails unless the word that the call has read is in range.
fn check(words: &Words, lock: &mut Lock, in_range: bool) -> io::Result<()> {
    if in_range {
        return Ok(());
    }
    let found = format!("words are out of range: enter={:?} exit={:?} flag={:?}", words.enter, words.exit, words.flag);
    lock.release();
    Err(io::Error::new(io::ErrorKind::InvalidData, found))
}

// ---- The conversation (spec/PORTS.md) ----

fn say(line: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        exit(2); // the runner is gone
    }
}

/// Reads requests in a thread of its own, so that a call can look whether one has come.
fn requests() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        exit(0); // a port ends with its input
    });
    receiver
}

/// Answers with an error, cut so that it fits in a line.
fn fail(text: &str) {
    let line: String = text.replace('\n', "; ").chars().take(1000).collect();
    say(&format!("error {line}"));
}

fn refuse(request: &str) {
    let request: String = request.chars().take(80).collect();
    fail(&format!("{request:?} is not in place here, or no request"));
}

struct Port {
    requests: Receiver<String>,
    white: bool,
    barrier: Option<(&'static Words, Lock)>,
}

impl Port {
    fn open(&mut self, argument: &str) -> io::Result<&'static str> {
        let Some((name, path)) = argument.split_once(' ') else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "open: want NAME LOCKPATH"));
        };
        self.barrier = Some((attach(name)?, Lock { path: path.to_string(), held: None }));
        Ok("opened")
    }

    fn call(&mut self, argument: &str) -> io::Result<&'static str> {
        let n = match argument.parse() {
            Ok(n) if n >= 1 => n,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "call: want a party count of at least 1")),
        };
        let (requests, white) = (&self.requests, self.white);
        let mut given_up = false; // black box: the request may come before the step on which it has an effect
        let mut wish = |at: Step| {
            if !white {
                match requests.try_recv().as_deref() {
                    Ok("giveup") => given_up = true,
                    Ok(other) => refuse(other),
                    Err(_) => {}
                }
                return if given_up && at.withdraws() { Wish::GiveUp } else { Wish::GoOn };
            }
            say(&format!("at {at:?}"));
            loop {
                match requests.recv().unwrap_or_else(|_| exit(0)).as_str() {
                    "go" => return Wish::GoOn,
                    "giveup" if at.withdraws() => return Wish::GiveUp,
                    other => refuse(other),
                }
            }
        };
        let wait = || if !white { thread::sleep(Duration::from_micros(100)) };
        let (words, lock) = self.barrier.as_mut().unwrap();
        Ok(match call(words, lock, n, &mut wish, &wait)? {
            Outcome::Returned => "returned",
            Outcome::Withdrawn => "withdrawn",
        })
    }
}

fn main() {
    say("port 1 white withdraw");
    let mut port = Port { requests: requests(), white: false, barrier: None };
    loop {
        let line = port.requests.recv().unwrap_or_else(|_| exit(0));
        let (request, argument) = line.split_once(' ').map_or((line.as_str(), None), |(r, a)| (r, Some(a)));
        let answer = match (request, argument, port.barrier.is_some()) {
            ("white", None, false) => { port.white = true; Ok("ok") }
            ("open", Some(argument), false) => port.open(argument),
            ("call", Some(argument), true) => port.call(argument),
            ("close", None, true) => { say("closed"); return }
            ("giveup", None, true) if !port.white => continue, // it crossed with the answer of its call
            _ => { refuse(&line); continue }
        };
        match answer {
            Ok(answer) => say(answer),
            Err(error) => fail(&error.to_string()),
        }
    }
}
