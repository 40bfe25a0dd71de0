//! What a map answers and writes, clause by clause.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Camera, integer, register, register_with};
use smartqc_genapi::{
    AccessMode, Kind, Limits, MemoryPort, Port, PortError, Problem, Saved, Value, Visibility,
};

fn masked(name: &str, endian: &str, sign: &str, bits: &str) -> String {
    format!(
        "<MaskedIntReg Name=\"{name}\"><Address>16</Address><Length>4</Length><AccessMode>RW\
         </AccessMode><pPort>Device</pPort>{bits}<Sign>{sign}</Sign><Endianess>{endian}\
         </Endianess></MaskedIntReg>"
    )
}

#[test]
fn a_field_is_written_without_its_neighbours() {
    let camera = Camera::new(
        &[
            masked("Big", "BigEndian", "Unsigned", "<LSB>7</LSB><MSB>4</MSB>"),
            masked("Little", "LittleEndian", "Signed", "<LSB>4</LSB><MSB>7</MSB>"),
            masked("Bit", "BigEndian", "Unsigned", "<Bit>3</Bit>"),
            register("Whole", 16),
        ]
        .concat(),
    );
    camera.set("Whole", 0x4D);
    camera.memory.written();
    camera.set("Big", 3);
    camera.set("Bit", 1);
    camera.set("Little", -3);
    let bytes: Vec<Vec<u8>> = camera.memory.written().into_iter().map(|(_, b)| b).collect();
    assert_eq!(bytes, [[0x03, 0, 0, 0x4D], [0x13, 0, 0, 0x4D], [0xD3, 0, 0, 0x4D]]);
    assert_eq!((camera.int("Little"), camera.int("Big"), camera.int("Bit")), (-3, 3, 1));
    assert!(matches!(camera.refusal("Big", 16), Problem::OutOfRange { .. }));
}

#[test]
fn a_field_of_a_write_only_register_is_not_written() {
    let field = masked("Field", "BigEndian", "Unsigned", "<Bit>3</Bit>").replace("RW", "WO");
    let camera = Camera::new(&field);
    assert!(matches!(camera.refusal("Field", 1), Problem::NotReadable { .. }));
}

#[test]
fn entries_of_a_structure_are_fields_of_one_register() {
    let camera = Camera::new(
        "<StructReg><Address>16</Address><Length>4</Length><AccessMode>RW</AccessMode>\
         <pPort>Device</pPort><Endianess>BigEndian</Endianess><Visibility>Guru</Visibility>\
         <StructEntry Name=\"A\"><Bit>0</Bit></StructEntry>\
         <StructEntry Name=\"B\"><AccessMode>RO</AccessMode><LSB>15</LSB><MSB>8</MSB>\
         </StructEntry></StructReg>",
    );
    camera.memory.poke(16, &[0x80, 0x12, 0, 0]);
    assert_eq!((camera.int("A"), camera.int("B")), (1, 0x12));
    assert_eq!((camera.mode("A"), camera.mode("B")), (AccessMode::ReadWrite, AccessMode::ReadOnly));
    assert_eq!(camera.map.describe(camera.id("A")).visibility, Visibility::Guru);
}

#[test]
fn an_address_is_the_sum_of_all_that_is_given() {
    let camera = Camera::new(
        &[
            integer("Index", "<Value>2</Value>"),
            integer("Base", "<Value>0x1000</Value>"),
            "<IntReg Name=\"R\"><Address>0x10</Address><Address>1</Address>\
             <pAddress>Base</pAddress><pIndex Offset=\"8\">Index</pIndex>\
             <pIndex pOffset=\"Base\">Index</pIndex><pIndex>Index</pIndex>\
             <IntSwissKnife Name=\"K\"><pVariable Name=\"I\">Index</pVariable><Formula>I*0x100\
             </Formula></IntSwissKnife><Length>4</Length><AccessMode>RW</AccessMode>\
             <pPort>Device</pPort></IntReg>"
                .to_owned(),
        ]
        .concat(),
    );
    let (_, address, length) = camera.map.place(camera.id("R")).unwrap();
    assert_eq!((address, length), (0x11 + 0x1000 + 16 + 0x2000 + 8 + 0x200, 4));
}

#[test]
fn nothing_is_written_where_an_invalid_selector_points() {
    let camera = Camera::new(
        &[
            register("Anything", 16),
            integer("Selector", "<pValue>Anything</pValue><Max>3</Max>"),
            "<IntReg Name=\"R\"><Address>0x100</Address><pIndex Offset=\"4\">Selector</pIndex>\
             <Length>4</Length><AccessMode>RW</AccessMode><pPort>Device</pPort></IntReg>"
                .to_owned(),
        ]
        .concat(),
    );
    camera.set("R", 5);
    camera.set("Anything", 4);
    camera.memory.written();
    assert_eq!(camera.int("R"), 0);
    assert!(matches!(camera.refusal("R", 5), Problem::OutOfRange { .. }));
    assert_eq!(camera.memory.written(), []);
}

#[test]
fn sixty_four_bits_stay_exact() {
    let camera = Camera::new(
        "<IntReg Name=\"R\"><Address>0</Address><Length>8</Length><AccessMode>RW</AccessMode>\
         <pPort>Device</pPort><Sign>Signed</Sign><Endianess>LittleEndian</Endianess></IntReg>\
         <IntConverter Name=\"C\"><FormulaTo>FROM+1</FormulaTo><FormulaFrom>TO-1</FormulaFrom>\
         <pValue>R</pValue><Slope>Varying</Slope></IntConverter>",
    );
    let value = i64::MAX - 6;
    camera.set("C", value);
    assert_eq!((camera.int("R"), camera.int("C")), (value + 1, value));
}

#[test]
fn limits_are_declared_or_those_of_the_register() {
    let camera = Camera::new(
        &[
            register("R", 16),
            integer("Own", "<pValue>R</pValue><Min>-5</Min><Max>100000</Max><Inc>3</Inc>"),
            integer("Below", "<pValue>R</pValue>"),
            integer(
                "Valid",
                "<pValue>R</pValue><Max>100</Max><ValidValueSet>1;5;200\
                             </ValidValueSet>",
            ),
            "<Float Name=\"F\"><pValue>Own</pValue></Float>".to_owned(),
            "<Converter Name=\"Down\"><FormulaTo>100-FROM</FormulaTo><FormulaFrom>100-TO\
             </FormulaFrom><pValue>Own</pValue></Converter>"
                .to_owned(),
        ]
        .concat(),
    );
    let limits = |name: &str| camera.map.limits(camera.id(name)).unwrap();
    let int = |min, max, increment, valid: &[i64]| Limits::Int {
        min,
        max,
        increment,
        valid: valid.to_vec(),
    };
    assert_eq!(limits("Own"), int(-5, 100_000, 3, &[]));
    assert_eq!(limits("Below"), int(0, 0xFFFF_FFFF, 1, &[]));
    assert_eq!(limits("Valid"), int(0, 100, 1, &[1, 5]));
    let float = |min, max, increment| Limits::Float { min, max, increment, valid: Vec::new() };
    assert_eq!(limits("F"), float(-5.0, 100_000.0, Some(3.0)));
    assert_eq!(limits("Down"), float(-99_900.0, 105.0, None));
    assert!(matches!(camera.refusal("Own", 2), Problem::OffIncrement { .. }));
    // The value would be allowed, the register below has no room for it.
    assert!(matches!(camera.refusal("Own", -2), Problem::OutOfRange { .. }));
    assert!(matches!(camera.refusal("Valid", 3), Problem::NotInValidSet { .. }));
    camera.set("F", 99.9);
    assert_eq!(camera.int("Own"), 100);
}

#[test]
fn access_comes_from_below_and_says_why() {
    let camera = Camera::new(
        &[
            integer("Yes", "<Value>1</Value>"),
            integer("No", "<Value>0</Value>"),
            register_with("Locked", 16, "<pIsLocked>Yes</pIsLocked>"),
            integer("Feature", "<pValue>Middle</pValue>"),
            integer("Middle", "<pValue>Locked</pValue>"),
            integer("Gone", "<pIsImplemented>No</pIsImplemented><Value>1</Value>"),
            integer("Away", "<pIsAvailable>No</pIsAvailable><Value>1</Value>"),
            integer("Limited", "<pValue>Locked</pValue><pMax>Away</pMax>"),
            integer("Imposed", "<ImposedAccessMode>WO</ImposedAccessMode><pValue>Locked</pValue>"),
        ]
        .concat(),
    );
    let access = camera.map.access(camera.id("Feature")).unwrap();
    assert_eq!(access.mode, AccessMode::ReadOnly);
    assert_eq!(access.reason.unwrap().to_string(), "locked by Yes = 1");
    let refusal = camera.map.set(camera.id("Feature"), &Value::Int(1)).unwrap_err().to_string();
    assert_eq!(refusal, "Feature: it can't be written: locked by Yes = 1");
    assert_eq!(camera.mode("Gone"), AccessMode::NotImplemented);
    assert_eq!(camera.mode("Away"), AccessMode::NotAvailable);
    assert_eq!(camera.mode("Limited"), AccessMode::NotAvailable);
    assert_eq!(camera.mode("Imposed"), AccessMode::NotAvailable);
    camera.set("Yes", 0);
    camera.set("Feature", 7);
    assert_eq!(camera.int("Locked"), 7);
    assert_eq!(camera.mode("Imposed"), AccessMode::WriteOnly);
}

#[test]
fn an_enumeration_takes_what_its_entries_allow() {
    let camera = Camera::new(
        &[
            register("R", 16),
            integer("No", "<Value>0</Value>"),
            "<Enumeration Name=\"E\"><EnumEntry Name=\"A\"><Value>1</Value></EnumEntry>\
             <EnumEntry Name=\"B\"><pIsAvailable>No</pIsAvailable><Value>2</Value></EnumEntry>\
             <EnumEntry Name=\"C\"><Value>3</Value><NumericValue>2.5</NumericValue>\
             <Symbolic>Sea</Symbolic></EnumEntry><pValue>R</pValue></Enumeration>"
                .to_owned(),
        ]
        .concat(),
    );
    assert!(camera.error("E").to_string().contains("belongs to no entry"));
    camera.set("E", "Sea");
    assert_eq!((camera.get("E"), camera.int("R")), (Value::from("Sea"), 3));
    camera.set("E", 1);
    assert_eq!(camera.get("E"), Value::from("A"));
    assert!(matches!(camera.refusal("E", "B"), Problem::EntryNotAvailable { .. }));
    let Problem::UnknownEntry { entries, .. } = camera.refusal("E", "Z") else { panic!() };
    assert_eq!(entries, ["A", "Sea"]);
    let entries = camera.map.entries(camera.id("E")).unwrap();
    assert_eq!(entries[2].numeric, Some(2.5));
    assert_eq!(entries[1].access, AccessMode::NotAvailable);
    assert_eq!(camera.map.kind(camera.id("EnumEntry_E_B")), Kind::EnumEntry);
}

#[test]
fn a_command_is_done_when_the_camera_says_so() {
    let camera = Camera::new(
        &("<Command Name=\"C\"><pValue>R</pValue><CommandValue>3</CommandValue></Command>"
            .to_owned()
            + &register("R", 16)),
    );
    let command = camera.id("C");
    assert_eq!(camera.map.is_done(command), Ok(true));
    camera.map.execute(command).unwrap();
    assert_eq!(camera.memory.written(), [(16, vec![0, 0, 0, 3])]);
    assert_eq!(camera.map.is_done(command), Ok(false));
    camera.memory.poke(19, &[0]);
    assert_eq!(camera.map.is_done(command), Ok(true));
}

#[test]
fn an_index_chooses_the_value() {
    let camera = Camera::new(
        &[
            register("R", 16),
            integer("Index", "<Value>0</Value>"),
            integer(
                "I",
                "<pIndex>Index</pIndex><ValueIndexed Index=\"0\">11</ValueIndexed>\
                 <pValueIndexed Index=\"1\">R</pValueIndexed><ValueDefault>99</ValueDefault>",
            ),
            integer("Copied", "<pValue>R</pValue><pValueCopy>R2</pValueCopy>"),
            register("R2", 32),
        ]
        .concat(),
    );
    assert_eq!(camera.int("I"), 11);
    camera.set("Index", 1);
    camera.set("I", 5);
    assert_eq!((camera.int("R"), camera.int("I")), (5, 5));
    camera.set("Index", 7);
    assert_eq!(camera.int("I"), 99);
    camera.memory.written();
    camera.set("Copied", 4);
    let places: Vec<u64> = camera.memory.written().into_iter().map(|(at, _)| at).collect();
    assert_eq!(places, [16, 32]);
}

#[test]
fn what_was_read_is_kept_until_something_changes_it() {
    let camera = Camera::new(
        &[
            register("Kept", 16),
            register_with("Never", 20, "<Cachable>NoCache</Cachable>"),
            register_with("Around", 24, "<Cachable>WriteAround</Cachable>"),
            register_with("Hit", 28, "<pInvalidator>Cause</pInvalidator>"),
            integer("Cause", "<pValue>Kept</pValue>"),
            register("Alias", 16),
            register_with("Polled", 32, "<PollingTime>1000</PollingTime>"),
            integer("Selector", "<Value>0</Value><pSelected>Selected</pSelected>"),
            integer("Selected", "<pValue>SelectedReg</pValue>"),
            register("SelectedReg", 36),
        ]
        .concat(),
    );
    let reads = |name: &str| {
        camera.int(name);
        camera.memory.read_count()
    };
    assert_eq!((reads("Kept"), reads("Kept"), reads("Never"), reads("Never")), (1, 0, 1, 1));
    camera.set("Kept", 5);
    assert_eq!((reads("Kept"), camera.int("Alias")), (0, 5));
    camera.set("Around", 5);
    assert_eq!((reads("Around"), reads("Around")), (1, 0));
    assert_eq!((reads("Hit"), reads("Hit")), (1, 0));
    camera.set("Cause", 6);
    assert_eq!((reads("Hit"), reads("Kept")), (1, 0));
    camera.set("Alias", 9);
    assert_eq!(camera.int("Kept"), 9);
    assert_eq!((reads("Polled"), reads("Polled")), (1, 0));
    camera.map.poll(Duration::from_millis(600));
    assert_eq!(reads("Polled"), 0);
    camera.map.poll(Duration::from_millis(600));
    assert_eq!(reads("Polled"), 1);
    assert_eq!((reads("Selected"), reads("Selected")), (1, 0));
    camera.set("Selector", 1);
    assert_eq!(reads("Selected"), 1);
    camera.memory.poke(16, &[0, 0, 0, 77]);
    camera.map.invalidate(camera.id("Cause"));
    assert_eq!(camera.int("Cause"), 77);
    camera.memory.read_count();
    camera.map.invalidate_all();
    assert_eq!(reads("Around"), 1);
}

#[test]
fn strings_end_at_their_zero_and_fit_their_register() {
    let camera = Camera::new(
        "<StringReg Name=\"R\"><Address>16</Address><Length>8</Length><AccessMode>RW\
         </AccessMode><pPort>Device</pPort></StringReg><String Name=\"S\"><pValue>R</pValue>\
         </String><Register Name=\"B\"><Address>16</Address><Length>8</Length><AccessMode>RW\
         </AccessMode><pPort>Device</pPort></Register>",
    );
    camera.set("S", "abc");
    assert_eq!(camera.memory.written(), [(16, b"abc\0\0\0\0\0".to_vec())]);
    assert_eq!(camera.get("R"), Value::from("abc"));
    assert!(matches!(camera.refusal("S", "123456789"), Problem::TooLong { most: 8, .. }));
    camera.memory.poke(16, b"\xb5m\0xyz");
    camera.map.invalidate_all();
    assert_eq!(camera.get("S"), Value::from("\u{b5}m"));
    assert_eq!(camera.map.to_text(camera.id("B")), Ok("0xb56d0078797a0000".to_owned()));
    camera.map.from_text(camera.id("B"), "0x0102").unwrap();
    assert_eq!(camera.memory.written(), [(16, vec![1, 2])]);
}

#[test]
fn texts_are_read_as_the_representation_writes_them() {
    let camera = Camera::new(
        &[
            register("R", 16),
            integer("Hex", "<pValue>R</pValue><Representation>HexNumber</Representation>"),
            integer("Ip", "<pValue>R</pValue><Representation>IPV4Address</Representation>"),
            integer("Mac", "<Value>0</Value><Representation>MACAddress</Representation>"),
            "<Float Name=\"F\"><Value>1234.5678</Value><DisplayNotation>Fixed</DisplayNotation>\
             <DisplayPrecision>2</DisplayPrecision></Float>"
                .to_owned(),
        ]
        .concat(),
    );
    let text = |name: &str| camera.map.to_text(camera.id(name)).unwrap();
    let give = |name: &str, text: &str| camera.map.from_text(camera.id(name), text);
    give("Ip", "1.2.3.4").unwrap();
    assert_eq!((text("Hex"), text("Ip")), ("0x1020304".to_owned(), "1.2.3.4".to_owned()));
    give("Mac", "01:02:03:04:05:06").unwrap();
    assert_eq!(text("Mac"), "01:02:03:04:05:06");
    assert_eq!(text("F"), "1234.57");
    assert!(give("Hex", "1.2.3.4").is_err() && give("Ip", "1.2.3").is_err());
}

#[test]
fn chunks_and_events_come_with_their_bytes() {
    let camera = Camera::new(
        "<Port Name=\"ChunkPort\"><ChunkID>1A</ChunkID></Port>\
         <IntReg Name=\"Chunk\"><Address>0</Address><Length>4</Length><AccessMode>RO</AccessMode>\
         <pPort>ChunkPort</pPort><Endianess>LittleEndian</Endianess></IntReg>\
         <Port Name=\"EventPort\"><EventID>9005</EventID></Port>\
         <IntReg Name=\"Event\"><Address>2</Address><Length>2</Length><AccessMode>RO\
         </AccessMode><pPort>EventPort</pPort><Endianess>BigEndian</Endianess></IntReg>",
    );
    assert_eq!(camera.mode("Chunk"), AccessMode::NotAvailable);
    let why = camera.map.access(camera.id("Chunk")).unwrap().reason.unwrap().to_string();
    assert_eq!(why, "its port ChunkPort waits for a buffer or an event");
    assert_eq!(camera.map.attach_chunk(0x1A, &[7, 0, 0, 0]), 1);
    assert_eq!((camera.int("Chunk"), camera.mode("Chunk")), (7, AccessMode::ReadOnly));
    camera.map.attach_chunk(0x1A, &[8, 0, 0, 0]);
    assert_eq!(camera.int("Chunk"), 8);
    camera.map.attach_chunk(0x1A, &[8]);
    assert!(camera.error("Chunk").to_string().contains("there are only 1 bytes"));
    camera.map.detach_chunks();
    assert_eq!(camera.mode("Chunk"), AccessMode::NotAvailable);
    let fired = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fired);
    let subscription = camera.map.on_change(camera.id("Event"), move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(camera.map.deliver_event(0x9005, &[0, 0, 1, 2]), 1);
    assert_eq!((camera.int("Event"), fired.load(Ordering::Relaxed)), (0x102, 1));
    drop(subscription);
    camera.map.deliver_event(0x9005, &[0, 0, 1, 3]);
    assert_eq!((camera.int("Event"), fired.load(Ordering::Relaxed)), (0x103, 1));
}

#[test]
fn a_callback_may_ask_the_map_and_sees_the_change() {
    let camera = Arc::new(Camera::new(
        &(register("R", 16)
            + &integer("F", "<pValue>R</pValue>")
            + &integer("O", "<Value>1</Value>")),
    ));
    let seen = Arc::new(AtomicUsize::new(0));
    let (of, into) = (Arc::downgrade(&camera), Arc::clone(&seen));
    let _subscription = camera.map.on_change(camera.id("F"), move |_| {
        let camera = of.upgrade().unwrap();
        into.store(camera.int("F") as usize, Ordering::Relaxed);
    });
    camera.set("O", 2);
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    camera.set("R", 42);
    assert_eq!(seen.load(Ordering::Relaxed), 42);
}

#[test]
fn what_the_port_says_is_part_of_the_error() {
    let camera = Camera::new(&(register("R", 0xBAD) + &integer("F", "<pValue>R</pValue>")));
    let error = camera.map.set(camera.id("F"), &Value::Int(1)).unwrap_err().to_string();
    assert!(error.contains("the camera refuses") && error.contains("through R"), "{error}");
    camera.map.disconnect("Device").unwrap();
    assert_eq!(camera.mode("F"), AccessMode::NotImplemented);
    assert!(camera.error("F").to_string().contains("Device is not connected"));
    camera.map.connect("Device", Arc::new(MemoryPort::read_only([0; 0x1000]))).unwrap();
    assert_eq!(camera.mode("F"), AccessMode::ReadOnly);
    assert!(camera.map.connect("Nothing", Arc::new(MemoryPort::new([]))).is_err());
}

const KEPT: &str = "<Streamable>Yes</Streamable>";

fn persistent() -> Camera {
    Camera::new(
        &[
            // Before what decides over it, so that the order of the document does not help.
            integer("Width", &format!("{KEPT}<pValue>WidthReg</pValue><pMax>Max</pMax>")),
            integer("Max", "<pValue>MaxReg</pValue>"),
            integer("Mode", &format!("{KEPT}<pValue>MaxReg</pValue>")),
            integer("Volatile", "<pValue>MaxReg</pValue>"),
            register("WidthReg", 16),
            register("MaxReg", 20),
            format!(
                "<Enumeration Name=\"GainSelector\"><EnumEntry Name=\"Red\"><Value>0</Value>\
                 </EnumEntry><EnumEntry Name=\"Blue\"><Value>1</Value></EnumEntry>{KEPT}\
                 <pValue>SelectorReg</pValue><pSelected>Gain</pSelected></Enumeration>"
            ),
            register("SelectorReg", 24),
            format!("<Float Name=\"Gain\">{KEPT}<pValue>GainReg</pValue></Float>"),
            "<FloatReg Name=\"GainReg\"><Address>0x100</Address><pIndex Offset=\"8\">SelectorReg\
             </pIndex><Length>8</Length><AccessMode>RW</AccessMode><pPort>Device</pPort>\
             <Endianess>LittleEndian</Endianess></FloatReg>"
                .to_owned(),
        ]
        .concat(),
    )
}

#[test]
fn kept_values_come_back_for_each_selector_and_after_what_they_need() {
    let camera = persistent();
    camera.set("Mode", 500);
    camera.set("Width", 400);
    camera.set("GainSelector", "Blue");
    camera.set("Gain", 1.1);
    camera.set("GainSelector", "Red");
    camera.set("Gain", 0.5);
    let saved = Saved::parse(&camera.map.save().unwrap().to_text());
    assert_eq!(camera.get("GainSelector"), Value::from("Red"));
    let names: Vec<&str> = saved.lines.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"Volatile"));
    let fresh = persistent();
    let loaded = fresh.map.load(&saved);
    assert_eq!(loaded.unrestored, []);
    assert_eq!((fresh.int("Width"), fresh.int("Mode")), (400, 500));
    assert_eq!(fresh.get("GainSelector"), Value::from("Red"));
    assert_eq!(fresh.get("Gain"), Value::Float(0.5));
    fresh.set("GainSelector", "Blue");
    assert_eq!(fresh.get("Gain"), Value::Float(1.1));
}

#[test]
fn a_write_that_the_camera_calls_an_error_fails_with_its_words() {
    let camera = Camera::new(
        &[
            integer("T", "<pError>Trouble</pError><pValue>R</pValue>"),
            integer("Over", "<pValue>T</pValue>"),
            "<Enumeration Name=\"Trouble\"><EnumEntry Name=\"Ok\"><Value>0</Value></EnumEntry>\
             <EnumEntry Name=\"Odd\"><DisplayName>must be even</DisplayName><Value>2</Value>\
             </EnumEntry><pValue>Said</pValue></Enumeration>"
                .to_owned(),
            register("R", 16),
            register_with("Said", 20, "<Cachable>NoCache</Cachable>"),
        ]
        .concat(),
    );
    camera.set("Over", 4);
    camera.memory.poke(20, &[0, 0, 0, 2]);
    assert!(camera.refusal("Over", 5).to_string().contains("Trouble says: must be even"));
    assert_eq!(camera.int("R"), 5, "it was written all the same");
    camera.memory.poke(20, &[0, 0, 0, 9]);
    assert!(camera.refusal("T", 6).to_string().contains("Trouble says: 9"));
}

#[test]
fn a_value_is_within_the_limits_of_its_copies() {
    let camera = Camera::new(
        &[
            integer(
                "T",
                "<pValue>R</pValue><pValueCopy>Low</pValueCopy><pValueCopy>W</pValueCopy>",
            ),
            integer("Low", "<Value>3</Value><Min>2</Min><Max>9</Max>"),
            register("R", 16),
            register("W", 20).replace("RW", "WO"),
        ]
        .concat(),
    );
    let Limits::Int { min, max, .. } = camera.map.limits(camera.id("T")).unwrap() else {
        panic!("no limits");
    };
    assert_eq!((min, max, camera.mode("T")), (2, 9, AccessMode::ReadWrite));
    camera.memory.written();
    assert!(matches!(camera.refusal("T", 10), Problem::OutOfRange { .. }));
    assert_eq!(camera.memory.written(), [], "neither the value nor a copy");
}

#[test]
fn not_implemented_outweighs_not_available() {
    let camera = Camera::new(
        &[
            integer("Zero", "<Value>0</Value>"),
            integer("Not", "<pIsImplemented>Zero</pIsImplemented><Value>1</Value>"),
            integer(
                "T",
                "<pIsAvailable>Zero</pIsAvailable><pIsLocked>Not</pIsLocked><Value>1</Value>",
            ),
            integer(
                "Away",
                "<pIsAvailable>Zero</pIsAvailable><pIsLocked>Zero</pIsLocked><Value>1</Value>",
            ),
        ]
        .concat(),
    );
    assert_eq!(camera.mode("T"), AccessMode::NotImplemented);
    assert_eq!(camera.mode("Away"), AccessMode::NotAvailable);
}

#[test]
fn a_node_is_selected_by_whatever_selects_what_it_depends_on() {
    let camera = Camera::new(
        &[
            integer("Filter", "<Value>0</Value><pSelected>Width</pSelected>"),
            integer("Line", "<Value>0</Value><pSelected>Filter</pSelected>"),
            integer("Width", "<pIsAvailable>HasWidth</pIsAvailable><Value>7</Value>"),
            "<IntSwissKnife Name=\"HasWidth\"><pVariable Name=\"F\">Filter</pVariable>\
             <Formula>F &lt; 2</Formula></IntSwissKnife>"
                .to_owned(),
            integer("Other", "<pInvalidator>Filter</pInvalidator><Value>0</Value>"),
        ]
        .concat(),
    );
    let names = |ids: Vec<_>| -> Vec<String> {
        ids.into_iter().map(|id| camera.map.name(id).to_owned()).collect()
    };
    let selectors = |name| names(camera.map.selectors(camera.id(name)));
    assert_eq!(selectors("Width"), ["Line", "Filter"]);
    assert_eq!(selectors("HasWidth"), ["Line"]);
    assert_eq!((selectors("Line"), selectors("Other")), (vec![], vec![]));
    let mut selected = names(camera.map.selected(camera.id("Line")));
    selected.sort();
    assert_eq!(selected, ["Filter", "HasWidth", "Width"]);
}

#[test]
fn what_does_not_come_back_is_reported() {
    let camera = persistent();
    let saved = Saved {
        lines: vec![
            ("Gone".into(), "1".into()),
            ("Mode".into(), "10".into()),
            ("Width".into(), "11".into()),
            ("GainSelector".into(), "Blue".into()),
            ("Gain".into(), "much".into()),
        ],
    };
    let loaded = camera.map.load(&saved);
    let names: Vec<&str> = loaded.unrestored.iter().map(|u| u.name.as_str()).collect();
    assert_eq!((names, loaded.restored), (vec!["Gone", "Width", "Gain"], 2));
    assert!(loaded.unrestored[1].problem.contains("not within 0 to 10"));
    assert_eq!(loaded.unrestored[2].selectors, [("GainSelector".into(), "Blue".into())]);
}

/// A camera that takes whole hundreds only, and rounds down.
struct Rounds(MemoryPort);

impl Port for Rounds {
    fn read(&self, address: u64, data: &mut [u8]) -> Result<(), PortError> {
        self.0.read(address, data)
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), PortError> {
        match data.try_into() {
            Ok(four) => {
                let taken = u32::from_be_bytes(four) / 100 * 100;
                self.0.write(address, &taken.to_be_bytes())
            }
            Err(_) => self.0.write(address, data),
        }
    }
}

#[test]
fn what_comes_back_is_asked_of_the_camera_and_not_of_what_was_written() {
    // The registers may be cached, so the value that was written is what a map remembers.
    let camera = persistent();
    camera.map.connect("Device", Arc::new(Rounds(MemoryPort::new([0; 0x1000])))).unwrap();
    let saved =
        Saved { lines: vec![("Mode".into(), "500".into()), ("Width".into(), "321".into())] };
    let loaded = camera.map.load(&saved);
    let [width] = &loaded.unrestored[..] else { panic!("{loaded:?}") };
    assert_eq!((width.name.as_str(), width.problem.as_str()), ("Width", "300 was read back"));
    assert_eq!((camera.int("Width"), camera.int("Mode")), (300, 500));
}

#[test]
fn the_map_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let camera = Camera::new(&register("R", 16));
    shared(&camera.map);
    std::thread::scope(|threads| {
        for value in 0..4_i64 {
            let camera = &camera;
            threads.spawn(move || {
                for _ in 0..100 {
                    camera.set("R", value);
                    assert!((0..4).contains(&camera.int("R")));
                }
            });
        }
    });
}
