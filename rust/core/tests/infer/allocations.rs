//! Nothing is allocated on our side between two batches. ONNX Runtime allocates inside `Run` with
//! its own allocator, which is not counted here.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smartqc_core::batch::{BatchQueue, Job, Pace};
use smartqc_core::clock::{Clock, SteppedClock};
use smartqc_core::decide::{self, Judging, Place, Sink, Thresholds};
use smartqc_core::infer::{Contract, Wishes};
use smartqc_core::outcome::ViewVerdict;

use crate::open;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more, and no test that asks.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn queue_run_and_decision_allocate_nothing() {
    for name in ["dynamic.onnx", "fixed4.onnx", "u8_nhwc.onnx"] {
        let Some(session) = open(name) else { return };
        let wishes = Wishes {
            classes: Some(vec!["good".to_owned(), "defect".to_owned()]),
            ..Wishes::default()
        };
        let contract = Contract::resolve(&session, &wishes).unwrap();
        let mut bound = contract.bind(session, 4).unwrap();
        let mut head = decide::open(&contract, &Judging::plain(&contract), &[]).unwrap();
        let mut sink = Sink { model: 0, detections: &mut Vec::new(), arrays: None };
        let limits = Thresholds::new(contract.classes.len());
        let queue = BatchQueue::new(2, 8);
        let paces: Vec<Pace> = (1..=4).map(Pace::unknown).collect();
        let clock = SteppedClock::new(0);
        let line_clock = Clock::Stepped(clock.clone());
        let mut batch = Vec::with_capacity(4);
        let mut expired = Vec::with_capacity(queue.capacity());

        let mut judged = 0;
        let before = ALLOCATIONS.get();
        for round in 0..1000 {
            clock.step_to(round);
            for view in 0..2 {
                for due_ns in [round, round + 2, round + 9] {
                    // Most rounds end with the queue full.
                    let _ = queue.push(Job {
                        part: 1,
                        view,
                        due_ns,
                        live_due_ns: due_ns,
                        payload: [0_u8; 32],
                    });
                }
            }
            assert!(queue.take(&paces[round as usize % 4], &line_clock, &mut batch, &mut expired));
            if batch.is_empty() {
                continue;
            }
            let outputs = bound.run(batch.len()).unwrap();
            for row in 0..batch.len() {
                let decision = head.decide(&outputs, row, &Place::same(8, 8), &limits, &mut sink);
                judged += usize::from(!matches!(decision.verdict, ViewVerdict::Unjudged(_)));
            }
            batch.clear();
            expired.clear();
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{name}");
        assert!(judged > 1000, "{judged}");
    }
}
