//! Any text as a formula, by both rule sets, over numbers that are part of the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smartqc_genapi::{NodeMap, Value};

fuzz_target!(|input: (i64, f64, &str)| {
    let (integer, float, formula) = input;
    let formula = formula.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let xml = format!(
        "<RegisterDescription><Integer Name=\"I\"><Value>{integer}</Value></Integer>\
         <Float Name=\"F\"><Value>{float:e}</Value></Float>\
         <IntSwissKnife Name=\"A\"><pVariable Name=\"I\">I</pVariable><pVariable Name=\"F\">F\
         </pVariable><Expression Name=\"X\">I+1</Expression><Formula>{formula}</Formula>\
         </IntSwissKnife><SwissKnife Name=\"B\"><pVariable Name=\"I\">I</pVariable>\
         <pVariable Name=\"F\">F</pVariable><Expression Name=\"X\">F*2</Expression>\
         <Formula>{formula}</Formula></SwissKnife>\
         <Converter Name=\"C\"><FormulaTo>FROM</FormulaTo><FormulaFrom>{formula}</FormulaFrom>\
         <pValue>F</pValue></Converter></RegisterDescription>"
    );
    let Ok(map) = NodeMap::parse(xml.as_bytes()) else { return };
    for name in ["A", "B", "C"] {
        if let Some(id) = map.node(name) {
            let _ = map.value(id);
            let _ = map.limits(id);
            let _ = map.set(id, &Value::Int(1));
        }
    }
});
