//! The library's state: initialised or not, and which object each handle stands for.
//!
//! Handles are numbers that are never given twice, not addresses: one that is stale, made up or of
//! the wrong kind is told apart without touching memory. Closing a module closes what it opened.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::status;
use crate::camera::Camera;
use crate::config::{self, DeviceConfig};
use crate::description;
use crate::error::{self, Fault, Result};
use crate::event::Event;
use crate::modules::{Device, Interface, System};
use crate::stream::Stream;

/// What a handle stands for.
#[derive(Clone)]
pub(crate) enum Object {
    System(Arc<System>),
    Interface(Arc<Interface>),
    Device(Arc<Device>),
    /// The remote device's port of an open device.
    Remote(Arc<Device>),
    Stream(Arc<Stream>),
    /// A buffer announced to this stream.
    Buffer(Arc<Stream>),
    Event(Arc<Event>),
}

struct Entry {
    object: Object,
    /// The module that was asked to open it; 0 for the system.
    parent: usize,
}

struct Library {
    cameras: Vec<Arc<Camera>>,
    entries: HashMap<usize, Entry>,
}

static LIBRARY: Mutex<Option<Library>> = Mutex::new(None);
static NEXT_HANDLE: AtomicUsize = AtomicUsize::new(0x5343_0010);

/// Locks a mutex whose holder may have panicked: every state here is consistent between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn new_handle() -> usize {
    NEXT_HANDLE.fetch_add(16, Ordering::Relaxed)
}

fn with<T>(body: impl FnOnce(&mut Library) -> Result<T>) -> Result<T> {
    match lock(&LIBRARY).as_mut() {
        Some(library) => body(library),
        None => Err(Fault::new(status::NOT_INITIALIZED, "GCInitLib has not been called")),
    }
}

fn invalid_handle(handle: usize, wanted: &str) -> Fault {
    Fault::new(status::INVALID_HANDLE, format!("0x{handle:x} is no open {wanted}"))
}

/// Makes the cameras that the environment asks for.
pub(crate) fn init() -> Result<()> {
    init_with(config::from_environment)
}

/// Makes the configured cameras, unless that has been done.
pub(crate) fn init_with(configure: impl FnOnce() -> Result<Vec<DeviceConfig>>) -> Result<()> {
    let mut library = lock(&LIBRARY);
    if library.is_some() {
        return Err(Fault::new(
            status::RESOURCE_IN_USE,
            "GCInitLib has been called already in this process",
        ));
    }
    let cameras = configure()?.into_iter().map(Camera::new).map(Arc::new).collect();
    *library = Some(Library { cameras, entries: HashMap::new() });
    Ok(())
}

/// Closes everything and forgets it; a later `init` starts afresh.
pub(crate) fn shut_down() -> Result<()> {
    let systems = with(|library| {
        Ok(library
            .entries
            .iter()
            .filter(|(_, entry)| entry.parent == 0)
            .map(|(handle, _)| *handle)
            .collect::<Vec<_>>())
    })?;
    for system in systems {
        close(system);
    }
    for camera in cameras()? {
        camera.close();
    }
    *lock(&LIBRARY) = None;
    description::remove_files();
    error::begin_new_life();
    Ok(())
}

pub(crate) fn check_initialised() -> Result<()> {
    with(|_| Ok(()))
}

pub(crate) fn cameras() -> Result<Vec<Arc<Camera>>> {
    with(|library| Ok(library.cameras.clone()))
}

/// The object behind a handle.
pub(crate) fn object(handle: usize) -> Result<Object> {
    with(|library| {
        let entry = library.entries.get(&handle);
        entry.map(|entry| entry.object.clone()).ok_or_else(|| invalid_handle(handle, "module"))
    })
}

macro_rules! typed {
    ($name:ident, $kind:ident, $object:ty, $wanted:literal) => {
        /// The object behind a handle of this kind.
        pub(crate) fn $name(handle: usize) -> Result<Arc<$object>> {
            match object(handle)? {
                Object::$kind(object) => Ok(object),
                _ => Err(invalid_handle(handle, $wanted)),
            }
        }
    };
}
typed!(system, System, System, "system");
typed!(interface, Interface, Interface, "interface");
typed!(device, Device, Device, "device");
typed!(stream, Stream, Stream, "data stream");
typed!(event, Event, Event, "event");

/// The module that opened this one.
pub(crate) fn parent(handle: usize) -> Result<usize> {
    with(|library| {
        let entry = library.entries.get(&handle);
        entry.map(|entry| entry.parent).ok_or_else(|| invalid_handle(handle, "module"))
    })
}

/// Adds a module below `parent` unless one that `is_same` is open there already.
pub(crate) fn open(
    parent: usize,
    what: &str,
    is_same: impl Fn(&Object) -> bool,
    make: impl FnOnce() -> Object,
) -> Result<usize> {
    with(|library| {
        let mut siblings = library.entries.values().filter(|entry| entry.parent == parent);
        if siblings.any(|entry| is_same(&entry.object)) {
            return Err(Fault::new(
                status::RESOURCE_IN_USE,
                format!("the {what} is open already; close it first"),
            ));
        }
        if parent != 0 && !library.entries.contains_key(&parent) {
            return Err(invalid_handle(parent, "module"));
        }
        let handle = new_handle();
        library.entries.insert(handle, Entry { object: make(), parent });
        Ok(handle)
    })
}

/// The child of `parent` that `is_wanted`, added first if there is none yet.
pub(crate) fn find_or_open(
    parent: usize,
    is_wanted: impl Fn(&Object) -> bool,
    make: impl FnOnce() -> Object,
) -> Result<usize> {
    let found = with(|library| {
        let mut children = library.entries.iter().filter(|(_, entry)| entry.parent == parent);
        Ok(children.find(|(_, entry)| is_wanted(&entry.object)).map(|(handle, _)| *handle))
    })?;
    match found {
        Some(handle) => Ok(handle),
        None => open(parent, "port", is_wanted, make),
    }
}

/// Adds a handle that its maker has chosen; there is no other of its kind to compare it with.
pub(crate) fn insert(handle: usize, parent: usize, object: Object) -> Result<()> {
    with(|library| {
        if !library.entries.contains_key(&parent) {
            return Err(invalid_handle(parent, "module"));
        }
        library.entries.insert(handle, Entry { object, parent });
        Ok(())
    })
}

/// Forgets a handle that its owner has released.
pub(crate) fn forget(handle: usize) {
    if let Some(library) = lock(&LIBRARY).as_mut() {
        library.entries.remove(&handle);
    }
}

/// The event of a type that is registered on a module.
pub(crate) fn registered_event(module: usize, event_type: i32) -> Result<Option<usize>> {
    with(|library| {
        Ok(library.entries.iter().find_map(|(handle, entry)| match &entry.object {
            Object::Event(event) if entry.parent == module && event.event_type == event_type => {
                Some(*handle)
            }
            _ => None,
        }))
    })
}

/// Closes a module and everything below it, the deepest first.
pub(crate) fn close(handle: usize) {
    let closed = {
        let mut guard = lock(&LIBRARY);
        let Some(library) = guard.as_mut() else { return };
        let mut family = vec![handle];
        let mut next = 0;
        while next < family.len() {
            let of = family[next];
            family.extend(
                library
                    .entries
                    .iter()
                    .filter(|(_, entry)| entry.parent == of)
                    .map(|(handle, _)| *handle),
            );
            next += 1;
        }
        // Gone from the table at once, so that no other thread finds a module half closed.
        family.iter().rev().filter_map(|handle| library.entries.remove(handle)).collect::<Vec<_>>()
    };
    for entry in closed {
        match entry.object {
            Object::Device(device) => device.close(),
            Object::Stream(stream) => stream.close(),
            Object::Event(event) => event.close(),
            Object::System(_) | Object::Interface(_) | Object::Remote(_) | Object::Buffer(_) => {}
        }
    }
}
