//! One live instance of a thing that can be opened only once at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Hands the same instance to all who ask while one lives, and opens a new one only after the last
/// one has been closed completely.
///
/// A `Weak` alone is not enough: between the last drop and the end of the closing call, a second
/// opener would meet "in use".
pub(crate) struct Shared<T> {
    state: Mutex<State<T>>,
    closed: Condvar,
}

struct State<T> {
    instance: Weak<T>,
    open: bool,
}

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { instance: Weak::new(), open: false }),
            closed: Condvar::new(),
        }
    }

    /// Returns the living instance, or makes one with `open` once the former is closed.
    pub(crate) fn get<E>(&self, open: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut state = self.lock();
        loop {
            if let Some(instance) = state.instance.upgrade() {
                return Ok(instance);
            }
            if !state.open {
                break;
            }
            state = self.closed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let instance = Arc::new(open()?);
        *state = State { instance: Arc::downgrade(&instance), open: true };
        Ok(instance)
    }

    /// Runs `close` for the instance that is being dropped, then lets waiting openers go on.
    pub(crate) fn close(&self, close: impl FnOnce()) {
        let mut state = self.lock();
        close();
        state.open = false;
        drop(state);
        self.closed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instance_is_shared_while_it_lives() {
        let shared = Shared::new();
        let first = shared.get(|| Ok::<_, ()>(1)).unwrap();
        let second = shared.get(|| Ok::<_, ()>(2)).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn an_opener_waits_until_the_former_instance_is_closed() {
        let shared = Arc::new(Shared::new());
        drop(shared.get(|| Ok::<_, ()>(1)).unwrap());
        let opener = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || *shared.get(|| Ok::<_, ()>(2)).unwrap()
        });
        shared.close(|| assert!(!opener.is_finished()));
        assert_eq!(opener.join().unwrap(), 2);
    }

    #[test]
    fn a_failed_opening_can_be_tried_again() {
        let shared = Shared::new();
        assert_eq!(shared.get(|| Err::<i32, _>("no")).unwrap_err(), "no");
        assert_eq!(*shared.get(|| Ok::<_, &str>(3)).unwrap(), 3);
    }
}
