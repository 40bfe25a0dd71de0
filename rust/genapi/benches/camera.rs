//! Loading a description and reading a feature whose value is known, against the bounds of issue 4:
//! `cargo bench -p smartqc-genapi --bench camera`.
//!
//! Takes the largest description of `../shared/data/genapi/xml` (`SMARTQC_DATA`), or one of the
//! same size that is made here.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smartqc_genapi::{NodeId, NodeMap, Port, PortError};

struct Ones;

impl Port for Ones {
    fn read(&self, _: u64, data: &mut [u8]) -> Result<(), PortError> {
        data.fill(1);
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> Result<(), PortError> {
        Ok(())
    }
}

/// A description of about 1.3 MB: features over converters over fields, each with a predicate.
fn made() -> Vec<u8> {
    let mut xml = String::from("<RegisterDescription ModelName=\"Made\"><Port Name=\"Device\"/>");
    for i in 0..1600 {
        xml += &format!(
            "<Integer Name=\"F{i}\"><ToolTip>Sets the {i}th of the camera's many values.</ToolTip>\
             <DisplayName>Feature {i}</DisplayName><pIsAvailable>A{i}</pIsAvailable>\
             <pValue>C{i}</pValue><Inc>1</Inc></Integer>\
             <IntSwissKnife Name=\"A{i}\"><pVariable Name=\"R\">R{i}</pVariable><Formula>(R &amp; 0xFF) \
             &gt;= 0 ? 1 : 0</Formula></IntSwissKnife>\
             <IntConverter Name=\"C{i}\"><FormulaTo>FROM + 1</FormulaTo><FormulaFrom>TO - 1\
             </FormulaFrom><pValue>R{i}</pValue><Slope>Increasing</Slope></IntConverter>\
             <MaskedIntReg Name=\"R{i}\"><Address>{}</Address><Length>4</Length><AccessMode>RW\
             </AccessMode><pPort>Device</pPort><LSB>31</LSB><MSB>16</MSB><Endianess>BigEndian\
             </Endianess></MaskedIntReg>",
            4 * i
        );
    }
    (xml + "</RegisterDescription>").into_bytes()
}

fn document() -> (Vec<u8>, &'static str) {
    let data = std::env::var("SMARTQC_DATA").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let packed = data.join("genapi/xml/Basler-a2A2600-20gmBAS.xml.gz");
    let unpacked = std::process::Command::new("gzip").arg("-dc").arg(&packed).output();
    match unpacked {
        Ok(done) if done.status.success() => (done.stdout, "ExposureTime"),
        _ => (made(), "F7"),
    }
}

/// The quickest of several rounds, which other load disturbs least, and the middle one.
fn rounds(count: usize, mut round: impl FnMut() -> Duration) -> (Duration, Duration) {
    let mut took: Vec<Duration> = (0..count).map(|_| round()).collect();
    took.sort_unstable();
    (took[0], took[count / 2])
}

fn main() {
    let (xml, feature) = document();
    let (least, middle) = rounds(21, || {
        let began = Instant::now();
        black_box(NodeMap::parse(black_box(&xml))).expect("it is a description");
        began.elapsed()
    });
    println!(
        "load of {} kB: least {least:.1?}, median {middle:.1?} (bound 15 ms)",
        xml.len() / 1000
    );

    let map = NodeMap::parse(&xml).expect("it is a description");
    let memory = map.memory_bytes();
    let ratio = memory as f64 / xml.len() as f64;
    println!("memory: {} kB, {ratio:.2} x the document (bound 4)", memory / 1000);

    let ports: Vec<NodeId> = map.ports().collect();
    for port in ports {
        map.connect(map.name(port), Arc::new(Ones)).expect("it is a port");
    }
    let id = map.find(feature).expect("it has the feature");
    println!("{feature}: {:?}", map.value(id));
    let (least, middle) = rounds(21, || {
        let began = Instant::now();
        for _ in 0..10_000 {
            let _ = black_box(map.value(black_box(id)));
        }
        began.elapsed() / 10_000
    });
    println!("cached read: least {least:.1?}, median {middle:.1?} (bound 200 ns)");
}
