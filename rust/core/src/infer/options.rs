//! How a session is to run: execution providers and session options, both by ONNX Runtime's names.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};

/// The provider that every build has.
pub const CPU: &str = "CPUExecutionProvider";

/// Beginnings of the keys that ONNX Runtime reads; others it would take and never look at.
const CONFIG_PREFIXES: [&str; 5] = ["session.", "optimization.", "ep.", "mlas.", "memory."];

/// How a session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Execution providers, the preferred one first. One that cannot start is skipped, and it is
    /// said, when another follows; the last one's failure is an error.
    pub providers: Vec<Provider>,
    /// ONNX Runtime's session options.
    pub session: SessionOptions,
    /// A first run on zeros that takes longer is ended: this model would stop the line.
    pub dry_run_limit: Duration,
    /// Whether inputs are bound to the provider's own memory: `None` where that is not the CPU's.
    pub io_binding: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            providers: vec![CPU.into()],
            session: SessionOptions::default(),
            dry_run_limit: Duration::from_secs(60),
            io_binding: None,
        }
    }
}

/// An execution provider: its name, or `{ name = "...", options = { ... } }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// ONNX Runtime's name, such as `CUDAExecutionProvider`.
    pub name: String,
    /// Its options, by the provider's own names.
    pub options: BTreeMap<String, String>,
}

impl From<&str> for Provider {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), options: BTreeMap::new() }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.options.is_empty() {
            let options: Vec<_> = self.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
            write!(f, " ({})", options.join(", "))?;
        }
        Ok(())
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProviderTable {
    /// ONNX Runtime's name, such as `CUDAExecutionProvider`.
    name: String,
    /// Its options, by the provider's own names; numbers and booleans are written as text.
    #[serde(default)]
    options: BTreeMap<String, Plain>,
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if self.options.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let options = self.options.iter().map(|(k, v)| (k.clone(), Plain(v.clone()))).collect();
        ProviderTable { name: self.name.clone(), options }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Provider {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Provider;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a provider's name, or { name = \"...\", options = { ... } }")
            }
            fn visit_str<E>(self, name: &str) -> std::result::Result<Provider, E> {
                Ok(name.into())
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Provider, A::Error> {
                let table = ProviderTable::deserialize(MapAccessDeserializer::new(map))?;
                let options = table.options.into_iter().map(|(key, value)| (key, value.0));
                Ok(Provider { name: table.name, options: options.collect() })
            }
        }
        from.deserialize_any(NameOrTable)
    }
}

impl JsonSchema for Provider {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Provider".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ProviderTable>();
        json_schema!({
            "description": "An execution provider: ONNX Runtime's name, or a table with options.",
            "anyOf": [{ "type": "string" }, table],
        })
    }
}

/// A text, number or boolean, as the text that ONNX Runtime wants.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plain(String);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct AnyPlain;
        impl Visitor<'_> for AnyPlain {
            type Value = Plain;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, number or boolean")
            }
            fn visit_str<E>(self, value: &str) -> std::result::Result<Plain, E> {
                Ok(Plain(value.to_owned()))
            }
            fn visit_bool<E>(self, value: bool) -> std::result::Result<Plain, E> {
                Ok(Plain(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> std::result::Result<Plain, E> {
                Ok(Plain(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> std::result::Result<Plain, E> {
                Ok(Plain(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> std::result::Result<Plain, E> {
                Ok(Plain(value.to_string()))
            }
        }
        from.deserialize_any(AnyPlain)
    }
}

impl JsonSchema for Plain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Plain".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// ONNX Runtime's session options, by the names that its Python `SessionOptions` gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionOptions {
    /// Threads inside one operator; 0 is one for each core. One single-threaded session per worker
    /// is fastest on a CPU, since the workers fill the cores.
    pub intra_op_num_threads: u16,
    /// Threads for operators side by side, with `execution_mode = "ORT_PARALLEL"`.
    pub inter_op_num_threads: u16,
    /// Whether operators run side by side.
    pub execution_mode: ExecutionMode,
    /// How much the graph is rewritten when it is loaded.
    pub graph_optimization_level: GraphOptimizationLevel,
    /// Whether memory is planned ahead for shapes that were seen before.
    pub enable_mem_pattern: bool,
    /// Whether the CPU's memory is taken from an arena that is never given back.
    pub enable_cpu_mem_arena: bool,
    /// What ONNX Runtime says: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal.
    pub log_severity_level: Option<u8>,
    /// Sizes of free dimensions, by their symbols.
    pub free_dimension_overrides: BTreeMap<String, i64>,
    /// Further entries, by ONNX Runtime's keys such as `session.intra_op.allow_spinning`.
    #[serde(deserialize_with = "plain_texts")]
    #[schemars(with = "BTreeMap<String, Plain>")]
    pub config: BTreeMap<String, String>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            intra_op_num_threads: 1,
            inter_op_num_threads: 1,
            execution_mode: ExecutionMode::OrtSequential,
            graph_optimization_level: GraphOptimizationLevel::OrtEnableAll,
            enable_mem_pattern: true,
            enable_cpu_mem_arena: true,
            log_severity_level: None,
            free_dimension_overrides: BTreeMap::new(),
            config: BTreeMap::new(),
        }
    }
}

fn plain_texts<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<BTreeMap<String, String>, D::Error> {
    let map = BTreeMap::<String, Plain>::deserialize(from)?;
    Ok(map.into_iter().map(|(key, value)| (key, value.0)).collect())
}

impl SessionOptions {
    /// What types cannot say.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the option, what was found and what is allowed.
    pub fn check(&self) -> Result<()> {
        let known = |key: &String| CONFIG_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        if let Some(key) = self.config.keys().find(|key| !known(key)) {
            let problem = format!(
                "ONNX Runtime reads no such key; its keys begin with {}",
                CONFIG_PREFIXES.join(", ")
            );
            return Err(Error::invalid(format!("session.config.{key:?}"), problem));
        }
        if let Some(level) = self.log_severity_level.filter(|level| *level > 4) {
            let problem = format!("{level}; allowed: 0 (verbose) to 4 (fatal)");
            return Err(Error::invalid("session.log_severity_level", problem));
        }
        let sizes = &self.free_dimension_overrides;
        if let Some((name, size)) = sizes.iter().find(|(_, size)| **size < 1) {
            let what = format!("session.free_dimension_overrides.{name}");
            return Err(Error::invalid(what, format!("{size}; allowed: 1 and more")));
        }
        Ok(())
    }
}

/// Whether operators run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExecutionMode {
    /// One after the other.
    #[serde(rename = "ORT_SEQUENTIAL")]
    OrtSequential,
    /// Side by side where the graph allows it.
    #[serde(rename = "ORT_PARALLEL")]
    OrtParallel,
}

/// How much the graph is rewritten when it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GraphOptimizationLevel {
    /// Nothing.
    #[serde(rename = "ORT_DISABLE_ALL")]
    OrtDisableAll,
    /// What changes no result.
    #[serde(rename = "ORT_ENABLE_BASIC")]
    OrtEnableBasic,
    /// Fusions of operators as well.
    #[serde(rename = "ORT_ENABLE_EXTENDED")]
    OrtEnableExtended,
    /// Other layouts of tensors as well.
    #[serde(rename = "ORT_ENABLE_LAYOUT")]
    OrtEnableLayout,
    /// Everything.
    #[serde(rename = "ORT_ENABLE_ALL")]
    OrtEnableAll,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    struct Wrapped {
        providers: Vec<Provider>,
    }

    fn providers(text: &str) -> std::result::Result<Vec<Provider>, String> {
        let wrapped: std::result::Result<Wrapped, _> = toml::from_str(text);
        wrapped.map(|wrapped| wrapped.providers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_provider_is_a_name_or_a_table_with_options_of_any_plain_type() {
        let read = providers(
            "providers = [{ name = \"CUDAExecutionProvider\", options = { device_id = 1, \
             cudnn_conv_algo_search = \"HEURISTIC\", do_copy_in_default_stream = true } }, \
             \"CPUExecutionProvider\"]",
        )
        .unwrap();
        let said = "CUDAExecutionProvider (cudnn_conv_algo_search=HEURISTIC, device_id=1, \
                    do_copy_in_default_stream=true)";
        assert_eq!(read[0].to_string(), said);
        assert_eq!(read[1], CPU.into());
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Provider>>(&json).unwrap(), read);
    }

    #[test]
    fn what_is_no_provider_is_refused_with_what_is_allowed() {
        let text = providers("providers = [3]").unwrap_err();
        assert!(text.contains("a provider's name, or { name"), "{text}");
        let text = providers("providers = [{ name = \"X\", device = 1 }]").unwrap_err();
        assert!(text.contains("unknown field `device`"), "{text}");
    }

    #[test]
    fn session_options_have_onnx_runtimes_names() {
        let options: SessionOptions = toml::from_str(
            "graph_optimization_level = \"ORT_ENABLE_EXTENDED\"\nintra_op_num_threads = 2\n\
             [config]\n\"session.intra_op.allow_spinning\" = true\n",
        )
        .unwrap();
        assert_eq!(options.intra_op_num_threads, 2);
        assert_eq!(options.config["session.intra_op.allow_spinning"], "true");
        assert!(options.check().is_ok());
        let wrong = toml::from_str::<SessionOptions>("intra_threads = 2").unwrap_err().to_string();
        assert!(wrong.contains("intra_op_num_threads"), "{wrong}");
    }

    #[test]
    fn an_entry_that_nobody_reads_is_refused() {
        let with = |key: &str| SessionOptions {
            config: [(key.to_owned(), "1".to_owned())].into(),
            ..SessionOptions::default()
        };
        assert!(with("ep.context_enable").check().is_ok());
        let text = with("allow_spinning").check().unwrap_err().to_string();
        assert!(text.contains("allow_spinning") && text.contains("session."), "{text}");
    }
}
