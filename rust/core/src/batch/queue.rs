//! Who is next: the earliest deadline, and turn by turn for each camera when not all can be served.
//!
//! While everything can be served in time, the order is earliest deadline first and nothing else.
//! In overload that order would starve the camera whose deadlines are later, and a camera that
//! floods would take its neighbours along. So from the first job that is lost (expired, or refused
//! at the door) until nothing waits any more, cameras with work take turns, the earliest deadline
//! first within each: a camera that asks for less than its share loses nothing.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::outcome::PartId;

/// One view of one part that waits to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job<T> {
    /// The part.
    pub part: PartId,
    /// Which of its views: the index of the camera.
    pub view: u8,
    /// When its verdict is worth nothing any more, in ns of the line's clock.
    pub due_ns: i64,
    /// What is to be judged: the frame.
    pub payload: T,
}

/// Jobs between the line and its workers; bounded per camera, and without an allocation after
/// `new`.
#[derive(Debug)]
pub struct BatchQueue<T> {
    state: Mutex<State<T>>,
    work: Condvar,
    per_camera: usize,
}

#[derive(Debug)]
struct State<T> {
    cameras: Box<[Waiting<T>]>,
    pushed: u64,
    turns: u64,
    /// A job was lost, and something has waited ever since.
    overloaded: bool,
    closed: bool,
}

#[derive(Debug)]
struct Waiting<T> {
    jobs: BinaryHeap<Reverse<Entry<T>>>,
    /// When it was last served.
    turn: u64,
}

#[derive(Debug)]
struct Entry<T> {
    job: Job<T>,
    order: u64,
}

impl<T> Entry<T> {
    fn key(&self) -> (i64, u64) {
        (self.job.due_ns, self.order)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> BatchQueue<T> {
    /// Room for `per_camera` jobs of each of `cameras` cameras: as many as the camera has slots,
    /// and the queue is never full.
    pub fn new(cameras: usize, per_camera: usize) -> Self {
        let waiting = || Waiting { jobs: BinaryHeap::with_capacity(per_camera), turn: 0 };
        let cameras = (0..cameras).map(|_| waiting()).collect();
        let state = State { cameras, pushed: 0, turns: 0, overloaded: false, closed: false };
        Self { state: Mutex::new(state), work: Condvar::new(), per_camera }
    }

    /// How many jobs fit, all cameras together: the capacity that `take`'s vectors need at most.
    pub fn capacity(&self) -> usize {
        self.per_camera * self.lock().cameras.len()
    }

    /// How many jobs wait.
    pub fn len(&self) -> usize {
        self.lock().cameras.iter().map(|camera| camera.jobs.len()).sum()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a job; gives it back when its camera's share is full, the queue is closed, or there is
    /// no such camera.
    pub fn push(&self, job: Job<T>) -> Result<(), Job<T>> {
        let mut state = self.lock();
        let order = state.pushed;
        let closed = state.closed;
        let Some(camera) = state.cameras.get_mut(usize::from(job.view)) else { return Err(job) };
        if closed {
            return Err(job);
        }
        if camera.jobs.len() == self.per_camera {
            state.overloaded = true;
            return Err(job);
        }
        camera.jobs.push(Reverse(Entry { job, order }));
        state.pushed += 1;
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Waits for work and moves up to `max` jobs to the end of `batch`, those that are next first;
    /// every job whose time has passed goes to `expired` instead, however many there are. Returns
    /// false when the queue is closed and empty; otherwise at least one of the two has grown.
    ///
    /// Allocates nothing when the vectors have the capacity: `max`, and [`capacity`](Self::capacity).
    pub fn take(
        &self,
        max: usize,
        clock: &Clock,
        batch: &mut Vec<Job<T>>,
        expired: &mut Vec<Job<T>>,
    ) -> bool {
        let mut state = self.lock();
        while state.is_empty() {
            if state.closed {
                return false;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.expire(clock.now_ns(), expired);
        for _ in 0..max {
            let Some(job) = state.next() else { break };
            batch.push(job);
        }
        if state.is_empty() {
            state.overloaded = false;
        }
        true
    }

    /// Refuses further jobs and wakes every waiting worker; what is queued can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn is_empty(&self) -> bool {
        self.cameras.iter().all(|camera| camera.jobs.is_empty())
    }

    fn expire(&mut self, now_ns: i64, expired: &mut Vec<Job<T>>) {
        for camera in &mut self.cameras {
            while camera.jobs.peek().is_some_and(|entry| entry.0.job.due_ns <= now_ns) {
                expired.extend(camera.jobs.pop().map(|entry| entry.0.job));
                self.overloaded = true;
            }
        }
    }

    fn next(&mut self) -> Option<Job<T>> {
        let overloaded = self.overloaded;
        let camera = self.cameras.iter_mut().filter(|camera| !camera.jobs.is_empty()).min_by_key(
            |camera| {
                let turn = if overloaded { camera.turn } else { 0 };
                (turn, camera.jobs.peek().map(|entry| entry.0.key()))
            },
        )?;
        self.turns += 1;
        camera.turn = self.turns;
        camera.jobs.pop().map(|entry| entry.0.job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::clock::SteppedClock;

    fn job(part: PartId, view: u8, due_ns: i64) -> Job<()> {
        Job { part, view, due_ns, payload: () }
    }

    fn take(queue: &BatchQueue<()>, max: usize, now_ns: i64) -> (Vec<PartId>, Vec<PartId>) {
        let clock = Clock::Stepped(SteppedClock::new(now_ns));
        let (mut batch, mut expired) = (Vec::new(), Vec::new());
        assert!(queue.take(max, &clock, &mut batch, &mut expired));
        let parts = |jobs: Vec<Job<()>>| jobs.iter().map(|job| job.part).collect();
        (parts(batch), parts(expired))
    }

    #[test]
    fn the_earliest_deadline_is_first_whatever_its_camera() {
        let queue = BatchQueue::new(2, 8);
        for (part, view, due) in [(1, 0, 50), (2, 1, 20), (3, 0, 10), (4, 1, 20)] {
            queue.push(job(part, view, due)).unwrap();
        }
        assert_eq!(take(&queue, 3, 0), (vec![3, 2, 4], vec![]));
        assert_eq!(take(&queue, 3, 0), (vec![1], vec![]));
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_past_its_time_is_handed_over_as_expired_at_once() {
        let queue = BatchQueue::new(1, 8);
        for part in 1..=4 {
            queue.push(job(part, 0, part as i64 * 10)).unwrap();
        }
        assert_eq!(take(&queue, 1, 20), (vec![3], vec![1, 2]));
        assert_eq!(take(&queue, 1, 99), (vec![], vec![4]));
    }

    #[test]
    fn a_full_share_gives_the_job_back_and_leaves_the_other_camera_its_own() {
        let queue = BatchQueue::new(2, 2);
        queue.push(job(1, 0, 10)).unwrap();
        queue.push(job(2, 0, 10)).unwrap();
        assert_eq!(queue.push(job(3, 0, 10)), Err(job(3, 0, 10)));
        queue.push(job(3, 1, 10)).unwrap();
        assert_eq!(queue.push(job(4, 2, 10)), Err(job(4, 2, 10)), "no such camera");
        assert_eq!(queue.len(), 3);
    }

    /// Twice the load that one worker can do; the deadlines of camera 1 are always the later ones.
    #[test]
    fn in_overload_no_camera_starves() {
        let queue = BatchQueue::new(2, 16);
        let mut served = [0, 0];
        for tick in 0..1000_i64 {
            queue.push(job(1, 0, tick + 4)).unwrap();
            queue.push(job(2, 1, tick + 6)).unwrap();
            for part in take(&queue, 1, tick).0 {
                served[part as usize - 1] += 1;
            }
        }
        assert!(served.iter().all(|n| (450..=550).contains(n)), "{served:?}");
    }

    #[test]
    fn a_camera_that_floods_leaves_its_neighbours_their_share() {
        let queue = BatchQueue::new(2, 16);
        let (mut asked, mut lost) = (0, 0);
        for now_ns in (0..10_000).step_by(10) {
            for _ in 0..10 {
                let _ = queue.push(job(1, 0, now_ns + 41));
            }
            if now_ns % 30 == 0 {
                asked += 1;
                queue.push(job(2, 1, now_ns + 65)).unwrap();
            }
            lost += take(&queue, 1, now_ns).1.iter().filter(|part| **part == 2).count();
        }
        assert_eq!((asked, lost), (334, 0));
    }

    #[test]
    fn after_an_overload_the_earliest_deadline_counts_again() {
        let queue = BatchQueue::new(2, 8);
        let push = |part, view, due| queue.push(job(part, view, due)).unwrap();
        push(1, 0, 10);
        push(2, 0, 50);
        push(3, 0, 60);
        push(4, 1, 90);
        assert_eq!(take(&queue, 2, 20), (vec![2, 4], vec![1]), "in turns, since a job was lost");
        assert_eq!(take(&queue, 2, 20), (vec![3], vec![]));
        push(5, 0, 50);
        push(6, 0, 60);
        push(7, 1, 90);
        assert_eq!(take(&queue, 3, 20), (vec![5, 6, 7], vec![]));
    }

    #[test]
    fn closing_wakes_the_workers_and_leaves_them_what_is_queued() {
        let queue = Arc::new(BatchQueue::new(1, 8));
        let worker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let (mut batch, mut expired) = (Vec::new(), Vec::new());
                while queue.take(1, &Clock::System, &mut batch, &mut expired) {}
                batch.len()
            }
        });
        for part in 1..=5 {
            queue.push(job(part, 0, i64::MAX)).unwrap();
        }
        queue.close();
        assert!(queue.push(job(6, 0, i64::MAX)).is_err());
        assert_eq!(worker.join().unwrap(), 5);
    }

    #[test]
    fn every_job_comes_out_once_through_many_workers() {
        let queue = Arc::new(BatchQueue::new(3, 1000));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let (mut batch, mut expired) = (Vec::new(), Vec::new());
                    while queue.take(4, &Clock::System, &mut batch, &mut expired) {}
                    batch
                })
            })
            .collect();
        for part in 0..3000 {
            queue.push(job(part, (part % 3) as u8, i64::MAX)).unwrap();
        }
        queue.close();
        let mut parts: Vec<_> =
            workers.into_iter().flat_map(|w| w.join().unwrap()).map(|job| job.part).collect();
        parts.sort_unstable();
        assert_eq!(parts, (0..3000).collect::<Vec<_>>());
    }
}
