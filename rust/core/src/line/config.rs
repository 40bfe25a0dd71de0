//! Reading `line.toml` and `recipe.toml`, or the same as JSON from Python objects, with errors that
//! name file, key, what was found and what is allowed; and the JSON schemas of both.

use std::path::{Path, PathBuf};

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;

use super::plant::Plant;
use super::product::Product;
use crate::error::{Error, Result};

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// What was read.
    pub value: T,
    /// The file, or `<python>`.
    pub file: String,
    /// Folder that its relative paths start from.
    pub base: PathBuf,
}

impl<T> Loaded<T> {
    /// A path of this configuration, seen from the process.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.base.join(relative)
    }
}

/// Reads a plant from a TOML file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Config`] naming the key.
pub fn plant_from_file(path: &Path) -> Result<Loaded<Plant>> {
    let loaded = from_file(path)?;
    Plant::check(&loaded.value, &loaded.file)?;
    Ok(loaded)
}

/// Reads a product from a TOML file.
///
/// # Errors
/// [`Error::Io`], or [`Error::Config`] naming the key.
pub fn product_from_file(path: &Path) -> Result<Loaded<Product>> {
    let loaded = from_file(path)?;
    Product::check(&loaded.value, &loaded.file)?;
    Ok(loaded)
}

/// Reads a plant from JSON; relative paths start at `base`.
///
/// # Errors
/// [`Error::Config`] naming the key.
pub fn plant_from_json(json: &str, base: &Path) -> Result<Loaded<Plant>> {
    let loaded = from_json(json, base)?;
    Plant::check(&loaded.value, &loaded.file)?;
    Ok(loaded)
}

/// Reads a product from JSON; relative paths start at `base`.
///
/// # Errors
/// [`Error::Config`] naming the key.
pub fn product_from_json(json: &str, base: &Path) -> Result<Loaded<Product>> {
    let loaded = from_json(json, base)?;
    Product::check(&loaded.value, &loaded.file)?;
    Ok(loaded)
}

/// JSON schema of `line.toml`, for editors.
pub fn plant_schema() -> String {
    schema::<Plant>()
}

/// JSON schema of `recipe.toml`, for editors.
pub fn product_schema() -> String {
    schema::<Product>()
}

fn schema<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schema_for!(T)).expect("a schema is plain JSON")
}

fn from_file<T: DeserializeOwned>(path: &Path) -> Result<Loaded<T>> {
    let text = std::fs::read_to_string(path).map_err(|why| Error::io(path, why))?;
    let file = path.display().to_string();
    let base = path.parent().unwrap_or(Path::new(".")).to_path_buf();
    if path.extension().is_some_and(|extension| extension == "json") {
        return json_of(&text, file, base);
    }
    let config = |key: String, problem: String| Error::Config { file: file.clone(), key, problem };
    let reader = toml::Deserializer::parse(&text)
        .map_err(|why| config("(syntax)".into(), one_line(&why.to_string())))?;
    let value = serde_path_to_error::deserialize(reader)
        .map_err(|why| config(why.path().to_string(), one_line(why.inner().message())))?;
    Ok(Loaded { value, file, base })
}

fn from_json<T: DeserializeOwned>(json: &str, base: &Path) -> Result<Loaded<T>> {
    json_of(json, "<python>".into(), base.to_path_buf())
}

fn json_of<T: DeserializeOwned>(json: &str, file: String, base: PathBuf) -> Result<Loaded<T>> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|why| Error::Config {
        file: file.clone(),
        key: why.path().to_string(),
        problem: one_line(&why.inner().to_string()),
    })?;
    Ok(Loaded { value, file, base })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant(text: &str) -> Result<Loaded<Plant>> {
        let folder = std::env::temp_dir().join(format!("smartqc-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let name =
            format!("{:x}.toml", text.len() * 31 + text.bytes().map(usize::from).sum::<usize>());
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        plant_from_file(&path)
    }

    fn message(text: &str) -> String {
        plant(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_named_json_is_read_as_that_and_named_in_errors() {
        let folder = std::env::temp_dir().join(format!("smartqc-json-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("line.json");
        std::fs::write(&path, r#"{"schema": 1, "camera": [{"name": "top", "uri": "push:"}]}"#)
            .unwrap();
        let loaded = plant_from_file(&path).unwrap();
        assert_eq!((loaded.value.camera[0].name.as_str(), loaded.base), ("top", folder.clone()));
        std::fs::write(&path, r#"{"schema": 1, "camera": [{"name": 3, "uri": "push:"}]}"#).unwrap();
        let error = plant_from_file(&path).unwrap_err().to_string();
        assert!(error.contains("line.json") && error.contains("camera[0].name"), "{error}");
    }

    const LEAST: &str = "schema = 1\n[[camera]]\nname = \"top\"\nuri = \"push:\"\n";

    #[test]
    fn the_least_plant_is_one_camera() {
        let plant = plant(LEAST).unwrap().value;
        assert_eq!(plant.camera[0].window_ms, 5.0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(plant.run.workers, cores.min(64), "a session for each core");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_what_is_allowed() {
        let text = message(&format!("{LEAST}widow_ms = 3\n"));
        assert!(text.contains("camera[0]"), "{text}");
        assert!(text.contains("widow_ms") && text.contains("window_ms"), "{text}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let text = message(&format!("{LEAST}at_mm = \"far\"\n"));
        assert!(text.contains("camera[0].at_mm") && text.contains("far"), "{text}");
    }

    #[test]
    fn a_simulated_device_needs_a_simulation() {
        let text = message(&format!("{LEAST}trigger = \"simulated:\"\n"));
        assert!(text.contains("[simulation]"), "{text}");
    }

    #[test]
    fn a_sensor_must_be_named() {
        let text = message(&format!("{LEAST}[parts]\nannounced_by = \"sensor\"\n"));
        assert!(text.contains("parts.sensor"), "{text}");
    }

    #[test]
    fn json_errors_name_the_key_too() {
        let json = r#"{"schema": 1, "camera": [{"name": "top", "uri": 5}]}"#;
        let text = plant_from_json(json, Path::new(".")).unwrap_err().to_string();
        assert!(text.contains("camera[0].uri"), "{text}");
    }

    #[test]
    fn both_files_have_a_schema() {
        assert!(plant_schema().contains("least_gap_mm"));
        assert!(product_schema().contains("thresholds"));
    }
}
