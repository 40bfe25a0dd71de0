//! News of the modules above a device. GenTL gives each of a module's events to one listener of the
//! process, and every camera below wants to hear it: whoever looks first hands it to all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use smartqc_gentl::{Event, EventKind, EventRecord, Interface};

use super::watch::{Vitals, take, told};

/// Whose event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventModule {
    /// The camera, or its producer's side of it.
    Device,
    /// Its data stream.
    Stream,
    /// The interface that it is on.
    Interface,
    /// Its producer.
    System,
}

impl EventModule {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Stream => "stream",
            Self::Interface => "interface",
            Self::System => "system",
        }
    }
}

/// What no camera invalidates: of the modules above, features are not cached.
const KINDS: [EventKind; 3] = [EventKind::Error, EventKind::Module, EventKind::FeatureInvalidate];

/// An interface of a producer, or the producer.
type Place = (PathBuf, Option<String>);

/// The events of one module and all who want to hear them.
struct Hall {
    place: Place,
    module: EventModule,
    /// They hold the module open. Who has the lock looks for all.
    events: Mutex<Vec<Event>>,
    listeners: Mutex<Vec<Weak<Vitals>>>,
}

/// Every hall that somebody listens in. Its lock is held while events are registered and given up, so
/// that nobody registers for what is about to be given up.
static HALLS: Mutex<Vec<Weak<Hall>>> = Mutex::new(Vec::new());

/// One camera's seat. The last one to leave gives the module's events up.
pub(super) struct Audience {
    hall: Option<Arc<Hall>>,
    listener: Weak<Vitals>,
}

impl Audience {
    pub(super) fn of_interface(interface: &Arc<Interface>, vitals: &Arc<Vitals>) -> Self {
        let place = (interface.producer().path().to_owned(), Some(interface.id().to_owned()));
        Self::enter(place, EventModule::Interface, vitals, |kind| interface.event(kind).ok())
    }

    pub(super) fn of_system(interface: &Arc<Interface>, vitals: &Arc<Vitals>) -> Self {
        let producer = interface.producer();
        let place = (producer.path().to_owned(), None);
        Self::enter(place, EventModule::System, vitals, |kind| producer.event(kind).ok())
    }

    fn enter(
        place: Place,
        module: EventModule,
        vitals: &Arc<Vitals>,
        register: impl Fn(EventKind) -> Option<Event>,
    ) -> Self {
        let mut halls = lock(&HALLS);
        halls.retain(|hall| hall.strong_count() > 0);
        let known = halls.iter().filter_map(Weak::upgrade).find(|hall| hall.place == place);
        let hall = known.unwrap_or_else(|| {
            let events = KINDS.into_iter().filter_map(register).collect();
            let (events, listeners) = (Mutex::new(events), Mutex::default());
            let hall = Arc::new(Hall { place, module, events, listeners });
            halls.push(Arc::downgrade(&hall));
            hall
        });
        let listener = Arc::downgrade(vitals);
        lock(&hall.listeners).push(Weak::clone(&listener));
        Self { hall: Some(hall), listener }
    }

    /// Hands what has come to everybody, unless somebody else is about to.
    pub(super) fn hear(&self) {
        let Some(hall) = &self.hall else { return };
        let Ok(events) = hall.events.try_lock() else { return };
        for event in events.iter() {
            take(event, Duration::ZERO, |kind, record| hall.tell(kind, &record));
        }
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        let _halls = lock(&HALLS);
        if let Some(hall) = self.hall.take() {
            lock(&hall.listeners).retain(|other| !other.ptr_eq(&self.listener));
        }
    }
}

impl Hall {
    fn tell(&self, kind: EventKind, record: &EventRecord) {
        for vitals in lock(&self.listeners).iter().filter_map(Weak::upgrade) {
            vitals.tell(told(kind, self.module, record.clone()));
            vitals.alarm_of(kind);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
