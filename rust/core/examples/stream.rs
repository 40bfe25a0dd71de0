//! Streams from a camera without Python, as a load beside something else: `stream URI`.
//!
//! On standard input come `start BUSY_US` and `stop`, in turns. It answers the one when the first frame
//! has come, and the other with how many came. It spins for `BUSY_US` after each frame: so much more
//! than its own work is to be the load.

use std::error::Error;
use std::io::{BufRead, stdin};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use smartqc_core::source::gentl::GentlSource;
use smartqc_core::source::{Source, SourceEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let uri = std::env::args().nth(1).ok_or("usage: stream URI")?;
    let mut source = GentlSource::open(&uri, 8)?;
    let (told, orders) = channel();
    thread::spawn(move || {
        stdin().lock().lines().map_while(Result::ok).try_for_each(|o| told.send(o))
    });
    println!("{{}}");
    while let Ok(order) = orders.recv() {
        let words: Vec<&str> = order.split(' ').collect();
        let ["start", busy_us] = words[..] else {
            return Err(format!("{order:?}: what is meant is start BUSY_US").into());
        };
        let busy = Duration::try_from_secs_f64(busy_us.parse::<f64>()? / 1e6)?;
        source.start()?;
        let frames = take(&mut source, busy, &orders)?;
        source.stop();
        println!("{}", serde_json::json!({ "frames": frames }));
    }
    Ok(())
}

/// Takes frames until something is ordered, or nobody is left who could.
fn take(
    source: &mut GentlSource,
    busy: Duration,
    orders: &Receiver<String>,
) -> Result<u64, Box<dyn Error>> {
    let (mut frames, mut sum) = (0_u64, 0_u64);
    while matches!(orders.try_recv(), Err(TryRecvError::Empty)) {
        let Some(SourceEvent::Frame(frame)) = source.next(Duration::from_millis(100))? else {
            continue;
        };
        if frames == 0 {
            println!("{{}}");
        }
        frames += 1;
        sum += u64::from(frame.image().first().copied().unwrap_or(0));
        drop(frame);
        let came = Instant::now();
        while came.elapsed() < busy {
            std::hint::spin_loop();
        }
    }
    std::hint::black_box(sum);
    Ok(frames)
}
