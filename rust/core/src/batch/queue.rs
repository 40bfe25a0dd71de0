//! Who is next: the earliest deadline, and turn by turn for each camera when not all can be served.
//!
//! While everything can be served in time, the order is earliest deadline first and nothing else:
//! by the deadline at the belt's full speed, since a slow belt may speed up at any time. What cannot
//! be judged in time at the belt's present speed is given up at once, and only that.
//!
//! In overload the earliest deadline would starve the camera whose deadlines are later, and a camera
//! that floods would take its neighbours along. So from the first job that is lost (given up, or
//! refused at the door) until nothing waits any more, cameras with work take turns, the earliest
//! deadline first within each: a camera that asks for less than its share loses nothing. In that
//! time a job that would be ready just in time is passed over where another one has more time left:
//! as many are judged, and one that takes a little longer than usual is not judged in vain.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pace::Pace;
use crate::clock::Clock;
use crate::outcome::PartId;

/// One view of one part that waits to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job<T> {
    /// The part.
    pub part: PartId,
    /// Which of its views: the index of the camera.
    pub view: u8,
    /// When its verdict is needed if the belt runs at full speed, in ns of the line's clock: work is
    /// ordered by this, and batches are closed by it.
    pub due_ns: i64,
    /// When its verdict is worth nothing any more at the speed of now: work is given up by this.
    pub live_due_ns: i64,
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

/// What [`BatchQueue::try_take`] has to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At least one job was moved.
    Taken,
    /// Nothing is to be done before this instant, unless a job comes.
    Wait(i64),
    /// Nothing waits.
    Empty,
    /// Nothing waits, and nothing will come.
    Closed,
}

#[derive(Debug)]
struct State<T> {
    cameras: Box<[Waiting<T>]>,
    pushed: u64,
    turns: u64,
    /// A job was lost, and something has waited ever since.
    overloaded: bool,
    closed: bool,
    /// Workers that wait: telling nobody costs a system call too.
    idle: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    /// In no order: as many as a camera has slots are looked through faster than kept sorted.
    jobs: Vec<Entry<T>>,
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

impl<T> BatchQueue<T> {
    /// Room for `per_camera` jobs of each of `cameras` cameras: as many as the camera has slots,
    /// and the queue is never full.
    pub fn new(cameras: usize, per_camera: usize) -> Self {
        let waiting = || Waiting { jobs: Vec::with_capacity(per_camera), turn: 0 };
        let cameras = (0..cameras).map(|_| waiting()).collect();
        let state =
            State { cameras, pushed: 0, turns: 0, overloaded: false, closed: false, idle: 0 };
        Self { state: Mutex::new(state), work: Condvar::new(), per_camera }
    }

    /// How many jobs fit, all cameras together: the capacity that `take`'s vectors need at most.
    pub fn capacity(&self) -> usize {
        self.per_camera * self.lock().cameras.len()
    }

    /// How many jobs wait.
    pub fn len(&self) -> usize {
        self.lock().len()
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
        camera.jobs.push(Entry { job, order });
        state.pushed += 1;
        let idle = state.idle;
        drop(state);
        if idle > 0 {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Waits for work and moves a batch, as [`try_take`](Self::try_take) makes it. Returns false when
    /// the queue is closed and empty; otherwise at least one of the two has grown.
    pub fn take(
        &self,
        pace: &Pace,
        clock: &Clock,
        batch: &mut Vec<Job<T>>,
        expired: &mut Vec<Job<T>>,
    ) -> bool {
        let mut state = self.lock();
        loop {
            let now_ns = clock.now_ns();
            let turn = state.turn(pace, now_ns, batch, expired);
            match turn {
                Turn::Taken => return true,
                Turn::Closed => return false,
                Turn::Empty | Turn::Wait(_) => state.idle += 1,
            }
            state = match turn {
                Turn::Wait(until_ns) => {
                    let wait = Duration::from_nanos((until_ns - now_ns).max(0) as u64);
                    let woken = self.work.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                _ => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.idle -= 1;
        }
    }

    /// Moves up to [`most`](Pace::most) jobs to the end of `batch`, those that are next first, and no
    /// more than can be judged together in time; every job that cannot be judged in time any more
    /// goes to `expired` instead, however many there are.
    ///
    /// Where batches are worth waiting for, one that is not full is held back until waiting for one
    /// more would miss the earliest deadline.
    ///
    /// Allocates nothing when the vectors have the capacity: `most`, and
    /// [`capacity`](Self::capacity).
    pub fn try_take(
        &self,
        pace: &Pace,
        now_ns: i64,
        batch: &mut Vec<Job<T>>,
        expired: &mut Vec<Job<T>>,
    ) -> Turn {
        self.lock().turn(pace, now_ns, batch, expired)
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
    fn len(&self) -> usize {
        self.cameras.iter().map(|camera| camera.jobs.len()).sum()
    }

    fn turn(
        &mut self,
        pace: &Pace,
        now_ns: i64,
        batch: &mut Vec<Job<T>>,
        expired: &mut Vec<Job<T>>,
    ) -> Turn {
        if self.len() == 0 {
            self.overloaded = false;
            return if self.closed { Turn::Closed } else { Turn::Empty };
        }
        let hopeless = self.give_up(now_ns, pace.of(1), expired);
        if self.len() == 0 {
            self.overloaded = false;
            if hopeless > 0 {
                pace.doubt();
            }
            return Turn::Taken;
        }
        if expired.is_empty()
            && let Some(until_ns) = self.may_wait(pace, now_ns)
        {
            return Turn::Wait(until_ns);
        }
        self.fill(pace, now_ns, batch);
        if self.len() == 0 {
            self.overloaded = false;
        }
        Turn::Taken
    }

    /// Moves what cannot be judged in time; returns how many of these are not late yet.
    fn give_up(&mut self, now_ns: i64, least_ns: i64, expired: &mut Vec<Job<T>>) -> usize {
        let mut hopeless = 0;
        for camera in &mut self.cameras {
            let mut at = 0;
            while let Some(entry) = camera.jobs.get(at) {
                let live_due_ns = entry.job.live_due_ns;
                if live_due_ns > now_ns.saturating_add(least_ns) {
                    at += 1;
                    continue;
                }
                hopeless += usize::from(live_due_ns > now_ns);
                self.overloaded = true;
                expired.push(camera.jobs.swap_remove(at).job);
            }
        }
        hopeless
    }

    /// Until when a batch that is not full may wait for one more.
    fn may_wait(&self, pace: &Pace, now_ns: i64) -> Option<i64> {
        let waiting = self.len();
        if !pace.waits() || self.closed || waiting >= pace.most() {
            return None;
        }
        let jobs = self.cameras.iter().flat_map(|camera| &camera.jobs);
        let due_ns = jobs.map(|entry| entry.job.due_ns).min()?;
        let until_ns = due_ns.saturating_sub(pace.of(waiting + 1) + Pace::GUARD_NS);
        (now_ns < until_ns).then_some(until_ns)
    }

    /// Moves the next jobs, as many as can be judged together in time.
    fn fill(&mut self, pace: &Pace, now_ns: i64, batch: &mut Vec<Job<T>>) {
        let ample_ns = now_ns.saturating_add(2 * pace.of(1));
        let mut least_due_ns = i64::MAX;
        for rows in 1..=pace.most() {
            let first_choice = self.overloaded.then(|| self.next(ample_ns)).flatten();
            let Some((camera, at)) = first_choice.or_else(|| self.next(i64::MIN)) else { break };
            let due_ns = self.cameras[camera].jobs[at].job.live_due_ns.min(least_due_ns);
            if rows > 1 && now_ns.saturating_add(pace.of(rows)) >= due_ns {
                break;
            }
            least_due_ns = due_ns;
            self.turns += 1;
            self.cameras[camera].turn = self.turns;
            batch.push(self.cameras[camera].jobs.swap_remove(at).job);
        }
    }

    /// Camera and place of the job that is next, of those that are not due before `live_ns`.
    fn next(&self, live_ns: i64) -> Option<(usize, usize)> {
        let of_camera = |(index, camera): (usize, &Waiting<T>)| {
            let jobs = camera.jobs.iter().enumerate();
            let in_time = jobs.filter(|(_, entry)| entry.job.live_due_ns >= live_ns);
            let (at, entry) = in_time.min_by_key(|(_, entry)| entry.key())?;
            let turn = if self.overloaded { camera.turn } else { 0 };
            Some(((turn, entry.key()), (index, at)))
        };
        let each = self.cameras.iter().enumerate().filter_map(of_camera);
        each.min_by_key(|(key, _)| *key).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::clock::SteppedClock;

    fn job(part: PartId, view: u8, due_ns: i64) -> Job<()> {
        Job { part, view, due_ns, live_due_ns: due_ns, payload: () }
    }

    fn take(queue: &BatchQueue<()>, max: usize, now_ns: i64) -> (Vec<PartId>, Vec<PartId>) {
        let clock = Clock::Stepped(SteppedClock::new(now_ns));
        let (mut batch, mut expired) = (Vec::new(), Vec::new());
        assert!(queue.take(&Pace::unknown(max), &clock, &mut batch, &mut expired));
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
    fn the_order_is_by_full_speed_and_giving_up_by_the_speed_of_now() {
        let queue = BatchQueue::new(1, 8);
        let push = |part, due_ns, live_due_ns| {
            queue.push(Job { part, view: 0, due_ns, live_due_ns, payload: () }).unwrap();
        };
        push(1, 30, 300);
        push(2, 10, 200);
        push(3, 20, 40);
        assert_eq!(take(&queue, 1, 50), (vec![2], vec![3]));
        assert_eq!(take(&queue, 1, 50), (vec![1], vec![]), "late at full speed only");
    }

    fn try_take(queue: &BatchQueue<()>, pace: &Pace, now_ns: i64) -> (Turn, Vec<PartId>) {
        let (mut batch, mut expired) = (Vec::new(), Vec::new());
        let turn = queue.try_take(pace, now_ns, &mut batch, &mut expired);
        assert!(expired.is_empty());
        (turn, batch.iter().map(|job| job.part).collect())
    }

    #[test]
    fn a_batch_that_is_worth_it_waits_until_it_is_full_or_its_first_part_is_due() {
        let queue = BatchQueue::new(1, 8);
        let ms = |n: i64| n * Pace::GUARD_NS;
        let pace = Pace::measured(&[ms(10), ms(11), ms(12)], true);
        assert_eq!(try_take(&queue, &pace, 0), (Turn::Empty, vec![]));
        queue.push(job(1, 0, ms(50))).unwrap();
        // 50 - 11 for two rows - 1 for the guard.
        assert_eq!(try_take(&queue, &pace, 0), (Turn::Wait(ms(38)), vec![]));
        assert_eq!(try_take(&queue, &pace, ms(38)), (Turn::Taken, vec![1]));
        for part in 2..=4 {
            queue.push(job(part, 0, ms(90))).unwrap();
        }
        assert_eq!(try_take(&queue, &pace, ms(40)), (Turn::Taken, vec![2, 3, 4]));
        queue.push(job(5, 0, ms(90))).unwrap();
        queue.close();
        assert_eq!(try_take(&queue, &pace, ms(40)), (Turn::Taken, vec![5]));
        assert_eq!(try_take(&queue, &pace, ms(40)), (Turn::Closed, vec![]));
    }

    #[test]
    fn a_batch_takes_no_more_than_its_first_part_has_time_for() {
        let queue = BatchQueue::new(1, 8);
        let pace = Pace::measured(&[10, 11, 12, 13], false);
        for part in 1..=4 {
            queue.push(job(part, 0, 12 + i64::from(part > 1) * 100)).unwrap();
        }
        assert_eq!(try_take(&queue, &pace, 0), (Turn::Taken, vec![1, 2]));
        assert_eq!(try_take(&queue, &pace, 11), (Turn::Taken, vec![3, 4]));
    }

    #[test]
    fn in_overload_a_part_that_would_be_ready_just_in_time_is_passed_over() {
        let queue = BatchQueue::new(1, 8);
        let pace = Pace::measured(&[10], false);
        for (part, due_ns) in [(1, 5), (2, 15), (3, 25)] {
            queue.push(job(part, 0, due_ns)).unwrap();
        }
        let (mut batch, mut expired) = (Vec::new(), Vec::new());
        assert_eq!(queue.try_take(&pace, 0, &mut batch, &mut expired), Turn::Taken);
        assert_eq!((batch[0].part, expired[0].part), (3, 1));
        assert_eq!(try_take(&queue, &pace, 0), (Turn::Taken, vec![2]), "rather than nothing");
    }

    #[test]
    fn estimates_that_let_nobody_in_are_doubted() {
        let queue = BatchQueue::new(1, 8);
        let pace = Pace::measured(&[1000], false);
        let mut judged = false;
        for _ in 0..20 {
            queue.push(job(1, 0, 200)).unwrap();
            let (mut batch, mut expired) = (Vec::new(), Vec::new());
            queue.try_take(&pace, 0, &mut batch, &mut expired);
            judged |= !batch.is_empty();
        }
        assert!(judged);
    }

    #[test]
    fn closing_wakes_the_workers_and_leaves_them_what_is_queued() {
        let queue = Arc::new(BatchQueue::new(1, 8));
        let worker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let (mut batch, mut expired) = (Vec::new(), Vec::new());
                while queue.take(&Pace::unknown(1), &Clock::System, &mut batch, &mut expired) {}
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
                    while queue.take(&Pace::unknown(4), &Clock::System, &mut batch, &mut expired) {}
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
