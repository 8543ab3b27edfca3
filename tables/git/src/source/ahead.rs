//! A walk on its own thread: it reads commits while earlier ones become rows.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::{thread, vec};

use indago_table::{Error, spawn_detached};

use crate::source::walk::Walk;

type Step = <Walk as Iterator>::Item;

/// A walk that moves to its own thread once it proves long. A query for the first few rows starts no thread and reads
/// no extra commit.
pub(crate) enum Ahead {
    /// On the caller's thread, with the number of steps left before it moves.
    Here(Box<Walk>, usize),
    /// On its own thread.
    There(Receiver<thread::Result<Vec<Step>>>, vec::IntoIter<Step>),
    Over,
}

/// Steps before the thread starts.
const FIRST: usize = 1000;
/// Steps per message.
const TOGETHER: usize = 256;
/// Messages that may wait in the channel.
const WAITING: usize = 4;

impl Ahead {
    pub(crate) fn new(walk: Walk) -> Self {
        Ahead::Here(Box::new(walk), FIRST)
    }

    fn start(mut walk: Box<Walk>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let run = move || {
            loop {
                // A panic is passed on: after it, the walk is not used again.
                let steps = catch_unwind(AssertUnwindSafe(|| walk.by_ref().take(TOGETHER).collect::<Vec<Step>>()));
                let is_over = steps.as_ref().map_or(true, Vec::is_empty);
                if sender.send(steps).is_err() || is_over {
                    return;
                }
            }
        };
        match spawn_detached(thread::Builder::new().name("git walk".to_owned()), run) {
            Ok(()) => Ahead::There(receiver, Vec::new().into_iter()),
            Err(error) => {
                let error = Error::io("a thread to read commits ahead", &error);
                let (_, receiver) = sync_channel(0);
                Ahead::There(receiver, vec![Err(error)].into_iter())
            }
        }
    }
}

impl Iterator for Ahead {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            match self {
                Ahead::Here(walk, left) if *left > 0 => {
                    *left -= 1;
                    return walk.next();
                }
                Ahead::Here(..) => {
                    if let Ahead::Here(walk, _) = std::mem::replace(self, Ahead::Over) {
                        *self = Ahead::start(walk);
                    }
                }
                Ahead::There(receiver, steps) => {
                    if let Some(step) = steps.next() {
                        return Some(step);
                    }
                    match receiver.recv() {
                        Ok(Ok(more)) => *steps = more.into_iter(),
                        Ok(Err(panic)) => resume_unwind(panic),
                        Err(_) => *self = Ahead::Over,
                    }
                }
                Ahead::Over => return None,
            }
        }
    }
}
