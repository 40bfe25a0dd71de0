//! Keys of an IEEE 1212 configuration ROM, as cameras on IEEE 1394 have it.

use super::Eval;
use crate::error::Problem;
use crate::fault::{Fault, Told, Trouble};
use crate::node::{Def, NodeId, RomKeyDef};

/// Directories within directories that are looked into.
const MAX_DIRECTORIES: usize = 64;
/// The key by which a unit directory says whose specification it follows.
const UNIT_SPEC_ID: u32 = 0x12;

impl Eval<'_> {
    /// The 24 bits that the key's entry holds.
    pub(crate) fn rom_integer(&mut self, id: NodeId, key: &RomKeyDef) -> Told<i64> {
        let rom = self.rom(id, key)?;
        find(&rom, key.key, key.unit)
            .map(|(_, value)| i64::from(value))
            .ok_or_else(|| missing(id, key.key))
    }

    /// The text of the leaf that the key's entry leads to.
    pub(crate) fn rom_text(&mut self, id: NodeId, key: &RomKeyDef) -> Told<String> {
        let rom = self.rom(id, key)?;
        text(&rom, key.key, key.unit).ok_or_else(|| missing(id, key.key))
    }

    fn rom(&mut self, id: NodeId, key: &RomKeyDef) -> Told<Vec<u8>> {
        let model = self.model;
        self.readable(key.rom)?;
        match &model.node(key.rom).def {
            Def::Register(register) => self.read_register(key.rom, register, <[u8]>::to_vec),
            _ => Err(Fault::at(id, Trouble::WrongType("configuration ROM"))),
        }
    }
}

fn missing(id: NodeId, key: u8) -> Box<Fault> {
    let problem = Problem::Register(format!("the configuration ROM has no key {key:#04x}"));
    Fault::at(id, Trouble::Problem(problem))
}

fn quadlet(rom: &[u8], at: usize) -> Option<u32> {
    let bytes = rom.get(at * 4..at * 4 + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The entry of that key: its place and its 24 bits.
///
/// It is looked for in the root directory and then in those below it; with a `unit` only in the
/// unit directories of that `unit_spec_ID` and below them.
fn find(rom: &[u8], key: u8, unit: Option<u32>) -> Option<(usize, u32)> {
    let bus_info = quadlet(rom, 0)? >> 24;
    let root = bus_info as usize + 1;
    let mut open = vec![root];
    let mut looked = 0;
    while let Some(directory) = open.pop() {
        looked += 1;
        if looked > MAX_DIRECTORIES {
            return None;
        }
        for (at, entry) in entries(rom, directory) {
            // The two upper bits of a key say what it leads to; 3 is a directory.
            if entry >> 30 == 3 {
                let below = at + (entry & 0xFF_FFFF) as usize;
                let is_wanted = unit.is_none_or(|unit| {
                    let named = |(_, entry): (usize, u32)| entry == (UNIT_SPEC_ID << 24) | unit;
                    directory != root || entries(rom, below).any(named)
                });
                if is_wanted {
                    open.push(below);
                }
            } else if (entry >> 24) as u8 == key {
                return Some((at, entry & 0xFF_FFFF));
            }
        }
    }
    None
}

/// The entries of a directory that lie within the memory, with their places.
fn entries(rom: &[u8], directory: usize) -> impl Iterator<Item = (usize, u32)> {
    let count = quadlet(rom, directory).map_or(0, |header| (header >> 16) as usize);
    (directory + 1..=directory + count).map_while(|at| Some((at, quadlet(rom, at)?)))
}

fn text(rom: &[u8], key: u8, unit: Option<u32>) -> Option<String> {
    let (entry, offset) = find(rom, key, unit)?;
    let leaf = entry + offset as usize;
    let quadlets = (quadlet(rom, leaf)? >> 16) as usize;
    // A textual leaf has two quadlets of specifier and language before its text.
    let start = (leaf + 3) * 4;
    let end = (leaf + 1 + quadlets) * 4;
    let bytes = rom.get(start..end)?;
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bus info of one quadlet, a root directory with an integer and a directory, that one with a
    /// textual leaf.
    fn rom() -> Vec<u8> {
        let quadlets: [u32; 11] = [
            0x0101_0000,
            0x3133_3934,
            0x0002_0000,
            0x0300_A47A,
            0xD100_0001,
            0x0001_0000,
            0x8100_0001,
            0x0003_0000,
            0,
            0,
            0x4361_6D00,
        ];
        quadlets.iter().flat_map(|quadlet| quadlet.to_be_bytes()).collect()
    }

    #[test]
    fn keys_are_found_in_directories_below() {
        assert_eq!(find(&rom(), 0x03, None).map(|(_, value)| value), Some(0xA47A));
        assert_eq!(text(&rom(), 0x81, None).as_deref(), Some("Cam"));
        assert_eq!(find(&rom(), 0x40, None), None);
    }

    #[test]
    fn a_unit_of_another_specification_is_not_looked_into() {
        let mut rom = rom();
        rom.truncate(20);
        // A unit directory with its specification, and a value beside it.
        let unit = [0x0002_0000_u32, 0x1200_A02D, 0x3800_0007];
        rom.extend(unit.iter().flat_map(|quadlet| quadlet.to_be_bytes()));
        assert_eq!(find(&rom, 0x38, Some(0xA02D)).map(|(_, value)| value), Some(7));
        assert_eq!(find(&rom, 0x38, Some(0xA02E)), None);
        assert_eq!(find(&rom, 0x03, Some(0xA02E)).map(|(_, value)| value), Some(0xA47A));
        // What a directory lies at is no value.
        assert_eq!(find(&rom, 0xD1, None), None);
    }

    #[test]
    fn a_rom_that_leads_in_circles_or_out_of_itself_ends() {
        let mut rom = rom();
        // The directory's entry leads back to the directory, or far away.
        for offset in [0x00FF_FFFF_u32, 0x00FF_FFFE, 0x7F_FFFF] {
            rom[16..20].copy_from_slice(&(0xD100_0000 | offset).to_be_bytes());
            assert_eq!(find(&rom, 0x40, None), None);
        }
        rom.truncate(6);
        assert_eq!(find(&rom, 0x40, None), None);
        assert_eq!(text(&[], 0x40, None), None);
    }
}
