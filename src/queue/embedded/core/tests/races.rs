//! Submit, cancel, finish and shutdown at once, in every order that a scheduler can think of. The
//! dispatcher here is the real one's protocol in few lines, on channels that `shuttle` controls.

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

/// Orders that are tried.
const TRIES: usize = 2_000;
const WORKERS: u16 = 2;

enum Say {
    Submit,
    Cancel(u64),
    Started(WorkerId, Started),
    RunEnded(WorkerId, RunEnded),
    Stop,
}

/// The short channel in front of the workers, which the dispatcher can take back from.
#[derive(Default)]
struct Handed {
    jobs: Mutex<(VecDeque<Job>, bool)>,
    more: Condvar,
}

impl Handed {
    fn put(&self, job: Job) {
        self.jobs.lock().expect("whole").0.push_back(job);
        self.more.notify_one();
    }

    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().expect("whole");
        loop {
            if let Some(job) = jobs.0.pop_front() {
                return Some(job);
            }
            if jobs.1 {
                return None;
            }
            jobs = self.more.wait(jobs).expect("whole");
        }
    }

    fn call_back(&self) -> Vec<Job> {
        self.jobs.lock().expect("whole").0.drain(..).collect()
    }

    fn len(&self) -> usize {
        self.jobs.lock().expect("whole").0.len()
    }

    fn close(&self) {
        self.jobs.lock().expect("whole").1 = true;
        self.more.notify_all();
    }
}

/// What everybody shares.
#[derive(Default)]
struct Floor {
    handed: Handed,
    /// The run that each worker is asked to stop.
    asked: [AtomicU64; WORKERS as usize],
    /// How often each task ran to its end.
    ran: Mutex<BTreeMap<u64, usize>>,
}

fn dispatch(inbox: &mpsc::Receiver<Say>, floor: &Floor) -> (World, Vec<u64>) {
    let (mut world, mut stopping, mut cancelled) = (World::new(), false, Vec::new());
    while !stopping || world.core.in_hands() > 0 {
        let Ok(say) = inbox.recv() else { break };
        match say {
            Say::Submit if stopping => {}
            Say::Submit => drop(world.submit(TaskOptions::default())),
            Say::Cancel(id) => {
                for job in floor.handed.call_back() {
                    world.core.take_back(&job);
                }
                if world.cancel(id) == Some(State::Cancelled) {
                    cancelled.push(id);
                }
            }
            Say::Started(worker, started) => world.core.started(worker, started),
            Say::RunEnded(worker, ended) => world.core.ended(worker, ended),
            Say::Stop => {
                for job in floor.handed.call_back() {
                    world.core.take_back(&job);
                }
                world.core.pause(None, true);
                stopping = true;
            }
        }
        world.settle();
        for signal in world.core.take_signals() {
            if let Signal::Ask { worker, run, .. } = signal {
                floor.asked[usize::from(worker.0)].store(run, Ordering::SeqCst);
            }
        }
        while floor.handed.len() < usize::from(WORKERS) {
            let Some(job) = world.core.next_job() else {
                break;
            };
            floor.handed.put(job);
        }
    }
    floor.handed.close();
    (world, cancelled)
}

fn work(worker: u16, tell: &mpsc::Sender<Say>, floor: &Floor) {
    while let Some(job) = floor.handed.take() {
        let id = WorkerId(worker);
        let (task, run) = (job.id, job.run);
        let started = Started {
            id: task,
            run,
            at: at(0),
        };
        tell.send(Say::Started(id, started)).expect("it listens");
        thread::yield_now();
        let asked = floor.asked[usize::from(worker)].load(Ordering::SeqCst) == run;
        let outcome = if asked {
            RunOutcome::Cancelled
        } else {
            *floor.ran.lock().expect("whole").entry(task).or_default() += 1;
            good()
        };
        let ended = RunEnded {
            id: task,
            run,
            at: at(0),
            ran: Duration::ZERO,
            outcome,
        };
        tell.send(Say::RunEnded(id, ended)).expect("it listens");
    }
}

fn race() {
    let floor = Arc::new(Floor::default());
    let (tell, inbox) = mpsc::channel();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (tell, floor) = (tell.clone(), Arc::clone(&floor));
            thread::spawn(move || work(worker, &tell, &floor))
        })
        .collect();
    let sayers: Vec<_> = [
        vec![Say::Submit, Say::Submit],
        vec![Say::Submit, Say::Cancel(1)],
        vec![Say::Cancel(2), Say::Stop],
    ]
    .into_iter()
    .map(|says| {
        let tell = tell.clone();
        thread::spawn(move || {
            for say in says {
                // It may have stopped already.
                tell.send(say).ok();
            }
        })
    })
    .collect();
    // Nobody can say anything more when all others have gone.
    drop(tell);
    let shared = Arc::clone(&floor);
    let (mut world, cancelled) = dispatch(&inbox, &shared);
    // The inbox stays open until everybody has gone.
    for thread in sayers.into_iter().chain(workers) {
        thread.join().expect("no panic");
    }
    assert_eq!(world.core.stats(at(0)).late, 0);
    let ran = floor.ran.lock().expect("whole").clone();
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
fn no_order_of_submit_cancel_finish_and_shutdown_goes_wrong() {
    shuttle::check_random(race, TRIES);
    shuttle::check_pct(race, TRIES, 3);
}
