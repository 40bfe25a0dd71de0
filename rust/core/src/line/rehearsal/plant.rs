//! A rehearsal of a `line.toml`: every device that it names is replaced by its simulation.

use std::collections::BTreeSet;

use smartqc_belt as belt;

use super::fault::Script;
use super::{Dice, Fault, Model, Rehearsal, Truth};
use crate::clock::{MS, SEC};
use crate::error::{Error, Result};
use crate::line::config::Loaded;
use crate::line::plant::{Plant, Simulation};
use crate::line::{setup, simulation};
use crate::outcome::ClassId;
use crate::track;
use crate::world::World;

/// Most parts of one rehearsal: the ledger keeps each.
const MOST_PARTS: u64 = 50_000_000;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many parts.
    pub parts: u64,
    /// Of everything random.
    pub seed: u64,
    /// Share of parts that are bad.
    pub bad_share: f64,
    /// Exposure to verdict, at most; `None`: as `[verdict] decision_ms` says, or 60 ms.
    pub decision_ns: Option<i64>,
    /// Least lead of the ejectors' devices; `None`: that of simulated ones.
    pub lead_ns: Option<i64>,
    /// The rate at which parts come, as a share of the greatest that the belt's figures allow;
    /// `None`: as `[simulation]` says.
    pub rate_share: Option<f64>,
    /// What befalls the line.
    pub faults: Vec<(Fault, f64)>,
    /// How long after a stop request somebody comes and resets the line; `None`: nobody does.
    pub operator_ns: Option<i64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parts: 1000,
            seed: 1,
            bad_share: 0.05,
            decision_ns: None,
            lead_ns: None,
            rate_share: None,
            faults: Vec::new(),
            operator_ns: Some(2 * SEC),
        }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        let share = |what: &str, value: f64, most: f64| {
            if (0.0..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::invalid(what, format!("{value}; allowed: 0 to {most}")))
        };
        if !(1..=MOST_PARTS).contains(&self.parts) {
            let problem = format!("{}; allowed: 1 to {MOST_PARTS}", self.parts);
            return Err(Error::invalid("parts", problem));
        }
        share("bad share", self.bad_share, 1.0)?;
        share("rate", self.rate_share.unwrap_or(1.0), 1.0)?;
        if self.rate_share == Some(0.0) {
            return Err(Error::invalid("rate", "0; allowed: more than 0, at most 1"));
        }
        self.faults.iter().try_for_each(|(fault, value)| share(fault.name(), *value, 1.0))
    }
}

/// A plant with simulated devices, made ready.
pub struct Prepared {
    /// The world that it stands in, with its faults.
    pub world: belt::Setup,
    /// What the tracker knows of it; not yet checked.
    pub setup: track::Setup,
    model: Model,
    script: Script,
    truth: Truth,
    signals: bool,
}

impl Prepared {
    /// That plant: its places, times, policies and limits, with simulated devices.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that mean nothing; [`Error::Config`] without a belt.
    pub fn of(loaded: &Loaded<Plant>, options: &Options) -> Result<Self> {
        options.check()?;
        let plant = &loaded.value;
        let Some(belt) = &plant.belt else {
            let (file, key) = (loaded.file.clone(), "belt".to_owned());
            let problem = "a rehearsal needs a [belt] that carries parts".to_owned();
            return Err(Error::Config { file, key, problem });
        };
        let gap_mm = [belt.least_gap_mm, 2.0 * belt.least_gap_mm.max(1.0)];
        let swing = 0.1;
        let usual = Simulation {
            speed_mm_s: belt.max_speed_mm_s / (1.0 + swing),
            speed_swing: swing,
            gap_mm,
            ..Simulation::default()
        };
        let mut simulated = plant.simulation.clone().unwrap_or(usual);
        (simulated.seed, simulated.parts) = (options.seed, options.parts);
        if let Some(share) = options.rate_share {
            simulated.speed_swing = simulated.speed_swing.max(swing);
            simulated.speed_mm_s = belt.max_speed_mm_s / (1.0 + simulated.speed_swing);
            let densest_mm = belt.part_mm + belt.least_gap_mm;
            let pitch_mm = densest_mm * simulated.speed_mm_s / belt.max_speed_mm_s / share;
            let mean_mm = (pitch_mm - belt.part_mm).max(belt.least_gap_mm);
            simulated.gap_mm = [belt.least_gap_mm, 2.0 * mean_mm - belt.least_gap_mm];
        }
        let mut world = simulation::world(plant, &simulated);
        let decision_ns = options.decision_ns.unwrap_or(match plant.verdict.decision_ms {
            Some(ms) => (ms * MS as f64) as i64,
            None => 60 * MS,
        });
        let third_ns = decision_ns / 3;
        let mut model = Model {
            transfer_ns: third_ns,
            infer_ns: third_ns,
            infer_jitter_ns: decision_ns - 2 * third_ns,
            ..Model::default()
        };
        let mean_gap_mm = (simulated.gap_mm[0] + simulated.gap_mm[1]) / 2.0;
        let pitch_s = (belt.part_mm + mean_gap_mm) / simulated.speed_mm_s;
        let run_ns = (options.parts as f64 * pitch_s * SEC as f64) as i64;
        let mut script = Script::new((SEC, SEC + run_ns), options.parts, options.operator_ns);
        let written = simulated.faults.iter().filter_map(|(name, v)| Some((Fault::of(name)?, *v)));
        for (fault, value) in written.chain(options.faults.iter().copied()) {
            fault.apply(value, &mut world, &mut model, &mut script);
        }

        let classes = classes(plant);
        let policy = setup::policy(loaded, classes.iter().map(|name| (name.as_str(), false)))?;
        let devices = World::new(world.clone(), 0)?;
        let count = plant.reject.len();
        let capabilities = (0..count).map(|index| Ok(devices.ejector(index)?.capabilities()));
        let capabilities = capabilities.collect::<Result<Vec<_>>>()?;
        let encoder = devices.encoder();
        let latch = belt.encoder.as_ref().map(|_| encoder.latch());
        let eye = devices.eye();
        let mut tracked = setup::setup(
            loaded,
            3,
            setup::Latches { encoder: latch, sensor: Some(eye.latch()) },
            &capabilities,
            policy,
        )?;
        drop((eye, encoder, devices));
        tracked.decision_ns = decision_ns;
        for ejector in &mut tracked.ejectors {
            ejector.device.lead_ns = options.lead_ns.unwrap_or(ejector.device.lead_ns);
        }
        let truth = truth(options, classes.len());
        let signals = plant.signals.stop.is_some();
        Ok(Self { world, setup: tracked, model, script, truth, signals })
    }
}

impl Rehearsal {
    /// A rehearsal of that plant.
    ///
    /// # Errors
    /// As [`Prepared::of`]'s; [`Error::Infeasible`] for a line that cannot work.
    pub fn of(loaded: &Loaded<Plant>, options: &Options) -> Result<Self> {
        let Prepared { world, setup, model, script, truth, signals } =
            Prepared::of(loaded, options)?;
        let mut line = Self::new(world, setup, model, truth)?;
        line.follow(script);
        Ok(if signals { line.with_signals() } else { line })
    }
}

/// The classes that the plant's ejectors name, or one that all remove.
fn classes(plant: &Plant) -> Vec<String> {
    let named = plant.reject.iter().flat_map(|reject| &reject.classes);
    let named: BTreeSet<&String> = named.filter(|class| *class != "*").collect();
    if named.is_empty() { vec!["defect".into()] } else { named.into_iter().cloned().collect() }
}

/// Which parts are bad, and of which class: drawn by the seed and the part's number.
fn truth(options: &Options, classes: usize) -> Truth {
    let (seed, share) = (options.seed, options.bad_share);
    Box::new(move |part| {
        let mut dice = Dice::new(seed ^ part.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        // The first roll of a seed still shows it.
        let _ = dice.roll();
        (dice.roll() < share).then(|| (dice.roll() * classes as f64) as ClassId)
    })
}
