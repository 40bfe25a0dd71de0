//! Prints the features of a description over registers that are all 0, with why they can't be
//! used: `cargo run -p smartqc-genapi --example features -- camera.xml`.

use std::collections::HashSet;
use std::sync::Arc;

use smartqc_genapi::{Kind, NodeId, NodeMap, Port, PortError};

struct Zeros;

impl Port for Zeros {
    fn read(&self, _: u64, data: &mut [u8]) -> Result<(), PortError> {
        data.fill(0);
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> Result<(), PortError> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the path of a description is needed")?;
    let map = NodeMap::parse(&std::fs::read(path)?)?;
    let ports: Vec<NodeId> = map.ports().collect();
    for port in ports {
        map.connect(map.name(port), Arc::new(Zeros))?;
    }
    println!("{} {}", map.facts().vendor, map.facts().model);
    for finding in map.findings() {
        println!("! {}: {}", finding.node, finding.problem);
    }
    let mut seen = HashSet::new();
    let mut open: Vec<(usize, NodeId)> =
        map.node("Root").map(|root| (0, root)).into_iter().collect();
    while let Some((depth, id)) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let access = match map.access(id) {
            Ok(access) => match access.reason {
                Some(reason) => format!("{} ({reason})", access.mode.abbreviation()),
                None => access.mode.abbreviation().to_owned(),
            },
            Err(error) => error.to_string(),
        };
        let value = match map.kind(id) {
            Kind::Category | Kind::Command => String::new(),
            _ => map.to_text(id).unwrap_or_else(|error| error.to_string()),
        };
        println!("{:width$}{} {access} {value}", "", map.name(id), width = 2 * depth);
        open.extend(map.children(id).iter().rev().map(|child| (depth + 1, *child)));
    }
    Ok(())
}
