//! A tree over a plain memory, and descriptions that wish it ill.

use std::collections::HashMap;

use super::*;

/// Registers of four bytes, zero at first; address `0xBAD` can't be read.
#[derive(Default)]
struct Memory(Mutex<HashMap<u64, u8>>);

impl Registers for Memory {
    fn read(&self, address: u64, data: &mut [u8]) -> Told<()> {
        if address == 0xBAD {
            return Err("the camera refuses".into());
        }
        let memory = self.0.lock().unwrap();
        for (place, byte) in (address..).zip(data) {
            *byte = *memory.get(&place).unwrap_or(&0);
        }
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Told<()> {
        self.0.lock().unwrap().extend((address..).zip(data.iter().copied()));
        Ok(())
    }
}

fn document(body: &str) -> String {
    format!(
        "<RegisterDescription SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" \
         SchemaSubMinorVersion=\"0\"><Port Name=\"Device\"/>{body}</RegisterDescription>"
    )
}

fn register(name: &str, address: &str) -> String {
    format!(
        "<IntReg Name=\"{name}\"><Address>{address}</Address><Length>4</Length>\
         <AccessMode>RW</AccessMode><pPort>Device</pPort><Cachable>NoCache</Cachable>\
         <Sign>Unsigned</Sign><Endianess>LittleEndian</Endianess></IntReg>"
    )
}

fn camera() -> Features {
    let body = [
        "<Category Name=\"Root\"><pFeature>Image</pFeature><pFeature>Sound</pFeature></Category>",
        "<Category Name=\"Image\"><pFeature>Width</pFeature><pFeature>Gain</pFeature>\
         <pFeature>GainSelector</pFeature><pFeature>Root</pFeature><pFeature>Gone</pFeature>\
         </Category>",
        "<Category Name=\"Sound\"><pFeature>Broken</pFeature><pFeature>Beep</pFeature></Category>",
        "<Integer Name=\"Width\"><Description>Columns  of\n the image</Description>\
         <Unit>px</Unit><pValue>WidthReg</pValue><Min>8</Min><Max>64</Max><Inc>4</Inc></Integer>",
        "<Enumeration Name=\"GainSelector\"><EnumEntry Name=\"Red\"><Value>0</Value></EnumEntry>\
         <EnumEntry Name=\"Blue\"><Value>1</Value></EnumEntry><pValue>SelectorReg</pValue>\
         <pSelected>Gain</pSelected></Enumeration>",
        "<Integer Name=\"Gain\"><pValue>GainReg</pValue></Integer>",
        "<IntReg Name=\"GainReg\"><Address>0x100</Address><pIndex Offset=\"4\">SelectorReg\
         </pIndex><Length>4</Length><AccessMode>RW</AccessMode><pPort>Device</pPort>\
         <Cachable>NoCache</Cachable><Endianess>LittleEndian</Endianess></IntReg>",
        "<Integer Name=\"Broken\"><pValue>BadReg</pValue></Integer>",
        "<Command Name=\"Beep\"><pValue>BeepReg</pValue><CommandValue>7</CommandValue></Command>",
        &register("WidthReg", "0x10"),
        &register("SelectorReg", "0x20"),
        &register("BadReg", "0xBAD"),
        &register("BeepReg", "0x30"),
    ]
    .concat();
    Features::parse("test:", &document(&body), Arc::new(Memory::default())).unwrap()
}

fn problem<T: fmt::Debug>(outcome: Result<T>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn a_number_is_set_within_its_limits_only() {
    let camera = camera();
    camera.set("Width", &Value::Int(32)).unwrap();
    assert_eq!(camera.get("Width").unwrap(), Value::Int(32));
    camera.set("Width", &Value::Float(16.0)).unwrap();
    camera.set("Width", &Value::Text("0x0C".into())).unwrap();
    assert_eq!(camera.get("Width").unwrap(), Value::Int(12));
    for refused in [Value::Int(68), Value::Int(9), Value::Bool(true), Value::Float(8.5)] {
        let problem = problem(camera.set("Width", &refused));
        assert!(problem.contains("8 to 64") && problem.contains("Width"), "{problem}");
    }
    assert_eq!(camera.get("Width").unwrap(), Value::Int(12));
}

#[test]
fn a_bracket_selects_and_puts_the_selector_back() {
    let camera = camera();
    camera.set("Gain[Blue]", &Value::Int(5)).unwrap();
    assert_eq!(camera.get("GainSelector").unwrap(), Value::Text("Red".into()));
    assert_eq!(camera.get("Gain").unwrap(), Value::Int(0));
    assert_eq!(camera.get("Gain[Blue]").unwrap(), Value::Int(5));
    let unknown = problem(camera.get("Gain[Green]"));
    assert!(unknown.contains("one of Red, Blue"), "{unknown}");
    assert!(problem(camera.get("Gain[Red,Blue]")).contains("GainSelector"));
    assert!(problem(camera.get("Width[Red]")).contains("no selector"));
    assert!(problem(camera.get("Gain[Red")).contains("not closed"));
    assert_eq!(camera.get("GainSelector").unwrap(), Value::Text("Red".into()));
}

#[test]
fn a_bracket_also_describes_what_it_selects() {
    let camera = camera();
    camera.set("Gain[Blue]", &Value::Int(5)).unwrap();
    let gain = camera.describe("Gain[Blue]").unwrap();
    assert_eq!((gain.name.as_str(), gain.value), ("Gain[Blue]", Some(Value::Int(5))));
    assert_eq!(camera.describe("Gain").unwrap().value, Some(Value::Int(0)));
    assert!(problem(camera.describe("Gain[Green]")).contains("one of Red, Blue"));
    assert!(problem(camera.describe("Nothing[Red]")).contains("no such feature"));
}

#[test]
fn a_command_is_executed_with_its_own_value() {
    let memory = Arc::new(Memory::default());
    let body = "<Command Name=\"Beep\"><pValue>R</pValue><CommandValue>7</CommandValue></Command>";
    let xml = document(&format!("{body}{}", register("R", "0x30")));
    let camera = Features::parse("test:", &xml, Arc::clone(&memory) as Arc<dyn Registers>).unwrap();
    camera.execute("Beep").unwrap();
    assert_eq!(memory.0.lock().unwrap().get(&0x30), Some(&7));
    assert!(problem(camera.get("Beep")).contains("command"));
}

#[test]
fn what_is_no_command_is_not_executed() {
    let camera = camera();
    let refused = problem(camera.execute("Width"));
    assert!(refused.contains("it is no command but an integer"), "{refused}");
}

#[test]
fn an_unknown_feature_names_the_one_that_may_be_meant() {
    let camera = camera();
    assert!(problem(camera.get("width")).contains("is Width meant?"));
    assert!(problem(camera.get("Nothing")).contains("no such feature; `smartqc"));
    assert!(problem(camera.get("Selector")).contains("is GainSelector meant?"));
    assert!(problem(camera.get("GainAll")).contains("is Gain meant?"));
    assert!(problem(camera.get("Gai")).contains("is Gain or GainSelector meant?"));
    assert!(problem(camera.get("Image")).contains("category"));
    assert!(camera.has("Gain[Red]") && !camera.has("Nothing"));
}

#[test]
fn the_tree_lists_each_feature_once_and_those_with_a_problem_too() {
    let tree = camera().tree();
    let names: Vec<&str> = tree.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["Width", "Gain", "GainSelector", "Broken", "Beep"]);
    let width = &tree[0];
    assert_eq!(width.category, ["Image"]);
    assert_eq!(width.description, "Columns of the image");
    let limits = [&width.min, &width.max, &width.increment].map(Clone::clone);
    assert_eq!(limits, [8, 64, 4].map(|limit| Some(Value::Int(limit))));
    assert_eq!((width.unit.as_deref(), width.access), (Some("px"), Access::ReadWrite));
    assert_eq!(tree[1].selectors, ["GainSelector"]);
    assert_eq!(tree[2].entries, ["Red", "Blue"]);
    assert!(tree[3].problem.as_ref().unwrap().contains("the camera refuses"));
    assert_eq!(tree[4].kind, Kind::Command);
}

#[test]
fn a_locked_feature_says_by_what() {
    let body = [
        "<Integer Name=\"Width\"><pIsLocked>TLParamsLocked</pIsLocked><Value>8</Value></Integer>",
        "<Integer Name=\"TLParamsLocked\"><Value>0</Value></Integer>",
    ];
    let xml = document(&body.concat());
    let camera = Features::parse("test:", &xml, Arc::new(Memory::default())).unwrap();
    camera.set("Width", &Value::Int(9)).unwrap();
    assert_eq!(camera.describe("Width").unwrap().access_reason, None);
    camera.set("TLParamsLocked", &Value::Int(1)).unwrap();
    let width = camera.describe("Width").unwrap();
    assert_eq!((width.access, width.value), (Access::ReadOnly, Some(Value::Int(9))));
    assert_eq!(width.access_reason.as_deref(), Some("locked by TLParamsLocked = 1"));
    let refused = problem(camera.set("Width", &Value::Int(10)));
    assert!(refused.contains("locked by TLParamsLocked = 1: stop the camera first"), "{refused}");
}

#[test]
fn a_plain_register_gives_and_takes_its_bytes() {
    let body = "<Register Name=\"R\"><Address>4</Address><Length>3</Length>\
                <AccessMode>RW</AccessMode><pPort>Device</pPort></Register>";
    let camera = Features::parse("test:", &document(body), Arc::new(Memory::default())).unwrap();
    camera.set("R", &Value::Bytes(vec![1, 2, 3])).unwrap();
    assert_eq!(camera.get("R").unwrap(), Value::Bytes(vec![1, 2, 3]));
    assert!(problem(camera.set("R", &Value::Bytes(vec![1; 4]))).contains("it takes 3 bytes"));
}

#[test]
fn settings_are_what_the_description_marks_and_all_of_them_where_it_marks_nothing() {
    let camera = camera();
    camera.set("Gain[Blue]", &Value::Int(5)).unwrap();
    let saved = camera.save().unwrap();
    let names: Vec<&str> = saved.lines.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"Width") && !names.contains(&"Beep"), "{names:?}");
    camera.set("Gain[Blue]", &Value::Int(6)).unwrap();
    camera.set("Width", &Value::Int(16)).unwrap();
    let loaded = camera.load(&Saved::parse(&saved.to_text()));
    // Its width was 0, which it does not take.
    let wrong: Vec<&str> = loaded.unrestored.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((wrong, camera.get("Gain[Blue]").unwrap()), (vec!["Width"], Value::Int(5)));
    assert_eq!(camera.get("GainSelector").unwrap(), Value::Text("Red".into()));

    let body = [
        "<Category Name=\"Root\"><pFeature>A</pFeature><pFeature>B</pFeature></Category>",
        "<Integer Name=\"A\"><Streamable>Yes</Streamable><Value>1</Value></Integer>",
        "<Integer Name=\"B\"><Value>2</Value></Integer>",
    ];
    let marked = Features::parse("test:", &document(&body.concat()), Arc::new(Memory::default()));
    assert_eq!(marked.unwrap().save().unwrap().lines, [("A".to_owned(), "1".to_owned())]);
}

#[test]
fn a_registers_place_is_found_through_what_it_is_named_by() {
    let camera = camera();
    assert_eq!(camera.register_of("Width"), Some((0x10, 4)));
    assert_eq!(camera.register_of("GainSelector"), None);
}

#[test]
fn what_is_no_description_is_an_error() {
    for xml in ["", "no xml", "<a>", "\0\u{1}"] {
        let parsed = Features::parse("test:", xml, Arc::new(Memory::default()));
        if let Ok(features) = parsed {
            assert!(features.names().is_empty());
        }
    }
}

/// Descriptions whose evaluation must end, in whatever way, without the process.
#[test]
fn hostile_descriptions_do_no_harm() {
    let chain = |length: usize, node: &dyn Fn(&str, &str) -> String| {
        let name = |i: usize| if i == 0 { "T".to_owned() } else { format!("N{i}") };
        let nodes = (0..length).map(|i| node(&name(i), &name(i + 1)));
        nodes.collect::<String>() + &register(&name(length), "16")
    };
    let formula = |name: &str, from: &str, formula: &str| {
        format!(
            "<IntSwissKnife Name=\"{name}\"><pVariable Name=\"X\">{from}</pVariable>\
             <Formula>{formula}</Formula></IntSwissKnife>"
        )
    };
    let number = |name: &str, target: &str| {
        format!("<Integer Name=\"{name}\"><pValue>{target}</pValue></Integer>")
    };
    let documents = [
        number("T", "T"),
        number("T", "B") + &number("B", "T"),
        formula("T", "T", "X+1"),
        formula("T", "B", "X+1") + &formula("B", "T", "X+1"),
        chain(5_000, &number),
        chain(2_000, &|name, next| formula(name, next, "X+1")),
        chain(30, &|name, next| formula(name, next, "X+X*X")),
        formula("T", "R", &format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000))),
        formula("T", "R", &"1+".repeat(20_000)),
        formula("T", "R", &format!("{}1", "-".repeat(20_000))),
        formula("T", "R", &format!("{}1{}", "1?".repeat(20_000), ":0".repeat(20_000))),
        formula("T", "R", "1/0") + &register("R", "0"),
        formula("T", "R", "(0-9223372036854775807-1)/(0-1)") + &register("R", "0"),
        formula("T", "R", "(0-9223372036854775807-1)%(0-1)") + &register("R", "0"),
        formula("T", "R", "1&lt;&lt;200") + &register("R", "0"),
        "<Register Name=\"T\"><Address>0</Address><Length>0xFFFFFFFF</Length>\
         <AccessMode>RW</AccessMode><pPort>Device</pPort></Register>"
            .to_owned(),
        "<StringReg Name=\"T\"><Address>0</Address><Length>0xFFFFFFFF</Length>\
         <AccessMode>RW</AccessMode><pPort>Device</pPort></StringReg>"
            .to_owned(),
        "<IntReg Name=\"T\"><pAddress>T</pAddress><Length>4</Length><AccessMode>RW</AccessMode>\
         <pPort>Device</pPort></IntReg>"
            .to_owned(),
        "<MaskedIntReg Name=\"T\"><Address>0</Address><Length>4</Length><AccessMode>RW\
         </AccessMode><pPort>Device</pPort><LSB>9999</LSB><MSB>3</MSB></MaskedIntReg>"
            .to_owned(),
        "<Integer Name=\"T\"><pIsLocked>B</pIsLocked><Value>1</Value></Integer>\
         <Integer Name=\"B\"><pIsLocked>T</pIsLocked><pIsAvailable>T</pIsAvailable>\
         <Value>1</Value></Integer>"
            .to_owned(),
        "<Converter Name=\"T\"><FormulaTo>FROM</FormulaTo><FormulaFrom>TO</FormulaFrom>\
         <pValue>B</pValue></Converter><Converter Name=\"B\"><FormulaTo>FROM</FormulaTo>\
         <FormulaFrom>TO</FormulaFrom><pValue>T</pValue></Converter>"
            .to_owned(),
        "<Category Name=\"C1\"><pFeature>C2</pFeature></Category>\
         <Category Name=\"C2\"><pFeature>C1</pFeature><pFeature>Root</pFeature></Category>"
            .to_owned(),
    ];
    let root = "<Category Name=\"Root\"><pFeature>T</pFeature><pFeature>C1</pFeature></Category>";
    for (number, body) in documents.iter().enumerate() {
        eprintln!("document {number}");
        let xml = document(&format!("{root}{body}"));
        let Ok(camera) = Features::parse("test:", &xml, Arc::new(Memory::default())) else {
            continue;
        };
        camera.tree();
        let _ = camera.get("T");
        for value in [Value::Int(1), Value::Text("1".into())] {
            let _ = camera.set("T", &value);
        }
        camera.register_of("T");
    }
}

/// Registers that may be read only from some moment on.
#[derive(Default)]
struct Stubborn {
    memory: Memory,
    refuses: std::sync::atomic::AtomicBool,
}

impl Registers for Stubborn {
    fn read(&self, address: u64, data: &mut [u8]) -> Told<()> {
        self.memory.read(address, data)
    }

    fn write(&self, address: u64, data: &[u8]) -> Told<()> {
        if address == 0x10 && self.refuses.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("the camera refuses".into());
        }
        self.memory.write(address, data)
    }
}

#[test]
fn a_camera_that_lost_its_features_is_given_them_back_and_a_difference_is_told() {
    let body = [
        "<Category Name=\"Root\"><pFeature>Width</pFeature><pFeature>Gain</pFeature>\
         <pFeature>GainSelector</pFeature><pFeature>UserOutputValue</pFeature></Category>",
        "<Integer Name=\"Width\"><Streamable>Yes</Streamable><pValue>WidthReg</pValue></Integer>",
        "<Enumeration Name=\"GainSelector\"><EnumEntry Name=\"Red\"><Value>0</Value></EnumEntry>\
         <EnumEntry Name=\"Blue\"><Value>1</Value></EnumEntry><pValue>SelectorReg</pValue>\
         <pSelected>Gain</pSelected></Enumeration>",
        "<Integer Name=\"Gain\"><pValue>GainReg</pValue></Integer>",
        "<IntReg Name=\"GainReg\"><Address>0x100</Address><pIndex Offset=\"4\">SelectorReg\
         </pIndex><Length>4</Length><AccessMode>RW</AccessMode><pPort>Device</pPort>\
         <Cachable>NoCache</Cachable><Endianess>LittleEndian</Endianess></IntReg>",
        "<Integer Name=\"UserOutputValue\"><pValue>OutputReg</pValue></Integer>",
    ];
    let registers = [
        register("WidthReg", "0x10"),
        register("SelectorReg", "0x14"),
        register("OutputReg", "0x18"),
    ];
    let wire = Arc::new(Stubborn::default());
    let xml = document(&(body.concat() + &registers.concat()));
    let features = Features::parse("cam", &xml, Arc::clone(&wire) as _).unwrap();
    let int = Value::Int;
    wire.memory.write(0x10, &[32, 0, 0, 0]).unwrap();
    features.set("Gain[Red]", &int(7)).unwrap();
    let snapshot = features.snapshot().unwrap();
    features.set("GainSelector", &Value::Text("Blue".into())).unwrap();
    features.set("Gain", &Value::Text("9".into())).unwrap();
    features.set("UserOutputValue", &int(1)).unwrap();

    wire.memory.0.lock().unwrap().clear();
    assert_eq!(features.restore(&snapshot), []);
    let now = |name: &str| features.get(name).unwrap();
    assert_eq!((now("Width"), now("Gain[Red]"), now("Gain[Blue]")), (int(32), int(7), int(9)));
    assert_eq!(now("GainSelector"), Value::Text("Blue".into()));
    assert_eq!(now("UserOutputValue"), int(0), "what may drive an ejector stays off");

    wire.memory.0.lock().unwrap().clear();
    wire.refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    let different = features.restore(&snapshot);
    assert_eq!(different.len(), 1, "{different:?}");
    assert_eq!((&*different[0].feature, &*different[0].wanted), ("Width", "32"));
    assert_eq!(now("Gain[Blue]"), int(9), "the others are given back all the same");
}

#[test]
fn every_feature_of_a_chunk_is_read_from_its_bytes() {
    let body = [
        "<Category Name=\"Root\"><pFeature>Width</pFeature><pFeature>ChunkLines</pFeature>\
         <pFeature>ChunkGain</pFeature><pFeature>ChunkTwice</pFeature>\
         <pFeature>ChunkGainSelector</pFeature></Category>",
        "<Port Name=\"Lines\"><ChunkID>1001</ChunkID></Port>\
         <Port Name=\"Gains\"><ChunkID>1002</ChunkID></Port>",
        "<Integer Name=\"Width\"><pValue>WidthReg</pValue></Integer>",
        "<Integer Name=\"ChunkLines\"><pValue>LinesReg</pValue></Integer>",
        "<IntSwissKnife Name=\"ChunkTwice\"><pVariable Name=\"N\">ChunkLines</pVariable>\
         <Formula>2*N</Formula></IntSwissKnife>",
        "<Enumeration Name=\"ChunkGainSelector\"><EnumEntry Name=\"Red\"><Value>0</Value>\
         </EnumEntry><EnumEntry Name=\"Blue\"><Value>1</Value></EnumEntry><Value>0</Value>\
         <pSelected>ChunkGain</pSelected></Enumeration>",
        "<Integer Name=\"ChunkGain\"><pValue>GainReg</pValue></Integer>",
        "<IntReg Name=\"GainReg\"><Address>0</Address><pIndex Offset=\"4\">ChunkGainSelector\
         </pIndex><Length>4</Length><AccessMode>RO</AccessMode><pPort>Gains</pPort>\
         <Cachable>NoCache</Cachable><Endianess>LittleEndian</Endianess></IntReg>",
    ];
    let lines = register("LinesReg", "0").replace("Device", "Lines");
    let xml = document(&(body.concat() + &register("WidthReg", "0x10") + &lines));
    let features = Features::parse("cam", &xml, Arc::new(Memory::default())).unwrap();
    let gains: Vec<u8> = [3_u32, 5].iter().flat_map(|gain| gain.to_le_bytes()).collect();
    let lines = 40_u32.to_le_bytes();
    let read = |chunks: &[(u64, &[u8])]| -> Vec<(String, Value)> {
        let mut values = features.chunks_in(chunks.iter().copied());
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    };
    let value = |name: &str, number| (name.to_owned(), Value::Int(number));
    assert_eq!(
        read(&[(0x1001, &lines), (0x1002, &gains)]),
        [
            value("ChunkGain[Blue]", 5),
            value("ChunkGain[Red]", 3),
            value("ChunkLines", 40),
            value("ChunkTwice", 80),
        ]
    );
    // A chunk that is too short, or not there, has no values and does no harm.
    assert_eq!(read(&[(0x1002, &gains[..4])]), [value("ChunkGain[Red]", 3)]);
    assert_eq!(read(&[(0x1001, &[])]), []);
    assert_eq!(read(&[(9, &gains)]), []);
}
