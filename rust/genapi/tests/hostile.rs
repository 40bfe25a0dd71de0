//! Descriptions that mean harm: each ends in an error or a value, on a small stack.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Memory, document, integer, register};
use smartqc_genapi::{Error, NodeId, NodeMap, Port, Problem, Value};

/// Stack of a thread that evaluates: less than any platform gives.
const STACK_BYTES: usize = 512 << 10;

/// Everything that can be asked of every node.
fn exercise(xml: &[u8]) {
    let Ok(map) = NodeMap::parse(xml) else { return };
    let memory: Arc<dyn Port> = Arc::new(Memory::default());
    let ports: Vec<NodeId> = map.ports().collect();
    for port in ports {
        map.connect(map.name(port), Arc::clone(&memory)).unwrap();
    }
    let interesting = map.nodes().take(10).chain(map.node("T"));
    for id in interesting.collect::<Vec<_>>() {
        map.describe(id);
        let _ = map.access(id);
        let _ = map.value(id);
        let _ = map.limits(id);
        let _ = map.entries(id);
        let _ = map.place(id);
        for value in [Value::Int(1), Value::Text("1".into()), Value::Float(0.5)] {
            let _ = map.set(id, &value);
        }
        let _ = map.execute(id);
        let _ = map.is_done(id);
        let _ = map.to_text(id);
        let _ = map.from_text(id, "1");
        map.invalidate(id);
    }
}

fn on_a_small_stack(name: &str, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).name(name.into());
    thread.spawn(work).unwrap().join().unwrap();
}

fn chain(length: usize, node: impl Fn(&str, &str) -> String) -> String {
    let name = |i: usize| if i == 0 { "T".to_owned() } else { format!("N{i}") };
    let nodes: String = (0..length).map(|i| node(&name(i), &name(i + 1))).collect();
    nodes + &register(&name(length), 16)
}

fn knife(name: &str, from: &str, formula: &str) -> String {
    format!(
        "<IntSwissKnife Name=\"{name}\"><pVariable Name=\"X\">{from}</pVariable>\
         <Formula>{formula}</Formula></IntSwissKnife>"
    )
}

fn converter(name: &str, below: &str, inner: &str) -> String {
    format!(
        "<IntConverter Name=\"{name}\">{inner}<FormulaTo>FROM</FormulaTo>\
         <FormulaFrom>TO</FormulaFrom><pValue>{below}</pValue></IntConverter>"
    )
}

#[test]
fn long_chains_end() {
    let value = |node: &str, next: &str| integer(node, &format!("<pValue>{next}</pValue>"));
    let predicate = |tag: &'static str| {
        move |node: &str, next: &str| {
            integer(node, &format!("<{tag}>{next}</{tag}><Value>1</Value>"))
        }
    };
    let documents = [
        ("values", chain(20_000, value)),
        ("formulas", chain(5_000, |node, next| knife(node, next, "X+1"))),
        ("converters", chain(5_000, |node, next| converter(node, next, ""))),
        ("available", chain(10_000, predicate("pIsAvailable"))),
        ("implemented", chain(10_000, predicate("pIsImplemented"))),
        ("locked", chain(10_000, predicate("pIsLocked"))),
        ("least", chain(5_000, predicate("pMin"))),
        (
            "index",
            chain(5_000, |node, next| {
                integer(
                    node,
                    &format!(
                        "<pIndex>{next}</pIndex><ValueIndexed Index=\"0\">0</ValueIndexed>\
                 <pValueDefault>{next}</pValueDefault>"
                    ),
                )
            }),
        ),
        (
            "copies",
            chain(5_000, |node, next| {
                integer(node, &format!("<Value>1</Value><pValueCopy>{next}</pValueCopy>"))
            }),
        ),
        (
            "addresses",
            chain(5_000, |node, next| {
                format!(
                    "<IntReg Name=\"{node}\"><pAddress>{next}</pAddress><Length>4</Length>\
                 <AccessMode>RW</AccessMode><pPort>Device</pPort></IntReg>"
                )
            }),
        ),
        (
            "categories",
            chain(5_000, |node, next| {
                format!("<Category Name=\"{node}\"><pFeature>{next}</pFeature></Category>")
            }),
        ),
        (
            "strings",
            chain(5_000, |node, next| {
                format!("<String Name=\"{node}\"><pValue>{next}</pValue></String>")
            }),
        ),
        (
            "commands",
            chain(5_000, |node, next| {
                format!(
                    "<Command Name=\"{node}\"><pValue>{next}</pValue><pCommandValue>{next}\
                 </pCommandValue></Command>"
                )
            }),
        ),
        (
            "booleans",
            chain(5_000, |node, next| {
                format!("<Boolean Name=\"{node}\"><pValue>{next}</pValue></Boolean>")
            }),
        ),
        (
            "enumerations",
            chain(3_000, |node, next| {
                format!(
                    "<Enumeration Name=\"{node}\"><EnumEntry Name=\"A\"><pIsAvailable>{next}\
                 </pIsAvailable><Value>0</Value></EnumEntry><pValue>{next}</pValue></Enumeration>"
                )
            }),
        ),
        (
            "invalidators",
            chain(5_000, |node, next| {
                integer(node, &format!("<pInvalidator>{next}</pInvalidator><Value>1</Value>"))
            }),
        ),
        (
            "selected",
            chain(5_000, |node, next| {
                integer(node, &format!("<Value>1</Value><pSelected>{next}</pSelected>"))
            }),
        ),
        (
            "aliases",
            chain(5_000, |node, next| {
                integer(node, &format!("<pAlias>{next}</pAlias><Value>1</Value>"))
            }),
        ),
    ];
    for (name, body) in documents {
        let xml = document(&body);
        on_a_small_stack(name, move || exercise(xml.as_bytes()));
    }
}

#[test]
fn circles_end_with_their_path() {
    let documents = [
        integer("T", "<pValue>T</pValue>"),
        integer("T", "<pValue>B</pValue>") + &integer("B", "<pValue>T</pValue>"),
        knife("T", "B", "X+1") + &knife("B", "T", "X+1"),
        converter("T", "B", "") + &converter("B", "T", ""),
        converter("T", "R", "<pVariable Name=\"V\">T</pVariable>") + &register("R", 16),
        "<IntReg Name=\"T\"><pAddress>T</pAddress><Length>4</Length><AccessMode>RW</AccessMode>\
         <pPort>Device</pPort></IntReg>"
            .to_owned(),
        "<Register Name=\"T\"><Address>0</Address><pLength>L</pLength><AccessMode>RW\
         </AccessMode><pPort>Device</pPort></Register>"
            .to_owned()
            + &integer("L", "<pValue>M</pValue>")
            + &integer("M", "<pValue>L</pValue>"),
        integer(
            "T",
            "<pIndex>T</pIndex><pValueIndexed Index=\"0\">T</pValueIndexed>\
                      <pValueDefault>T</pValueDefault>",
        ),
        "<Enumeration Name=\"T\"><EnumEntry Name=\"A\"><Value>0</Value></EnumEntry>\
         <pValue>B</pValue></Enumeration><Boolean Name=\"B\"><pValue>T</pValue></Boolean>"
            .to_owned(),
        "<String Name=\"T\"><pValue>T</pValue></String>".to_owned(),
    ];
    for body in documents {
        on_a_small_stack("circle", move || {
            let xml = document(&(body.clone() + &integer("Sound", "<Value>7</Value>")));
            let map = NodeMap::parse(xml.as_bytes()).unwrap();
            assert!(
                map.findings().iter().any(|f| matches!(f.problem, Problem::Cycle { .. })),
                "{body}: {:?}",
                map.findings()
            );
            let error = map.value(map.find("T").unwrap()).unwrap_err();
            assert!(matches!(error, Error::Node { .. }), "{error}");
            assert_eq!(map.value(map.find("Sound").unwrap()), Ok(Value::Int(7)));
            exercise(xml.as_bytes());
        });
    }
}

/// Sound cameras have predicates that lead back to what they decide over.
#[test]
fn circles_of_predicates_take_nothing_away() {
    let body = integer("T", "<pIsLocked>B</pIsLocked><Value>1</Value>")
        + &integer("B", "<pIsLocked>T</pIsLocked><pIsAvailable>T</pIsAvailable><Value>1</Value>");
    on_a_small_stack("predicates", move || {
        let map = NodeMap::parse(document(&body).as_bytes()).unwrap();
        assert_eq!(map.value(map.find("T").unwrap()), Ok(Value::Int(1)));
        exercise(document(&body).as_bytes());
    });
}

#[test]
fn fan_outs_end_within_the_budget() {
    let documents = [
        chain(34, |node, next| {
            format!(
                "<IntSwissKnife Name=\"{node}\"><pVariable Name=\"X\">{next}</pVariable>\
                 <pVariable Name=\"Y\">{next}</pVariable><Formula>X+Y</Formula></IntSwissKnife>"
            )
        }),
        chain(30, |node, next| {
            integer(node, &format!("<pValue>{next}</pValue><pMin>{next}</pMin><pMax>{next}</pMax>"))
        }),
        // Nothing of this may be kept, so that each path is walked.
        chain(40, |node, next| {
            format!(
                "<IntSwissKnife Name=\"{node}\"><pVariable Name=\"X\">{next}</pVariable>\
                 <pVariable Name=\"Y\">{next}</pVariable><Formula>X+Y</Formula></IntSwissKnife>"
            )
        })
        .replace("<pPort>", "<Cachable>NoCache</Cachable><pPort>"),
        chain(40, |node, next| {
            integer(
                node,
                &format!(
                    "<pIsAvailable>{next}</pIsAvailable><pIsLocked>{next}</pIsLocked>\
                 <pIsImplemented>{next}</pIsImplemented><pValue>{next}</pValue>\
                 <pMin>{next}</pMin><pMax>{next}</pMax>"
                ),
            )
        })
        .replace("<pPort>", "<Cachable>NoCache</Cachable><pPort>"),
        chain(40, |node, next| {
            integer(
                node,
                &format!(
                    "<Value>1</Value><pValueCopy>{next}</pValueCopy><pValueCopy>{next}</pValueCopy>"
                ),
            )
        }),
    ];
    for body in documents {
        let xml = document(&body);
        on_a_small_stack("fan-out", move || exercise(xml.as_bytes()));
    }
}

#[test]
fn numbers_and_lengths_without_sense_are_errors() {
    let register = |inner: &str| format!("{inner}<AccessMode>RW</AccessMode><pPort>Device</pPort>");
    let documents = [
        format!(
            "<Register Name=\"T\">{}</Register>",
            register("<Address>0</Address><Length>0xFFFFFFFF</Length>")
        ),
        format!(
            "<StringReg Name=\"T\">{}</StringReg>",
            register("<Address>0</Address><Length>99999999999999999999</Length>")
        ),
        format!(
            "<StringReg Name=\"T\">{}</StringReg>",
            register("<Address>0</Address><Length>0x7FFFFFFFFFFFFFFF</Length>")
        ),
        format!(
            "<IntReg Name=\"T\">{}</IntReg>",
            register("<Address>0xZZ</Address><Length>-4</Length>")
        ),
        format!(
            "<IntReg Name=\"T\">{}</IntReg>",
            register("<Address>0</Address><Length>0</Length>")
        ),
        format!(
            "<IntReg Name=\"T\">{}</IntReg>",
            register("<Address>0xFFFFFFFFFFFFFFFC</Address><Length>16</Length>")
        ),
        format!(
            "<FloatReg Name=\"T\">{}</FloatReg>",
            register("<Address>0</Address><Length>3</Length>")
        ),
        format!(
            "<MaskedIntReg Name=\"T\">{}<LSB>9999</LSB><MSB>3</MSB></MaskedIntReg>",
            register("<Address>0</Address><Length>4</Length>")
        ),
        format!(
            "<MaskedIntReg Name=\"T\">{}<LSB>63</LSB><MSB>0</MSB></MaskedIntReg>",
            register("<Address>0</Address><Length>4</Length>")
        ),
        format!(
            "<MaskedIntReg Name=\"T\">{}<Bit>-1</Bit></MaskedIntReg>",
            register("<Address>0</Address><Length>4</Length>")
        ),
        "<IntReg Name=\"T\"/>".to_owned(),
        "<Converter Name=\"T\"/>".to_owned(),
        "<Integer Name=\"T\"><pIsAvailable>Nope</pIsAvailable><pValue>Gone</pValue></Integer>"
            .to_owned(),
        "<Integer Name=\"T\"><pValue>Device</pValue></Integer>".to_owned(),
        "<Integer Name=\"T\"><Value>1e9</Value><Min>a</Min></Integer>".to_owned(),
    ];
    for body in documents {
        on_a_small_stack("numbers", move || {
            let xml = document(&body);
            let map = NodeMap::parse(xml.as_bytes()).unwrap();
            let memory: Arc<dyn Port> = Arc::new(Memory::default());
            map.connect("Device", memory).unwrap();
            assert!(map.value(map.find("T").unwrap()).is_err(), "{body}");
            exercise(xml.as_bytes());
        });
    }
}

#[test]
fn formulas_that_mean_harm_end() {
    for formula in [
        format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}1", "1+".repeat(300_000)),
        format!("{}1", "-".repeat(200_000)),
        format!("{}1{}", "1?".repeat(50_000), ":0".repeat(50_000)),
        "X".repeat(100_000),
        "1/0".to_owned(),
        "(0-9223372036854775807-1)/(0-1)".to_owned(),
        "(0-9223372036854775807-1)%(0-1)".to_owned(),
        "1&lt;&lt;200".to_owned(),
        "9**9**9".to_owned(),
    ] {
        let xml = document(&(knife("T", "R", &formula) + &register("R", 0)));
        on_a_small_stack("formula", move || exercise(xml.as_bytes()));
    }
}

#[test]
fn documents_that_mean_harm_end() {
    let value = "<Integer Name=\"T\"><Value>1</Value></Integer>";
    let whole = document(value);
    let many: String = (0..60_000)
        .map(|i| format!("<EnumEntry Name=\"E{i}\"><Value>{i}</Value></EnumEntry>"))
        .collect();
    let each = |tag: &str| -> String {
        (0..600)
            .map(|i| {
                let others: String =
                    (0..600).filter(|j| *j != i).map(|j| format!("<{tag}>N{j}</{tag}>")).collect();
                integer(&format!("N{i}"), &format!("{others}<Value>1</Value>"))
            })
            .collect()
    };
    let laughs: String = ('b'..='j')
        .zip('a'..)
        .map(|(name, below)| format!("<!ENTITY {name} \"{}\">", format!("&{below};").repeat(10)))
        .collect();
    let mut documents = vec![
        whole[..whole.len() - 30].to_owned(),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
        "<a/>".to_owned(),
        "<".to_owned(),
        "\0\u{1}".to_owned(),
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\">{laughs}]>\
                 <RegisterDescription><Integer Name=\"T\"><ToolTip>&j;</ToolTip></Integer>\
                 </RegisterDescription>"
        ),
        document(&format!(
            "<Integer Name=\"T\"><Extension>{}{}</Extension></Integer>",
            "<a>".repeat(300_000),
            "</a>".repeat(300_000)
        )),
        document(&"<Group>".repeat(100_000)),
        document(
            &("<IntReg Name=\"T\"><IntSwissKnife Name=\"A\">".repeat(5_000)
                + &"</IntSwissKnife></IntReg>".repeat(5_000)),
        ),
        document(&format!(
            "<Enumeration Name=\"T\">{many}<pValue>R</pValue></Enumeration>{}",
            register("R", 0)
        )),
        document(&each("pSelected")),
        document(&each("pInvalidator")),
        document(&(value.to_owned() + &integer("T", "<Value>2</Value>"))),
        document(
            "<Category Name=\"C1\"><pFeature>C2</pFeature></Category><Category Name=\"C2\">\
                  <pFeature>C1</pFeature></Category>",
        ),
        document(
            "<Integer Name=\"\"><Value>1</Value></Integer><Integer><Value>1</Value></Integer>",
        ),
        document("<StructReg><StructEntry Name=\"T\"><Bit>3</Bit></StructEntry></StructReg>"),
        document(
            "<ConfRom Name=\"C\"><IntKey Name=\"T\">0x40</IntKey><TextDesc Name=\"U\">zz\
                  </TextDesc></ConfRom>",
        ),
        document("<Integer Name=\"T\"><ToolTip>&nope;</ToolTip></Integer>"),
    ];
    documents.push(document(value).replace("</Integer>", "</Float>"));
    for xml in documents {
        on_a_small_stack("document", move || exercise(xml.as_bytes()));
    }
}
