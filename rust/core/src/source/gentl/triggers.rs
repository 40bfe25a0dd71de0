//! A camera's triggers, whichever of them its `TriggerSelector` shows just now.

use crate::source::features::{Features, Value};

const SELECTOR: &str = "TriggerSelector";
const MODE: &str = "TriggerMode";
const SOURCE: &str = "TriggerSource";
const COMMAND: &str = "TriggerSoftware";

/// One of them.
struct Trigger<'a> {
    features: &'a Features,
    /// Its entry of the selector; of the one that is shown, `None`.
    entry: Option<String>,
}

impl Trigger<'_> {
    /// How a feature is called where this one selects its value.
    fn name(&self, feature: &str) -> String {
        match &self.entry {
            Some(entry) if is_selected(self.features, feature) => format!("{feature}[{entry}]"),
            _ => feature.to_owned(),
        }
    }

    fn text(&self, feature: &str) -> Option<String> {
        match self.features.get(&self.name(feature)) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn is_on(&self) -> bool {
        self.text(MODE).is_some_and(|mode| mode == "On")
    }

    /// What keeps its command from exposing a frame. What a camera does not tell keeps nothing, but
    /// for a trigger that it does not show.
    fn refusal(&self) -> Option<String> {
        for (feature, wanted) in [(MODE, "On"), (SOURCE, "Software")] {
            match self.text(feature) {
                Some(found) if found != wanted => {
                    let name = self.name(feature);
                    return Some(format!("{name} is {found}; it triggers where {name} = {wanted}"));
                }
                None if feature == MODE && self.entry.is_some() => {
                    return Some(format!("{} can't be read", self.name(feature)));
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

fn is_selected(features: &Features, feature: &str) -> bool {
    features.selectors(feature).iter().any(|selector| selector == SELECTOR)
}

/// The one that is shown, and then all by their entries; each is looked at only when it is its turn.
/// To look at one moves the selector, and puts it back.
fn triggers(features: &Features) -> impl Iterator<Item = Trigger<'_>> {
    let entries = || {
        let known = is_selected(features, MODE).then(|| features.describe(SELECTOR).ok());
        let entries = known.flatten().map(|known| known.entries).unwrap_or_default();
        // A single one is the one that is shown.
        if entries.len() > 1 { entries } else { Vec::new() }
    };
    let shown = std::iter::once(None);
    let others = std::iter::once_with(entries).flatten().map(Some);
    shown.chain(others).map(move |entry| Trigger { features, entry })
}

/// Whether any trigger is on.
pub(super) fn is_any_on(features: &Features) -> bool {
    triggers(features).any(|trigger| trigger.is_on())
}

/// The command that exposes a frame now: of the trigger that is shown, if it is on and waits for
/// that, else of the first that does.
///
/// # Errors
/// In words, why there is none.
pub(super) fn command(features: &Features) -> Result<String, String> {
    let mut problem = None;
    for trigger in triggers(features) {
        let Some(refusal) = trigger.refusal() else { return Ok(trigger.name(COMMAND)) };
        // One that is on is meant more likely than one that is off.
        if problem.is_none() || trigger.is_on() {
            problem = Some(refusal);
        }
    }
    Err(problem.unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::source::features::Registers;

    /// Four bytes each, by their address.
    #[derive(Default)]
    struct Memory(Mutex<HashMap<u64, u32>>);

    impl Registers for Memory {
        fn read(&self, address: u64, data: &mut [u8]) -> Result<(), String> {
            let number = *self.0.lock().unwrap().get(&address).unwrap_or(&0);
            data.copy_from_slice(&number.to_le_bytes());
            Ok(())
        }

        fn write(&self, address: u64, data: &[u8]) -> Result<(), String> {
            let number = u32::from_le_bytes(data.try_into().unwrap());
            self.0.lock().unwrap().insert(address, number);
            Ok(())
        }
    }

    /// A camera of two triggers, of which the first is shown, and of what its pace depends on.
    pub(in crate::source::gentl) fn camera(rows: &[(&str, i64)]) -> Features {
        let register = |name: &str, address: &str| {
            format!(
                "<IntReg Name=\"{name}\">{address}<Length>4</Length><AccessMode>RW</AccessMode>\
                 <pPort>Device</pPort><Endianess>LittleEndian</Endianess></IntReg>"
            )
        };
        let choice = |name: &str, entries: [&str; 2], more: &str| {
            let [zero, one] = entries.map(|entry| format!("<EnumEntry Name=\"{entry}\">"));
            format!(
                "<Enumeration Name=\"{name}\">{zero}<Value>0</Value></EnumEntry>{one}<Value>1\
                 </Value></EnumEntry><pValue>{name}Reg</pValue>{more}</Enumeration>"
            )
        };
        let number =
            |name: &str| format!("<Integer Name=\"{name}\"><pValue>{name}Reg</pValue></Integer>");
        let names =
            ["AcquisitionFrameRate", "AcquisitionFrameRateEnable", "ExposureTime"].map(number);
        let each = ["TriggerMode", "TriggerSource", "TriggerSoftware"];
        let selected = each.map(|name| format!("<pSelected>{name}</pSelected>")).concat();
        let by_trigger = |name: &str, address: u64| {
            let place = format!(
                "<Address>{address}</Address><pIndex Offset=\"4\">TriggerSelectorReg</pIndex>"
            );
            register(&format!("{name}Reg"), &place)
        };
        let body = [
            choice("TriggerSelector", ["AcquisitionStart", "FrameStart"], &selected),
            choice("TriggerMode", ["Off", "On"], ""),
            choice("TriggerSource", ["Software", "Line0"], ""),
            "<Command Name=\"TriggerSoftware\"><pValue>TriggerSoftwareReg</pValue>\
             <CommandValue>1</CommandValue></Command>"
                .to_owned(),
            choice("AcquisitionMode", ["Continuous", "SingleFrame"], ""),
            names.concat(),
            register("TriggerSelectorReg", "<Address>0x10</Address>"),
            by_trigger("TriggerMode", 0x20),
            by_trigger("TriggerSource", 0x70),
            by_trigger("TriggerSoftware", 0x80),
            register("AcquisitionModeReg", "<Address>0x30</Address>"),
            register("AcquisitionFrameRateReg", "<Address>0x40</Address>"),
            register("AcquisitionFrameRateEnableReg", "<Address>0x50</Address>"),
            register("ExposureTimeReg", "<Address>0x60</Address>"),
        ];
        let xml = format!(
            "<RegisterDescription SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" \
             SchemaSubMinorVersion=\"0\"><Port Name=\"Device\"/>{}</RegisterDescription>",
            body.concat()
        );
        let features = Features::parse("camera", &xml, Arc::new(Memory::default())).unwrap();
        for (name, number) in rows {
            features.set(name, &Value::Int(*number)).unwrap();
        }
        features
    }

    fn set(camera: &Features, name: &str, text: &str) {
        camera.set(name, &Value::Text(text.into())).unwrap();
    }

    fn shown(camera: &Features) -> String {
        camera.get(SELECTOR).unwrap().to_string()
    }

    #[test]
    fn a_trigger_is_on_also_when_the_selector_shows_another() {
        let camera = camera(&[]);
        assert!(!is_any_on(&camera));
        set(&camera, "TriggerMode[FrameStart]", "On");
        assert_eq!(camera.get("TriggerMode").unwrap(), Value::Text("Off".into()));
        assert!(is_any_on(&camera));
        assert_eq!(shown(&camera), "AcquisitionStart", "it was put back");
    }

    #[test]
    fn the_trigger_that_waits_for_software_is_the_one_that_is_told() {
        let camera = camera(&[]);
        let said = || command(&camera);
        let refused = said().unwrap_err();
        assert!(refused.starts_with("TriggerMode is Off"), "{refused}");
        set(&camera, "TriggerMode[FrameStart]", "On");
        assert_eq!(said().as_deref(), Ok("TriggerSoftware[FrameStart]"));
        camera.execute(&said().unwrap()).unwrap();
        assert_eq!(shown(&camera), "AcquisitionStart", "it was put back");
        // One that is on says more than one that is off.
        set(&camera, "TriggerSource[FrameStart]", "Line0");
        let refused = said().unwrap_err();
        assert!(refused.starts_with("TriggerSource[FrameStart] is Line0"), "{refused}");
        // What is shown goes first, and needs no selector.
        set(&camera, "TriggerSource[FrameStart]", "Software");
        set(&camera, "TriggerMode[AcquisitionStart]", "On");
        assert_eq!(said().as_deref(), Ok("TriggerSoftware"));
    }
}
