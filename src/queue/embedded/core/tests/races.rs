//! Submit, cancel, finish and shutdown at once, in random orders of a controlled scheduler. The
//! dispatcher here is the protocol of the real one in few lines, on channels that `shuttle` controls.

use std::collections::{BTreeMap, VecDeque};

use shuttle::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use super::*;

/// The number of orders to try.
const TRIES: usize = 2_000;
const WORKERS: u16 = 2;

enum Message {
    Submit,
    Cancel(u64),
    Started(WorkerNumber, RunStarted),
    RunEnded(WorkerNumber, RunEnded),
    Stop,
}

/// The short channel of jobs, from which the dispatcher can reclaim.
#[derive(Default)]
struct JobQueue {
    jobs: Mutex<(VecDeque<Job>, bool)>,
    more: Condvar,
}

impl JobQueue {
    fn push(&self, job: Job) {
        self.jobs.lock().expect("not poisoned").0.push_back(job);
        self.more.notify_one();
    }

    fn pop(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().expect("not poisoned");
        loop {
            if let Some(job) = jobs.0.pop_front() {
                return Some(job);
            }
            if jobs.1 {
                return None;
            }
            jobs = self.more.wait(jobs).expect("not poisoned");
        }
    }

    fn reclaim(&self) -> Vec<Job> {
        self.jobs
            .lock()
            .expect("not poisoned")
            .0
            .drain(..)
            .collect()
    }

    fn len(&self) -> usize {
        self.jobs.lock().expect("not poisoned").0.len()
    }

    fn close(&self) {
        self.jobs.lock().expect("not poisoned").1 = true;
        self.more.notify_all();
    }
}

/// State shared by the dispatcher and the workers.
#[derive(Default)]
struct Shared {
    jobs: JobQueue,
    /// The run that each worker is to stop.
    stop_requested: [AtomicU64; WORKERS as usize],
    /// The number of complete runs of each task.
    ran: Mutex<BTreeMap<u64, usize>>,
}

fn dispatch(inbox: &mpsc::Receiver<Message>, shared: &Shared) -> (World, Vec<u64>) {
    let (mut world, mut stopping, mut cancelled) = (World::new(), false, Vec::new());
    while !stopping || world.core.in_flight() > 0 {
        let Ok(message) = inbox.recv() else { break };
        match message {
            Message::Submit if stopping => {}
            Message::Submit => drop(world.submit(TaskOptions::default())),
            Message::Cancel(id) => {
                for job in shared.jobs.reclaim() {
                    world.core.reclaim_job(&job);
                }
                if world.cancel(id) == Some(State::Cancelled) {
                    cancelled.push(id);
                }
            }
            Message::Started(worker, started) => world.core.run_started(worker, started),
            Message::RunEnded(worker, ended) => world.core.run_ended(worker, ended),
            Message::Stop => {
                for job in shared.jobs.reclaim() {
                    world.core.reclaim_job(&job);
                }
                world.core.set_paused(None, true).expect("room");
                stopping = true;
            }
        }
        world.commit();
        for signal in world.core.take_signals() {
            if let Signal::Stop { worker, run, .. } = signal {
                shared.stop_requested[usize::from(worker.0)].store(run, Ordering::SeqCst);
            }
        }
        while shared.jobs.len() < usize::from(WORKERS) {
            let Some(job) = world.core.next_job() else {
                break;
            };
            shared.jobs.push(job);
        }
    }
    shared.jobs.close();
    (world, cancelled)
}

fn work(worker: u16, sender: &mpsc::Sender<Message>, shared: &Shared) {
    while let Some(job) = shared.jobs.pop() {
        let id = WorkerNumber(worker);
        let (task, run) = (job.id, job.run);
        let started = RunStarted {
            id: task.clone(),
            run,
            at: at(0),
        };
        sender
            .send(Message::Started(id, started))
            .expect("the inbox is open");
        thread::yield_now();
        let stop_requested =
            shared.stop_requested[usize::from(worker)].load(Ordering::SeqCst) == run;
        let outcome = if stop_requested {
            RunOutcome::Cancelled
        } else {
            *shared
                .ran
                .lock()
                .expect("not poisoned")
                .entry(number(&task))
                .or_default() += 1;
            succeeded()
        };
        let ended = RunEnded {
            id: task,
            run,
            at: at(0),
            run_time: Duration::ZERO,
            outcome,
        };
        sender
            .send(Message::RunEnded(id, ended))
            .expect("the inbox is open");
    }
}

fn race() {
    let shared = Arc::new(Shared::default());
    let (sender, inbox) = mpsc::channel();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (sender, shared) = (sender.clone(), Arc::clone(&shared));
            thread::spawn(move || work(worker, &sender, &shared))
        })
        .collect();
    let senders: Vec<_> = [
        vec![Message::Submit, Message::Submit],
        vec![Message::Submit, Message::Cancel(1)],
        vec![Message::Cancel(2), Message::Stop],
    ]
    .into_iter()
    .map(|messages| {
        let sender = sender.clone();
        thread::spawn(move || {
            for message in messages {
                // It may have stopped already.
                sender.send(message).ok();
            }
        })
    })
    .collect();
    // The inbox closes when all other senders are dropped.
    drop(sender);
    let dispatcher = Arc::clone(&shared);
    let (mut world, cancelled) = dispatch(&inbox, &dispatcher);
    // The inbox stays open until all threads have ended.
    for thread in senders.into_iter().chain(workers) {
        thread.join().expect("no panic");
    }
    assert_eq!(world.core.stats(at(0)).stale_reports, 0);
    let ran = shared.ran.lock().expect("not poisoned").clone();
    for id in 1..=world.core.last_id {
        let state = world.state(id);
        let times = ran.get(&id).copied().unwrap_or_default();
        match state {
            State::Succeeded => assert_eq!(times, 1, "#{id}"),
            State::Queued | State::Cancelled => assert_eq!(times, 0, "#{id} is {state}"),
            other => panic!("#{id} is {other} after the end"),
        }
        assert!(
            !cancelled.contains(&id) || state == State::Cancelled,
            "#{id}"
        );
    }
}

#[test]
fn no_order_of_submit_cancel_finish_and_shutdown_breaks_a_task() {
    shuttle::check_random(race, TRIES);
    shuttle::check_pct(race, TRIES, 3);
}
