//! The barrier for Stateright, written for speed, so that the comparison is with
//! Stateright at its best: a state of fixed size, bytes for all that it holds, no
//! allocation. Same states and edges as `model.Explore` for scenario `reuse` with
//! bounded rounds; the same safety properties, but no check for deadlock.
//!
//! Usage: barrier PROCS ROUNDS THREADS. Prints unique and generated states.

use stateright::{Checker, Model, Property};

const MAX: usize = 6;
const FREE: i8 = -1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
enum Step {
    Call,
    LockInit,
    InitExit,
    UnlockInit,
    LockEnter,
    TestFirst,
    UnlockFirst,
    AwaitDrain,
    LockFirst,
    LowerFlag,
    CountEnter,
    ResetEnter,
    ResetExit,
    RaiseFlag,
    UnlockEnter,
    AwaitFlag,
    LockExit,
    CountExit,
    ClearExit,
    UnlockExit,
}
use Step::*;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    enter: i8,
    exit: i8,
    flag: i8,
    lock: i8,
    step: [Step; MAX],
    rounds: [u8; MAX],
}

struct Barrier {
    procs: usize,
    rounds: u8,
}

impl Barrier {
    fn enabled(&self, s: &State, p: usize) -> bool {
        match s.step[p] {
            Call => s.rounds[p] < self.rounds,
            LockInit | LockEnter | LockFirst | LockExit => s.lock == FREE,
            AwaitDrain => s.exit == self.procs as i8,
            AwaitFlag => s.flag != 0,
            _ => true,
        }
    }
}

impl Model for Barrier {
    type State = State;
    type Action = u8;

    fn init_states(&self) -> Vec<State> {
        vec![State { enter: 0, exit: -1, flag: 1, lock: FREE, step: [Call; MAX], rounds: [0; MAX] }]
    }

    fn actions(&self, s: &State, actions: &mut Vec<u8>) {
        actions.extend((0..self.procs).filter(|&p| self.enabled(s, p)).map(|p| p as u8));
    }

    fn next_state(&self, last: &State, action: u8) -> Option<State> {
        let (p, n) = (action as usize, self.procs as i8);
        let mut s = last.clone();
        s.step[p] = match s.step[p] {
            Call => LockInit,
            LockInit => {
                s.lock = p as i8;
                InitExit
            }
            InitExit => {
                if s.exit == -1 {
                    s.exit = n;
                }
                UnlockInit
            }
            UnlockInit => {
                s.lock = FREE;
                LockEnter
            }
            LockEnter => {
                s.lock = p as i8;
                TestFirst
            }
            TestFirst => {
                if s.enter == 0 {
                    UnlockFirst
                } else {
                    CountEnter
                }
            }
            UnlockFirst => {
                s.lock = FREE;
                AwaitDrain
            }
            AwaitDrain => LockFirst,
            LockFirst => {
                s.lock = p as i8;
                LowerFlag
            }
            LowerFlag => {
                s.flag = 0;
                CountEnter
            }
            CountEnter => {
                s.enter += 1;
                if s.enter == n {
                    ResetEnter
                } else {
                    UnlockEnter
                }
            }
            ResetEnter => {
                s.enter = 0;
                ResetExit
            }
            ResetExit => {
                s.exit = 0;
                RaiseFlag
            }
            RaiseFlag => {
                s.flag = 1;
                UnlockEnter
            }
            UnlockEnter => {
                s.lock = FREE;
                AwaitFlag
            }
            AwaitFlag => LockExit,
            LockExit => {
                s.lock = p as i8;
                CountExit
            }
            CountExit => {
                s.exit += 1;
                if s.exit == n {
                    ClearExit
                } else {
                    UnlockExit
                }
            }
            ClearExit => {
                s.exit = -1;
                UnlockExit
            }
            UnlockExit => {
                s.lock = FREE;
                s.rounds[p] += 1;
                Call
            }
        };
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("NoEarlyExit", |m: &Barrier, s: &State| {
                let completed = *s.rounds[..m.procs].iter().max().unwrap();
                (0..m.procs).all(|q| s.rounds[q] + (s.step[q] != Call) as u8 >= completed)
            }),
            Property::always("WordsInRange", |m: &Barrier, s: &State| {
                let n = m.procs as i8;
                (0..=n).contains(&s.enter) && (-1..=n).contains(&s.exit) && (0..=1).contains(&s.flag)
            }),
            Property::always("LockExclusive", |m: &Barrier, s: &State| {
                let holds = |t: Step| {
                    !matches!(t, Call | LockInit | LockEnter | AwaitDrain | LockFirst | AwaitFlag | LockExit)
                };
                s.step[..m.procs].iter().filter(|&&t| holds(t)).count() <= 1
            }),
            Property::always("Quiescent", |m: &Barrier, s: &State| {
                s.step[..m.procs].iter().any(|&t| t != Call)
                    || s.enter == 0 && (s.exit == -1 || s.exit == m.procs as i8)
            }),
        ]
    }
}

fn main() {
    let args: Vec<usize> = std::env::args().skip(1).map(|a| a.parse().expect("three numbers")).collect();
    let [procs, rounds, threads] = args[..] else { panic!("usage: barrier PROCS ROUNDS THREADS") };
    assert!((1..=MAX).contains(&procs), "1 to {MAX} processes");
    let checker = Barrier { procs, rounds: rounds as u8 }.checker().threads(threads).spawn_bfs().join();
    checker.assert_properties();
    println!("{} {}", checker.unique_state_count(), checker.state_count());
}
